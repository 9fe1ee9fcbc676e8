"""The bytes of a map as a GeoTIFF file, and the Source that such a file carries."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seewhy.arrays import Floats
from seewhy.errors import BadImage, NotApplicable
from seewhy.images.geotiff import SUFFIXES, is_placed, opened_scene, rasterio_module
from seewhy.images.photo import read
from seewhy.images.places import cells_along
from seewhy.images.resample import brought
from seewhy.images.tiff_tags import first_tags
from seewhy.objects.found import FoundBox
from seewhy.pictures.canvas import Overlay

from .source import Source

TAG = "SEEWHY"  # of the TIFF: the Source


class ScenePlace(NamedTuple):
    """Where on the earth a scene lies."""

    crs: Any  # of rasterio
    transform: Any  # from pixels to the coordinates of the CRS, an affine.Affine
    size: tuple[int, int]  # (w, h)


def geotiff(shown: Overlay, source: Source, like: str | Path | None = None) -> bytes:
    """A map as a GeoTIFF file, which lies where the scene lies: `like`, or else the file that was explained.

    GDAL makes it in memory: where a disk is full, it says so too late or nowhere.  Raises as `maps.geotiff.save_geotiff`.
    """
    rasterio = rasterio_module()
    if shown.values.ndim != 2:
        raise NotApplicable(f"A GeoTIFF holds flat maps; this one is {shown.values.shape}.")
    named = like if like is not None else source.image
    if like is None and not _is_file(named):
        raise BadImage(
            f"{named} is no file here, so nobody knows where its map lies on the earth. Give like=, the scene that it lies on, "
            "or save it as .png or .npy."
        )
    crs, transform, size = scene_place(named, shown.image)
    box = shown.box
    down, across = cells_along(shown.values.shape, shown.cells, ((box.top, box.bottom), (box.left, box.right)))
    finer = [there / here for there, here in zip(size, shown.size, strict=True)] if shown.image is None and like else (1, 1)
    cell = np.diag([across.stride * finer[0], down.stride * finer[1], 1.0])
    cell[:2, 2] = (across.first - across.stride / 2) * finer[0], (down.first - down.stride / 2) * finer[1]
    scene_of = np.array([[transform.a, transform.b, transform.c], [transform.d, transform.e, transform.f], [0, 0, 1]])
    affine = rasterio.Affine(*(scene_of @ cell)[:2].ravel())
    shape: dict[str, Any] = {"height": shown.values.shape[0], "width": shown.values.shape[1], "count": 1}
    with rasterio.MemoryFile() as made:
        with made.open(driver="GTiff", **shape, dtype="float32", crs=crs, transform=affine, compress="deflate") as file:
            file.write(_evenly_spaced(shown).astype(np.float32), 1)
            file.set_band_description(1, source.caption)
            file.update_tags(**{TAG: source.to_json()})
        return made.read()


def scene_place(named: str | Path, image: Any) -> ScenePlace:
    """Where a scene lies, on which an image, or None of a prepared array, was explained.

    Raises BadImage where the file has no georeference, or is not that image as it lies on the earth.
    """
    with opened_scene(Path(named)) as scene:
        crs, transform, size, placed = scene.crs, scene.transform, (scene.width, scene.height), is_placed(scene)
    if not placed:
        raise BadImage(f"{named} has no georeference, so the map has none. Save it as .png or .npy, or give like=.")
    if image is not None and not _as_it_lies(image, Path(named), size):
        pixels = f"{image.width}x{image.height}"
        raise BadImage(
            f"{named} is {size[0]}x{size[1]} as its rows are stored, and lies so on the earth; the image explained, {pixels}, "
            "is another file, or turned by its Orientation tag. Explain the path, or take the tag out (tiffset -s 274 1)."
        )
    return ScenePlace(crs, transform, size)


def _evenly_spaced(shown: Overlay) -> Floats:
    """The map's values at cells that lie as far apart at the border as elsewhere, as a GeoTIFF has them."""
    cells = shown.cells
    return brought(shown.values, cells, shown.values.shape, cells.uncut) if cells and cells.sights else shown.values


def source_text(path: Path) -> str:
    """The Source that `geotiff` put there, as text.  Raises KeyError where there is none."""
    with opened_scene(path) as scene:
        return scene.tags()[TAG]


def on_earth(boxes: Sequence[FoundBox], shown: Overlay, source: Source) -> Sequence[FoundBox]:
    """Boxes on a map, with their corners in the reference system of the GeoTIFF that was explained, if it was one."""
    if not boxes or not is_georeferenced(shown, source):
        return boxes
    with opened_scene(Path(source.image)) as scene:
        crs, at = scene.crs and scene.crs.to_string(), scene.transform
    turn, shift = np.array([[at.a, at.b], [at.d, at.e]]), np.array([at.c, at.f])
    placed = list[FoundBox]()
    for box in boxes:
        x0, y0, x1, y1 = box.edges
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ turn.T + shift
        placed.append(replace(box, crs=crs, corners_map=tuple((float(x), float(y)) for x, y in corners)))
    return placed


def is_georeferenced(shown: Overlay, source: Source) -> bool:
    """Is it the flat map of a file that says where on the earth it lies?  Without rasterio the answer is no."""
    path = Path(source.image)
    if path.suffix.lower() not in SUFFIXES or shown.values.ndim != 2 or find_spec("rasterio") is None or not _is_file(path):
        return False
    try:
        with opened_scene(path) as scene:
            size = scene.width, scene.height
            return is_placed(scene) and (shown.image is None or _as_it_lies(shown.image, path, size))
    except BadImage:
        return False


def _is_file(name: str | Path) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name too long for a file, or with a NUL
        return False


def _as_it_lies(image: Any, path: Path, size: tuple[int, int]) -> bool:
    """Was the scene explained as its rows are stored?  A file without an Orientation tag was, if it has that size."""
    tags = first_tags(path)
    if image.size != size or tags is None or tags.orientation == 1:
        return image.size == size
    return tags.earth and np.array_equal(np.asarray(image), np.asarray(read(path).pixels))
