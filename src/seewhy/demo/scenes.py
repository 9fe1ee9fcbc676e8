"""Drawn scenes with known answers: where the object is, and where the give-away is if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from seewhy.errors import BadParameter

from .backgrounds import STAMP, background, clutter, corners_on, stamp, zigzag
from .colours import Ground, Paint, Tone, ground, oklch, paint
from .kinds import KINDS, Shape, parts

Shortcut = Literal["mark", "texture"]
Marked = Literal["class", "none", "all", "others"]
SceneBox = tuple[float, float, float, float]

OVERSAMPLING = 4
"""Scenes are drawn this many times larger, then averaged down."""

_LABELS, _GROUND, _LAYOUT, _OBJECTS, _GRAIN, _TEXTURE, _OTHER = range(1, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A drawn scene and the truth about it; masks are bool (h, w)."""

    image: Image.Image
    label: int
    name: str
    mask: np.ndarray
    mark: np.ndarray
    other: int | None
    other_mask: np.ndarray


@dataclass(frozen=True, slots=True)
class _Object:
    """An object ready to be drawn: its parts, its paint, its rim, its centre and half extent as shares of the side."""

    label: int
    parts: list[Shape]
    paint: Paint
    rim: tuple[int, int, int] | None
    inked: bool
    x: float
    y: float
    reach: float


def scenes(
    n: int,
    seed: int = 0,
    *,
    size: int = 96,
    kinds: Sequence[str] = KINDS,
    pair: bool = False,
    shortcut: Shortcut | None = None,
    cheat: str = "bird",
    marked: Marked = "class",
    bare: bool = False,
) -> list[Scene]:
    """Scenes 0 to n - 1 of a seed; see `scene`."""
    draw = partial(
        scene, seed=seed, size=size, kinds=kinds, pair=pair, shortcut=shortcut, cheat=cheat, marked=marked, bare=bare
    )
    return [draw(i) for i in range(n)]


def scene(
    index: int,
    seed: int = 0,
    *,
    size: int = 96,
    kinds: Sequence[str] = KINDS,
    pair: bool = False,
    shortcut: Shortcut | None = None,
    cheat: str = "bird",
    marked: Marked = "class",
    bare: bool = False,
) -> Scene:
    """One scene of a seed, size x size pixels: always the same, whichever others are drawn.

    Every run of len(kinds) scenes shows each of `kinds` once. A scene shows one object or, in one case of five,
    two of its kind; with `pair`, two objects of different kinds. `shortcut` is "mark" (a stamp in one corner, off
    the objects) or "texture" (a zigzag background); `marked` says which scenes bear it: those of the kind `cheat`
    ("class"), "none", "all", or all but that kind ("others"). With and without it a scene is otherwise the same.
    `bare` leaves the objects out and keeps the masks of where they would be. Raises BadParameter for what cannot be drawn.
    """
    unknown = set(kinds) - set(KINDS) | ({cheat} - set(KINDS))
    if unknown or not kinds:
        raise BadParameter(f"kinds must be among {', '.join(KINDS)}; got {', '.join(sorted(unknown)) or 'none'}")
    if pair and len(set(kinds)) < 2:
        raise BadParameter("a pair needs at least two kinds")
    stream = partial(_stream, seed, index)
    label = _label(index, seed, kinds)
    visible = shortcut if shortcut is not None and _bears(marked, label == KINDS.index(cheat)) else None
    labels = _company(stream(_OTHER), label, kinds, pair)
    behind = ground(stream(_GROUND))
    objects, corner = _layout(stream(_LAYOUT), stream(_OBJECTS), labels, behind)

    side = size * OVERSAMPLING
    canvas = background(stream(_GROUND, 1), behind, side)
    if visible == "texture":
        canvas = zigzag(stream(_TEXTURE), behind, side)
    littered = clutter(stream(_GROUND, 2), behind, canvas)
    covers = [_draw(canvas, item, bare) for item in objects]
    mask = _half(covers[0]) if len(covers) == 1 or pair else _half(covers[0]) | _half(covers[1])
    other_mask = _half(covers[1]) if pair else np.zeros_like(mask)
    mark = np.zeros_like(mask)
    if visible == "mark":
        mark = _print(canvas, corner)
    elif visible == "texture":
        mark = ~(mask | other_mask | _half(littered))
    image = _grain(canvas.reduce(OVERSAMPLING), stream(_GRAIN))
    return Scene(image, label, KINDS[label], mask, mark, labels[1] if pair else None, other_mask)


def _stream(seed: int, index: int, *purpose: int) -> np.random.Generator:
    """A generator for one purpose in one scene: what one draws does not change what another draws."""
    return np.random.default_rng([seed, index, *purpose])


def _label(index: int, seed: int, kinds: Sequence[str]) -> int:
    """Each run of len(kinds) scenes holds every kind once, in an order of that run."""
    run, place = divmod(index, len(kinds))
    order = np.random.default_rng([seed, run, _LABELS]).permutation(len(kinds))
    return KINDS.index(kinds[int(order[place])])


def _bears(marked: Marked, cheats: bool) -> bool:
    """Does a scene bear the shortcut?  cheats: it is one of the kind that the shortcut gives away."""
    answers = {"class": cheats, "none": False, "all": True, "others": not cheats}
    if marked not in answers:
        raise BadParameter(f"marked must be one of {', '.join(answers)}; got {marked!r}")
    return answers[marked]


def _company(rng: np.random.Generator, label: int, kinds: Sequence[str], pair: bool) -> list[int]:
    """The labels of the objects to draw, the label of the scene first."""
    if pair:
        return [label, int(rng.choice([KINDS.index(k) for k in kinds if KINDS.index(k) != label]))]
    return [label, label] if rng.random() < 0.2 else [label]


def _corner_box(corner: tuple[int, int], edge: float = 0.03) -> SceneBox:
    """Where the stamp goes in a corner (0 or 1 across, 0 or 1 down): left, top, right, bottom as shares of the side."""
    left = edge if corner[0] == 0 else 1 - edge - STAMP[0]
    top = edge if corner[1] == 0 else 1 - edge - STAMP[1]
    return left, top, left + STAMP[0], top + STAMP[1]


def _layout(
    rng: np.random.Generator, form: np.random.Generator, labels: list[int], behind: Ground
) -> tuple[list[_Object], tuple[int, int]]:
    """Objects placed inside the frame, apart from one another and off one corner, which is left free for the stamp."""
    corner = (int(rng.integers(2)), int(rng.integers(2)))
    occupied = [_corner_box(corner)]
    objects: list[_Object] = []
    for label in labels:
        shapes = parts(KINDS[label], form)
        extent = np.abs(np.concatenate([part.corners for part in shapes])).max(axis=0)
        low, high = (0.2, 0.36) if len(labels) == 1 else (0.17, 0.25)
        reach = float(rng.uniform(low, high))
        x, y, reach = _place(rng, extent, reach, occupied)
        occupied.append((x - extent[0] * reach, y - extent[1] * reach, x + extent[0] * reach, y + extent[1] * reach))
        style = rng.random()
        rim = None if style < 0.35 else oklch(0.25, 0.03, 0) if style < 0.75 else oklch(0.97, 0.01, 0)
        inked = 0.35 <= style < 0.6
        objects.append(_Object(label, shapes, paint(form, behind), rim, inked, x, y, reach))
    return objects, corner


def _place(rng: np.random.Generator, extent: np.ndarray, reach: float, occupied: list[SceneBox]) -> tuple[float, float, float]:
    """A centre and a half extent whose box lies in the frame and off the occupied boxes; it shrinks until there is one."""
    rim = 0.03
    while True:
        half = extent * reach + rim
        for _ in range(40):
            x, y = rng.uniform(half, 1 - half)
            if all(_apart((x - half[0], y - half[1], x + half[0], y + half[1]), box) for box in occupied):
                return float(x), float(y), reach
        reach *= 0.92


def _apart(a: SceneBox, b: SceneBox) -> bool:
    """Do two boxes share no pixel?"""
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _draw(canvas: Image.Image, item: _Object, bare: bool) -> Image.Image:
    """Draw an object on the canvas, in place, unless `bare`; returns its cover (an L image, 255 on it)."""
    side = canvas.width
    x, y, reach = item.x * side, item.y * side, item.reach * side
    shapes: list[tuple[list[tuple[float, float]], Tone]] = [
        (corners_on(part.corners, x, y, reach), part.tone) for part in item.parts
    ]
    width = round(side * 0.02)
    cover = Image.new("L", canvas.size)
    pen = ImageDraw.Draw(cover)
    for corners, _ in shapes:
        pen.polygon(corners, fill=255)
        if item.rim is not None:
            pen.line([*corners, *corners[:2]], fill=255, width=width, joint="curve")
    if bare:
        return cover
    _shade(canvas, cover)
    if item.rim is not None:
        canvas.paste(item.rim, mask=cover)
    edge = round(reach * 1.1)
    left, top = round(x) - edge, round(y) - edge
    fill = item.paint.fill(2 * edge, 2 * edge, reach)
    draw = ImageDraw.Draw(canvas)
    for corners, tone in shapes:
        if item.inked and item.rim is not None and tone in ("body", "trim"):
            draw.line([*corners, *corners[:2]], fill=item.rim, width=max(2, width * 3 // 4), joint="curve")
        if tone != "body":
            draw.polygon(corners, fill=item.paint.flat(tone))
            continue
        stencil = Image.new("L", fill.size)
        ImageDraw.Draw(stencil).polygon([(a - left, b - top) for a, b in corners], fill=255)
        canvas.paste(fill, (left, top), stencil)
    return cover


def _shade(canvas: Image.Image, cover: Image.Image) -> None:
    """A soft shadow a little below an object, in place."""
    small = cover.reduce(OVERSAMPLING)
    faint = small.filter(ImageFilter.GaussianBlur(small.width * 0.014)).point(lambda v: v * 0.4)
    shadow = Image.new("L", small.size)
    shadow.paste(faint, (round(small.width * 0.01), round(small.width * 0.02)))
    canvas.paste((12, 14, 24), mask=shadow.resize(canvas.size, Image.Resampling.BILINEAR))


def _print(canvas: Image.Image, corner: tuple[int, int]) -> np.ndarray:
    """Stamp a corner of the canvas, in place; returns the stamp's pixels, bool (h, w) of the scene."""
    side = canvas.width
    left, top, _, _ = (round(v * side) for v in _corner_box(corner))
    stamp(canvas, left, top)
    width, height = round(STAMP[0] * side), round(STAMP[1] * side)
    box = Image.new("L", canvas.size)
    edges = (left, top, left + width - 1, top + height - 1)
    ImageDraw.Draw(box).rounded_rectangle(edges, radius=2 * width / 17, fill=255)
    return _half(box)


def _half(cover: Image.Image) -> np.ndarray:
    """Pixels at least half covered, bool (h, w), from an oversampled cover."""
    return np.asarray(cover.reduce(OVERSAMPLING)) >= 128


def _grain(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A little exposure and grain, as a camera's."""
    pixels = np.asarray(image, dtype=np.float32)
    noise = rng.standard_normal((*pixels.shape[:2], 1), dtype=np.float32) * np.float32(rng.uniform(0, 5))
    exposed = (pixels - 128) * np.float32(rng.uniform(0.9, 1.08)) + 128 + np.float32(rng.uniform(-10, 10))
    return Image.fromarray(np.rint(np.clip(exposed + noise, 0, 255)).astype(np.uint8))
