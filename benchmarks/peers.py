"""The same maps asked of seewhy and of its peers, as a person would ask: each gives raw or finished maps of k classes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

import seewhy

LAYERS = {  # of each network, the layer that is explained
    "mobilenet_v2": "features",
    "resnet50": "layer4",
    "vgg16": "features",
    "vit_b_16": "encoder.layers.encoder_layer_11.ln_1",
}
Maps = Callable[[], Any]


def network(name: str) -> nn.Module:
    """Random weights, BatchNorm calibrated on noise, a transformer's head no longer zero."""
    torch.manual_seed(0)
    made = torchvision.models.get_model(name, weights=None)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain average of what is seen
    if any(isinstance(module, nn.BatchNorm2d) for module in made.modules()):
        with torch.no_grad():
            made.train()(torch.randn(8, 3, 224, 224))
    if name.startswith("vit"):
        nn.init.normal_(made.heads.head.weight, std=0.02)
    return made.eval()


def photos(n: int) -> Tensor:
    return torch.randn(n, 3, 224, 224, generator=torch.Generator().manual_seed(1))


def grid(x: Tensor) -> Tensor:
    """What a person writes by hand for pytorch-grad-cam and torchcam: tokens (n, 197, c) -> (n, c, 14, 14)."""
    return x[:, 1:].transpose(1, 2).reshape(len(x), -1, 14, 14)


def forward(net: nn.Module, x: Tensor) -> Maps:
    def run() -> Tensor:
        with torch.inference_mode():
            return net(x)

    return run


def ours(
    net: nn.Module, x: Tensor, layer: str, classes: Sequence[int], methods: Sequence[str] = ("grad-cam",), full: bool = False
) -> Maps:
    """Maps at the layer's size, as torchcam and captum give them, or `full` at the image's, as pytorch-grad-cam does."""
    model = seewhy.wrap(net, geometry="plain")

    def run() -> Any:
        maps = seewhy.explain(model, x, methods, target=list(classes), layer=layer)
        return [m.full() for m in maps] if full else maps

    return run


def raw(net: nn.Module, x: Tensor, layer: str, classes: Sequence[int], method: str = "grad-cam") -> np.ndarray:
    """Our maps at the layer's own size, (k, n, h, w)."""
    maps = seewhy.METHODS[method](seewhy.wrap(net), x, target=list(classes), layer=layer)
    return np.stack([m.values for m in maps]).reshape(len(x), len(classes), *maps[0].values.shape).swapaxes(0, 1)


def last_linear(net: nn.Module) -> nn.Linear:
    return [module for module in net.modules() if isinstance(module, nn.Linear)][-1]


def visible(net: nn.Module, x: Tensor, layer: str, method: str) -> int:
    """A class whose map is empty in none of the images."""
    return next(c for c in range(1000) if (raw(net, x, layer, [c], method).reshape(len(x), -1).max(1) > 0).all())


def pgc(net: nn.Module, x: Tensor, layer: str, classes: Sequence[int], method: str = "GradCAM") -> Maps:
    """pytorch-grad-cam: one call per class, maps scaled to [0, 1] and to the image's size."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    reshape = grid if "encoder" in layer else None
    cam = getattr(pytorch_grad_cam, method)(model=net, target_layers=[net.get_submodule(layer)], reshape_transform=reshape)
    return lambda: np.stack([cam(input_tensor=x, targets=[ClassifierOutputTarget(c)] * len(x)) for c in classes])


def torchcam(net: nn.Module, x: Tensor, layer: str, classes: Sequence[int], method: str = "GradCAM") -> Maps:
    """torchcam: one forward, then one call per class, maps at the layer's size."""
    from torchcam import methods

    reshape = {"reshape_transform": grid} if "encoder" in layer else {}

    def run() -> np.ndarray:
        with getattr(methods, method)(net, target_layer=layer, **reshape) as cam:
            scores = net(x)
            last = len(classes) - 1
            found = [cam(c, scores, normalized=False, retain_graph=i < last)[0] for i, c in enumerate(classes)]
        return torch.stack(found).detach().numpy()

    return run


def captum(net: nn.Module, x: Tensor, layer: str, classes: Sequence[int]) -> Maps:
    """captum: one call per class, maps at the layer's size; it has no reshape for tokens."""
    from captum.attr import LayerGradCam

    cam = LayerGradCam(net, net.get_submodule(layer))

    def run() -> np.ndarray:
        return torch.stack([cam.attribute(x, target=c, relu_attributions=True)[:, 0] for c in classes]).detach().numpy()

    return run
