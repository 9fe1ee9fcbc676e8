"""A network is traced for any number of images, where its code allows that; and the process is as it was."""

import builtins
import logging
import warnings

import pytest
import torch

from seewhy.models.torch.exporting.tracing import first_words, quiet, symbolic_lengths


def test_the_length_of_a_tensor_is_its_first_side_and_all_else_has_its_own():
    usual = builtins.len
    with symbolic_lengths():
        assert len(torch.zeros(3, 2)) == 3
        assert len("four") == 4
        assert len([]) == 0
        with pytest.raises(TypeError, match="0-d tensor"):
            len(torch.tensor(1.0))
        with pytest.raises(TypeError):
            len(5)  # type: ignore[arg-type]
    assert builtins.len is usual
    with pytest.raises(KeyError), symbolic_lengths():
        raise KeyError
    assert builtins.len is usual


def test_a_program_whose_code_asks_for_the_length_takes_any_number():
    class Lengths(torch.nn.Module):
        def forward(self, x):
            return x.reshape(len(x), -1).sum(1)

    batch = {0: torch.export.Dim("n")}
    with symbolic_lengths():
        program = torch.export.export(Lengths(), (torch.zeros(2, 3, 4),), dynamic_shapes=(batch,), strict=False)
    assert program.module()(torch.ones(5, 3, 4)).tolist() == [12] * 5


def test_torch_is_quiet_meanwhile_and_as_it_was_afterwards():
    fast, level = torch.backends.mha.get_fastpath_enabled(), logging.getLogger("torch.export").level
    with quiet():
        warnings.warn("of torch", UserWarning, stacklevel=1)
        assert not torch.backends.mha.get_fastpath_enabled()
        assert not logging.getLogger("torch.export").isEnabledFor(logging.ERROR)
    assert (torch.backends.mha.get_fastpath_enabled(), logging.getLogger("torch.export").level) == (fast, level)


def test_an_error_of_torch_is_told_in_one_line():
    assert first_words(ValueError("\n  one.\n two")) == "ValueError: one"
    assert first_words(ValueError("\x1b[31m")) == r"ValueError: \x1b[31m"
    assert first_words(ValueError()) == "ValueError: it gives no reason"
