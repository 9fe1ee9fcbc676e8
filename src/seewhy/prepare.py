"""From a photo to what the network eats, and back: where on the photo each of its pixels lies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Any, NamedTuple, Protocol

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from .errors import BadImage, BadParameter
from .image import Array, Box, Images, Photo, Prepared, photos, sort_out

RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
Size = int | tuple[int, int]


class Preparer(Protocol):
    """Makes a photo ready, and knows which part of it the network saw."""

    def __call__(self, photo: Image.Image) -> NDArray[Any]: ...  # (c, h, w)

    def box(self, size: tuple[int, int]) -> Box | None: ...  # of a photo (w, h); None if it cannot be told


class Batch(NamedTuple):
    """Images at the border: what the network is given, and where each came from."""

    x: Array  # (n, c, *space)
    photos: list[Photo | None]  # None for a prepared array
    names: list[str]
    boxes: list[Box]
    notes: list[tuple[str, ...]]

    def seen(self, i: int) -> Image.Image | None:
        """The photo as the network saw it, cropped and of its size; None of a prepared array."""
        photo, space = self.photos[i], tuple(self.x.shape[2:])
        if photo is None or len(space) != 2:
            return None
        return self.boxes[i].cut(photo.pixels).resize((space[1], space[0]), Image.Resampling.BILINEAR)

    def part(self, start: int, stop: int) -> "Batch":
        """Some of the images."""
        s = slice(start, stop)
        return Batch(self.x[s], self.photos[s], self.names[s], self.boxes[s], self.notes[s])


@dataclass(frozen=True)
class Fit:
    """Resize, centre crop, scale to [0, 1] and normalise: the usual preprocessing, by its numbers.

    size: shorter side, or (h, w) outright; crop: side or (h, w) of the centre crop, None for none; mean and std per
    channel, on the [0, 1] scale (one number serves all three).  Same pixels as torchvision's transforms.
    """

    size: Size | None = 256
    crop: Size | None = 224
    mean: float | Sequence[float] = (0.485, 0.456, 0.406)
    std: float | Sequence[float] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"  # or nearest, lanczos, bicubic, box, hamming

    def __post_init__(self) -> None:
        if self.interpolation not in RESAMPLING:
            raise BadParameter(f"No interpolation {self.interpolation!r}. It is one of: {', '.join(RESAMPLING)}.")
        for name in ("size", "crop"):
            object.__setattr__(self, name, _sides(name, getattr(self, name)))
        mean, std = _numbers("mean", self.mean), _numbers("std", self.std)
        if mean.size not in (1, 3) or std.size not in (1, 3) or not (std > 0).all():
            raise BadParameter(f"mean={self.mean}, std={self.std}: give one number or three of each, std above zero.")

    def __call__(self, photo: Image.Image) -> NDArray[np.float32]:
        width, height = self._resized(photo.size)
        if (width, height) != photo.size:
            photo = photo.resize((width, height), RESAMPLING[self.interpolation])
        if self.crop is not None:
            left, top, right, bottom = self._cropped(photo.size)
            photo = photo.crop((left, top, right, bottom))  # beyond the image: black, as torchvision pads
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        grey = np.ndim(self.mean) == 1 and np.size(mean) == 1
        pixels = np.asarray(photo.convert("L"))[..., None] if grey else np.asarray(photo)
        return rearrange((pixels.astype(np.float32) / np.float32(255) - mean) / std, "h w c -> c h w")

    def box(self, size: tuple[int, int]) -> Box:
        width, height = self._resized(size)
        left, top, right, bottom = self._cropped((width, height)) if self.crop is not None else (0, 0, width, height)
        across, down = size[0] / width, size[1] / height
        return Box(left * across, top * down, right * across, bottom * down)

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        width, height = size
        if self.size is None:
            return size
        if not isinstance(self.size, int):
            return self.size[1], self.size[0]
        short = min(width, height)
        return int(self.size * width / short), int(self.size * height / short)

    def _cropped(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        height, width = (self.crop, self.crop) if isinstance(self.crop, int) else self.crop or size[::-1]
        left, top = _margin(size[0], width), _margin(size[1], height)
        return left, top, left + width, top + height


def _sides(name: str, asked: Any) -> Size | None:
    try:
        if asked is None:
            return None
        height, width = map(index, asked) if np.ndim(asked) else (index(asked), index(asked))
        if height > 0 and width > 0:
            return (height, width) if np.ndim(asked) else height
    except (TypeError, ValueError, IndexError):
        pass
    raise BadParameter(f"{name}={asked!r}: give a number of pixels, (height, width), or None.")


def _numbers(name: str, asked: Any) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(asked, np.float64)
        if np.isfinite(numbers).all() and numbers.ndim < 2:
            return numbers
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"{name}={asked!r}: give a number, or one for each channel, on the scale from 0 to 1.")


def _margin(side: int, crop: int) -> int:
    return round((side - crop) / 2) if side >= crop else -((crop - side) // 2)


@dataclass(frozen=True)
class Measured:
    """Any callable from a PIL photo to an array (c, h, w); which part it shows is measured by sending ramps through."""

    prepare: Callable[[Image.Image], Any]
    known: dict[tuple[int, int], Box | None] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, photo: Image.Image) -> NDArray[Any]:
        ready = self.prepare(photo)
        if hasattr(ready, "detach"):
            ready = ready.detach().cpu()
            ready = ready.float() if "bfloat16" in str(ready.dtype) else ready
        x = np.asarray(ready)
        x = x[0] if x.ndim == 4 and len(x) == 1 else x
        last = x.ndim == 3 and x.shape[-1] in (1, 3) and x.shape[0] not in (1, 3)
        if x.ndim != 3 or x.dtype.kind != "f" or not x.size or last:
            raise BadParameter(f"`prepare` gave {x.dtype} {x.shape} for a photo. It must give floats (c, h, w).")
        return x

    def box(self, size: tuple[int, int]) -> Box | None:
        if size not in self.known:
            self.known[size] = _measure(self, size)
        return self.known[size]


def _measure(prepare: Measured, size: tuple[int, int]) -> Box | None:
    """Prepare black, white and two ramps; what comes out, put between black and white, is where it came from."""
    width, height = size
    across = np.broadcast_to(np.linspace(0, 255, width).round(), (height, width))
    down = np.broadcast_to(np.linspace(0, 255, height).round()[:, None], (height, width))
    with np.errstate(all="ignore"):
        try:
            black, white, right, again, below = (
                prepare(Image.fromarray(grey.astype(np.uint8)).convert("RGB")).astype(np.float64).mean(0)
                for grey in (0 * across, 0 * across + 255, across, across, down)
            )
        except Exception:  # noqa: BLE001 - a stranger's callable: whatever it raises, the box cannot be told
            return None
        if not np.array_equal(right, again, equal_nan=True):  # it draws by chance
            return None
        x = _edges((right - black) / (white - black), width)
        y = _edges(((below - black) / (white - black)).T, height)
    return Box(x[0], y[0], x[1], y[1]) if x and y else None


def _edges(ramp: NDArray[np.float64], length: int) -> tuple[float, float] | None:
    """First and last edge of what a ramp of `length` pixels became: the line through the inner columns of (h, w)."""
    shown = np.isfinite(ramp) & (abs(ramp) < 1e3)
    columns = np.flatnonzero(shown.any(0))
    if length < 2 or len(columns) < 2:
        return None
    place = np.array([np.median(ramp[shown[:, c], c]) for c in columns]) * (length - 1) + 0.5
    spread = max(np.ptp(ramp[shown[:, c], c]) for c in columns)
    trim = len(columns) // 10  # resampling bends the ramp at its ends
    inner = slice(trim, len(columns) - trim)
    slope, start = np.polyfit(columns[inner] + 0.5, place[inner], 1)
    bend = abs(slope * (columns[inner] + 0.5) + start - place[inner]).max()
    if slope == 0 or spread > 0.05 or bend > 0.02 * length + 1:
        return None
    return float(start), float(start + slope * ramp.shape[1])


def preparer(prepare: Any) -> Preparer | None:
    """What `wrap(prepare=)` takes: None, a Fit, a dict of its numbers, or any callable PIL image -> (c, h, w)."""
    if prepare is None or isinstance(prepare, Fit | Measured):
        return prepare
    if isinstance(prepare, Mapping):
        unknown = set(prepare) - set(Fit.__dataclass_fields__)
        if unknown:
            names = ", ".join(Fit.__dataclass_fields__)
            raise BadParameter(f"`prepare` has no {', '.join(sorted(map(str, unknown)))}. It takes: {names}.")
        numbers: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in prepare.items()}
        return Fit(**numbers)
    if callable(prepare) and not isinstance(prepare, type):
        return Measured(prepare)
    raise BadParameter(
        f"`prepare` is {type(prepare).__name__}. Give a dict of size, crop, mean, std, "
        "or a callable PIL image -> float array (c, h, w)."
    )


def batches(images: Images, prepare: Preparer | None, size: int, model: str, signals: bool = False) -> Iterator[Batch]:
    """Images as the network eats them, at most `size` at a time, each batch of one shape; read as they are needed."""
    sorted_out = sort_out(images, signals)
    if isinstance(sorted_out, Prepared):
        x = sorted_out.x
        for start in range(0, len(x), size):
            yield _prepared(x[start : start + size], start)
        return
    if prepare is None:
        raise BadParameter(
            f"{model} was wrapped without `prepare`, so it takes prepared float batches (n, c, h, w), not photos. "
            "Pass wrap(network, prepare=...): a torchvision transform, a callable PIL image -> (c, h, w), "
            "or a dict such as {'size': 256, 'crop': 224, 'mean': (...), 'std': (...)}."
        )
    waiting: list[tuple[NDArray[Any], Photo]] = []
    for photo in photos(sorted_out):
        x = prepare(photo.pixels)
        if waiting and (len(waiting) == size or x.shape != waiting[0][0].shape):
            yield _together(waiting, prepare)
            waiting = []
        waiting.append((x, photo))
    yield _together(waiting, prepare)


def _prepared(x: Array, start: int) -> Batch:
    width, height = (*reversed(x.shape[2:]), 1)[:2]
    n = len(x)
    names = [f"image {start + i}" for i in range(n)]
    _check_finite(x, names)
    return Batch(x, [None] * n, names, [Box(0, 0, width, height)] * n, [()] * n)


def _together(ready: list[tuple[NDArray[Any], Photo]], prepare: Preparer) -> Batch:
    x = np.stack([x for x, _ in ready])
    kept = [photo for _, photo in ready]
    names = [photo.name for photo in kept]
    _check_finite(x, names)
    seen = [prepare.box(photo.pixels.size) for photo in kept]
    boxes = [box or Box(0, 0, *photo.pixels.size) for box, photo in zip(seen, kept, strict=True)]
    lost = ("where the network looked on the photo cannot be measured: the map lies on the whole photo",)
    notes = [photo.notes + (() if box else lost) for box, photo in zip(seen, kept, strict=True)]
    return Batch(x, [*kept], names, boxes, notes)


def _check_finite(x: Array, names: list[str]) -> None:
    plain = x.detach() if hasattr(x, "detach") else np.asarray(x)
    with np.errstate(all="ignore"):
        if bool(abs(plain).max() < np.inf):  # false of NaN, too
            return
    broken = [name for name, one in zip(names, plain, strict=True) if not bool(abs(one).max() < np.inf)]
    raise BadImage(f"{', '.join(broken)}: the prepared array holds NaN or infinity.")
