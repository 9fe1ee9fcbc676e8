"""What passes showed of whether images may share one: do the others in a batch change what a network says of an image?

No pass is made to find it out where images that ran alone come by again among others: what was said of them is kept, and
compared.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array

MIXING = "the network mixes the images of a batch"
MIXES = f"{MIXING}, so each ran alone"
SINGLE = "the network takes one image at a time"
UNSTEADY = (
    "two passes of the same image differ: what the network says rests on what it was asked before, or on numbers that others "
    "than torch draw; maps come out different each time"
)
KEPT = 4  # images that ran alone
WATCHED = 8  # passes of as many images of one size, before one of one image shows that none is changed

Ask = Callable[[Array], NDArray[Any]]  # images -> what the network gives for them (n, k)
Batches = tuple[tuple[int, ...], int]  # the size of images, and how many share a pass


class Sharing(Protocol):
    """What a model tells of images that share a pass."""

    @property
    def remarks(self) -> tuple[str, ...]: ...  # what every map has to say of how it runs, as far as it is known by now
    def mixed(self, x: Array, copies: bool = False) -> bool: ...  # has each of these to run alone, which just shared a pass?
    def takes_one(self) -> None: ...  # remembers that it takes one image at a time


class KnownPass(NamedTuple):
    """The images of a pass (n, c, *space), and what the network gave for them (n, k).

    kind: in which way it was asked; numbers of two kinds are not compared.
    """

    kind: Any
    x: Array
    rows: NDArray[Any]


class Together:
    """What is known of one network: may images share a pass?  mixes: no, they change each other's scores; single: no, it takes
    one; unsteady: nothing can be told, for it never says the same twice.
    """

    def __init__(self) -> None:
        self.mixes = self.single = self.unsteady = False
        self.fine: set[Batches] = set()  # found right
        self.singles: deque[KnownPass] = deque(maxlen=KEPT)
        self.batch: KnownPass | None = None  # the last one that was not found right yet
        self.doubts: tuple[KnownPass, KnownPass] | None = None  # a pass of one image and one of several that contradict it
        self.watched: Counter[Batches] = Counter()  # passes that nothing was found in that could mix images
        self.turnable: bool | None = None  # does it take images whose channels stand last in memory?
        self.slack = 0.0  # what is rounding, as a share of the largest number

    def __reduce__(self) -> Any:
        return (type(self), ())

    @property
    def alone(self) -> bool:
        """Has each image to run alone?"""
        return self.mixes or self.single

    @property
    def notes(self) -> tuple[str, ...]:
        """What a map has to say of it."""
        return (MIXES,) * self.mixes + (SINGLE,) * self.single + (UNSTEADY,) * self.unsteady

    def open(self, x: Array) -> bool:
        """Is it still to be found out whether as many images of that size can share a pass?"""
        return len(x) > 1 and not (self.alone or self.unsteady) and batches_of(x) not in self.fine

    def watched_enough(self, x: Array) -> bool:
        """Did so many passes of as many images run, in which nothing could mix them, that one pass of one image costs less than
        to watch further ones?
        """
        self.watched[batches_of(x)] += 1
        return self.watched[batches_of(x)] >= WATCHED

    def note(self, kind: Any, x: Array, rows: NDArray[Any], slack: float, tells: bool = True) -> None:
        """Learn from a pass.

        tells: one image that comes out as it does alone shows that none is changed; else only doubts are learned.
        """
        self.slack = max(self.slack, slack)
        now = KnownPass(kind, x, rows)
        if len(x) == 1:
            if not any(same(known.kind, kind) and alike_images(known.x, x) for known in tuple(self.singles)):
                self.singles.append(now)
            if (batch := self.batch) is not None:
                self._compare(now, batch, tells)
        elif self.open(x):
            self.batch = now
            for known in tuple(self.singles):
                self._compare(known, now, tells)

    def _compare(self, one: KnownPass, several: KnownPass, tells: bool) -> None:
        if (
            not same(one.kind, several.kind)
            or one.x.shape[1:] != several.x.shape[1:]
            or one.rows.shape[1:] != several.rows.shape[1:]
        ):
            return
        for i in range(len(several.x)):
            if alike_images(one.x, several.x[i : i + 1]):
                if not self._alike(several.rows[i], one.rows[0]):
                    self.doubts = (one, several)
                elif tells and self.batch is several:
                    self.fine.add(batches_of(several.x))
                    self.batch = None

    def _alike(self, found: NDArray[Any], expected: NDArray[Any]) -> bool:
        return alike(found, expected, self.slack)

    def apart(self, x: Array, ask: Ask, kind: Any = None, each: bool = False) -> bool:
        """Has each of these images to run alone, which just ran together?  Passes are made where it is not known yet.

        each: every image is asked for alone, for something ran that may have mixed some of them; else the one in the middle,
        which has others on both sides, and of two images both.
        """
        if self.open(x) and self.doubts is None and (each or not self.larger(x)):
            several = self.batch
            if several is None or not same(several.kind, kind) or not alike_images(several.x, x):
                several = KnownPass(kind, x, ask(x))
            for i in range(len(x)) if each or len(x) == 2 else [len(x) // 2]:
                one = KnownPass(kind, x[i : i + 1], ask(x[i : i + 1]))
                if not self._alike(several.rows[i], one.rows[0]):
                    self.doubts = (one, several)
                    break
            else:
                self.fine.add(batches_of(x))
                self.batch = None
        self._confirm(ask)
        return self.alone

    def larger(self, x: Array) -> bool:
        """Was it found right that as many images or more share a pass, maybe of another size?  Then no pass is worth it."""
        return any(count >= len(x) for _, count in self.fine)

    def _confirm(self, ask: Ask) -> None:
        """Ask again, plainly, for the images of two passes that contradict each other."""
        doubts, self.doubts = self.doubts, None
        if doubts is None:
            return
        one, several = doubts
        alone, together, again = ask(one.x), ask(several.x), ask(one.x)
        self.singles.clear()
        self.batch = None
        self.unsteady = not self._alike(again, alone)
        rows = [i for i in range(len(several.x)) if alike_images(one.x, several.x[i : i + 1])]
        self.mixes = not self.unsteady and not all(self._alike(together[i], alone[0]) for i in rows)
        if not self.alone:  # what was read of the pass was changed on the way, as rules of methods may
            self.fine.add(batches_of(several.x))


def batches_of(x: Array) -> Batches:
    return tuple(x.shape[1:]), len(x)


def same(kind: Any, other: Any) -> bool:
    """Are these ways to ask one?  They are tuples of what is compared by what it is."""
    if isinstance(kind, tuple) and isinstance(other, tuple):
        return len(kind) == len(other) and all(a is b for a, b in zip(kind, other, strict=True))
    return kind is other


def alike_images(x: Array, other: Array) -> bool:
    return x.shape == other.shape and x.dtype == other.dtype and bool((x == other).all())


def alike(found: NDArray[Any], expected: NDArray[Any], slack: float) -> bool:
    """Equal to rounding; NaN where NaN is expected."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return False
    finite = np.isfinite(expected)
    largest = abs(expected[finite]).max(initial=0)
    with np.errstate(all="ignore"):
        return bool(((abs(found - expected) <= slack * largest) | ~finite).all())
