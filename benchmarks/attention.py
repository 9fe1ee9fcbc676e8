"""Transformers' own methods beside the papers' recipes by hand: agreement first, then time, as multiples of a forward pass.

    python benchmarks/attention.py [--quick] [--out docs/benchmarks-attention.md]

By hand: a ViT of timm with its attention written out, the weights caught by hooks, the scores' gradient by backward() to
everything, as the papers' repositories do.  The floor runs the network fused: one forward pass, for relevance and what is
read at the image with its graph and the way back to the image alone.
"""

import sys
from statistics import median

import numpy as np
import timm
import torch
from torch import Tensor, nn

import measure
import peers
import seewhy
from seewhy.methods.making.method import lookup

CLASS = 281
METHODS = {  # name: is a way back part of its floor?
    "attention-rollout": False, "transformer-relevance": True, "le-grad": True, "gradient": True, "attn-lrp": True,
    "libra(input-x-gradient)": True,
}  # fmt: skip
WHOS = ("floor", "seewhy", "by hand")


def network(name: str = "vit_base_patch16_224") -> nn.Module:
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=1000).eval()
    nn.init.normal_(net.head.weight, std=0.02)
    return net


def photos(n: int = 1) -> Tensor:
    return torch.randn(n, 3, 224, 224, generator=torch.Generator().manual_seed(1))


def forward(net: nn.Module, x: Tensor) -> peers.Maps:
    def run() -> np.ndarray:
        with torch.inference_mode():
            return net(x).numpy()

    return run


def back(net: nn.Module, x: Tensor) -> peers.Maps:
    def run() -> np.ndarray:
        image = x.clone().requires_grad_()
        return torch.autograd.grad(net(image)[:, CLASS].sum(), image)[0].numpy()

    return run


def by_hand(x: Tensor, method: str) -> peers.Maps:
    """Rollout and relevance, as their repositories have them."""
    net, seen = network(), []
    for block in net.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _m, _a, out: seen.append(out))

    def run() -> np.ndarray:
        seen.clear()
        if method == "attention-rollout":
            with torch.no_grad():
                net(x)
            r = torch.eye(seen[0].shape[-1])
            for a in seen:
                a = a[0].mean(0) + torch.eye(a.shape[-1])
                r = (a / a.sum(-1, keepdim=True)) @ r
            return r[0, 1:].numpy()
        scores = net(x)
        for a in seen:
            a.retain_grad()
        net.zero_grad()
        scores[0, CLASS].backward()
        r = torch.eye(seen[0].shape[-1])
        for a in seen:
            r = r + (a.grad * a).clamp(min=0)[0].mean(0) @ r
        return r[0, 1:].detach().numpy()

    return run


def ours(net: nn.Module, x: Tensor, method: str) -> peers.Maps:
    model, chosen = seewhy.wrap(net), lookup(method)
    return lambda: chosen(model, x, target=CLASS)[0].values


def contenders(method: str) -> dict[str, peers.Maps]:
    net, x = network(), photos()
    found = {"forward": forward(net, x), "floor": back(net, x) if METHODS[method] else forward(net, x),
             "seewhy": ours(net, x, method)}  # fmt: skip
    return {**found, "by hand": by_hand(x, method)} if method in ("attention-rollout", "transformer-relevance") else found


def agreement() -> list[str]:
    lines = ["| maps, ViT-B/16 | largest difference, of the largest value |", "|---|---|"]
    for method in ("attention-rollout", "transformer-relevance"):
        mine, theirs = ours(network(), photos(), method)().ravel(), by_hand(photos(), method)().ravel()
        lines.append(f"| {method} | {abs(mine - theirs).max() / abs(theirs).max():.1e} |")
    return lines


def report(rounds: int) -> list[str]:
    lines = ["| ViT-B/16, fused attention | forward, ms | " + " | ".join(WHOS) + " | seewhy over the floor |", "|---" * 6 + "|"]
    for method in METHODS:
        seconds = measure.child(__file__, "--row", method, "--rounds", str(rounds))
        over = median(a / b for a, b in zip(seconds["seewhy"], seconds["floor"], strict=True))
        base = 1000 * median(seconds["forward"])
        lines.append(f"| {method} | {base:.0f} | {' | '.join(measure.cells(seconds, WHOS))} | **{over:.2f}x** |")
        print(lines[-1], file=sys.stderr)
    return lines


def peak(_who: str) -> float:
    raise SystemExit("no peaks are measured here")


if __name__ == "__main__":
    measure.command(__doc__ or "", 7, contenders, peak, agreement, report)
