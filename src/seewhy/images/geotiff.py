"""GeoTIFF: large scenes read by windows, and maps written where they lie on the earth.  rasterio comes with seewhy[geo]."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadImage, MissingExtra, NotApplicable
from seewhy.explaining.tiles.seam import rows
from seewhy.explaining.tiles.whole import KEPT, Sides, Whole
from seewhy.printable import printable

from .files import listening
from .photo import Photo, read, rgb
from .tiff import CHOOSE, needed
from .tiff_tags import BLACK_IS_ZERO, COLOURS, Tags, bands, first_tags, notes

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap

SUFFIXES = (".tif", ".tiff")
TAG = "SEEWHY"  # of the TIFF: the Source


def save_geotiff(heatmap: "Heatmap", path: str | Path, like: str | Path | None = None) -> Path:
    """Write a map as a float32 GeoTIFF that lies where the scene lies: its CRS, and its transform scaled to the map's cells.

    like: the scene; by default the file that was explained.  Give it where a prepared array was explained that covers the
        scene, pixel for pixel or at another resolution.
    Raises MissingExtra without rasterio, BadImage where the scene has no georeference, NotApplicable for maps not flat,
    NotWritten where it cannot be written: what was there before is then as it was.
    """
    scene = geotiff(heatmap, like)
    with replacing(path, of=f"the map of {heatmap.source.image}") as beside:
        beside.write_bytes(scene)
    return Path(path)


def geotiff(heatmap: "Heatmap", like: str | Path | None = None) -> bytes:
    """The file that `save_geotiff` writes.  GDAL makes it in memory: where a disk is full, it says so too late or nowhere."""
    rasterio = _rasterio()
    if heatmap.values.ndim != 2:
        raise NotApplicable(f"A GeoTIFF holds flat maps; this one is {heatmap.values.shape}.")
    named = like if like is not None else heatmap.source.image
    with _opened(Path(named)) as scene:
        crs, transform, size, placed = scene.crs, scene.transform, (scene.width, scene.height), _placed(scene)
    if not placed:
        raise BadImage(f"{named} has no georeference, so the map has none. Save it as .png or .npy, or give like=.")
    if heatmap.image is not None and not _as_it_lies(heatmap.image, Path(named), size):
        given = f"{heatmap.image.width}x{heatmap.image.height}"
        raise BadImage(
            f"{named} is {size[0]}x{size[1]} as its rows are stored, and lies so on the earth; the image explained, {given}, "
            "is another file, or turned by its Orientation tag. Explain the path, or take the tag out (tiffset -s 274 1)."
        )
    box = heatmap.box
    down, across = rows(heatmap.values.shape, heatmap.cells, ((box.top, box.bottom), (box.left, box.right)))
    finer = [own / pixels for own, pixels in zip(size, heatmap.size, strict=True)] if heatmap.image is None and like else (1, 1)
    cell = np.diag([across.pitch * finer[0], down.pitch * finer[1], 1.0])
    cell[:2, 2] = (across.first - across.pitch / 2) * finer[0], (down.first - down.pitch / 2) * finer[1]
    scene_of = np.array([[transform.a, transform.b, transform.c], [transform.d, transform.e, transform.f], [0, 0, 1]])
    own = rasterio.Affine(*(scene_of @ cell)[:2].ravel())
    shape: dict[str, Any] = {"height": heatmap.values.shape[0], "width": heatmap.values.shape[1], "count": 1}
    with rasterio.MemoryFile() as made:
        with made.open(driver="GTiff", **shape, dtype="float32", crs=crs, transform=own, compress="deflate") as file:
            file.write(heatmap.values.astype(np.float32), 1)
            file.set_band_description(1, heatmap.source.caption)
            file.update_tags(**{TAG: heatmap.source.to_json()})
        return made.read()


def source_text(path: Path) -> str:
    """The Source that `geotiff` put there, as text.  Raises KeyError where there is none."""
    with _opened(path) as scene:
        return scene.tags()[TAG]


def lies(heatmap: "Heatmap") -> bool:
    """Is it the flat map of a file that says where on the earth it lies?  Without rasterio nobody knows."""
    path = Path(heatmap.source.image)
    if path.suffix.lower() not in SUFFIXES or heatmap.values.ndim != 2 or find_spec("rasterio") is None or not path.is_file():
        return False
    try:
        with _opened(path) as scene:
            size = scene.width, scene.height
            return _placed(scene) and (heatmap.image is None or _as_it_lies(heatmap.image, path, size))
    except BadImage:
        return False


def _as_it_lies(image: Any, path: Path, size: tuple[int, int]) -> bool:
    """Was the scene explained as its rows are stored?  A file without an Orientation tag was, if it has that size."""
    tags = first_tags(path)
    if image.size != size or tags is None or tags.orientation == 1:
        return image.size == size
    return tags.earth and np.array_equal(np.asarray(image), np.asarray(read(path).pixels))


def _placed(scene: Any) -> bool:
    return scene.crs is not None or not scene.transform.is_identity


def scene(path: Path) -> "Scene | None":
    """A TIFF of which windows show what the whole does; None of one that has to be read whole, as `read` does.

    Raises BadImage where that would be too large.
    """
    tags = first_tags(path) if find_spec("rasterio") is not None else None
    if tags is None:
        return None
    places = bands(tags.roles) if _as_stored(tags) else None
    if places is not None:
        with _opened(path) as file:
            if (file.width, file.height, *file.dtypes) == (*tags.size, *["uint8"] * len(tags.roles)):
                return Scene(path, str(path), tags.size[::-1], places, notes(tags))
    limit = Image.MAX_IMAGE_PIXELS
    if limit and (number := needed(tags)) > limit:
        raise BadImage(
            f"{path} holds {tags}, which is read as a whole, and is too large for that: {tags.size[0]}x{tags.size[1]} pixels. "
            f"By windows are read 8-bit greys and colours. {CHOOSE} Or raise the limit: --max-pixels {number} on the command "
            f"line, PIL.Image.MAX_IMAGE_PIXELS = {number} in Python."
        )
    return None


def _as_stored(tags: Tags) -> bool:
    """Are its numbers, as they lie in the file, what a person sees?"""
    upright = tags.orientation == 1 or tags.earth
    return tags.simple and upright and tags.photometric in (BLACK_IS_ZERO, COLOURS) and 1 not in tags.extra


@dataclass(frozen=True)
class Scene(Whole):
    """A TIFF of 8-bit photos.  bands: which are seen, from 0 on: grey, or red, green and blue, then alpha."""

    path: Path
    name: str
    space: Sides
    bands: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def part(self, start: Sides, sides: Sides) -> Photo:
        window = tuple((at, at + side) for at, side in zip(start, sides, strict=True))
        with _opened(self.path) as file:
            try:
                pixels = file.read([band + 1 for band in self.bands], window=window)  # (bands, h, w)
            except Exception as error:
                what = printable(error, 200)
                raise BadImage(f"{self.path} cannot be read at rows and columns {window}: {what}") from error
        shown = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        return Photo(rgb(Image.fromarray(shown)), self.name, self.notes)

    def picture(self) -> Image.Image | None:
        return self.part((0, 0), self.space).pixels if np.prod(self.space) <= KEPT else None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    rasterio = _rasterio()
    with listening():  # a TIFF without a place on the earth is no reason to warn
        try:
            file = rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise BadImage(f"{path} cannot be read as a raster: {printable(error, 200)}") from None
    with file:
        yield file


def _rasterio() -> Any:
    try:
        import rasterio
        import rasterio.errors
    except ImportError:
        raise MissingExtra("rasterio", "geo") from None
    return rasterio
