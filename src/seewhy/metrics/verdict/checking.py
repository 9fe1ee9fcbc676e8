"""The checks that can be made on one map: each takes model, image and heatmap, and says what came of it as a `Check`.

Each can be run again from the settings that its outcome holds (`RUNS`), as `seewhy verify` does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, whole_number
from seewhy.images.inputs import Images
from seewhy.maps.heatmap import Heatmap
from seewhy.methods.making.against_hires import NAME
from seewhy.metrics.checks import Check, Status
from seewhy.metrics.faithfulness.removal import hidden
from seewhy.metrics.sanity.randomised import randomised
from seewhy.metrics.stability import Stability, stability
from seewhy.metrics.subject import Subject, subjects
from seewhy.models.model import Model
from seewhy.objects.shift import PARTED
from seewhy.printable import in_percent, quoted
from seewhy.remaking.question import method_again
from seewhy.targets.parse import Targets
from seewhy.targets.target import Unit

SHARES = (0.05, 0.1, 0.2, 0.4)  # of the places that are hidden
FILLS = ("blur", "mean")
MOST, MOST_FILLS = 1000, 10
DRAWS = 19  # placements by chance: of as many, none is better by chance once in twenty times
CHANGES = ("jpeg", "shift", "light", "noise", "seed")
STEADY, UNSTEADY = 0.8, 0.5  # rank correlations: from the one on a map is called steady, below the other it is not
LEARNED, BLIND = 0.7, 0.9  # likewise, after the head was drawn anew: up to the one a map depends on it, from the other on not
EXACT, ROUGH = 0.05, 0.2  # gaps, as shares of what the map should sum up to


def deletion_check(
    model: Model, image: Images, heatmap: Heatmap, draws: int = DRAWS, fills: Sequence[str] = FILLS, seed: int = 0,
    target: Targets | None = None,
) -> Check:  # fmt: skip
    """Does hiding the map's highest places take more from the answer than hiding places of the same shapes elsewhere?

    The value is the mean drop of the probability (of what has none, of the score) where the highest 5, 10, 20 and 40 % of
    places are hidden, over the fills; the control is the same of the map put elsewhere by chance, `draws` times: moved around
    the image's edges, and mirrored.  Green: with each fill at most one placement in twenty is as good.  Red: with each, more
    than half of them are.
    target: what the map explains, where its Source does not hold all of it, such as a mask.
    Source: after Petsiuk et al. 2018, RISE (deletion); a permutation test as in Phipson & Smyth 2010.
    Raises BadParameter for more than 1,000 draws, which a stranger's record may ask for, and for no fill.
    """
    draws, seed = whole_number(draws, "draws", 1, MOST), whole_number(seed, "seed", 0)
    if isinstance(fills, str) or not 1 <= len(fills) <= MOST_FILLS:
        raise BadParameter(f"fills={quoted(fills, 100)}: give a list of 1 to {MOST_FILLS}, such as {[*FILLS]}.")
    ((subject, _),) = _subject(model, image, heatmap, seed, target)
    values = subject.on_grid(heatmap)
    before = subject.forwards
    rng = subject.rng("placements")
    placed = [elsewhere(values, rng) for _ in range(draws)]
    own = np.array([_drop(subject, values, fill) for fill in fills])
    by_chance = np.array([[_drop(subject, each, fill) for each in placed] for fill in fills])
    p = (1 + (by_chance >= own[:, None]).sum(1)) / (1 + draws)
    status: Status = "green" if (p <= 1 / 20).all() else "red" if (p > 0.5).all() else "amber"
    better = [f"{fill}: better than {round((1 - each) * (1 + draws))} of {draws}" for fill, each in zip(fills, p, strict=True)]
    what = "probability" if subject.reads == "probability" else "score"
    says = (
        f"Hiding where the map is strong takes {own.mean():.3g} of {what} {subject.probability:.3g} away, hiding as much "
        f"elsewhere {by_chance.mean():.3g} ({'; '.join(better)} placements by chance)."
    )
    return Check(
        "deletion", status, says, float(own.mean()), None, None, float(by_chance.mean()), "higher", subject.forwards - before,
        {"draws": draws, "fills": list(fills), "seed": seed},
    )  # fmt: skip


def _subject(model: Model, image: Images, heatmap: Heatmap, seed: int, target: Targets | None) -> Any:
    return subjects(model, image, [replace(heatmap, place=0)], target, seed)


def _drop(subject: Subject, values: Floats, fill: str) -> float:
    places = int(np.prod(subject.space))
    counts = np.maximum(1, np.round(np.array(SHARES) * places)).astype(np.intp)
    return float((subject.probability - hidden(subject, subject.order(values), counts, fill).probabilities).mean())


def elsewhere(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The map moved around the edges by chance, and mirrored along some axes."""
    moved = np.roll(values, [int(rng.integers(1, max(side, 2))) for side in values.shape], tuple(range(values.ndim)))
    return np.flip(moved, tuple(axis for axis in range(values.ndim) if rng.random() < 0.5))


def head_check(
    model: Model, image: Images, heatmap: Heatmap, draws: int = 3, seed: int = 0, target: Targets | None = None
) -> Check:  # fmt: skip
    """Does the map change when the network forgets its classes: when the last layer's weights are drawn anew, on a copy?

    The value is the mean rank correlation of the maps with that of the trained network, of maps of pixels that of absolute
    values; the control is that with noise.  Green up to 0.7, red from 0.9 on.
    Source: Adebayo et al. 2018, Sanity checks for saliency maps; Sixt et al. 2020, When explanations lie.
    """
    method = method_again(heatmap.source, {})
    layer = heatmap.source.layer if method.layered else None
    asked, settings = _target(model, image, heatmap, seed, target), {"draws": draws, "seed": seed}
    if isinstance(asked, Unit):
        says = f"{asked} is no score of the last layer: that layer's weights, drawn anew, would say nothing of this map."
        return Check("head", "none", says, settings=settings)
    found = randomised(model, image, method, "head", asked, layer, draws=draws, seed=seed)
    alike, chance = found.rows[0].similarity, next(iter(found.controls.values()))
    read, control = (alike.absolute, chance.absolute) if method.pixels else (alike.spearman, chance.spearman)
    if read.mean is None:
        return Check("head", "grey", "A map is the same everywhere, and has no order to compare.", settings=settings)
    status: Status = "green" if read.mean <= LEARNED else "red" if read.mean >= BLIND else "amber"
    tells = {
        "green": "it depends on what the classifier learned",
        "amber": "it depends on what the classifier learned in part",
        "red": "it does not depend on what the classifier learned",
    }[status]
    says = f"With the last layer's weights drawn anew the map keeps a rank correlation of {read.mean:.2f}: {tells}."
    return Check("head", status, says, read.mean, None, None, control.mean, "lower", draws, settings)


def _target(model: Model, image: Images, heatmap: Heatmap, seed: int, target: Targets | None) -> Any:
    """What the drawn networks are asked for: at the same place; how like another image, as they see that."""
    ((subject, _),) = _subject(model, image, heatmap, seed, target)
    return subject.pinned if subject.aim is None or subject.aim.place else target or subject.aim.target


def stability_check(
    model: Model, image: Images, heatmap: Heatmap, changes: Sequence[str] = CHANGES, seed: int = 0,
    target: Targets | None = None,
) -> Check:  # fmt: skip
    """Does the map stay where nothing that matters changed?  The value is the least rank correlation over the changes.

    Green from 0.8 on, red below 0.5.  Source: see `seewhy.metrics.stability`.
    """
    made = [each for each in dict.fromkeys(changes) if each != "seed" or "seed" in method_again(heatmap.source, {}).settings]
    made = [each for each in made if each != "jpeg" or _is_photo(heatmap)]
    (found,) = stability(model, image, [replace(heatmap, place=0)], made, target, draws=1, seed=seed)
    settings = {"changes": list(changes), "seed": seed}
    return _steady(found, settings)


def _is_photo(heatmap: Heatmap) -> bool:
    pixels = heatmap.image
    return pixels is not None and getattr(np.asarray(pixels), "dtype", None) == np.uint8


def _steady(found: Stability, settings: dict[str, Any]) -> Check:
    least = found.least
    changed, count = len(found.changes) - len(found.kept), len(found.changes)
    beside = f" {changed} of {count} changes changed the answer, and do{'es' * (changed == 1)} not count." if changed else ""
    if least is None or least.spearman is None:
        why = "Each change changed the answer, too." if least is None else "A map is the same everywhere: it has no order."
        return Check("stability", "grey", why, settings=settings, forwards=found.forwards)
    status: Status = "green" if least.spearman >= STEADY else "red" if least.spearman < UNSTEADY else "amber"
    says = (
        f"Under changes that nobody would mind the map keeps a rank correlation of {least.spearman:.2f} or more; "
        f"the least under: {least.change}.{beside}"
    )
    return Check("stability", status, says, least.spearman, better="higher", settings=settings, forwards=found.forwards)


def disagreement_check(model: Model, image: Images, heatmap: Heatmap) -> Check:
    """Does averaging the gradient move Grad-CAM's evidence?  The value is the share that HiResCAM has elsewhere, as it was
    measured with the map.  Amber from 0.48 on (docs/disagreement.md).
    """
    if heatmap.source.method != "grad-cam":
        return Check("disagreement", "none", f"It is of Grad-CAM beside HiResCAM alone, and this is {heatmap.source.method}.")
    apart = heatmap.source.measured.get(NAME, 0.0)
    status: Status = "amber" if apart >= PARTED else "green"
    says = (
        f"HiResCAM has {in_percent(apart)} of the evidence elsewhere; from {in_percent(PARTED, 0)} on averaging the gradient "
        "may have moved it."
    )
    return Check("disagreement", status, says, apart, better="lower")


def completeness_check(model: Model, image: Images, heatmap: Heatmap) -> Check:
    """Does the map sum up to what it promises?  The value is the gap that the method measured of itself, as a share of what it
    explains.  Green up to 0.05, red from 0.2 on.
    """
    measured, method = heatmap.source.measured, heatmap.source.method
    gap, whole = measured.get("completeness_gap"), measured.get("difference", heatmap.source.score)
    if gap is None:
        return Check("completeness", "none", f"{method} makes no promise of what its map sums up to.")
    if not whole:
        return Check("completeness", "grey", "The map should sum up to zero, of which no gap is a share.")
    share = abs(gap / whole)
    status: Status = "green" if share <= EXACT else "red" if share >= ROUGH else "amber"
    says = f"The map sums up to what it explains but for {in_percent(share)}."
    return Check("completeness", status, says, share, better="lower")


CHECKS: dict[str, Callable[..., Check]] = {
    "head": head_check, "deletion": deletion_check, "disagreement": disagreement_check, "stability": stability_check,
    "completeness": completeness_check,
}  # fmt: skip


def rerun(name: str) -> Callable[..., Check]:
    """What runs a check again from the settings of its outcome: (model, image, heatmap, settings) -> Check."""

    def run(model: Model, image: Any, heatmap: Heatmap, settings: Mapping[str, Any]) -> Check:
        return CHECKS[name](model, image, heatmap, **settings)

    return run


RUNS = {name: rerun(name) for name in CHECKS}  # where `remaking.checks.RUNS_AGAIN` finds them
