"""What may give a photo's class away without a look at its object: facts of its file, and of its rim."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.photo_sets.photo_facts import jpeg_quality

VIEW = 64  # pixels of each side of what the network saw of a photo, as it is kept
RIM = 0.15  # its width, in shares of each side
FILE = {
    "width": "width in pixels",
    "height": "height in pixels",
    "aspect": "width over height",
    "file_bytes": "bytes of the file",
    "bytes_per_pixel": "bytes of the file for each pixel",
    "jpeg_quality": "JPEG quality",
}
BACKGROUND = {
    "rim_brightness": "brightness of the rim",
    "rim_saturation": "saturation of the rim",
    "rim_texture": "how much detail the rim has",
    "rim_one_way": "how much the rim's edges run one way",
}
FEW = 0.1  # of the photos: a size or a format that fewer have is no fact of its own


def file_facts(width: int, height: int, size: int, format: str | None, tables: Mapping[int, Sequence[int]]) -> dict[str, Any]:
    """The facts of a file: width and height of the upright photo, bytes, format, and the quantization tables of a JPEG."""
    return {
        "width": float(width), "height": float(height), "aspect": width / height, "file_bytes": float(size),
        "bytes_per_pixel": size / (width * height), "jpeg_quality": float(jpeg_quality(tables[0])) if 0 in tables else np.nan,
        "size": f"{width} x {height}", "format": format or "unknown",
    }  # fmt: skip


def view_of(seen: Image.Image) -> NDArray[np.uint8]:
    """What the network saw of a photo, on VIEW x VIEW pixels: (VIEW, VIEW, 3)."""
    return np.asarray(seen.convert("RGB").resize((VIEW, VIEW), Image.Resampling.BOX))


def on_rim() -> NDArray[np.bool_]:
    """True on the rim of a view."""
    width = round(RIM * VIEW)
    rim = np.ones((VIEW, VIEW), np.bool_)
    rim[width:-width, width:-width] = False
    return rim


def rim_facts(view: NDArray[np.uint8]) -> dict[str, float]:
    """The facts of the rim of a view, each from 0 to 1.

    rim_texture: the mean length of the luma's gradient; rim_one_way: the coherence of the gradients' structure tensor, 0 where
    edges run all ways, 1 where all run one way.
    Source: Bigün & Granlund 1987, Optimal orientation detection of linear symmetry (the coherence).
    """
    rim, colours = on_rim(), view.astype(np.float64) / 255
    most, least = colours.max(2), colours.min(2)
    luma = luma_of(view)
    slopes = np.asarray(np.gradient(luma))
    down, across = slopes[0], slopes[1]
    xx, yy, xy = ((across * across)[rim].sum(), (down * down)[rim].sum(), (across * down)[rim].sum())
    total = xx + yy
    return {
        "rim_brightness": float(luma[rim].mean()),
        "rim_saturation": float(np.mean(((most - least) / np.maximum(most, 1 / 255))[rim])),
        "rim_texture": float(np.hypot(down, across)[rim].mean()),
        "rim_one_way": float(np.hypot(xx - yy, 2 * xy) / total) if total > 0 else 0.0,
    }


def luma_of(view: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The luma (Rec. 601) of a view, 0 to 1."""
    return np.tensordot(view.astype(np.float64), (0.299, 0.587, 0.114), 1) / 255


def table_of(facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """The facts of all photos as numbers, each (n,): those that are numbers, and of sizes and formats that several photos have,
    whether a photo has it (1) or not (0).  Those that are the same on all photos are left out.
    """
    found = {name: np.array([each[name] for each in facts], np.float64) for name in (*FILE, *BACKGROUND)}
    for name in ("size", "format"):
        words = np.array([each[name] for each in facts])
        values, counts = np.unique(words, return_counts=True)
        if len(values) > 1:
            common = values[counts >= max(2, FEW * len(words))]
            found |= {f"{name} {value}": (words == value).astype(np.float64) for value in common}
    return {name: values for name, values in found.items() if len(np.unique(values[~np.isnan(values)])) > 1}


def words_of_fact(name: str) -> str:
    """A fact in words."""
    return FILE.get(name) or BACKGROUND.get(name) or name
