"""GeoTIFF: large scenes read by windows, and maps written where they lie on the earth.  rasterio comes with seewhy[geo]."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .errors import BadImage, MissingExtra, NotApplicable
from .image import HEADERS, Photo, rgb
from .replacing import replacing
from .seam import rows
from .wholes import KEPT, Sides, Whole

if TYPE_CHECKING:
    from .heatmap import Heatmap

COLOURS = {("gray",): "L", ("red", "green", "blue"): "RGB", ("red", "green", "blue", "alpha"): "RGBA"}  # what bands show
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
    if heatmap.image is not None and size != heatmap.image.size:
        raise BadImage(f"{named} is {size}, and the image explained was {heatmap.image.size}: another file, or turned by EXIF.")
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
            return _placed(scene) and (heatmap.image is None or heatmap.image.size == (scene.width, scene.height))
    except BadImage:
        return False


def _placed(scene: Any) -> bool:
    return scene.crs is not None or not scene.transform.is_identity


def scene(path: Path) -> "Scene | None":
    """A TIFF to be read by windows; None of one that Pillow reads as well, or has to, as rasterio is not there."""
    if find_spec("rasterio") is None or not path.is_file():
        return None
    with _opened(path) as file:
        bands = tuple(colour.name for colour in file.colorinterp)
        if file.count == 3 and bands not in COLOURS:
            bands = ("red", "green", "blue")
        if bands in COLOURS and {*file.dtypes} == {"uint8"}:
            return Scene(path, str(path), (file.height, file.width), COLOURS[bands])
        if file.crs is None:
            return None
        held = f"{file.count} band{'s' * (file.count != 1)} of {', '.join(dict.fromkeys(file.dtypes))} ({', '.join(bands)})"
    raise BadImage(
        f"{path} holds {held}; as a photo a scene has 8-bit grey, red-green-blue or these and alpha. Choose and scale three: "
        "gdal_translate -ot Byte -scale -b 4 -b 3 -b 2 ...; or prepare the array (n, c, h, w) for the network yourself (a "
        "memmap will do), and save_geotiff(heatmap, path, like=scene) puts the map on the earth."
    )


@dataclass(frozen=True)
class Scene(Whole):
    """A TIFF of 8-bit photos."""

    path: Path
    name: str
    space: Sides
    mode: str

    def part(self, start: Sides, sides: Sides) -> Photo:
        window = tuple((at, at + side) for at, side in zip(start, sides, strict=True))
        with _opened(self.path) as file:
            try:
                bands = file.read(window=window)  # (bands, h, w)
            except Exception as error:
                raise BadImage(f"{self.path} cannot be read at rows and columns {window}: {error}") from error
        pixels = bands[0] if self.mode == "L" else np.ascontiguousarray(np.moveaxis(bands, 0, -1))
        return Photo(rgb(Image.fromarray(pixels)), self.name)

    def picture(self) -> Image.Image | None:
        return self.part((0, 0), self.space).pixels if np.prod(self.space) <= KEPT else None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    rasterio = _rasterio()
    with HEADERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            file = rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise BadImage(f"{path} cannot be read as a raster: {error}") from None
    with file:
        yield file


def _rasterio() -> Any:
    try:
        import rasterio
        import rasterio.errors
    except ImportError:
        raise MissingExtra("rasterio", "geo") from None
    return rasterio
