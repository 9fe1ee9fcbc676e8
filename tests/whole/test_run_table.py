"""The cases that fail elsewhere (the table headed RUN in the survey of other libraries), each as a test that passes here.

The right map is derived by hand: Grad-CAM's relu(sum_c mean(g) a) from plain autograd on the plain network.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy import IMAGE, METHODS
from seewhy.images.inputs import PreparedBatch
from seewhy.methods.making.method import lookup
from support import networks
from support.ask import ANYWHERE, home

X = networks.images(2, *networks.SIDES, seed=11)
FEW = {"samples": 3, "steps": 4, "masks": 20, "window": 5, "stride": 3, "segments": "grid:4"}
KINDS = ["grad-cam", "score-cam", "gradient", "occlusion", "ablation-cam", "lrp"]  # one of each way to read a network


def asked(name: str) -> seewhy.Method:
    """Signed, where else nothing may be left of a map."""
    method = lookup(name)
    few = {**FEW, "signed": True}
    if name == "occlusion":
        del few["segments"]  # which take the place of windows
    return method.using(**{key: value for key, value in few.items() if key in method.defaults})


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


def by_hand(network: nn.Module, x: Any = X, layer: str = "act2", k: int = 1) -> np.ndarray:
    """Grad-CAM of a network without in-place layers."""
    seen: dict[str, Tensor] = {}
    handle = network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.update(a=out))
    try:
        y = network(torch.as_tensor(x, dtype=next(network.parameters()).dtype).requires_grad_())
    finally:
        handle.remove()
    a = seen["a"]
    (g,) = torch.autograd.grad(y[:, k].sum(), a)
    space = tuple(range(2, a.ndim))
    return (a * g.mean(space, keepdim=True)).sum(1).relu().detach().double().numpy()


def same(maps: Any, expected: np.ndarray, rtol: float = 1e-5) -> None:
    assert expected.any()
    np.testing.assert_allclose(values(maps), expected, rtol=rtol, atol=rtol * abs(expected).max())


def model_layers(network: nn.Module) -> list[str]:
    """The names as people know them: not those of torch.compile."""
    return [name.removeprefix("_orig_mod.") for name, _ in network.named_modules()]


def alike(name: str, network: nn.Module, plain: nn.Module, x: Any = X, **wrapped: Any) -> None:
    """The method says of the one network what it says of the other."""
    method = asked(name)
    layer = "act2" if method.layered else None
    inside = next(name for name in model_layers(network) if name.endswith("act2"))
    got = method(seewhy.wrap(network, **wrapped), x, target=1, layer=layer and inside)
    same(got, values(method(seewhy.wrap(plain), X, target=1, layer=layer)))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_a_model_in_half_precision(kind):
    network, x = networks.pooled().to(kind), X.astype(np.float32)
    maps = seewhy.grad_cam(seewhy.wrap(network), x, target=1, layer="act2")
    assert all(m.values.dtype == np.float32 for m in maps)
    same(maps, by_hand(networks.pooled()), 4 * torch.finfo(kind).eps)


@pytest.mark.parametrize("name", [*METHODS])
def test_every_method_on_a_bf16_model(name):
    """Close to the map in float64: half precision has two digits."""
    method, x = asked(name), X.astype(np.float32)
    layer, network = "act2" if method.layered else None, getattr(networks, home(name))
    half = values(method(seewhy.wrap(network().bfloat16()), x, target=1, layer=layer))
    full = values(method(seewhy.wrap(network()), x, target=1, layer=layer))
    assert np.isfinite(half).all()
    assert half.any()
    assert np.corrcoef(half.ravel(), full.ravel())[0, 1] > ROUGH.get(name, 0.97)


ROUGH = {"lime": 0.5, "kernel-shap": 0.5, "sobol": 0.5, "score-cam": 0.9, "is-cam": 0.9, "ss-cam": 0.9, "rise": 0.9}


@pytest.mark.parametrize("where", ["outside", "inside"])
@pytest.mark.parametrize(
    "name", ["grad-cam", "hires-cam", "cam", "gradient", "integrated-gradients", "occlusion", "ablation-cam"]
)
def test_cpu_autocast(where, name):
    """Around the call, and within the network's own forward."""

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = networks.pooled().float()

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return self.body(x)

    network = Inside() if where == "inside" else networks.pooled().float()
    method, x, plain = asked(name), X.astype(np.float32), seewhy.wrap(networks.pooled().float())
    layer = "body.act2" if where == "inside" else "act2"
    with torch.autocast("cpu", torch.bfloat16) if where == "outside" else nullcontext():
        got = values(method(seewhy.wrap(network), x, target=1, layer=layer if method.layered else None))
        assert torch.is_autocast_enabled("cpu") == (where == "outside")
    expected = values(method(plain, x, target=1, layer="act2" if method.layered else None))
    assert not np.array_equal(got, expected), "nothing was cast"
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("name", KINDS)
def test_all_parameters_frozen(name):
    network = networks.pooled().requires_grad_(False)
    alike(name, network, networks.pooled())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_all_parameters_frozen_by_hand():
    same(seewhy.grad_cam(seewhy.wrap(networks.pooled().requires_grad_(False)), X, target=1), by_hand(networks.pooled()))


@contextmanager
def both() -> Iterator[None]:
    with torch.no_grad(), torch.inference_mode():
        yield


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, both])
@pytest.mark.parametrize("name", KINDS)
def test_inside_no_grad_and_inference_mode(mode, name):
    with mode():
        alike(name, networks.pooled() if mode is torch.no_grad else PLAIN, PLAIN)
        same(seewhy.grad_cam(seewhy.wrap(PLAIN), torch.as_tensor(X) * 1, target=1), RIGHT)
        assert not torch.is_grad_enabled()


PLAIN = networks.pooled()
RIGHT = by_hand(networks.pooled())


class Packed(nn.Module):
    """`pooled` in a wrapping that takes and gives other things."""

    def __init__(self, pack: Any = lambda y: y) -> None:
        super().__init__()
        self.body, self.pack = networks.pooled(), pack

    def forward(self, x, *rest, **more):
        return self.pack(self.body(x))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "pack", [lambda y: {"logits": y, "features": y * 0}, lambda y: (y, y * 0)], ids=["dict output", "tuple output"]
)
def test_dict_and_tuple_outputs(pack, name):
    alike(name, Packed(pack), networks.pooled())


class Keyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = networks.pooled()

    def forward(self, *, pixel_values):
        return self.body(pixel_values)


@pytest.mark.parametrize("name", KINDS)
def test_two_positional_inputs(name):
    """Shifted by a tenth, whose other tenths are in the image; LRP does not know such an addition at the image."""
    method, shift = asked(name), np.full((1, 1, 1, 1), 0.1)
    model = seewhy.wrap(networks.Shifted(), inputs=(IMAGE, shift))
    layer = "body.act2" if method.layered else None
    shifted = nn.Sequential(Shift(), networks.pooled())
    expected = method(seewhy.wrap(shifted), X, target=1, layer="1.act2" if layer else None)
    same(method(model, X, target=1, layer=layer), values(expected))


class Shift(nn.Module):
    def forward(self, x):
        return x + 0.1


@pytest.mark.parametrize("name", KINDS)
def test_a_keyword_input(name):
    alike(name, Keyword(), networks.pooled(), inputs="pixel_values")


def convolutional(d: int) -> nn.Module:
    """`pooled` in d dimensions."""
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1]
    pool = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[d - 1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        layers = [
            ("conv1", conv(3, 6, 3, padding=1)),
            ("act1", nn.ReLU()),
            ("conv2", conv(6, 8, 3, stride=2, padding=1)),
            ("act2", nn.ReLU()),
            ("pool", pool(1)),
            ("flat", nn.Flatten()),
            ("fc", nn.Linear(8, networks.CLASSES)),
        ]
        network = networks.stack(*layers).double().eval()
    for parameter in network.parameters():
        parameter.data.mul_(2)
    return network


SPACES = [(20,), (12, 12), (12, 16), (16, 12), (6, 8, 10)]  # 1-D, square, non-square, 3-D non-cubic


def noise(space: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(len(space)).normal(0.3, 1, (2, 3, *space))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_any_dimensions_by_hand(space):
    network, x = convolutional(len(space)), noise(space)
    maps = seewhy.grad_cam(seewhy.wrap(network), PreparedBatch(x), target=1)
    assert {m.source.layer for m in maps} == {"act2"}
    same(maps, by_hand(network, x))


@pytest.mark.parametrize(
    ("name", "space"),
    [*((name, (20,)) for name in ANYWHERE), *((name, (6, 8, 10)) for name in (*KINDS, "lime", "rise"))],
    ids=str,
)
def test_every_method_in_one_dimension_and_some_in_three(name, space):
    """On the grid it should have, finite, and of an image the same beside others as alone."""
    method, network, x = asked(name), convolutional(len(space)), noise(space)
    layer = "act2" if method.layered else None
    found = values(method(seewhy.wrap(network), PreparedBatch(x), target=1, layer=layer))
    steps = (2 if method.layered and name != "guided-grad-cam" else 1,) * len(space)
    assert found.shape == (2, *(size // step for size, step in zip(space, steps, strict=True)))
    assert np.isfinite(found).all()
    again = values(method(seewhy.wrap(network), PreparedBatch(x[1:]), target=1, layer=layer))
    if name != "random-map":
        np.testing.assert_allclose(found[1:], again, rtol=1e-5, atol=1e-7 * abs(found).max())


def test_a_signal_needs_no_wrapping():
    """Floats (n, c, l), of a network that knows 1-D convolutions; of any other they may be one image without a batch."""
    network, x = convolutional(1), noise((20,))
    for given in (x, torch.as_tensor(x)):
        same(seewhy.grad_cam(seewhy.wrap(network), given, target=1), by_hand(network, x))
    with pytest.raises(seewhy.BadImage, match=r"add the batch axis"):
        seewhy.grad_cam(seewhy.wrap(networks.pooled()), X[0])
    with pytest.raises(seewhy.BadImage, match=r"add the batch axis"):
        seewhy.grad_cam(seewhy.wrap(network, prepare={"size": 8}), x)


@pytest.mark.parametrize("name", [name for name in METHODS if lookup(name).layered])
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_an_in_place_relu_after_the_target_layer(name, layer):
    """What the convolution emitted, and not what the ReLU made of it: the map of the network without in-place layers."""
    if name == "cam":
        layer = "act2"
    method = asked(name)
    got, expected = (
        method(seewhy.wrap(network()), X, target=1, layer=layer) for network in (networks.inplace, networks.pooled)
    )
    same(got, values(expected))


def test_an_in_place_relu_after_the_target_layer_by_hand():
    got = seewhy.grad_cam(seewhy.wrap(networks.inplace()), X, target=1, layer="conv2")
    expected = by_hand(networks.pooled(), layer="conv2")
    same(got, expected)
    assert np.corrcoef(expected.ravel(), by_hand(networks.pooled()).ravel())[0, 1] < 0.99, "the wrong map is no other"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("part", ["whole", "whole in place", "a part"])
def test_a_compiled_model(part, name):
    network: Any = networks.pooled()
    if part == "whole":
        network = torch.compile(network, backend="eager")
    elif part == "whole in place":
        network.compile(backend="eager")
    else:
        network = Packed()
        network.body = torch.compile(network.body, backend="eager")
    with torch.no_grad():
        network(torch.as_tensor(X))  # it has run before, compiled
    alike(name, network, networks.pooled())


def test_a_compiled_model_by_hand():
    same(seewhy.grad_cam(seewhy.wrap(torch.compile(networks.pooled(), backend="eager")), X, target=1), RIGHT)
