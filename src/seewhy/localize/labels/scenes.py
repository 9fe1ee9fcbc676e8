"""Label maps of scenes as GeoTIFF files, which lie on the earth where the scene lies."""

from collections.abc import Sequence
from pathlib import Path

from seewhy.errors import BadImage, NotApplicable
from seewhy.images.geotiff import rasterio_module
from seewhy.maps.georeference import scene_place
from seewhy.printable import printable

from .label_map import LabelMaps, colours
from .labelled import LabelledImage

MOST = 254
TAG = "SEEWHY_LABELS"  # of the TIFF: what made it, and the numbers of classes


class SceneWriter:
    """`scene.tif` for `scene.tif`: a band of bytes with the scene's CRS and transform, pixel on pixel: 0 where nothing is, else
    the class's number, its index among `labels` plus one where these are 254 or fewer, else its place in the order in which
    classes occur.  Its colour table is Pascal VOC's.

    The numbers stand in classes.csv and, with scores and what made the labels, in the TIFF's tag SEEWHY_LABELS.
    Raises BadImage where a file has no georeference, MissingExtra without rasterio.
    """

    def __init__(self, folder: Path, over: bool = True, labels: Sequence[str] | None = None) -> None:
        self._maps = LabelMaps(folder, ".tif", over, labels, MOST)

    def add(self, image: LabelledImage) -> None:
        rasterio = rasterio_module()
        if len(image.size) != 2:
            raise NotApplicable(f"{printable(image.file, 200)} is no scene. Write nifti for label maps of volumes.")
        try:
            crs, transform, (width, height) = scene_place(image.file, image.image)
        except BadImage as error:
            raise BadImage(f"{error} Labels of photos that lie nowhere on the earth: write png in place of geotiff.") from error
        values = self._maps.values(image, (height, width))
        shape = {"height": height, "width": width, "count": 1, "dtype": "uint8"}
        with rasterio.MemoryFile() as made:  # for GDAL says too late or nowhere that a disk is full
            with made.open(driver="GTiff", **shape, crs=crs, transform=transform, compress="deflate") as file:
                file.write(values, 1)
                file.write_colormap(1, {number: (*colour, 255) for number, colour in enumerate(colours().tolist())})
                file.update_tags(**{TAG: self._maps.said(image)})
            content = made.read()
        self._maps.put(image, content)

    def close(self) -> None:
        """Each file is whole already."""
