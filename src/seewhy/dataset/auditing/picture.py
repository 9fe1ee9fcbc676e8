"""What is suspected of a class as a picture: where its evidence lies, and other photos with the part pasted on."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from seewhy.metrics.regional.picture import evidence_picture
from seewhy.metrics.regional.report import EvidenceReport
from seewhy.pictures.side_by_side import GAP, Panel, side_by_side
from seewhy.printable import printable

from .planting import PlantedPart
from .suspects import Suspicion, of_all_kinds

WIDE = 300  # pixels of each photo's longer side


def audit_picture(explained: str, report: EvidenceReport, suspicions: Sequence[Suspicion]) -> Image.Image:
    """The mean map of a class beside that of all others with the suspected places outlined, and below it, for each part that
    was pasted, a photo of another class without it, with it, with another class's part, and with it elsewhere: RGB.  Each p is
    the one of the text, adjusted for all kinds of checks.
    """
    piles = [replace(pile, adjusted=of_all_kinds(pile.adjusted)) for pile in report.piles or () if pile.explained == explained]
    named = {each.where for each in suspicions if each.kind == "region"}
    rows = [
        replace(row, adjusted=None if row.adjusted is None else of_all_kinds(row.adjusted))
        for row in report.rows
        if row.explained == explained and row.within in named and not row.truth
    ]
    rows_of = [evidence_picture(explained, report.mean_maps, report.classes, piles, rows)]
    rows_of += [_planted(each.planted, each.where) for each in suspicions if each.planted is not None and each.planted.shown]
    field = Image.new("RGB", (max(row.width for row in rows_of), sum(row.height + GAP for row in rows_of) - GAP), "white")
    top = 0
    for row in rows_of:
        field.paste(row, (0, top))
        top += row.height + GAP
    return field


def _planted(part: PlantedPart, where: str) -> Image.Image:
    """A photo of another class, as it is and with parts pasted on, each under what it is taken for."""
    said = ("as it is", f"with the part of {part.explained}", "with another class's", "with the part elsewhere")
    panels = [
        Panel(_fitted(photo), printable(f"{words}: {taken}", 80))
        for words, (photo, taken) in zip(said, part.shown, strict=False)
    ]
    return side_by_side(panels, f"{where}: {part}")


def _fitted(photo: Image.Image) -> Image.Image:
    """The photo with WIDE pixels on its longer side."""
    scale = WIDE / max(photo.size)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    return photo.resize(size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS)
