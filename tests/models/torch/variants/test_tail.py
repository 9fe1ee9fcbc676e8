"""Edited activations give the scores of a plain pass with a hook that puts them in; what lies before them runs once."""

import gc
import weakref

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from seewhy.models.torch.passes.taps import Tap
from seewhy.models.torch.variants.tail import TorchTail
from support import networks
from support.edits import calibrated, check, edits_of, slow

tv = pytest.importorskip("torchvision.models")


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


TOYS = ["pooled", "inplace", "relu6", "signed_features", "flat_head", "linear_flat_head", "pointwise_head", "squeezed",
        "functional", "bn_dropout", "tokens", "nhwc", "lstm_head", "reused"]  # fmt: skip


@pytest.mark.parametrize("name", TOYS)
def test_every_layer_of_a_small_network(name):
    """Convolutions, norms, attention, tokens, NHWC, and an LSTM, whose activation comes first in a tuple."""
    network, x = getattr(networks, name)(), torch.tensor(networks.images(1))
    for layer in [layer for layer, _ in network.named_modules() if layer]:
        check(network, layer, x)


REAL = {
    "resnet18": ({}, ["conv1", "layer1.0.conv1", "layer2.0.conv1", "layer2.0.downsample", "layer3.1.bn2", "layer4", "fc"]),
    "densenet121": ({}, ["features.conv0", "features.denseblock2.denselayer3.conv1", "features.denseblock4"]),
    "googlenet": (
        {"init_weights": False, "aux_logits": False, "transform_input": True},
        ["conv1", "inception3a.branch2", "inception4c", "inception5b"],
    ),
    "vgg11": ({}, ["features.0", "features.10", "features", "classifier.3"]),
    "mobilenet_v3_small": ({}, ["features.0", "features.4.block.2", "features.4.block.2.fc2", "features.12"]),
    "squeezenet1_1": ({}, ["features.0", "features.6.expand1x1", "features.12", "classifier.1"]),
}


def vgg11() -> nn.Module:
    """With smaller linear layers, and without drawing the larger ones."""
    with torch.device("meta"):
        network = tv.vgg11(weights=None, init_weights=False)
    network.classifier = nn.Sequential(nn.Linear(512 * 49, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 9))
    for part in network.features.to_empty(device="cpu").children():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(part.bias)
    return network


@pytest.mark.parametrize("name", REAL)
def test_layers_of_real_networks(name):
    """The first, one in the middle, one inside a branch that is added or concatenated later, and the last."""
    options, layers = REAL[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = vgg11() if name == "vgg11" else getattr(tv, name)(weights=None, **options)
        calibrated(network)
        x = torch.randn(1, 3, 40, 40, dtype=torch.float64)
    for layer in layers:
        check(network, layer, x)


def vit() -> nn.Module:
    network = tv.VisionTransformer(32, 8, 3, 4, 24, 48)
    nn.init.normal_(network.heads.head.weight)
    return network


TRANSFORMERS = {
    "vit": (vit, ["conv_proj", *[f"encoder.layers.encoder_layer_1.{part}" for part in ("ln_1", "self_attention", "mlp")]]),
    "swin": (
        lambda: tv.SwinTransformer([4, 4], 12, [2, 2], [2, 4], [4, 4]),
        ["features.0.0", "features.1.0.attn", "features.1.1.norm1", "features.1.0.mlp.0", "features.3.1", "norm"],
    ),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_layers_of_transformers(name):
    """ViT asks the image, before its first layer, how many there are; Swin folds windows into the rows."""
    build, layers = TRANSFORMERS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build().double().eval()
        x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    for layer in layers:
        check(network, layer, x)


def rows_through(network: nn.Module, layers: list[str]) -> tuple[TorchDispatchMode, dict[str, list[int]]]:
    """How many images each call of a convolution takes, as torch's dispatcher sees it, far below seewhy."""
    seen = {layer: [] for layer in layers}
    weights = {network.get_submodule(layer).weight.data_ptr(): layer for layer in layers}

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "conv" in str(func) and args[1].data_ptr() in weights:
                seen[weights[args[1].data_ptr()]].append(len(args[0]))
            return func(*args, **(kwargs or {}))

    return Watch(), seen


def test_what_lies_before_the_layer_runs_once():
    """Recording and its check take four images' worth; then nothing runs but what the edit can change."""
    network = calibrated(tv.resnet18(weights=None))
    before = ["conv1", "layer1.1.conv2", "layer2.0.conv1", "layer2.0.downsample.0"]
    behind = ["layer2.0.conv2", "layer3.0.conv1", "layer3.0.downsample.0"]
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    watch, seen = rows_through(network, before + behind)
    with watch:
        tail = TorchTail(network, Tap("layer2.0.conv1", network), x)
    assert all(sum(seen[layer]) == 4 for layer in before)  # layer2.0.downsample runs behind the layer, but not for the edit
    watch, seen = rows_through(network, before + behind)
    with watch:
        for _ in range(3):
            tail(tail.a.repeat(7, 1, 1, 1))
    assert seen == {layer: [] if layer in before else [7, 7, 7] for layer in before + behind}


def test_float32_replays_to_rounding():
    network = networks.bn_dropout().float()
    tail = TorchTail(network, Tap("bn1", network), torch.tensor(networks.images(1)).float())
    assert tail.replays
    edits = edits_of(tail.a)
    torch.testing.assert_close(tail(edits), slow(network, "bn1", tail.x, edits))


def held(tail: TorchTail) -> int:
    """Numbers kept for replaying."""
    assert tail.program is not None
    known = [leaf for call in tail.program.calls if call.for_one for leaf in flat(call.for_one)]
    values = {id(leaf): leaf.value.numel() for leaf in known if getattr(leaf, "value", None) is not None}
    assert all(leaf.tensor is None for leaf in known if hasattr(leaf, "tensor"))
    return sum(values.values())


def flat(value):
    return [leaf for each in value for leaf in flat(each)] if isinstance(value, tuple | list) else [value]


def test_only_what_the_edit_meets_is_kept_and_not_for_long():
    network = calibrated(tv.resnet18(weights=None))
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    tail = TorchTail(network, Tap("layer2.0", network), x)
    assert held(tail) == 0  # nothing skips over a block
    tail = TorchTail(network, Tap("layer2.1.conv1", network), x)
    assert held(tail) == 128 * 8 * 8  # the one residual
    gone = weakref.ref(tail.program)
    del tail
    gc.collect()
    assert gone() is None
