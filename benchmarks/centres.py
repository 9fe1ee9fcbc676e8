"""Where do cells look?  The centres of their gradients' energy, measured, against four rules that say where to draw them.

    python benchmarks/centres.py [NETWORK ...]

For every cell along both diagonals of the last map: the gradient of a random mixture of its channels at the pixels, squared;
its centre down the rows and across the columns.
Networks without weights in ../shared/data have random ones, their BatchNorms set to the statistics of real photos.  Printed is
how far, in pixels (rms over the cells), the measured centre lies from where each rule draws the cell: evenly; at the centre of
its receptive field; at the centre of what the image shows of that field; and at the centre of what it shows of its sight.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import timm
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

import seewhy
from seewhy.images.places import Cells

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))
SIDE = 224
PHOTOS = {True: 16, False: 4}  # by whether the weights are real
models = torchvision.models


class Case(NamedTuple):
    make: Callable[[], nn.Module]
    layer: str
    weights: str = ""
    mean: float | tuple[float, ...] = (0.485, 0.456, 0.406)
    std: float | tuple[float, ...] = (0.229, 0.224, 0.225)


def padded(name: str) -> Callable[[], nn.Module]:
    """As TensorFlow pads."""
    return lambda: timm.create_model(name, pad_type="same")


CASES = {
    "mobilenet_v2": Case(models.mobilenet_v2, "features", "mobilenet_v2_torchvision"),
    "mobilenetv2_100, same": Case(padded("mobilenetv2_100"), "bn2", "mobilenetv2_100", 0.5, 0.5),
    "mobilenetv1_100, same": Case(padded("mobilenetv1_100"), "blocks", "mobilenetv1_100", 0.5, 0.5),
    "squeezenet1_1": Case(models.squeezenet1_1, "features", "squeezenet1_1_torchvision"),
    "resnet18": Case(models.resnet18, "layer4"),
    "resnet50": Case(models.resnet50, "layer4"),
    "vgg16": Case(models.vgg16, "features"),
    "alexnet": Case(models.alexnet, "features"),
    "efficientnet_b0": Case(models.efficientnet_b0, "features"),
    "tf_efficientnet_b0": Case(lambda: timm.create_model("tf_efficientnet_b0"), "bn2"),
    "mobilenet_v3_large": Case(models.mobilenet_v3_large, "features"),
    "convnext_tiny": Case(models.convnext_tiny, "features"),
    "regnet_y_400mf": Case(models.regnet_y_400mf, "trunk_output"),
    "densenet121": Case(models.densenet121, "features"),
    "googlenet": Case(lambda: models.googlenet(aux_logits=False, init_weights=True), "inception5b"),
    "inception_v3": Case(lambda: models.inception_v3(aux_logits=False, init_weights=True), "Mixed_7c"),
}


def photos(case: Case, count: int) -> Tensor:
    files = sorted((DATA / "imagenet-sample").rglob("*.jpg"))[:count]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB").resize((SIDE, SIDE))) / 255.0 for file in files])
    return torch.tensor((pixels - case.mean) / case.std).permute(0, 3, 1, 2).float()


def network(case: Case) -> nn.Module:
    torch.manual_seed(1)
    net = case.make()
    if case.weights:
        stored = load_file(DATA / f"{case.weights}_imagenet.safetensors")
        net.load_state_dict({name: value.float() for name, value in stored.items()})
        return net.eval()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # type: ignore[assignment]  # the mean over all that was seen
            module.reset_running_stats()
    with torch.no_grad():
        net.train()(photos(case, 16))
    return net.eval()


def measured(net: nn.Module, layer: str, x: Tensor) -> NDArray[np.float64]:
    """(2, cells): for both axes the centre of the energy of each cell's gradient."""
    kept: list[Any] = []
    hook = net.get_submodule(layer).register_forward_hook(lambda _module, _args, out: kept.append(out))
    net(x[:1])
    n = kept[-1].shape[2]
    energy = np.zeros((2, n, SIDE))
    cells = [(i, j) for i in range(n) for j in (i, n - 1 - i)]
    for image in x:
        for some in (cells[k : k + 7] for k in range(0, len(cells), 7)):
            batch = image[None].repeat(len(some), 1, 1, 1).requires_grad_()
            net(batch)
            mixture = torch.randn(kept[-1].shape[:2])
            score = sum((kept[-1][k, :, i, j] * mixture[k]).sum() for k, (i, j) in enumerate(some))
            squares = torch.autograd.grad(score, batch)[0].double().square().sum(1).numpy()  # type: ignore[arg-type]
            for (i, j), square in zip(some, squares, strict=True):
                if square.sum():
                    energy[0, i] += square.sum(1) / square.sum()
                    energy[1, j] += square.sum(0) / square.sum()
    hook.remove()
    return energy @ np.arange(SIDE) / energy.sum(2)


def rules(net: nn.Module, case: Case, x: Tensor, n: int) -> dict[str, Any]:
    """Where each rule draws the cells along both axes, (cells,) or (2, cells)."""
    model = seewhy.wrap(net)
    (m,) = seewhy.grad_cam(model, x[:1].numpy(), target=0, layer=case.layer)
    known = model.cells(case.layer, x[:1])
    if m.cells is None or known is None:
        raise SystemExit(f"Where the cells of {case.layer} lie is not known.")
    field = known[1].first[0] + known[1].stride[0] * np.arange(n)
    reach = (m.cells.sights[0].reach if m.cells.sights else 0.5) - 0.5
    return {
        "plain": Cells.even((n,), (SIDE,)).centres(0, n),
        "field": field,
        "visible field": (np.clip(field - reach, 0, SIDE - 1) + np.clip(field + reach, 0, SIDE - 1)) / 2,
        "sight": np.stack([m.cells.centres(axis, n) for axis in range(2)]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="these alone")
    asked = parser.parse_args()
    if not DATA.is_dir():
        print(f"Nothing was measured: {DATA} with the real photos and weights is absent (SEEWHY_DATA says where it is).")
        return
    torch.set_num_threads(1)
    print("| network | weights | measured centres | plain | field | visible field | sight |")
    print("|---|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if asked.networks and name not in asked.networks:
            continue
        net, x = network(case), photos(case, PHOTOS[bool(case.weights)])
        centres = measured(net, case.layer, x)
        off = {rule: np.sqrt(((at - centres) ** 2).mean()) for rule, at in rules(net, case, x, centres.shape[1]).items()}
        ends = ", ".join(f"{centres[:, at].mean():.0f}" for at in (0, centres.shape[1] // 2, -1))
        columns = " | ".join(f"{value:.1f}" for value in off.values())
        print(f"| {name} | {'real' if case.weights else 'random'} | {ends} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
