"""What seeds gain: mIoU of maps as they are, of maps over views, and of each refinement, on drawn scenes and on photos of COCO.

    python benchmarks/seeds.py demo [SCENES]
    python benchmarks/seeds.py coco ../shared/data [NETWORK]

Each row has a background threshold of its own, chosen on other images than those that it is scored on: scenes of another seed,
or every other photo.  The labels of an image, which of the classes are in it, are given; masks only choose the threshold.
"""

import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import seewhy
from seewhy.demo import KINDS, scenes
from seewhy.localize.class_maps import class_maps
from seewhy.localize.seeds import STEPS
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.metrics.localization.segmentation import mean_iou
from seewhy.truth.confusion import confusion

TUNED, SCORED = 4_242, 90_210  # seeds of scenes: no network was trained on either
THRESHOLDS = (0.2, 0.3, 0.4)
LEAST = 0.02  # of a photo: smaller objects of COCO are left out
DATA = {
    "timm/mobilenetv2_100": ("mobilenetv2_100_imagenet", {"pad_type": "same"}, 0.5, 0.5),
    "timm/mobilenetv1_100": ("mobilenetv1_100_imagenet", {"pad_type": "same"}, 0.5, 0.5),
    "torchvision/squeezenet1_1": ("squeezenet1_1_torchvision_imagenet", {}, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


class Task(NamedTuple):
    """An image, the targets of its classes by their names, and its true label map."""

    image: Image.Image
    targets: dict[str, Any]
    truth: np.ndarray


def of_scenes(count: int, seed: int) -> list[Task]:
    tasks = []
    for pair in (False, True):
        for scene in scenes(count // 2, seed, pair=pair):
            truth = np.where(scene.mask, scene.label + 1, 0)
            names = [scene.label]
            if scene.other is not None:
                truth, names = np.where(scene.other_mask, scene.other + 1, truth), [*names, scene.other]
            tasks.append(Task(scene.image, {KINDS[label]: label for label in names}, truth))
    return tasks


def of_coco(data: Path) -> tuple[list[Task], list[str]]:
    photos = json.loads((data / "loc-coco" / "boxes.json").read_text("utf-8"))
    there = [{o["category"]: o for o in photo["objects"] if o["imagenet"] and o["area_fraction"] > LEAST} for photo in photos]
    classes = sorted({name for each in there for name in each})
    tasks = []
    for photo, objects in zip(photos, there, strict=True):
        if objects:
            mask = np.asarray(Image.open(data / "loc-coco" / photo["mask"]))
            truth = np.where(mask == 255, 255, 0)
            for name, each in objects.items():
                truth[mask == each["category_id"]] = classes.index(name) + 1
            targets = {name: seewhy.AnyOf(each["imagenet"]) for name, each in objects.items()}
            tasks.append(Task(Image.open(data / "loc-coco" / photo["file"]).convert("RGB"), targets, truth))
    return tasks, classes


ROWS = {  # of one view or of several, and the steps of refinement
    "maps": (False, ()),
    "maps over views": (True, ()),
    "CRF on labels (IRN)": (True, ("crf-labels",)),
    "CRF on scores (PSA)": (True, ("crf",)),
    "walk over colours": (True, ("walk",)),
    "walk, then CRF": (True, ("walk", "crf")),
    "walk, then CRF, one view": (False, ("walk", "crf")),
}


def sums(model: Any, tasks: list[Task], classes: list[str], scales: tuple[float, ...]) -> Iterator[Any]:
    """Of each image, for each row and threshold, three numbers a class: (rows, thresholds, 3, classes + 1); and seconds."""
    views = partial(seewhy.augment(seewhy.grad_cam), flips=True, scales=scales)
    for task in tasks:
        names, shape, pixels = [*task.targets], task.truth.shape, np.asarray(task.image)
        number = np.array([0, *(classes.index(name) + 1 for name in names)])
        scores = [
            class_maps({name: run(model, task.image, target=target)[0] for name, target in task.targets.items()}).scores
            for run in (seewhy.grad_cam, views)
        ]
        ready = {name: step(pixels, shape) for name, step in STEPS.items()}
        found, seconds = [], []
        for several, steps in ROWS.values():
            start, each = time.process_time(), []
            for background in THRESHOLDS:
                scored = np.concatenate([np.full((1, *shape), background, np.float32), scores[several]])
                for step in steps:
                    scored = ready[step](scored)
                label_map = number[scored.argmax(0)]
                square = confusion(label_map, task.truth, len(classes) + 1)
                each.append([square[:, :-1].diagonal(), square[:, :-1].sum(0), square.sum(1)])
            found.append(each)
            seconds.append((time.process_time() - start) / len(THRESHOLDS))
        yield np.array(found), seconds


def table(chosen_on: np.ndarray, scored: np.ndarray, names: list[str], seconds: np.ndarray) -> None:
    """Each of the sums: (images, rows, thresholds, 3, classes)."""
    print(f"{'row':28}{'threshold':>10}{'mIoU':>8}{'95 % interval':>18}{'gain on the row above':>32}{'ms':>7}")
    before = None
    for row, name in enumerate(names):
        at = int(np.argmax([mean_iou(*each) for each in chosen_on[:, row].sum(0)]))
        drawn = resampled(scored[:, row, at].reshape(len(scored), -1))
        means = mean_iou(*np.moveaxis(drawn.reshape(len(drawn), 3, -1), 1, 0))
        value, (low, high) = mean_iou(*scored[:, row, at].sum(0)), middle(means)
        gain = "" if before is None else "{:+.1f} ({:+.1f} to {:+.1f})".format(
            100 * (value - before[0]), *(100 * end for end in middle(means - before[1]))
        )  # fmt: skip
        print(
            f"{name:28}{THRESHOLDS[at]:10.2f}{value:8.1%}{f'{low:.1%} to {high:.1%}':>18}{gain:>32}{1000 * seconds[row]:7.0f}"
        )
        before = value, means


def main(kind: str, *more: str) -> None:
    if kind == "demo":
        count = int(more[0]) if more else 120
        model, classes, scales = seewhy.load("demo/honest"), list(KINDS), (1, 1.5, 2)
        groups = [of_scenes(count, TUNED), of_scenes(count, SCORED)]
    else:
        data, spec = Path(more[0]), more[1] if len(more) > 1 else "timm/mobilenetv2_100"
        file, options, mean, std = DATA[spec]
        fit = {"size": (224, 224), "crop": None, "mean": mean, "std": std}
        model, scales = seewhy.load(spec, data / f"{file}.safetensors", options=options, prepare=fit), (1, 1.5)
        tasks, classes = of_coco(data)
        groups = [tasks[::2], tasks[1::2]]
    counted = [[*sums(model, tasks, classes, scales)] for tasks in groups]
    tuned, scored = (np.stack([each for each, _ in group]) for group in counted)
    print(f"{model.name}: {len(scored)} images scored, thresholds chosen on {len(tuned)} others; scales {scales}, flips")
    table(tuned, scored, [*ROWS], np.mean([seconds for _, seconds in counted[1]], 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
