"""Which methods find what a network rests on, where that is known because it was planted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.comparison.drift import image_name
from seewhy.errors import BadImage, BadParameter, NoSuchName, NotApplicable, closest
from seewhy.images.inputs import PreparedBatch, sort_out
from seewhy.images.photo import read
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Refused
from seewhy.methods.making.method import Method, explain
from seewhy.metrics.localization.grids import on_grid
from seewhy.metrics.localization.places import measures
from seewhy.metrics.sanity.probe import fitted_head
from seewhy.metrics.verdict.compare import usual_methods, with_controls
from seewhy.metrics.verdict.ranking import CONTROLS, Values
from seewhy.models.working_copy import copyable
from seewhy.progress import shown
from seewhy.targets.target import Class, PerImage
from seewhy.truth.accuracy import Portion
from seewhy.truth.evidence import object_in
from seewhy.truth.given import GivenTruth

from .marks import KINDS, PLANTINGS, Planting
from .outcome import USED, PlantedTruth
from .spots import Spot

FEWEST = 12  # photos: half of them are held out
SPOTS = 6  # in each photo that the head is fitted to
NEVER = -1e4  # the score of classes that the head does not have
CRITERIA = ("mass", "beyond", "pointing")  # of `measures`: the share on the spot, less the area, is the strongest place on it


class PlantedPhoto(NamedTuple):
    """A photo with each kind of what is planted in it, in turn."""

    name: str
    pixels: NDArray[np.uint8]  # (h, w, 3), with nothing planted
    spots: tuple[Spot, ...]
    planting: Planting

    def versions(self, spots: int = 1) -> list[NDArray[np.uint8]]:
        """The photo with either kind, at so many spots."""
        return [self.planting.painted(self.pixels, kind, spot) for spot in self.spots[:spots] for kind in range(KINDS)]


@known_names("methods")
def planted(
    model: Any, images: Any, methods: Sequence[str | Method[Any]] = (), layer: str | None = None, seed: int = 0,
    what: str = "marks", boxes: str | Path | None = None,
) -> PlantedTruth:  # fmt: skip
    """Which methods find what the network rests on, on this backbone: one of two kinds is planted into the photos, and on a
    copy of the network the head is fitted anew to tell them, so that the cause is known.

    Each photo is there with either kind at the same places, so nothing else in it tells the two; half of the photos are held
    out.  What the copy gets right there is the proof that it uses what was planted.  Maps explain the class of the kind.

    images: 12 photos or more.  methods: as of `compare`.
    what: "marks" (rings or checks, pasted at places by chance), "patches" (stripes at places by chance, level or upright, of
        the photo's own colour there), "backgrounds" (all around the object under coarse orange grains or fine blue ones).
    boxes: a file or a folder that says where the objects are (docs/truth.md), for backgrounds; photos are known by their paths.
        Of those that have none, the middle is kept as it is.
    Source: the idea of Lin et al. 2021, What do you see? (planted triggers), Yang & Kim 2019, Benchmarking attribution methods,
    and Hesse et al. 2023, FunnyBirds, here with the user's own network and photos.
    Raises NotApplicable where the scores do not come out of one linear layer with a bias, BadParameter for too few photos,
    NoSuchName for what cannot be planted.
    """
    if what not in PLANTINGS:
        raise NoSuchName("planting", what, closest(str(what), [*PLANTINGS]), f"There are: {', '.join(PLANTINGS)}.")
    owner = copyable(model, "metrics.planted")
    photos, failed = _photos(model, images, PLANTINGS[what], boxes, seed)
    chosen = with_controls(methods or usual_methods(model, photos[0].pixels))
    fitted, held = photos[: len(photos) // 2], photos[len(photos) // 2 :]
    copy = owner.working_copy(next(iter(model.batches([photos[0].pixels]))).x[:1])
    batches = [batch.x for batch in model.batches([version for photo in fitted for version in photo.versions(SPOTS)])]
    head = fitted_head(copy.head_inputs(batches), np.tile(np.arange(KINDS), SPOTS * len(fitted)), KINDS)
    width = np.asarray(model.beside(0, 1).answer(batches[0][:1]).scores).shape[1]
    if width < KINDS:
        raise NotApplicable(f"{model.name} has {width} class: a head that tells two kinds needs two.")
    weight, bias = np.zeros((width, head.weight.shape[1])), np.full(width, NEVER)
    weight[:KINDS], bias[:KINDS] = head.weight, head.bias
    copy.set_head(weight, bias)
    network = copy.model
    kinds = np.arange(KINDS)
    right = sum(int((_answers(network, photo.versions()) == kinds).sum()) for photo in held)
    bare = sum(int((_answers(network, [photo.pixels]) == kinds).sum()) for photo in held)
    marked, without = (Portion(count, KINDS * len(held)) for count in (right, bare))
    found = _Found(network, chosen, layer)
    if marked.share >= USED:
        for photo in shown(held, len(held), f"looking for {what}"):
            found.add(photo)
    return PlantedTruth(
        model.name, what, found.layer, len(fitted), tuple(photo.name for photo in held), marked, without, found.area,
        found.values, seed, tuple(failed), tuple(found.refused.values()), found.examples,
    )  # fmt: skip


class _Found:
    """What the methods find on the held-out photos, one after the other."""

    def __init__(self, network: Any, methods: list[Method[Any]], layer: str | None) -> None:
        self.network, self.methods, self.asked, self.layer = network, methods, layer, ""
        self.refused: dict[str, Refused] = {}
        self.areas = list[float]()
        self.rows = dict[str, list[dict[str, float]]]()
        self.examples: tuple[Heatmap, ...] = ()

    def add(self, photo: PlantedPhoto) -> None:
        targets = PerImage([Class(kind) for kind in range(KINDS)])
        found = explain(self.network, photo.versions(), self.methods, targets, self.asked, on_error="skip")
        self.refused |= {left.method: left for left in found.refused}
        marked = object_in(None, photo.spots[0].marked(photo.pixels), photo.pixels.shape[:2], True)
        for method in dict.fromkeys(heatmap.source.method for heatmap in found.maps):
            both = [measures(on_grid(each), each.box, marked) for each in found.where(method=method).maps]
            self.rows.setdefault(method, []).append({name: float(np.mean([of[name] for of in both])) for name in CRITERIA})
            self.areas.append(both[0]["mass"] - both[0]["beyond"])
        layered = {method.name for method in self.methods if method.layered and method.name not in CONTROLS}
        self.layer = self.layer or next((m.source.layer for m in found.maps if m.source.method in layered), "")
        self.examples = self.examples or found.maps

    @property
    def area(self) -> float:
        return float(np.mean(self.areas)) if self.areas else 0.0

    @property
    def values(self) -> dict[str, Values]:
        return {
            name: {method: np.array([row[name] for row in rows]) for method, rows in self.rows.items()} for name in CRITERIA
        } if self.rows else {}  # fmt: skip


def _photos(
    model: Any, images: Any, planting: Planting, boxes: str | Path | None, seed: int
) -> tuple[list[PlantedPhoto], list[Failed]]:
    """The photos in an order that the seed draws, each with its spots; those that cannot be used, and why."""
    given = sort_out(images, model.takes_signals)
    if isinstance(given, PreparedBatch):
        raise NotApplicable("Only photos can be planted in: give paths, PIL images or uint8 arrays, and no prepared batch.")
    names = [image_name(each, number) for number, each in enumerate(given)]
    truth = GivenTruth.read(None, None if boxes is None else Path(boxes)).of(names, model.labels)
    rng, found, failed = np.random.default_rng(seed), list[PlantedPhoto](), list[Failed]()
    for number in rng.permutation(len(given)):
        name = names[number]
        try:
            photo = read(given[number]).pixels
            seen = next(iter(model.batches([np.asarray(photo)]))).boxes[0]
            mark = truth.box_mark(name, photo, [])
            box = None if mark is None or not mark.boxes else around(mark.boxes)
            spots = tuple(planting.spot(seen, rng, box) for _ in range(SPOTS))
            found.append(PlantedPhoto(name, np.asarray(photo), spots, planting))
        except (BadImage, NotApplicable, BadParameter) as error:
            failed.append(Failed(int(number), name, error))
    if len(found) < FEWEST:
        why = f" ({failed[0].error})" if failed else ""
        raise BadParameter(f"{len(found)} photos can be planted in{why}; {FEWEST} are needed, half of which are held out.")
    return found, failed


def around(boxes: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    """The least box that holds all of them."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _answers(network: Any, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.intp]:
    """Which kind the network sees in each photo: (n,)."""
    return np.concatenate(
        [np.asarray(network.answer(batch.x).scores)[:, :KINDS].argmax(1) for batch in network.batches(photos)]
    )
