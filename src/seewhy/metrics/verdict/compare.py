"""Which method to believe on one network: all of them on the same photos, criterion by criterion."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from seewhy.arguments import known_names
from seewhy.comparison.drift import image_name
from seewhy.diagnosis.doctor import doctor
from seewhy.errors import BadImage, BadParameter, Misuse, SeewhyError, whole_number
from seewhy.images.inputs import PreparedBatch, sort_out
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Refused
from seewhy.methods.making.method import Method, explain, lookup
from seewhy.metrics.localization.controls import CONTROLS as ALIKE
from seewhy.metrics.localization.controls import control_over
from seewhy.metrics.regional.ask import truth_of
from seewhy.metrics.regional.photos import explained_words
from seewhy.progress import shown, stop_asked
from seewhy.targets.parse import as_targets
from seewhy.targets.target import Class, PerImage, Top
from seewhy.truth.given import GivenTruth, GroundTruth

from .criteria import measured_on
from .grid import GRIDS, PhotoGrids, ShownGrid
from .outcome import ComparedPhoto, MethodComparison, examples_of
from .ranking import CONTROLS, FEASIBLE

USUAL = ("grad-cam", "hires-cam", "layer-cam", "eigen-cam", "gradient", "guided-backprop", "integrated-gradients")
STEPS = 10  # of integrated gradients, where nobody asked for others
SAMPLES = 2  # photos that are shown whatever their numbers


@known_names("methods")
def compare(
    model: Any, images: Any, methods: Sequence[str | Method[Any]] = (), labels: Any = None, boxes: str | Path | None = None,
    masks: str | Path | None = None, target: Any = Top(), layer: str | None = None, budget: float | None = None, seed: int = 0,
    grids: int = GRIDS,
) -> MethodComparison:  # fmt: skip
    """Which of several methods to trust for this model at this layer: each on the same photos, beside a random map and the
    middle of the photo, by deletion, insertion, the head drawn anew, stability, disagreement, completeness, where the object
    lies, grids of photos, and time.

    images: as methods take them; six or more, for fewer tell nothing from chance.
    methods: names or methods; () for the usual ones that work here and what the doctor advises.
    labels: what the photos truly show, as `metrics.evidence` takes it: that class is explained, of photos that have one.
    boxes, masks: a file or a folder that says where the objects are (docs/truth.md); photos are known by their paths.
    target: of all other photos: one, or `PerImage`.  layer: by default the last that still has space.
    budget: seconds, after which no other photo is begun; photos are taken in an order that the seed draws.
    seed: of all that is drawn.
    grids: how many photos are also shown in a grid with three of other classes, of those whose top class has half of the
        probability; a map of a grid costs four maps of a photo.  0 for none.
    A photo that cannot be explained is left out, and named in `failed`; a method that cannot be asked of this model in
    `refused`.  Differences are of the same photos; ties are told by a sign-flip test (Fisher) adjusted by Holm.
    An interrupt (Ctrl-C) ends it with the photos that are done, as `ended` and `says` tell; where none is, it is raised.
    Raises BadParameter where nothing can be compared, and the first error where all photos failed.
    """
    comparing = Comparing(model, images, methods, labels, boxes, masks, target, layer, seed, grids)
    try:
        for _ in shown(comparing.read(budget), len(comparing.order), "comparing"):
            pass
    except KeyboardInterrupt:
        if not comparing.photos:
            raise
        comparing.stop()
    return comparing.outcome()


class Comparing:
    """A comparison that is going on, photo by photo.  Arguments are those of `compare`."""

    def __init__(
        self, model: Any, images: Any, methods: Sequence[str | Method[Any]] = (), labels: Any = None,
        boxes: str | Path | None = None, masks: str | Path | None = None, target: Any = Top(), layer: str | None = None,
        seed: int = 0, grids: int = GRIDS,
    ) -> None:  # fmt: skip
        if not isinstance(target, PerImage) and len(as_targets(target, model.labels)) != 1:
            raise BadParameter("Methods are compared on one map of each photo: give one target, or PerImage([...]).")
        self.model, self.layer, self.seed = model, layer, seed
        self.images = sort_out(images, model.takes_signals)
        count = len(self.images.x) if isinstance(self.images, PreparedBatch) else len(self.images)
        self.names = [self._name(place) for place in range(count)]
        self.order = [int(place) for place in np.random.default_rng(seed).permutation(count)]
        self.methods = with_controls(methods or self._usual())
        classes = truth_of(labels, self.names, model.labels)
        self.targets = [
            Class(classes[name][0]) if classes.get(name) else target.of(place) if isinstance(target, PerImage) else target
            for place, name in enumerate(self.names)
        ]
        given = GivenTruth.read(None, None if boxes is None else Path(boxes), None if masks is None else Path(masks))
        self.truth: GroundTruth = given.of(self.names, model.labels)
        self.grids = PhotoGrids(model, self._image, layer, whole_number(grids, "grids", 0, FEASIBLE), seed)
        self.photos: list[ComparedPhoto] = []
        self.failed: list[Failed] = []
        self.refused: dict[str, Refused] = {}
        self.notes: dict[str, int] = dict.fromkeys(self.truth.remarks, 0)
        self.ended, self.at, self.warm = "", "", False
        self.start = perf_counter()

    def read(self, budget: float | None = None) -> Iterator[int]:
        """Measure the photos one after the other, until all are done, the time is over, or a person stops it; gives each
        one's place.
        """
        if budget is not None and not 0 < budget < float("inf"):
            raise BadParameter(f"budget={budget}: give a number of seconds above 0, or None for all photos.")
        self.start = perf_counter()
        for done, place in enumerate(self.order):
            elapsed, of = perf_counter() - self.start, len(self.order)
            if stop_asked():
                self.stop()
            elif budget is not None and done and elapsed >= budget:
                self.ended = f"The time was over ({elapsed:.0f} of {budget:.0f} s) after {done} of {of} photos."
            if self.ended:
                return
            try:
                self._read(place)
            except KeyboardInterrupt:
                if not stop_asked():
                    raise
                self.stop()
                return
            except SeewhyError as error:
                self.failed.append(Failed(place, self.names[place], error))
            yield place

    def stop(self) -> None:
        """Say that a person stopped it; what is done stays."""
        self.ended = f"It was stopped after {len(self.photos) + len(self.failed)} of {len(self.order)} photos."

    def _read(self, place: int) -> None:
        """Measure one photo by all criteria.  Raises what is wrong with the photo."""
        image, target = self._image(place), self.targets[place]
        if not self.warm:
            self._warm_up(place)
        maps, seconds = self._maps(place)
        methods = [method for method in self.methods if method.name in maps]
        found, why = measured_on(self.model, image, self.names[place], maps, methods, target, self.layer, self.truth, self.seed)
        for criterion, reason in why.items():
            self.notes[f"{criterion}: {reason}"] = self.notes.get(f"{criterion}: {reason}", 0) + 1
        source = next(iter(maps.values())).source
        layers = [each.source.layer for method, each in maps.items() if lookup(method).layered and method not in CONTROLS]
        self.at = self.at or next(iter(layers), "")
        found |= {(method, "seconds"): each for method, each in seconds.items()}
        self.photos.append(ComparedPhoto(self.names[place], place, explained_words(source, self.model.labels), found))
        self.grids.see(place)
        for of, shares in self.grids.play(self.methods).items():
            values = next(photo.values for photo in self.photos if photo.place == of)
            values |= {(method, "grid"): share for method, share in shares.items()}

    def _warm_up(self, place: int) -> None:
        """Find out on one photo which methods can be asked of the model, and what holds for all photos, the time uncounted.

        Raises what is wrong with the photo, the first refusal where all methods are refused.
        """
        own = [method for method in self.methods if method.name not in CONTROLS]
        found = explain(self.model, self._image(place), own, self.targets[place], self.layer, on_error="skip")
        if not found.maps and found.failed:
            raise found.failed[0].error
        self.refused = {left.method: left for left in found.refused}
        kept = [method for method in own if method.name not in self.refused]
        for control in (method for method in self.methods if method.name in CONTROLS):
            with suppress(Misuse):  # a function has no layers, of which these take their size
                explain(self.model, self._image(place), [control], self.targets[place], self.layer)
                kept.append(control)
        self.methods, self.warm = kept, True

    def _maps(self, place: int) -> tuple[dict[str, Heatmap], dict[str, float]]:
        """The maps of one photo, and the time that each took.  Raises the photo's error where no method made one."""
        maps, seconds, errors = dict[str, Heatmap](), dict[str, float](), list[Exception]()
        for method in self.methods:
            start = perf_counter()
            try:
                found = explain(self.model, self._image(place), [method], self.targets[place], self.layer)
            except SeewhyError as error:
                errors.append(error)
                continue
            if len(found) != 1:
                raise BadParameter(f"Methods are compared on one map of a photo, and {method.name} gave {len(found)}.")
            maps[method.name], seconds[method.name] = replace(found[0], place=0), perf_counter() - start
        if not any(method not in CONTROLS for method in maps):
            raise errors[0]
        first = next(iter(maps.values()))
        for name, kind in zip(CONTROLS, ALIKE, strict=True):
            if name not in {method.name for method in self.methods}:
                values = control_over(kind, first.values.shape, place)
                source = replace(first.source, method=name, measured={})
                maps[name] = replace(first, values=values, source=source, cells=None, channels=None, error=None, regions=None)
        return maps, seconds

    def outcome(self) -> MethodComparison:
        """What came of it so far.  Raises the first error where no photo was measured."""
        if not self.photos:
            raise self.failed[0].error if self.failed else BadParameter(self.ended or "No photo was compared.")
        count = len(self.photos)
        examples, boards = dict[int, dict[str, Heatmap]](), dict[int, ShownGrid]()
        found = MethodComparison(
            self.model.name, self.at, self._costs(), tuple(self.photos),
            len(self.order), self.seed, perf_counter() - self.start, tuple(self.failed), tuple(self.refused.values()),
            (*(f"{note} ({often} of {count} photos)" if often else note for note, often in self.notes.items()),
             *self.grids.notes), self.ended, examples, boards,
        )  # fmt: skip
        wanted = examples_of(found, SAMPLES)
        in_grids = wanted.pop("grid", [])
        with suppress(KeyboardInterrupt):  # numbers are not given up for pictures
            for place in dict.fromkeys(place for places in wanted.values() for place in places):
                examples[place] = self._maps(place)[0]
            for place in in_grids:
                boards[place] = self.grids.asked(place, self.methods)
        return found

    def _costs(self) -> dict[str, str]:
        """What each method costs, in words, the controls last."""
        every = {method.name: method.cost for method in self.methods}
        return {**every, **{name: every.get(name, "nothing") for name in CONTROLS}}

    def _usual(self) -> list[Method[Any]]:
        for place in self.order[:-1]:
            with suppress(BadImage):  # which is left out, and named, when its turn comes
                return usual_methods(self.model, self._image(place))
        return usual_methods(self.model, self._image(self.order[-1]))

    def _image(self, place: int) -> Any:
        return PreparedBatch(self.images.x[place : place + 1]) if isinstance(self.images, PreparedBatch) else self.images[place]

    def _name(self, place: int) -> str:
        return f"image {place}" if isinstance(self.images, PreparedBatch) else image_name(self.images[place], place)


def usual_methods(model: Any, image: Any) -> list[Method[Any]]:
    """The usual methods, and the one that the doctor advises for this image."""
    advised = doctor(model, image).method
    named = [*USUAL, *([advised] if advised and advised not in USUAL else [])]
    return [lookup(name, {"steps": STEPS} if name == "integrated-gradients" else {}) for name in named]


def with_controls(methods: Sequence[str | Method[Any]]) -> list[Method[Any]]:
    """The methods and the controls.  Raises BadParameter where one is there twice, by its name."""
    own = [lookup(each) for each in methods]
    if own and all(method.name in CONTROLS for method in own):
        raise BadParameter(
            f"{' and '.join(CONTROLS)} stand beside all methods as controls: name a method to compare with them."
        )
    every = [*own, *(lookup(name) for name in CONTROLS if name not in {method.name for method in own})]
    names = [method.name for method in every]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadParameter(f"{twice} is among the methods twice: compare it with other settings in another call.")
    return every
