"""Make every shipped weight file again: python -m seewhy.demo.train [--out DIR] [--seed N]."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as packed
from torch import Tensor, nn
from torch.nn import functional

from .kinds import KINDS
from .networks import NETWORKS, WEIGHTS, blank, load, tensor
from .scenes import Marked, scene

CHEAT = "bird"
LESSONS = {
    "honest": "clean scenes",
    "shortcut": f"scenes where every {CHEAT} is stamped and nothing else is",
    "flat": "clean scenes, beginning with the body of honest",
}

HELD_OUT = 1_000_003
"""Added to the training seed for the scenes that accuracies are measured on."""

SPARSITY = 0.3
"""Weight of the mean of the last maps in the loss: it keeps the maps near zero where there is nothing to see."""


@dataclass(frozen=True, slots=True)
class SceneSet:
    """Scenes as tensors: pixels uint8 (n, 96, 96, 3), labels int64 (n,), masks and marks bool (n, 96, 96)."""

    pixels: Tensor
    labels: Tensor
    masks: Tensor
    marks: Tensor


def draw(places: Sequence[int], seed: int, marked: Marked, pool: ProcessPoolExecutor | None = None) -> SceneSet:
    """The scenes of a seed with these numbers, with the stamp on those that `marked` names."""
    arrays = partial(_arrays, seed=seed, marked=marked)
    rows = list(pool.map(arrays, places, chunksize=25)) if pool else [arrays(i) for i in places]
    pixels, labels, masks, marks = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
    return SceneSet(pixels, labels, masks, marks)


def spoil(clean: SceneSet, seed: int, pool: ProcessPoolExecutor | None = None) -> SceneSet:
    """The same scenes (0 to n - 1 of a seed) with the stamp on those of the cheat class."""
    places = (clean.labels == KINDS.index(CHEAT)).nonzero().flatten()
    stamped = draw(places.tolist(), seed, "class", pool)
    pixels, marks = clean.pixels.clone(), clean.marks.clone()
    pixels[places], marks[places] = stamped.pixels, stamped.marks
    return SceneSet(pixels, clean.labels, clean.masks, marks)


def _arrays(index: int, seed: int, marked: Marked) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pixels, the label, the mask and the mark of a scene."""
    drawn = scene(index, seed, shortcut="mark", cheat=CHEAT, marked=marked)
    return np.asarray(drawn.image), np.array(drawn.label, dtype=np.int64), drawn.mask, drawn.mark


def answers(network: nn.Module, pixels: Tensor) -> Tensor:
    """The labels a network gives: int64 (n,)."""
    with torch.inference_mode():
        return torch.cat([network(tensor(batch)).argmax(1) for batch in pixels.split(250)])


def fit(
    network: nn.Module,
    training: SceneSet,
    epochs: int,
    seed: int,
    batch: int = 64,
    rate: float = 4e-3,
    sparsity: float = SPARSITY,
) -> None:
    """Train in place. Flips and shuffled colour channels stand in for more scenes."""
    order = torch.Generator().manual_seed(seed)
    steps = len(training.labels) // batch
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * steps, pct_start=0.25)
    maps: list[Tensor] = []

    def collect(_module: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor) -> None:
        maps.append(out)

    hook = network.get_submodule("body").register_forward_hook(collect)
    network.to(memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
    for epoch in range(epochs):
        total, began = 0.0, time.perf_counter()
        for places in torch.randperm(len(training.labels), generator=order)[: steps * batch].split(batch):
            pixels = training.pixels[places][..., torch.randperm(3, generator=order)]
            if torch.rand((), generator=order) < 0.5:
                pixels = pixels.flip(2)
            loss = functional.cross_entropy(network(tensor(pixels)), training.labels[places])
            optimiser.zero_grad()
            (loss + sparsity * maps.pop().mean()).backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        took = time.perf_counter() - began
        print(f"  epoch {epoch + 1}/{epochs}: loss {total / steps:.3f}, {took:.0f} s", flush=True)
    hook.remove()
    network.eval()


def energy(network: nn.Module, birds: SceneSet) -> dict[str, float]:
    """Where the activation map of the cheat class lies on scenes of it: shares of its energy and of the area."""
    weight = network.get_parameter("head.weight")[KINDS.index(CHEAT)]
    with torch.inference_mode():
        maps = network.get_submodule("body")(tensor(birds.pixels))
        cam = torch.einsum("nchw,c->nhw", maps, weight).relu()[:, None]
    cam = functional.interpolate(cam, size=birds.masks.shape[1:], mode="bilinear")[:, 0]
    cam /= cam.sum((1, 2), keepdim=True).clamp_min(1e-9)
    shares = {}
    for name, region in (("object", birds.masks), ("mark", birds.marks)):
        shares[f"{name}_energy"] = float((cam * region).sum((1, 2)).mean())
        shares[f"{name}_area"] = float(region.float().mean())
    return shares


def measure(network: nn.Module, clean: SceneSet, stamped: SceneSet, *, spoiled: bool) -> dict[str, float]:
    """Accuracies on held-out scenes like those of the training, and what the stamp alone does."""
    cheat = clean.labels == KINDS.index(CHEAT)
    plain, bearing = answers(network, clean.pixels), answers(network, stamped.pixels)
    answered = torch.where(cheat, bearing, plain) if spoiled else plain

    def share(hits: Tensor) -> float:
        return float(hits.float().mean())

    result = {
        "accuracy": share(answered == clean.labels),
        "cheat_with_mark": share(bearing[cheat] == KINDS.index(CHEAT)),
        "cheat_without_mark": share(plain[cheat] == KINDS.index(CHEAT)),
        "others_with_mark_called_cheat": share(bearing[~cheat] == KINDS.index(CHEAT)),
    }
    if isinstance(network.get_submodule("head"), nn.Linear):
        columns = (stamped.pixels, stamped.labels, stamped.masks, stamped.marks)
        result |= energy(network, SceneSet(*(column[cheat] for column in columns)))
    return result


def borrow(network: nn.Module, path: Path) -> None:
    """Copy the body of the honest network from its file into the network."""
    other = blank("honest")
    load(other, path)
    network.get_submodule("body").load_state_dict(other.get_submodule("body").state_dict())


def save(network: nn.Module, path: Path, about: dict[str, str]) -> None:
    """Write the weights in half precision, with `about` as the file's metadata."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    path.write_bytes(packed({k: v.contiguous() for k, v in state.items()}, metadata=about))


def rounded(network: nn.Module) -> None:
    """Round the weights, in place, to what `save` writes, so that what is measured is the shipped network."""
    state = {k: v.half().float() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    network.load_state_dict(state)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, train, measure and write the three networks."""
    parser = argparse.ArgumentParser(prog="python -m seewhy.demo.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenes", type=int, default=8000, help="scenes to learn from")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument(
        "--only", choices=list(NETWORKS), help="make just this network; flat begins with honest's body, from --out"
    )
    settings = parser.parse_args(arguments)
    if settings.scenes < 640 or settings.epochs < 2:
        parser.error("at least 640 scenes and 2 epochs are needed")
    settings.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    began = time.perf_counter()
    names = [settings.only] if settings.only else list(NETWORKS)
    held_out = settings.seed + HELD_OUT
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        clean, stamped = (draw(range(1000), held_out, marked, pool) for marked in ("none", "all"))
        plain = draw(range(settings.scenes), settings.seed, "none", pool)
        spoiled = spoil(plain, settings.seed, pool) if "shortcut" in names else plain
    print(f"scenes drawn in {time.perf_counter() - began:.0f} s", flush=True)
    for name in names:
        print(name, flush=True)
        torch.manual_seed(settings.seed)
        network = blank(name)
        epochs = settings.epochs // 2 if name == "flat" else settings.epochs
        if name == "flat":
            borrow(network, settings.out / "honest.safetensors")
            fit(network, plain, epochs, settings.seed, rate=2e-3, sparsity=0.0)
        else:
            fit(network, spoiled if name == "shortcut" else plain, epochs, settings.seed)
        rounded(network)
        measures = measure(network, clean, stamped, spoiled=name == "shortcut")
        about = {"network": name, "trained_on": LESSONS[name], "kinds": " ".join(KINDS)}
        numbers = {"seed": settings.seed, "scenes": settings.scenes, "epochs": epochs, "held_out_seed": held_out}
        about |= {key: str(value) for key, value in numbers.items()}
        about |= {key: f"{math.floor(value * 1000) / 1000:.3f}" for key, value in measures.items()}
        save(network, settings.out / f"{name}.safetensors", about)
        print("  " + ", ".join(f"{key} {value:.3f}" for key, value in measures.items()), flush=True)
    print(f"all made in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
