"""The page of `seewhy diff`: what changed from one run to another, in one file that loads nothing.

What strangers may have written (names of files, labels) goes into it escaped, by a template that escapes all.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment

from seewhy import __version__
from seewhy.atomic import replacing
from seewhy.dataset.comparing.difference_record import ClassDifference, RunDifference
from seewhy.dataset.comparing.photo_difference import PhotoDifference
from seewhy.dataset.dataset_run import DatasetRun
from seewhy.errors import SeewhyError
from seewhy.maps.shrinking import shrunk
from seewhy.maps.source import Predicted
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent, printable

SIDE, PHOTOS, CLASSES, WORDS = 200, 60, 40, 200  # pixels of a picture; photos and classes that are shown; characters
SAID = {
    "fixed": "right now", "broken": "wrong now", "other": "another answer", "same": "the same answer", "unknown": "no classes",
}  # fmt: skip


def difference_page(found: RunDifference, a: DatasetRun, b: DatasetRun) -> str:
    """The page as HTML: sentences, classes, and of the photos that changed most both maps over the photo."""
    shown = found.photos[:PHOTOS]
    return _template().render(
        version=__version__, a=found.a, b=found.b, method=found.method or "no maps",
        says=[printable(line, 400) for line in found.says], notes=[printable(note, 400) for note in found.notes],
        left=[(len(found.only_a), "only in A"), (len(found.only_b), "only in B"), (len(found.changed), "of other bytes now")],
        classes=[_class_row(each) for each in found.classes[:CLASSES]], more_classes=max(0, len(found.classes) - CLASSES),
        photos=[_card(photo, found, a, b) for photo in shown], more=len(found.photos) - len(shown),
    )  # fmt: skip


def save_difference(found: RunDifference, a: DatasetRun, b: DatasetRun, path: Path) -> Path:
    """Write the page.  Raises NotWritten."""
    with replacing(path, of="the page") as beside:
        beside.write_text(difference_page(found, a, b), "utf-8", errors="replace")
    return path


def _class_row(each: ClassDifference) -> dict[str, Any]:
    told = []
    if each.adjusted is not None and each.answers is not None and each.adjusted <= 0.05:
        told.append("better" if each.answers.difference > 0 else "worse")
    if each.looks_elsewhere:
        told.append("looks elsewhere")
    answers = each.answers
    return {
        "label": printable(each.label, WORDS), "photos": each.photos, "told": ", ".join(told),
        "before": "" if answers is None else in_percent(answers.before.share, 0),
        "after": "" if answers is None else in_percent(answers.after.share, 0),
        "fixed": "" if answers is None else answers.fixed, "broken": "" if answers is None else answers.broken,
        "shift": "" if each.shift is None else str(each.shift),
    }  # fmt: skip


def _card(photo: PhotoDifference, found: RunDifference, a: DatasetRun, b: DatasetRun) -> dict[str, Any]:
    looks = photo.looks
    pictures, fault = list[tuple[str, Thumbnail]](), ""
    if looks is not None and found.method is not None:
        try:
            for letter, run, item in (("A", a, photo.item_a), ("B", b, photo.item_b)):
                heatmap = run.heatmap(item, looks.target, found.method, _path(photo))
                pictures.append((letter, Thumbnail.of(shrunk(heatmap, SIDE).overlay(), SIDE)))
        except (SeewhyError, OSError) as error:
            pictures, fault = [], printable(f"{error}", WORDS)
    return {
        "name": printable(Path(photo.path).name, WORDS), "change": photo.change, "said": SAID[photo.change],
        "truth": printable("; ".join(photo.truth), WORDS), "before": _answer(photo.before), "after": _answer(photo.after),
        "explained": "" if looks is None else printable(looks.label, WORDS),
        "shift": "" if looks is None else in_percent(looks.energy_shift, 0),
        "pictures": pictures, "fault": fault or photo.apart,
    }  # fmt: skip


def _path(photo: PhotoDifference) -> str | None:
    """The photo where B found it, which is where it is likeliest to be; None of what lies in an archive or at an address."""
    return None if "://" in photo.path else photo.path


def _answer(predicted: Predicted | None) -> str:
    if predicted is None:
        return ""
    chance = "" if predicted.probability is None else f" {in_percent(predicted.probability, 0)}"
    return printable(f"{predicted.label or predicted.index}{chance}", WORDS)


def _template() -> Any:
    text = (files("seewhy.report") / "differences.html.j2").read_text("utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
