"""Many maps of many images measured by several metrics at once, beside maps that never saw an image."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.images.inputs import Images
from seewhy.maps.heatmap import Heatmap
from seewhy.models.model import Model
from seewhy.printable import in_percent
from seewhy.progress import shown
from seewhy.targets.parse import Targets
from seewhy.truth.accuracy import Portion

from .localization.controls import CONTROLS, control_over
from .localization.records import ControlScore
from .localization.resampling import middle, resampled
from .metric import BetterWhen, Metric, metric_named
from .subject import Map, subjects

PROBABILITY = "probability"


@dataclass(frozen=True)
class MetricScore:
    """One metric over the photos of a set.

    value: its mean over photos; interval: where, with 95 % confidence, it lies among all photos of which these were drawn; NaN
        of a single photo, which tells none.
    better: which values are better.  images: the photos that it is of; those where it is not defined are left out.
    controls: the same of maps that never saw the photo; `ahead` is above zero where the maps are better.
    reads: the numbers that were read of the network: "probability", or in words what else.
    percent: it lies between 0 and 1, and is printed in per cent.
    """

    name: str
    value: float
    interval: tuple[float, float]
    images: int
    better: BetterWhen
    controls: tuple[ControlScore, ...] = ()
    reads: str = PROBABILITY
    percent: bool = True

    def __str__(self) -> str:
        beside = [f"{each.name} {self._shown(each.value)} ({self._span(each.interval)})" for each in self.controls]
        head = f"{self.name}: {self._shown(self.value)} ({self._span(self.interval)}), {self.better} is better"
        read = [] if self.reads == PROBABILITY else [f"read: {self.reads}"]
        return "; ".join([head, f"{self.images} photo{'s' * (self.images != 1)}", *beside, *read])

    def facts(self) -> dict[str, Any]:
        """All of it under plain names, for a row of CSV or an object of JSON."""
        facts: dict[str, Any] = {"metric": self.name, "better": self.better, "value": self.value, "low": self.interval[0],
                                 "high": self.interval[1], "images": self.images}  # fmt: skip
        for each in self.controls:
            facts |= {each.name: each.value, f"{each.name}_low": each.interval[0], f"{each.name}_high": each.interval[1],
                      f"{each.name}_ahead_low": each.ahead[0], f"{each.name}_ahead_high": each.ahead[1]}  # fmt: skip
        return {**facts, "reads": self.reads}

    def cells(self) -> list[str]:
        """What a table has of it: value, interval, photos, and each control with its interval."""
        beside = {each.name: f"{self._shown(each.value)} ({self._span(each.interval)})" for each in self.controls}
        return [self.name, self.better, self._shown(self.value), self._span(self.interval), str(self.images),
                *(beside.get(name, "-") for name in CONTROLS)]  # fmt: skip

    def _shown(self, value: float) -> str:
        return in_percent(value) if self.percent else f"{value:.3g}"

    def _span(self, interval: tuple[float, float]) -> str:
        low, high = interval
        if np.isnan(low):
            return "no interval"
        return f"{100 * low:.1f} to {100 * high:.1f}" if self.percent else f"{low:.3g} to {high:.3g}"


@dataclass(frozen=True, eq=False)
class Measurements:
    """What `measure` found: metrics of maps, and the same of the controls on the same images.

    values: by the title of a metric (n,), in the order of the maps; NaN where it is not defined.
    controls: by the name of a control, then as `values`.
    names, places: of the image of each map; methods: that made it, "" of an array; targets: by which it was measured;
    reads: what the network's numbers are for it: "probability", or in words why there is none.
    forwards: of the network, for all of it, beside one for each image and target.
    """

    metrics: tuple[Metric[...], ...]
    values: Mapping[str, NDArray[np.float64]] = field(repr=False)
    controls: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    places: tuple[int, ...] = field(repr=False)
    methods: tuple[str, ...] = field(repr=False)
    targets: tuple[str, ...] = field(repr=False)
    reads: tuple[str, ...] = field(repr=False)
    forwards: int = 0

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, name: "str | Metric[...]") -> NDArray[np.float64]:
        """The values (n,) of a metric, by its title or as it was asked for."""
        title = name.title if isinstance(name, Metric) else name
        found = [m.title for m in self.metrics if title == m.title] or [m.title for m in self.metrics if title == m.name]
        if not found:
            titles = [each.title for each in self.metrics]
            raise NoSuchName("metric", title, closest(title, titles), f"Measured were: {', '.join(titles)}.")
        return self.values[found[0]]

    def __add__(self, more: "Measurements") -> "Measurements":
        """These and those of more images, so that a set can be measured part by part: places are counted on."""
        if not isinstance(more, Measurements):
            return NotImplemented
        if [m.title for m in self.metrics] != [m.title for m in more.metrics] or {*self.controls} != {*more.controls}:
            raise BadParameter("Measurements of the same metrics and controls are put together; these are of others.")
        start = max(self.places, default=-1) + 1
        return Measurements(
            self.metrics,
            _joined(self.values, more.values),
            {name: _joined(of, more.controls[name]) for name, of in self.controls.items()},
            self.names + more.names,
            self.places + tuple(start + place for place in more.places),
            self.methods + more.methods,
            self.targets + more.targets,
            self.reads + more.reads,
            self.forwards + more.forwards,
        )

    def scores(self, seed: int = 0) -> dict[str, list[MetricScore]]:
        """Each method's score by each metric: the mean over photos, of each of which its maps are averaged first, with its
        bootstrap interval (1,000 draws of photos under the seed) beside the controls on the same photos.
        """
        return {method: [self._score(method, each, seed) for each in self.metrics] for method in dict.fromkeys(self.methods)}

    def win(self, method: str, other: str, by: "str | Metric[...]" = "average-drop", seed: int = 0) -> MetricScore:
        """The share of photos where one method is better than another by a metric, a tie as half of one ("average win").

        Source: Chattopadhay et al. 2018, Grad-CAM++, sec. 5.1.  Raises NoSuchName of a method without maps.
        """
        for name in (method, other):
            if name not in self.methods:
                there = [*dict.fromkeys(self.methods)]
                raise NoSuchName("method", name, closest(name, there), f"Measured were: {', '.join(there)}.")
        values = self[by]
        metric = next(m for m in self.metrics if self.values[m.title] is values)
        if metric.better == "neither":
            raise BadParameter(f"{metric.title} tells no better from worse, so nothing wins by it.")
        first, second = self._by_photo(method, values), self._by_photo(other, values)
        both = [place for place in first if place in second and np.isfinite([first[place], second[place]]).all()]
        way = 1 if metric.better == "higher" else -1
        won = np.array([(np.sign(way * (first[place] - second[place])) + 1) / 2 for place in both])
        title = f"win of {method} over {other} by {metric.title}"
        return _score_of(title, "higher", won, {}, self._reads_of(method), True, seed)

    def table(self, seed: int = 0) -> str:
        """All scores below each other in plain text."""
        head = ["", "metric", "better", "value", "95 % interval", "photos", *CONTROLS]
        rows = [head, *([method, *each.cells()] for method, some in self.scores(seed).items() for each in some)]
        kept = [column for column in zip(*rows, strict=True) if {*column[1:]} - {"", "-"}]
        widths = [max(map(len, column)) for column in kept]
        lines = ("  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)) for row in zip(*kept, strict=True))
        odd = [f"read of the network: {each}" for each in dict.fromkeys(self.reads) if each != PROBABILITY]
        return "\n".join([*(line.rstrip() for line in lines), *odd])

    def rows(self) -> list[dict[str, Any]]:
        """A record for each map: its image, method and target, each metric, the controls on that image, what was read."""
        return [
            {"image": self.names[i], "place": self.places[i], "method": self.methods[i], "target": self.targets[i],
             **{title: float(of[i]) for title, of in self.values.items()},
             **{f"{title} ({name})": float(of[i]) for name, by in self.controls.items() for title, of in by.items()},
             "reads": self.reads[i]}
            for i in range(len(self))
        ]  # fmt: skip

    def _by_photo(self, method: str, values: NDArray[np.float64]) -> dict[int, float]:
        """The mean of a method's maps of each photo, NaN where one of them is."""
        mine = [i for i, name in enumerate(self.methods) if name == method]
        return {place: float(np.mean([values[i] for i in mine if self.places[i] == place]))
                for place in dict.fromkeys(self.places[i] for i in mine)}  # fmt: skip

    def _reads_of(self, method: str) -> str:
        read = dict.fromkeys(what for what, of in zip(self.reads, self.methods, strict=True) if of == method)
        return "; ".join(read)

    def _score(self, method: str, metric: Metric[...], seed: int) -> MetricScore:
        values = self._by_photo(method, self.values[metric.title])
        beside = {name: self._by_photo(method, by[metric.title]) for name, by in self.controls.items() if metric.title in by}
        known = [p for p, value in values.items() if np.isfinite([value, *(of[p] for of in beside.values())]).all()]
        of_controls = {name: np.array([of[p] for p in known]) for name, of in beside.items()}
        reads = self._reads_of(method)
        percent = metric.share and reads == PROBABILITY
        return _score_of(metric.title, metric.better, np.array([values[p] for p in known]), of_controls, reads, percent, seed)


def _joined(
    first: Mapping[str, NDArray[np.float64]], second: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    return {title: np.concatenate([values, second[title]]) for title, values in first.items()}


def _score_of(
    name: str, better: BetterWhen, values: NDArray[np.float64], controls: Mapping[str, NDArray[np.float64]], reads: str,
    percent: bool, seed: int,
) -> MetricScore:  # fmt: skip
    count = len(values)
    if not count:
        nothing = (np.nan, np.nan)
        beside = tuple(ControlScore(control, np.nan, nothing, nothing) for control in controls)
        return MetricScore(name, np.nan, nothing, 0, better, beside, reads, percent)
    drawn = {of: resampled(each[:, None], seed)[:, 0] / count for of, each in {"": values, **controls}.items()}
    spans = {of: _interval(drawn[of], each, percent) for of, each in {"": values, **controls}.items()}
    way = -1 if better == "lower" else 1
    beside = tuple(
        ControlScore(of, float(each.mean()), spans[of], _interval(way * (drawn[""] - drawn[of]), values - each, False))
        for of, each in controls.items()
    )
    return MetricScore(name, float(values.mean()), spans[""], count, better, beside, reads, percent)


def _interval(drawn: NDArray[np.float64], values: NDArray[np.float64], percent: bool) -> tuple[float, float]:
    """Of the mean of values (n,), from its resamples; of shares that are all 0 or 1 Wilson's; NaN of a single value."""
    if len(values) < 2:
        return np.nan, np.nan
    if percent and np.isin(values, (0, 1)).all():
        return Portion(int(values.sum()), len(values)).interval
    return middle(drawn, len(values))


def measure(
    model: Model, images: Images, heatmaps: Iterable[Map],
    metrics: "Sequence[str | Metric[...]] | str | Metric[...]" = ("deletion", "insertion"), target: Targets | None = None,
    seed: int = 0, controls: Sequence[str] = ("random",), fast: bool = False,
) -> Measurements:  # fmt: skip
    """Several metrics of many maps: images are read one batch after the other, and metrics that ask the same of the network
    share its passes.

    metrics: names or metrics, with parameters as in `deletion.using(fill="blur")`; METRICS lists them by name.
    controls: maps that never saw the image, measured beside: "random" (7 x 7 cells of noise, interpolated), "centre" (a
        Gaussian over the middle); each costs the passes of one map for each image and target.
    The rest is as for a metric; maps of several methods and targets may be given together.
    Raises as a metric does, and NoSuchName for metrics and controls that there are not.
    """
    several = [metrics] if isinstance(metrics, str | Metric) else metrics
    chosen = tuple({each.title: each for each in map(metric_named, several)}.values())
    if not chosen:
        raise BadParameter("No metric was given. `seewhy.metrics.METRICS` lists them by name.")
    for name in controls:
        if name not in CONTROLS:
            raise NoSuchName("control", name, closest(name, [*CONTROLS]), f"There are {' and '.join(CONTROLS)}.")
    maps = list(heatmaps)
    n, beside = len(maps), [each for each in chosen if each.takes != "heatmap"]
    values = {each.title: np.full(n, np.nan) for each in chosen}
    of_controls = {name: {each.title: np.full(n, np.nan) for each in beside} for name in controls}
    said = [("", 0, "", "")] * n
    forwards = 0
    found = subjects(model, images, maps, target, seed, fast)
    for subject, which in shown(found, n, "measuring", size=lambda pair: len(pair[1])):
        for number in which:
            said[number] = subject.name, subject.place, subject.target, subject.reads
            for each in chosen:
                values[each.title][number] = each.of(subject, maps[number])
        for name, by in of_controls.items():
            control = control_over(name, subject.space, subject.place)
            for each in beside:
                by[each.title][which] = each.of(subject, control)
        forwards += subject.forwards
    names, places, targets, reads = zip(*said, strict=True)
    methods = tuple(each.source.method if isinstance(each, Heatmap) else "" for each in maps)
    return Measurements(chosen, values, of_controls, names, places, methods, targets, reads, forwards)
