"""What a callable draws is noticed, and drawn again; no stream of random numbers goes on for it."""

import os
import random
import threading

import numpy as np
import pytest
import torch

from seewhy.prepare import chance as module
from seewhy.prepare.chance import Chance, NotRepeated, following


class Own:
    def __init__(self):
        self.bits, self.old, self.plain = np.random.default_rng(1), np.random.RandomState(2), random.Random(3)

    def new(self):
        return self.bits.random()

    def state(self):
        return self.old.rand()

    def python(self):
        return self.plain.random()


OWN = Own()
SOURCES = {
    "random": (random.random, random.getstate),
    "numpy": (np.random.rand, lambda: [*np.random.get_state()[1].tolist(), np.random.get_state()[2]]),
    "torch": (lambda: torch.rand(1).item(), lambda: torch.get_rng_state().tolist()),
    "own Generator": (OWN.new, lambda: OWN.bits.bit_generator.state["state"]),
    "own RandomState": (OWN.state, lambda: OWN.old.get_state()[2]),
    "own Random": (OWN.python, lambda: OWN.plain.getstate()),
    "several": (
        lambda: (random.random(), np.random.randn(), torch.rand(2).sum().item(), np.random.rand()),
        lambda: (random.getstate(), np.random.get_state()[2], torch.get_rng_state().tolist()),
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_is_drawn_again_and_the_streams_stay(name):
    draw, state = SOURCES[name]
    chance = Chance(draw)
    first, drawn = chance.first(draw)
    assert drawn
    drawn = chance.confirmed(drawn, draw)
    assert drawn
    before = state()
    assert [chance.again(drawn, draw) for _ in range(3)] == [first] * 3
    assert state() == before
    assert draw() != first


@pytest.mark.parametrize("name", SOURCES)
def test_one_call_moves_the_streams_as_far_as_it_does_by_itself(name):
    draw, state = SOURCES[name]
    chance = Chance(draw)
    start = [stream.read() for stream in (*chance.streams, *module._torch_stream())]
    draw()
    after = state()
    for stream, at in zip((*chance.streams, *module._torch_stream()), start, strict=True):
        stream.write(at)
    _, drawn = chance.first(draw)
    chance.again(chance.confirmed(drawn, draw), draw)
    assert state() == after


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_undone_was_never_drawn(name):
    draw, state = SOURCES[name]
    before = state()
    first = Chance(draw).undone(draw)
    assert state() == before
    assert draw() == first


def test_what_draws_nothing_draws_nothing():
    given, draw = Chance(abs).first(lambda: abs(-1))
    assert given == 1
    assert not draw
    assert Chance(abs).again(draw, lambda: abs(-2)) == 2


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (random.random, lambda: random.random() + random.random()),
        (np.random.rand, lambda: 1),
        (lambda: torch.rand(1), lambda: torch.randn(1)),
        (lambda: torch.rand(1), lambda: 1),
        (lambda: 1, lambda: torch.rand(1)),
    ],
)
def test_other_draws_are_no_repetition(first, then):
    chance = Chance(first)
    _, draw = chance.first(first)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    with pytest.raises(NotRepeated):
        chance.again(draw, then)
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_a_call_that_fails_leaves_the_streams_where_they_were():
    chance = Chance(random.random)
    _, draw = chance.first(random.random)
    before = random.getstate()

    def fails():
        random.random()
        raise KeyError

    for ask in (lambda: chance.again(draw, fails), lambda: chance.undone(fails)):
        with pytest.raises(KeyError):
            ask()
        assert random.getstate() == before


def test_what_another_thread_draws_once_is_not_taken_for_a_draw():
    """Nor is it drawn again."""

    def beside():
        thread = threading.Thread(target=np.random.rand)
        thread.start()
        thread.join()

    calls = [beside, lambda: None, lambda: None]
    np.random.seed(4)
    expected = np.random.rand(2).tolist()
    np.random.seed(4)
    chance = Chance(abs)
    _, draw = chance.first(lambda: calls.pop(0)())
    assert draw.moved
    draw = chance.confirmed(draw, lambda: calls.pop(0)())
    assert not draw.moved
    assert np.random.rand() == expected[1]


def test_a_generator_of_the_system_has_no_state():
    assert len(Chance(random.SystemRandom().random).streams) == len(Chance(abs).streams)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_a_forked_process_does_not_wait_for_threads_that_it_has_not():
    holding, done = threading.Event(), threading.Event()

    def hold():
        with following():
            holding.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if following().acquire(timeout=5) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    thread.join()
