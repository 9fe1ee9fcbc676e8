"""Maps as files, each of which carries the Source, and the Source of such a file."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .errors import BadImage, BadParameter, NotApplicable
from .medical import NIFTI, named, save_nifti, source_in
from .source import Source
from .volume import Grid, Volume

if TYPE_CHECKING:
    from .heatmap import Heatmap

CHUNK = "seewhy"  # the PNG text chunk that carries the Source
KINDS = ".png, .npz or .npy, of a volume also as .nii or .nii.gz, of a scene as .tif"


def save(heatmap: "Heatmap", path: Path, picture: str, look: dict[str, Any]) -> None:
    """By the file's suffix, as `Heatmap.save` says."""
    suffix = path.suffix.lower()
    if named(path, NIFTI):
        if not isinstance(heatmap.image, Volume):
            raise NotApplicable(
                f"{path.name}: only the map of a volume has a place in space. Give its path or a seewhy.Volume, not a prepared "
                "array; or save it as .npz."
            )
        save_nifti(path, heatmap.full(), heatmap.image, heatmap.source)
    elif suffix == ".png":
        path.write_bytes(png(heatmap, picture, **look))
    elif suffix == ".npz":
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays(heatmap))
    elif suffix == ".npy":
        with path.open("wb") as file:
            np.save(file, heatmap.values)
    elif suffix in (".tif", ".tiff"):
        from .geo import save_geotiff  # which needs rasterio

        save_geotiff(heatmap, path)
    else:
        raise BadParameter(f"A heatmap is saved as {KINDS}, not as {path.suffix or path.name!r}.")


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


def png(heatmap: "Heatmap", picture: str, **look: Any) -> bytes:
    note, file = PngInfo(), io.BytesIO()
    note.add_itxt(CHUNK, heatmap.source.to_json())
    heatmap.drawn(picture, **look).save(file, "PNG", pnginfo=note)
    return file.getvalue()


def source_of(path: Path) -> Source:
    """The Source that a saved file carries."""
    from zipfile import BadZipFile  # as long to import as much of seewhy

    try:
        if named(path, NIFTI):
            return source_in(path)
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as kept:
                return Source.from_json(str(kept["source"]))
        with Image.open(path) as png:
            return Source.from_json(png.info[CHUNK])
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
        raise BadImage(f"{path} carries no Source: it was not saved by seewhy, or was saved again since.") from None
    except BadImage:
        raise
    except (OSError, ValueError, EOFError, BadZipFile, Image.DecompressionBombError) as error:
        raise BadImage(f"{path} cannot be read as .png or .npz: {error}") from None
