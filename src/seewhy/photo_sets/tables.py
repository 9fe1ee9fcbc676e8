"""Sets that a file lists: a table of paths and labels, CSV or Parquet, or the boxes of many photos, as in COCO's JSON."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from seewhy.errors import BadParameter, SeewhyError
from seewhy.printable import printable
from seewhy.targets.target import Labels
from seewhy.truth.boxes import read_boxes
from seewhy.truth.given import GroundTruth, known_classes
from seewhy.truth.labels import Classes, read_entries, resolved_classes

from .addresses import file_system, is_address, reading, suffix_of
from .archives import archive_place
from .folders import folder_place
from .items import PhotoPlace

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
MARKED = (".json", ".xml")
LOOKED_FOR = 50  # files of a table, of which one at least should be there
LARGEST = 2**32  # bytes of a table that is fetched from an address


class TableOfPhotos(NamedTuple):
    """What a file lists: the names of photos, in its order, their classes, and their boxes and masks by path."""

    place: PhotoPlace
    names: list[str]
    classes: list[Classes]
    marks: GroundTruth
    remarks: list[str]


def is_table(data: str) -> bool:
    """Is it a file that lists photos, as far as its name tells?"""
    return suffix_of(data) in (*TABLES, *MARKED)


def read_list(data: str, root: str | None, labels: Labels, labelled: bool) -> TableOfPhotos:
    """The photos that a file, or one at an address, lists.

    root: the folder, archive or address that paths in it begin in, by default the one that it lies in; labels: of the model;
    labelled: are its labels wanted?
    Raises BadParameter where it cannot be read, its labels are not the model's, or none of its photos is there.
    """
    place = _place(data, root)
    with _as_file(data) as path:
        if suffix_of(data) in MARKED:
            found = _of_boxes(path, place, labels)
        else:
            entries = {_slashes(name): rows for name, rows in read_entries(path).items() if name.strip()}
            classes = resolved_classes(entries, labels, printable(data)) if labelled else {}
            found = TableOfPhotos(place, [*entries], [classes.get(name, ()) for name in entries], GroundTruth(), [])
    if place.local:
        _look(found.place, found.names, data)
    return found


def _place(data: str, root: str | None) -> PhotoPlace:
    if root is None:
        return (
            PhotoPlace(data.rpartition("/")[0] + "/", local=False)
            if is_address(data)
            else folder_place(os.path.dirname(data) or ".")
        )
    if suffix_of(root) == ".zip":
        return archive_place(root)
    if is_address(root):
        return PhotoPlace(root.rstrip("/") + "/", local=False)
    if not os.path.isdir(root):
        raise BadParameter(f"The paths cannot begin in {printable(root)}: there is no such folder.")
    return folder_place(root)


def _of_boxes(path: Path, place: PhotoPlace, labels: Labels) -> TableOfPhotos:
    """Photos with boxes, whose labels, where they are the model's, are what it shows; and with masks, where it has any."""
    photos = {_slashes(name): boxes for name, boxes in read_boxes(path).items()}
    known = known_classes([box.label for photo in photos.values() for box in photo.boxes], labels)
    boxes = {place.path(name): photo for name, photo in photos.items()}
    masks = {each: photo for each, photo in boxes.items() if any(box.shape for box in photo.boxes)}
    shown = [
        tuple(dict.fromkeys(known.classes[box.label] for box in photo.boxes if box.label in known.classes))
        for photo in photos.values()
    ]
    marks = GroundTruth(boxes=boxes, masks=dict(masks), box_classes=known.classes, labels=labels)
    return TableOfPhotos(place, [*photos], shown, marks, [*known.remarks])


def _look(place: PhotoPlace, names: Sequence[str], data: str) -> None:
    """Raises BadParameter where none of the first photos is there: a run of nothing but errors helps nobody."""
    first = [place.path(name) for name in names[:LOOKED_FOR]]
    if first and not any("://" in path or os.path.exists(path) for path in first):
        what = f"None of the first photos that {printable(data)} lists is there: {printable(first[0], 300)}, ... Say where"
        raise BadParameter(
            f"{what} its paths begin, root=; or give that folder as the data and this file as truth=.",
            typed=f"{what} its paths begin, --root FOLDER; or give that folder as DATA, and --truth {printable(data)}.",
        )


def _slashes(name: str) -> str:
    """A path as this system writes it, which tables of Windows do not."""
    return name.strip().replace("\\", "/") if os.sep == "/" else name.strip()


@contextmanager
def _as_file(data: str) -> Iterator[Path]:
    """The table as a file of this machine; what is said of that file is said of the address."""
    if not is_address(data):
        yield Path(data)
        return
    with TemporaryDirectory(prefix="seewhy-") as folder:
        path = Path(folder, f"table{suffix_of(data)}")
        with reading(data):
            system, there = file_system(data)
            if system.size(there) > LARGEST:
                raise BadParameter(f"{printable(data)} is larger than {LARGEST >> 30} GB: list its photos in several files.")
            system.get_file(there, str(path))
        try:
            yield path
        except SeewhyError as error:
            raise type(error)(str(error).replace(str(path), printable(data))) from None
