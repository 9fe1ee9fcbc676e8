"""Boxes and masks from Label Studio's JSON: what persons annotated and, of tasks without that, what was predicted.

Source: https://labelstud.io/guide/task_format
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from PIL import Image

from seewhy.printable import printable

from .marked import MarkedBox, PhotoBoxes, checked_box, size_of
from .run_lengths import mask_of_label_studio
from .shapes import around, outlined, placed, turned

UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what the server puts before the names of uploaded files


def is_label_studio(content: Any) -> bool:
    """Is it a list of tasks?"""
    return isinstance(content, list) and bool(content) and all(
        isinstance(task, Mapping) and isinstance(task.get("data"), Mapping) for task in content
    )  # fmt: skip


def boxes_of_label_studio(tasks: Sequence[Mapping[str, Any]], path: Any) -> dict[str, PhotoBoxes]:
    """The boxes and masks of each photo, by its name.

    Of several annotations of a task the last counts that was not cancelled; predictions where there is none.  Choices, key
    points and ellipses are left out.  Raises ValueError, KeyError, TypeError or AttributeError where they are no such tasks.
    """
    found = dict[str, PhotoBoxes]()
    for task in tasks:
        name = photo_of(task)
        where = f"{path}, {printable(name, 100)}"
        done = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
        chosen = [*done, *(() if done else task.get("predictions") or ())]
        regions = chosen[-1]["result"] if chosen else []
        sizes = {size_of(region.get("original_width"), region.get("original_height")) for region in regions} - {None}
        if len(sizes) > 1:
            raise ValueError(f"regions of {printable(name, 100)} are of photos of several sizes")
        size = next(iter(sizes), None)
        boxes = tuple(box for region in regions for box in _marked(region, size, where))
        found[name] = PhotoBoxes(boxes, size, shares=size is None)
    return found


def photo_of(task: Mapping[str, Any]) -> str:
    """The name of the photo, without the address that it is served at, and without what the server put before it."""
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    url = next(iter([value for key, value in task["data"].items() if key == "image" and isinstance(value, str)] or texts), "")
    parts = urlsplit(url)
    local = parse_qs(parts.query).get("d") if parts.path.endswith("/local-files/") else None
    if local:
        return local[0]
    name = unquote(parts.path) if parts.scheme or parts.query or "%" in url else url
    folder, slash, last = name.rpartition("/")
    return UPLOADED.sub("", last) if "/upload/" in f"/{folder}/" else f"{folder}{slash}{last}"


def _marked(region: Mapping[str, Any], size: tuple[int, int] | None, where: str) -> list[MarkedBox]:
    """The object of one region; none of regions of other kinds."""
    kind, value = str(region.get("type", "")), region.get("value", {})
    label = next(iter(_labels(value)), None)
    width, height = size or (1, 1)
    across, down = width / 100, height / 100
    if kind.startswith("rectangle"):
        x0, y0, x1, y1 = (float(value[name]) for name in ("x", "y", "width", "height"))
        edges = x0 * across, y0 * down, (x0 + x1) * across, (y0 + y1) * down
        degrees = float(value.get("rotation") or 0)
        if not degrees:
            return [checked_box(edges, label, where)]
        ring = turned(edges, degrees, edges[:2])
        return [checked_box(around([ring]), label, where, outlined([ring], size is None))]
    if kind.startswith("polygon"):
        ring = np.array([[float(x) * across, float(y) * down] for x, y in value["points"]])
        return [checked_box(around([ring]), label, where, outlined([ring], size is None))]
    if kind.startswith("brush") and size is not None:
        if width * height > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise ValueError(f"a photo of {width} x {height} pixels is larger than photos may be")
        mask = mask_of_label_studio(value["rle"], (height, width))
        ys, xs = np.nonzero(mask)
        if not len(ys):
            return []
        edges = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        return [checked_box(edges, label, where, placed(mask, 0, 0))]
    return []


def _labels(value: Mapping[str, Any]) -> Iterable[Any]:
    return next((names for key, names in value.items() if key.endswith("labels") and isinstance(names, list)), [])
