"""What several methods are compared by: a number for each photo, method and criterion, so that differences are paired."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from seewhy.arrays import Floats
from seewhy.errors import BadImage, SeewhyError
from seewhy.maps.heatmap import Heatmap
from seewhy.methods.making.method import Method
from seewhy.metrics.faithfulness.removal import hidden
from seewhy.metrics.localization.grids import on_grid
from seewhy.metrics.localization.places import measures
from seewhy.metrics.sanity.randomised import randomised
from seewhy.metrics.subject import Subject, subjects
from seewhy.truth.evidence import object_in
from seewhy.truth.given import GroundTruth

from .checking import FILLS, SHARES, completeness_check, disagreement_check, elsewhere, stability_check

PLACEMENTS = 2  # elsewhere, of each map
CHANGES = ("jpeg", "shift", "noise", "seed")
Measured = dict[tuple[str, str], float]  # (method, criterion) -> the number; what is not defined is missing


class Criterion(NamedTuple):
    """One way to compare methods.

    better: which values are; says: what the number is.
    """

    name: str
    better: Literal["higher", "lower"]
    says: str


CRITERIA: dict[str, Criterion] = {
    each.name: each
    for each in (
        Criterion(
            "deletion", "higher",
            "probability that hiding the map's highest 5, 10, 20 and 40 % takes away, less what the same map takes elsewhere",
        ),
        Criterion(
            "insertion", "higher",
            "probability where the map's highest 5, 10, 20 and 40 % alone are shown, less that of the same map elsewhere",
        ),
        Criterion(
            "head", "lower", "rank correlation that the map keeps when the last layer's weights are drawn anew, at least 0"
        ),
        Criterion("stability", "higher", "least rank correlation under JPEG, a shift by a pixel, noise, another seed of draws"),
        Criterion("disagreement", "lower", "of Grad-CAM: share of the evidence that HiResCAM has elsewhere"),
        Criterion("completeness", "lower", "gap between the map's sum and what it promises to sum up to, as a share"),
        Criterion("pointing", "higher", "does the strongest place lie on the object, or within 15 pixels of it?"),
        Criterion("energy", "higher", "share of the evidence on the object, less the object's share of the area"),
        Criterion(
            "grid", "higher",
            "share of the evidence for a photo's class that lies in its cell of a grid of four photos of different classes; "
            "chance is 0.25",
        ),
        Criterion("seconds", "lower", "time for one map"),
    )
}  # fmt: skip


def measured_on(
    model: Any, image: Any, name: str, maps: Mapping[str, Heatmap], methods: Sequence[Method[Any]], target: Any,
    layer: str | None, truth: GroundTruth, seed: int,
) -> tuple[Measured, dict[str, str]]:  # fmt: skip
    """What all criteria but the time say of the maps of one image, and why others could not be counted: (numbers, why).

    image: one, as methods take it; name: by which `truth` knows it; maps: of the image, by the names of the methods.
    """
    found: Measured = {}
    why = dict[str, str]()
    shown = [*maps.values()]
    drawn = _drawn(shown[0], seed)
    for subject, which in subjects(model, image, shown, None, seed):
        for number in which:
            method = [*maps][number]
            found[method, "deletion"], found[method, "insertion"] = removal(subject, subject.on_grid(shown[number]), drawn)
    try:
        found |= {(of, "head"): kept for of, kept in heads(model, image, methods, target, layer, drawn).items()}
    except SeewhyError as error:
        why["head"] = str(error)
    for method, heatmap in ((method.name, maps[method.name]) for method in methods):
        for criterion, check in (("disagreement", disagreement_check), ("completeness", completeness_check)):
            value = check(model, image, heatmap).value
            found |= {} if value is None else {(method, criterion): value}
        try:
            least = stability_check(model, image, heatmap, CHANGES, seed).value
            found |= {} if least is None else {(method, "stability"): least}
        except SeewhyError as error:
            why[f"stability of {method}"] = str(error)
    try:
        found |= places(name, maps, truth)
    except (SeewhyError, BadImage) as error:
        why["pointing and energy"] = f"{name}: {error}"
    return found, why


def removal(subject: Subject, values: Floats, drawn: int) -> tuple[float, float]:
    """How much more a map (*space) finds than the same map elsewhere: by deletion and by insertion, in probability.

    Each is a mean over the shares, less the mean of the same over `PLACEMENTS` of the map put elsewhere by chance (moved around
    the edges, and mirrored).
    drawn: the seed of these, and of what is filled in: one fill a photo, the same for all methods, for more photos tell more
    than more fills on each.  Source: after Petsiuk et al. 2018, RISE.
    """
    rng = np.random.default_rng(drawn)
    fill = FILLS[int(rng.integers(len(FILLS)))]
    others = [_taken_and_kept(subject, elsewhere(values, rng), fill) for _ in range(PLACEMENTS)]
    taken, kept = np.array(_taken_and_kept(subject, values, fill)) - np.mean(others, 0)
    return float(taken), float(kept)


def _taken_and_kept(subject: Subject, values: Floats, fill: str) -> tuple[float, float]:
    """The mean drop where the highest places are hidden, and the mean probability where they alone are shown."""
    places = int(np.prod(subject.space))
    counts = np.maximum(1, np.round(np.array(SHARES) * places)).astype(np.intp)
    order = subject.order(values)
    hidden_top = hidden(subject, order, counts, fill).probabilities
    shown_top = hidden(subject, order[::-1], places - counts, fill).probabilities
    return float(subject.probability - hidden_top.mean()), float(shown_top.mean())


def heads(
    model: Any, image: Any, methods: Sequence[Method[Any]], target: Any, layer: str | None, seed: int
) -> dict[str, float]:  # fmt: skip
    """The rank correlation that each method's map keeps when the last layer is drawn anew (of maps of pixels: of
    absolute values).

    Below 0 it is 0: a map that turned around changed as much as it could.
    Raises NotApplicable where the network cannot be copied.
    """
    rows = randomised(model, image, methods, "head", target, layer, draws=1, seed=seed, on_error="skip").rows
    pixels = {method.name for method in methods if method.pixels}
    kept = {row.method: row.similarity.absolute if row.method in pixels else row.similarity.spearman for row in rows}
    return {name: max(0.0, average.mean) for name, average in kept.items() if average.mean is not None}


def _drawn(heatmap: Heatmap, seed: int) -> int:
    """A seed of the image's own, so that the interval over images holds other draws of weights and places, too."""
    return int(np.random.default_rng([seed, *heatmap.source.image_sha256.encode()]).integers(2**31))


def places(name: str, maps: Mapping[str, Heatmap], truth: GroundTruth) -> Measured:
    """The pointing game, and the evidence inside less the area, of each map of one photo; nothing where no object is known."""
    found: Measured = {}
    for method, heatmap in maps.items():
        mark = truth.mask_mark(name, heatmap.image)
        if mark is None or mark.empty:
            mark = truth.box_mark(name, heatmap.image, [heatmap.source.index])
        if mark is None:
            continue
        width, height = heatmap.size[:2]
        measured = measures(on_grid(heatmap), heatmap.box, object_in(mark.boxes, mark.mask, (height, width), True))
        found[method, "pointing"], found[method, "energy"] = measured["pointing"], measured["beyond"]
    return found
