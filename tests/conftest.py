"""What many tests stand on: a network that sees red, pictures to show it, and maps made by hand."""

import compileall
import gc
import os
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.maps.source import Predicted
from seewhy.pictures.lettering import Letters

torch.set_num_threads(1)
os.environ.setdefault("KERAS_BACKEND", "torch")  # before any test imports keras
if find_spec("tensorflow") and find_spec(
    "triton"
):  # once TensorFlow is there, which Keras may import, triton kills the process
    import_module("triton")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job, where tests and processes would miss Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
pytest.register_assert_rewrite("support")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once, lest each of the many processes that tests start does, where Python is told to keep nothing."""
    if not hasattr(config, "workerinput"):  # of several pytest processes, the first
        compileall.compile_dir(str(Path(seewhy.__file__).parent), quiet=2)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, nor later among the modules and tests, which stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


COLOURS = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255), "grey": (128, 128, 128)}


def sees_red() -> nn.Module:
    """Three classes: red, not red, and neither; layer `cells` emits how red each 4x4 block is, (n, 1, h / 4, w / 4)."""
    see, cells, weigh = nn.Conv2d(3, 1, 1), nn.Conv2d(1, 1, 4, stride=4), nn.Linear(1, 3, bias=False)
    with torch.no_grad():
        see.weight.copy_(torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1))
        cells.weight.fill_(1 / 16)
        see.bias.zero_()
        cells.bias.zero_()
        weigh.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0]]))
    blocks = {"see": see, "act": nn.ReLU(), "cells": cells, "pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()}
    network = nn.Sequential()
    for name, block in {**blocks, "weigh": weigh}.items():
        network.add_module(name, block)
    return network.eval()


@pytest.fixture(scope="session")
def red_network() -> nn.Module:
    return sees_red()


@pytest.fixture(scope="session")
def red_model(red_network: nn.Module) -> Any:
    """A model whose maps are where a photo is red: shorter side to 64, the middle 64x64 kept."""
    fit = {"size": 64, "crop": 64, "mean": 0.0, "std": 1.0}
    return seewhy.wrap(red_network, prepare=fit, labels=["red", "not red", "neither"], name="red")


@pytest.fixture
def red_dot() -> Callable[..., Image.Image]:
    """A green photo of size (w, h) with a red square around (x, y)."""

    def make(size: tuple[int, int], x: int, y: int, half: int = 4) -> Image.Image:
        pixels = np.empty((size[1], size[0], 3), np.uint8)
        pixels[:] = COLOURS["green"]
        pixels[max(0, y - half) : y + half, max(0, x - half) : x + half] = COLOURS["red"]
        return Image.fromarray(pixels)

    return make


@pytest.fixture
def noise() -> Callable[..., Image.Image]:
    """Seeded RGB noise of size (w, h), smooth enough that resizing it is no lottery."""

    def make(size: tuple[int, int], seed: int = 0) -> Image.Image:
        small = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
        return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)

    return make


@pytest.fixture
def made_source() -> Callable[..., seewhy.Source]:
    """A Source with every field filled; keywords replace some."""

    def make(**other: Any) -> seewhy.Source:
        facts: dict[str, Any] = {
            "image": "cat.jpg", "model": "timm/mini", "weights": "mini.safetensors sha256:0123456789abcdef",
            "method": "grad-cam", "params": {"signed": False}, "layer": "layer4", "target": "top 1", "index": 281,
            "label": "tabby, tabby cat", "scores": "logits", "score": 7.25, "probability": 0.75,
            "predicted": Predicted(281, "tabby, tabby cat", 0.75), "seconds": 0.125, "versions": {"torch": "2"},
            "caveat": "none known", "warnings": ("one", "two"),
        }  # fmt: skip
        return seewhy.Source(**{**facts, **other})

    return make


@pytest.fixture
def made_heatmap(made_source: Callable[..., seewhy.Source]) -> Callable[..., seewhy.Heatmap]:
    """A Heatmap of values that a test writes down; the box is the whole image unless said."""

    def make(values: Any, size: tuple[int, int] = (40, 30), box: Any = None, photo: Any = "grey", **source: Any) -> Any:
        picture = Image.new("RGB", size, COLOURS[photo]) if isinstance(photo, str) else photo
        where = seewhy.Extent(*(box or (0, 0, *size)))
        return seewhy.Heatmap(np.asarray(values, np.float32), picture, where, made_source(**source))

    return make


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of timm/test_resnet, drawn under a seed: 1000 classes, 160x160, 2 MB."""
    timm = pytest.importorskip("timm")
    safetensors = pytest.importorskip("safetensors.torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model("test_resnet")
    path = tmp_path_factory.mktemp("weights") / "mini.safetensors"
    safetensors.save_file(network.state_dict(), path)
    return path


@pytest.fixture
def written(monkeypatch):
    """(text, x, y) of all that is written on pictures."""
    said = []
    real = Letters.write

    def write(self, picture, at, text, *more, **other):
        said.append((text, *at))
        real(self, picture, at, text, *more, **other)

    monkeypatch.setattr(Letters, "write", write)
    return said


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
