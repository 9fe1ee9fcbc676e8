"""What a unit reaches: seewhy.maximize and lucent, on the same channels of a trained MobileNetV2, steps and size; and photos.

    python benchmarks/maximize.py [--steps 128] [--channels 5 60 120]

Each library runs in a process of its own; of one that is not installed the error is printed.  What is compared is read by the
network itself from the finished 8-bit image, without transformations: the mean over cells of the channel, lucent's own
objective.  Photos are those in the folder SEEWHY_DATA: the best of 200.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))

LAYER, SIDE = "features.14", 224
PREPARE = {"size": 256, "crop": SIDE, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
WHO = ("seewhy", "seewhy, maco", "lucent")


def network() -> torch.nn.Module:
    net = torchvision.models.mobilenet_v2(weights=None)
    weights = load_file(DATA / "mobilenet_v2_torchvision_imagenet.safetensors")
    net.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in weights.items()})
    return net.eval()


def reached(net: torch.nn.Module, pixels: np.ndarray, channel: int) -> float:
    """The mean over cells of a channel, for an image (h, w, 3) in [0, 1] rounded to 8 bits."""
    x = torch.tensor(np.rint(pixels * 255) / 255).float().permute(2, 0, 1)[None]
    x = (x - torch.tensor(PREPARE["mean"]).view(3, 1, 1)) / torch.tensor(PREPARE["std"]).view(3, 1, 1)
    with torch.inference_mode():
        return float(net.features[: int(LAYER.split(".")[1]) + 1](x)[0, channel].mean())


def by_seewhy(net: torch.nn.Module, channel: int, steps: int, way: str = "fourier") -> np.ndarray:
    import seewhy  # here, for each library has a process of its own

    model = seewhy.wrap(net, prepare=PREPARE)
    result = seewhy.maximize(model, seewhy.Unit(LAYER, channel, "sum"), parametrisation=way, steps=steps)
    return result.images[0].transpose(1, 2, 0)


def by_lucent(net: torch.nn.Module, channel: int, steps: int) -> np.ndarray:
    from lucent.optvis import objectives, param, render  # here, for each library has a process of its own

    torch.manual_seed(0)
    aim = objectives.channel(LAYER.replace(".", "_"), channel)
    options = {"thresholds": (steps,), "show_image": False, "progress": False}
    return render.render_vis(net, aim, lambda: param.image(SIDE, fft=True, decorrelate=True), **options)[-1][0]


def run(who: str, channels: list[int], steps: int) -> dict[str, Any]:
    makers = {
        "seewhy": by_seewhy, "seewhy, maco": lambda *asked: by_seewhy(*asked, way="maco"), "lucent": by_lucent,
    }  # fmt: skip
    net, make = network(), makers[who]
    torch.set_num_threads(1)
    make(net, channels[0], 2)  # what is paid once
    values, seconds = [], []
    for channel in channels:
        start = process_time()
        pixels = make(net, channel, steps)
        seconds.append((process_time() - start) / steps)
        values.append(reached(net, np.clip(pixels, 0, 1), channel))
    return {"values": values, "seconds": float(np.median(seconds))}


def best_photos(channels: list[int]) -> list[float]:
    """The highest mean of each channel that a photo gives."""
    import seewhy  # here, for each library has a process of its own

    model = seewhy.wrap(network(), prepare=PREPARE)
    best = np.full(len(channels), -np.inf)
    for batch in model.batches([str(file) for file in sorted((DATA / "imagenet-sample").rglob("*.jp*g"))]):
        a = np.asarray(model.activations(batch.x, [LAYER])[0][LAYER])[:, channels].mean((2, 3))
        best = np.maximum(best, a.max(0))
    return best.tolist()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--channels", type=int, nargs="+", default=[5, 60, 120])
    parser.add_argument("--who", choices=WHO)
    asked = parser.parse_args()
    if asked.who:
        print(json.dumps(run(asked.who, asked.channels, asked.steps)))
        return
    print(f"mobilenet_v2, {LAYER}, channels {asked.channels}, {asked.steps} steps, {SIDE} x {SIDE}, one thread")
    print("best of 200 photos", [f"{value:.3g}" for value in best_photos(asked.channels)])
    for who in WHO:
        words = [sys.executable, __file__, "--who", who, "--steps", str(asked.steps), "--channels", *map(str, asked.channels)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{who}: {done.stderr.strip().splitlines()[-1]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"{who:<14} {[f'{value:.3g}' for value in found['values']]}  {found['seconds'] * 1000:.0f} ms of CPU a step")


if __name__ == "__main__":
    main()
