"""The SHA-256 of a network's weights as they lie in memory: made when it is asked for, and again when they were changed."""

from collections.abc import Callable, Iterator, Sequence
from math import inf
from threading import Lock
from time import perf_counter, thread_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NEVER, SELDOM, ALWAYS = inf, 50.0, 0.0  # how many times as long as a look at all weights takes there is none, after one
ROW = 1009  # words of 8 bytes: a prime, so that layers moved about inside of a tensor do not come to lie in the same columns
ODD = 2 * np.arange(ROW, dtype=np.uint64) + np.uint64(1)


class NamedBytes(NamedTuple):
    """A tensor of weights: what it is called, and its numbers as bytes, in C order."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    content: NDArray[np.uint8]

    @classmethod
    def of(cls, name: str, array: Any) -> "NamedBytes":
        """Those of an array of numpy, or of what numpy makes one of."""
        plain = np.asarray(array)
        if plain.dtype.kind == "O":  # texts
            content = np.frombuffer(repr(plain.tolist()).encode(), np.uint8)
            return cls(name, "text", plain.shape, content)
        return cls(name, str(plain.dtype), plain.shape, np.ascontiguousarray(plain).reshape(-1).view(np.uint8))


class WeightsInMemory(NamedTuple):
    """The weights of a network as they are now.

    token: objects that stay the same as long as, by all that is counted, nobody changed them.
    read: the weights themselves, in a fixed order.
    looks: NEVER, where nobody can write into them; SELDOM, where most writes are counted; ALWAYS, where none are.
    """

    token: Sequence[Any]
    read: Callable[[], Iterator[NamedBytes]]
    looks: float = SELDOM


class KnownDigest(NamedTuple):
    """A SHA-256, and of which weights it is."""

    sha256: str
    token: tuple[Any, ...]
    glance: int  # a sum over all their bytes
    next_look: float  # when they are to be looked at again, by `perf_counter`


class WeightsDigest:
    """The SHA-256 of one network's weights.  Threads may share it; its pickle is empty.

    As long as the token is the same, asking again takes microseconds.  What no token tells (of torch's parameters, a write by
    `parameter.data[...] =`, or by numpy into the same memory) is found by a sum over all bytes, which is made once 50 times as
    long as it takes has passed since the last, so that it takes 2 % of the time at most: of such a write a question that comes
    sooner sees nothing, the next one does.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.known: KnownDigest | None = None

    def __reduce__(self) -> Any:
        return (type(self), ())

    def of(self, weights: WeightsInMemory) -> str:
        """64 digits; "" where there are no weights, or they cannot be read."""
        known = self.known
        if known is not None and _same(known.token, weights.token) and perf_counter() < known.next_look:
            return known.sha256
        with self.lock:
            known = self.known = self._looked(weights)
            return known.sha256

    def _looked(self, weights: WeightsInMemory) -> KnownDigest:
        start, known, token = thread_time(), self.known, tuple(weights.token)
        parts = [*weights.read()]
        glance = 0 if weights.looks == NEVER else glanced(parts)
        cost = thread_time() - start  # not while others had the processor
        seen = known is not None and weights.looks != NEVER and _same(known.token, token) and known.glance == glance
        said = known.sha256 if known and seen else digest(parts)
        return KnownDigest(said, token, glance, perf_counter() + weights.looks * cost)


def digest(parts: Sequence[NamedBytes]) -> str:
    """The SHA-256 over names, kinds, shapes and bytes; "" of none."""
    from hashlib import sha256  # here, for it takes as long to import as much of seewhy

    total = sha256()
    for part in parts:
        total.update(f"{part.name}\0{part.dtype}\0{part.shape}\0".encode())
        total.update(part.content.data)
    return total.hexdigest() if parts else ""


def glanced(parts: Sequence[NamedBytes]) -> int:
    """A sum over all bytes, each word by the place in its row: at the speed of memory, and no proof of anything."""
    return hash(tuple(_sum(part.content) for part in parts))


def _sum(content: NDArray[np.uint8]) -> tuple[int, bytes]:
    whole = len(content) // (8 * ROW) * 8 * ROW
    columns = np.add.reduce(content[:whole].view(np.uint64).reshape(-1, ROW), 0)
    return int((columns * ODD).sum(dtype=np.uint64)), content[whole:].tobytes()


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
