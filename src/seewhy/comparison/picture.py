"""Two maps of one image and their difference, as a picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter
from seewhy.images.places import Extent, Grid
from seewhy.maps.heatmap import Heatmap, overlay_of
from seewhy.maps.saving import png
from seewhy.maps.shrinking import shrunk
from seewhy.maps.source import Source
from seewhy.pictures.canvas import DrawingOptions, drawn
from seewhy.pictures.legend import with_legend
from seewhy.pictures.render import Look
from seewhy.pictures.side_by_side import Panel, side_by_side
from seewhy.printable import printable

from .common_grid import on_common_grid, placed_alike

WIDE = 420  # pixels of each photo in the row


def drift_picture(a: Heatmap, b: Heatmap, caption: str, names: tuple[str, str] = ("", "")) -> Image.Image:
    """The photo, the map of A and that of B over it, each on its own scale, and where B has more of its evidence than A (red)
    or less (blue): RGB, with legends, over the caption.

    The difference is that of the positive parts, each divided by its sum, in shares of the largest share of both.
    names: of the two, if not those of their models.
    """
    a, b, _ = placed_alike(a, b)
    small_a, small_b = shrunk(a, WIDE), shrunk(b, WIDE)
    panels = [] if not isinstance(small_a.image, Image.Image) else [Panel(small_a.image.convert("RGB"), "photo")]
    for heatmap, name in ((small_a, names[0] or f"A: {a.source.model}"), (small_b, names[1] or f"B: {b.source.model}")):
        panels.append(Panel(heatmap.overlay(legend=True), printable(name, 100)))
    panels.append(Panel(_difference(small_a, small_b, names[0] or "A"), f"{names[1] or 'B'} minus {names[0] or 'A'}"))
    return side_by_side(panels, f"{printable(a.source.image, 200)}: {caption}")


def save_picture(path: Path, picture: Image.Image, a: Source, b: Source, over: bool) -> Path:
    """Write the picture as .png, which says what it is: its Source has the names of both models in place of one."""
    if path.suffix.lower() != ".png":
        raise BadParameter(f"The picture of a drift is saved as .png, not as {path.suffix or path.name!r}.")
    source = replace(
        a, method=f"drift of {a.method}", model=f"{a.model} against {b.model}", weights=None, score=None, measured={}
    )
    with replacing(path, over, f"the drift of {a.image}") as beside:
        beside.write_bytes(png(picture, source))
    return path


def _difference(a: Heatmap, b: Heatmap, first: str) -> Image.Image:
    common = on_common_grid(a, b)
    p, q = (np.maximum(values, 0, dtype=np.float64) for values in (common.a, common.b))
    p, q = (part / (part.sum() or 1) for part in (p, q))
    most = max(p.max(), q.max()) or 1.0
    box = Extent(0, 0, *a.size) if isinstance(a.box, Extent) else Grid.whole(common.a.shape)  # type: ignore[misc]
    shown = replace(overlay_of(a), values=((q - p) / most).astype(np.float32), box=box, cells=None)
    look = Look.of(shown.values, 0.6, "blue-red", (-1.0, 1.0))
    picture = drawn(shown, look, DrawingOptions(0.6))
    return with_legend(picture, look, f"evidence, of its largest share in either: red more than in {first}, blue less", 22)
