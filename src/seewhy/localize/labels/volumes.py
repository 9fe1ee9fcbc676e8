"""Label maps of volumes as NIfTI files, on the scan's own grid."""

import io
from collections.abc import Sequence
from gzip import GzipFile
from pathlib import Path

from seewhy.errors import NotApplicable
from seewhy.images.volume import Volume
from seewhy.maps.made_here import LABELS
from seewhy.maps.nifti import on_grid
from seewhy.printable import printable

from .label_map import LabelMaps
from .labelled import LabelledImage

MOST = 65_534


class VolumeWriter:
    """`scan.nii.gz` for `scan.nii.gz` or the series `scan`: 0 where nothing is, else the class's number, its index among
    `labels` plus one; without labels its place in the order in which classes occur.  Affine, units and codes are the scan's.

    The numbers stand in classes.csv and, with scores and what made the labels, in the header's comment.
    """

    def __init__(self, folder: Path, over: bool = True, labels: Sequence[str] | None = None) -> None:
        self._maps = LabelMaps(folder, ".nii.gz", over, labels, MOST)

    def add(self, image: LabelledImage) -> None:
        scan = image.image
        if not isinstance(scan, Volume):
            raise NotApplicable(f"{printable(image.file, 200)} is no volume. Write png for label maps of photos.")
        values, said = self._maps.values(image, scan.shape), self._maps.said(image)
        made = on_grid(values, scan, f"{LABELS} {said}".encode(), "seewhy labels: see the comment, or classes.csv")
        made.header.set_intent("label")
        packed = io.BytesIO()
        with GzipFile("", "wb", 1, packed, mtime=0) as file:
            made.to_stream(file)
        self._maps.put(image, packed.getvalue())

    def close(self) -> None:
        """Each file is whole already."""
