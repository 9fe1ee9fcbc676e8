"""Does it help to draw cells where their receptive fields lie?  Grad-CAM inside the true boxes, and pointing at them.

    python benchmarks/geometry.py [--limit 20]

Over the photos of loc-imagenet-val, Grad-CAM of the true class at the last map: the share of the map's energy inside the
boxes less their share of the area, and how often the strongest pixel hits a box, drawn plainly and by geometry.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import seewhy
from seewhy.images.places import Cells
from seewhy.models.torch.places.following import Following, Place

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))
HALF = {"mean": 0.5, "std": 0.5}
USUAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
NETS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {  # name: spec, weights, options, preparation
    "timm mobilenetv2_100, padded as TensorFlow does": (
        "timm/mobilenetv2_100", "mobilenetv2_100_imagenet", {"pad_type": "same"}, HALF
    ),
    "torchvision mobilenet_v2": ("torchvision/mobilenet_v2", "mobilenet_v2_torchvision_imagenet", {}, USUAL),
    "torchvision squeezenet1_1": ("torchvision/squeezenet1_1", "squeezenet1_1_torchvision_imagenet", {}, USUAL),
}  # fmt: skip
LAYERS = {"timm/mobilenetv2_100": "bn2", "torchvision/mobilenet_v2": "features", "torchvision/squeezenet1_1": "features"}
SIDE = 224


def place(network: torch.nn.Module, layer: str) -> Place:
    kept: list[torch.Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda _module, _args, out: kept.append(out))
    x = torch.zeros(1, 3, SIDE, SIDE)
    with torch.no_grad(), Following(x) as following:
        network.eval()(x)
    hook.remove()
    found = following.place_of(kept[-1], kept[-1].shape[2:])
    if found is None:
        raise SystemExit(f"Where the cells of {layer} lie is not known.")
    return found


def inside(boxes: list[list[float]], size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size[::-1], bool)
    for x0, y0, x1, y1 in boxes:
        mask[round(y0) : round(y1), round(x0) : round(x1)] = True
    return mask


def judged(m: seewhy.Heatmap, boxes: list[list[float]]) -> tuple[float, bool]:
    """Energy inside less area, and whether the strongest pixel lies inside."""
    full, mask = m.full().clip(min=0), inside(boxes, m.size)
    best = full == full.max()  # where several are, their middle
    y, x = (round(float(at.mean())) for at in best.nonzero())
    return float(full[mask].sum() / (full.sum() or 1) - mask.mean()), bool(mask[y, x])


def rows(name: str, photos: list[dict[str, Any]]) -> list[str]:
    spec, weights, options, prepare = NETS[name]
    given = {"size": (SIDE, SIDE), "crop": None, **prepare}
    model = seewhy.load(spec, DATA / f"{weights}.safetensors", options=options, prepare=given)
    files, classes = [DATA / "loc-imagenet-val" / p["file"] for p in photos], [p["class_index"] for p in photos]
    maps = seewhy.grad_cam(model, files, target=seewhy.PerImage(classes), layer=LAYERS[spec])
    lies = place(model.network, LAYERS[spec])
    cells = Cells(lies.first, lies.stride, (SIDE, SIDE))
    plain = [judged(replace(m, cells=None), p["boxes"]) for m, p in zip(maps, photos, strict=True)]
    ours = [judged(replace(m, cells=cells), p["boxes"]) for m, p in zip(maps, photos, strict=True)]
    small = [p["boxes_area_fraction"] < 1 / 3 for p in photos]
    grid = "x".join(map(str, maps[0].values.shape))
    return [row(name, grid, lies, which, keep, plain, ours) for which, keep in
            (("small boxes", small), ("all", [True] * len(photos)))]  # fmt: skip


def row(name: str, grid: str, lies: Place, which: str, keep: list[bool], plain: Any, ours: Any) -> str:
    a, b = (np.array([one for one, kept in zip(values, keep, strict=True) if kept], float) for values in (plain, ours))
    change = b[:, 0] - a[:, 0]
    error = change.std(ddof=1) / len(change) ** 0.5
    return (
        f"| {name} | {grid}, {lies.stride[0]:g}i + {lies.first[0]:g} | {which}, {len(a)} | {a[:, 0].mean():.3f} | "
        f"{b[:, 0].mean():.3f} | {change.mean():+.3f} ± {error:.3f} | {a[:, 1].mean():.0%} | {b[:, 1].mean():.0%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="photos at most")
    asked = parser.parse_args()
    if not DATA.is_dir():
        print(f"Nothing was measured: {DATA} with the real photos and weights is absent (SEEWHY_DATA says where it is).")
        return
    photos = json.loads((DATA / "loc-imagenet-val" / "boxes.json").read_text())[: asked.limit]
    print("| network | cells | photos | energy, plain | by geometry | change | pointing, plain | by geometry |")
    print("|---|---|---|---|---|---|---|---|")
    for name in NETS:
        print("\n".join(rows(name, photos)), flush=True)


if __name__ == "__main__":
    main()
