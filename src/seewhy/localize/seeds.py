"""Seeds: from the maps of one image by class to pixels that surely show a class, or surely none."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.images.resample import resized
from seewhy.maps.heatmap import Heatmap
from seewhy.objects.refine.crf import IRN, SEC, Tie, kernels, label_costs, mean_field
from seewhy.pictures.label_map import VOID
from seewhy.printable import quoted

from .affinity import Affinity, colour_affinity
from .class_maps import MOST, ClassMaps, class_maps, photo_of
from .seed_map import Seeds

CONFIDENT = (0.05, 0.30)  # IRN: below the one background, above the other object, between them neither
LEAST_SALIENT = 0.1  # SEC: of what the network saw, the part that is background
CONFLICTS = ["argmax", "smaller"]
CRF_SIDE = 48  # cells of the grid of a CRF along the longer side
Refining = Callable[[Floats], Floats]  # scores (k + 1, *shape), background first -> the same, refined
FLOOR = 1e-5  # of a score as a probability, as in the CRF's code that PSA and IRN use
SURE = 0.7  # IRN: a label before the CRF


class SeedPreset(NamedTuple):
    """How a paper makes seeds; None: as without a preset."""

    background: Any
    alpha: Any
    conflict: str
    refine: tuple[str, ...]
    source: str


PRESETS = {
    "irn": SeedPreset(CONFIDENT, None, "argmax", ("crf-labels",), "Ahn et al. 2019: the CRF on labels at 0.05 and 0.30"),
    "psa": SeedPreset(None, (32, 4), "argmax", ("crf",), "Ahn & Kwak 2018: background (1 - max)^32 and ^4, the CRF on each"),
    "sec": SeedPreset(0.2, None, "smaller", (), "Kolesnikov & Lampert 2016: above 20 % of the maximum, lowest 10 % saliency"),
}  # fmt: skip


@known_names()
def seeds(
    maps: Any,
    background: float | tuple[float, float] | None = None,
    *,
    alpha: float | tuple[float, float] | None = None,
    saliency: Any = None,
    labels: Sequence[str | int] | None = None,
    classes: Sequence[str] | None = None,
    conflict: str | None = None,
    refine: Any = None,
    image: Any = None,
    grid: tuple[int, int] | None = None,
    preset: str | None = None,
) -> Seeds:
    """The seeds of one image, from its maps by class.

    maps: Heatmaps of one image, one for each class, or a mapping from the classes' names to Heatmaps or to arrays of one size.
        Of each the positive part counts, as a share of the map's greatest value.
    background: the score of background, against which the classes stand: a number (PSA 0.2, IRN 0.15) gives every pixel that
        the network saw a class or background; a pair (by default IRN's 0.05, 0.30) leaves out what lies between: below the one
        background, above the other object.
    alpha: the background's score is (1 - max of the classes)^alpha instead; a pair, as PSA's (32, 4), for both sides as above.
    saliency: an array or Heatmap of the image's size that is low on background, as `seewhy.seed_saliency` makes it: its lowest
        tenth is background (none, where it is flat), what lies above `background` (0.2) is object, also where both hold, and
        the rest is left out.
    labels: the classes that the image truly has; maps of others are left out.
    classes: of the whole data set, in order: a class's number is its place plus one; by default those of the maps, in theirs.
    conflict: where several classes are above the background, the stronger ("argmax"), or that which takes the "smaller" area.
    refine: steps that bring the scores to the image's edges, one or several in their order: "walk" (a random walk over like
        colours), an Affinity (a walk by features or learned boundaries), "crf" (a dense CRF on the scores), "crf-labels"
        (IRN's, on labels that are 0.7 sure).
    image: the photo or (h, w, 3), where the maps are arrays and `refine` reads colours.
    grid: (rows, columns) of the result, such as SEC's (41, 41), instead of the image's own.
    preset: "irn", "psa" or "sec": the settings of the paper, where they are not given.
    What the network did not see is left out.  Raises BadParameter, NoSuchName; NotApplicable where a step needs a photo.
    """
    given = _settings(background, alpha, saliency, conflict, refine, preset)
    found = class_maps(maps).of(labels)
    names, places = _numbered(found, classes)
    pixels = _colours(found.image if image is None else image, found, image is not None)
    low = None if saliency is None else _salience(saliency, found.scores.shape[1:])
    if grid is not None:
        found, low = found.on(_grid(grid, found)), None if low is None else resized(low, grid)
    label_map = np.full(found.scores.shape[1:], VOID, np.uint8)
    seen = found.scores[:, *found.part]
    if seen.size:
        steps = [_ready(step, pixels, seen.shape[1:]) for step in given.refine]
        runs = [
            _labels(_refined(np.concatenate([behind, seen]), steps), given.conflict) for behind in _backgrounds(seen, given)
        ]
        number = np.array([0, *places], np.uint8)
        label_map[found.part] = _joined(number[np.stack(runs)], None if low is None else low[found.part])
    made = {
        **given._asdict(), "preset": preset, "saliency": saliency is not None, "refine": tuple(map(_said, given.refine)),
        "labels": None if labels is None else tuple(found.names), "grid": grid, "maps": found.captions,
    }  # fmt: skip
    return Seeds(label_map, names, made, tuple(filter(None, found.notes)), found.image)


class SeedSettings(NamedTuple):
    """What `seeds` was asked for, whole."""

    background: tuple[float, ...]
    alpha: tuple[float, ...]
    conflict: str
    refine: tuple[Any, ...]


def _settings(
    background: Any, alpha: Any, saliency: Any, conflict: str | None, refine: Any, preset: str | None
) -> SeedSettings:  # fmt: skip
    """All settings, from what was given and the preset.  Raises BadParameter, NoSuchName."""
    usual = SeedPreset(None, None, "argmax", (), "")
    if preset is not None:
        if preset not in PRESETS:
            raise NoSuchName("preset", preset, closest(str(preset), [*PRESETS]), f"There are: {', '.join(PRESETS)}.")
        usual = PRESETS[preset]
    if preset == "sec" and saliency is None:
        raise BadParameter('preset="sec" takes background where saliency is low: saliency=seewhy.seed_saliency(model, photo).')
    if background is not None and alpha is not None:
        raise BadParameter("Give the score of background as background= or by alpha=, not both.")
    if background is None and alpha is None:
        background, alpha = usual.background, usual.alpha
    if background is None and alpha is None:
        background = CONFIDENT if saliency is None else 0.2
    if saliency is not None and (alpha is not None or isinstance(background, tuple | list | np.ndarray)):
        raise BadParameter("Where saliency= tells the background, background= is one number: above it lies the object, as 0.2.")
    scores, powers = _numbers(background, "background", 1), _numbers(alpha, "alpha", np.inf)
    conflict = usual.conflict if conflict is None else conflict
    if conflict not in CONFLICTS:
        raise NoSuchName("way of conflicts", conflict, closest(str(conflict), CONFLICTS), f"There are: {', '.join(CONFLICTS)}.")
    several = isinstance(refine, tuple | list)
    steps = usual.refine if refine is None else tuple(refine) if several else (refine,)
    for step in steps:
        if not isinstance(step, Affinity) and not (isinstance(step, str) and step in STEPS):
            raise NoSuchName(
                "refinement of seeds", step, closest(str(step), [*STEPS]), f"There are: {', '.join(STEPS)}, Affinity."
            )
    return SeedSettings(tuple(sorted(scores)), tuple(sorted(powers, reverse=True)), conflict, steps)


def _numbers(value: Any, name: str, most: float) -> tuple[float, ...]:
    """One number or two, from 0 to `most`."""
    if value is None:
        return ()
    several = tuple(value) if isinstance(value, tuple | list | np.ndarray) else (value,)
    right = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) and 0 <= v <= most for v in several)
    if not right or not 1 <= len(several) <= 2:
        span = "0 to 1" if most == 1 else "0 on"
        raise BadParameter(f"{name}={quoted(value)}: give a number from {span}, or a pair, between which pixels are left out.")
    return tuple(map(float, several))


def _numbered(found: ClassMaps, classes: Sequence[str] | None) -> tuple[tuple[str, ...], list[int]]:
    """The names that numbers stand for, and the number of each of the maps' classes."""
    every = found.names if classes is None else tuple(map(str, classes))
    if len(every) > MOST:
        raise BadParameter(f"A label map has room for {MOST} classes, and these are {len(every):,}: give classes= of fewer.")
    if own := [name for name in every if name in ("background", "ignored")]:
        raise BadParameter(f"{quoted(own[0])} is no class: it has its own number. Leave it out, of maps and of classes=.")
    numbers = list[int]()
    for name, index in zip(found.names, found.indices, strict=True):
        if name not in every and not (name == str(index) and index is not None and index < len(every)):
            raise NoSuchName("class", name, closest(name, [*every]), "It is not among classes=; labels= leaves maps out.")
        numbers.append(1 + (every.index(name) if name in every else index or 0))
    return every, numbers


def _grid(grid: Any, found: ClassMaps) -> Any:
    axes = found.scores.ndim - 1
    whole = isinstance(grid, tuple | list) and all(isinstance(n, int | np.integer) and 1 <= n <= 10_000 for n in grid)
    if not whole or len(grid) != axes:
        raise BadParameter(f"grid={quoted(grid)}: give the rows and columns of the seeds, as (41, 41).")
    return tuple(grid)


def _salience(saliency: Any, shape: tuple[int, ...]) -> Floats:
    values = saliency.full() if isinstance(saliency, Heatmap) else numbers(saliency)
    if values.shape != shape or not np.isfinite(values).all():
        raise BadParameter(f"The saliency is {values.shape}, and the maps are {shape}: give finite numbers of the same size.")
    return values.astype(np.float32)


def _colours(image: Any, found: ClassMaps, given: bool) -> NDArray[Any] | None:
    """The colours (h, w, 3) of what the network saw of a photo; None of anything else, where it was not `given` as one."""
    pixels = photo_of(image)
    if pixels is None and given:
        pixels = numbers(image)
        if pixels.ndim != 3 or pixels.shape[-1] != 3:
            raise BadParameter(f"image= is a photo, or an array (h, w, 3), not {type(image).__name__} {pixels.shape}.")
    if pixels is not None and pixels.shape[:2] != found.scores.shape[1:]:
        raise BadParameter(f"The image is {pixels.shape[:2]}, and its maps are {found.scores.shape[1:]}.")
    return None if pixels is None else pixels[found.part]


def _backgrounds(scores: Floats, given: SeedSettings) -> list[Floats]:
    """The score of background, (1, *shape), the lower one first."""
    if given.alpha:
        return [(1 - scores.max(0, keepdims=True)) ** power for power in given.alpha]
    return [np.full((1, *scores.shape[1:]), score, np.float32) for score in given.background]


def _ready(step: Any, pixels: NDArray[Any] | None, shape: tuple[int, ...]) -> Refining:
    """What refines scores (k + 1, *shape): an Affinity, or a step by name, which reads colours (h, w, 3)."""
    if isinstance(step, Affinity):
        return partial(_walked, affinity=step)
    if pixels is None:
        raise NotApplicable(f"{step!r} reads the colours of a photo, and there is none: give image=, or refine by an Affinity.")
    return STEPS[step](pixels, shape)


def _refined(scores: Floats, steps: Sequence[Refining]) -> Floats:
    for step in steps:
        scores = step(scores)
    return scores


def _labels(scores: Floats, conflict: str) -> NDArray[np.intp]:
    """0 where no class is above the background (scores[0]), else the class's place in `scores`."""
    if conflict == "argmax":
        return scores.argmax(0)
    above = scores[1:] > scores[0]
    labels = np.zeros(scores.shape[1:], np.intp)
    for place in np.argsort(-above.sum(tuple(range(1, above.ndim))), kind="stable"):
        labels[above[place]] = place + 1
    return labels


def _joined(runs: NDArray[np.uint8], saliency: Floats | None) -> NDArray[np.uint8]:
    """One label map of those at the lower and the higher background, (1 or 2, *shape): where they differ, neither is sure."""
    lower, higher = runs[0], runs[-1]
    if saliency is not None:
        dark = (saliency <= np.quantile(saliency, LEAST_SALIENT, method="lower")) & (saliency < saliency.max())
        return np.where(higher > 0, higher, np.where(dark, 0, VOID)).astype(np.uint8)
    return np.where(higher > 0, higher, np.where(lower > 0, VOID, 0)).astype(np.uint8)


def _walked(scores: Floats, affinity: Affinity) -> Floats:
    """The scores (k + 1, h, w) after a walk.  A background that is the same everywhere stays, as in IRN, and the classes'
    scores are divided by their greatest; one that is not (PSA's) walks with them.
    """
    constant = float(scores[0].min()) == float(scores[0].max())
    walking = scores[1:] if constant else scores
    walked = affinity.walk(resized(walking.astype(np.float64), affinity.grid))
    walked = resized(walked, scores.shape[1:]).astype(np.float32)
    if not constant:
        return walked
    return np.concatenate([scores[:1], walked / max(float(walked.max(initial=0)), FLOOR)])


def _by_colours(pixels: NDArray[Any], shape: tuple[int, ...]) -> Refining:
    return partial(_walked, affinity=colour_affinity(pixels))


def _by_crf(pixels: NDArray[Any], shape: tuple[int, ...]) -> Refining:
    def costs(small: Floats) -> Floats:
        return -np.log(np.clip(small, FLOOR, 1)).reshape(len(small), -1)

    return _by_field(pixels, shape, SEC, costs)


def _by_labels(pixels: NDArray[Any], shape: tuple[int, ...]) -> Refining:
    return _by_field(pixels, shape, IRN, lambda small: label_costs(small.argmax(0), len(small), SURE))


def _by_field(
    pixels: NDArray[Any], shape: tuple[int, ...], ties: Sequence[Tie], costs: Callable[[Floats], Floats]
) -> Refining:  # fmt: skip
    """The probability of each class by a dense CRF, which is worked out on at most 48 x 48 cells."""
    cells = min(CRF_SIDE, max(shape))
    grid = [max(1, round(side * cells / max(shape))) for side in shape]
    colours = np.moveaxis(resized(np.moveaxis(pixels, -1, 0).astype(np.float32), grid), 0, -1)
    pairs = kernels(colours, ties, max(pixels.shape[:2]) / cells)

    def field(scores: Floats) -> Floats:
        small = mean_field(costs(resized(scores, grid)), pairs)
        return resized(small.reshape(len(scores), *grid).astype(np.float32), shape)

    return field


STEPS: Mapping[str, Callable[[NDArray[Any], tuple[int, ...]], Refining]] = {
    "walk": _by_colours, "crf": _by_crf, "crf-labels": _by_labels,
}  # fmt: skip


def _said(step: Any) -> str:
    return step if isinstance(step, str) else f"affinity of {step.grid[0]} x {step.grid[1]}"
