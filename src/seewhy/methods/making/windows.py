"""Where something is hidden: windows over an image, or pieces of it, and what their drops of the score say of each pixel."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, Floats
from seewhy.errors import BadParameter, whole_number

WindowSides = Literal["auto"] | int | Sequence[int]
WindowShape = Literal["box", "gaussian"]
SIGMA = 0.25  # of a soft window: its standard deviation, in sides of the window


class Hidden(Protocol):
    """Places of an image that are hidden one after the other."""

    count: int

    def total(self, each: Floats) -> Floats: ...  # numbers (..., m), summed over the places that hide a pixel: (..., *space)
    def squares(self, each: Floats) -> Floats: ...  # the same, with the squares of how far each place hides a pixel
    def touching(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]: ...  # (m,): which hide anything of it


class Windows:
    """All windows over an image: where each begins, and how far it hides each pixel."""

    def __init__(
        self, space: Sequence[int], sides: Sequence[int], steps: Sequence[int], shape: WindowShape = "box"
    ) -> None:  # fmt: skip
        self.sides, self.soft = tuple(sides), shape == "gaussian"
        starts = [_starts(*axis) for axis in zip(space, sides, steps, strict=True)]
        self.places = np.array([*product(*starts)])  # (m, d)
        self.count = len(self.places)
        self.shape = tuple(map(len, starts))
        self.along = [np.ones(side) if shape == "box" else _bell(side) for side in sides]  # for each axis (side,)
        self.hides = [  # for each axis (pixels, windows)
            _laid(size, start, weight) for size, start, weight in zip(space, starts, self.along, strict=True)
        ]

    @classmethod
    def of(cls, space: Sequence[int], window: Any, stride: Any, shape: WindowShape = "box") -> "Windows":
        """The windows by the parameters of `occlusion`, which may be "auto"."""
        sides = _usual(space) if _auto(window) else _sides(window, "window", space)
        steps = [-(-side // 2) for side in sides] if _auto(stride) else _steps(stride, sides, space)
        return cls(space, sides, steps, shape)

    def by_rows(self, draws: "np.random.Generator") -> NDArray[np.intp]:
        """All windows in whole rows along the last axis; the order of the rows is random."""
        rows = np.arange(len(self.places)).reshape(-1, self.shape[-1])
        return draws.permutation(rows).ravel()

    def rows(self, about: int) -> int:
        """Whole rows of windows, about so many."""
        return self.shape[-1] * max(1, about // self.shape[-1]) if self.shape[-1] < 2 * about else about

    def weights(self) -> Floats:
        """How far a window hides each of its pixels: (*sides), 1 in its centre."""
        whole = np.ones(())
        for along in self.along:
            whole = np.multiply.outer(whole, along)
        return whole

    def total(self, each: Floats) -> Floats:
        """For each pixel, the sum of numbers per window (..., m) over the windows that hide it: (..., *space)."""
        return self._spread(each, self.hides)

    def squares(self, each: Floats) -> Floats:
        return self._spread(each, [hides**2 for hides in self.hides])

    def _spread(self, each: Floats, hides: Sequence[Floats]) -> Floats:
        whole = each.reshape(*each.shape[:-1], *self.shape).astype(np.float64)
        for axis, along in enumerate(hides, start=whole.ndim - len(self.shape)):
            whole = np.moveaxis(np.moveaxis(whole, axis, -1) @ along.T, -1, axis)
        return whole

    def touching(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(m,): which windows hide anything of a mask (*space)."""
        found = mask.astype(np.float64)
        for axis, along in enumerate(self.hides):
            found = np.moveaxis(np.moveaxis(found, axis, -1) @ (along > 0), -1, axis)
        return found.ravel() > 0


class Pieces:
    """Pieces of an image, each hidden as a whole: by the labels 0 to m - 1 of its pixels, or by masks that may overlap.

    labels: (*space), below 0 where no piece lies; masks: (m, *space), in place of labels.
    """

    def __init__(self, labels: NDArray[np.intp] | None = None, masks: NDArray[np.bool_] | None = None) -> None:
        self.labels, self.masks = labels, masks
        self.count = len(masks) if masks is not None else int(labels.max()) + 1  # type: ignore[union-attr]

    def at(self, some: NDArray[np.intp]) -> NDArray[np.bool_]:
        """The masks (len(some), *space) of some of the pieces."""
        if self.masks is not None:
            return self.masks[some]
        labels: Any = self.labels
        return np.asarray(labels == some.reshape(-1, *[1] * labels.ndim))

    def total(self, each: Floats) -> Floats:
        """For each pixel, the sum of numbers per piece (..., m) over the pieces that hide it: (..., *space)."""
        if self.masks is not None:
            flat = each.astype(np.float64) @ self.masks.reshape(len(self.masks), -1).astype(np.float64)
            return flat.reshape(*each.shape[:-1], *self.masks.shape[1:])
        padded = np.concatenate([each.astype(np.float64), np.zeros((*each.shape[:-1], 1))], -1)  # -1: no piece
        return padded[..., self.labels]

    squares = total

    def touching(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(m,): which pieces hide anything of a mask (*space)."""
        if self.masks is not None:
            return np.asarray((self.masks & mask).reshape(len(self.masks), -1).any(1))
        inside = self.labels[mask]  # type: ignore[index]
        return np.isin(np.arange(self.count), inside)


def mean_drop(hidden: Hidden, drops: Floats, part: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
    """The mean drop at each pixel and its standard error, (t, *space) twice, from drops (m, t); NaN means not measured.

    part: (m,), where only some of the places are hidden at all.  Each place counts as far as it hides the pixel.

    Some of the places are a sample without replacement from all of them, so that the error of all is zero.  The variance at a
    pixel is shrunk toward that over all pixels, as few places hide each of them; a pixel that was not hidden yet, or never
    is, is zero, and its error infinite.
    """
    done, planned = np.isfinite(drops[:, 0]), np.ones(len(drops), bool) if part is None else part
    filled = np.where(done, drops.T, 0)
    count, whole = hidden.total(done), hidden.total(planned)
    never, weight = count == 0, np.where(count > 0, count, 1)
    mean = hidden.total(filled) / weight
    if (done == planned).all():
        return mean, np.where(np.broadcast_to(never, mean.shape), np.inf, 0.0)
    if not done.any():
        return mean, np.full(mean.shape, np.inf)
    samples = count**2 / np.where(never, 1, hidden.squares(done))  # as many, equally weighted, would tell as much
    apart = np.maximum(hidden.total(filled**2) - count * mean**2, 0) * samples / weight  # squares around the mean
    axes = tuple(range(1, mean.ndim))
    spare = np.maximum(samples - 1, 0)
    if spare.any():
        pooled = apart.sum(axes, keepdims=True) / spare.sum()
    else:  # no pixel was hidden twice
        pooled = filled[:, done].var(1, ddof=min(1, done.sum() - 1)).reshape(-1, *[1] * count.ndim)
    variance = (apart + 2 * pooled) / (spare + 2)
    error = np.sqrt(variance / np.maximum(samples, 1) * np.maximum(1 - count / np.where(whole > 0, whole, 1), 0))
    alone = (done.sum() == 1) & (count < whole)  # a single place gives no variance
    return mean, np.where(never | alone, np.inf, error)


def cut(image: Array, at: Array, sides: Sequence[int]) -> Array:
    """The boxes (m, c, *sides) of an image (c, *space) that begin at the pixels `at` (m, d)."""
    axes = range(len(sides))
    index = []
    for axis, side in enumerate(sides):
        along = at[:, axis].reshape(-1, *[1] * len(sides))
        offsets = np.arange(side).reshape(1, *[-1 if a == axis else 1 for a in axes])
        index.append(along + (offsets if isinstance(at, np.ndarray) else at.new_tensor(offsets)))
    boxes = image[(slice(None), *index)]  # (c, m, *sides)
    return boxes.swapaxes(0, 1)


def covered(at: Array, windows: Windows, space: Sequence[int], scorer: Any) -> Array:
    """Masks (m, *space) that are true inside the windows that begin at the pixels `at` (m, d)."""
    inside: Any = True
    for axis, place, start in _axes(at, space, scorer):
        inside = (place >= start) & (place < start + windows.sides[axis]) & inside
    return inside


def faded(at: Array, windows: Windows, space: Sequence[int], scorer: Any) -> Array:
    """How far each pixel is hidden (m, *space), 0 to 1, by the windows that begin at the pixels `at` (m, d)."""
    soft: Any = 1.0
    for axis, place, start in _axes(at, space, scorer):
        along, side = windows.along[axis], windows.sides[axis]
        padded = scorer.array(np.concatenate([along, [0.0]]))
        offset = place - start
        offset = offset + (side - offset) * ((offset < 0) | (offset > side))  # beyond the window: the zero behind its end
        soft = padded[offset] * soft
    return soft


def _axes(at: Array, space: Sequence[int], scorer: Any) -> Iterator[tuple[int, Array, Array]]:
    """Of each axis its number, the places of pixels along it, and where the boxes begin, so that both broadcast."""
    for axis, size in enumerate(space):
        shape = [-1 if a == axis else 1 for a in range(len(space))]
        yield axis, scorer.array(np.arange(size)).reshape(1, *shape), at[:, axis].reshape(-1, *[1] * len(space))


def _starts(size: int, side: int, step: int) -> NDArray[np.intp]:
    starts = np.arange(0, size - side + 1, step)
    return starts if starts[-1] + side == size else np.append(starts, size - side)


def _bell(side: int) -> Floats:
    return np.exp(-(((np.arange(side) - (side - 1) / 2) / (SIGMA * side)) ** 2) / 2)


def _laid(size: int, starts: NDArray[np.intp], weight: Floats) -> Floats:
    """How far each window hides each pixel along an axis: (size, windows)."""
    found = np.zeros((size, len(starts)))
    for window, start in enumerate(starts):
        found[start : start + len(weight), window] = weight
    return found


def _auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


PARTS = {1: 16, 3: 4}  # by the number of dimensions: into how many parts the default window divides each side


def _usual(space: Sequence[int]) -> tuple[int, ...]:
    """The default window: large enough that there are not more windows than a person would wait for."""
    return tuple(min(32, size) if len(space) == 2 else -(-size // PARTS.get(len(space), 2)) for size in space)


def _sides(window: Any, what: str, space: Sequence[int]) -> tuple[int, ...]:
    """A number of pixels for each axis, at most the image's own."""
    each = list(window) if isinstance(window, list | tuple) else [window] * len(space)
    if len(each) != len(space):
        raise BadParameter(f"occlusion: {what}={window!r}: give one number, or one for each axis of {tuple(space)}.")
    return tuple(min(whole_number(side, f"occlusion: {what}", 1), size) for side, size in zip(each, space, strict=True))


def _steps(stride: Any, sides: Sequence[int], space: Sequence[int]) -> tuple[int, ...]:
    steps = _sides(stride, "stride", space)
    if any(step > side for step, side in zip(steps, sides, strict=True)):
        raise BadParameter(
            f"occlusion: stride={stride!r} is longer than the window {tuple(sides)}: some pixels would never be hidden. "
            'Give a stride of at most the window, or "auto", half of it.'
        )
    return steps
