"""The concepts of a layer as one picture: a row for each, with its importance and its most typical crops."""

from PIL import Image

from seewhy.pictures.grid import GridCell, GridTable, GridText, grid
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent, printable

from .findings import ConceptFindings, TypicalCrop, spanned

SIDE = 128  # pixels of a crop
WORDS = 60  # characters of a name


def concept_picture(found: ConceptFindings, crops: int) -> Image.Image:
    """The rows below each other: what is known of a concept, and so many crops of it."""
    rows = []
    for k in range(len(found)):
        shown = found.typical[k][:crops]
        rows.append([GridCell(None, tuple(_words(found, k))), *(_cell(found, crop) for crop in shown)])
        rows[-1] += [None] * (crops + 1 - len(rows[-1]))
    heading = printable(f"Concepts of {found.layer} of {found.model.name}", 200)
    table = GridTable(heading, ["", "most typical crops", *[""] * (crops - 1)], notes=found.says, side=SIDE)
    return grid(table, rows, len(rows))


def _words(found: ConceptFindings, k: int) -> list[GridText]:
    words = [GridText(f"concept {k + 1}"), GridText(f"{in_percent(float(found.shares[k]))} of all", "#63636e")]
    for each in found.importances[:2]:
        mean = each.mean(seed=found.settings.seed)
        words.append(GridText(f"Sobol {spanned(mean, k)} for {printable(each.words, WORDS)}"))
    return words


def _cell(found: ConceptFindings, crop: TypicalCrop) -> GridCell:
    picture = found.crop(crop)
    name = GridText(printable(found.photos[crop.photo].name.replace("\\", "/").rpartition("/")[2], 40), "#63636e")
    if picture is None:
        return GridCell(None, (name,))
    return GridCell(Thumbnail.of(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC), SIDE), (name,))
