"""The things a scene can show, each drawn as a few polygons in its own frame (x to the right, y down)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .colours import Tone

Points = np.ndarray
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Shape:
    """A filled polygon: corners (k, 2) in the object's frame, and the tone it is painted in."""

    corners: Points
    tone: Tone


def polygon(*corners: tuple[float, float]) -> Points:
    """Corners as an array (k, 2)."""
    return np.array(corners, dtype=np.float64)


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """A rectangle (4, 2)."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def arc(x: float, y: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0, steps: int = 40) -> Points:
    """Points (steps, 2) along an ellipse, from one angle to another in degrees, clockwise on the screen."""
    t = np.radians(np.linspace(start, end, steps))
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def ring(x: float, y: float, outer: float, inner: float, start: float = 0.0, end: float = 360.0) -> Points:
    """A ring, or the piece of one between two angles in degrees, as one polygon."""
    return np.concatenate([arc(x, y, outer, outer, start, end), arc(x, y, inner, inner, start, end)[::-1]])


def smooth(corners: Sequence[tuple[float, float]], steps: int = 8) -> Points:
    """A closed Catmull-Rom curve through the corners: (steps * corners, 2)."""
    p1 = np.array(corners, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, axis=0), np.roll(p1, -1, axis=0), np.roll(p1, -2, axis=0)
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return curve.reshape(-1, 2)


def stroke(corners: Points, width: float) -> Points:
    """A line of the given width along the corners, as a polygon."""
    ahead = np.gradient(corners, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) * (width / 2)
    return np.concatenate([corners + side, (corners - side)[::-1]])


def _bird(rng: Rng) -> list[Shape]:
    plump, tail = rng.uniform(0.38, 0.5), rng.uniform(-0.25, 0.2)
    body = [(0.62, -0.62), (0.42, -0.86), (0.1, -0.72), (-0.1, -0.42), (-0.5, -0.1), (-0.72, 0.2), (-0.3, plump)]
    body += [(0.15, plump + 0.02), (0.5, 0.12), (0.62, -0.3)]
    wing = [(0.2, -0.22), (-0.1, -0.28), (-0.5, 0.0), (-0.86, 0.3 + tail / 3), (-0.3, 0.3), (0.12, 0.2)]
    leg = rng.uniform(0.8, 0.95)
    legs = [(0.0, 0.06), (0.26, 0.32)]
    return [
        *(Shape(stroke(polygon((a, 0.35), (b, leg), (b + 0.2, leg + 0.02)), 0.085), "dark") for a, b in legs),
        Shape(polygon((-0.4, -0.1), (-1.1, tail - 0.06), (-1.08, tail + 0.22), (-0.4, 0.32)), "trim"),
        Shape(polygon((0.55, -0.72), (0.98, -0.5), (0.56, -0.42)), "trim"),
        Shape(smooth(body), "body"),
        Shape(smooth(wing), "trim"),
        Shape(arc(0.36, -0.58, 0.1, 0.1), "light"),
        Shape(arc(0.38, -0.58, 0.055, 0.055), "dark"),
    ]


def _boat(rng: Rng) -> list[Shape]:
    mast, sail, deck = rng.uniform(-0.1, 0.08), rng.uniform(0.6, 0.78), rng.uniform(0.42, 0.5)
    hull = polygon((-0.95, deck), (0.98, deck), (0.66, 0.95), (-0.62, 0.95))
    return [
        Shape(box(mast - 0.04, -1.05, mast + 0.04, deck + 0.1), "dark"),
        Shape(smooth([(mast + 0.07, -0.95), (mast + 0.5, -0.2), (mast + sail, 0.3), (mast + 0.07, 0.32)], 6), "body"),
        Shape(polygon((mast - 0.09, -0.75), (mast - 0.09, 0.32), (mast - sail + 0.06, 0.32)), "light"),
        Shape(hull, "trim"),
        Shape(box(-0.86, deck + 0.02, 0.9, deck + 0.12), "light"),
        Shape(polygon((mast, -1.05), (mast - 0.34, -0.94), (mast, -0.84)), "trim"),
    ]


def _car(rng: Rng) -> list[Shape]:
    roof, front, back = rng.uniform(-0.52, -0.4), rng.uniform(0.3, 0.45), rng.uniform(-0.7, -0.5)
    cabin = polygon((back - 0.16, 0.0), (back + 0.04, roof), (front - 0.12, roof), (front + 0.18, 0.0))
    hull = [
        (-1.0, 0.05),
        (-0.9, -0.08),
        (-0.3, -0.1),
        (0.4, -0.08),
        (0.92, 0.04),
        (1.02, 0.2),
        (1.0, 0.38),
        (0.5, 0.42),
    ]
    hull += [(-0.5, 0.42), (-0.98, 0.38)]
    top, middle = roof + 0.09, (front + back) / 2
    glass: Tone = "light"
    parts = [
        Shape(cabin, "body"),
        Shape(smooth(hull), "body"),
        Shape(polygon((back, -0.06), (back + 0.1, top), (middle - 0.05, top), (middle - 0.05, -0.06)), glass),
        Shape(polygon((middle + 0.05, -0.06), (middle + 0.05, top), (front - 0.16, top), (front + 0.06, -0.06)), glass),
        Shape(box(-0.98, 0.2, 1.0, 0.28), "trim"),
        Shape(arc(0.92, 0.12, 0.07, 0.07), "light"),
    ]
    wheel = rng.uniform(0.22, 0.27)
    for x in (-0.56, 0.54):
        parts += [Shape(arc(x, 0.4, wheel, wheel), "dark"), Shape(arc(x, 0.4, wheel * 0.45, wheel * 0.45), "light")]
    return parts


def _cup(rng: Rng) -> list[Shape]:
    foot, height = rng.uniform(0.4, 0.58), rng.uniform(0.62, 0.8)
    side = [(-0.66, -height), (-foot - 0.04, height * 0.75), (-foot + 0.1, height), (foot - 0.1, height)]
    side += [(foot + 0.04, height * 0.75), (0.66, -height)]
    parts = [
        Shape(ring(0.6, -0.08, 0.42, 0.25, -115, 115), "trim" if rng.random() < 0.4 else "body"),
        Shape(polygon(*side), "body"),
        Shape(arc(0.0, -height, 0.66, 0.2), "light"),
        Shape(arc(0.0, -height + 0.02, 0.56, 0.14), "dark"),
    ]
    if rng.random() < 0.5:
        slope = (0.66 - foot) / (2 * height)
        wide = [0.66 - slope * (height + y) for y in (-0.1, 0.2)]
        parts.append(Shape(polygon((-wide[0], -0.1), (wide[0], -0.1), (wide[1], 0.2), (-wide[1], 0.2)), "trim"))
    return parts


def _fish(rng: Rng) -> list[Shape]:
    tall, tail = rng.uniform(0.42, 0.6), rng.uniform(0.4, 0.55)
    back = [(-1.0, 0.02), (-0.75, -0.55 * tall), (-0.25, -tall), (0.3, -0.62 * tall), (0.62, -0.11)]
    belly = [(0.62, 0.11), (0.3, 0.62 * tall), (-0.25, tall), (-0.75, 0.6 * tall)]
    return [
        Shape(polygon((0.46, 0.0), (1.02, -tail), (0.86, 0.0), (1.02, tail)), "trim"),
        Shape(polygon((-0.45, -tall * 0.85), (0.05, -tall - 0.26), (0.42, -tall - 0.1), (0.34, -0.4 * tall)), "trim"),
        Shape(polygon((-0.2, tall * 0.9), (0.2, tall + 0.22), (0.25, 0.5 * tall)), "trim"),
        Shape(smooth(back + belly), "body"),
        Shape(stroke(arc(-0.55, 0.0, 0.2, 0.6 * tall, -60, 60, 12), 0.06), "trim"),
        Shape(stroke(arc(-0.95, 0.02, 0.2, 0.16, 20, 80, 8), 0.05), "dark"),
        Shape(polygon((-0.2, 0.08), (0.16, 0.0), (0.1, 0.3)), "trim"),
        Shape(arc(-0.68, -0.12, 0.105, 0.105), "light"),
        Shape(arc(-0.7, -0.12, 0.055, 0.055), "dark"),
    ]


def _house(rng: Rng) -> list[Shape]:
    wide, ridge, eaves = rng.uniform(0.62, 0.82), rng.uniform(-1.0, -0.8), rng.uniform(-0.25, -0.1)
    door = rng.uniform(-0.36, 0.2)
    pane = -0.42 if door > -0.1 else 0.32
    roof = polygon((-wide - 0.2, eaves), (0.0, ridge), (wide + 0.2, eaves))
    return [
        Shape(box(0.3, ridge + 0.02, 0.52, eaves), "dark"),
        Shape(box(-wide, eaves - 0.05, wide, 0.9), "body"),
        Shape(roof, "trim"),
        Shape(box(door - 0.15, 0.3, door + 0.18, 0.9), "dark"),
        Shape(box(pane - 0.19, 0.12, pane + 0.19, 0.5), "light"),
        Shape(box(pane - 0.02, 0.12, pane + 0.02, 0.5), "dark"),
        Shape(box(pane - 0.19, 0.29, pane + 0.19, 0.33), "dark"),
        Shape(arc(0.0, (ridge + eaves) / 2 + 0.12, 0.12, 0.12), "light"),
    ]


def _key(rng: Rng) -> list[Shape]:
    bow, thick, hole = rng.uniform(0.38, 0.46), rng.uniform(0.1, 0.13), rng.uniform(0.16, 0.2)
    x = -0.58
    shaft = box(x + bow * 0.8, -thick, 1.0, thick)
    teeth = [
        Shape(box(left, 0.0, left + 0.17, thick + depth), "body")
        for left, depth in ((0.83, rng.uniform(0.24, 0.34)), (0.53, rng.uniform(0.18, 0.36)))
    ]
    head: list[Shape] = [Shape(ring(x, 0.0, bow, hole), "body")]
    if rng.random() < 0.4:
        turns = np.radians([90, 180, 270])
        head = [Shape(ring(x + 0.27 * np.cos(t), 0.27 * np.sin(t), 0.27, 0.12), "body") for t in turns]
    return [Shape(shaft, "body"), *teeth, *head, Shape(box(-0.2, -thick - 0.08, -0.08, thick + 0.08), "trim")]


def _mushroom(rng: Rng) -> list[Shape]:
    rim, foot, top = rng.uniform(-0.02, 0.16), rng.uniform(0.22, 0.34), rng.uniform(-0.92, -0.75)
    cap = [(-0.98, rim), (-0.86, rim - 0.4), (-0.45, top + 0.12), (0.0, top), (0.45, top + 0.12), (0.86, rim - 0.4)]
    cap += [(0.98, rim), (0.6, rim + 0.13), (0.0, rim + 0.17), (-0.6, rim + 0.13)]
    stem = [(-0.22, rim), (0.22, rim), (foot, 0.75), (foot - 0.08, 0.95), (-foot + 0.08, 0.95), (-foot, 0.75)]
    parts = [Shape(smooth(stem), "light"), Shape(smooth(cap), "body")]
    for x, y, r in ((0.0, 0.32, 0.19), (-0.5, 0.55, 0.14), (0.52, 0.5, 0.15), (-0.12, 0.78, 0.1), (0.27, 0.76, 0.08)):
        size = r * rng.uniform(0.8, 1.15)
        parts.append(Shape(arc(x, top + (rim - top) * y, size, size * 0.85), "trim"))
    return parts


def _star(rng: Rng) -> list[Shape]:
    depth = rng.uniform(0.42, 0.52)
    radii = np.where(np.arange(10) % 2 == 0, 1.0, depth)
    turn = np.radians(np.arange(10) * 36 - 90)
    corners = np.stack([radii * np.cos(turn), radii * np.sin(turn)], axis=1)
    parts = [Shape(corners, "body")]
    if rng.random() < 0.5:
        parts.append(Shape(corners * rng.uniform(0.4, 0.55), "trim" if rng.random() < 0.5 else "light"))
    return parts


def _tree(rng: Rng) -> list[Shape]:
    trunk = rng.uniform(0.11, 0.16)
    parts = [Shape(polygon((-trunk, 0.2), (trunk, 0.2), (trunk * 1.4, 1.0), (-trunk * 1.4, 1.0)), "trim")]
    if rng.random() < 0.6:
        wide = rng.uniform(0.6, 0.78)
        for top, bottom, share in ((-0.1, 0.7, 1.0), (-0.6, 0.25, 0.8), (-1.05, -0.2, 0.58)):
            parts.append(Shape(polygon((0.0, top), (wide * share, bottom), (-wide * share, bottom)), "body"))
        return parts
    crown = [(-0.42, 0.0, 0.36), (0.42, 0.02, 0.36), (-0.3, -0.45, 0.36), (0.3, -0.45, 0.36)]
    crown += [(0.0, -0.68, 0.34), (0.0, -0.15, 0.45)]
    fruit = [(-0.3, -0.1), (0.25, -0.4), (0.35, 0.08), (-0.12, -0.62)]
    parts += [Shape(arc(x, y, r * rng.uniform(0.95, 1.1), r), "body") for x, y, r in crown]
    parts += [Shape(arc(x, y, 0.085, 0.085), "light") for x, y in fruit]
    return parts


_DRAWINGS: dict[str, tuple[Callable[[Rng], list[Shape]], float]] = {
    "bird": (_bird, 20.0),
    "boat": (_boat, 18.0),
    "car": (_car, 20.0),
    "cup": (_cup, 25.0),
    "fish": (_fish, 35.0),
    "house": (_house, 15.0),
    "key": (_key, 180.0),
    "mushroom": (_mushroom, 25.0),
    "star": (_star, 36.0),
    "tree": (_tree, 15.0),
}

KINDS: tuple[str, ...] = tuple(_DRAWINGS)


def parts(kind: str, rng: Rng) -> list[Shape]:
    """One specimen of a kind, centred, its longer side 2 units, turned and perhaps mirrored as the kind allows."""
    draw, lean = _DRAWINGS[kind]
    specimen = draw(rng)
    turn, mirror = np.radians(rng.uniform(-lean, lean)), float(rng.choice([-1.0, 1.0]))
    stretch = rng.uniform(0.88, 1.14)
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    moved = [(part.corners * (mirror * stretch, 1 / stretch)) @ frame for part in specimen]
    everything = np.concatenate(moved)
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = 2.0 / float((high - low).max())
    return [Shape((corners - (low + high) / 2) * scale, part.tone) for corners, part in zip(moved, specimen, strict=True)]
