"""The page of `seewhy concepts`: each concept with its importance, its typical crops, and maps on photos; it loads nothing.

What strangers may have written (names of files, labels) goes into it escaped, by a template that escapes all.
"""

from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from PIL import Image

from seewhy import __version__
from seewhy.atomic import replacing
from seewhy.inside.concepts.discovered import Concepts
from seewhy.inside.concepts.findings import TypicalCrop
from seewhy.inside.concepts.importance import ConceptImportance, MeanImportance
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent, printable

CROP, MAP = 120, 176  # pixels of the pictures of a crop and of a map
MAPS = 6  # photos with a map, of each concept
WORDS, LABEL = 300, 90  # characters of what a stranger wrote


def page_of(found: Concepts) -> str:
    """The page as HTML."""
    scales = [_bars(each, found.settings.seed) for each in found.importances]
    return _template().render(
        version=__version__,
        style=Markup(_part("failures", "page.css") + _part("", "concepts.css")),  # ours
        heading=printable(f"Concepts of {found.layer} of {found.model.name}", WORDS),
        facts=_facts(found),
        says=[printable(line, 3 * WORDS) for line in found.says],
        scores=[printable(each.words, WORDS) for each in found.importances],
        concepts=[
            {
                "number": k + 1,
                "share": in_percent(float(found.shares[k]), 0),
                "bars": [bars[k] for bars in scales],
                "says": [printable(_says(found, each, k), 3 * WORDS) for each in found.importances],
                "crops": [_crop(found, crop) for crop in found.typical[k]],
                "maps": _maps(found, k),
            }
            for k in range(len(found))
        ],
        failed=[(printable(name, WORDS), printable(why, WORDS)) for name, why in found.failed],
        crops=found.settings.crops,
    )


def save_page(found: Concepts, path: Path) -> None:
    """Write the page.  Raises NotWritten."""
    page = page_of(found)
    with replacing(path, of="the page of concepts") as beside:
        beside.write_text(page, "utf-8", errors="replace")


def _facts(found: Concepts) -> list[tuple[str, str]]:
    settings = found.settings
    how = "deep feature factorization: cells of the photos"
    if settings.crops:
        how = f"CRAFT: crops of {in_percent(settings.crops, 0)} of each side"
    weights = printable(found.model.weights, LABEL) if found.model.weights else ""
    return [
        ("model", printable(found.model.name, LABEL) + (f", {weights}" if weights else "")),
        ("layer", printable(found.layer, LABEL)),
        ("found by", how),
        ("photos", f"{len(found.photos):,}"),
        ("seed", str(settings.seed)),
    ]


def _bars(each: ConceptImportance, seed: int) -> list[dict[str, str]]:
    """For each concept its Sobol index and interval as places on a scale that all concepts share, in per cent."""
    mean = each.mean(seed=seed)
    highs = np.where(np.isnan(mean.high), mean.mean, mean.high)
    span = max(1.0, float(highs.max())) / 100
    lows = np.where(np.isnan(mean.low), mean.mean, mean.low)
    return [
        {
            "mean": f"{m / span:.2f}",
            "left": f"{low / span:.2f}",
            "width": f"{(high - low) / span:.2f}",
            "number": f"{m:.2f}",
            "interval": "" if np.isnan(mean.low[k]) else f"{low:.2f} to {high:.2f}",
        }
        for k, (m, low, high) in enumerate(zip(mean.mean, lows, highs, strict=True))
    ]


def _says(found: Concepts, each: ConceptImportance, k: int) -> str:
    """What is known of a concept's part in a score."""
    seed, photos = found.settings.seed, len(each.photos)
    loss = each.mean("loss", seed)
    fall = "falls" if loss.mean[k] >= 0 else "rises"
    line = (
        f"For {each.words}: taken away from the layer, the score {fall} by {_number(loss, k)} on average, and "
        f"{_changes(found, each, k)} of {photos} photos."
    )
    if each.gradient is not None:
        line += f" By the gradient it adds {_number(each.mean('gradient', seed), k, signed=True)}."
    return line


def _number(mean: MeanImportance, k: int, signed: bool = False) -> str:
    value, low, high = mean.mean[k], mean.low[k], mean.high[k]
    if not signed and value < 0:
        value, low, high = -value, -high, -low
    sign = "+" if signed else ""
    return f"{value:{sign}.2f}" if np.isnan(low) else f"{value:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


def _changes(found: Concepts, each: ConceptImportance, k: int) -> str:
    others = Counter(int(c) for c, before in zip(each.taken_without[:, k], each.taken, strict=True) if c != before)
    if not others:
        return "the answer stays the same in all"
    most, _ = others.most_common(1)[0]
    return f"the answer changes (most often to {found.names.get(most, f'class {most}')}) in {sum(others.values())}"


def _crop(found: Concepts, crop: TypicalCrop) -> dict[str, Any]:
    photo, picture = found.photos[crop.photo], found.crop(crop)
    return {
        "name": printable(_file(photo.name), LABEL),
        "picture": picture and Thumbnail.of(picture.resize((CROP, CROP), Image.Resampling.BICUBIC), CROP),
        "amount": f"{crop.amount:.3g}",
        "answer": ""
        if photo.predicted is None
        else printable(photo.predicted.label or f"class {photo.predicted.index}", LABEL),
    }


def _maps(found: Concepts, k: int) -> list[dict[str, Any]]:
    """The photos with most of a concept, on one scale, so that a pale one has little of it."""
    order = sorted((i for i, photo in enumerate(found.photos) if photo.view), key=lambda i: -found.photos[i].maps[k].max())
    shown = [i for i in order[:MAPS] if found.photos[i].maps[k].max() > 0]
    scale = (0.0, float(found.photos[shown[0]].maps[k].max())) if shown else None
    return [
        {
            "name": printable(_file(found.photos[i].name), LABEL),
            "picture": _map(found, i, k, scale),
        }
        for i in shown
    ]


def _map(found: Concepts, i: int, k: int, scale: tuple[float, float] | None) -> Thumbnail:
    shown = found.heatmap(i, k + 1)
    return Thumbnail.of(shown.overlay(scale=scale, magnify=max(1, MAP / max(shown.size))), MAP)


def _file(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] or name


def _part(room: str, name: str) -> str:
    return files("seewhy.report").joinpath(*([room] if room else []), name).read_text("utf-8")


def _template() -> Any:
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_part("", "concepts.html.j2"))
