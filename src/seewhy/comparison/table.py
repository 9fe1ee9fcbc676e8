"""A drift as a table that spreadsheets read."""

import csv
import io
from typing import Any

from seewhy.json_text import whole_text
from seewhy.maps.source import Predicted
from seewhy.printable import printable

from .records import Drift, PhotoDrift

FORMULA = ("=", "+", "-", "@")  # with which a spreadsheet takes a text for a formula


def csv_of(drift: Drift) -> str:
    """One row a photo, worst first, with a head: names as text, numbers with all their digits, nothing where there is none."""
    text = io.StringIO()
    rows = [_row(photo) for photo in drift]
    writer = csv.DictWriter(text, [*rows[0]] if rows else ["image"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(photo: PhotoDrift) -> dict[str, Any]:
    a, b = photo.a.source, photo.b.source
    return {
        "image": cell(photo.image), "class": cell(a.label or a.target), "index_a": a.index, "index_b": b.index,
        "predicted_a": _said(photo.predicted_a), "predicted_b": _said(photo.predicted_b), "same_top1": photo.same_top1,
        "top5_overlap": photo.top5_overlap, "score_a": a.score, "score_b": b.score, "score_change": photo.score_change,
        "probability_a": a.probability, "probability_b": b.probability, "probability_change": photo.probability_change,
        "spearman": photo.spearman, "energy_shift": photo.energy_shift, "centre_shift": photo.centre_shift, "flat": photo.flat,
        "layer_a": cell(a.layer), "layer_b": cell(b.layer), "notes": cell("; ".join(photo.notes)),
    }  # fmt: skip


def _said(predicted: Predicted | None) -> str:
    return "" if predicted is None else cell(predicted.label or str(predicted.index))


def cell(text: str) -> str:
    """The text as one that no spreadsheet calculates."""
    said = printable(whole_text(text))
    return f"'{said}" if said.startswith(FORMULA) else said
