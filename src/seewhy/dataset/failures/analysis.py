"""What the failures of a run have in common, how far its probabilities can be trusted, and what is right for a wrong reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seewhy.dataset.photo_rows import PhotoRow
from seewhy.errors import NotApplicable
from seewhy.progress import shown, stop_asked
from seewhy.truth.accuracy import Portion, top

from .calibration import Calibration, calibration
from .confusing import ConfusionCell, confusion_cells
from .gathering import NO_CLASS, GatheredRun, gathered
from .groups import FailureGroups, failure_groups, unsure_groups
from .hiding import HiddenChecks, HiddenEvidence, hidden_checks, to_check
from .reasons import WrongReasons, wrong_reasons
from .suspects import SuspectedLabels, suspected_labels

RANKS = 5


@dataclass(frozen=True)
class FailureAnalysis:
    """All that a failure report says, as numbers.

    total: photos of the run; missing: of those, not yet done.
    right, among_five: of the photos whose truth is known the portion that was answered right, and whose true class is among the
        five likeliest; None where no truth is known.
    groups: of wrong answers, or where no truth is known of the least sure ones.
    calibration: None of fewer than 20 answers whose truth is known.
    """

    run: GatheredRun = field(repr=False)
    total: int
    missing: int
    right: Portion | None
    among_five: Portion | None
    calibration: Calibration | None
    cells: tuple[ConfusionCell, ...]
    groups: FailureGroups
    suspects: SuspectedLabels
    reasons: WrongReasons
    hidden: HiddenChecks

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON; photos by their places in the run."""
        groups, calibrated, reasons = self.groups, self.calibration, self.reasons
        return {
            "photos": self.run.count, "total": self.total, "missing": self.missing, "failed": len(self.run.failed),
            "copies": self.run.copies, "contradicted": self.run.contradicted,
            "right": _portion(self.right), "among_five": _portion(self.among_five),
            "calibration": calibrated and {
                **{name: value for name, value in vars(calibrated).items() if name != "bins"},
                "bins": [
                    {"low": one.low, "high": one.high, "confidence": one.confidence, "right": _portion(one.right)}
                    for one in calibrated.bins
                ],
            },
            "confusions": [
                {"truth": one.truth, "answer": one.answer, "count": one.count, "of": one.of.of, "back": one.back,
                 "cost": one.cost, "photos": _items(one.photos)}
                for one in self.cells
            ],
            "in_common": [vars(one) for one in groups.all], "no_groups": groups.why or None,
            "silhouette": groups.silhouette, "silhouette_by_chance": groups.chance,
            "groups": [
                {"number": one.number, "name": one.name, "cost": one.cost, "differs": [vars(each) for each in one.differs],
                 "photos": _items(one.photos), "nearest": _items(one.nearest)}
                for one in groups.groups
            ],
            "suspected_labels": None if self.suspects.why else _items(self.suspects.photos),
            "off_object": _portion(reasons.off), "off_object_photos": _items(reasons.photos),
            "places": [{**one.pile.facts, "photos": _items(one.photos)} for one in reasons.places],
            "hidden": [_hidden(one) for one in self.hidden.found] if self.hidden.done else None,
        }  # fmt: skip


def analyse(
    photos: Iterable[PhotoRow], total: int | None = None, model: Any = None, seed: int = 0, most: int | None = None
) -> FailureAnalysis:
    """Analyse the photos of a run.

    total: of photos that the run is to have; model: to ask again with the evidence hidden, else that is not done.
    Raises NotApplicable where the network gave no photo a class, as a regression does; MissingExtra where scikit-learn is not
    installed.
    """
    run = gathered(photos, seed) if most is None else gathered(photos, seed, most)
    if run.failed and {one.error for one in run.failed} == {NO_CLASS} and len(run.failed) == run.count:
        raise NotApplicable(
            "The model of this run took no photo for a class that could be right: it is a regression, or its scores are no "
            "numbers (NaN). There is nothing to report of. Its maps are in the rows of the run: seewhy.open_run(...).photos()."
        )
    every = sorted([*run.wrong, *run.right, *run.untold], key=lambda photo: photo.item)
    reasons = wrong_reasons(run.right, every, seed)
    right = np.array([one.right for one in run.judgements], np.bool_)
    return FailureAnalysis(
        run, run.count if total is None else total, 0 if total is None else max(0, total - run.count),
        top(run.judgements), top(run.judgements, RANKS), calibration(run.probabilities, right, seed),
        tuple(confusion_cells(run)), failure_groups(run, seed) if run.judgements else unsure_groups(run, seed),
        suspected_labels(sorted([*run.wrong, *run.right], key=lambda photo: photo.item)), reasons,
        HiddenChecks() if model is None else checked(model, run, reasons, seed),
    )  # fmt: skip


def checked(model: Any, run: GatheredRun, reasons: WrongReasons, seed: int = 0) -> HiddenChecks:
    """What the model says without the evidence of suspicious answers; Ctrl-C ends with those that are done."""
    photos, found, failed = to_check(run.wrong, reasons), list[HiddenEvidence](), list[tuple[PhotoRow, str]]()
    for one in shown(hidden_checks(model, photos, reasons.places, seed), len(photos), "hiding the evidence"):
        if isinstance(one, HiddenEvidence):
            found.append(one)
        else:
            failed.append(one)
        if stop_asked():
            break
    return HiddenChecks(True, tuple(found), tuple(failed))


def _items(photos: Iterable[PhotoRow]) -> list[int]:
    return [photo.item for photo in photos]


def _portion(one: Portion | None) -> dict[str, Any] | None:
    return one and {"part": one.part, "of": one.of, "share": one.share, "low": one.interval[0], "high": one.interval[1]}


def _hidden(one: HiddenEvidence) -> dict[str, Any]:
    return {
        "photo": one.item, "what": one.what, "area": one.area, "before": vars(one.before), "without": vars(one.without),
        "random": vars(one.random), "changed": one.changed, "changed_by_chance": one.changed_by_chance,
    }  # fmt: skip
