"""What is drawn through torch is given again without drawing: the generators of torch stay where they are."""

import threading
from contextlib import suppress

import pytest
import torch

from seewhy.prepare.torch_draws import Recording, Replaying

OWN = torch.Generator().manual_seed(3)
DRAWS = {
    "uniform": lambda: torch.rand(2, 3),
    "normal": lambda: torch.randn(4),
    "integer": lambda: torch.randint(0, 10**9, (1,)).item(),
    "order": lambda: torch.randperm(50).tolist(),
    "filled": lambda: torch.empty(5).uniform_(-1, 1),
    "chance": lambda: torch.bernoulli(torch.full((64,), 0.5)),
    "picked": lambda: torch.multinomial(torch.ones(50), 20),
    "a generator of one's own": lambda: torch.rand(3, generator=OWN),
    "like": lambda: torch.rand_like(torch.zeros(3)),
    "dropout": lambda: torch.nn.functional.dropout(torch.ones(50), 0.5, True),
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_was_drawn_is_given_again(name):
    draw = DRAWS[name]
    with Recording() as recording:
        first = draw(), draw()
    states = torch.get_rng_state(), OWN.get_state()
    for _ in range(2):
        with Replaying(recording) as replaying:
            again = draw(), draw()
        assert replaying.repeated
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, again, strict=True))
    assert torch.equal(states[0], torch.get_rng_state())
    assert torch.equal(states[1], OWN.get_state())
    assert not torch.equal(torch.as_tensor(draw()), torch.as_tensor(first[1]))


def test_a_recording_draws_as_without_it_and_is_not_written_over():
    torch.manual_seed(0)
    plain = torch.rand(3), torch.rand(3)
    torch.manual_seed(0)
    with Recording() as recording:
        recorded = torch.rand(3).mul_(1), torch.rand(3)
        recorded[1].zero_()
    assert torch.equal(plain[0], recorded[0])
    with Replaying(recording):
        assert torch.equal(torch.rand(3), plain[0])
        assert torch.equal(torch.rand(3), plain[1])


@pytest.mark.parametrize(
    "other", [lambda: torch.randn(3), lambda: (torch.rand(3), torch.rand(3)), lambda: torch.empty(4).uniform_(), lambda: None]
)
def test_other_draws_are_noticed(other):
    with Recording() as recording:
        torch.rand(3)
    with Replaying(recording) as replaying, suppress(RuntimeError):  # nothing is raised where less is drawn
        other()
    assert not replaying.repeated


def test_a_filled_tensor_of_another_shape_is_noticed():
    with Recording() as recording:
        torch.empty(3).uniform_()
    with Replaying(recording) as replaying, pytest.raises(RuntimeError, match="Other random numbers"):
        torch.empty(4).uniform_()
    assert not replaying.repeated


def test_other_threads_are_not_recorded():
    with Recording() as recording:
        thread = threading.Thread(target=lambda: torch.rand(3))
        thread.start()
        thread.join()
    assert recording.drawn == []
