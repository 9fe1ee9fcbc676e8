"""Maps as GeoTIFF files, which lie on the earth where the scene lies."""

from pathlib import Path

from seewhy.atomic import replacing

from .georeference import TAG as TAG
from .georeference import geotiff, is_georeferenced
from .heatmap import Heatmap, overlay_of


def save_geotiff(heatmap: Heatmap, path: str | Path, like: str | Path | None = None) -> Path:
    """Write a map as a float32 GeoTIFF that lies where the scene lies: its CRS, and its transform scaled to the map's cells.

    like: the scene; by default the file that was explained.  Give it where a prepared array was explained that covers the
        scene, pixel for pixel or at another resolution.
    Raises MissingExtra without rasterio, BadImage where the scene has no georeference, NotApplicable for maps not flat,
    NotWritten where it cannot be written: what was there before is then as it was.
    """
    scene = geotiff(overlay_of(heatmap), heatmap.source, like)
    with replacing(path, of=f"the map of {heatmap.source.image}") as beside:
        beside.write_bytes(scene)
    return Path(path)


def lies(heatmap: Heatmap) -> bool:
    """Is it the flat map of a file that says where on the earth it lies?  Without rasterio the answer is no."""
    return is_georeferenced(overlay_of(heatmap), heatmap.source)
