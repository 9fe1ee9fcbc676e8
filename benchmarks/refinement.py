"""What each refinement gains on masks and boxes: overlap with the truth, raw and refined, and how long it takes a photo.

    python benchmarks/refinement.py [--sets coco demo boxes small] [--networks N] [--photos N] [--thresholds T ...]

Grad-CAM of the true class.  Sets: masks of the objects of ../shared/data/loc-coco that ImageNet has a class for and that fill
more than 5 % of the photo; masks of the demo's scenes (its honest network); boxes of ../shared/data/loc-imagenet-val, and of
those of its photos that they fill less than a third of.  Printed are the mean overlap at 15 % of the maximum and how often it
is one half or more, on photos that no default was chosen on (of loc-coco every other one); then, on every other photo of each
set, the mean overlap at the threshold that is best on the rest.  Each with how much more it is than raw, and the 95 % interval
of that, by a bootstrap over photos.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import seewhy
from seewhy.demo.scenes import scenes
from seewhy.objects.find import find
from seewhy.objects.refine.refined import REFINERS

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))
USUAL = 0.15
HALF = {"mean": 0.5, "std": 0.5}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
NETWORKS = {
    "timm/mobilenetv2_100": ("mobilenetv2_100_imagenet", {"pad_type": "same"}, HALF),
    "timm/mobilenetv1_100": ("mobilenetv1_100_imagenet", {"pad_type": "same"}, HALF),
    "torchvision/squeezenet1_1": ("squeezenet1_1_torchvision_imagenet", {}, IMAGENET),
}


class Case(NamedTuple):
    """A map, its photo, and how a mask or box of it is scored."""

    photo: int
    values: NDArray[np.float32]
    pixels: NDArray[np.uint8]
    score: Callable[[Any], float]  # of FoundBoxes


def network(spec: str) -> Any:
    file, options, prepare = NETWORKS[spec]
    whole = {"size": (224, 224), "crop": None, "interpolation": "bilinear"}
    return seewhy.load(spec, DATA / f"{file}.safetensors", options=options, prepare={**whole, **prepare})


def of_mask(truth: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Callable[[Any], float]:
    def score(found: Any) -> float:
        mask = found.mask & counted
        return float((mask & truth).sum() / (mask | (truth & counted)).sum())

    return score


def of_box(boxes: list[list[float]]) -> Callable[[Any], float]:
    def score(found: Any) -> float:
        return max((overlap(found[0].edges, box) for box in boxes), default=0.0) if len(found) else 0.0

    return score


def overlap(a: Any, b: Any) -> float:
    wide, high = (max(0.0, min(a[at + 2], b[at + 2]) - max(a[at], b[at])) for at in (0, 1))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return wide * high / (areas - wide * high)


def maps(net: Any, photos: list[Any], classes: list[int]) -> Iterator[NDArray[np.float32]]:
    for heatmap in seewhy.grad_cam(net, photos, target=seewhy.PerImage(classes)):
        yield np.maximum(heatmap.full(), 0)


def coco(spec: str, most: int) -> list[Case]:
    net, wanted = network(spec), list[tuple[Path, Path, int, list[int]]]()
    for photo in json.loads((DATA / "loc-coco" / "boxes.json").read_text()):
        areas, classes = dict[int, float](), dict[int, set[int]]()
        for item in photo["objects"]:
            if item["imagenet"] and not item["iscrowd"]:
                areas[item["category_id"]] = areas.get(item["category_id"], 0) + item["area_fraction"]
                classes.setdefault(item["category_id"], set()).update(
                    each["index"] if isinstance(each, dict) else each for each in item["imagenet"]
                )
        folder = DATA / "loc-coco"
        wanted += [
            (folder / photo["file"], folder / photo["mask"], kind, sorted(classes[kind]))
            for kind, area in areas.items()
            if area > 0.05
        ]
    files = [photo for photo, *_ in wanted[: most or None]]
    scores = np.concatenate([net.answer(batch.x).scores for batch in net.batches(files)])
    likeliest = [max(classes, key=lambda at: row[at]) for (*_, classes), row in zip(wanted, scores, strict=False)]
    cases, names = list[Case](), sorted(set(files))
    for (photo, mask, kind, _), values in zip(wanted, maps(net, files, likeliest), strict=False):
        marks = np.asarray(Image.open(mask))
        cases.append(
            Case(names.index(photo), values, np.asarray(Image.open(photo).convert("RGB")), of_mask(marks == kind, marks != 255))
        )
    return cases


def boxes(spec: str, most: int, area: float = 1.0) -> list[Case]:
    rows = json.loads((DATA / "loc-imagenet-val" / "boxes.json").read_text())
    rows = [row for row in rows if row["boxes_area_fraction"] <= area][: most or None]
    files = [DATA / "loc-imagenet-val" / row["file"] for row in rows]
    found = maps(network(spec), files, [row["class_index"] for row in rows])
    return [
        Case(number, values, np.asarray(Image.open(file).convert("RGB")), of_box(row["boxes"]))
        for number, (row, file, values) in enumerate(zip(rows, files, found, strict=True))
    ]


def demo(_spec: str, most: int) -> list[Case]:
    drawn = scenes(most or 60, seed=4242)
    found = maps(seewhy.load("demo/honest"), [scene.image for scene in drawn], [scene.label for scene in drawn])
    everywhere = np.ones((96, 96), bool)
    return [
        Case(number, values, np.asarray(scene.image), of_mask(scene.mask, everywhere))
        for number, (scene, values) in enumerate(zip(drawn, found, strict=True))
    ]


SETS = {"coco": coco, "demo": demo, "boxes": boxes, "small": partial(boxes, area=1 / 3)}


def scored(
    cases: list[Case], refine: str | None, components: str, thresholds: list[float]
) -> tuple[NDArray[np.float64], float]:
    """(cases, thresholds) of overlaps, and the seconds that a photo takes."""
    began = process_time()
    rows = [
        [case.score(find(case.values, (), at, "max", components, 8, 0, None, refine, case.pixels)) for at in thresholds]
        for case in cases
    ]
    return np.array(rows), (process_time() - began) / len(cases) / len(thresholds)


def gain(values: NDArray[Any], raw: NDArray[Any], photos: NDArray[np.intp]) -> str:
    """The mean, how much more it is than raw, and the interval of that."""
    rng, more, names = np.random.default_rng(0), 1.0 * values - raw, np.unique(photos)
    sums = np.array([[more[photos == name].sum(), (photos == name).sum()] for name in names])
    drawn = sums[rng.integers(0, len(names), (2000, len(names)))].sum(1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], (2.5, 97.5))
    return f"{100 * values.mean():5.1f} ({100 * more.mean():+.1f}; {100 * low:+.1f} to {100 * high:+.1f})"


def table(name: str, cases: list[Case], thresholds: list[float]) -> None:
    photos = np.array([case.photo for case in cases])
    odd = photos % 2 == 1
    new = odd if name == "coco" else np.ones_like(odd)  # photos that no default was chosen on
    raw = np.zeros(0)
    for refine in [None, *REFINERS]:
        rows, seconds = scored(cases, refine, "largest" if name in ("boxes", "small") else "all", thresholds)
        raw = rows if refine is None else raw
        usual, best, best_raw = thresholds.index(USUAL), rows[~odd].mean(0).argmax(), raw[~odd].mean(0).argmax()
        row = [
            refine or "raw",
            gain(rows[new, usual], raw[new, usual], photos[new]),
            gain(rows[new, usual] >= 0.5, raw[new, usual] >= 0.5, photos[new]),
            f"{thresholds[best]:.0%}: {gain(rows[odd, best], raw[odd, best_raw], photos[odd])}",
            f"{1000 * seconds:.0f} ms",
        ]
        print("| " + " | ".join(row) + " |", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--sets", nargs="+", default=[*SETS], choices=[*SETS])
    asked.add_argument("--networks", type=int, default=3, help="so many of the three")
    asked.add_argument("--photos", type=int, default=0, help="so many of each set; 0: all")
    asked.add_argument("--thresholds", type=float, nargs="+", default=[0.1, USUAL, 0.2, 0.3, 0.4])
    asked = asked.parse_args()
    for name in asked.sets:
        networks = ["demo/honest"] if name == "demo" else [*NETWORKS][: asked.networks]
        cases = [case for spec in networks for case in SETS[name](spec, asked.photos)]
        print(f"\n{name}: {', '.join(networks)}; {len(cases)} maps", flush=True)
        table(name, cases, sorted({USUAL, *asked.thresholds}))


if __name__ == "__main__":
    main()
