"""Random numbers that a stranger's callable draws: noticed, and drawn again for another image.

Only what was drawn by the callable itself is drawn again; no stream of random numbers goes on because of that.
"""

import os
import pickle
import random
import sys
from collections.abc import Callable
from contextlib import nullcontext
from threading import RLock
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .generators import generators

T = TypeVar("T")


class NotRepeated(Exception):
    """The callable could not be made to draw the same again."""


class Stream(NamedTuple):
    """A stream of random numbers: how its state is read, and set."""

    read: Callable[[], Any]
    write: Callable[[Any], Any]


class Moved(NamedTuple):
    """A stream that a call moved, with its states before and after the call."""

    stream: Stream
    before: Any
    after: Any


class Draw(NamedTuple):
    """What one call drew: the streams that moved, and a recording of what came from torch."""

    moved: list[Moved]
    recording: Any = None

    def __bool__(self) -> bool:
        return bool(self.moved) or bool(self.recording is not None and self.recording.drawn)


class Chance:
    """The streams that a callable may draw from: Python's and numpy's global ones, its own, and torch.

    Calls are followed one at a time, also those of other threads.
    """

    def __init__(self, owner: Any) -> None:
        own = [stream for generator in generators(owner) if (stream := _stream(generator))]
        self.streams = [Stream(random.getstate, random.setstate), Stream(_numpys, np.random.set_state), *own]

    def first(self, call: Callable[[], T]) -> tuple[T, Draw]:
        """What a call gives, and what it drew."""
        recording = torch.Recording() if (torch := _torch()) else None
        before = [stream.read() for stream in self.streams]
        with recording or nullcontext():
            given = call()
        after = [stream.read() for stream in self.streams]
        moved = [Moved(*each) for each in zip(self.streams, before, after, strict=True) if not _same(*each[1:])]
        return given, Draw(moved, recording)

    def confirmed(self, draw: Draw, call: Callable[[], Any]) -> Draw:
        """The draw without streams that other threads may have moved: those that more such calls do not move."""
        own = draw.moved
        try:
            for _ in range(2 * bool(own)):
                _, more = self.again(Draw([], draw.recording), lambda: self.first(call))
                own = [each for each in own if any(each.stream is other.stream for other in more.moved)]
        finally:
            for each in own:
                each.stream.write(each.after)
        return Draw(own, draw.recording)

    def again(self, draw: Draw, call: Callable[[], T]) -> T:
        """What a call gives that draws the same.  Raises NotRepeated where it draws other numbers, more or fewer."""
        replaying = torch.Replaying(draw.recording) if (torch := _torch()) and draw.recording is not None else None
        now = [each.stream.read() for each in draw.moved]
        try:
            for each in draw.moved:
                each.stream.write(each.before)
            with replaying or nullcontext():
                given = call()
            if not all(_same(each.stream.read(), each.after) for each in draw.moved):
                raise NotRepeated
        finally:
            for each, state in zip(draw.moved, now, strict=True):
                each.stream.write(state)
            if replaying is not None and not replaying.repeated:
                raise NotRepeated
        return given

    def undone(self, call: Callable[[], T]) -> T:
        """What a call gives; all streams are then as they were."""
        streams = [*self.streams, *_torch_stream()]
        before = [stream.read() for stream in streams]
        try:
            return call()
        finally:
            for stream, state in zip(streams, before, strict=True):
                if not _same(stream.read(), state):
                    stream.write(state)


def _numpys() -> Any:
    return np.random.get_state(legacy=False)


def _same(one: Any, other: Any) -> bool:
    return pickle.dumps(one) == pickle.dumps(other)


def _stream(generator: Any) -> Stream | None:
    """The stream of a generator; None of one that has no state, as it asks the system for each number."""
    if isinstance(generator, random.SystemRandom):
        return None
    if isinstance(generator, random.Random):
        return Stream(generator.getstate, generator.setstate)
    if isinstance(generator, np.random.RandomState):
        return Stream(lambda: generator.get_state(legacy=False), generator.set_state)
    bits = generator.bit_generator
    return Stream(lambda: bits.state, lambda state: setattr(bits, "state", state))


def _torch() -> Any:
    """The module that follows draws of torch; None where torch was not imported, so that nobody draws from it."""
    if "torch" not in sys.modules:
        return None
    from . import torch_draws  # here, for seewhy runs without torch, too

    return torch_draws


def _torch_stream() -> list[Stream]:
    torch: Any = sys.modules.get("torch")
    return [] if torch is None else [Stream(torch.get_rng_state, torch.set_rng_state)]


FOLLOWING = RLock()  # held while a callable is followed


def following() -> RLock:
    """The lock that is held while a callable is followed, lest two threads take each other's draws for those of their own."""
    return FOLLOWING


def _forked() -> None:
    """In a process that was forked while another thread held the lock: that thread is not there."""
    global FOLLOWING
    FOLLOWING = RLock()


if hasattr(os, "register_at_fork"):  # not everywhere
    os.register_at_fork(after_in_child=_forked)
