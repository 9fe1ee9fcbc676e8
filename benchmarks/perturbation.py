"""Methods that ask for scores beside their peers: agreement first, then time, as multiples of the bare forward passes.

    python benchmarks/perturbation.py [--quick] [--out docs/benchmarks-perturbation.md]

"forwards" is what no sampling method can undercut: as many plain forward passes as it asks for, in batches of the size that was
the fastest of 4, 8, 16 and 32.  Occlusion undercuts it where a window changes little of the network.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import measure
import peers
import seewhy

CLASS = 281
SAMPLES = 200
ROWS: dict[str, tuple[str, str]] = {  # name: method, network
    **{
        f"occlusion, window 32, stride 16, {net}": ("occlusion", net)
        for net in ("vgg16", "resnet50", "mobilenet_v2", "densenet121")
    },
    **{f"LIME, {SAMPLES} samples, 64 segments, {net}": ("lime", net) for net in ("squeezenet1_1", "mobilenet_v2")},
    **{f"RISE, {SAMPLES} masks, {net}": ("rise", net) for net in ("mobilenet_v2", "resnet50")},
    "Score-CAM, 512 channels, resnet18": ("score-cam", "resnet18"),
    "Ablation-CAM, 1280 channels of the last layer, mobilenet_v2": ("ablation-cam", "mobilenet_v2"),
    "Ablation-CAM, 512 channels of the last layer, resnet18": ("ablation-cam", "resnet18"),
}
LAYERS = {"mobilenet_v2": "features.18", "resnet18": "layer4.1"}  # the last block, as the examples of grad-cam have it
WHOS = ("forward", "seewhy", "seewhy, fast", "captum", "lime", "grad-cam", "torchcam")
GOALS = {
    "occlusion": "captum 5x (vgg16), 2x (resnet50)",
    "lime": "1.10x",
    "rise": "1.10x",
    "score-cam": "1.10x; best peer 1.3x",
    "ablation-cam": "grad-cam 100x",
}
SEGMENTS = np.kron(np.arange(64).reshape(8, 8), np.ones((28, 28), int))


def settings(method: str) -> dict[str, Any]:
    return {
        "occlusion": {"window": 32, "stride": 16, "fill": "zero"},
        "lime": {"segments": SEGMENTS, "samples": SAMPLES, "hide": "zero"},
        "rise": {"masks": SAMPLES},
    }.get(method, {})


def ours(net: nn.Module, x: Tensor, method: str, name: str, **more: Any) -> peers.Maps:
    model, chosen = seewhy.wrap(net), seewhy.METHODS[method]
    layer = LAYERS[name] if chosen.layered else None
    return lambda: chosen(model, x, target=CLASS, layer=layer, **settings(method), **more)[0].values


def count(method: str, net: nn.Module, name: str) -> int:
    if method == "occlusion":
        return 169
    return SAMPLES if method in ("lime", "rise") else {"resnet18": 512, "mobilenet_v2": 1280}[name]


def forwards(net: nn.Module, x: Tensor, many: int) -> peers.Maps:
    """That many plain forward passes, in batches of the fastest size."""

    def run(size: int, total: int) -> None:
        with torch.inference_mode():
            for start in range(0, total, size):
                net(x.repeat(min(size, total - start), 1, 1, 1))

    def seconds(size: int) -> float:
        run(size, size)
        start = time.perf_counter()
        run(size, 32)
        return time.perf_counter() - start

    best = min((4, 8, 16, 32), key=seconds)
    return lambda: run(best, many)


def captum_occlusion(net: nn.Module, x: Tensor, sizes: tuple[int, ...] = (8, 32)) -> peers.Maps:
    """captum, at the number of windows a pass that is its fastest; one at a time is slower."""
    from captum.attr import Occlusion

    made = Occlusion(net)

    def run(size: int) -> np.ndarray:
        with torch.no_grad():
            found = made.attribute(x, (3, 32, 32), (3, 16, 16), baselines=0, target=CLASS, perturbations_per_eval=size)
        return found[0, 0].numpy()

    def seconds(size: int) -> float:
        start = time.perf_counter()
        run(size)
        return time.perf_counter() - start

    best = min(sizes, key=seconds) if len(sizes) > 1 else sizes[0]
    return lambda: run(best)


def lime_package(net: nn.Module, x: Tensor) -> Callable[[], Any]:
    """lime with the same segments, on an image in the network's own numbers."""
    from lime import lime_image

    def scores(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.as_tensor(np.moveaxis(images, -1, 1), dtype=torch.float32).contiguous()).numpy()

    image = np.moveaxis(x[0].numpy(), 0, -1).astype(np.double)

    def run() -> Any:
        explainer = lime_image.LimeImageExplainer(random_state=0)
        return explainer.explain_instance(
            image, scores, labels=(CLASS,), top_labels=None, hide_color=0, num_samples=SAMPLES, batch_size=10,
            segmentation_fn=lambda _: SEGMENTS,
        )  # fmt: skip

    return run


def pgc(net: nn.Module, x: Tensor, name: str, method: str) -> peers.Maps:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    kind = {"score-cam": "ScoreCAM", "ablation-cam": "AblationCAM"}[method]
    cam = getattr(pytorch_grad_cam, kind)(model=net, target_layers=[net.get_submodule(LAYERS[name])])
    cam.batch_size = 32
    return lambda: cam(input_tensor=x, targets=[ClassifierOutputTarget(CLASS)])[0]


def torchcam(net: nn.Module, x: Tensor, name: str) -> peers.Maps:
    from torchcam.methods import ScoreCAM

    def run() -> np.ndarray:
        with ScoreCAM(net, target_layer=LAYERS[name], batch_size=32) as cam, torch.no_grad():
            return cam(CLASS, net(x), normalized=False)[0].numpy()

    return run


def contenders(method: str, name: str) -> dict[str, Callable[[], Any]]:
    net, x = peers.network(name), peers.photos(1)
    runs = {"forward": forwards(net, x, count(method, net, name)), "seewhy": ours(net, x, method, name),
            "seewhy, fast": ours(net, x, method, name, fast=True)}  # fmt: skip
    if method == "occlusion":
        runs["captum"] = captum_occlusion(net, x)
    if method == "lime":
        runs["lime"] = lime_package(net, x)
    if method in ("score-cam", "ablation-cam"):
        runs["grad-cam"] = pgc(net, x, name, method)
    if method == "score-cam":
        runs["torchcam"] = torchcam(net, x, name)
    return runs


def agreement() -> list[str]:
    lines = ["| maps | ours against | largest difference, of the largest value | correlation |", "|---|---|---|---|"]
    for name in ("vgg16", "resnet50", "mobilenet_v2"):
        net, x = peers.network(name), peers.photos(1)
        mine, theirs = ours(net, x, "occlusion", name)(), captum_occlusion(net, x, (16,))()
        lines.append(row(f"occlusion, {name}", "captum", mine, theirs))
    net, x = peers.network("resnet18"), peers.photos(1)
    for method in ("score-cam", "ablation-cam"):
        mine = seewhy.METHODS[method](seewhy.wrap(net, geometry="plain"), x, target=CLASS, layer="layer4")[0]
        lines.append(
            row(f"{method}, resnet18, scaled to [0, 1]", "grad-cam", unit(mine.full()), unit(pgc(net, x, "resnet18", method)()))
        )
    mine = seewhy.lime(seewhy.wrap(net), x, target=CLASS, **settings("lime"))[0].regions
    theirs = dict(lime_package(net, x)().local_exp[CLASS])
    lines.append(row(f"LIME, resnet18, {SAMPLES} samples each", "lime", mine.weights, np.array([theirs[s] for s in range(64)])))
    return lines


def unit(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / (values.max() - values.min())


def row(what: str, who: str, mine: np.ndarray, theirs: np.ndarray) -> str:
    gap = abs(mine - theirs).max() / abs(theirs).max()
    return f"| {what} | {who} | {gap:.1e} | {np.corrcoef(mine.ravel(), theirs.ravel())[0, 1]:.4f} |"


def report(rounds: int) -> list[str]:
    lines = [
        "| work | bare forwards, s | " + " | ".join(WHOS[1:]) + " | best peer over seewhy | goal |",
        "|---" * (len(WHOS) + 3) + "|",
    ]
    for name, (method, _) in ROWS.items():
        seconds = measure.child(__file__, "--row", name, "--rounds", str(rounds))
        others = [median(seconds[who]) for who in WHOS[3:] if who in seconds]
        ahead = f"**{min(others) / median(seconds['seewhy']):.1f}x**" if others else ""
        cells = measure.cells(seconds, WHOS[1:])
        lines.append(f"| {name} | {median(seconds['forward']):.1f} | {' | '.join(cells)} | {ahead} | {GOALS[method]} |")
        print(lines[-1], file=sys.stderr)
    lines += ["", "| peak memory above the model | seewhy | of one pass of 32 images |", "|---|---|---|"]
    mine, theirs = (median(measure.child(__file__, "--peak", who) for _ in range(3)) for who in ("seewhy", "forward"))
    lines.append(f"| RISE, 1000 masks, mobilenet_v2 (the masks alone would be 192 MiB) | {mine:.0f} MiB | {theirs:.0f} MiB |")
    return lines


def peak(who: str) -> float:
    net, x = peers.network("mobilenet_v2"), peers.photos(1)
    model = seewhy.wrap(net)
    runs = {
        "seewhy": (
            lambda: seewhy.rise(model, x, target=CLASS, masks=1000),
            lambda: seewhy.rise(model, x, target=CLASS, masks=2),
        ),
        "forward": (peers.forward(net, x.repeat(32, 1, 1, 1)), peers.forward(net, x)),
    }
    return measure.above(*runs[who])


if __name__ == "__main__":
    measure.command(__doc__ or "", 3, lambda name: contenders(*ROWS[name]), peak, agreement, report)
