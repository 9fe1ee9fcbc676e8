"""The public question: what changed from one run to another?"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seewhy.arguments import known_names
from seewhy.comparison.classes import match_classes
from seewhy.dataset.auditing.dependence import dependences
from seewhy.dataset.dataset_run import DatasetRun, open_run
from seewhy.dataset.info import RunInfo
from seewhy.errors import BadParameter
from seewhy.holm import holm
from seewhy.metrics.regional.chance import LEVEL
from seewhy.printable import printable, quoted
from seewhy.progress import shown

from .difference_record import ClassDifference, MeanChange, RunDifference
from .matching import PhotoMatches, kept
from .mcnemar import PairedAnswers
from .photo_difference import CHANGES, PhotoDifference, photo_difference

OTHER = -1


@known_names("method")
def compare_runs(
    a: str | Path | DatasetRun, b: str | Path | DatasetRun, method: str | None = None, seed: int = 0
) -> RunDifference:
    """What changed from run A to run B over the same photos: what is right and wrong now, and where it looks elsewhere.

    Photos are matched by their bytes (SHA-256), else by their paths; classes by their labels.  Maps are compared of the class
    that a photo shows, else of what both took it for, on one grid over what both networks saw.
    method: of the maps; by default A's first that B has, too.  seed: of intervals and tests.
    Raises BadParameter where the runs share no photo or no class.
    """
    run_a, run_b = (run if isinstance(run, DatasetRun) else open_run(run) for run in (a, b))
    notes = list[str]()
    to_b = _classes(run_a.info, run_b.info, notes)
    chosen = _method(run_a.info, run_b.info, method, notes)
    total = run_a.info.count + run_b.info.count
    photos = (kept(photo) for run in (run_a, run_b) for photo in run.photos())
    reading = shown(photos, total, "reading")
    first = len(run_a)
    matches = PhotoMatches([next(reading) for _ in range(first)])
    pairs = [photo_difference(one, other, to_b, chosen) for one, other in matches.pairs(reading)]
    if not pairs:
        raise BadParameter(
            f"{printable(run_a.folder)} and {printable(run_b.folder)} share no photo, neither by its bytes nor by its path: "
            "a difference is that of two runs over the same photos."
        )
    _differing(run_a.info, run_b.info, chosen, notes)
    return _record(run_a, run_b, chosen, pairs, matches, notes, seed)


def _record(
    run_a: DatasetRun, run_b: DatasetRun, method: str | None, pairs: list[PhotoDifference], matches: PhotoMatches,
    notes: list[str], seed: int,
) -> RunDifference:  # fmt: skip
    judged = [photo for photo in pairs if photo.right_before is not None and photo.right_after is not None]
    if judged and len(judged) < len(pairs):
        notes.append(
            f"right and wrong are told of {len(judged)} of {len(pairs)} photos: of the others the runs know no one truth"
        )
    if not judged:
        notes.append("what the photos show is not known to both runs: right and wrong are not told")
    for why in dict.fromkeys(photo.apart for photo in pairs if photo.apart):
        notes.append(f"maps of {sum(photo.apart == why for photo in pairs)} photos are not compared: {why}")
    shifts = [photo.looks.energy_shift for photo in pairs if photo.looks is not None]
    gains = {
        name: [new - old for photo in pairs if name in photo.shares for old, new in [photo.shares[name]]]
        for name in ("on_object", "border")
    }
    order = sorted(pairs, key=lambda p: (CHANGES.index(p.change), -(p.looks.energy_shift if p.looks else 0.0), p.item_b))
    return RunDifference(
        _words(run_a.info), _words(run_b.info), method, tuple(order), _answers(judged, seed), _of_classes(pairs, seed),
        MeanChange.of(shifts, seed), MeanChange.of(gains["on_object"], seed), MeanChange.of(gains["border"], seed),
        tuple(matches.only_a), tuple(matches.only_b), tuple(matches.changed), tuple(notes),
    )  # fmt: skip


def _answers(photos: Sequence[PhotoDifference], seed: int) -> PairedAnswers | None:
    if not photos:
        return None
    right = np.array([(photo.right_before, photo.right_after) for photo in photos], np.bool_)
    return PairedAnswers.of(right[:, 0], right[:, 1], seed)


def _of_classes(pairs: Sequence[PhotoDifference], seed: int) -> tuple[ClassDifference, ...]:
    """Class by class, by what photos show, else by what A took them for."""
    groups = defaultdict[str, list[PhotoDifference]](list)
    for photo in pairs:
        before = photo.before.label or str(photo.before.index) if photo.before else "none"
        groups["; ".join(photo.truth) or before].append(photo)
    placed = [(name, photo.looks.energy_shift) for name, some in groups.items() for photo in some if photo.looks is not None]
    moved = {
        each.explained: each
        for each in dependences({"energy_shift": np.array([shift for _, shift in placed])}, [name for name, _ in placed], seed)
    } if placed else {}  # fmt: skip
    found = list[ClassDifference]()
    for name, some in groups.items():
        judged = [photo for photo in some if photo.right_before is not None and photo.right_after is not None]
        shift = MeanChange.of([photo.looks.energy_shift for photo in some if photo.looks is not None], seed)
        told = moved.get(name)
        found.append(ClassDifference(
            name, len(some), _answers(judged, seed), None, shift, None if told is None else told.p,
            told is not None and told.told > 0.5,
        ))  # fmt: skip
    known = [place for place, each in enumerate(found) if each.answers is not None]
    adjusted = holm([found[place].answers.p for place in known])  # type: ignore[union-attr]
    for place, p in zip(known, adjusted, strict=True):
        found[place] = replace(found[place], adjusted=float(p))
    return tuple(sorted(found, key=_first))


def _first(each: ClassDifference) -> tuple[bool, bool, float, str]:
    unlike = each.adjusted is not None and each.adjusted <= LEVEL
    return not unlike, not each.looks_elsewhere, -(each.shift.mean if each.shift else 0.0), each.label


def _classes(a: RunInfo, b: RunInfo, notes: list[str]) -> Callable[[int], int]:
    """The number in B of a class of A, -1 where B has it not."""
    if a.labels is None or b.labels is None:
        if a.labels != b.labels:
            notes.append("one of the runs has no labels: classes are matched by their numbers")
        return lambda index: index
    match = match_classes(("A", "B"), (a.labels, b.labels), (len(a.labels), len(b.labels)))
    if match.note:
        notes.append(match.note)
    table = match.to_b
    return lambda index: int(table[index]) if 0 <= index < len(table) else OTHER


def _method(a: RunInfo, b: RunInfo, method: str | None, notes: list[str]) -> str | None:
    """The method whose maps are compared."""
    both = [name for name in a.method_names if name in b.method_names]
    if method is not None and method not in both:
        there = f"both have {', '.join(both)}" if both else f"A has {', '.join(a.method_names)}, B {', '.join(b.method_names)}"
        raise BadParameter(f"method={quoted(method)} is not one of both runs: {there}.")
    if not both:
        notes.append(f"maps are not compared: A has {', '.join(a.method_names)}, B {', '.join(b.method_names)}")
        return None
    return method or both[0]


def _differing(a: RunInfo, b: RunInfo, method: str | None, notes: list[str]) -> None:
    """What else differs, which the reader has to know."""
    if a.weights_sha256 and a.weights_sha256 == b.weights_sha256:
        notes.append("both runs are of the same weights")
    if a.layer != b.layer:
        notes.append(f"the layers differ: {quoted(a.layer or 'the default')} in A, {quoted(b.layer or 'the default')} in B")
    if a.prepare != b.prepare:
        notes.append("the photos were prepared differently")
    if method is not None and _params(a, method) != _params(b, method):
        notes.append(f"the settings of {method} differ")


def _params(info: RunInfo, method: str) -> Any:
    return next((dict(each.get("params", {})) for each in info.methods if each.get("name") == method), None)


def _words(info: RunInfo) -> str:
    """A run's model, and which weights these are."""
    digest = f", weights {info.weights_sha256[:8]}" if info.weights_sha256 else ""
    return printable(f"{info.model}{digest}", 200)
