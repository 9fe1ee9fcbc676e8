"""The photos that a segmenter is trained on: as the classifier sees them, with their classes and seeds, kept in one file."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.archives import DAMAGED
from seewhy.atomic import replacing
from seewhy.errors import BadImage, BadParameter
from seewhy.methods.cam import grad_cam
from seewhy.methods.mirror import augment
from seewhy.pictures.label_map import VOID
from seewhy.progress import shown
from seewhy.targets.target import name_of
from seewhy.truth.labels import classes_of, read_entries, some

from .cues import sure_labels

TABLE = "labels.csv"
SCALES = (1, 2)  # of the photo, at which maps are made and averaged, also of its mirror image
EPSILON = 1e-5  # beside the greatest value of a map, as IRN has it
FORM = 1  # of the file that keeps the seeds


class LabelledFiles(NamedTuple):
    """Photos and the classes that they show."""

    files: list[str]
    present: NDArray[np.bool_]  # (n, k)
    classes: list[int]  # (k,), the classifier's indices
    names: list[str]  # (k,)
    missing: list[str]  # files that the table names and that are not there


class TrainingPhotos(NamedTuple):
    """Photos as arrays."""

    files: list[str]
    pixels: NDArray[np.uint8]  # (n, h, w, 3), as the classifier sees them, before they are normalised
    present: NDArray[np.bool_]  # (n, k)
    seeds: NDArray[np.uint8]  # (n, rows, columns): 0 background, a class's place plus one, VOID where neither is sure


def labelled_files(folder: Path, labels: Sequence[str] | None) -> LabelledFiles:
    """What the table labels.csv of a folder says, in the classifier's labels.

    Raises BadParameter where there is no such table, it names no photo that is there, or labels are not the classifier's.
    """
    table = folder / TABLE
    if not table.is_file():
        raise BadParameter(
            f"{folder} has no {TABLE}. Write one: a first line file,label, then a line for each photo; several classes of one "
            "photo have | between them."
        )
    entries = read_entries(table)
    paths = {key: folder / key.strip().replace("\\", "/") for key in entries}
    files = [str(path) for path in paths.values() if path.is_file()]
    missing = [key for key, path in paths.items() if not path.is_file()]
    if not files:
        raise BadParameter(f"{table} names no photo that is there: it has {some(missing)}, in the folder {folder}.")
    found = classes_of({key: entries[key] for key, path in paths.items() if path.is_file()}, files, labels, table)
    classes = sorted({index for indices in found.values() for index in indices})
    present = np.array([[index in found.get(file, ()) for index in classes] for file in files])
    names = [name_of(labels, index) or str(index) for index in classes]
    return LabelledFiles(files, present, classes, names, missing)


def training_photos(
    model: Any, known: LabelledFiles, grid: tuple[int, int], foreground: float, background: float, cache: Path,
    failed: Callable[[str, Exception], None],
) -> TrainingPhotos:  # fmt: skip
    """The photos that can be read, with the seeds of their classes on a grid (rows, columns).

    Seeds come from the classifier's Grad-CAM maps; foreground, background: as `cues.sure_labels` takes them.
    What was made is kept in `cache`, so that a second run with the same classifier, photos and labels only reads it.
    failed: told of each photo that cannot be read.  Raises BadParameter where none can.
    """
    key = _key(model, known, grid, foreground, background)
    kept = _kept(cache, key)
    if kept is not None:
        return kept
    rows: list[tuple[str, NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for place, file in enumerate(shown(known.files, len(known.files), "finding seeds")):
        try:
            x = next(iter(model.batches([file]))).x
        except BadImage as error:
            failed(file, error)
            continue
        pixels, there = as_bytes(x[0], model.prepare), np.flatnonzero(known.present[place])
        maps = class_maps(model, x, [known.classes[k] for k in there])
        labels = sure_labels(maps, pixels, foreground, background, grid)
        numbers = np.array([0, *(there + 1), *[VOID] * (VOID - len(there))], np.uint8)
        rows.append((file, pixels, known.present[place], numbers[labels]))
    if not rows:
        raise BadParameter(f"None of the {len(known.files)} photos can be read.")
    if len(sizes := {pixels.shape[:2] for _, pixels, _, _ in rows}) > 1:
        raise BadParameter(f"{model.name} sees the photos in {len(sizes)} sizes; training needs one: give --prepare crop=224.")
    files, pixels, present, seeds = zip(*rows, strict=True)
    made = TrainingPhotos([*files], np.stack(pixels), np.stack(present), np.stack(seeds))
    _keep(cache, key, made)
    return made


def class_maps(model: Any, x: Any, classes: Sequence[int], scales: Sequence[float] = SCALES) -> NDArray[np.float32]:
    """The Grad-CAM maps of classes over a prepared photo (1, 3, h, w), or a file, at its size: (k, h, w), from 0 to 1.

    scales: several, over which and over mirror images the maps are averaged; none: as they are.  Of each map the positive part
    counts, divided by its greatest value.
    """
    if not len(classes):
        return np.zeros((0, *np.shape(x)[2:]), np.float32)
    targets = [int(index) for index in classes]
    how = augment(grad_cam).using(flips=True, scales=tuple(scales)) if scales else grad_cam
    maps = np.stack([np.maximum(heatmap.full(), 0) for heatmap in how(model, x, target=targets)])
    return maps / (maps.max((1, 2), keepdims=True) + EPSILON)


def as_bytes(x: NDArray[Any], fit: Any) -> NDArray[np.uint8]:
    """The pixels (h, w, 3) of a prepared photo (3, h, w), before a Fit normalised them."""
    mean, std = (np.broadcast_to(np.asarray(values, np.float32), 3)[:, None, None] for values in (fit.mean, fit.std))
    rgb = (np.asarray(x)[::-1] if fit.bgr else np.asarray(x)) * std + mean
    return np.rint(rgb * 255).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def _key(model: Any, known: LabelledFiles, *how: Any) -> str:
    """What the seeds depend on, digested."""
    stats = [(file, (status := Path(file).stat()).st_size, status.st_mtime_ns) for file in known.files]
    facts = [model.weights_sha256(), str(model.prepare), stats, known.classes, known.present.tolist(), how, SCALES, FORM]
    return sha256(json.dumps(facts, default=str).encode()).hexdigest()


def _kept(cache: Path, key: str) -> TrainingPhotos | None:
    """What an earlier run kept, if it was of the same key and is whole."""
    try:
        with np.load(BytesIO(cache.read_bytes()), allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            files = [str(file) for file in stored["files"]]
            return TrainingPhotos(files, stored["pixels"], stored["present"], stored["seeds"])
    except DAMAGED:
        return None


def _keep(cache: Path, key: str, photos: TrainingPhotos) -> None:
    arrays: Mapping[str, Any] = {"key": np.array(key), **photos._asdict(), "files": np.array(photos.files)}
    with replacing(cache, of="the seeds") as beside, BytesIO() as memory:
        np.savez(memory, **arrays)
        beside.write_bytes(memory.getvalue())
