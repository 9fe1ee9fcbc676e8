"""What a Source keeps of a map's values: their SHA-256, and few numbers by which another map is held against them.

A small map, such as the 7 x 7 cells of a ResNet, is kept whole.  Of a larger one two numbers a block are kept: its mean, and
its sum with a sign drawn for each value, divided by the root of their count.  The signs make of any difference, also of one
that cancels out in the mean, a number that is as large as the difference is on average (root mean square).
Source: Alon, Matias & Szegedy 1999, The space complexity of approximating the frequency moments, sec. 2.2.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats

from .heatmap import Heatmap

WHOLE = 256  # values of a map that is kept whole
BLOCKS = {1: 64, 2: 8, 3: 4}  # along each axis of a larger map, by how many axes it has
AT_ONCE = 2**16  # values
FLOAT = np.dtype("<f4")


class ValueRecord(NamedTuple):
    """What is known of a map's values.

    sha256: of them as float32, in C order, without the sign of zeros.  largest: absolute value.
    values: all of them, where the map is small; else `means` and `signed` of its blocks, each (*blocks).
    """

    sha256: str
    shape: tuple[int, ...]
    largest: float
    values: Floats | None
    means: Floats | None = None
    signed: Floats | None = None


def recorded(heatmap: Heatmap) -> Heatmap:
    """The map, whose Source holds the record of its values."""
    return replace(heatmap, source=replace(heatmap.source, values=record_of(heatmap.values)))


def record_of(values: Floats) -> dict[str, Any]:
    """The record of these values, as JSON has it."""
    kept = [values] if values.size <= WHOLE else blocks(values)
    numbers = np.concatenate([part.astype(FLOAT).ravel() for part in kept]) + FLOAT.type(0)  # zeros without a sign
    return {
        "sha256": sha256_of(values),
        "shape": values.shape,
        "largest": float(max(values.max(initial=0), -values.min(initial=0))),
        "kept": "whole" if values.size <= WHOLE else "blocks",
        "numbers": b64encode(numbers.tobytes()).decode(),
    }


def read_record(record: Mapping[str, Any]) -> ValueRecord:
    """What `record_of` wrote.  Raises ValueError, in words, for anything else."""
    try:
        shape = tuple(map(int, record["shape"]))
        numbers = np.frombuffer(b64decode(record["numbers"], validate=True), FLOAT)
        known = ValueRecord(str(record["sha256"]), shape, float(record["largest"]), None)
        if record["kept"] == "whole":
            return known._replace(values=numbers.reshape(shape))
        counts = [len(_edges(side, len(shape))) - 1 for side in shape]
        means, signed = numbers.reshape(2, *counts)
        return known._replace(means=means, signed=signed)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the record of its values is damaged ({type(error).__name__}: {error})") from None


def sha256_of(values: Floats) -> str:
    """The SHA-256 of values, as in a `ValueRecord`."""
    from hashlib import sha256  # as long to import as much of seewhy

    total = sha256()
    step = max(1, AT_ONCE // max(1, prod(values.shape[1:])))
    for start in range(0, len(values), step):  # in parts, for a map may be large
        total.update(np.ascontiguousarray(values[start : start + step] + np.float32(0), FLOAT).tobytes())
    return total.hexdigest()


def blocks(values: Floats) -> tuple[Floats, Floats]:
    """Of each block of the values its mean and its signed sum over the root of their count: (*blocks) each."""
    edges = [_edges(side, values.ndim) for side in values.shape]
    sizes = _counts([np.diff(along) for along in edges])
    sums = np.zeros((2, *sizes.shape))
    row = prod(values.shape[1:])
    step = max(1, AT_ONCE // row)
    for block, (first, last) in enumerate(zip(edges[0][:-1], edges[0][1:], strict=True)):
        for start in range(first, last, step):
            slab = values[start : min(start + step, last)].astype(np.float64)
            sums[0, block] += _summed(slab, edges[1:])
            sums[1, block] += _summed(slab * _signs(start * row, slab.size).reshape(slab.shape), edges[1:])
    return sums[0] / sizes, sums[1] / np.sqrt(sizes)


def spread(of_blocks: Floats, shape: Sequence[int]) -> NDArray[Any]:
    """Numbers of blocks (*blocks), each at all places of its block: (*shape)."""
    for axis, side in enumerate(shape):
        of_blocks = of_blocks.repeat(np.diff(_edges(side, len(shape))), axis)
    return of_blocks


def _counts(sizes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The count of values in each block, from the sides of blocks along each axis."""
    counts = np.ones((), int)
    for along in sizes:
        counts = np.multiply.outer(counts, along)
    return counts


def _edges(side: int, axes: int) -> NDArray[np.intp]:
    """Where blocks begin along an axis, and where the last ends."""
    return np.linspace(0, side, min(side, BLOCKS.get(axes, 2)) + 1).round().astype(np.intp)


def _summed(slab: Floats, edges: Sequence[NDArray[np.intp]]) -> Floats:
    slab = slab.sum(0)
    for axis, along in enumerate(edges):
        slab = np.add.reduceat(slab, along[:-1], axis)
    return slab


def _signs(start: int, count: int) -> NDArray[np.float64]:
    """1 or -1 of each place from `start` on, the same on every machine.  Source: Steele, Lea & Flood 2014, SplitMix."""
    x = (np.arange(start, start + count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return 1.0 - 2.0 * ((x ^ (x >> np.uint64(31))) & np.uint64(1)).astype(np.float64)
