"""Tensors of files that are no networks."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from seewhy.errors import BadWeights
from seewhy.models.tensors import stored_tensors

W = torch.arange(6.0).reshape(2, 3)


def test_tensors_come_as_arrays_with_the_metadata_and_the_digest(tmp_path):
    save_file(
        {"w": W, "half": W.half(), "brain": W.bfloat16(), "k": torch.tensor(3)}, tmp_path / "a.safetensors", {"kind": "x"}
    )
    found = stored_tensors(tmp_path / "a.safetensors")
    assert {name: array.dtype.name for name, array in found.arrays.items()} == {
        "w": "float32", "half": "float32", "brain": "float32", "k": "int64"
    }  # fmt: skip
    for name in ("w", "half", "brain"):
        np.testing.assert_array_equal(found.arrays[name], W)
    assert found.facts == {"kind": "x"}
    assert found.digest.startswith("sha256:")
    assert found.arrays["w"].flags.writeable  # a copy: the file is closed


def test_a_state_dict_within_a_checkpoint_is_found(tmp_path):
    torch.save({"epoch": 3, "state_dict": {"w": W, "k": torch.tensor(2)}}, tmp_path / "a.pt")
    assert [*stored_tensors(tmp_path / "a.pt").arrays] == ["w", "k"]


class Runs:
    def __reduce__(self):
        return eval, ("{'w': __import__('torch').ones(2, 2)}",)


def test_a_pickle_that_runs_code_is_read_only_where_it_is_trusted(tmp_path):
    torch.save(Runs(), tmp_path / "a.pt")
    with pytest.raises(BadWeights):
        stored_tensors(tmp_path / "a.pt")
    assert [*stored_tensors(tmp_path / "a.pt", trust=True).arrays] == ["w"]


def test_what_holds_no_tensors_is_said(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(BadWeights, match="holds no tensors by name"):
        stored_tensors(tmp_path / "a.pt")
    with pytest.raises(BadWeights, match="is not there"):
        stored_tensors(tmp_path / "b.safetensors")
