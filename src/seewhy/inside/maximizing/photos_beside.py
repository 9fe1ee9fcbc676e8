"""The sheet of images that were made for an objective, and of the photos that excite it most."""

from collections.abc import Sequence

from PIL import Image

from seewhy.inside.exciting.record import PARTS, SIDE, TopPhotos, magnified, photo_cell
from seewhy.pictures.grid import SOFT, GridCell, GridTable, GridText, grid
from seewhy.printable import printable

LEAST, MOST = 4, 10  # pictures in a row
WIDEST = 320  # pixels of a column: up to these an image keeps its own


def beside_photos(images: Sequence[Image.Image], values: Sequence[float], found: TopPhotos) -> Image.Image:
    """One image and the best photos in one row; several in rows of their own above the photos: RGB.

    values: of each image; found: the photos of one objective, the strongest first.
    """
    (ranking,) = found.rankings
    side = min(max(SIDE, *images[0].size), WIDEST)
    made = [
        GridCell(magnified(image, side), (GridText(f"{value:.4g}"), GridText("made", SOFT)))
        for image, value in zip(images, values, strict=True)
    ]
    photos = [photo_cell(photo, False, side) for photo in ranking.photos]
    columns = min(max(len(photos) + (len(made) == 1), LEAST), MOST)
    cells = [[*made, *photos]] if len(made) == 1 else [made, photos]
    rows = [part[i : i + columns] for part in cells for i in range(0, len(part), columns)]
    heading = f"{ranking.words}; {found.model.name}: made for it, and the best of {found.seen} photos"
    notes = [f"Below each its value. {PARTS}", *([ranking.note] if ranking.note else [])]
    return grid(GridTable(printable(heading, 300), [""] * columns, notes=notes, side=side), rows, len(rows))
