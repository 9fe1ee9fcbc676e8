"""The metrics of faithfulness beside those of quantus, pytorch-grad-cam and captum: first the same numbers, then the time.

    python benchmarks/faithfulness.py [--photos N] [--rounds N] [--only TEXT]

Grad-CAM of the top class of torchvision's MobileNetV2 on photos of ../shared/data/imagenet-sample, at 224 x 224.  Each row is
one metric with the same settings in both libraries; where the numbers are not the same, the run ends.  Time is that of the
processor, on one thread, interleaved, of which the median counts: neighbours on the machine disturb it little.  Needs these
libraries.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import seewhy
from seewhy.metrics.faithfulness.curves import deletion_curve
from seewhy.metrics.faithfulness.imputation import imputed
from seewhy.metrics.faithfulness.regions import region_curve
from seewhy.metrics.faithfulness.road import road
from seewhy.metrics.faithfulness.subsets import boxes, infidelity
from seewhy.metrics.subject import subjects

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))
STEPS, CELLS, DRAWS, SHARES = 84, 8, 60, (0.1, 0.3, 0.5, 0.7, 0.9)


class Bench:
    """Photos, their maps, and the network under both libraries."""

    def __init__(self, photos: int) -> None:
        warnings.simplefilter("ignore")
        import captum.metrics
        import pytorch_grad_cam.metrics.road
        import quantus
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        self.quantus, self.captum, self.road = quantus, captum.metrics, pytorch_grad_cam.metrics.road
        self.output_target = ClassifierOutputTarget
        weights = DATA / "mobilenet_v2_torchvision_imagenet.safetensors"
        self.model: Any = seewhy.load("torchvision/mobilenet_v2", weights)
        files = sorted((DATA / "imagenet-sample").rglob("*.jpg")) or sorted((DATA / "imagenet-sample").rglob("*.JPEG"))
        (batch,) = (next(iter(self.model.batches([str(file) for file in files[:photos]]))),)
        self.x = np.asarray(batch.x)
        self.network = self.model.runner.network
        self.network.eval()
        self.maps = seewhy.grad_cam(self.model, self.x)
        self.classes = np.array([each.source.index for each in self.maps])
        found = [(subject, subject.on_grid(self.maps[which[0]])) for subject, which in subjects(self.model, self.x, self.maps)]
        self.values = [ranked(values, subject.order(values)) for subject, values in found]
        turned = [[np.roll(values, 30 * k, (0, 1)) for values in self.values] for k in range(1, 4)]
        self.others = [self.values, *turned]  # as of four methods

    def theirs(self, metric: str, **params: Any) -> np.ndarray:
        usual = {"abs": False, "normalise": False, "disable_warnings": True, "return_aggregate": False}
        made = getattr(self.quantus, metric)(**{**usual, **params})
        a = np.stack(self.values)[:, None].astype(np.float32)
        found = made(self.network, self.x, self.classes, a, softmax=True, device="cpu", batch_size=len(self.x))
        return np.array([*found.values()] if isinstance(found, dict) else found, np.float64)

    def ours(self, read: Callable[[Any, Any], Any], fast: bool = False) -> np.ndarray:
        found = subjects(self.model, self.x, self.values, fast=fast)
        return np.array([read(subject, self.values[which[0]]) for subject, which in found])


def ranked(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """A map without equal pixels, so that both libraries order them alike: 1 for the first in `order`, down to 0."""
    rank = np.empty(values.size)
    rank[order] = np.linspace(1, 0, values.size)
    return rank.reshape(values.shape)


def rows(bench: Bench) -> dict[str, tuple[Callable[[], Any], Callable[[bool], Any], Callable[[Any, Any], float]]]:
    """By name: theirs, ours, and how far they lie apart."""
    pixels = bench.values[0].size
    largest = lambda theirs, ours: float(abs(theirs - ours).max())  # noqa: E731

    def captum_infidelity(values: list[np.ndarray] = bench.values) -> np.ndarray:
        found = []
        for i, (subject, _) in enumerate(subjects(bench.model, bench.x, values)):
            mask = boxes(subject, 0.25)
            masks = torch.tensor(np.stack([mask(k) for k in range(DRAWS)]))[:, None].float().expand(-1, 3, -1, -1)
            x = torch.tensor(bench.x[i : i + 1])
            a = torch.tensor(values[i])[None, None].float().expand(-1, 3, -1, -1) / 3
            at = iter(masks.split(4))
            found.append(
                bench.captum.infidelity(
                    bench.network, lambda inputs, at=at: (m := next(at), inputs * (1 - m)), x, a, target=int(bench.classes[i]),
                    n_perturb_samples=DRAWS, max_examples_per_batch=4, normalize=True,
                ).item()
            )  # fmt: skip
        return np.array(found)

    def grad_cam_road() -> np.ndarray:
        chosen = [bench.output_target(int(index)) for index in bench.classes]
        metric = bench.road.ROADCombined(percentiles=[100 * share for share in SHARES])
        probability = torch.nn.Sequential(bench.network, torch.nn.Softmax(1)).eval()
        with torch.no_grad():
            return 2 * np.asarray(metric(torch.tensor(bench.x), np.stack(bench.values), chosen, probability))

    def imputations(theirs: Any, ours: Any) -> float:
        """The images without noise, whose draws are others; the numbers are the same to about that noise."""
        hidden = bench.values[0] > np.median(bench.values[0])
        impute = bench.road.NoisyLinearImputer(noise=0)
        found = impute(torch.tensor(bench.x[0]), torch.tensor(~hidden).float()).numpy()
        print(f"(ROAD: {np.round(theirs, 3).tolist()} by theirs, {np.round(ours, 3).tolist()} by ours)")
        return float(abs(found - imputed(bench.x[0], hidden)).max())

    return {
        f"pixel flipping, {STEPS} steps (quantus)": (
            lambda: bench.theirs("PixelFlipping", features_in_step=3 * pixels // STEPS, perturb_baseline=0.0),
            lambda fast: bench.ours(lambda s, v: deletion_curve(s, v, STEPS, 0.0)[1][1:], fast),
            lambda theirs, ours: largest(theirs[:, 2::3], ours[:, 2::3]),  # they flip channels: these are whole pixels
        ),
        f"selectivity, {CELLS} x {CELLS} cells (quantus)": (
            lambda: bench.theirs("Selectivity", patch_size=bench.x.shape[-1] // CELLS, perturb_baseline=0.0),
            lambda fast: bench.ours(lambda s, v: region_curve(s, v, f"grid:{CELLS}", 0.0)[1:], fast),
            largest,
        ),
        f"ROAD, {len(SHARES)} shares in both orders (pytorch-grad-cam)": (
            grad_cam_road,
            lambda fast: bench.ours(lambda s, v: road.using(shares=SHARES).of(s, v), fast),
            imputations,
        ),
        f"infidelity, {DRAWS} boxes (captum)": (
            captum_infidelity,
            lambda fast: bench.ours(lambda s, v: infidelity.using(draws=DRAWS).of(s, v), fast),
            lambda theirs, ours: float(abs(theirs / ours - 1).max()),
        ),
        f"infidelity of {len(bench.others)} maps of a photo, {DRAWS} boxes (captum)": (
            lambda: np.stack([captum_infidelity(values) for values in bench.others], 1),
            lambda fast: bench.ours(lambda s, _: [infidelity.using(draws=DRAWS).of(s, v[s.place]) for v in bench.others], fast),
            lambda theirs, ours: float(abs(theirs / ours - 1).max()),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows whose names hold this text")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(asked.photos)
    print(f"{len(bench.x)} photos, {asked.rounds} rounds; seconds of processor time for a photo")
    print("| metric | theirs | seewhy | factor | fast=True | factor | largest difference |\n|---|---|---|---|---|---|---|")
    for name, (theirs, ours, apart) in ((name, row) for name, row in rows(bench).items() if asked.only in name):
        difference = apart(theirs(), ours(False))
        if not difference < 1e-3:
            raise SystemExit(f"{name}: the numbers differ by {difference:.2g}, so there is nothing to compare.")
        runs = (theirs, lambda ours=ours: ours(False), lambda ours=ours: ours(True))
        spent: list[list[float]] = [[], [], []]
        for _ in range(asked.rounds):
            for run, seconds in zip(runs, spent, strict=True):
                start = time.process_time()
                run()
                seconds.append((time.process_time() - start) / len(bench.x))
        first, *others = map(median, spent)
        cells = [
            f"{other:.2f} | {first / other:.2f} ({span(spent[0], each)})" for other, each in zip(others, spent[1:], strict=True)
        ]
        print(f"| {name} | {first:.2f} | {' | '.join(cells)} | {difference:.1g} |", flush=True)


def span(theirs: list[float], ours: list[float]) -> str:
    """The factors of all rounds."""
    factors = [a / b for a, b in zip(theirs, ours, strict=True)]
    return f"{min(factors):.2f} to {max(factors):.2f}"


if __name__ == "__main__":
    main()
