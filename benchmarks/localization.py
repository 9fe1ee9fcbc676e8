"""How well maps localize on real photos, beside a random map and the centre.

    python benchmarks/localization.py [--networks N ...] [--methods M ...] [--photos N] [--refine R ...] [--out FOLDER]

On ../shared/data/loc-imagenet-val (200 photos of ILSVRC's validation set, squashed to 299 x 299, with boxes of their class):
the maps of the true class, on the whole photo at 224 x 224.  GT-known and top-1 localization by the rule of the Grad-CAM paper
(15 % of the maximum, the largest region), with masks refined and not; MaxBoxAcc and MaxBoxAccV2 with thresholds that half
of the photos chose for the rest; the pointing game; the evidence inside less area.  Each for all photos, and for those
whose boxes take less than a third of the area, where the centre is no answer.  Tables of markdown; --out keeps all as CSV, too.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import seewhy
from seewhy.atomic import replacing
from seewhy.metrics.localization.boxes import BoxScoring
from seewhy.metrics.localization.places import PlaceScoring
from seewhy.metrics.localization.records import ControlScore, LocalizationScore, csv_of_scores

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))
FOLDER, SMALL, AT_ONCE = "loc-imagenet-val", 1 / 3, 20  # boxes that take less of the photo; photos explained at a time
HALF = {"mean": 0.5, "std": 0.5, "interpolation": "bilinear"}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
NETWORKS = {
    "mobilenetv2_100": ("timm/mobilenetv2_100", "mobilenetv2_100_imagenet", {"pad_type": "same"}, HALF),
    "mobilenetv1_100": ("timm/mobilenetv1_100", "mobilenetv1_100_imagenet", {"pad_type": "same"}, HALF),
    "squeezenet1_1": ("torchvision/squeezenet1_1", "squeezenet1_1_torchvision_imagenet", {}, IMAGENET),
}
METHODS = ("grad-cam", "grad-cam-pp", "hires-cam", "layer-cam", "eigen-cam", "ablation-cam")
SHOWN = ("GT-known", "top-1 localization", "MaxBoxAcc, largest region, IoU 0.5", "MaxBoxAccV2", "pointing game, 15 px",
         "evidence inside less area")  # fmt: skip


def network(name: str) -> Any:
    spec, file, options, prepare = NETWORKS[name]
    how = {**prepare, "size": (224, 224), "crop": None}
    return seewhy.load(spec, DATA / f"{file}.safetensors", options=options, prepare=how)


class Scorings:
    """All that is counted of one method on one network."""

    def __init__(self, refinements: list[str]) -> None:
        self.boxes, self.places = BoxScoring(), PlaceScoring()
        self.refined = {name: BoxScoring(None, {"preset": "grad-cam", "refine": name}) for name in refinements}

    def add(self, heatmap: Any, boxes: list[Any], rank: int) -> None:
        self.boxes.add(heatmap, boxes, rank)
        self.places.add(heatmap, boxes=boxes)
        for scoring in self.refined.values():
            scoring.add(heatmap, boxes, rank)

    def scores(self, photos: list[int]) -> dict[str, LocalizationScore]:
        some = [*self.boxes.part(photos).scores(), *self.places.part(photos).scores()]
        refined = {f"GT-known, {name}": each.part(photos).scores()[0] for name, each in self.refined.items()}
        return {each.name: each for each in some} | refined


def measured(name: str, methods: list[str], refinements: list[str], entries: list[Any]) -> dict[str, Scorings]:
    """By method."""
    model, found = network(name), defaultdict[str, Scorings](lambda: Scorings(refinements))
    for first in range(0, len(entries), AT_ONCE):
        some, start = entries[first : first + AT_ONCE], time.perf_counter()
        files, classes = [DATA / FOLDER / entry["file"] for entry in some], [entry["class_index"] for entry in some]
        answers = np.concatenate([model.answer(batch.x).scores for batch in model.batches(files)])
        maps = seewhy.explain(model, files, methods, target=seewhy.PerImage(classes))
        for heatmap in maps:
            scores, true = answers[heatmap.place], classes[heatmap.place]
            found[heatmap.source.method].add(heatmap, some[heatmap.place]["boxes"], 1 + int((scores > scores[true]).sum()))
        print(f"<!-- {name}: {first + len(some)} photos, {time.perf_counter() - start:.0f} s -->", flush=True)
    return found


def cell(score: LocalizationScore | ControlScore) -> str:
    low, high = score.interval
    return f"{100 * score.value:.1f} ({100 * low:.0f}-{100 * high:.0f})"


def printed(name: str, found: dict[str, Scorings], sets: dict[str, list[int]]) -> dict[str, list[LocalizationScore]]:
    """The scores of every method on every set of photos, printed as tables."""
    kept = {}
    for kind, photos in sets.items():
        rows = {method: scorings.scores(photos) for method, scorings in found.items()}
        some = next(iter(rows.values()))
        shown = [*SHOWN, *(measure for measure in some if measure.startswith("GT-known, "))]
        heads = " | ".join(f"{measure} (n={some[measure].images})" for measure in shown)
        print(f"\n{name}, {kind}\n\n| | {heads} |\n|---|{'---|' * len(shown)}")
        for method, scores in rows.items():
            print(f"| {method} | {' | '.join(cell(scores[measure]) for measure in shown)} |")
            kept[f"{name}, {method}, {kind}"] = [*scores.values()]
        for place, control in enumerate(("random", "centre")):
            print(f"| {control} | {' | '.join(cell(some[measure].controls[place]) for measure in shown)} |", flush=True)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=[*NETWORKS])
    parser.add_argument("--methods", nargs="*", default=[*METHODS])
    parser.add_argument("--photos", type=int, default=None, help="the first so many alone")
    parser.add_argument("--refine", nargs="*", default=[], help="refinements of masks, as Heatmap.boxes takes them")
    parser.add_argument("--out", type=Path, help="a folder for a CSV of all scores")
    asked = parser.parse_args()
    if not DATA.is_dir():
        print(f"Nothing was measured: {DATA} with the real photos and weights is absent (SEEWHY_DATA says where it is).")
        return
    entries = json.loads((DATA / FOLDER / "boxes.json").read_text("utf-8"))[: asked.photos]
    small = [place for place, entry in enumerate(entries) if entry["boxes_area_fraction"] < SMALL]
    sets = {f"all {len(entries)} photos": [*range(len(entries))], f"{len(small)} photos with small objects": small}
    for name in asked.networks:
        scores = printed(name, measured(name, asked.methods, asked.refine, entries), sets)
        if asked.out:
            with replacing(asked.out / f"{name}.csv") as path:
                path.write_text(csv_of_scores(scores), "utf-8")


if __name__ == "__main__":
    main()
