"""The fixed cost of one call: what `grad_cam` takes beyond the forward and backward pass, and the functions it walks through.

    python benchmarks/call.py [--rounds 200] [--walk]

Seconds are those of the calling thread alone, the least of all rounds of a warm call, beside the same passes by hand.  A
crossing is a call from a function in one file of seewhy to a function in another.  --walk prints every function called.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

import seewhy
from seewhy.demo.networks import build

ROOT = Path(seewhy.__file__).parent
INLINE = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>")  # parts of the function around them


class Step(NamedTuple):
    """A call of a function of seewhy, by the file of the function that called it, and how deep it lies."""

    caller: str
    file: str
    function: str
    depth: int


def walk(call: Callable[[], Any]) -> list[Step]:
    """The functions of seewhy that a call runs through, in order; a generator counts once, however often it is resumed."""
    steps: list[Step] = []
    begun: set[FrameType] = set()

    def profile(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame not in begun and _ours(frame):
            begun.add(frame)
            around = [each.f_code.co_filename for each in _outside(frame) if _ours(each)]
            steps.append(Step(around[0] if around else "", frame.f_code.co_filename, frame.f_code.co_qualname, len(around)))

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return steps


def _ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(f"{ROOT}/") and frame.f_code.co_name not in INLINE


def _outside(frame: FrameType) -> list[FrameType]:
    """The frames around one, from the innermost on."""
    frames = []
    while (outer := frame.f_back) is not None:
        frames.append(outer)
        frame = outer
    return frames


def by_hand(network: nn.Module, layer: str, x: Tensor) -> Callable[[], Tensor]:
    """One forward pass recorded from the layer on, and the gradient of the highest score back to it."""
    module = network.get_submodule(layer)
    activations: list[Tensor] = []

    def hook(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        activations.append(output.detach().requires_grad_())
        torch.set_grad_enabled(True)
        return activations[-1].clone()

    def run() -> Tensor:
        activations.clear()
        handle = module.register_forward_hook(hook)
        with torch.no_grad():
            scores = network(x)
        handle.remove()
        return torch.autograd.grad(scores[0, scores[0].argmax()], activations[0])[0]

    return run


def least(runs: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Milliseconds of each run at its quickest, after five rounds that do not count; runs alternate."""
    seconds = [[_seconds(run) for run in runs] for _ in range(rounds + 5)]
    return [1e3 * min(each) for each in zip(*seconds[5:], strict=True)]


def _seconds(run: Callable[[], Any]) -> float:
    start = time.thread_time()
    run()
    return time.thread_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--walk", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    tiny = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    each = {"three layers": (tiny, 16), "demo/honest": (build("honest"), 128),
            "MobileNetV2": (torchvision.models.mobilenet_v2(), 64)}  # fmt: skip
    for name, (network, side) in each.items():
        model, x = seewhy.wrap(network.eval()), rng.standard_normal((1, 3, side, side), np.float32)
        (heatmap,) = seewhy.grad_cam(model, x)
        passes = by_hand(network, heatmap.source.layer, torch.from_numpy(x))
        call, hand = least([lambda model=model, x=x: seewhy.grad_cam(model, x), passes], options.rounds)
        print(f"{name}: {call:.2f} ms, {hand:.2f} ms of it forward and backward by hand, {call - hand:.2f} ms beyond")
    model = seewhy.load("demo/honest")
    photo = Image.fromarray(rng.integers(0, 256, (200, 220, 3), dtype=np.uint8))
    for _ in range(3):
        seewhy.grad_cam(model, photo)
    steps = walk(lambda: seewhy.grad_cam(model, photo))
    crossings = sum(step.caller not in ("", step.file) for step in steps)
    print(f"grad_cam of a photo on demo/honest: {len(steps)} calls of {len({step[1:3] for step in steps})} functions in "
          f"{len({step.file for step in steps})} files, {crossings} crossings from file to file")  # fmt: skip
    for step in steps if options.walk else ():
        print(f"{'  ' * step.depth}{Path(step.file).relative_to(ROOT)}: {step.function}")


if __name__ == "__main__":
    main()
