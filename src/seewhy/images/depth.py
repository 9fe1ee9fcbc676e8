"""Numbers of any depth as 8 bit: one policy for every file and reader, and a note that says which range was taken.

- The range that the file's own tags give comes first, if the values lie within it.
- Unsigned integers of up to 16 bit: the whole range of their bits.
- Everything else (signed and wider integers, floats): 0 to 1 or 0 to 255 where the values lie there, else the range that they
  have; of a thousand values one may lie outside, so that a stray one turns no picture black.
- Values that stand for no data (NaN, infinity, the file's nodata value) do not count for the range, and become black.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
PORTION = 1000  # among so many values, one may be an outlier
FEW = 16  # also among as few values as these, one may be an outlier
SHARE = 8  # 1/8: a picture that uses less than this part of its range gets a note
HUGE = 1e30  # floats beyond are no measurement: the lowest float32 stands for no data in many files
FILLS = (-9999.0, -99999.0, -32768.0, -32767.0)  # common numbers for no data, where no tag says so and all else is larger
BAND = 2**20  # values that are scaled at once


@dataclass(frozen=True)
class Encoding:
    """What a file's tags say about its numbers.

    bits: of an unsigned integer; None for other numbers.  low, high: their range, if tags give one.
    empty: the number that stands for no data.  inverted: the lowest is white.
    """

    bits: int | None = None
    low: float | None = None
    high: float | None = None
    empty: float | None = None
    inverted: bool = False


class Range(NamedTuple):
    """The numbers that become black and white, and where this range comes from."""

    low: float
    high: float
    why: str
    fixed: bool = True  # it does not follow from the values


def eight_bit(values: Numbers, encoding: Encoding | None = None) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Numbers (h, w) or (h, w, c) as 8 bit of the same shape, all channels by one range; and notes on how they were scaled.

    Raises ValueError where all values stand for no data.
    """
    encoding = encoding or Encoding()
    values = values.astype(np.float32) if values.dtype == np.float16 else values
    held, fill = _held(values, encoding)
    present = values.ravel() if held is None else values[held]
    if not present.size:
        raise ValueError("it holds nothing but NaN, infinite or nodata pixels")
    taken = _range(present, encoding)
    scaled = _scaled(values, taken)
    scaled = 255 - scaled if encoding.inverted else scaled
    if held is not None:
        scaled[~held] = 0
    return scaled, (*_range_notes(values, present, taken, encoding), *_no_data_notes(held, fill))


def _held(values: Numbers, encoding: Encoding) -> tuple[NDArray[np.bool_] | None, float | None]:
    """Which values are measurements (None: all are), and the number that stands for no data, if there is one."""
    held = np.ones(values.shape, bool)
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            held &= abs(values) < HUGE  # false of NaN, too
    fill = encoding.empty
    if fill is not None and np.isfinite(fill) and (values.dtype.kind == "f" or float(fill).is_integer()):
        filled = values == (np.asarray(fill).astype(values.dtype) if values.dtype.kind == "f" else int(fill))
        held &= ~(filled.all(-1, keepdims=True) if values.ndim == 3 else filled)  # a pixel has no data if no channel has any
    elif values.dtype.kind in "fi":
        fill = _guessed(values[held])
        held &= values != fill if fill is not None else True
    return (None, None) if held.all() else (held, fill)


def _guessed(present: Numbers) -> float | None:
    """A common number for no data, if it lies farther below all other values than the width of their range; else None."""
    low = float(present.min()) if present.size else 0.0
    others = present[present != low] if low in FILLS else present[:0]
    if len(others) and float(others.min()) - low > float(others.max()) - float(others.min()):
        return low
    return None


def _range(present: Numbers, encoding: Encoding) -> Range:
    low, high = _number(present.min()), _number(present.max())
    if encoding.low is not None and encoding.high is not None and encoding.low < encoding.high:
        outside = np.count_nonzero((present < encoding.low) | (present > encoding.high))
        if outside <= len(present) // PORTION:
            return Range(encoding.low, encoding.high, "as the file's own tags say")
    if encoding.bits is not None and encoding.bits <= 16 and low >= 0 and high < 2**encoding.bits:
        return Range(0, 2**encoding.bits - 1, f"the range of {encoding.bits} bits")
    return _measured(present, low, high)


def _measured(present: Numbers, low: float, high: float) -> Range:
    strays = max(len(present) // PORTION, int(len(present) >= FEW))
    parts = np.partition(present, (strays, len(present) - 1 - strays)) if strays else None
    least, most = (_number(parts[strays]), _number(parts[-1 - strays])) if parts is not None else (low, high)
    if least >= 0 and most <= 1:
        return Range(0, 1, "the range of fractions")
    if least >= 0 and 255 / SHARE <= most <= 255:
        return Range(0, 255, "the range of 8 bits")
    if most > least and high - low > 2 * (most - least):
        low, high = least, most
    return Range(low, high, "the range of its values", fixed=False)


def _number(value: Any) -> float:
    return value.item()  # a number of Python, whose sums do not overflow


def _scaled(values: Numbers, taken: Range) -> NDArray[np.uint8]:
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        native, bare = values.dtype.newbyteorder("="), np.dtype(f"u{values.dtype.itemsize}")
        every = np.arange(256**bare.itemsize).astype(bare).view(native)
        return _line(every, taken)[values.astype(native, copy=False).view(bare)]
    scaled = np.empty(values.shape, np.uint8)
    for rows in _bands(values):
        scaled[rows] = _line(values[rows], taken)
    return scaled


def _bands(values: Numbers) -> Iterator[slice]:
    step = max(1, BAND // max(1, values[0].size))
    return (slice(start, start + step) for start in range(0, len(values), step))


def _line(values: Numbers, taken: Range) -> NDArray[np.uint8]:
    """The values scaled linearly from black to white, and clipped there."""
    if not taken.high > taken.low:
        return np.zeros(values.shape, np.uint8)
    with np.errstate(all="ignore"):
        line = (values.astype(np.float64) - taken.low) / (taken.high - taken.low) * 255
    return np.nan_to_num(line, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255).round().astype(np.uint8)


def _range_notes(values: Numbers, present: Numbers, taken: Range, encoding: Encoding) -> Iterator[str]:
    low, high = _number(present.min()), _number(present.max())
    ends = ("white", "black") if encoding.inverted else ("black", "white")
    yield f"{_kind(values, encoding)}: {taken.low:g} is {ends[0]}, {taken.high:g} {ends[1]}, {taken.why}"
    if outside := np.count_nonzero((present < taken.low) | (present > taken.high)):
        yield f"of its values {outside:,} beyond this are clipped: they go from {low:g} to {high:g}"
    narrow = (taken.high - taken.low) / SHARE
    if not taken.fixed or not high > taken.low:
        return
    if high < taken.low + narrow:
        dark = "bright" if encoding.inverted else "dark"
        of = f"its {encoding.bits} bits" if encoding.bits else "this range"
        yield f"of {of} only values up to {high:g} are used, so it is {dark}; scale it first if that is not meant"
    elif high - low < narrow and high > low:
        yield f"only values from {low:g} to {high:g} are used, so it is nearly flat; scale it first if that is not meant"


def _kind(values: Numbers, encoding: Encoding) -> str:
    if encoding.bits is not None:
        return f"{encoding.bits}-bit values"
    name = {"f": "float", "i": "signed", "u": "unsigned"}[values.dtype.kind]
    return f"{name} {values.dtype.itemsize * 8}-bit values"


def _no_data_notes(held: NDArray[np.bool_] | None, fill: float | None) -> Iterator[str]:
    if held is not None:
        lost = np.count_nonzero(~held.all(-1)) if held.ndim == 3 else np.count_nonzero(~held)
        what = f"NaN, infinity or {fill:g}" if fill is not None and np.isfinite(fill) else "NaN, infinity or a number near it"
        yield f"{lost:,} pixel{'s hold' if lost != 1 else ' holds'} no data ({what}): they are black"
