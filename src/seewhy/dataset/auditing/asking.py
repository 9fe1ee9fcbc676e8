"""The public question: is this model right for the wrong reason?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seewhy.arguments import known_names
from seewhy.errors import BadParameter
from seewhy.methods.making.method import Method, lookup
from seewhy.metrics.regional.ask import report_of
from seewhy.metrics.regional.chance import LEVEL
from seewhy.metrics.regional.photos import EvidenceReader
from seewhy.metrics.regional.search import DRAWS
from seewhy.metrics.regional.text import text_on
from seewhy.metrics.regional.within import EvidenceRegion, FrameRegion, MarkedRegion, TextRegion, frame_boxes
from seewhy.models.model import require
from seewhy.photo_sets.items import Item, Listing
from seewhy.photo_sets.listing import list_items
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import Class, PerImage, Target, Top

from .alike import alike_places
from .audit_photos import AuditReader, ReadFile
from .budget import AuditBudget, drawn_items
from .dependence import dependences
from .facts import table_of
from .record import Audit
from .suspects import FAMILIES, Checks, suspicions, told
from .trying import PartTrials

NAMED = ("border:0.1", "corner:nw:0.25", "corner:ne:0.25", "corner:sw:0.25", "corner:se:0.25")


@known_names("method")
def audit(
    model: Any,
    data: str | Path,
    truth: str | Path | None = None,
    boxes: str | Path | None = None,
    masks: str | Path | None = None,
    root: str | Path | None = None,
    method: str | Method[Any] = "grad-cam",
    layer: str | None = None,
    text: bool = False,
    budget: int | None = None,
    seed: int = 0,
) -> Audit:
    """Is the model right for the wrong reason?  Of each class: does evidence lie where it should not, do the photos' files or
    rims give it away, and does the answer follow what is suspected when it is pasted onto photos of other classes?

    Asked are borders and corners, every region where evidence may pile up, places where pixels are alike, the rim, and the
    file's size, format and compression; everything is adjusted for all that was asked.  A photo's class is what it truly shows,
    where the data says so, else what the model takes it for.

    data: a folder, also of folders named by labels; a table of paths and labels; a ZIP; a pattern; an address.
    truth, boxes, masks, root: as of a run over a set.  With boxes or masks, evidence outside of the objects is asked for, too.
    method: makes one map of each photo; layer: as for a method.
    text: look also for text that can be read (the extra `text`; seconds for each photo).
    budget: how many images the network may look at: each photo that is explained is one, each pasted one as well.  Photos are
        then drawn, evenly of each class.  By default all are looked at.
    Raises BadParameter where there are no photos, or the model gives no classes; MissingExtra for text without the extra.
    """
    require(model, "scores")
    listing = list_items(data, model.labels, truth=truth, boxes=boxes, masks=masks, root=root)
    return audit_of(model, listing, method, layer, text, budget, seed)


def audit_of(
    model: Any, listing: Listing, method: str | Method[Any] = "grad-cam", layer: str | None = None, text: bool = False,
    budget: int | None = None, seed: int = 0,
) -> Audit:  # fmt: skip
    """The same of photos that were listed."""
    if model.no_classes:
        raise BadParameter(f"An audit asks class by class, and {model.name} gives none: {model.no_classes}")
    left = AuditBudget.of(budget)
    if text:
        text_on(Image.new("RGB", (32, 32)))  # so that a missing extra is said at once
    known = [item for item in listing if item.truth]
    by_truth = bool(known)
    items = drawn_items(known or [*listing], left.photos, seed)
    notes = [*listing.remarks, *_notes(listing, known, items)]
    target: Target | PerImage = PerImage([Class(item.truth[0]) for item in items]) if by_truth else Top()
    evidence = EvidenceReader(model, lookup(method), target, layer, _regions(listing, text), _truth(items))
    reader = AuditReader(evidence, items)
    left.spent += _read(reader)
    if not reader.photos and reader.failed:
        raise reader.failed[0].error
    checks = _checks(reader, seed)
    found = suspicions(checks, reader.photos)
    trials = PartTrials(model, reader.photos, left, seed)
    found = [each for each in trials.of(found) if told(each)]
    return Audit(
        model.name, evidence.method.name, "truth" if by_truth else "prediction", len(reader.photos), len(listing), left.spent,
        checks.evidence, checks.dependences, checks.alike, tuple(found), tuple(reader.failed),
        (*notes, *trials.notes), stop_asked(),
    )  # fmt: skip


def _read(reader: AuditReader) -> int:
    """Explain the photos, until a person stops it: how many that were."""
    done = 0
    for count in shown(reader.read(), len(reader.items), "explaining", wait=False, size=lambda some: some):
        done += count
        if stop_asked():
            break
    return done


def _checks(reader: AuditReader, seed: int) -> Checks:
    """All that can be told of the photos without a further look of the network, but for photos that show a region."""
    photos = reader.photos
    groups = [photo.explained for photo in photos]
    draws = max(DRAWS, round(2 * FAMILIES * len(set(groups)) / LEVEL))
    evidence = report_of(reader.reader, _Photos(reader.items), True, seed, draws)
    views = np.stack([photo.view for photo in photos])
    return Checks(
        evidence,
        dependences(table_of([photo.facts for photo in photos]), groups, seed),
        tuple(alike_places(views, groups, seed)),
    )


def _regions(listing: Listing, text: bool) -> list[EvidenceRegion]:
    regions: list[EvidenceRegion] = [FrameRegion(name, frame_boxes(name)) for name in NAMED]
    if listing.marks.boxes or listing.marks.masks:
        regions.append(MarkedRegion("outside-object", listing.marks, outside=True))
    return regions + ([TextRegion()] if text else [])


def _truth(items: Sequence[Item]) -> Mapping[str, tuple[int, ...]]:
    return {item.path: item.truth for item in items if item.truth}


def _notes(listing: Listing, known: Sequence[Item], items: Sequence[Item]) -> list[str]:
    """What is to be known of which photos were taken, and of what their class is."""
    notes = list[str]()
    if not known:
        notes.append("what the photos show is not known: a photo's class is what the model takes it for")
    elif len(known) < len(listing):
        notes.append(f"{len(listing) - len(known)} of {len(listing)} photos are left out: what they show is not known")
    if several := sum(len({*item.truth}) > 1 for item in items):
        notes.append(f"{several} of {len(items)} photos show several classes: each counts as the first that is given of it")
    if len(items) < len(known or listing):
        notes.append(
            f"{len(items)} of {len(known or listing)} photos were drawn, evenly of each class: the budget allows no more"
        )
    return notes


class _Photos(Sequence[Any]):
    """The pixels of items, read when they are asked for."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return ReadFile(self._items[index]).pixels
