"""seewhy on ONNX files beside one forward pass of onnxruntime, and beside the same network in torch.

    python benchmarks/onnx_files.py [--rounds 5] [--quick]

Each row is a process of its own; its runs are interleaved (A B C A B C ...), medians are given with the least and the most,
as multiples of one plain pass of onnxruntime over one photo.  Only ratios within one row mean anything.
"""

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch
import torchvision

import measure
import seewhy

NETS = ("mobilenet_v2", "resnet50")
CHANNELS = 64  # of Score-CAM: the others are left out, so that a row takes minutes and not hours
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "Grad-CAM, in closed form": ("grad-cam", {}), "CAM": ("cam", {}), "Eigen-CAM": ("eigen-cam", {}),
    "ReciproCAM": ("recipro-cam", {}), f"Score-CAM, {CHANNELS} channels": ("score-cam", {"top_channels": CHANNELS}),
    "Occlusion, 169 places": ("occlusion", {}),
}  # fmt: skip


def made(name: str, folder: Path) -> tuple[torch.nn.Module, str]:
    """A network of torch with drawn weights, and the same as an ONNX file for any number of images."""
    torch.manual_seed(0)
    network, path = getattr(torchvision.models, name)(weights=None).eval(), folder / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(
            network, (torch.zeros(1, 3, 224, 224),), str(path), dynamo=False, opset_version=17, input_names=["image"],
            output_names=["scores"], dynamic_axes={"image": {0: "n"}},
        )  # fmt: skip
    return network, str(path)


def row(name: str, method: str, settings: dict[str, Any], rounds: int) -> dict[str, list[float]]:
    """Seconds of a plain pass of each runtime, and of the map by each."""
    asked = seewhy.METHODS[method].using(**settings)
    x = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        network, path = made(name, Path(folder))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        ours, plain, given = seewhy.load(path), seewhy.wrap(network), torch.from_numpy(x)

        def forward() -> Any:
            with torch.no_grad():
                return network(given)

        runs = {
            "forward": lambda: session.run(None, {"image": x}), "torch forward": forward,
            "ONNX": lambda: asked(ours, x, target=281), "torch": lambda: asked(plain, x, target=281),
        }  # fmt: skip
        maps = [runs[who]()[0].values for who in ("ONNX", "torch")]
        gap = abs(maps[0] - maps[1]).max() / abs(maps[1]).max()
        print(f"{name}, {method}: the maps differ by {gap:.1g} of the largest value", file=sys.stderr)
        return measure.interleaved(runs, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    rounds = 2 if asked.quick else asked.rounds
    if asked.row:
        print(json.dumps(row(asked.row[0], *ROWS[asked.row[1]], rounds)))
        return
    print("| network | map | torch forward | seewhy, ONNX | seewhy, torch |", "|---|---|---|---|---|", sep="\n")
    for net in NETS:
        for what in ROWS:
            seconds = measure.child(__file__, "--rounds", str(rounds), "--row", net, what)
            cells = measure.cells(seconds, ("torch forward", "ONNX", "torch"))
            print(f"| {net} ({1000 * median(seconds['forward']):.0f} ms) | {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
