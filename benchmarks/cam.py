"""The CAM family beside its peers: agreement first, then time and memory, as multiples of one plain forward pass.

    python benchmarks/cam.py [--quick] [--out docs/benchmarks.md]

Runs are interleaved (A B C A B C ...) in one process per row and medians are given, with the least and the most; peak
memory is the median of five processes of their own (Linux).  Only ratios within one run mean anything.
"""

import sys
from statistics import median
from typing import Any

import numpy as np
import torch

import measure
import peers
from seewhy.pictures.render import unit

FIVE = ("grad-cam", "hires-cam", "layer-cam", "grad-cam-pp", "xgrad-cam")
OURS = {"seewhy": False, "seewhy, full size": True}
TEN = list(range(0, 1000, 100))
ROWS: dict[str, tuple[str, int, list[int], str]] = {  # name: network, batch, classes, what is asked
    **{f"Grad-CAM, 1 class, {net}": (net, 1, [281], "cam") for net in peers.LAYERS},
    "Grad-CAM, 1 class, batch 16, resnet50": ("resnet50", 16, [281], "cam"),
    **{f"Grad-CAM, 10 classes, {net}": (net, 1, TEN, "cam") for net in peers.LAYERS},
    "5 methods at once, resnet50": ("resnet50", 1, [281], "five"),
    "5 methods at once, mobilenet_v2": ("mobilenet_v2", 1, [281], "five"),
    "Eigen-CAM, resnet50": ("resnet50", 1, [281], "eigen"),
    "Eigen-CAM, mobilenet_v2": ("mobilenet_v2", 1, [281], "eigen"),
}
GOALS = {
    "cam, 1": 1.10,
    "cam, 1, vit": 1.20,
    "cam, 10": 1.20,
    "cam, 10, vgg": 1.45,
    "cam, 10, vit": 2.0,
    "five": 1.15,
    "eigen": 1.0,
}


def contenders(net_name: str, n: int, classes: list[int], asked: str) -> dict[str, Any]:
    net, x, layer = peers.network(net_name), peers.photos(n), peers.LAYERS[net_name]
    out: dict[str, Any] = {"forward": peers.forward(net, x)}
    if asked == "five":
        out |= {who: peers.ours(net, x, layer, classes, FIVE, full) for who, full in OURS.items()}
        runs = [
            peers.pgc(net, x, layer, classes, m) for m in ("GradCAM", "HiResCAM", "LayerCAM", "GradCAMPlusPlus", "XGradCAM")
        ]
        out["grad-cam"] = lambda: [run() for run in runs]
    elif asked == "eigen":
        out |= {who: peers.ours(net, x, layer, classes, ["eigen-cam"], full) for who, full in OURS.items()}
        out["grad-cam"] = peers.pgc(net, x, layer, classes, "EigenCAM")
    else:
        out |= {who: peers.ours(net, x, layer, classes, full=full) for who, full in OURS.items()}
        out["grad-cam"] = peers.pgc(net, x, layer, classes)
        out["torchcam"] = peers.torchcam(net, x, layer, classes)
        if "encoder" not in layer:
            out["captum"] = peers.captum(net, x, layer, classes)
    return out


def goal_of(name: str) -> float:
    net, _, classes, asked = ROWS[name]
    keys = [f"{asked}, {len(classes)}, {net[:3]}", f"{asked}, {len(classes)}", asked]
    return next(GOALS[key] for key in keys if key in GOALS)


def peak(who: str, n: int = 16) -> float:
    """MiB that one call on resnet50, batch n, takes at most above what the process held before it."""
    run, small = (contenders("resnet50", size, [281], "cam")[who] for size in (n, 1))
    return measure.above(run, small)


def agreement() -> list[str]:
    """Do all give the same maps?  Relative to the largest value.

    torchcam's Grad-CAM++ is another formula: it sums A g^3 where the paper sums A and multiplies by g^3.
    pytorch-grad-cam's adds 1e-6 to a denominator of the order of g^2, which drowns small gradients; so Grad-CAM++ is also
    compared with the last layer, and with it every gradient, made 10^4 times larger, where that addend vanishes.
    """
    lines = ["| maps | seewhy against | largest difference |", "|---|---|---|"]
    for net_name, layer in (("resnet50", "layer4"), ("resnet50", "layer3"), ("vgg16", "features")):
        net, x = peers.network(net_name), peers.photos(2)
        for ours, pgc, tc in (
            ("grad-cam", "GradCAM", "GradCAM"), ("hires-cam", "HiResCAM", None), ("layer-cam", "LayerCAM", "LayerCAM"),
            ("xgrad-cam", "XGradCAM", "XGradCAM"), ("grad-cam-pp", "GradCAMPlusPlus", "GradCAMpp"),
            ("grad-cam-pp, gradients x 10^4", "GradCAMPlusPlus", "GradCAMpp"),
        ):  # fmt: skip
            method = ours.partition(",")[0]
            if method != ours:
                with torch.no_grad():
                    peers.last_linear(net).weight.mul_(1e4)
            asked = peers.visible(net, x, layer, method)
            mine = peers.raw(net, x, layer, [asked], method)
            where = f"{ours}, {net_name} {layer}"
            lines.append(row(where, "grad-cam", finished(mine), peers.pgc(net, x, layer, [asked], pgc)()))
            if tc:
                theirs = np.maximum(peers.torchcam(net, x, layer, [asked], tc)(), 0)
                lines.append(row(where, "torchcam", scaled(mine), scaled(theirs)))
            if ours == "grad-cam":
                lines.append(row(where, "captum", mine, peers.captum(net, x, layer, [asked])()))
    return lines


def row(what: str, who: str, mine: np.ndarray, theirs: np.ndarray) -> str:
    gap = abs(mine - theirs).max() / abs(mine).max()
    return f"| {what} | {who} | {gap:.1e}{'' if gap < 2e-3 else ' **differs**'} |"


def scaled(maps: np.ndarray) -> np.ndarray:
    """Each map over its largest value: libraries scale weights differently."""
    return maps / np.maximum(abs(maps).max((-2, -1), keepdims=True), 1e-12)


def finished(maps: np.ndarray) -> np.ndarray:
    """As pytorch-grad-cam hands maps out: stretched to [0, 1], resized, and stretched again."""
    from seewhy.images.places import Extent
    from seewhy.pictures.stretching import stretch

    flat = [unit(stretch(unit(m), Extent(0, 0, 224, 224), (224, 224))) for m in maps.reshape(-1, *maps.shape[2:])]
    return np.stack(flat).reshape(*maps.shape[:2], 224, 224)


def report(rounds: int) -> list[str]:
    whos = (*OURS, "grad-cam", "torchcam", "captum")
    lines = ["| work | forward, ms | " + " | ".join(whos) + " | goal |", "|---" * (len(whos) + 3) + "|"]
    for name in ROWS:
        seconds = measure.child(__file__, "--row", name, "--rounds", str(rounds))
        base = median(seconds["forward"])
        cells = measure.cells(seconds, whos)
        lines.append(f"| {name} | {1000 * base:.0f} | {' | '.join(cells)} | {goal_of(name):.2f}x |")
        print(lines[-1], file=sys.stderr)
    peaks = {who: median(measure.child(__file__, "--peak", who) for _ in range(5)) for who in ("forward", *whos)}
    cells = [f"**{peaks[who] / peaks['forward']:.2f}x** ({peaks[who]:.0f} MiB)" for who in whos]
    lines += ["", "| peak memory above the model | forward | " + " | ".join(whos) + " | goal |", "|---" * (len(whos) + 3) + "|"]
    lines.append(f"| Grad-CAM, resnet50, batch 16 | {peaks['forward']:.0f} MiB | {' | '.join(cells)} | 1.15x |")
    return lines


if __name__ == "__main__":
    measure.command(__doc__ or "", 15, lambda row: contenders(*ROWS[row]), peak, agreement, report)
