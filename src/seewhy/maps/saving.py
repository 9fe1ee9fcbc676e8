"""Maps as files, each of which carries the Source, which `maps.stored_source` reads back."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.files import named
from seewhy.images.places import Grid
from seewhy.images.volume import Volume
from seewhy.images.volume_kinds import NIFTI

from .made_here import CHUNK, RUN
from .nifti import nifti

if TYPE_CHECKING:
    from .heatmap import Heatmap

KINDS = ".png, .npz or .npy, of a volume also as .nii or .nii.gz, of a scene as .tif"


def save(heatmap: "Heatmap", path: Path, picture: str, look: dict[str, Any], over: bool = True, run: str = "") -> None:
    """By the file's suffix, as `Heatmap.save` says.

    over: take the place of a file that is there; run: what made it, of which a picture tells (`made_here.run_of`).
    Raises NotWritten, which names the file and the image; what was there before is then as it was.
    """
    write = _writer(heatmap, path, picture, look, run)
    with replacing(path, over, f"the map of {heatmap.source.image}") as beside:
        write(beside)


def _writer(heatmap: "Heatmap", path: Path, picture: str, look: dict[str, Any], run: str) -> Callable[[Path], Any]:
    """What writes the map in the format that the path names: all that can go wrong but the writing itself has gone well."""
    suffix = path.suffix.lower()
    if named(path, NIFTI):
        if not isinstance(heatmap.image, Volume):
            raise NotApplicable(
                f"{path.name}: only the map of a volume has a place in space. Give its path or a seewhy.Volume, not a prepared "
                "array; or save it as .npz."
            )
        return partial(_nii, nifti(heatmap.full(), heatmap.image, heatmap.source))
    if suffix == ".png":
        drawn = png(heatmap, picture, run, **look)
        return lambda beside: beside.write_bytes(drawn)
    if suffix == ".npz":
        return partial(_npz, arrays(heatmap))
    if suffix == ".npy":
        return lambda beside: beside.write_bytes(_npy(heatmap.values))
    if suffix in (".tif", ".tiff"):
        from .geotiff import geotiff  # which needs rasterio

        scene = geotiff(heatmap)
        return lambda beside: beside.write_bytes(scene)
    raise BadParameter(f"A heatmap is saved as {KINDS}, not as {path.suffix or path.name!r}.")


def _nii(image: Any, beside: Path) -> None:
    """As nibabel saves it; nibabel itself leaves files open where a disk is full."""
    from gzip import GzipFile

    with beside.open("wb") as file:
        if beside.suffix.lower() == ".nii":
            image.to_stream(file)
            return
        with GzipFile("", "wb", 1, file, mtime=0) as packed:
            image.to_stream(packed)


def _npz(kept: dict[str, Any], beside: Path) -> None:
    with beside.open("wb") as file:
        np.savez_compressed(file, **kept)


def _npy(values: NDArray[np.float32]) -> bytes:
    """Into memory first: numpy says of a full disk only how many numbers it held."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def arrays(heatmap: "Heatmap") -> dict[str, Any]:
    """All there is, by name.  box: the edges in a photo's pixels; else the matrix from voxels (frames, samples) of what the
    network saw to those of what was given, which has `shape` and, in space, `affine`.
    """
    box, regions, image = heatmap.box, heatmap.regions, heatmap.image
    own = {
        "channels": heatmap.channels,
        "error": heatmap.error,
        **(regions.arrays if regions else {}),
        "cells": heatmap.cells and np.array(heatmap.cells, float),
        "shape": np.array(box.shape) if isinstance(box, Grid) else None,
        "affine": image.affine if isinstance(image, Volume) else None,
    }
    own = {name: array for name, array in own.items() if array is not None}
    place = box.matrix if isinstance(box, Grid) else np.array(box)
    return {"values": heatmap.values, **own, "box": place, "source": heatmap.source.to_json()}


def png(heatmap: "Heatmap", picture: str, run: str = "", **look: Any) -> bytes:
    from PIL.PngImagePlugin import PngInfo  # which brings a tenth of what seewhy takes to import

    note, file = PngInfo(), io.BytesIO()
    note.add_itxt(CHUNK, heatmap.source.to_json())
    if run:
        note.add_itxt(RUN, run)
    heatmap.drawn(picture, **look).save(file, "PNG", pnginfo=note)
    return file.getvalue()
