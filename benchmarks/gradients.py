"""The pixel-level family beside captum: agreement first, then time and memory, as multiples of a forward pass.

    python benchmarks/gradients.py [--quick] [--out docs/benchmarks-gradients.md]

The floor is what no gradient method can undercut: one forward pass with its graph and the way back to the image alone, no
parameter's gradient; for a method of many passes, as many of them in the same batches.
"""

import sys
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
COPIES = 8  # images a pass holds, for all: captum's default would be one after the other, or all at once
ROWS: dict[str, tuple[str, str, int]] = {  # name: method, network, batch
    **{f"gradient, {net}": ("gradient", net, 1) for net in ("mobilenet_v2", "resnet50", "vgg16", "vit_b_16")},
    "gradient, batch 8, resnet50": ("gradient", "resnet50", 8),
    "guided backprop, resnet50": ("guided-backprop", "resnet50", 1),
    "guided backprop, vgg16": ("guided-backprop", "vgg16", 1),
    "deconvnet, resnet50": ("deconvnet", "resnet50", 1),
    "integrated gradients, 48 steps, resnet50": ("integrated-gradients", "resnet50", 1),
    "SmoothGrad, 24 samples, resnet50": ("smooth-grad", "resnet50", 1),
    "SmoothGrad, 24 samples, mobilenet_v2": ("smooth-grad", "mobilenet_v2", 1),
}
PASSES = {"integrated-gradients": 48, "smooth-grad": 24}
WHOS = ("floor", "seewhy", "captum")


def floor(net: nn.Module, x: Tensor, passes: int) -> peers.Maps:
    """Forward with a graph, and back to the image; `passes` of them, COPIES at a time."""

    def run() -> np.ndarray:
        batch = x if passes == 1 else x.repeat(COPIES, 1, 1, 1)
        total = torch.zeros_like(x)
        for _ in range(max(1, passes // COPIES)):
            image = batch.clone().requires_grad_()
            (g,) = torch.autograd.grad(net(image)[:, CLASS].sum(), image)
            total = total + (g if passes == 1 else g.sum(0, keepdim=True))
        return (total / passes).numpy()

    return run


def ours(net: nn.Module, x: Tensor, method: str) -> peers.Maps:
    model, chosen = seewhy.wrap(net, batch_size=COPIES), seewhy.METHODS[method]
    settings: dict[str, Any] = {"integrated-gradients": {"steps": 48}, "smooth-grad": {"samples": 24}}.get(method, {})
    return lambda: np.stack([m.channels for m in chosen(model, x, target=CLASS, **settings)])


def captum(net: nn.Module, x: Tensor, method: str) -> peers.Maps:
    from captum import attr

    made: Callable[[], Any]
    if method == "integrated-gradients":
        made = lambda: attr.IntegratedGradients(net).attribute(x, target=CLASS, n_steps=48, internal_batch_size=COPIES)  # noqa: E731
    elif method == "smooth-grad":
        noisy = attr.NoiseTunnel(attr.Saliency(net))
        spread = 0.15 * float(x.max() - x.min())
        made = lambda: noisy.attribute(  # noqa: E731
            x, nt_type="smoothgrad", nt_samples=24, nt_samples_batch_size=COPIES, stdevs=spread, target=CLASS, abs=False
        )
    else:
        kinds: dict[str, Any] = {"gradient": attr.Saliency, "guided-backprop": attr.GuidedBackprop,
                                 "deconvnet": attr.Deconvolution}  # fmt: skip
        method_of = kinds[method](net)
        more = {"abs": False} if method == "gradient" else {}
        made = lambda: method_of.attribute(x.clone().requires_grad_(), target=CLASS, **more)  # noqa: E731
    return lambda: made().detach().numpy()


def contenders(method: str, net_name: str, n: int) -> dict[str, peers.Maps]:
    net, x = peers.network(net_name), peers.photos(n)
    return {"forward": peers.forward(net, x), "floor": floor(net, x, PASSES.get(method, 1)), "seewhy": ours(net, x, method),
            "captum": captum(net, x, method)}  # fmt: skip


def agreement() -> list[str]:
    """SmoothGrad draws its own noise in each library, so only its plain relatives are compared.

    On mobilenet_v2 captum's guided backprop and deconvnet are the plain gradient: they look for nn.ReLU, not nn.ReLU6.
    """
    lines = ["| attributions | largest difference, of the largest value |", "|---|---|"]
    for net_name in ("resnet50", "vgg16", "mobilenet_v2"):
        net, x = peers.network(net_name), peers.photos(2)
        for method in ("gradient", "integrated-gradients", "guided-backprop", "deconvnet"):
            mine, theirs = ours(net, x, method)(), captum(net, x, method)()
            gap = abs(mine - theirs).max() / abs(mine).max()
            lines.append(f"| {method}, {net_name} | {gap:.1e}{'' if gap < 2e-3 else ' **differs**'} |")
    return lines


def report(rounds: int) -> list[str]:
    lines = ["| work | forward, ms | " + " | ".join(WHOS) + " | seewhy over the floor | goal |", "|---" * (len(WHOS) + 4) + "|"]
    for name in ROWS:
        seconds = measure.child(__file__, "--row", name, "--rounds", str(rounds))
        base = median(seconds["forward"])
        cells = measure.cells(seconds, WHOS)
        over = median(a / b for a, b in zip(seconds["seewhy"], seconds["floor"], strict=True))
        lines.append(f"| {name} | {1000 * base:.0f} | {' | '.join(cells)} | **{over:.2f}x** | 1.05x |")
        print(lines[-1], file=sys.stderr)
    peaks = {who: median(measure.child(__file__, "--peak", who) for _ in range(3)) for who in WHOS}
    lines += ["", "| peak memory above the model | " + " | ".join(WHOS) + " |", "|---" * (len(WHOS) + 1) + "|"]
    lines.append("| gradient, batch 8, resnet50 | " + " | ".join(f"{peaks[who]:.0f} MiB" for who in WHOS) + " |")
    return lines


def peak(who: str) -> float:
    run, small = (contenders("gradient", "resnet50", n)[who] for n in (8, 1))
    return measure.above(run, small)


if __name__ == "__main__":
    measure.command(__doc__ or "", 9, lambda row: contenders(*ROWS[row]), peak, agreement, report)
