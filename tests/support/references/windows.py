"""SESS, one image, window by window: slow, plain, from its paper and its authors' code, and without a line of seewhy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Floats = NDArray[np.float64]


def drawn(x: Floats, height: int, width: int) -> Floats:
    """(c, h, w) at another size."""
    there = F.interpolate(torch.tensor(x)[None], (height, width), mode="bilinear", align_corners=False, antialias=True)
    return there[0].numpy()


def corners(whole: int, side: int, overlap: float) -> list[int]:
    count = 1
    while (whole - side) / count > (1 - overlap) * side + 1e-9 and whole > side:
        count += 1
    return [0] if whole == side else [round(k * (whole - side) / count) for k in range(count + 1)]


def sess(
    image: Floats, map_of: Callable[[Floats], Floats], chance_of: Callable[[Floats], float],
    scales: Any, overlap: float, pool: str
) -> Floats:  # fmt: skip
    """image: (c, h, w); map_of: (h', w') of a window (c, h, w); chance_of: the weight of a window -> (h, w)."""
    _, h, w = image.shape
    parts = []
    for scale in scales:
        height, width = round(h * scale), round(w * scale)
        large = drawn(image, height, width) if (height, width) != (h, w) else image
        for top in corners(height, h, overlap):
            for left in corners(width, w, overlap):
                parts.append((large[:, top : top + h, left : left + w].copy(), top, left, height, width))
    chances = [max(chance_of(part), 0) for part, *_ in parts]
    placed = []
    for (part, top, left, height, width), chance in zip(parts, chances, strict=True):
        found = drawn(map_of(part)[None], h, w)[0].clip(min=0)
        canvas = np.zeros((height, width))
        if found.max() > 0 and max(chances) > 0:
            canvas[top : top + h, left : left + w] = found / found.max() * chance / max(chances)
        placed.append(drawn(canvas[None], h, w)[0] if (height, width) != (h, w) else canvas)
    result = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            above = [one[y, x] for one in placed if one[y, x] > 1e-6]  # what is less is rounding
            if above:
                result[y, x] = max(one[y, x] for one in placed) if pool == "max" else sum(above) / len(above)
    return result
