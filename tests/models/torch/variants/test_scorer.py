"""Scores of many variants: what the network gives for each image alone, however they are made and share passes."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import seewhy
from seewhy.errors import BadNetwork
from seewhy.models.torch.passes.taps import Tap
from seewhy.models.torch.variants.scorer import (
    BoxScorer,
    SequenceTail,
    TorchScorer,
    Work,
    alike,
    memory_errors,
    precision,
    quick,
    tail_of,
)
from seewhy.models.torch.variants.tail import TorchTail
from support import networks

X = torch.as_tensor(networks.images(4, seed=5))


def scorer(network, **more):
    model = seewhy.wrap(network, **more)
    model.network.eval()
    return TorchScorer(model.runner, X[:1].to(next(network.parameters()).dtype), True, False, False)


class Mixing(nn.Module):
    """The scores of an image rest on those beside it."""

    def __init__(self):
        super().__init__()
        self.body = networks.pooled()

    def forward(self, x):
        return self.body(x - x.mean(0, keepdim=True) / 2)


def test_scores_are_those_of_plain_passes():
    network = networks.pooled().double().eval()
    ask = scorer(network)
    with torch.no_grad():
        np.testing.assert_allclose(ask(X.double()), network(X.double()).numpy(), rtol=1e-12)
    assert not ask.together.alone
    assert ask.notes == ()


def test_where_the_images_of_a_batch_are_mixed_each_runs_alone():
    network = Mixing().double().eval()
    ask = scorer(network)
    with torch.no_grad():
        alone = torch.cat([network(x) for x in X.double().split(1)])
        for _ in range(2):
            np.testing.assert_allclose(ask(X.double()), alone.numpy(), rtol=1e-12)
    assert ask.notes == ("the network mixes the images of a batch, so each ran alone",)


def test_the_fill_stands_where_nothing_is_kept():
    ask, image, fill = scorer(networks.pooled()), X[0].float(), X[1].float()
    keep = torch.rand(3, *image.shape[1:], generator=torch.Generator().manual_seed(0))
    mixed = ask.blend(keep, image, fill)
    assert_close(mixed, keep[:, None] * image + (1 - keep[:, None]) * fill)
    hard = ask.blend(keep > 0.5, image, fill)
    assert_close(hard, torch.where((keep > 0.5)[:, None], image, fill))


def test_boxes_are_scored_as_whole_images():
    network = networks.pooled().double().eval()
    boxes = BoxScorer(scorer(network), X[0].double())
    at = torch.tensor([[0, 0], [5, 7], [8, 2]])
    patches = X[1:4, :, :4, :4].double()
    whole = X[:1].double().repeat(3, 1, 1, 1)
    for image, patch, (y, x) in zip(whole, patches, at.tolist(), strict=True):
        image[:, y : y + 4, x : x + 4] = patch
    with torch.no_grad():
        expected = network(whole).numpy()
    for _ in range(3):
        np.testing.assert_allclose(boxes(patches, at), expected, rtol=1e-9)
    assert boxes.why == ""


def test_where_boxes_give_other_scores_the_images_run_whole(monkeypatch):
    network = networks.pooled().double().eval()
    boxes = BoxScorer(scorer(network), X[0].double())
    at, patches = torch.tensor([[0, 0], [5, 7]]), X[1:3, :, :4, :4].double()
    expected = boxes(patches, at)
    wrong = BoxScorer(scorer(network), X[0].double())
    right = wrong.short
    assert right is not None
    monkeypatch.setattr(wrong, "short", lambda *boxed: right(*boxed) + 1)
    np.testing.assert_allclose(wrong(patches, at), expected, rtol=1e-9)
    assert wrong.why == "its scores differ from those of plain passes"
    assert wrong.short is None


class Joining(nn.Module):
    """Every cell sees all others: behind the first layer, or behind as much as the whole network."""

    ran: ClassVar[list[tuple[str, int]]] = []  # not the network's own: what it keeps tells whether it is still the same

    def __init__(self, early):
        super().__init__()
        torch.manual_seed(0)
        self.before, self.behind = nn.Conv2d(3, 8, 3 if early else 9), nn.Conv2d(8, 32 if early else 4, 9 if early else 1)

    def forward(self, x):
        self.ran.append((type(x).__name__, len(x)))
        a = self.before(x).relu()
        return self.behind(a * a.flatten(2).softmax(-1).view_as(a)).mean((2, 3))


@pytest.mark.parametrize("early", [True, False])
def test_boxes_of_which_nothing_is_left_out_are_run_whole_from_the_beginning(early):
    """One pass of the first box alone tells what a plain pass gives and takes, and where boxes run, one of the first and the
    last whether images that share a pass change each other; all others are those that were asked for.
    """
    network = Joining(early).double().eval()
    image, patches = torch.zeros(3, 24, 24).double(), torch.ones(4, 3, 4, 4).double()
    boxes, at = BoxScorer(scorer(network), image), torch.tensor([[0, 0], [9, 3], [5, 5], [20, 20]])
    whole = boxes._whole(patches, at)
    with torch.no_grad():
        expected = network(whole).numpy()
    network.ran.clear()
    for _ in range(2):
        np.testing.assert_allclose(boxes(patches, at), expected, rtol=1e-9)
    assert boxes.why == ""
    if early:
        assert network.ran == [("Tensor", 1), ("Patch", 4), ("Tensor", 4), ("Tensor", 4)]
    else:
        assert network.ran == [("Tensor", 1), ("Patch", 4), ("Tensor", 2), ("Patch", 4)]


def test_work_counts_multiplications():
    conv = nn.Conv2d(3, 5, 3, bias=False)
    with Work() as work, torch.no_grad():
        conv(torch.zeros(1, 3, 8, 8))
    assert work.done == 2 * 5 * 3 * 9 * 6 * 6
    with Work() as work:
        torch.zeros(3).relu()
    assert work.done == 0


class Sequence(nn.Module):
    """Tokens before the batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.mix, self.fc = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).permute(2, 0, 1)
        return self.fc(self.mix(tokens).relu().mean(0))


def test_edits_of_tokens_before_the_batch_run_the_whole_network():
    network = Sequence().double().eval()
    runner = seewhy.wrap(network).runner
    with torch.no_grad():
        tail = tail_of(runner.raw, Tap("mix", network), X[:1].double(), runner)
        assert isinstance(tail, SequenceTail)
        edits = torch.cat([tail.a, -tail.a, 2 * tail.a], 1)
        assert_close(tail(edits), network.fc(edits.relu().mean(0)))
        assert isinstance(tail_of(runner.raw, Tap("patch", network), X[:1].double(), runner), TorchTail)


def test_the_tail_behind_a_layer_takes_channels_before_space():
    network = networks.nhwc().double().eval()
    model = seewhy.wrap(network)
    layer = next(name for name, layer in model.layers(X).items() if layer.default)
    with torch.no_grad():
        tail = scorer(network).tail(X[0].double(), layer)
        assert tuple(tail.a.shape) == model.layers(X)[layer].shape
        np.testing.assert_allclose(tail(tail.a[None]), network(X[:1].double()).numpy(), rtol=1e-9)
    with pytest.raises(seewhy.NotApplicable, match="name a layer"):
        scorer(network).tail(X[0].double(), "input")


def test_equal_to_the_rounding_of_many_sums():
    x = torch.linspace(-3, 3, 10)
    assert alike(x * (1 + 1e-6), x)
    assert not alike(x + 1e-3, x)
    assert not alike(x.double() + 1e-8, x.double())
    assert not alike(torch.full((2,), torch.nan), torch.ones(2))


def test_a_lack_of_memory_is_a_memory_error():
    with pytest.raises(MemoryError), memory_errors():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="shapes"), memory_errors():
        raise RuntimeError("shapes differ")


def test_a_quick_copy_leaves_the_network_alone_and_gives_its_scores():
    network = networks.bn_dropout().double().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    runner = seewhy.wrap(network).runner
    made = quick(runner, X.double(), True, None, True)
    with torch.no_grad():
        assert_close(made.network(X.double()), network(X.double()), rtol=1e-7, atol=1e-9)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in made.network.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert quick(runner, X.double(), False, "float32", False).network.fc.weight.dtype == torch.float32
    assert network.fc.weight.dtype == torch.float64


def test_a_precision_by_name_or_itself():
    assert precision("bfloat16") is precision(torch.bfloat16) is torch.bfloat16
    assert precision("float") is torch.float32
    for wrong in ("int8", None, "no_such", torch.int64, "relu"):
        with pytest.raises(seewhy.BadParameter, match="no floating-point precision"):
            precision(wrong)


class Bag(nn.Module):
    """The scores of one bag of pictures (1, k, c, h, w)."""

    def __init__(self):
        super().__init__()
        self.body = networks.pooled()

    def forward(self, x):
        return self.body(x[0]).mean(0, keepdim=True)


def test_a_network_of_one_image_at_a_time_is_asked_one_by_one():
    network, bags = Bag().double().eval(), torch.as_tensor(networks.images(6, seed=5)).double().reshape(2, 3, *X.shape[1:])
    model = seewhy.wrap(network)
    inside = bags.movedim(2, 1)  # (n, c, k, h, w)
    with torch.no_grad():
        alone = torch.cat([network(bag) for bag in bags.split(1)])
        body: Any = network.body
        a = body.conv1(bags[0]).movedim(0, 1)
        changed = torch.stack([a, a * 2, a * 0])
        truth = [body.fc(body.act2(body.conv2(body.act1(each.movedim(1, 0)))).mean((2, 3))) for each in changed]
    with torch.no_grad(), model.runner.ready(inside[:1]) as like:
        ask = TorchScorer(model.runner, like, False, False, False)
        for _ in range(2):
            np.testing.assert_allclose(ask(inside), alone.numpy(), rtol=1e-12)
        assert ask.notes == ("the network takes one image at a time",)
        tail = ask.tail(inside[0], "body.conv1")
        np.testing.assert_allclose(tail(changed), torch.stack(truth).mean(1).numpy(), rtol=1e-9)


def test_a_network_that_fails_on_one_image_too_says_so():
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("this one")

    ask = scorer(nn.Sequential(nn.Identity(), Broken(), nn.Linear(1, 1)))
    with pytest.raises(BadNetwork, match="this one"):
        ask(X)


def test_why_all_of_the_network_runs_again_is_said():
    class Folded(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = networks.pooled()

        def forward(self, x):
            return self.body(x.repeat_interleave(2, 0)).unflatten(0, (-1, 2)).mean(1)

    model, x = seewhy.wrap(Folded()), X[:1].float()
    (first, second) = seewhy.ablation_cam(model, x.numpy(), layer="body.conv1", target=1)
    for found in (first, second):
        assert [note for note in found.warnings if "run again" in note] == [
            "what lies before the layer was run again for every edit: the rows of what it emits are not the images alone"
        ]
