"""Does it help to draw cells where they look?  Grad-CAM inside the true boxes, and pointing at them.

    python benchmarks/geometry.py [--limit 20]

Over the photos of loc-imagenet-val, and over objects cut out of them and put anywhere on a picture of their mean colour,
Grad-CAM of the true class at the last map: the share of the map's energy inside the boxes less their share of the area, and how
often the strongest pixel hits a box.  The cells are drawn evenly ("plain"); evenly, but at the border as far inside as those of
"sight" ("inside": objects of photos lie in the middle more often than not); at the centres of their receptive fields ("field");
and at the centre of what the image shows of their sight.  benchmarks/centres.py measures where they do look.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import seewhy
from seewhy.images.places import Cells

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))
HALF = {"mean": 0.5, "std": 0.5}
USUAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
NETS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {  # name: spec, weights, options, preparation, layer
    "torchvision mobilenet_v2": (
        "torchvision/mobilenet_v2", "mobilenet_v2_torchvision_imagenet", {}, USUAL, "features"
    ),
    "timm mobilenetv2_100, padded as TensorFlow does": (
        "timm/mobilenetv2_100", "mobilenetv2_100_imagenet", {"pad_type": "same"}, HALF, "bn2"
    ),
    "timm mobilenetv1_100, padded as TensorFlow does": (
        "timm/mobilenetv1_100", "mobilenetv1_100_imagenet", {"pad_type": "same"}, HALF, "blocks"
    ),
    "torchvision squeezenet1_1": ("torchvision/squeezenet1_1", "squeezenet1_1_torchvision_imagenet", {}, USUAL, "features"),
}  # fmt: skip
SIDE = 224
OBJECT = 80  # the longer side of an object that is put on a picture
SEEN = 0.02  # the least probability of its class, for an object that is shown alone and so small
DRAWN = ("plain", "inside", "field", "sight")


class Scene(NamedTuple):
    image: Any
    label: int
    boxes: list[list[float]]
    size: tuple[int, int]

    @property
    def mask(self) -> np.ndarray:
        mask = np.zeros(self.size[::-1], bool)
        for x0, y0, x1, y1 in self.boxes:
            mask[round(y0) : round(y1), round(x0) : round(x1)] = True
        return mask


def photos(known: list[dict[str, Any]]) -> Iterator[Scene]:
    for p in known:
        yield Scene(DATA / "loc-imagenet-val" / p["file"], p["class_index"], p["boxes"], (p["width"], p["height"]))


def planted(known: list[dict[str, Any]]) -> Iterator[Scene]:
    """The largest object of each photo, small, twice, its centre anywhere but at the very border, which may cut it off."""
    rng = np.random.default_rng(0)
    for p in known * 2:
        photo = Image.open(DATA / "loc-imagenet-val" / p["file"]).convert("RGB")
        part = photo.crop(max(p["boxes"], key=lambda b: (b[2] - b[0]) * (b[3] - b[1])))
        scale = OBJECT / max(part.size)
        part = part.resize([max(8, round(side * scale)) for side in part.size], Image.Resampling.BICUBIC)
        sheet = Image.new("RGB", (SIDE, SIDE), tuple(int(v) for v in np.asarray(photo).mean((0, 1))))
        x, y = (round(centre - side / 2) for centre, side in zip(rng.uniform(16, SIDE - 16, 2), part.size, strict=True))
        sheet.paste(part, (x, y))
        box: list[float] = [max(0, x), max(0, y), min(SIDE, x + part.width), min(SIDE, y + part.height)]
        yield Scene(sheet, p["class_index"], [box], (SIDE, SIDE))


def judged(m: seewhy.Heatmap, scene: Scene) -> tuple[float, float]:
    """Energy inside less area, and whether the strongest pixel lies inside."""
    full, mask = m.full().clip(min=0), scene.mask
    best = full == full.max()  # where several are, their middle
    y, x = (round(float(at.mean())) for at in best.nonzero())
    return float(full[mask].sum() / (full.sum() or 1) - mask.mean()), float(mask[y, x])


def drawn(m: seewhy.Heatmap, how: str, first: tuple[float, ...]) -> seewhy.Heatmap:
    """first: the centre of the first cell's receptive field."""
    cells = m.cells
    if cells is None:
        raise SystemExit(f"Where the cells of {m.source.layer} lie is not known.")
    even = Cells.even(m.values.shape, cells.size)
    ways = {"plain": None, "inside": even._replace(sights=cells.sights), "field": cells._replace(first=first).uncut}
    return replace(m, cells=ways.get(how, cells))


def figures(model: Any, layer: str, scenes: list[Scene], least: float) -> tuple[np.ndarray, int]:
    """(drawn, scenes, 2): what `judged` says of scenes in which the network sees the class; and the cells along an axis."""
    values, side = [], 0
    for start in range(0, len(scenes), 20):
        some = scenes[start : start + 20]
        maps = seewhy.grad_cam(model, [s.image for s in some], target=seewhy.PerImage([s.label for s in some]), layer=layer)
        x = next(model.batches([some[0].image])).x
        first = model.cells(layer, x)[1].first
        for m, scene in zip(maps, some, strict=True):
            if (m.source.probability or 0) >= least:
                values.append([judged(drawn(m, how, first), scene) for how in DRAWN])
        side = maps[0].values.shape[0]
    return np.array(values).swapaxes(0, 1), side


def row(name: str, what: str, values: np.ndarray) -> str:
    energy, hits = values[..., 0], values[..., 1]
    change = energy[-1] - energy[0]
    error = change.std(ddof=1) / len(change) ** 0.5
    columns = [f"{value:.3f}" for value in energy.mean(1)] + [f"{change.mean():+.3f} ± {error:.3f}"]
    columns += [f"{value:.0%}" for value in hits.mean(1)]
    return f"| {name} | {what}, {len(change)} | {' | '.join(columns)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="photos at most")
    asked = parser.parse_args()
    if not DATA.is_dir():
        print(f"Nothing was measured: {DATA} with the real photos and weights is absent (SEEWHY_DATA says where it is).")
        return
    known = json.loads((DATA / "loc-imagenet-val" / "boxes.json").read_text())[: asked.limit]
    small = np.array([p["boxes_area_fraction"] < 1 / 3 for p in known])
    print(f"| network | photos | energy, {' | '.join(DRAWN)} | change | pointing, {' | '.join(DRAWN)} |")
    print("|" + "---|" * (3 + 2 * len(DRAWN)))
    for name, (spec, weights, options, prepare, layer) in NETS.items():
        given = {"size": (SIDE, SIDE), "crop": None, **prepare}
        model = seewhy.load(spec, DATA / f"{weights}.safetensors", options=options, prepare=given)
        values, side = figures(model, layer, [*photos(known)], 0)
        name = f"{name}, {side}x{side}"
        print(row(name, "small boxes", values[:, small]))
        print(row(name, "all", values))
        print(row(name, "planted objects", figures(model, layer, [*planted(known)], SEEN)[0]), flush=True)


if __name__ == "__main__":
    main()
