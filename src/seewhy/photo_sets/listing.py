"""The listing of a set: from what a person names as the data to numbered photos, each with what it truly shows."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seewhy.errors import BadParameter
from seewhy.printable import printable, quoted
from seewhy.targets.class_names import classes_named
from seewhy.targets.target import Labels, is_index
from seewhy.truth.given import GivenTruth, GroundTruth
from seewhy.truth.labels import Classes, resolved_classes, some

from .addresses import in_address, is_address, suffix_of
from .archives import archive_place, in_archive
from .folders import folder_place, in_folder, of_pattern
from .items import Listing, PhotoPlace
from .names import MAGIC, PhotoNames, is_photo_name
from .tables import is_table, read_list

NONE = "none"  # in the place of a table of labels: nothing is known
FORMS = (
    "It is a folder, also of folders named by labels; a table of paths and labels (.csv, .parquet) or COCO's .json; a .zip; a "
    "pattern such as 'photos/**/*.jpg'; or an address such as s3://bucket/photos"
)


def list_items(
    data: str | Path,
    labels: Labels,
    *,
    truth: str | Path | None = None,
    boxes: str | Path | None = None,
    masks: str | Path | None = None,
    root: str | Path | None = None,
) -> Listing:
    """The photos of a set, in the order of their names, or of the file that lists them.

    data: a folder, with all in it; a table (CSV, Parquet) or a file of boxes (COCO, Label Studio, CVAT); a ZIP archive; a
        pattern; one photo; or any of these at an address that fsspec reads.
    labels: of the model's classes, by which labels become classes.
    truth: what the photos show: a table of files and labels; "folders", the name of the folder that each lies in; "none".
        By default what the data says itself: the labels of a table, or the folders' names where all of them are the model's
        labels.
    boxes, masks: where the objects are, as `GivenTruth.read` reads it.
    root: the folder, archive or address in which the paths in a table begin; by default the one that the table lies in.
    Raises BadParameter, BadImage or MissingExtra where there are no photos, or something is not what it should be.
    """
    text = os.fspath(data)
    if not text.strip():
        raise BadParameter(f"The data has an empty name. {FORMS}.")
    if root is not None and not is_table(text):
        raise BadParameter(f"The paths in a table begin in a folder; {printable(text)} is no table (.csv, .parquet, .json).")
    if is_table(text) and not os.path.isdir(text):
        table = read_list(text, os.fspath(root) if root is not None else None, labels, truth is None)
        place, names, classes, marks = table.place, table.names, table.classes, table.marks
        remarks = [*table.remarks]
    else:
        place, found = _found(text)
        names, remarks, marks = found.names, [*found.remarks], GroundTruth(labels=labels)
        classes = [()] * len(names)
        if truth is None:
            classes = _of_folders(names, labels, remarks)
    if not names:
        raise BadParameter(f"{printable(text)} lists no photos.")
    if truth == NONE:
        classes, truth = [()] * len(names), None
    if truth is not None or boxes is not None or masks is not None:
        given = _given(place, names, labels, truth, boxes, masks)
        remarks += given.remarks
        paths = [place.path(name) for name in names]
        classes = [given.classes.get(path, ()) for path in paths] if truth is not None else classes
        marks = GroundTruth(
            boxes=given.boxes if boxes is not None else marks.boxes,
            masks=given.masks if masks is not None else marks.masks,
            box_classes=given.box_classes if boxes is not None else marks.box_classes,
            labels=labels,
        )
    return Listing(text, place, names, classes, marks, tuple(remarks))


def _found(data: str) -> tuple[PhotoPlace, PhotoNames]:
    """The place and the names of the photos in what is no table."""
    if is_address(data):
        return (archive_place(data), in_archive(data)) if suffix_of(data) == ".zip" else in_address(data)
    if os.path.isdir(data):
        return folder_place(data), in_folder(data)
    if os.path.isfile(data):
        if suffix_of(data) == ".zip":
            return archive_place(data), in_archive(data)
        if is_photo_name(data):
            return folder_place(os.path.dirname(data) or "."), PhotoNames([os.path.basename(data)], [])
        raise BadParameter(f"{printable(data)} is a file that lists no photos. {FORMS}.")
    if MAGIC.search(data):
        return of_pattern(data)
    raise BadParameter(f"The data {quoted(data)} is not there. {FORMS}.")


def _of_folders(names: Sequence[str], labels: Labels, remarks: list[str]) -> list[Classes]:
    """The class of each photo that lies in a folder named by its label; of none, where no folder is named so.

    Raises BadParameter where some folders are, and others not.
    """
    folders = dict.fromkeys(_folder(name) for name in names)
    folders.pop("", None)
    unknown = [folder for folder in folders if not _is_class(folder, labels)]
    if len(unknown) == len(folders):
        if folders:
            remarks.append(f"no truth is known: the folders' names ({some(folders)}) are not the model's labels")
        return [()] * len(names)
    if unknown:
        are = "is" if len(unknown) == 1 else "are"
        what = f"Of {len(folders)} folders with photos {len(unknown)} {are} not named by the model's labels: {some(unknown)}."
        raise BadParameter(
            f'{what} Rename them; or give truth="none", so that no labels are taken from folders, or a table of labels.',
            typed=f"{what} Rename them; or give --truth none, so that no labels are taken from folders, or a table of labels.",
        )
    classes = resolved_classes({folder: [(folder,)] for folder in folders}, labels, "the folders' names")
    remarks.append(f"the labels are the names of the folders: {some(folders)} ({len(folders)})")
    return [classes.get(_folder(name), ()) for name in names]


def _folder(name: str) -> str:
    """The name of the folder that a photo lies in, within the set."""
    return name.rpartition("/")[0].rpartition("/")[2]


def _is_class(folder: str, labels: Labels) -> bool:
    """Does the name mean one class of the model?"""
    if labels and (fits := classes_named(folder, labels)):
        return len(fits) == 1
    return is_index(folder) and 0 <= int(folder[:30]) < (len(labels) if labels else 2**31)


def _given(
    place: PhotoPlace,
    names: Sequence[str],
    labels: Labels,
    truth: str | Path | None,
    boxes: str | Path | None,
    masks: str | Path | None,
) -> GroundTruth:
    """What files say of the photos, by path.  In an archive or at an address they are known by their names in there."""
    table = None if truth is None else os.fspath(truth)
    given = GivenTruth.read(table, None if boxes is None else Path(boxes), None if masks is None else Path(masks))
    path_of = {place.path(name) if place.local else f"/{name}": place.path(name) for name in names}
    known = given.of([*path_of], labels)
    return replace(
        known,
        classes={path_of[photo]: classes for photo, classes in known.classes.items()},
        boxes={path_of[photo]: marked for photo, marked in known.boxes.items()},
        masks={path_of[photo]: marked for photo, marked in known.masks.items()},
    )
