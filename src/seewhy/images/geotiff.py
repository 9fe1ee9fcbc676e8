"""GeoTIFF: large scenes are read by windows, and maps written with their place on the earth.  It needs seewhy[geo]."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seewhy.errors import BadImage, MissingExtra
from seewhy.printable import printable

from .files import listening

SUFFIXES = (".tif", ".tiff")


def is_placed(scene: Any) -> bool:
    return scene.crs is not None or not scene.transform.is_identity


@contextmanager
def opened_scene(path: Path) -> Iterator[Any]:
    rasterio = rasterio_module()
    with listening():  # a TIFF without a place on the earth is no reason to warn
        try:
            file = rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise BadImage(f"{path} cannot be read as a raster: {printable(error, 200)}") from None
    with file:
        yield file


def rasterio_module() -> Any:
    try:
        import rasterio  # here, for it is an extra, and takes long to import
        import rasterio.errors
    except ImportError:
        raise MissingExtra("rasterio", "geo") from None
    return rasterio
