"""What a map is measured on: one image, one pinned target, one model, and the scores of any changed images."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, described, numbers, softmax
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.batching import Collector, batched
from seewhy.explaining.case import Case
from seewhy.explaining.findings import answering_for, here, kind_of, view_of
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.images.places import Cells, Extent, Turned, Where
from seewhy.images.resample import resized, spread
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.source import Source
from seewhy.methods.making.baseline import baseline
from seewhy.methods.making.budget import Budget
from seewhy.methods.making.probe import Made, Probe
from seewhy.methods.segment import labelled
from seewhy.models.model import Model, Scorer, require
from seewhy.pictures.stretching import stretch
from seewhy.prepare.batch import Batch, in_frames
from seewhy.printable import printable
from seewhy.remaking.question import target_of
from seewhy.targets.aim import Pinned, PinnedAim
from seewhy.targets.parse import Targets, as_targets, read
from seewhy.targets.target import PerImage, Top

Map = Heatmap | NDArray[Any]  # an array (*space) lies over all that the network sees
MakeVariants = Callable[[range], Floats]  # the numbers of some variants -> these images (m, c, *space)
LINKS: dict[str, Callable[[Floats], Floats]] = {  # from scores (m, k) to what may be their probabilities
    "as they are": lambda scores: scores,
    "softmax": softmax,
    "sigmoid": lambda scores: 1 / (1 + np.exp(-np.clip(scores, -500, 500))),
    "exp": lambda scores: np.exp(np.minimum(scores, 500)),
}


class VariantScores(NamedTuple):
    """What the network gave for m variants of an image."""

    scores: NDArray[np.float64]  # (m,) the explained scores
    probabilities: NDArray[np.float64]  # (m,) of the explained class; of what has none the scores


class Subject:
    """One prepared image, one target that was pinned on it, and the model that answers for changed images.

    x: (c, *space); score, probability: of the untouched image, the latter the score where the target has none.
    reads: what `probabilities` are, in words: "probability", or why there is none.
    index: of the explained class, of `classes`; None of a target that is no single class.  An aim's number is the only one.
    model: that methods are asked with, and `pinned` the target to ask them for, which no change of the image changes.
    aim: what an aim, such as a region, means on the image; None of classes and units.
    name: of the image; place: among all images; target: in words.
    `subjects` makes it, and it lives as long as the network is ready for it: until the next is asked for.
    """

    def __init__(
        self, model: Any, case: Case, scorer: Scorer, batch: Batch, place: int, target: Any, seed: int = 0,
        aim: Pinned | None = None,
    ) -> None:  # fmt: skip
        self.model, self.case, self.scorer, self.seed, self.aim = model, case, scorer, seed, aim
        self.target, self.place, self.name, self.box = str(target), place, batch.names[0], batch.boxes[0]
        self._probe = Probe(case, 0, scorer, Budget(), None, "measuring")
        self.x: Floats = self._probe.x
        answer, weights = case.pinned
        self.score = float(self._probe.y[0])
        row: Floats = weights[0, 0]
        self.classes, self.index = len(row), _class_of(row)
        self.pinned: Any = PinnedAim(aim) if aim is not None else target
        if aim is None and kind_of(target) is None:
            self.pinned = lambda scores: np.repeat(row[None], len(scores), 0)
        self._link, self.reads = _link(answer, self.index, case.model.explains)
        self.probability = float(self._read(answer.scores[:1], np.array([self.score])).probabilities[0])
        self._known: dict[Hashable, VariantScores] = {}
        self._fills: dict[Hashable, Floats] = {}

    @property
    def space(self) -> tuple[int, ...]:
        return self.x.shape[1:]

    @property
    def forwards(self) -> int:
        """How many variants the network was asked for so far, beside the untouched image."""
        return self._probe.budget.spent

    def asked(self, variants: int, make: MakeVariants, key: Hashable = None) -> VariantScores:
        """The scores of so many variants, some of which are made at a time: `make(range)` gives them (m, c, *space).

        key: what tells these variants from all others of this image; asked for under it again, nothing runs.
        Raises what the network fails with.
        """
        if key is not None and key in self._known:
            return self._known[key]
        parts: list[VariantScores] = []

        def ask(images: Any) -> Floats:
            scores = self.scorer(images)
            parts.append(self._read(np.asarray(scores, np.float64), self._probe.explained(scores)[:, 0]))
            return scores

        for _ in self._probe.scored(variants, lambda of: Made(None, (self.scorer.array(make(of)),)), ask):
            pass
        if self._probe.failure is not None:
            raise self._probe.failure
        if sum(len(part.scores) for part in parts) < variants:
            raise KeyboardInterrupt  # asked for while it ran, and nothing can be told from some of the variants
        found = VariantScores(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        if key is not None:
            self._known[key] = found
        return found

    def scores(self, variants: Floats) -> NDArray[np.float64]:
        """The explained scores (m,) of variants (m, c, *space)."""
        return self.asked(len(variants), lambda of: variants[of.start : of.stop]).scores

    def probabilities(self, variants: Floats) -> NDArray[np.float64]:
        """The probabilities (m,) of the explained class in variants (m, c, *space), or of what has none the scores."""
        return self.asked(len(variants), lambda of: variants[of.start : of.stop]).probabilities

    def fill(self, choice: Any) -> Floats:
        """What lies where something is hidden: (c, *space), by a name such as "blur", "mean", "zero", "black"; a number, an
        image, all that methods take as `fill`; or "noise": normal, of the mean and the spread of each channel of the image.
        """
        key = described(choice)
        if key not in self._fills:
            noise = isinstance(choice, str) and choice == "noise"
            found = self._noise() if noise else baseline(self.case, choice, "measuring: the fill")[0]
            self._fills[key] = np.broadcast_to(found, self.x.shape)
        return self._fills[key]

    def _noise(self) -> Floats:
        axes = tuple(range(1, self.x.ndim))
        drawn = self.rng("fill").standard_normal(self.x.shape)
        return (self.x.mean(axes, keepdims=True) + self.x.std(axes, keepdims=True) * drawn).astype(self.x.dtype)

    def segments(self, how: Any) -> NDArray[np.intp]:
        """The number of each place's segment, from 0 on: (*space).  how: as methods take `segments`: "grid:8", "slic"."""
        return labelled(self._probe, how, self.seed)

    def rng(self, what: str = "") -> np.random.Generator:
        """A generator of random numbers that depends on the seed and on what is drawn, and on no other image."""
        return np.random.default_rng([self.seed, *what.encode()])

    def order(self, values: Floats) -> NDArray[np.intp]:
        """The places of a map (*space), counted row by row, from its highest value to its lowest.

        Those of equal value come in an order that the seed draws, so that a map that is the same everywhere is at chance.
        """
        flat = np.asarray(values, np.float64).reshape(-1)
        drawn = self.rng("order").permutation(flat.size)
        return drawn[np.argsort(-flat[drawn], kind="stable")]

    def on_grid(self, shown: Map) -> NDArray[np.float64]:
        """A map on the prepared image's own grid, signed: (*space), linear between the centres of its cells."""
        if isinstance(shown, Heatmap):
            return self._laid(shown.values, shown.box, shown.cells, resized)
        return self._laid(numbers(shown), None, None, resized)

    def shares(self, shown: Map) -> NDArray[np.float64]:
        """What a map says that each place adds to the score: (*space), signed, with the sum of the map's own cells.

        Of a method that reads the pixels the sum over the channels, whatever its map shows of them.
        """
        if isinstance(shown, Heatmap):
            values = shown.values if shown.channels is None else shown.channels.sum(0, dtype=np.float64)
            return self._laid(values, shown.box, shown.cells, spread)
        return self._laid(numbers(shown), None, None, spread)

    def _laid(self, values: Floats, box: Where | None, cells: Cells | None, lay: Callable[..., Floats]) -> NDArray[np.float64]:
        space, own = self.space, self.box
        if values.ndim != len(space) or not values.size:
            raise BadParameter(
                f"A map of {values.shape} cannot lie on the prepared image, which is {space}: give a Heatmap of it, or an "
                "array with as many axes, over all that the network sees."
            )
        if box is not None and isinstance(own, Turned):  # the map lies on the photo as it is, not as the network saw it
            own, box, values = _across(own.extent), _across(box), values.swapaxes(0, 1)
            cells = cells and Cells(cells.first[::-1], cells.stride[::-1], cells.size[::-1], cells.sights[::-1])
        if box is None or isinstance(own, Turned) or _alike(box, own):
            return np.asarray(lay(np.asarray(values, np.float64), space, cells), np.float64)
        if not isinstance(box, Extent) or not isinstance(own, Extent) or lay is spread:
            raise NotApplicable(f"{printable(self.name, 200)}: the map lies on another part of it than this model sees.")
        height, width = space
        across, down = (width / (own.right - own.left), height / (own.bottom - own.top))
        left, right = ((edge - own.left) * across for edge in (box.left, box.right))
        top, bottom = ((edge - own.top) * down for edge in (box.top, box.bottom))
        return stretch(values, Extent(left, top, right, bottom), (width, height), cells).astype(np.float64)

    def _read(self, scores: Floats, explained: NDArray[np.float64]) -> VariantScores:
        if self._link is None:
            return VariantScores(explained, explained)
        return VariantScores(explained, np.asarray(LINKS[self._link](scores)[:, self.index], np.float64))


def _across(box: Where) -> Any:
    return Extent(box.top, box.left, box.bottom, box.right) if isinstance(box, Extent) else box


def _alike(box: Where, own: Where) -> bool:
    if isinstance(box, Extent) and isinstance(own, Extent):
        return bool(np.allclose(box, own, rtol=0, atol=1e-3))
    return box == own


def _class_of(row: Floats) -> int | None:
    """The class that weights (k,) of the scores single out; None where they do not."""
    (classes,) = row.nonzero()
    return int(classes[0]) if len(classes) == 1 and row[classes[0]] == 1 else None


def _link(answer: Any, index: int | None, explains: str) -> tuple[str | None, str]:
    """How the probability of the class follows from the scores, a key of LINKS, and what is read, in words."""
    chances = answer.probabilities
    if index is None:
        return None, "score: the target is no single class, so it has no probability"
    if explains == "probability":
        return "as they are", "probability"
    if chances is None or chances.shape != answer.scores.shape:
        return None, f"score ({explains}): it is not known what its probability is"
    for name, link in LINKS.items():
        if np.allclose(link(np.asarray(answer.scores, np.float64)), chances, rtol=1e-3, atol=1e-6):
            return name, "probability"
    return None, f"score ({explains}): how its probability follows from the scores is not known"


def subjects(
    model: Model, images: Images, maps: Iterable[Map], target: Targets | None = None, seed: int = 0, fast: bool = False
) -> Iterator[tuple[Subject, list[int]]]:
    """The subject of each image and target that maps are of, with the places of these maps among all.

    images: those that were explained, as methods take them; maps: Heatmaps, in any order, each of the image at its `place`; or
        an array for each image.
    target: what is asked of all maps; None: of each Heatmap what it explains (of one that looks at no class what was asked
        for), of arrays the top class.
    fast: a copy of the network answers, with channels last and BatchNorm folded, where that leaves scores to rounding.
    Each subject lives until the next is asked for.
    Raises BadParameter where maps and images do not belong together, NotApplicable of a map that tiles were joined to.
    """
    require(model, "scores")
    listed = list(maps)
    sorted_out = in_frames(sort_out(images, model.takes_signals), model.prepare)
    total = len(sorted_out.x) if isinstance(sorted_out, PreparedBatch) else len(sorted_out)
    by_place: dict[int, dict[Hashable, tuple[Any, list[int]]]] = {}
    for number, shown in enumerate(listed):
        place = shown.place if isinstance(shown, Heatmap) else number
        if place >= total:
            raise BadParameter(f"Map {number} is of image {place}, and there are {total}: give the images that were explained.")
        asked = _question(model, shown, target, place)
        key = type(asked), str(asked), getattr(asked, "index", None)
        by_place.setdefault(place, {}).setdefault(key, (asked, []))[1].append(number)
    if not listed:
        raise BadParameter("There are no maps to measure.")
    model.fit(total)
    for first, batch in batched(model, sorted_out, False, Collector("raise", total)):
        with model.unchanged(), _Lender(fast) as lender:
            questions = [
                (_Asked.of(model, batch.part(i, i + 1), first + i, asked), which)
                for i in range(len(batch.x))
                for asked, which in by_place.get(first + i, {}).values()
            ]
            for each, which in questions:  # all of which were answered before a scorer stands ready
                scorer = lender.scorer(each.case)
                yield Subject(each.beside, each.case, scorer, each.batch, each.place, each.target, seed, each.aim), which


class _Asked(NamedTuple):
    """One question of one image, with the network's answer for it."""

    case: Case
    batch: Batch  # of the image alone
    place: int
    target: Any
    beside: Any  # the model that methods are asked with
    aim: Pinned | None

    @classmethod
    def of(cls, model: Any, batch: Batch, place: int, asked: Any) -> "_Asked":
        answering, together, pinned = answering_for(model, batch, place, kind_of(asked), [here(asked, place, 1)])
        if answering.no_classes and kind_of(asked) is None:
            raise NotApplicable(answering.no_classes)
        case = Case(answering, batch.x, together, shared=(), photo=batch.network_view, view=lambda i: view_of(batch, model, i))
        case.pinned  # noqa: B018 - asked now
        aim = pinned[0] if pinned else None
        return cls(case, batch, place, aim.target if aim else asked, model.beside(place, 1), aim)


class _Lender(ExitStack):
    """Lends the scorer of a model: the same one, as long as the same model is asked for."""

    def __init__(self, fast: bool) -> None:
        super().__init__()
        self.fast, self.lent, self.key = fast, None, None

    def scorer(self, case: Case) -> Any:
        key = case.model, case.pinned[0].normalised
        if self.key != key:
            self.close()
            self.lent, self.key = self.enter_context(case.model.scoring(case.x, case.pinned[0], self.fast or None)), key
        return self.lent


def _question(model: Any, shown: Map, target: Targets | None, place: int) -> Any:
    """The one target that a map is measured by."""
    if isinstance(shown, Heatmap) and shown.source.tile:
        raise NotApplicable(
            f"{printable(shown.source, 300)} was joined from tiles, and the network never saw the image as a whole: measure a "
            "map that was made without tile=."
        )
    if target is None:
        target = _asked_by(shown.source, model.labels) if isinstance(shown, Heatmap) else Top()
    several: Sequence[Any] = as_targets(target, model.labels)
    if len(several) != 1:
        raise BadParameter(f"{len(several)} targets are given: a map is measured by one. PerImage(...) has one for each image.")
    return several[0].of(place) if isinstance(several[0], PerImage) else several[0]


def _asked_by(source: Source, labels: Any) -> Any:
    """The target of a map; of one that looks at no class the one that was asked for."""
    return read(source.target, labels)[0] if source.score is None else target_of(source, labels)
