"""Heatmaps as columns of a row, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.json_text import as_json, json_of
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.source import Source

from .placing import coarse, packed, placed, places, unpacked

OWN = ("image", "target", "index", "label", "score", "probability", "predicted", "warnings", "measured", "place", "classes",
       "image_sha256", "image_size")  # fmt: skip
LEFT_OUT = ("values", "seconds")  # facts of a Source that rows do not have: numbers of the map, which are there, and the time
SHARED = tuple(f.name for f in fields(Source) if f.name not in (*OWN, *LEFT_OUT))


def map_columns(heatmap: Heatmap) -> dict[str, Any]:
    """The columns that tell of a map, and where it came from."""
    small, source = coarse(heatmap.values, heatmap.cells), heatmap.source
    content, scale = packed(small.values)
    own = {name: getattr(source, name) for name in OWN} | {"predicted": source.predicted and asdict(source.predicted)}
    shared = {name: getattr(source, name) for name in SHARED}
    shared["host"] = {name: value for name, value in source.host.items() if name != "images_together"}
    return {
        "method": heatmap.source.method,
        "index": heatmap.source.index,
        "label": heatmap.source.label,
        "score": heatmap.source.score,
        "probability": heatmap.source.probability,
        "map": content,
        "map_shape": list(small.values.shape),
        "map_scale": scale,
        "map_coarse": small.coarse,
        **placed(heatmap.box, small.cells),
        "warnings": list(heatmap.source.warnings),
        "source": as_json(own),
        "made_by": as_json(shared),
    }


def values_of(row: Mapping[str, Any]) -> NDArray[np.float32]:
    """The values of a row's map (h, w), to the rounding of float16."""
    return unpacked(row["map"], row["map_shape"], row["map_scale"])


def source_of_row(row: Mapping[str, Any]) -> Source:
    """The Source of a row's map.  Raises ValueError where it is none."""
    own, shared = json_of(row["source"]), json_of(row["made_by"])
    if not isinstance(own, dict) or not isinstance(shared, dict):
        raise ValueError("its Source is no object")
    return Source.from_json(json.dumps({**shared, **own}))


def heatmap_of(row: Mapping[str, Any], photo: Image.Image | None, full: NDArray[np.float32] | None = None) -> Heatmap:
    """A row's map as a Heatmap over its photo.

    full: the map in its full size, of a row whose map is coarse.  Raises ValueError where the row is damaged.
    """
    box, cells = places(row["map_box"], row["map_cells"])
    source, place = source_of_row(row), int(row["item"])
    if full is not None:
        return Heatmap(full, photo, box, source, place)
    if row["map_coarse"]:
        height, width = row["map_shape"]
        source = replace(
            source, warnings=(*source.warnings, f"of a larger map these are the means over {height} x {width} blocks")
        )
    return Heatmap(values_of(row), photo, box, source, place, cells=cells)
