"""The suspected parts, cut out, compared and pasted, one suspicion after the other, while the budget lasts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seewhy.holm import holm
from seewhy.metrics.regional.frames import Shares
from seewhy.printable import printable
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import name_of

from .audit_photos import AuditPhoto, seen_pixels
from .budget import AuditBudget
from .marks import SharedMark, share_in, shared_mark
from .planting import DONORS, FEWEST, PASSES, RECIPIENTS, Donor, PlantedPart, SeenPhoto, planted_part
from .resaving import PASSES as SAVINGS
from .resaving import FileTrait, ResavedPhotos, change_of, resaved_photos, saving_of
from .suspects import Suspicion


class PartTrials:
    """Tries what is suspected.  notes: what could not be tried, and why."""

    def __init__(self, model: Any, photos: Sequence[AuditPhoto], budget: AuditBudget, seed: int) -> None:
        self.model, self.photos, self.budget, self.seed = model, photos, budget, seed
        self.notes: list[str] = []

    def of(self, suspicions: Sequence[Suspicion]) -> list[Suspicion]:
        """The same suspicions with what came of the trials; p values of all that was pasted or saved anew are adjusted for each
        other (Holm).
        """
        tried = dict[int, tuple[SharedMark | None, PlantedPart | None]]()
        done = dict[str, list[Shares]]()
        asked = [number for number, each in enumerate(suspicions) if each.boxes]
        for number in shown(asked, len(asked), "pasting"):
            each = suspicions[number]
            covered = done.setdefault(each.explained, [])
            if stop_asked():
                break
            if each.kind == "region" and any(_overlap(box, other) for box in each.boxes for other in covered):
                continue  # the same place was tried already
            most = self.budget.left(RECIPIENTS * PASSES) // PASSES
            if most < FEWEST:
                self.notes.append(f"{each.explained}, {each.where}: not pasted, for the budget is spent")
                continue
            tried[number] = self._try(each, most)
            covered += each.boxes
        saved = self._saved_anew(suspicions)
        made: dict[Any, Any] = {number: part for number, (_, part) in tried.items() if part is not None} | saved
        adjusted = dict(zip(made, holm([trial.p for trial in made.values()]), strict=True))
        results = {key: replace(trial, adjusted=float(adjusted[key])) for key, trial in made.items()}
        return [
            replace(
                each,
                mark=tried[number][0] if number in tried else None,
                planted=results.get(number),
                resaved=results.pop((each.explained, change_of(each.fact)), None),  # of several facts the one that does best
            )
            for number, each in enumerate(suspicions)
        ]

    def _saved_anew(self, suspicions: Sequence[Suspicion]) -> dict[tuple[str, FileTrait], ResavedPhotos]:
        """Of each class and what may be changed of its files, once: what came of saving photos anew."""
        found = dict[tuple[str, FileTrait], ResavedPhotos]()
        asked = dict[tuple[str, FileTrait], None]()
        for each in suspicions:
            if (trait := change_of(each.fact)) is not None:
                asked[each.explained, trait] = None
        for explained, change in shown(asked, len(asked), "saving anew"):
            if stop_asked():
                break
            own, rest = self._sides(explained)
            index = next((photo.index for photo in own if photo.index is not None), None)
            saving = saving_of(change, own, rest)
            if index is None or saving is None:
                continue
            most = self.budget.left(RECIPIENTS * SAVINGS) // SAVINGS
            if most < FEWEST:
                self.notes.append(f"{explained}, {change}: no photos were saved anew, for the budget is spent")
                continue
            side = rest if saving.toward else own
            photos = [*_first((seen[0] for photo in side if (seen := self._seen(photo))), most)]
            resaved = resaved_photos(self.model, index, explained, saving, photos, self.seed)
            self.budget.spent += len(photos) * SAVINGS
            if resaved is None:
                self.notes.append(f"{explained}, {change}: too few photos to save anew")
            else:
                found[explained, change] = resaved
        return found

    def _sides(self, explained: str) -> tuple[list[AuditPhoto], list[AuditPhoto]]:
        """The photos of a class, and all others in an order that is drawn."""
        own = [photo for photo in self.photos if photo.explained == explained]
        rest = [photo for photo in self.photos if photo.explained != explained]
        return own, [rest[place] for place in np.random.default_rng(self.seed).permutation(len(rest))]

    def _try(self, suspicion: Suspicion, most: int) -> tuple[SharedMark | None, PlantedPart | None]:
        rng = np.random.default_rng([self.seed, len(suspicion.where)])
        own = [photo for photo in self.photos if photo.explained == suspicion.explained]
        rest = [photo for photo in self.photos if photo.explained != suspicion.explained]
        rest = [rest[place] for place in rng.permutation(len(rest))]
        mark: SharedMark | None = None
        together = suspicion.kind == "background" or suspicion.where.startswith("border")
        if together:
            ordered = sorted(own, key=lambda photo: -share_in(photo, suspicion.boxes))
            placed = [(photo, suspicion.boxes) for photo in ordered]
        else:
            mark, found = shared_mark(own, rest, suspicion.boxes)
            placed = [(one.photo, (one.box,)) for one in found]
        index = next((photo.index for photo in own if photo.index is not None), None)
        if index is None:
            return mark, None
        donors = [*_first((Donor(seen, boxes) for photo, boxes in placed if (seen := self._seen(photo))), DONORS)]
        recipients = [*_first((seen for photo in rest if (seen := self._seen(photo))), most)]
        others = _turned(recipients)
        labels = self.model.labels
        part = planted_part(
            self.model, index, suspicion.explained, donors, others, recipients,
            lambda i: printable(name_of(labels, i) or str(i), 60), self.seed,
        )  # fmt: skip
        self.budget.spent += len(recipients) * PASSES
        if part is None:
            self.notes.append(f"{suspicion.explained}, {suspicion.where}: too few photos of other classes to paste it onto")
        return mark, part

    def _seen(self, photo: AuditPhoto) -> SeenPhoto | None:
        return seen_pixels(self.model, photo.item)


def _first(things: Iterator[Any], most: int) -> Iterator[Any]:
    for _, thing in zip(range(most), things, strict=False):
        yield thing


def _turned(photos: Sequence[SeenPhoto]) -> list[SeenPhoto]:
    """The photos in another order, so that none has its own part pasted on."""
    return [*photos[1:], *photos[:1]]


def _overlap(a: Shares, b: Shares) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
