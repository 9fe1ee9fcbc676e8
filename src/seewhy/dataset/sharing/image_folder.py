"""A run as an image folder that Hugging Face's `datasets` loads: photos, maps over them, and a table of what is known."""

import io
import json
from pathlib import Path

from PIL import Image

from seewhy.atomic import replacing, writing
from seewhy.dataset.dataset_run import DatasetRun, RunError
from seewhy.errors import BadParameter, SeewhyError
from seewhy.images.photo import read
from seewhy.photo_sets.reading import read_bytes
from seewhy.pictures.thumbnails import within

from .shared_photos import SharedPhoto, shared_photos

TABLE, CARD = "metadata.jsonl", "README.md"
SIDE = 512  # pixels of the longer side of a map over its photo


def save_image_folder(run: DatasetRun, folder: Path, most: int | None = None) -> list[str]:
    """Write images/ (the photos' files as they are), maps/ (each map over its photo, PNG) and metadata.jsonl, of which each row
    is a photo: `datasets.load_dataset("imagefolder", data_dir=...)` gives columns `image`, `top_map`, `true_map` and the facts.

    Gives what could not be taken, in words: photos that failed, or are gone.  Raises BadParameter where the folder has anything
    in it, NotWritten.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadParameter(f"{folder} is not empty: a data set is written into a folder of its own.")
        for name in ("images", "maps"):
            (folder / name).mkdir()
    left, lines = list[str](), list[str]()
    for photo in shared_photos(run, most):
        if photo.row.error is not None:
            left.append(str(RunError(photo.row.item, photo.row.path, photo.row.error)))
            continue
        try:
            lines.append(_written(run, photo, folder))
        except SeewhyError as error:
            left.append(str(RunError(photo.row.item, photo.row.path, str(error))))
    with replacing(folder / TABLE) as beside:
        beside.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    with replacing(folder / CARD) as beside:
        beside.write_text(_card(run, len(lines)), "utf-8")
    return left


def _written(run: DatasetRun, photo: SharedPhoto, folder: Path) -> str:
    """The row of a photo, whose files are written."""
    content = read_bytes(photo.row.path)
    pixels = read(content, photo.row.path).pixels
    suffix = f".{(photo.row.format or 'png').lower()}".replace("jpeg", "jpg")
    name = f"{photo.row.item:08d}"
    facts = photo.facts | {"file_name": f"images/{name}{suffix}"}
    small = pixels.resize(within(pixels.size, SIDE), Image.Resampling.BOX) if max(pixels.size) > SIDE else pixels
    names = {one.name for one in photo.maps}
    for target in run.info.targets:
        for method in run.info.method_names:
            key = target if len(run.info.method_names) == 1 else f"{target}_{method}".replace("-", "_")
            facts[f"{key}_map_file_name"] = f"maps/{name}.{key}.png" if key in names else None
    with replacing(folder / facts["file_name"]) as beside:
        beside.write_bytes(content)
    for one in photo.maps:
        key = one.name.split("_")[0]
        heatmap = run.heatmap(photo.row.item, key, _method(run, one.name), pixels)
        picture = heatmap.overlay()
        picture = picture.resize(small.size, Image.Resampling.BOX) if picture.size != small.size else picture
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=6)
        with replacing(folder / "maps" / f"{name}.{one.name}.png") as beside:
            beside.write_bytes(file.getvalue())
    facts |= {f"{one.name}_label": one.label for one in photo.maps}
    return json.dumps(facts, ensure_ascii=False, allow_nan=False)


def _method(run: DatasetRun, name: str) -> str | None:
    """The method of a shared map, by its name."""
    return next((each for each in run.info.method_names if name.endswith(f"_{each.replace('-', '_')}")), None)


def _card(run: DatasetRun, count: int) -> str:
    """What the folder is, for who finds it."""
    methods = ", ".join(run.info.method_names)
    return (
        f"# {count} photos and what {run.info.model} saw on them\n\n"
        f"Written by seewhy from a run. Maps by {methods}: `top_map` is what the network saw for its answer, `true_map` for "
        "the right one, where that is another.\n\n"
        '```python\nfrom datasets import load_dataset\n\nphotos = load_dataset("imagefolder", data_dir=".")["train"]\n```\n'
    )
