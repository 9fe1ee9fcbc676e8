"""Why this class and not that one, as one answer: both maps, their contrast, and whether the contrast holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NotApplicable
from seewhy.maps.finding import evidence
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.methods.making.method import Method, explain, lookup
from seewhy.printable import in_percent, printable, quoted
from seewhy.remaking.checks import Check, Status
from seewhy.targets.parse import read
from seewhy.targets.target import Class, Contrast, Labels, name_of

from .localization.resampling import middle, resampled
from .subject import Subject, subjects

NAME = "contrast"  # of the check
AREA, PLACEMENTS = 0.1, 39  # of the image, hidden; random hidings
FEWEST, MOST = 19, 1000  # of these: of fewer no p is small enough, and more may be asked for by a stranger's record
RARE = 0.05  # share of the hidings, the map's own among them, that lower the score as much


@dataclass(frozen=True, eq=False)
class ContrastAnswer:
    """Why a photo is of one class and not of another.

    of, against: the maps of the two classes, each for itself; difference: the map of the contrast, signed where the method can:
        positive where the photo speaks for the one rather than the other, negative where for the other.
    check: what hiding the places that speak most for the one does to the lead over the other.
    """

    of: Heatmap
    against: Heatmap
    difference: Heatmap
    check: Check

    @property
    def maps(self) -> Heatmaps:
        """The three maps, as for `grid`."""
        return Heatmaps((self.of, self.against, self.difference))

    def __str__(self) -> str:
        return f"{self.difference.source.caption}: {self.check.says}"


@known_names("method")
def contrast(
    model: Any, image: Any, of: int | str, against: int | str, method: str | Method[Any] = "grad-cam", layer: str | None = None,
    area: float = AREA, fill: Any = "blur", placements: int = PLACEMENTS, seed: int = 0,
) -> ContrastAnswer:  # fmt: skip
    """Why one image is of this class and not of that: both maps, the contrast's, and a test of it by deletion.

    of, against: the two classes, by index or label; the contrast explains the score of the one minus that of the other.
    area, fill, placements, seed: of the test, as in `contrast_check`.
    Raises BadParameter for several images, NotApplicable for tiles, and all that `explain` raises.
    """
    chosen = lookup(method)
    signed = chosen.using(signed=True) if "signed" in chosen.parameters else chosen
    own = explain(model, image, [chosen], [Class(of), Class(against)], layer)
    if len(own) != 2:
        raise BadParameter(f"A contrast is of one image; {len(own) // 2} are given.")
    (difference,) = explain(model, image, [signed], Contrast(of, against), layer)
    check = contrast_check(model, image, difference, area=area, fill=fill, placements=placements, seed=seed)
    return ContrastAnswer(own[0], own[1], difference, check)


def contrast_of_map(heatmap: Heatmap, labels: Labels) -> Contrast | None:
    """The contrast that a map explains; None where it explains anything else."""
    try:
        (target, *_) = read(heatmap.source.target, labels)
    except BadParameter:
        return None
    return target if isinstance(target, Contrast) else None


def contrast_check(
    model: Any,
    image: Any,
    heatmap: Heatmap,
    area: float = AREA,
    fill: Any = "blur",
    placements: int = PLACEMENTS,
    seed: int = 0,
) -> Check:
    """Does hiding what speaks for A rather than B, by a contrast's map, lower the score of A against that of B?

    The places of the map's highest positive values are hidden, and the same shapes at other places: the mask rolled around the
    image's edges, and mirrored, at random, with no more than half of its places in common with it.  The check's value is by how
    much more than the mean of these the map's own mask lowers the score (the contrast's: y_A - strength * mean y_B), with a
    bootstrap interval over the placements; chance is 0.
    Green: no more than one in twenty of all hidings, the map's own among them, lowers it as much.  Red: it lowers it by no more
    than the mean of the others, or not at all.  Amber: between.  Grey: nothing in the map speaks for A.

    area: of the image, at most; of a map that is positive on less, all of that is hidden.  fill: what hides, as methods take
    it.  placements: random hidings, 19 to 1,000, each a forward.
    Weakness: what hides is strange to the network, which the random hidings share; and where objects lie in the middle, so
    does the mask, and few of its copies: a map that points at the middle whatever it shows is amber or green there.
    Raises BadParameter for settings out of range, NotApplicable where the map explains no contrast or was joined from tiles.
    """
    known = isinstance(placements, int) and not isinstance(placements, bool) and FEWEST <= placements <= MOST
    if not 0 < area <= 0.5 or not known:
        said = f"area={quoted(area)}, placements={quoted(placements)}"
        raise BadParameter(
            f"{said}: give a share of the image, up to 0.5, and how many random hidings, from {FEWEST} to {MOST:,}."
        )
    asked = contrast_of_map(heatmap, model.labels)
    if asked is None:
        raise NotApplicable(f"{printable(heatmap.source, 300)} explains no contrast: ask for target=Contrast(A, B).")
    settings = {"area": area, "fill": fill, "placements": placements, "seed": seed}
    first = replace(heatmap, place=0)  # it was one of many
    for subject, _ in subjects(model, image, [first], seed=seed):
        return _checked(subject, first, asked, model.labels, settings)
    raise BadParameter("There is no image to check the map on.")


def again(model: Any, image: Any, heatmap: Heatmap, settings: Mapping[str, Any]) -> Check:
    """The check once more, with the settings that it had, as `remaking.checks.run_again` asks for it."""
    return contrast_check(model, image, heatmap, **settings)


def _checked(subject: Subject, heatmap: Heatmap, asked: Contrast, labels: Labels, settings: Mapping[str, Any]) -> Check:
    of = _named(asked.of, labels)
    rivals = ", ".join(_named(each, labels) for each in asked.rivals) or f"its {asked.look_alikes} look-alikes"
    mask = strongest(subject, heatmap, settings["area"])
    if mask is None:
        return Check(NAME, "grey", f"Nothing in the map speaks for {of} rather than {rivals}.", settings=settings)
    masks = np.concatenate([mask[None], moved(mask, settings["placements"], subject.rng("contrast"))])
    fill = subject.fill(settings["fill"])
    scores = subject.asked(
        len(masks), lambda some: np.where(masks[some.start : some.stop, None], fill, subject.x).astype(subject.x.dtype)
    ).scores
    drops = subject.score - scores
    own, others = float(drops[0]), drops[1:]
    mean, value = float(others.mean()), float(own - others.mean())
    low, high = middle(own - resampled(others[:, None], settings["seed"])[:, 0] / len(others), len(others))
    as_much = int((others >= own - 1e-9 * abs(drops).max()).sum())
    says = (
        f"Hiding the {in_percent(mask.mean())} of the image that speak most for {of} rather than {rivals} "
        f"{'lowers' if own >= 0 else 'raises'} {of} against {rivals} by {abs(own):.3g} "
        f"(from {subject.score:.3g} to {scores[0]:.3g}); the same shapes at {len(others)} other places "
        f"{'lower' if mean >= 0 else 'raise'} it by {abs(mean):.3g} on average, and {as_much or 'none'} of them as much."
    )
    status = _status(own, mean, (1 + as_much) / len(masks))
    return Check(NAME, status, says, value, low, high, 0.0, "higher", len(masks), settings)


def _status(own: float, mean: float, p: float) -> Status:
    if own <= 0 or own <= mean:
        return "red"
    return "green" if p <= RARE else "amber"


def _named(asked: int | str, labels: Labels) -> str:
    return printable(name_of(labels, asked) or f"class {asked}" if isinstance(asked, int) else asked, 100)


def strongest(subject: Subject, heatmap: Heatmap, area: float) -> NDArray[np.bool_] | None:
    """The places of a map's highest positive values, at most this share of the image: (*space); None where there are none."""
    values = evidence(subject.on_grid(heatmap), heatmap.values, heatmap.source)
    count = max(1, round(area * values.size))
    mask = np.zeros(values.size, np.bool_)
    mask[subject.order(values)[:count]] = True
    mask = mask.reshape(values.shape) & (values > 0)
    return mask if mask.any() and values.min() < values.max() else None


def moved(mask: NDArray[np.bool_], count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Copies of a mask (*space) at other places: rolled around all edges by any number of places, and mirrored along any of
    the axes, at random: (count, *space).  None covers more than half of the mask itself, which takes up half of the space at
    most (so that there are such copies: over all rolls, they cover of it as much as it covers of the space).
    """
    found = list[Floats]()
    while len(found) < count:
        flips = tuple(axis for axis in range(mask.ndim) if rng.integers(2))
        copy = np.roll(np.flip(mask, flips), [int(rng.integers(side)) for side in mask.shape], range(mask.ndim))
        if 2 * (copy & mask).sum() <= mask.sum():
            found.append(copy)
    return np.array(found)
