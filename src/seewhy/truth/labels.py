"""What photos truly show: the classes that a table or the folders of the photos say."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from seewhy.errors import BadParameter, Misuse
from seewhy.images.volume_kinds import is_dicom
from seewhy.printable import printable, quoted
from seewhy.targets.class_names import class_index
from seewhy.targets.target import Labels, name_of

from .files import matched
from .parquet import is_parquet, read_parquet
from .table import read_table

Entries = dict[str, list[tuple[str, ...]]]
Classes = tuple[int, ...]  # one or more: all of them are right
FILES = (
    "file", "filename", "file_name", "filepath", "file_path", "path", "image", "images", "img", "image_path", "img_path",
    "image_file", "image_name", "image_id", "imageid", "image_index", "photo", "volume", "scan",
)  # fmt: skip
LABELS = (
    "label", "labels", "class", "classes", "class_name", "class_label", "class_index", "class_id", "label_index", "label_name",
    "label_id", "target", "targets", "truth", "ground_truth", "gt", "wnid", "synset", "category", "finding",
    "findings", "finding_labels", "diagnosis",
)  # fmt: skip
POINT_ZERO = re.compile(r"^([0-9]+)\.0+$")  # tables with gaps write 7.0 for 7
TRUE, MARKS = {"1", "1.0"}, {"", "0", "1", "-1", "0.0", "1.0", "-1.0"}  # -1: not certain
FEW = 5  # labels that an error names


def classes_of(entries: Entries, photos: Sequence[str], labels: Labels, path: Path) -> dict[str, Classes]:
    """The classes of each photo that has any.

    entries: what `read_entries` read from the file at `path`.  A label is a name, as a target is named, or an index; several in
    one cell have | between them, or rows of their own.
    Raises BadParameter where no entry is of any photo, or labels are not the model's.
    """
    found = matched(entries, photos, path.parent, str(path))
    if not found:
        raise BadParameter(f"{path} names none of the images: it has {some(entries)}, and the images are {some(photos)}.")
    return resolved_classes({photo: entries[key] for photo, key in found.items()}, labels, str(path))


def classes_of_folders(photos: Sequence[str], labels: Labels) -> dict[str, Classes]:
    """The class of each photo, after which the folder is named that it lies in.

    Raises BadParameter where folders have other names than the model's labels.
    """
    return resolved_classes({photo: [_folders(photo)] for photo in photos}, labels, "the folders' names")


def read_entries(path: Path) -> Entries:
    """File -> the labels that a table gives it: for each of its rows, the text of each column of labels.  A table with a column
    for each label, in which 1 marks those that apply, gives the titles of these columns, each as a row of its own.

    Raises BadParameter where there is no such table, or it has no columns of files and labels; MissingExtra of a Parquet
    file without PyArrow.
    """
    if path.is_dir():
        raise BadParameter(f"{path} is a folder. Where photos lie in folders named by their labels, write: --truth folders")
    if path.suffix.lower() in (".json", ".jsonl"):
        raise BadParameter(
            f"{path} is JSON. Labels are read from a table: a first line file,label, then a line for each photo."
        )
    table = (read_parquet if is_parquet(path) else read_table)(path, {*FILES, *LABELS})
    header, entries = table.header or ["file", "label"], defaultdict[str, list[tuple[str, ...]]](list)
    if len(table.rows[0] if table.rows else header) != len(header):
        raise BadParameter(
            f"{path} has {len(table.rows[0])} columns and no header: name those of files and labels, as in file,label."
        )
    file = next((header.index(name) for name in FILES if name in header), None)
    columns = [place for place, name in enumerate(header) if name in LABELS]
    columns = columns or [place for place, name in enumerate(header) if name == "name" and place != file]
    if len(header) == 2 and (file is None or not columns):  # what one of two columns is tells what the other is
        file = 1 - columns[0] if file is None else file
        columns = [1 - file]
    marked = [] if columns else [place for place in range(len(header)) if {row[place] for row in table.rows} <= MARKS]
    if file is None or not (columns or marked):
        missing = "files (file, image, path)" if file is None else "labels (label, class, target)"
        raise BadParameter(f"{path} has no column of {missing}: its columns are {printable(', '.join(header), 300)}.")
    for row in table.rows:
        labels = [tuple(row[place] for place in columns)] if columns else []
        entries[row[file]] += labels + [(table.titles[place],) for place in marked if row[place] in TRUE]
    return dict(entries)


def resolved_classes(entries: Entries, labels: Labels, source: str) -> dict[str, Classes]:
    """The classes that the labels of entries name; those of which none is said are left out.  source: of them, for errors.

    Raises BadParameter where labels are not the model's, or the columns of a photo say different classes.
    """
    indices: dict[str, int | None] = {}
    errors: dict[str, Misuse] = {}

    def index(text: str) -> int | None:
        if text not in indices:
            try:
                found = class_index(text if text in (labels or ()) else POINT_ZERO.sub(r"\1", text), labels)
                indices[text] = found if found >= 0 and (not labels or found < len(labels)) else None
            except Misuse as error:
                indices[text], errors[text] = None, error
        return indices[text]

    def classes(text: str) -> Classes | None:
        """Those of one cell; None where one of them is unknown."""
        parts = [text] if index(text) is not None else [part.strip() for part in text.split("|") if part.strip()]
        found = tuple(index(part) for part in parts)
        return None if None in found else tuple(dict.fromkeys(i for i in found if i is not None))

    resolved, unknown = dict[str, Classes](), Counter[str]()
    for photo, rows in entries.items():
        found = list[int]()
        for cells in rows:
            said = {cell: classes(cell) for cell in cells if cell}
            known = {frozenset(each): each for each in said.values() if each}
            if len(known) > 1:
                names = " and ".join(f"{quoted(cell)} ({', '.join(map(str, each))})" for cell, each in said.items() if each)
                raise BadParameter(
                    f"{source}: the columns of {photo} say different classes of this model: {names}. Are the model's labels "
                    "in another order? Else leave one column out."
                )
            if said and not known:
                unknown[next(iter(said))] += 1
            found += next(iter(known.values()), ())
        if found:
            resolved[photo] = tuple(dict.fromkeys(found))
    if unknown:
        raise _unknown(unknown, len(entries), errors, source, labels)
    return resolved


def _unknown(
    unknown: Counter[str], count: int, errors: Mapping[str, Misuse], source: str, labels: Labels
) -> BadParameter:  # fmt: skip
    """The error for labels that the model does not have, with the words of the error for the most frequent one."""
    names = ", ".join(f"{quoted(text, 60)} ({n})" for text, n in unknown.most_common(FEW)) + ", ..." * (len(unknown) > FEW)
    lacking = unknown.total()
    who = "the photo" if count == 1 else f"of {count} photos {lacking}"
    head = f"{source}: {who} {'has' if lacking == 1 else 'have'} a label that is not the model's: {names}."
    why = errors.get(unknown.most_common(1)[0][0]) or BadParameter(f"The model's classes are 0 to {len(labels or ()) - 1}.")
    return BadParameter(f"{head} {why}", typed=f"{head} {why.typed or why}")


def _folders(photo: str) -> tuple[str, ...]:
    """The name of the folder that a photo lies in; of a series of slices, which is a folder itself, also the one around it."""
    path = Path(os.path.abspath(photo))
    series = path if path.is_dir() else path.parent if is_dicom(path) else None
    return (path.parent.name,) if series is None else (series.name, series.parent.name)


def named_classes(classes: Iterable[int], labels: Labels) -> str:
    """Classes in words: "tabby (281), tiger cat (282)"."""
    names = [(name_of(labels, i), i) for i in classes]
    return ", ".join(f"{printable(name, 100)} ({i})" if name else f"class {i}" for name, i in names)


def some(names: Iterable[str]) -> str:
    """The first of several names, in words."""
    every = [*names]
    return printable(", ".join(every[:3]), 300) + ", ..." * (len(every) > 3)
