"""What a file that explains itself tells: what made it, what it takes and gives, and where the cells of its maps lie."""

from collections.abc import Sequence
from typing import Any

from seewhy import __version__
from seewhy.images.places import Cells
from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.methods.making.method import Method
from seewhy.prepare.facts import facts_of as prepare_facts


def facts_of(model: Any, method: Method, heatmap: Heatmap, size: Sequence[int], fixed: bool, single: bool) -> str:
    """All that another person needs to use the file, and to make it again, as one JSON object.

    heatmap: the library's own, of an image (c, *space) of that size; fixed: one class for all images is explained;
    single: the file takes one image at a time.
    """
    source, grid = heatmap.source, heatmap.values.shape
    cells = heatmap.cells or Cells.even(grid, size[1:])
    n = 1 if single else "n"
    return as_json({
        "seewhy": __version__,
        "model": source.model,
        "weights": source.weights,
        "method": method.name,
        "params": method.described,
        "formula": method.formula,
        "source": method.source,
        "caveat": method.caveat,
        "layer": source.layer,
        "target": source.target,
        "class": source.index if fixed else None,
        "class_label": source.label if fixed else None,
        "scores": source.scores,
        "labels": None if model.labels is None else [*model.labels],
        "prepare": prepare_facts(model.prepare) or None,
        "images": {"shape": [n, *size], "dtype": "float32"},
        "maps": {
            "shape": [n, *grid],
            "geometry": source.geometry,
            "centres": [cells.centres(axis, count) for axis, count in enumerate(grid)],  # in pixels of the images
        },
        "versions": source.versions,
    })  # fmt: skip
