"""The demo's panel on segmenting: from raw maps to a network that learned where things are from the classes of scenes alone."""

import json
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from seewhy.api import load
from seewhy.demo import KINDS, SEGMENTER
from seewhy.demo.scenes import scene
from seewhy.localize.sec.predicting import segmented
from seewhy.localize.sec.scenes import with_truth
from seewhy.localize.sec.scoring import labelled
from seewhy.pictures.label_map import labelled_picture

SEED = 20_004  # of the scenes that are shown: no network was trained on them, and none was scored on them


class SegmentedScene(NamedTuple):
    """A scene, and its labels by each way."""

    names: tuple[str, ...]  # of what is in it
    pictures: dict[str, Image.Image]  # by the way: the labels over the scene


class ScoredWays(NamedTuple):
    """How well each way labels pixels, as it was measured when the network was trained."""

    photos: int
    rows: list[dict[str, Any]]  # name, iou, low, high


def scored_ways() -> ScoredWays:
    """The table that was written beside the shipped segmenter."""
    facts = json.loads((SEGMENTER / "scores.json").read_text("utf-8"))
    return ScoredWays(facts["photos"], facts["rows"])


def segmented_scenes(count: int, large: int) -> list[SegmentedScene]:
    """Scenes of two kinds each, and what raw maps, seeds, refined seeds and the trained network say of their pixels.

    large: how many times larger than the scenes the pictures are.
    """
    model, segmenter = load("demo/honest"), load("demo/segmenter")
    return [_segmented(model, segmenter, place, large) for place in range(count)]


def _segmented(model: Any, segmenter: Any, place: int, large: int) -> SegmentedScene:
    drawn = with_truth(scene(place, SEED, pair=True))
    big = drawn.image.resize((drawn.image.width * large, drawn.image.height * large), Image.Resampling.LANCZOS)
    classes = sorted(KINDS.index(name) for name in drawn.names)
    x = next(iter(model.batches([drawn.image]))).x
    own = np.array([0, *(index + 1 for index in classes)], np.uint8)
    ways = {kind: own[labels] for kind, labels in labelled(model, x, np.asarray(drawn.image), classes).items()}
    ways["trained network"] = next(segmented(segmenter, [drawn.image])).label_map
    ways["truth"] = drawn.mask
    pictures = {kind: labelled_picture(labels, KINDS, big, legend=False) for kind, labels in ways.items()}
    return SegmentedScene(drawn.names, {"scene": big, **pictures})
