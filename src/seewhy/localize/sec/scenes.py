"""The demo's scenes as a folder to train on: photos, their classes in labels.csv, and masks that only the scoring reads."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.demo.kinds import KINDS
from seewhy.demo.scenes import Scene, scene
from seewhy.progress import shown

from .photos import TABLE

LEARNED, REPORTED = 40_001, 40_007  # seeds of scenes: no network of the demo was trained on either before
TUNED = (40_002, 40_003)  # whose scenes settings were chosen on


class DrawnScene(NamedTuple):
    """A scene, the classes in it, and the truth in each of its pixels."""

    image: Image.Image
    names: tuple[str, ...]
    mask: NDArray[np.uint8]  # (h, w): 0 background, else the kind's place in KINDS plus one


def drawn_scenes(count: int, seed: int) -> Iterator[DrawnScene]:
    """Scenes of a seed; every second one shows objects of two kinds."""
    for place in shown(range(count), count, "drawing scenes", wait=False):
        yield with_truth(scene(place, seed, pair=place % 2 == 1))


def with_truth(drawn: Scene) -> DrawnScene:
    """A scene with its mask of all kinds; where two objects meet, the second lies in front."""
    mask = np.zeros(drawn.mask.shape, np.uint8)
    mask[drawn.mask] = drawn.label + 1
    names = [drawn.name]
    if drawn.other is not None:
        mask[drawn.other_mask] = drawn.other + 1
        names.append(KINDS[drawn.other])
    return DrawnScene(drawn.image, tuple(names), mask)


def write_scenes(folder: Path, count: int, seed: int) -> None:
    """The scenes as PNG with labels.csv, and their masks as PNG of class numbers in the folder `masks`."""
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "label"])
    for place, each in enumerate(drawn_scenes(count, seed)):
        name = f"scene_{place:04}.png"
        for path, picture in ((folder / name, each.image), (folder / "masks" / name, Image.fromarray(each.mask))):
            with replacing(path) as beside:
                picture.save(beside)
        table.writerow([name, "|".join(each.names)])
    with replacing(folder / TABLE) as beside:
        beside.write_text(text.getvalue(), "utf-8")
