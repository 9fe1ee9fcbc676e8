"""The report of a run's failures: one page, and for runs of more photos further pages in a folder beside it.

What strangers may have written (names of files, labels) goes into it escaped, by a template that escapes all.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup

from seewhy import __version__
from seewhy.atomic import replacing
from seewhy.dataset.failures.analysis import FailureAnalysis
from seewhy.dataset.failures.gathering import confidence
from seewhy.dataset.failures.hiding import HiddenEvidence
from seewhy.dataset.failures.reasons import shortfall
from seewhy.dataset.failures.words import OTHERS, RIGHT, difference, pairs, place, says
from seewhy.dataset.info import RunInfo
from seewhy.dataset.photo_rows import PhotoRow
from seewhy.errors import NotWritten
from seewhy.printable import in_percent, printable
from seewhy.truth.accuracy import by_class

from .diagram import diagram
from .pictures import PhotoView, views

PHOTOS = 500  # of a page
ROOM = 3_700_000  # characters of its pictures; the words about 500 photos take less than what is left of 5 MB
WORDS, LABEL = 300, 90  # characters of what a stranger wrote
OF_CELL, OF_GROUP, SUSPICIOUS, LISTED = 4, 8, 12, 50  # photos that are shown of each; lines of a list


class ReportPages(NamedTuple):
    """A report as HTML: its page, and the further ones by their names, which lie in a folder beside it."""

    page: str
    further: dict[str, str]


def pages_of(found: FailureAnalysis, info: RunInfo, folder: str = "report-photos") -> ReportPages:
    """The report of a run.  folder: the name of that of further pages."""
    shown, rest = _ordered(found)
    parts = [shown, *(rest[first : first + PHOTOS] for first in range(0, len(rest), PHOTOS))]
    names = [f"photos-{number}.html" for number in range(2, len(parts) + 1)]
    links = [(name, f"{quote(folder)}/{name}", len(part)) for name, part in zip(names, parts[1:], strict=True)]
    page = _render(found, info, shown, links, main=True)
    return ReportPages(
        page, {name: _render(found, info, part, [], main=False) for name, part in zip(names, parts[1:], strict=True)}
    )


def save_report(found: FailureAnalysis, info: RunInfo, path: Path) -> list[Path]:
    """Write the report, and say which files were.  Raises NotWritten."""
    folder = path.with_name(f"{path.stem}-photos")
    pages, written = pages_of(found, info, folder.name), [path]
    if pages.further:
        _make(folder)
    for name, page in pages.further.items():
        _write(folder / name, page)
        written.append(folder / name)
    _write(path, pages.page)
    return written


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise NotWritten(f"The folder {printable(folder)} cannot be made: {error.strerror or error}.") from error


def _write(path: Path, page: str) -> None:
    with replacing(path, of="the report") as beside:
        beside.write_text(page, "utf-8", errors="replace")


def _ordered(found: FailureAnalysis) -> tuple[list[PhotoRow], list[PhotoRow]]:
    """The photos of the page, and those of further ones: wrong answers first, the surest before others, of right ones the least
    sure.  Those that the page tells of are on it.
    """
    run = found.run
    told = [
        *(photo for cell in found.cells for photo in cell.photos[:OF_CELL]),
        *(photo for one in found.groups.groups for photo in (*one.photos[:OF_GROUP], *one.nearest)),
        *(photo for one in found.reasons.places for photo in one.photos), *found.reasons.photos[:SUSPICIOUS],
        *found.suspects.photos[:SUSPICIOUS],
    ]  # fmt: skip
    wrong = sorted(run.wrong, key=lambda photo: (-confidence(photo), photo.item))
    others = sorted([*run.untold, *run.right], key=lambda photo: (confidence(photo), photo.item))
    every = [*dict.fromkeys([*told, *wrong, *others])]
    page = {photo.item for photo in every[:PHOTOS]}
    return [p for p in [*wrong, *others] if p.item in page], [p for p in [*wrong, *others] if p.item not in page]


def _render(
    found: FailureAnalysis, info: RunInfo, photos: Sequence[PhotoRow], links: list[tuple[str, str, int]], main: bool
) -> str:
    methods = _methods(photos)
    shown = views(photos, methods, ROOM)
    script = _part("page.js")
    grouped = {photo.item: one.number for one in found.groups.groups for photo in one.photos}
    cards = {photo.item: _card(found, photo, shown[photo.item], grouped.get(photo.item, 0)) for photo in photos}

    def of(some: Iterable[PhotoRow]) -> list[dict[str, Any]]:
        return [cards[photo.item] for photo in some if photo.item in cards]

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_part("page.html.j2"))
    return template.render(
        main=main,
        version=__version__,
        style=Markup(_part("page.css") + "".join(view.rules for view in shown.values())),  # ours, numbers and Base64
        script=Markup(script),
        digest=b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        heading=f"What {printable(info.model, LABEL)} {'gets wrong' if found.right else 'saw'}",
        facts=_facts(found, info, methods),
        says=[printable(line, 3 * WORDS) for line in says(found)],
        calibration=found.calibration and diagram(found.calibration),
        classes=_classes(found),
        groups=[
            {
                "number": one.number, "name": one.name, "cost": f"{one.cost:.2f}", "says": printable(pairs(one), WORDS),
                "differs": [difference(each, RIGHT if found.right else OTHERS) for each in one.differs],
                "count": len(one.photos),
                "photos": of(one.photos[:OF_GROUP]), "nearest": of(one.nearest),
            }
            for one in found.groups.groups
        ],
        groups_note=_groups_note(found),
        cells=[
            {
                "truth": printable(cell.truth, LABEL), "answer": printable(cell.answer, LABEL), "count": cell.count,
                "of": str(cell.of), "back": cell.back, "cost": f"{cell.cost:.2f}", "photos": of(cell.photos[:OF_CELL]),
            }
            for cell in found.cells
        ],
        off=found.reasons.off, suspicious=of(found.reasons.photos[:SUSPICIOUS]),
        places=[(printable(place(one), WORDS), of(one.photos)) for one in found.reasons.places],
        places_why=found.reasons.why, searched=found.reasons.searched,
        suspects=of(found.suspects.photos[:SUSPICIOUS]), suspects_count=len(found.suspects.photos),
        suspects_why=found.suspects.why, suspects_asked=found.suspects.asked,
        hidden=found.hidden, hidden_failed=[(_name(p), printable(why, WORDS)) for p, why in found.hidden.failed[:LISTED]],
        cards=list(cards.values()), judged=found.right is not None, wrong=bool(found.run.wrong), methods=methods, links=links,
        failed=[(printable(one.path, WORDS), printable(one.error, WORDS)) for one in found.run.failed[:LISTED]],
        failed_more=max(0, len(found.run.failed) - LISTED),
        drawn=(len(found.run.wrong), found.run.wrong_count),
        gone=sum(bool(view.fault) for view in shown.values()),
    )  # fmt: skip


def _methods(photos: Sequence[PhotoRow]) -> list[str]:
    return [*dict.fromkeys(one.method for photo in photos for one in photo.maps)]


def _facts(found: FailureAnalysis, info: RunInfo, methods: Sequence[str]) -> list[tuple[str, str]]:
    weights = printable(info.weights, LABEL) if info.weights else ""
    return [
        ("model", printable(info.model, LABEL) + (f", {weights}" if weights else "")),
        ("photos", f"{found.run.count:,} of {found.total:,}, {printable(info.data, WORDS)}"),
        ("maps", ", ".join(printable(method, LABEL) for method in methods) or "none"),
    ]


def _classes(found: FailureAnalysis) -> list[tuple[str, Any]]:
    """The classes with the most mistakes, where a class has several photos: (label, portion answered right)."""
    by = by_class(found.run.judgements)
    several = [(index, one) for index, one in by.items() if one.of > 1 and one.part < one.of]
    worst = sorted(several, key=lambda each: (each[1].part - each[1].of, each[0]))[:10]
    return [(printable(found.run.name(index), LABEL), one) for index, one in worst]


def _groups_note(found: FailureAnalysis) -> str:
    groups = found.groups
    if groups.silhouette is None or groups.chance is None:
        return ""
    grouped = sum(len(one.photos) for one in groups.groups)
    return (
        f"Mean silhouette {groups.silhouette:.2f}; the best of 19 sets without groups has {groups.chance:.2f}. "
        f"{len(groups.outside)} of {grouped + len(groups.outside)} photos are in no group."
    )


def _name(photo: PhotoRow) -> str:
    """The name of a photo's file, also of one in an archive (zip://cats/1.jpg::/data/photos.zip)."""
    inside = photo.path.rpartition("::")[0] if photo.path.startswith("zip://") else photo.path
    return printable(inside.replace("\\", "/").rsplit("/", 1)[-1] or photo.path, LABEL)


def _card(found: FailureAnalysis, photo: PhotoRow, view: PhotoView, grouped: int) -> dict[str, Any]:
    """What is said of a photo."""
    run, said, short = found.run, photo.predicted, shortfall(photo)
    truth = printable(run.named(photo.truth), LABEL)
    answer = "" if said is None else printable(run.name(said.index), LABEL)
    kind = "unknown" if photo.right is None else "right" if photo.right else "wrong"
    shown = photo.map()
    return {
        "item": photo.item, "name": _name(photo), "path": printable(photo.path, WORDS), "kind": kind, "truth": truth,
        "answer": answer, "sure": in_percent(confidence(photo), 0), "confidence": f"{confidence(photo):.4f}",
        "true": "" if photo.true_probability is None else _percent(photo.true_probability),
        "rank": photo.true_rank or 0, "group": grouped, "ratio": f"{min(3.0, max(0.33, view.ratio)):.3f}",
        "fault": view.fault, "kinds": view.kinds, "short": "" if short is None else f"{short:.4f}",
        "object": "" if short is None or shown is None else _on_object(shown.evidence),
        "warnings": [] if shown is None else [printable(each, WORDS) for each in shown.warnings],
        "hidden": _hidden(found, found.hidden.of(photo.item)),
    }  # fmt: skip


def _percent(share: float) -> str:
    return in_percent(share, 0) if share >= 0.01 else in_percent(share) if share >= 0.001 else "less than 0.1 %"


def _on_object(evidence: Any) -> str:
    on, of = (in_percent(evidence[name], 0) for name in ("on_object", "object_area"))
    return f"{on} of the evidence is on the object, which has {of} of the area"


def _hidden(found: FailureAnalysis, one: HiddenEvidence | None) -> str:
    if one is None:
        return ""
    what = "the evidence" if one.what == "evidence" else "the place"

    def named(answer: Any) -> str:
        return (
            f"{printable(found.run.names.get(answer.index) or answer.label or answer.index, LABEL)}, "
            f"{in_percent(answer.probability, 0)}"
        )

    return f"With {what} hidden: {named(one.without)}. With as much hidden elsewhere: {named(one.random)}."


def _part(name: str) -> str:
    return files("seewhy.report.failures").joinpath(name).read_text("utf-8")
