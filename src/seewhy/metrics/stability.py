"""Does a map stay what it is where nothing that matters changed: JPEG again, a shift by a pixel, a little light or noise?"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.comparison.measures import spearman
from seewhy.errors import BadParameter, NotApplicable, whole_number
from seewhy.images.inputs import Images
from seewhy.maps.heatmap import Heatmap
from seewhy.models.model import Model
from seewhy.objects.shift import energy_shift
from seewhy.printable import quoted
from seewhy.remaking.question import method_again
from seewhy.targets.parse import Targets

from .faithfulness.asking import maps_again
from .given import as_a_photo
from .subject import Subject, subjects

QUALITY = 75  # of JPEG
LIGHT = 0.05  # of the range of the image's numbers, added to all of them and taken from them
NOISE = 0.02  # of the same: the standard deviation of noise
ROUNDING = 2.0**-20  # of the same: noise of about the size of a network's rounding errors in single precision
SEEDS = 1000  # may be added to a method's own seed


class ChangedMap(NamedTuple):
    """A map of a changed image, beside the map of the image as it was.

    change: what was changed; spearman: rank correlation of the two maps, None where one of them is the same everywhere;
    moved: the share of the positive evidence that lies elsewhere; same_answer: is the image taken for the same class still?  Of
    a region, a point or a box it is the number itself that is explained, and False where it came to be zero, as that of a box
    that is not found any more.
    """

    change: str
    spearman: float | None
    moved: float
    same_answer: bool


@dataclass(frozen=True)
class Stability:
    """How far a map stays what it is while its image is changed a little.

    changes: one for each changed image of which the answer is known; left_out: changes that could not be made, each with why.
    """

    changes: tuple[ChangedMap, ...]
    left_out: tuple[str, ...] = ()
    forwards: int = 0

    @property
    def kept(self) -> tuple[ChangedMap, ...]:
        """The changes under which the network's answer stayed: where it did not, a map may change with it."""
        return tuple(each for each in self.changes if each.same_answer)

    @property
    def least(self) -> ChangedMap | None:
        """The change that moved the map the most, of those under which the answer stayed; None where there is none."""
        return min(self.kept, key=lambda each: -2.0 if each.spearman is None else each.spearman, default=None)


def stability(
    model: Model, images: Images, heatmaps: Iterable[Heatmap], changes: Sequence[str] = (), target: Targets | None = None,
    draws: int = 2, seed: int = 0,
) -> list[Stability]:  # fmt: skip
    """How far each map stays what it is while its image is changed in ways that no person would mind.

    model, images, heatmaps: as for the metrics; target: by which all maps are measured, by default each by what it explains.
    changes: some of "jpeg" (the photo saved with quality 75), "shift" (by one pixel of what the network sees, along each axis;
        compared where both show the image), "light" (a twentieth of the range brighter and darker), "noise" (normal, a
        fiftieth of the range), "rounding" (noise of the size of rounding errors), "seed" (another, of a method that draws); ()
        for all that can be made.  Photos stay between black and white.  Methods that draw noise by the image draw other noise
        for each changed image.
    draws: of noise, rounding and seeds each.
    Where the network's answer changes too, that is said (`same_answer`), and such changes do not count against the map.
    Source: Alvarez-Melis & Jaakkola 2018, On the robustness of interpretability methods; Ghorbani et al. 2019, Interpretation
    of neural networks is fragile.
    Raises BadParameter for an unknown change, NotApplicable where a method cannot be asked again, as one with code in it.
    """
    unknown = [each for each in changes if each not in CHANGES]
    if unknown or isinstance(changes, str):
        raise BadParameter(f"changes={quoted(changes, 100)}: give a list of some of {', '.join(CHANGES)}.")
    draws, maps = whole_number(draws, "draws", 1, SEEDS), list(heatmaps)
    found: dict[int, Stability] = {}
    for subject, which in subjects(model, images, maps, target, seed):
        for number in which:
            found[number] = _of_one(subject, maps[number], list(changes) or [*CHANGES], draws, bool(changes))
    return [found[number] for number in range(len(maps))]


class Changed(NamedTuple):
    """A changed image: what was done, the prepared image (c, *space), and by how many cells along each axis it was moved."""

    what: str
    x: Floats
    moved: tuple[int, ...] = ()
    seed: int | None = None  # of the method, in place of its own


def _of_one(subject: Subject, shown: Heatmap, changes: list[str], draws: int, asked: bool) -> Stability:
    made, left_out = list[Changed](), list[str]()
    for change in changes:
        try:
            made += CHANGES[change](subject, shown, draws)
        except NotApplicable as error:
            if asked:
                raise
            left_out.append(f"{change}: {error}")
    x = np.stack([subject.x, *(as_a_photo(subject.model, subject.x, each.x) for each in made)]).astype(subject.x.dtype)
    answers = _answers(subject, x)
    first, *others = _maps(subject, shown, x, [None, *(each.seed for each in made)])
    rows = tuple(
        ChangedMap(each.what, *_compared(subject, first, values, each.moved), bool(answer == answers[0]))
        for each, values, answer in zip(made, others, answers[1:], strict=True)
    )
    return Stability(rows, tuple(left_out), len(x))


def _answers(subject: Subject, x: Floats) -> NDArray[Any]:
    """What the network answers for each image: the class, of a single probability the side of one half, of an aim whether it is
    there; the same for all where it gives a single score that is no probability.
    """
    if subject.aim is None and subject.classes == 1:
        return subject.probabilities(x) >= 0.5 if subject.reads == "probability" else np.zeros(len(x))
    scores = np.asarray(subject.scorer(subject.scorer.array(x)))
    return scores.argmax(1) if subject.aim is None else scores[:, 0] != 0


def _maps(subject: Subject, shown: Heatmap, x: Floats, seeds: Sequence[int | None]) -> list[NDArray[np.float64]]:
    """The maps of prepared images, in their order; those with a seed are of a method with that seed."""
    own = [i for i, seed in enumerate(seeds) if seed is None]
    found = dict(zip(own, maps_again(subject, shown, x[own], subject.pinned), strict=True))
    for i, seed in enumerate(seeds):
        if seed is not None:
            source = replace(shown.source, params={**shown.source.params, "seed": seed})
            (found[i],) = maps_again(subject, replace(shown, source=source), x[i : i + 1], subject.pinned)
    return [found[i] for i in range(len(x))]


def _compared(subject: Subject, first: Floats, values: Floats, moved: tuple[int, ...]) -> tuple[float | None, float]:
    if not any(moved):
        return spearman(first, values), energy_shift(first, values)
    a, b = subject.on_grid(first), subject.on_grid(values)
    there = tuple(slice(max(0, -by), size - max(0, by)) for by, size in zip(moved, a.shape, strict=True))
    here = tuple(slice(max(0, by), size - max(0, -by)) for by, size in zip(moved, a.shape, strict=True))
    return spearman(a[there], b[here]), energy_shift(a[there], b[here])


def _jpeg(subject: Subject, shown: Heatmap, _draws: int) -> Iterator[Changed]:
    pixels = shown.image
    if not isinstance(pixels, np.ndarray | Image.Image) or np.asarray(pixels).dtype != np.uint8:
        raise NotApplicable("JPEG holds photos of eight bits, and the map is of another image.")
    file = BytesIO()
    Image.fromarray(np.asarray(pixels)).convert("RGB").save(file, "JPEG", quality=QUALITY)
    (batch,) = subject.model.batches([Image.open(file)])
    if batch.x.shape[1:] != subject.x.shape:
        raise NotApplicable("The photo is prepared to another size each time.")
    yield Changed("jpeg", np.asarray(batch.x[0]))


def _shift(subject: Subject, _shown: Heatmap, _draws: int) -> Iterator[Changed]:
    for axis, size in enumerate(subject.space):
        if size > 1:
            at = np.maximum(np.arange(size) - 1, 0)  # the first row or column stands twice
            moved = tuple(int(axis == other) for other in range(len(subject.space)))
            yield Changed(f"shift by a pixel along axis {axis}", np.take(subject.x, at, axis + 1), moved)


def _light(subject: Subject, _shown: Heatmap, _draws: int) -> Iterator[Changed]:
    step = LIGHT * float(np.ptp(subject.x))
    yield Changed("brighter", subject.x + step)
    yield Changed("darker", subject.x - step)


def _noise(subject: Subject, _shown: Heatmap, draws: int) -> Iterator[Changed]:
    yield from _noisy(subject, "noise", NOISE, draws)


def _rounding(subject: Subject, _shown: Heatmap, draws: int) -> Iterator[Changed]:
    yield from _noisy(subject, "rounding", ROUNDING, draws)


def _noisy(subject: Subject, what: str, size: float, draws: int) -> Iterator[Changed]:
    rng, reach = subject.rng(what), size * float(np.ptp(subject.x))
    for _ in range(draws):
        yield Changed(what, subject.x + reach * rng.standard_normal(subject.x.shape))


def _seed(subject: Subject, shown: Heatmap, draws: int) -> Iterator[Changed]:
    method = method_again(shown.source, {})
    own = method.settings.get("seed")
    if not isinstance(own, int):
        raise NotApplicable(f"{method.name} draws nothing.")
    for more in range(1, draws + 1):
        yield Changed("seed", subject.x, seed=own + more)


CHANGES: dict[str, Callable[[Subject, Heatmap, int], Iterator[Changed]]] = {
    "jpeg": _jpeg, "shift": _shift, "light": _light, "noise": _noise, "rounding": _rounding, "seed": _seed,
}  # fmt: skip
