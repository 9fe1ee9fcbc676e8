"""Real weights and photos, where they are present: ../shared/data beside the checkout, or SEEWHY_DATA."""

import csv
import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seewhy

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs the real photos and weights of ../shared/data (SEEWHY_DATA)")
HALF = {"size": 256, "crop": 224, "mean": 0.5, "std": 0.5, "interpolation": "bilinear"}  # as the data's own check.py
NETS = {  # spec: weights, options, preprocessing, top-1 and top-5 on imagenet-sample, as the data's own check.py counts them
    "timm/mobilenetv2_100": ("mobilenetv2_100_imagenet", {"pad_type": "same"}, HALF, 0.845, 0.98),
    "timm/mobilenetv1_100": ("mobilenetv1_100_imagenet", {"pad_type": "same"}, HALF, 0.87, 0.975),
    "torchvision/squeezenet1_1": ("squeezenet1_1_torchvision_imagenet", {}, None, 0.65, 0.86),
}


def model(spec: str, geometry: str = "receptive-field", **changes):
    file, options, prepare, _, _ = NETS[spec]
    given = {**(prepare or {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}), **changes}
    return seewhy.load(spec, DATA / f"{file}.safetensors", options=options, prepare=given, geometry=geometry)


def rows(folder: str) -> list[dict[str, str]]:
    with (DATA / folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def inside(boxes: list[list[float]], size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size[::-1], bool)
    for x0, y0, x1, y1 in boxes:
        mask[round(y0) : round(y1), round(x0) : round(x1)] = True
    return mask


def keras_mobilenet_v2() -> Any:
    """The network of timm/mobilenetv2_100 in Keras, on the backend that runs here, as the data's own keras_load.py fills it."""
    spec = spec_from_file_location("keras_load", DATA / "keras_load.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.keras_mobilenet_v2()
