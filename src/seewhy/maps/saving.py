"""The formats of files that hold a map.  Each carries the Source, which `maps.stored_source` reads back."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.files import has_suffix
from seewhy.images.places import Grid
from seewhy.images.volume import Volume
from seewhy.images.volume_kinds import NIFTI
from seewhy.json_text import as_json
from seewhy.pictures.canvas import Overlay

from .made_here import CHUNK, DRAWN, SHEET
from .nifti import nifti, write_nifti
from .regions import Regions
from .source import Source

KINDS = ".png, .npz or .npy, for papers as .svg or .pdf, of a volume also as .nii or .nii.gz, of a scene as .tif"
Writer = Callable[[Path], Any]  # writes a map into the file
LEVEL = 2  # of a PNG's compression: a fourth of the time of the usual 6, for files a tenth larger at most
FORMATS = {".png": "png", ".svg": "svg", ".pdf": "pdf", ".npz": "npz", ".npy": "npy", ".tif": "geotiff", ".tiff": "geotiff"}


def format_of(path: Path) -> str:
    """The name of the format that a file's suffix stands for.  Raises BadParameter where there is no such format."""
    if has_suffix(path, NIFTI):
        return "nifti"
    if path.suffix.lower() not in FORMATS:
        raise BadParameter(f"A heatmap is saved as {KINDS}, not as {path.suffix or path.name!r}.")
    return FORMATS[path.suffix.lower()]


def save(path: Path, writers: Mapping[str, Callable[[], Writer]], image: str, over: bool = True) -> None:
    """Write a map into a file, in the format that its suffix stands for.

    writers: by the name of the format, a function that makes its writer and raises all errors but those of the writing.
    image: the name of the image, for errors.
    over: take the place of a file that is there.
    Raises NotWritten, which names the file and the image; what was there before is then as it was.
    """
    write = writers[format_of(path)]()
    with replacing(path, over, f"the map of {image}") as beside:
        write(beside)


def bytes_writer(content: bytes) -> Writer:
    return lambda beside: beside.write_bytes(content)


def geotiff_writer(shown: Overlay, source: Source) -> Writer:
    """Writes the map of a scene as GeoTIFF, which lies on the earth where the scene lies.  Raises as `geotiff` does."""
    from .georeference import geotiff  # here, for the reader of TIFF's tags takes a while to import

    return bytes_writer(geotiff(shown, source))


def nifti_writer(name: str, image: Any, full: Callable[[], NDArray[np.float32]], source: Source) -> Writer:
    """Writes the map of a volume as NIfTI, on the grid of the volume.  Raises NotApplicable for maps of anything else."""
    if not isinstance(image, Volume):
        raise NotApplicable(
            f"{name}: only the map of a volume has a place in space. Give its path or a seewhy.Volume, not a prepared "
            "array; or save it as .npz."
        )
    return partial(write_nifti, nifti(full(), image, source))


def npz_writer(shown: Overlay, source: Source, channels: Any, error: Any, regions: Regions | None) -> Writer:
    """Writes everything that the map holds, by name.

    cells: for each axis the centre of the first cell, the step to the next, the size of what the network saw and, where the
    border cuts off what cells see, the spread and the reach of their sights (see images/sight.py), in pixels.
    box: the edges in a photo's pixels; else the matrix from voxels (frames, samples) of what the network saw to those of what
    was given, which has `shape` and, in space, `affine`.
    """
    box, image = shown.box, shown.image
    optional = {
        "channels": channels,
        "error": error,
        **(regions.arrays if regions else {}),
        "cells": shown.cells and np.array([*shown.cells[:3], *zip(*shown.cells.sights, strict=True)], float),
        "shape": np.array(box.shape) if isinstance(box, Grid) else None,
        "affine": image.affine if isinstance(image, Volume) else None,
    }
    present = {name: array for name, array in optional.items() if array is not None}
    place = box.matrix if isinstance(box, Grid) else np.array(box)
    return partial(_write_npz, {"values": shown.values, **present, "box": place, "source": source.to_json()})


def _write_npz(arrays: dict[str, Any], beside: Path) -> None:
    with beside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def npy(values: NDArray[np.float32]) -> bytes:
    """The values as an .npy file, made in memory: where a disk is full, numpy says only how many numbers it held."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def sheet_png(picture: Image.Image) -> bytes:
    """A picture of many maps as a PNG file that says that seewhy drew it."""
    return _noted(picture, {SHEET: "many maps"})


def png(picture: Image.Image, source: Source, drawing: str = "") -> bytes:
    """The picture as a PNG file that carries the Source; drawing: how it was drawn of the map (`drawing_text`)."""
    return _noted(picture, {CHUNK: source.to_json(), **({DRAWN: drawing} if drawing else {})})


def drawing_text(picture: str, look: Mapping[str, Any], draw: Callable[..., Image.Image]) -> str:
    """How a map was drawn: the arguments of `Heatmap.drawn` that are not as by default, as one JSON object.

    draw: what drew it.
    """
    usual = {name: parameter.default for name, parameter in signature(draw).parameters.items()}
    other = {name: value for name, value in look.items() if name not in usual or value != usual[name]}
    return as_json({"picture": picture, "look": other})


def _noted(picture: Image.Image, texts: Mapping[str, str]) -> bytes:
    """The picture as a PNG file with texts in chunks of these names."""
    from PIL.PngImagePlugin import PngInfo  # here, for it takes a tenth of the time to import seewhy

    note, file = PngInfo(), io.BytesIO()
    for name, text in texts.items():
        note.add_itxt(name, text)
    picture.save(file, "PNG", pnginfo=note, compress_level=LEVEL)
    return file.getvalue()
