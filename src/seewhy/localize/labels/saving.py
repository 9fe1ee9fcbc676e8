"""Labels from maps in one call."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from seewhy.errors import BadParameter
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps

from .formats import open_writer
from .labelled import labelled_image


def save_labels(
    maps: Heatmaps,
    path: str | Path,
    format: str = "coco",
    suppress: float | None = 0.5,
    labels: Sequence[str] | None = None,
    prefix: str = "",
    **how: Any,
) -> Path:
    """Find the boxes and masks of maps, and write them as labels that other tools read, one or more objects for each image.

    path: the file, or the folder of formats with a file for each image.
    format: csv, coco, coco-rle, voc, yolo, yolo-segments, png, nifti, geotiff, label-studio,
        label-studio-polygons, label-studio-brush, cvat, cvat-polygons, cvat-masks.
    suppress, how: as in `Heatmaps.boxes`: threshold=, of=, components=, connectivity=, least=, preset=, refine=.
    labels: of the model (`model.labels`), whose indices classes are numbered by; else they are numbered as they occur.
    prefix: what stands before the names of photos, of Label Studio's formats.
    Several maps of one image are of several classes, as of `target=[seewhy.Top(1), seewhy.Top(2)]`.  An image whose map is
    flat has no object, and the file says why where it has room.  What was there is replaced, when all is written.
    Raises NoSuchName for an unknown format, BadParameter where there are no maps, NotApplicable for images that the format does
    not hold, NotWritten.
    """
    if not len(maps):
        raise BadParameter("There are no maps to make labels of.")
    writer = open_writer(format, path, labels, prefix)
    try:
        for group in _by_image(maps):
            (together,) = Heatmaps(tuple(group)).boxes(suppress=suppress, **how)
            writer.add(labelled_image(group, together, {**how, "suppress": suppress}))
    finally:
        writer.close()
    return Path(path)


def _by_image(maps: Heatmaps) -> list[list[Heatmap]]:
    def key(one: Heatmap) -> tuple[int, str]:
        return one.place, one.source.image

    return [[*group] for _, group in groupby(sorted(maps, key=key), key)]
