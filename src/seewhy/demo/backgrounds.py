"""What lies behind the objects: backgrounds, small abstract clutter, and the two give-aways (stamp and zigzag)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from .colours import Colour, Ground, oklch, vivid
from .kinds import Rng, arc, polygon, ring, stroke


def corners_on(canvas: np.ndarray, x: float, y: float, scale: float, turn: float = 0.0) -> list[tuple[float, float]]:
    """Corners (k, 2) turned (radians), scaled and moved to pixels, as Pillow wants them."""
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return [(float(a), float(b)) for a, b in (canvas @ frame) * scale + (x, y)]


def _pick(rng: Rng, tones: tuple[Colour, ...]) -> Colour:
    return tones[int(rng.integers(len(tones)))]


def _mix(share: np.ndarray, low: Colour, high: Colour, side: int) -> Image.Image:
    """Two colours mixed by a small map (h, w) of shares in 0 to 1, enlarged to side x side pixels."""
    mixed = np.asarray(low) * (1 - share[..., None]) + np.asarray(high) * share[..., None]
    return Image.fromarray(np.rint(mixed).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)


def _gradient(rng: Rng, behind: Ground, side: int) -> Image.Image:
    y, x = np.mgrid[0:48, 0:48] / 47.0 - 0.5
    turn = rng.uniform(0, 2 * np.pi)
    share = 0.5 + 0.7 * (x * np.cos(turn) + y * np.sin(turn))
    if rng.random() < 0.4:
        cx, cy = rng.uniform(-0.4, 0.4, 2)
        share = 1.2 * np.hypot(x - cx, y - cy)
    return _mix(share.clip(0, 1), behind.tones[3], behind.tones[4], side)


def _blotches(rng: Rng, behind: Ground, side: int) -> Image.Image:
    cells = int(rng.integers(4, 10))
    noise = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    smooth = np.asarray(noise.resize((96, 96), Image.Resampling.BICUBIC))
    share = np.clip((smooth - 0.5) * rng.uniform(1.0, 5.0) + 0.5, 0, 1)
    return _mix(share, behind.tones[1], behind.tones[4], side)


def _hatching(rng: Rng, behind: Ground, side: int) -> Image.Image:
    image = _gradient(rng, behind, side)
    draw = ImageDraw.Draw(image)
    turns = [rng.uniform(0, np.pi)]
    if rng.random() < 0.5:
        turns.append(turns[0] + np.pi / 2)
    gap, width = side * rng.uniform(0.05, 0.1), max(1, round(side * rng.uniform(0.008, 0.02)))
    for turn in turns:
        tone = _pick(rng, behind.tones)
        ahead, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        for step in np.arange(-side, side, gap):
            middle = side / 2 + across * (step + rng.uniform(-0.15, 0.15) * gap)
            draw.line([*(middle - ahead * side), *(middle + ahead * side)], fill=tone, width=width)
    return image


def _leaves(rng: Rng, behind: Ground, side: int) -> Image.Image:
    image = Image.new("RGB", (side, side), behind.tones[0])
    draw = ImageDraw.Draw(image)
    t = np.linspace(0, 1, 14)
    bulge = 0.42 * np.sin(np.pi * t) * (1.15 - 0.5 * t)
    leaf = np.concatenate([np.stack([2 * t - 1, bulge], 1), np.stack([2 * t - 1, -bulge], 1)[::-1]])
    vein = stroke(polygon((-1.1, 0.0), (0.0, 0.0), (0.85, 0.0)), 0.07)
    for _ in range(int(rng.integers(26, 48))):
        x, y = rng.uniform(-0.02, 1.02, 2) * side
        scale, turn = side * rng.uniform(0.06, 0.13), rng.uniform(0, 2 * np.pi)
        draw.polygon(corners_on(leaf, x, y, scale, turn), fill=_pick(rng, behind.tones))
        draw.polygon(corners_on(vein, x, y, scale, turn), fill=behind.tones[0])
    return image


def _tiles(rng: Rng, behind: Ground, side: int) -> Image.Image:
    grout = behind.tones[4] if rng.random() < 0.5 else behind.tones[3]
    image = Image.new("RGB", (side, side), grout)
    draw = ImageDraw.Draw(image)
    height = side * rng.uniform(0.09, 0.2)
    width = height * (1.0 if rng.random() < 0.5 else rng.uniform(1.5, 2.3))
    shift, seam = (0.5 if rng.random() < 0.6 else 0.0), side * 0.008
    x0, y0 = rng.uniform(-1, 0, 2) * (width, height)
    for row in range(int(side / height) + 2):
        for column in range(-1, int(side / width) + 2):
            x, y = x0 + (column + shift * (row % 2)) * width, y0 + row * height
            tile = (x + seam, y + seam, x + width - seam, y + height - seam)
            draw.rounded_rectangle(tile, radius=side * 0.012, fill=_pick(rng, behind.tones[:3]))
    return image


def _waves(rng: Rng, behind: Ground, side: int) -> Image.Image:
    y, x = np.mgrid[0:192, 0:192] / 191.0
    if rng.random() < 0.5:
        x, y = y, x
    swell = rng.uniform(0.02, 0.06) * np.sin(2 * np.pi * (rng.uniform(1, 3.5) * x + rng.uniform()))
    band = np.sin(2 * np.pi * (rng.uniform(3, 7) * (y + swell)))
    return _mix(np.clip(0.5 + 1.5 * band, 0, 1), behind.tones[1], behind.tones[2], side)


def _bokeh(rng: Rng, behind: Ground, side: int) -> Image.Image:
    image = _gradient(rng, behind, side)
    for _ in range(int(rng.integers(10, 22))):
        radius = side * rng.uniform(0.03, 0.13)
        x, y = rng.uniform(0, side, 2)
        veil = Image.new("L", (side, side))
        ImageDraw.Draw(veil).ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(rng.integers(70, 190)))
        image.paste(_pick(rng, behind.tones), mask=veil)
    return image


def _hills(rng: Rng, behind: Ground, side: int) -> Image.Image:
    image = _gradient(rng, behind, side)
    draw = ImageDraw.Draw(image)
    x = np.linspace(0, 1, 60)
    for level, tone in zip(np.linspace(0.3, 0.85, 4), rng.permutation(len(behind.tones))[:4], strict=True):
        rise = rng.uniform(0.03, 0.09) * np.sin(2 * np.pi * (rng.uniform(0.5, 1.8) * x + rng.uniform()))
        rise += 0.02 * np.sin(2 * np.pi * (rng.uniform(2, 5) * x + rng.uniform()))
        line = np.stack([x, level + rng.uniform(-0.06, 0.06) + rise], axis=1)
        land = np.concatenate([line, [[1.0, 1.05], [0.0, 1.05]]])
        draw.polygon(corners_on(land, 0, 0, side), fill=behind.tones[int(tone)])
    return image


def _patchwork(rng: Rng, behind: Ground, side: int) -> Image.Image:
    image = Image.new("RGB", (side, side), behind.tones[0])
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(25, 45))):
        turn = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 6))))
        shard = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        x, y = rng.uniform(0, side, 2)
        draw.polygon(corners_on(shard, x, y, side * rng.uniform(0.06, 0.2)), fill=_pick(rng, behind.tones))
    return image


BACKGROUNDS: dict[str, Callable[[Rng, Ground, int], Image.Image]] = {
    "gradient": _gradient,
    "blotches": _blotches,
    "hatching": _hatching,
    "leaves": _leaves,
    "tiles": _tiles,
    "waves": _waves,
    "bokeh": _bokeh,
    "hills": _hills,
    "patchwork": _patchwork,
}


def background(rng: Rng, behind: Ground, side: int) -> Image.Image:
    """One of BACKGROUNDS, RGB, side x side pixels."""
    return BACKGROUNDS[str(rng.choice(list(BACKGROUNDS)))](rng, behind, side)


def zigzag(rng: Rng, behind: Ground, side: int) -> Image.Image:
    """The background that gives a class away when a texture is the shortcut; no other scene has it."""
    image = Image.new("RGB", (side, side), behind.tones[3])
    draw = ImageDraw.Draw(image)
    pitch, x0 = side / 12, rng.uniform(-1, 0) * side / 6
    teeth = np.arange(16)
    for row in range(-1, 14):
        ridge = (row + 0.5 * (teeth % 2)) * pitch
        line = np.stack([x0 + teeth * pitch, ridge], axis=1)
        points = [(float(a), float(b)) for a, b in line]
        draw.line(points, fill=behind.tones[4], width=round(pitch * 0.36), joint="curve")
    return image


def _scrap(rng: Rng) -> np.ndarray:
    """A small abstract shape (k, 2), about one unit in radius: no kind looks like it."""
    shape = int(rng.integers(7))
    if shape == 0:
        return arc(0, 0, 0.7, 0.7 * rng.uniform(0.6, 1.0))
    if shape == 1:
        return ring(0, 0, 0.8, 0.45, 0, float(rng.uniform(150, 360)))
    if shape == 2:
        x = np.linspace(-1, 1, 24)
        return stroke(np.stack([x, 0.35 * np.sin(rng.uniform(3, 7) * x)], axis=1), 0.28)
    if shape == 3:
        turn = np.radians([-90, 30, 150]) + rng.uniform(-0.3, 0.3, 3)
        return 0.85 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if shape == 4:
        a, b = rng.uniform(0.4, 0.85, 2)
        return polygon((-a, -b), (a, -b), (a, b), (-a, b))
    if shape == 5:
        w = rng.uniform(0.18, 0.3)
        arm = polygon((-w, -w), (-w, -0.8), (w, -0.8), (w, -w))
        quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
        return np.concatenate([arm @ np.linalg.matrix_power(quarter, k) for k in range(4)])
    return stroke(polygon((-0.9, 0.3), (-0.3, -0.35), (0.3, 0.35), (0.9, -0.3)), 0.26)


def clutter(rng: Rng, behind: Ground, image: Image.Image) -> Image.Image:
    """Strew small abstract shapes over the image, in place; returns where they lie (an L image, 255 on them)."""
    side = image.width
    cover = Image.new("L", image.size)
    draw, drawn = ImageDraw.Draw(image), ImageDraw.Draw(cover)
    for _ in range(int(rng.integers(4, 11))):
        x, y = rng.uniform(0.02, 0.98, 2) * side
        scale, turn = side * rng.uniform(0.025, 0.085), rng.uniform(0, 2 * np.pi)
        corners = corners_on(_scrap(rng), x, y, scale, turn)
        if rng.random() < 0.4:
            rim = oklch(0.25 if rng.random() < 0.5 else 0.96, 0.02, 0)
            for pen, colour in ((draw, rim), (drawn, 255)):
                pen.line([*corners, corners[0], corners[1]], fill=colour, width=round(side * 0.014), joint="curve")
        draw.polygon(corners, fill=oklch(*vivid(rng, behind)))
        drawn.polygon(corners, fill=255)
    return cover


STAMP = (17 / 96, 15 / 96)
"""Width and height of the stamp, as shares of the scene's side: together 2.8 % of the area."""


def stamp(image: Image.Image, left: int, top: int) -> None:
    """Print the photographer's stamp (a little camera on a dark plate) on the image, in place, at a pixel."""
    width, height = round(STAMP[0] * image.width), round(STAMP[1] * image.width)
    unit = width / 17
    plate = Image.new("RGB", (width, height), (24, 26, 34))
    draw = ImageDraw.Draw(plate)
    white, dark = (245, 246, 250), (24, 26, 34)

    def scaled(*values: float) -> tuple[float, ...]:
        return tuple(v * unit for v in values)

    draw.rounded_rectangle(scaled(5.5, 2.0, 11.5, 6.0), radius=unit, fill=white)
    draw.rounded_rectangle(scaled(2.0, 4.0, 15.0, 13.0), radius=1.6 * unit, fill=white)
    draw.ellipse(scaled(5.0, 5.0, 12.0, 12.0), fill=dark)
    draw.ellipse(scaled(6.4, 6.4, 10.6, 10.6), fill=white)
    draw.ellipse(scaled(7.6, 7.6, 9.4, 9.4), fill=dark)
    draw.ellipse(scaled(12.4, 5.2, 13.8, 6.6), fill=dark)
    veil = Image.new("L", (width, height))
    ImageDraw.Draw(veil).rounded_rectangle((0, 0, width - 1, height - 1), radius=2 * unit, fill=225)
    image.paste(plate, (left, top), veil)
