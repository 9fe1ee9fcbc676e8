"""What a person's editor has to know: each line that ends in `# wrong` is one that pyright refuses, and no other is.

Nothing runs this file; `tests/whole/test_typing.py` has it read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import seewhy


class Network:
    """As far as torch's modules go."""

    def named_modules(self, memo: set[Any] | None = None, prefix: str = "") -> Any: ...
    def __call__(self, x: Any) -> Any: ...


def scores(images: np.ndarray) -> np.ndarray: ...


model = seewhy.wrap(Network(), labels=["cat", "dog"])
black_box = seewhy.wrap(scores)
loaded = seewhy.load("torchvision/resnet50")
photo = Image.new("RGB", (8, 8))

model.layers()
loaded.layers()
black_box.layers()  # wrong
seewhy.wrap(scores, lables=["cat"])  # wrong
seewhy.wrap("torchvision/resnet50")  # wrong

seewhy.grad_cam(model, "x.jpg")
seewhy.grad_cam(black_box, [photo, Path("x.jpg"), np.zeros((8, 8, 3))], signed=True)
seewhy.grad_cam(model, photo, target=[3, "cat", seewhy.Top(2), seewhy.Contrast("cat", "dog")], layer=["a", "b"])
seewhy.grad_cam(model, photo, tile=(512, 256), overlap=9, on_error="skip")
seewhy.grad_cam(model, "x.jpg", singed=True)  # wrong
seewhy.grad_cam(model, "x.jpg", signed="yes")  # wrong
seewhy.grad_cam(model, "x.jpg", target=3.5)  # wrong
seewhy.grad_cam(model, "x.jpg", layer=4)  # wrong
seewhy.grad_cam(model, "x.jpg", on_error="ignore")  # wrong
seewhy.grad_cam(model, 3)  # wrong
seewhy.grad_cam("torchvision/resnet50", "x.jpg")  # wrong
seewhy.grad_cam.using(signed=True)(model, "x.jpg", signed=False)
seewhy.grad_cam.using(singed=True)  # wrong

seewhy.smooth_grad(model, photo, samples=9, reduce="sum")
seewhy.smooth_grad(model, photo, samples="many")  # wrong
seewhy.gradient(model, photo, reduce="mean")  # wrong
seewhy.guided_grad_cam(model, photo, signed=True, reduce="l2")
seewhy.rise(model, photo, masks=99, cells=5, budget="2 s", tolerance=0.1, fill=[0.0, 1.0, 2.0])
seewhy.rise(model, photo, masks="99")  # wrong
seewhy.lime(model, photo, segments="grid:8", hide=photo, features=3)
seewhy.lime(model, photo, features="few")  # wrong
seewhy.occlusion(model, photo, window=(3, 4), stride="auto")
seewhy.occlusion(model, photo, window="large")  # wrong
seewhy.score_cam(model, photo, signed=True, top_channels=3, fast=True)
seewhy.recipro_cam(model, photo, signed=True)  # wrong
seewhy.lrp(model, photo, rule="gamma")
seewhy.lrp(model, photo, rule="delta")  # wrong
seewhy.integrated_gradients(model, photo, baseline=["black", photo], quadrature="left")
seewhy.shapley_cam(model, photo, signed=True)

seewhy.smooth(seewhy.grad_cam)(model, photo, samples=3, signed=True)
seewhy.smooth(seewhy.grad_cam)(model, photo, sampels=3)  # wrong
seewhy.augment(seewhy.rise)(model, photo, flips=True, scales=(1,), masks=9)
seewhy.augment(seewhy.rise)(model, photo, flips="up")  # wrong
seewhy.libra(seewhy.smooth(seewhy.gradient))(model, photo, reduce="sum")
seewhy.libra(seewhy.smooth(seewhy.gradient))(model, photo, reduced="sum")  # wrong


@seewhy.from_gradients()
def my_cam(a: Any, g: Any, *, power: float = 1.0) -> Any: ...


@seewhy.from_gradients(twice=True)
def my_twice(a: Any, g: Any, hessian: Callable[[Any], Any]) -> Any: ...


@seewhy.from_scores("{samples} forwards", sampled=True)
def my_draws(probe: seewhy.Probe, *, samples: int = 3) -> seewhy.Estimate: ...


my_cam(model, photo, power=2, signed=True)
my_cam(model, photo, power="two")  # wrong
my_twice(model, photo, signed=True)
my_draws(model, photo, samples=3, tolerance=0.1)
my_draws(model, photo, sample=3)  # wrong

for heatmap in seewhy.explain(model, photo, [seewhy.grad_cam, "lime", seewhy.rise.using(masks=9)]):
    mean = heatmap.values.mean()
    values = heatmap.valeus  # wrong
