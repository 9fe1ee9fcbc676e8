"""Which methods find what a network rests on, where that is known because it was planted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.comparison.drift import image_name
from seewhy.errors import BadImage, BadParameter, NotApplicable
from seewhy.images.inputs import PreparedBatch, sort_out
from seewhy.images.photo import read
from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Refused
from seewhy.methods.making.method import Method, explain
from seewhy.metrics.localization.grids import on_grid
from seewhy.metrics.localization.places import measures
from seewhy.metrics.sanity.probe import fitted_head
from seewhy.metrics.verdict.compare import usual_methods, with_controls
from seewhy.metrics.verdict.ranking import CONTROLS, MethodRank, Values, ranked
from seewhy.models.working_copy import copyable
from seewhy.progress import shown
from seewhy.targets.target import Class, PerImage
from seewhy.truth.accuracy import Portion
from seewhy.truth.evidence import object_in

from .marks import KINDS, Square, pasted, place

FEWEST = 12  # photos: half of them are held out
PLACES = 6  # of a mark in each photo that the head is fitted to
USED = 0.9  # of the held-out photos that the head has to answer right, by the mark alone
NEVER = -1e4  # the score of classes that the head does not have
CRITERIA = ("mass", "beyond", "pointing")  # of `measures`: the share on the mark, less the area, is the strongest place on it


class PlantedPhoto(NamedTuple):
    """A photo with each kind of mark at one place, in turn."""

    name: str
    pixels: NDArray[np.uint8]  # (h, w, 3), without a mark
    places: tuple[Square, ...]

    @property
    def at(self) -> Square:
        """The first of the places."""
        return self.places[0]

    def versions(self, places: int = 1) -> list[NDArray[np.uint8]]:
        """The photo with either kind, at so many places."""
        return [pasted(self.pixels, kind, at) for at in self.places[:places] for kind in range(KINDS)]


@dataclass(frozen=True)
class PlantedTruth:
    """Which methods find marks that a head was made to depend on, on held-out photos.

    marked: how many of the held-out photos the head tells by their mark; bare: how many without one, of which each stands for
    both kinds; area: the mean share of what the network sees that a mark takes.
    values: by the measure ("mass": the share of the evidence on the mark; "beyond": that less the area; "pointing") and the
    method, a number for each held-out photo, the mean over its two marks.  examples: the maps of the first of these photos.
    """

    model: str
    layer: str
    fitted: int
    photos: tuple[str, ...]
    marked: Portion
    bare: Portion
    area: float
    values: dict[str, Values]
    seed: int
    failed: tuple[Failed, ...] = ()
    refused: tuple[Refused, ...] = ()
    examples: tuple[Heatmap, ...] = ()

    @property
    def planted(self) -> bool:
        """Does the head rest on the marks?"""
        return self.marked.share >= USED

    @cached_property
    def rankings(self) -> dict[str, tuple[MethodRank, ...]]:
        """By the measure the methods, the best first; nothing where it could not be planted."""
        return {name: ranked(of, "higher", self.seed) for name, of in self.values.items()}

    @property
    def says(self) -> tuple[str, ...]:
        """What came of it, a sentence a line."""
        proof = (
            f"a head fitted to {self.fitted} photos, each with either mark in turn, tells {self.marked} of the held-out photos "
            f"by their mark, and without one {self.bare.share:.0%}, which is chance"
        )
        if not self.planted:
            return (f"Nothing could be planted in {self.model}: {proof}; {USED:.0%} with the mark are asked for.",)
        head = f"Planted in {self.model}: {proof}. A mark takes {self.area:.1%} of the area."
        return (head, *(self._of(row) for row in self.rankings["beyond"] if not row.control))

    def _of(self, row: MethodRank) -> str:
        mass, pointing = (next(r for r in self.rankings[name] if r.method == row.method) for name in ("mass", "pointing"))
        ahead = row.to_random
        found = ahead is not None and ahead.settled and ahead.mean > 0
        tie = "the best" if row.first else "tied with the best" if row.tied else ""
        verdict = "finds it" if found else "cannot be told from a random map"
        return (
            f"{row.method} {verdict}{f', {tie}' if tie else ''}: {mass.mean:.1%} of its evidence lies on the mark "
            f"({mass.low:.1%} to {mass.high:.1%}), and it points at it in {pointing.mean:.0%}."
        )

    def __str__(self) -> str:
        return "\n".join(self.says)

    @property
    def facts(self) -> dict[str, Any]:
        """All but the maps, by name, for JSON."""
        return {
            "model": self.model, "layer": self.layer, "planted": self.planted, "says": list(self.says), "fitted": self.fitted,
            "held_out": len(self.photos), "right_with_mark": self.marked.share, "right_without": self.bare.share,
            "area": self.area, "measures": {name: [row.facts for row in rows] for name, rows in self.rankings.items()},
            "failed": [{"image": left.name, "error": str(left.error)} for left in self.failed],
            "refused": [{"method": left.method, "error": str(left.error)} for left in self.refused],
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)


@known_names("methods")
def planted(
    model: Any, images: Any, methods: Sequence[str | Method[Any]] = (), layer: str | None = None, seed: int = 0
) -> PlantedTruth:  # fmt: skip
    """Which methods find what the network rests on, on this backbone: two kinds of marks are pasted into the photos at
    places by chance, and on a copy of the network the head is fitted anew to tell them, so that the cause is known.

    Each photo is there with either mark at the same places, so nothing else in it tells the two; half of the photos are held
    out.  What the copy gets right there is the proof that it uses the mark.  Their maps explain the class of their mark.

    images: 12 photos or more.  methods: as of `compare`.
    Source: the idea of Lin et al. 2021, What do you see? (planted triggers), Yang & Kim 2019, Benchmarking attribution methods,
    and Hesse et al. 2023, FunnyBirds, here with the user's own network and photos.
    Raises NotApplicable where the scores do not come out of one linear layer with a bias, BadParameter for too few photos.
    """
    owner = copyable(model, "metrics.planted")
    photos, failed = _photos(model, images, seed)
    chosen = with_controls(methods or usual_methods(model, photos[0].pixels))
    fitted, held = photos[: len(photos) // 2], photos[len(photos) // 2 :]
    copy = owner.working_copy(next(iter(model.batches([photos[0].pixels]))).x[:1])
    batches = [batch.x for batch in model.batches([version for photo in fitted for version in photo.versions(PLACES)])]
    head = fitted_head(copy.head_inputs(batches), np.tile(np.arange(KINDS), PLACES * len(fitted)), KINDS)
    width = np.asarray(model.beside(0, 1).answer(batches[0][:1]).scores).shape[1]
    if width < KINDS:
        raise NotApplicable(f"{model.name} has {width} class: a head that tells two kinds of marks needs two.")
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
        for photo in shown(held, len(held), "looking for marks"):
            found.add(photo)
    return PlantedTruth(
        model.name, found.layer, len(fitted), tuple(photo.name for photo in held), marked, without, found.area,
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
        marked = object_in([photo.at.box], None, photo.pixels.shape[:2], True)
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


def _photos(model: Any, images: Any, seed: int) -> tuple[list[PlantedPhoto], list[Failed]]:
    """The photos in an order that the seed draws, each with a place for its marks; those that cannot be read, and why."""
    given = sort_out(images, model.takes_signals)
    if isinstance(given, PreparedBatch):
        raise NotApplicable("Marks are pasted into photos: give paths, PIL images or uint8 arrays, and no prepared batch.")
    rng, found, failed = np.random.default_rng(seed), list[PlantedPhoto](), list[Failed]()
    for number in rng.permutation(len(given)):
        name = image_name(given[number], int(number))
        try:
            pixels = np.asarray(read(given[number]).pixels)
            seen = next(iter(model.batches([pixels]))).boxes[0]
            found.append(PlantedPhoto(name, pixels, tuple(place(seen, rng) for _ in range(PLACES))))
        except (BadImage, NotApplicable) as error:
            failed.append(Failed(int(number), name, error))
    if len(found) < FEWEST:
        why = f" ({failed[0].error})" if failed else ""
        raise BadParameter(f"{len(found)} photos can be marked{why}; {FEWEST} are needed, half of which are held out.")
    return found, failed


def _answers(network: Any, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.intp]:
    """Which kind of mark the network sees in each photo: (n,)."""
    return np.concatenate(
        [np.asarray(network.answer(batch.x).scores)[:, :KINDS].argmax(1) for batch in network.batches(photos)]
    )
