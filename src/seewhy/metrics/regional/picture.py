"""The mean map of a class, with the regions in which its evidence lies, as a picture."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from seewhy.arrays import Floats
from seewhy.images.places import Extent
from seewhy.maps.shrinking import shrunk
from seewhy.pictures.canvas import DrawingOptions, Overlay, drawn
from seewhy.pictures.legend import with_legend
from seewhy.pictures.outlines import Outline, outlined
from seewhy.pictures.render import Look
from seewhy.pictures.side_by_side import Panel, side_by_side
from seewhy.printable import in_percent, printable

from .frames import Shares, on_photo
from .search import EvidencePile
from .shares import RegionShare
from .within import frame_boxes

WIDE = 300  # pixels of each panel
LETTERS = 18  # pixels high, of the legend


def evidence_picture(
    explained: str, means: Mapping[str, Floats], classes: Mapping[str, int], piles: Sequence[EvidencePile],
    rows: Sequence[RegionShare],
) -> Image.Image:  # fmt: skip
    """The mean map of a class, that of all other classes on the same scale, and photos of the class, with the boxes outlined:
    RGB, over a caption.

    means: of each class, (n, n), summing to 1; classes: of how many photos.
    """
    boxes = [(box, number) for number, pile in enumerate(piles) for box in pile.boxes]
    boxes += [(box, len(piles) + number) for number, row in enumerate(rows) for box in frame_boxes(row.within)]
    others = [name for name in means if name != explained]
    maps = {f"{explained}: mean of {classes[explained]} maps": means[explained]}
    if others:
        count = sum(classes[name] for name in others)
        together = np.sum([means[name] * classes[name] for name in others], axis=0) / count
        maps[f"all other classes: {count} maps"] = together
    most = float(max(values.max() for values in maps.values()))
    panels = [Panel(_mean_map(values / most, boxes), printable(words, 100)) for words, values in maps.items()]
    for name, share, heatmap in piles[0].examples if piles else ():
        small = shrunk(heatmap, WIDE)
        if isinstance(small.image, Image.Image) and isinstance(small.box, Extent):
            where = [Outline("", "", on_photo(box, small.box), colour=colour) for box, colour in boxes]
            panels.append(
                Panel(
                    outlined(small.overlay(), where, None, small.image.size), f"{in_percent(share, 0)}: {printable(name, 60)}"
                )
            )
    said = [str(each) for each in (*piles, *rows)] or [f"{explained}: no region stands out"]
    return side_by_side(panels, "; ".join(said))


def _mean_map(values: Floats, boxes: Sequence[tuple[Shares, int]]) -> Image.Image:
    """A mean map in colours, as shares of the greatest value of all, with boxes outlined, over its legend."""
    frame, size = Extent(0, 0, WIDE, WIDE), (WIDE, WIDE)
    shown = Overlay(np.asarray(values, np.float32), Image.new("RGB", size), frame)
    look = Look.of(shown.values, 1.0, "inferno", (0.0, 1.0))
    picture = drawn(shown, look, DrawingOptions(1.0))
    picture = outlined(picture, [Outline("", "", on_photo(box, frame), colour=n) for box, n in boxes], None, size)
    return with_legend(picture, look, "evidence, of the most anywhere", LETTERS)
