"""The tail of networks whose forward does unusual things: replayed where that is right, else run anew."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import seewhy
from seewhy.models.torch.passes.taps import Tap
from seewhy.models.torch.variants.tail import TorchTail
from support import networks
from support.edits import check, edits_of, slow

tv = pytest.importorskip("torchvision.models")


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


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
    """One of them is added to the last, as is what it became; and Python reads it on the way."""

    def forward(net, x):
        a = net.act(net.conv1(x))
        first = a * 2 if a.mean() > 0 else a * 3
        return net.head(net.act(net.conv2(net.act(net.conv2(first)) * a)) + first + a)

    network = written(forward)
    network.act = nn.SiLU()
    for layer in ("act", "act#2"):
        check(network, layer, X.clone())


def test_a_layer_nobody_reads_changes_nothing():
    network = written(lambda net, x: [net.conv1(x), net.head(net.conv2(x.repeat(1, 2, 1, 1)))][1])
    tail = check(network, "conv1", X.clone(), felt=False)
    assert torch.equal(tail(edits_of(tail.a)), tail.scores.expand(5, -1))


def test_the_network_comes_back_untouched():
    network, x = networks.inplace(), torch.tensor(networks.images(1))
    state, image = {name: value.clone() for name, value in network.state_dict().items()}, x.clone()
    tail = TorchTail(network, Tap("conv2", network), x)
    a = tail.a.clone()
    tail(edits_of(tail.a))
    network.fc.register_forward_hook(fails := lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tail(edits_of(tail.a))
    with pytest.raises(ZeroDivisionError):
        TorchTail(network, Tap("conv2", network), x)
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
    tail = TorchTail(network, Tap("conv1", network), X.clone())
    assert tail.replays
    act[0] = torch.tanh
    edits = edits_of(tail.a)
    torch.testing.assert_close(tail(edits), slow(network, "conv1", X, edits), rtol=0, atol=1e-12)
    assert not tail.replays


def test_edits_that_do_not_fit_and_layers_that_cannot_be_edited():
    network, x = networks.pooled(), torch.tensor(networks.images(1))
    tail = TorchTail(network, Tap("act1", network), x)
    with pytest.raises(seewhy.BadParameter, match=r"Edits \(2, 3\) of layer act1"):
        tail(torch.zeros(2, 3, dtype=torch.float64))
    assert tail(tail.a[:0]).shape == (0, networks.CLASSES)
    with pytest.raises(seewhy.NoSuchName, match="it runs 1 times"):
        TorchTail(network, Tap("act1#2", network), x)
    folded = written(lambda net, x: net.head(net.conv2(net.conv1(x.repeat(2, 1, 1, 1)))[:1]))
    with pytest.raises(seewhy.NotApplicable, match="rows are no images"):
        TorchTail(folded, Tap("conv1", folded), X.clone())
