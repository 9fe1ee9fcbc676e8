"""Colours and the paints that objects are filled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]
Tone = Literal["body", "trim", "dark", "light"]


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """The 8-bit sRGB colour of a lightness (0 to 1), a chroma (0 to about 0.3) and a hue (degrees)."""
    a = chroma * np.cos(np.radians(hue))
    b = chroma * np.sin(np.radians(hue))
    l_ = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m_ = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s_ = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.array(
        [
            4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_,
            -1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_,
            -0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_,
        ]
    ).clip(0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(v) for v in np.rint(encoded * 255))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Ground:
    """The tones of a background: a mean lightness, a hue (degrees) and the colours drawn from them."""

    lightness: float
    hue: float
    tones: tuple[Colour, ...]


def ground(rng: np.random.Generator) -> Ground:
    """Five tones near one another, dark, middling or light."""
    low, high = ((0.30, 0.42), (0.55, 0.68), (0.80, 0.92), (0.80, 0.92))[int(rng.integers(4))]
    lightness, hue = float(rng.uniform(low, high)), float(rng.uniform(0, 360))
    spread, chroma = rng.uniform(15, 70), rng.uniform(0.02, 0.09)
    tones = tuple(
        oklch(
            float(np.clip(lightness + step + rng.uniform(-0.015, 0.015), 0.15, 0.98)),
            float(chroma * rng.uniform(0.7, 1.3)),
            float(hue + rng.uniform(-spread, spread)),
        )
        for step in (0.0, 0.06, -0.06, 0.10, -0.10)
    )
    return Ground(lightness, hue, tones)


def vivid(rng: np.random.Generator, behind: Ground) -> tuple[float, float, float]:
    """Lightness, chroma and hue of a colour that stands out from the background, of any hue."""
    far = [v for v in (0.36, 0.48, 0.60, 0.72, 0.84) if abs(v - behind.lightness) >= 0.2]
    lightness = float(rng.choice(far)) + float(rng.uniform(-0.05, 0.05))
    return lightness, float(rng.uniform(0.09, 0.19)), float(rng.uniform(0, 360))


@dataclass(frozen=True, slots=True)
class Paint:
    """How one object is coloured: a colour for each tone, a second body colour and the pattern that mixes the two."""

    body: Colour
    second: Colour
    trim: Colour
    dark: Colour
    light: Colour
    pattern: str
    angle: float
    pitch: float

    def flat(self, tone: Tone) -> Colour:
        """The plain colour of a tone."""
        return {"body": self.body, "trim": self.trim, "dark": self.dark, "light": self.light}[tone]

    def fill(self, width: int, height: int, unit: float) -> Image.Image:
        """The body's pattern as an RGB image of width x height pixels; `unit` is the object's half extent in pixels."""
        if self.pattern == "plain":
            return Image.new("RGB", (width, height), self.body)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        u = (x - width / 2) / unit
        v = (y - height / 2) / unit
        across = u * np.cos(self.angle) + v * np.sin(self.angle)
        along = v * np.cos(self.angle) - u * np.sin(self.angle)
        share = _PATTERNS[self.pattern](across, along, self.pitch)[..., None]
        mixed = np.asarray(self.body) * (1 - share) + np.asarray(self.second) * share
        return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _stripes(across: np.ndarray, along: np.ndarray, pitch: float) -> np.ndarray:
    return ((across / pitch) % 1.0 < 0.45).astype(np.float32)


def _dots(across: np.ndarray, along: np.ndarray, pitch: float) -> np.ndarray:
    row = np.floor(along / pitch)
    du = (across / pitch + 0.5 * (row % 2)) % 1.0 - 0.5
    dv = (along / pitch) % 1.0 - 0.5
    return (du**2 + dv**2 < 0.085).astype(np.float32)


def _checks(across: np.ndarray, along: np.ndarray, pitch: float) -> np.ndarray:
    first, other = (across / pitch) % 1.0 < 0.5, (along / pitch) % 1.0 < 0.5
    return (first.astype(np.float32) + other) / 2


def _shading(across: np.ndarray, along: np.ndarray, pitch: float) -> np.ndarray:
    return np.clip(0.5 + 0.6 * across, 0.0, 1.0)


def _bands(across: np.ndarray, along: np.ndarray, pitch: float) -> np.ndarray:
    return ((across / (2 * pitch) + 0.08 * np.sin(7 * along)) % 1.0 < 0.4).astype(np.float32)


_PATTERNS = {"stripes": _stripes, "dots": _dots, "checks": _checks, "shading": _shading, "bands": _bands}


def paint(rng: np.random.Generator, behind: Ground) -> Paint:
    """A paint that stands out from the background; the kind of the object has no part in it."""
    lightness, chroma, hue = vivid(rng, behind)
    turn = float(rng.choice([-1, 1]) * rng.uniform(45, 180))
    step = 0.16 if lightness < 0.6 else -0.16
    small = 0.09 if rng.random() < 0.5 else -0.09
    patterns = {"plain": 0.2, "shading": 0.3, "stripes": 0.16, "dots": 0.14, "checks": 0.08, "bands": 0.12}
    pattern = str(rng.choice(list(patterns), p=list(patterns.values())))
    return Paint(
        body=oklch(lightness, chroma, hue),
        second=oklch(lightness + 1.4 * small, chroma * 0.9, hue + float(rng.uniform(-30, 30))),
        trim=oklch(lightness + step, float(rng.uniform(0.08, 0.17)), hue + turn),
        dark=oklch(float(rng.uniform(0.22, 0.32)), 0.03, float(rng.uniform(0, 360))),
        light=oklch(float(rng.uniform(0.93, 0.97)), 0.025, float(rng.uniform(0, 360))),
        pattern=pattern,
        angle=float(rng.uniform(0, np.pi)),
        pitch=float(rng.uniform(0.22, 0.38)),
    )
