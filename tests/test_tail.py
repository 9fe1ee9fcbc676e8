"""Edited activations give the scores of a plain pass with a hook that puts them in; what lies before them runs once."""

import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import networks
import seewhy
from seewhy.models.tail import Tail
from seewhy.models.taps import Tap

tv = pytest.importorskip("torchvision.models")


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


def slow(network: nn.Module, layer: str, x: Tensor, edits: Tensor, alone: bool = False) -> Tensor:
    """The scores (m, k) of m copies of the image, while a hook of its own replaces what one call of the layer emits."""
    if alone:
        return torch.cat([slow(network, layer, x, edit) for edit in edits.split(1)])
    name, _, asked = layer.partition("#")
    module, calls = network.get_submodule(name), []
    handle = module.register_forward_hook(lambda *_: calls.append(1))
    network(x.clone())
    handle.remove()
    wanted, seen = int(asked or len(calls)), []

    def hook(_module, _args, output):
        seen.append(1)
        if len(seen) != wanted:
            return None
        return edits.clone() if isinstance(output, Tensor) else type(output)([edits.clone(), *output[1:]])

    handle = module.register_forward_hook(hook)
    try:
        return network(x.repeat(len(edits), *[1] * (x.ndim - 1)))
    finally:
        handle.remove()


def edits_of(a: Tensor, m: int = 5) -> Tensor:
    """Channels gone, other numbers, and the activation itself in the last row."""
    rng = torch.Generator().manual_seed(1)
    edits = a.repeat(m, *[1] * (a.ndim - 1))
    edits[: m // 2] *= torch.rand(m // 2, *a.shape[1:], generator=rng, dtype=a.dtype) > 0.5
    edits[m // 2 : -1] += torch.randn(m - 1 - m // 2, *a.shape[1:], generator=rng, dtype=a.dtype) * (1 + a.std())
    return edits


def check(network: nn.Module, layer: str, x: Tensor, *, replays: bool = True, alone: bool = False, felt: bool = True) -> Tail:
    tail = Tail(network, Tap(layer, network), x)
    assert (tail.replays, tail.together) == (replays, not alone)
    for m in (5, 1, 8):  # and again: nothing of one call is left in the next
        edits = edits_of(tail.a, max(m, 2))[:m]
        given = edits.clone()
        found, wanted = tail(edits), slow(network, layer, x, edits, alone)
        scale = wanted.abs().max()
        torch.testing.assert_close(found / scale, wanted / scale, rtol=0, atol=1e-10)
        assert torch.equal(edits, given)
        assert not felt or (found - tail.scores).abs().max() > 1e-7 * scale
    torch.testing.assert_close(tail.scores, network(x.clone()), rtol=0, atol=1e-10)
    return tail


TOYS = ["pooled", "inplace", "relu6", "signed_features", "flat_head", "linear_flat_head", "pointwise_head", "squeezed",
        "functional", "bn_dropout", "tokens", "nhwc", "lstm_head", "reused"]  # fmt: skip


@pytest.mark.parametrize("name", TOYS)
def test_every_layer_of_a_small_network(name):
    """Convolutions, norms, attention, tokens, NHWC, and an LSTM, whose activation comes first in a tuple."""
    network, x = getattr(networks, name)(), torch.tensor(networks.images(1))
    for layer in [layer for layer, _ in network.named_modules() if layer]:
        check(network, layer, x)


def calibrated(network: nn.Module) -> nn.Module:
    """Random weights that let something happen: norms keep what they see alive."""
    network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(0.3)
    return network


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


@pytest.mark.parametrize("name", REAL)
def test_layers_of_real_networks(name):
    """The first, one in the middle, one inside a branch that is added or concatenated later, and the last."""
    options, layers = REAL[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = getattr(tv, name)(weights=None, **options)
        if name == "vgg11":
            network.classifier = nn.Sequential(nn.Linear(512 * 49, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 9))
        calibrated(network)
        x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
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


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TorchScript is on its way out
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU()).double().eval())
compiled = torch.compile(lambda y: F.relu(y) * 2, backend="eager")


class Written(nn.Module):
    """conv1, conv2, fc, and one forward of many."""

    def __init__(self, body) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.fc, self.body = nn.Linear(6, 4), body
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x):
        return self.body(self, x)

    def head(self, a):
        return self.fc(a.mean((2, 3)))

    def batch_from_the_head(self, x):
        n, also = x.shape[0], len(x)
        return self.fc(self.conv2(self.conv1(x).relu()).view(n, 6, -1).amax(-1).reshape(also, -1))

    def written_into_a_buffer(self, x):
        a = self.conv1(x)
        out = a.new_zeros(x.size(0), 12, *a.shape[2:])
        out[:, :6] = a
        out[:, 6:] = self.conv2(a)
        return self.head(F.relu(out[:, :6] * out[:, 6:]))

    def added_in_place_to_the_skip(self, x):
        a = self.conv1(x)
        a.add_(self.conv2(a))
        return self.head(a.relu_())

    def over_the_image(self, x):
        x.sub_(0.3)
        a = self.conv1(x)
        a[:, :3].mul_(x)
        return self.head(self.conv2(a).relu() + torch.cat([x, x], 1))

    def products_and_stacks(self, x):
        a = self.conv1(x)
        w = a.mean((2, 3)).softmax(1)  # (n, 6)
        outer = torch.bmm(w[:, :, None], w[:, None])[:, :, :1, None]
        b = torch.einsum("nchw,nc->nchw", self.conv2(a).relu(), w) + outer
        return self.head(torch.stack([a, b, a + b], 1).amax(1))

    def gradients_on_and_off(self, x):
        with torch.enable_grad():
            a = self.conv2(self.conv1(x)) * self.fc.weight[0, 0]
            if not a.requires_grad:
                raise RuntimeError("The network wants a graph.")
        with torch.no_grad():
            return self.head(a.relu())

    def counting_its_steps(self, x):
        self.steps.add_(1)
        return self.head(self.conv2(self.conv1(x).relu()))

    def branching_on_the_head(self, x):
        return self.head(self.conv2(x.repeat(1, 2, 1, 1)).relu() + (1 if x.mean() > 0 else -1) * self.conv1(x))

    def windows_among_the_rows(self, x):
        tiles = lambda a: a.unflatten(3, (2, -1)).movedim(3, 1).flatten(0, 1)  # noqa: E731 - (2 n, c, h, w / 2)
        a, b = tiles(x), tiles(self.conv2(self.conv1(x)))
        return self.head((torch.cat([a, a], 1) * b).relu().unflatten(0, (-1, 2)).amax(1))

    def checkpointed(self, x):
        return self.head(checkpoint(lambda y: self.conv2(self.conv1(y).relu()), x, use_reentrant=False))

    def dispatched(self, x):
        relu = torch.ops.aten.relu
        return self.head(relu(self.conv2(relu(self.conv1(x)))))

    def one_row_only(self, x):
        return self.fc(self.conv2(self.conv1(x).relu()).amax((2, 3)).view(1, -1))

    def rows_cut_off(self, x):
        return self.one_row_only(x[:1])

    def over_the_largest_of_all(self, x):
        b = self.conv2(self.conv1(x))
        return self.head(F.relu(b / b.amax()))

    def less_the_mean_of_the_batch(self, x):
        b = self.conv2(self.conv1(x))
        return self.head(F.relu(b - b.mean(0, keepdim=True) / 2))

    def image_by_image(self, x):
        return torch.cat([self.head(self.conv2(self.conv1(image[None]).relu())) for image in x])

    def scaled_by_a_number_it_reads(self, x):
        b = self.conv2(self.conv1(x).relu())
        return self.head(b * torch.tensor(b.abs().max().item(), dtype=b.dtype))

    def branching_on_what_is_edited(self, x):
        b = self.conv2(self.conv1(x).relu())
        return self.head(b.tanh() if b.mean() > 0 else b.relu())

    def scripted_behind(self, x):
        return self.head(self.conv2(scripted(self.conv1(x))))

    def compiled_behind(self, x):
        return self.head(self.conv2(compiled(self.conv1(x))))

    def rewritten_behind_its_use(self, x):
        a = self.conv1(x)
        o = self.conv2(a) + a
        a.relu_()  # of the head alone, behind the layer: the replayed rows do not see it
        return self.head(F.relu(o * a))


def written(body) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Written(getattr(Written, body) if isinstance(body, str) else body).double().eval()


X = torch.tensor(networks.images(1, 8, 8))


HABITS = [
    "batch_from_the_head", "written_into_a_buffer", "added_in_place_to_the_skip", "over_the_image", "products_and_stacks",
    "gradients_on_and_off", "counting_its_steps", "branching_on_the_head", "checkpointed", "dispatched",
    "windows_among_the_rows",
]  # fmt: skip
MIXED = ["one_row_only", "rows_cut_off", "over_the_largest_of_all", "less_the_mean_of_the_batch", "image_by_image"]
both = pytest.mark.parametrize("layer", ["conv1", "conv2"])


@both
@pytest.mark.parametrize("forward", HABITS)
def test_habits_of_forward(forward, layer):
    check(written(forward), layer, X.clone())


@both
@pytest.mark.parametrize("forward", MIXED)
def test_mixed_rows_are_replayed_one_by_one(forward, layer):
    """Where a batch is no pile of images, each edit keeps to itself, and the head still runs once."""
    check(written(forward), layer, X.clone(), alone=True)


@both
@pytest.mark.parametrize("forward", ["scaled_by_a_number_it_reads", "branching_on_what_is_edited"])
def test_what_python_reads_of_an_edit_is_not_replayed(forward, layer):
    check(written(forward), layer, X.clone(), replays=False, alone=True)


@pytest.mark.parametrize(
    ("forward", "layer"), [("scripted_behind", "conv1"), ("compiled_behind", "conv1"), ("rewritten_behind_its_use", "conv2")]
)
def test_what_cannot_be_replayed_runs_on_copies(forward, layer):
    check(written(forward), layer, X.clone(), replays=False)


def test_a_scripted_head_is_replayed():
    check(written("scripted_behind"), "conv2", X.clone())


def test_a_call_of_a_reused_module():
    network, x = networks.reused(), torch.tensor(networks.images(1))
    tails = [check(network, layer, x) for layer in ("act#1", "act#2", "act#3", "act")]
    assert [tail.a.shape[1] for tail in tails] == [6, 8, 8, 8]
    assert all(tail.tap.calls == 3 for tail in tails)
    assert "runs 3 times" in tails[-1].tap.notes[0]
    assert torch.equal(tails[2].a, tails[3].a)
    assert not torch.equal(tails[1].a, tails[2].a)


def test_earlier_calls_of_a_reused_module_are_part_of_the_head():
    """One of them is added to the last, and read by Python on the way."""

    def forward(net, x):
        a = net.act(net.conv1(x))
        first = a * 2 if a.mean() > 0 else a
        return net.head(net.act(net.conv2(net.act(net.conv2(first)) * a)) + a)

    network = written(forward)
    network.act = nn.SiLU()
    for layer in ("act", "act#2"):
        check(network, layer, X.clone())


def test_a_layer_nobody_reads_changes_nothing():
    network = written(lambda net, x: [net.conv1(x), net.head(net.conv2(x.repeat(1, 2, 1, 1)))][1])
    tail = check(network, "conv1", X.clone(), felt=False)
    assert torch.equal(tail(edits_of(tail.a)), tail.scores.expand(5, -1))


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
        tail = Tail(network, Tap("layer2.0.conv1", network), x)
    assert all(sum(seen[layer]) == 4 for layer in before)  # layer2.0.downsample runs behind the layer, but not for the edit
    watch, seen = rows_through(network, before + behind)
    with watch:
        for _ in range(3):
            tail(tail.a.repeat(7, 1, 1, 1))
    assert seen == {layer: [] if layer in before else [7, 7, 7] for layer in before + behind}


def test_float32_replays_to_rounding():
    network = networks.bn_dropout().float()
    tail = Tail(network, Tap("bn1", network), torch.tensor(networks.images(1)).float())
    assert tail.replays
    edits = edits_of(tail.a)
    torch.testing.assert_close(tail(edits), slow(network, "bn1", tail.x, edits))


def held(tail: Tail) -> int:
    """Numbers kept for replaying."""
    assert tail.program is not None
    known = [leaf for call in tail.program.calls if call.one for leaf in flat(call.one)]
    values = {id(leaf): leaf.value.numel() for leaf in known if getattr(leaf, "value", None) is not None}
    assert all(leaf.tensor is None for leaf in known if hasattr(leaf, "tensor"))
    return sum(values.values())


def flat(value):
    return [leaf for each in value for leaf in flat(each)] if isinstance(value, tuple | list) else [value]


def test_only_what_the_edit_meets_is_kept_and_not_for_long():
    network = calibrated(tv.resnet18(weights=None))
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    tail = Tail(network, Tap("layer2.0", network), x)
    assert held(tail) == 0  # nothing skips over a block
    tail = Tail(network, Tap("layer2.1.conv1", network), x)
    assert held(tail) == 128 * 8 * 8  # the one residual
    gone = weakref.ref(tail.program)
    del tail
    gc.collect()
    assert gone() is None


def test_the_network_comes_back_untouched():
    network, x = networks.inplace(), torch.tensor(networks.images(1))
    state, image = {name: value.clone() for name, value in network.state_dict().items()}, x.clone()
    tail = Tail(network, Tap("conv2", network), x)
    a = tail.a.clone()
    tail(edits_of(tail.a))
    network.fc.register_forward_hook(fails := lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tail(edits_of(tail.a))
    with pytest.raises(ZeroDivisionError):
        Tail(network, Tap("conv2", network), x)
    assert [*network.fc._forward_hooks.values()] == [fails]
    network.fc._forward_hooks.clear()
    assert all(not module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.equal(x, image)
    assert torch.equal(tail.a, a)
    assert torch.overrides._get_current_function_mode() is None
    np.testing.assert_allclose(tail(a), network(x), rtol=0, atol=1e-12)


def test_a_way_that_changes_later_is_left():
    """A network that starts to call something else is not replayed any more, and still right."""
    network = written(lambda net, x: net.head(net.conv2(act[0](net.conv1(x)))))
    act = [torch.relu]
    tail = Tail(network, Tap("conv1", network), X.clone())
    assert tail.replays
    act[0] = torch.tanh
    edits = edits_of(tail.a)
    torch.testing.assert_close(tail(edits), slow(network, "conv1", X, edits), rtol=0, atol=1e-12)
    assert not tail.replays


def test_edits_that_do_not_fit_and_layers_that_cannot_be_edited():
    network, x = networks.pooled(), torch.tensor(networks.images(1))
    tail = Tail(network, Tap("act1", network), x)
    with pytest.raises(seewhy.BadParameter, match=r"Edits \(2, 3\) of layer act1"):
        tail(torch.zeros(2, 3, dtype=torch.float64))
    assert tail(tail.a[:0]).shape == (0, networks.CLASSES)
    with pytest.raises(seewhy.NoSuchName, match="it runs 1 times"):
        Tail(network, Tap("act1#2", network), x)
    folded = written(lambda net, x: net.head(net.conv2(net.conv1(x.repeat(2, 1, 1, 1)))[:1]))
    with pytest.raises(seewhy.NotApplicable, match="rows are no images"):
        Tail(folded, Tap("conv1", folded), X.clone())
