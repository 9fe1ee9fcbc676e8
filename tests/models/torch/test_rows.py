"""Networks in which one image of a batch changes what is said of another, take one at a time, or draw: each map is its own."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy.methods.making.method import lookup
from seewhy.models.together import WATCHED
from seewhy.models.torch.rows import RowCalls, together_of
from support import networks
from support.counting import entering

X = np.random.default_rng(0).normal(size=(5, 3, 12, 12)).astype(np.float32)


class Mixing(nn.Module):
    """Two convolutions, what `mix` makes of their pooled channels (n, 6), and a linear layer."""

    def __init__(self, mix):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU())
        self.head, self.norm = nn.Linear(6, 4), nn.BatchNorm1d(6, track_running_stats=False)
        self.mix = mix

    def forward(self, x):
        return self.head(self.mix(self, self.body(x).mean((2, 3))))


def strongest(_, v):
    norms = v.norm(dim=1)
    return v * (norms >= norms.topk(min(2, len(v))).values[-1])[:, None]


MIXES = {
    "batch norm": lambda net, v: net.norm(v) if len(v) > 1 else v,
    "mean": lambda _, v: v - v.mean(0) / 2,
    "detached mean": lambda _, v: v - v.mean(0).detach() / 2,
    "attention": lambda _, v: v + (v @ v.T).softmax(-1) @ v.flip(1),
    "the one before": lambda _, v: torch.cat([v[:1], v[1:] + v[:-1]]),
    "the one behind": lambda _, v: torch.cat([v[:-1] + v[1:], v[-1:]]),
    "all in a ring": lambda _, v: v + v.roll(1, 0),
    "the largest so far": lambda _, v: v.cummax(0).values,
    "the first": lambda _, v: v - v[:1] / 2,
    "those from the third on": lambda _, v: torch.cat([v[:2], v[2:] - v[2:].mean(0)]) if len(v) > 2 else v,
    "odd numbers": lambda _, v: v - len(v) % 2 * v.mean(0) / 3,
    "many": lambda _, v: v - (len(v) > 4) * v.mean(0) / 3,
    "the strongest": strongest,
    "the one before, behind another dimension": lambda _, v: torch.cat([v.T[:, :1], v.T[:, 1:] + v.T[:, :-1]], 1).T,
    "the third alone, behind another dimension": lambda _, v: (
        torch.cat([v.T[:, :2], v.T[:, 2:3] * 3 - v.T[:, :1], v.T[:, 3:]], 1).T if len(v) > 2 else v * 1
    ),
    "a norm over channels and images": lambda _, v: F.group_norm(v.reshape(1, -1, 1), 1).reshape(v.shape),
    "likeness to the mean": lambda _, v: v * F.cosine_similarity(v, v.mean(0, keepdim=True))[:, None],
}
METHODS = {
    "grad-cam": {}, "gradient": {}, "cam": {}, "smooth-grad": {"samples": 5}, "integrated-gradients": {"steps": 6},
    "rise": {"masks": 17}, "occlusion": {"window": 4, "stride": 4}, "kernel-shap": {"segments": "grid:2", "samples": 12},
}  # fmt: skip
SOME = ["grad-cam", "smooth-grad", "rise"]


def maps(network, method, x, size):
    asked = lookup(method).using(**METHODS[method])
    return seewhy.explain(seewhy.wrap(network, batch_size=size), x, asked, target=1)


def compared(network, method, sizes=(2, 4, 7, 64)):
    batch: Any = ()
    expected = [maps(network, method, X[i : i + 1], 1)[0].values for i in range(len(X))]
    for size in sizes:
        (single,), batch = maps(network, method, X[2:3], size), maps(network, method, X, size)
        for found, one in ((single, expected[2]), *zip(batch, expected, strict=True)):
            np.testing.assert_allclose(found.values, one, rtol=1e-3, atol=1e-5 * abs(one).max())
        assert [m.place for m in batch] == [*range(len(X))]
    return batch


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mix", ["mean", "the one before"])
def test_maps_do_not_depend_on_how_many_share_a_pass(mix, method):
    if (mix, method) == ("the one before", "cam"):
        pytest.skip("which is not linear in a single image")
    batch = compared(Mixing(MIXES[mix]).eval(), method)
    assert any(words.startswith("the network mixes the images of a batch") for words in batch[-1].source.warnings)


@pytest.mark.parametrize("method", SOME)
@pytest.mark.parametrize("mix", MIXES)
def test_every_way_to_mix_is_seen(mix, method):
    compared(Mixing(MIXES[mix]).eval(), method, (4, 7))


@pytest.mark.parametrize("method", METHODS)
def test_ordinary_networks_are_neither_blamed_nor_run_alone(method):
    network = Mixing(lambda _, v: v).eval()
    for m in compared(network, method, (7,)):
        assert not any("mixes" in words or "differ" in words for words in m.source.warnings)


HIDDEN = {  # ways to mix that the scores of most batches do not show
    "saturated attention": lambda _, f: (f @ f.T).softmax(-1) @ f,
    "saturated attention, fused": lambda _, f: F.scaled_dot_product_attention(*[20 * f[None]] * 2, f[None])[0],
    "the most alike": lambda _, f: f[(f @ f.T).argmax(-1)],
    "the nearest": lambda _, f: (-30 * torch.cdist(f, f)).softmax(-1) @ f,
    "above the largest": lambda _, f: f + F.relu(f.amax(0) - 3 * f - 0.3),
    "a kernel over images": lambda _, f: (
        f + F.relu(F.conv1d(f.T[:, None], torch.ones(1, 1, 3) / 3, padding=1)[:, 0].T - 3 * f - 0.3)
    ),
    "a larger one before it": lambda _, f: f * (f.roll(1, 0).norm(dim=1) < 3 * f.norm(dim=1))[:, None],
}  # fmt: skip
VARYING = {
    "recipro-cam": {}, "ablation-cam": {}, "score-cam": {}, "rise": {"masks": 40}, "occlusion": {"window": 4, "stride": 2},
    "sobol": {"samples": 4},
}  # fmt: skip


@pytest.mark.parametrize("method", VARYING)
@pytest.mark.parametrize("mix", HIDDEN)
def test_what_mixes_images_is_seen_where_most_scores_do_not_show_it(mix, method):
    """One row for each image that is alike whatever others there are, as rows are that differ little: others follow later."""
    network, asked = Mixing(HIDDEN[mix]), lookup(method).using(**VARYING[method])
    network.head = nn.Linear(6 * 144, 4)
    network.forward = lambda x: network.head(network.mix(network, network.body(x).flatten(1)))
    layer = {"layer": "body.3"} if method.endswith("cam") else {}
    (one,) = seewhy.explain(seewhy.wrap(network.eval(), batch_size=1), X[2:3], asked, target=1, **layer)
    for size in (None, 4):
        (found,) = seewhy.explain(seewhy.wrap(network, batch_size=size), X[2:3], asked, target=1, **layer)
        np.testing.assert_allclose(found.values, one.values, rtol=1e-3, atol=1e-5 * abs(one.values).max())
        said = any(words.startswith("the network mixes the images of a batch") for words in found.source.warnings)
        assert said or mix == "the nearest"  # of many rows torch finds it otherwise than of one: then scores are compared


def test_images_that_run_as_channels_of_groups_of_their_own_are_not_joined():
    """As where the kernel is made for each image; nor are images that run one by one, or the largest number of all."""
    kernels = torch.randn(3, 6, 6, 1, 1)
    ways = {
        "grouped": lambda _, f: (
            F.conv2d(f.reshape(1, -1, 1, 1), kernels[: len(f)].flatten(0, 1), groups=len(f)).reshape(f.shape)
        ),
        "one by one": lambda _, f: torch.stack([(row @ kernels[0, :, :, 0, 0]).softmax(-1) for row in f]),
        "watched": lambda _, f: f if f.max() < 1e9 else f * 0,
    }  # fmt: skip
    for way in ways.values():
        network = Mixing(way).eval()
        seen = []
        for n in (1, 3):
            with torch.no_grad(), RowCalls(n) as calls:
                network(torch.tensor(X[:n]))
            seen.append(calls)
        assert not seen[1].joining(seen[:1])


def test_it_is_remembered_until_the_network_is_edited():
    network = Mixing(MIXES["mean"]).eval()
    seen = []
    model: Any = seewhy.wrap(network)
    seewhy.gradient(model, X, target=1)
    assert together_of(model.runner).mixes
    assert model.at_once((12, 12)) == 1
    network.mix = MIXES["batch norm"]
    network.norm.running_mean, network.norm.running_var = torch.zeros(6), torch.ones(6)
    assert not together_of(model.runner).alone
    network.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    network.norm.track_running_stats = True
    batch = seewhy.gradient(model, X[:4], target=1)
    assert max(seen) == 4
    assert not any("mixes" in words for m in batch for words in m.source.warnings)


class Single(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.body, self.how = networks.pooled().float(), how

    def forward(self, x):
        if self.how == "asserted":
            assert len(x) == 1
        if self.how == "squeezed":
            x = x.squeeze(0)[None]
        return self.body(x.reshape(1, 3, 12, 12) if self.how == "reshaped" else x)


@pytest.mark.parametrize("method", ["grad-cam", "gradient", "smooth-grad", "rise", "occlusion"])
@pytest.mark.parametrize("how", ["asserted", "squeezed", "reshaped"])
def test_a_network_that_takes_one_image_at_a_time_gets_one(how, method):
    network = Single(how).eval()
    compared(network, method, (4,))
    assert any("one image at a time" in words for words in maps(network, method, X, 4)[-1].source.warnings)


@pytest.mark.parametrize("drop", [lambda v: F.dropout(v, 0.4, training=True), lambda v: v * (1 + torch.randn_like(v))])
def test_a_network_that_draws_says_so_and_draws_the_same_again(drop):
    network = Mixing(lambda _, v: drop(v)).eval()
    for method in SOME:
        torch.manual_seed(3)
        first, again = (maps(network, method, X[:1], 4)[0] for _ in range(2))
        np.testing.assert_array_equal(first.values, again.values)
        assert any(words.startswith("the network draws random numbers") for words in first.source.warnings)
        assert not any("mixes" in words for words in first.source.warnings)
        torch.manual_seed(4)
        assert (maps(network, method, X[:1], 4)[0].values != first.values).any()


@pytest.mark.parametrize(
    ("call", "mixing"),
    [
        (lambda x: x.mean(0), True), (lambda x: x.mean((1, 2)), False), (lambda x: x.softmax(0), True),
        (lambda x: x.softmax(-1), False), (lambda x: x[1:], True), (lambda x: x[:, 1:], False), (lambda x: x.roll(1, 0), True),
        (lambda x: x.roll(1, 2), False), (lambda x: x[[1, 0, 2]], True), (lambda x: x[:, [1, 0]], False),
        (lambda x: torch.cat([x, x], 1), False), (lambda x: torch.cat([x, x]), True), (lambda x: x.cumsum(0), True),
        (lambda x: F.batch_norm(x, None, None, training=True), True), (lambda x: F.instance_norm(x), False),
        (lambda x: F.batch_norm(x, torch.zeros(4), torch.ones(4)), False), (lambda x: x.flatten(1) @ x.flatten(1).T, True),
        (lambda x: F.layer_norm(x, (5,)), False), (lambda x: F.group_norm(x, 2), False),
        (lambda x: nn.Linear(20, 3)(x.flatten(1)), False), (lambda x: x.topk(2)[0], False), (lambda x: x.topk(2, 0)[0], True),
        (lambda x: x.sort()[0], False), (lambda x: x.unfold(2, 2, 1), False), (lambda x: x.unfold(0, 2, 1), True),
        (lambda x: torch.stack([x, x], 3), False), (lambda x: torch.stack([x, x]), False), (lambda x: torch.stack([*x]), True),
        (lambda x: x[None], True), (lambda x: x[:, None], False), (lambda x: nn.LSTM(5, 2, batch_first=True)(x), False),
        (lambda x: nn.LSTM(5, 2)(x), True), (lambda x: nn.GRU(5, 2)(x.transpose(0, 1)), False), (lambda x: x.max(), True),
        (lambda x: x.amax((-1, -2)), False), (lambda x: nn.MultiheadAttention(5, 1, batch_first=True)(x, x, x), False),
    ],
)  # fmt: skip
def test_operations_that_could_mix_images_are_noted(call, mixing):
    with torch.no_grad(), RowCalls(3) as calls:
        call(torch.randn(3, 4, 5))
    assert calls.mixing() == mixing


def coinciding(x):
    """Three images of three tokens: queries, keys and values, tokens first, and statistics of tokens."""
    q, k, v = x.permute(1, 0, 2)[None].expand(3, -1, -1, -1).unbind(0)
    return (q.cumsum(0) + k.roll(1, 0) + v.mean(0)).permute(1, 0, 2) + x.mean(1, keepdim=True) + x[:, -1:]


def attending_to_images(x):
    return F.scaled_dot_product_attention(*[x.permute(1, 0, 2)] * 3).permute(1, 0, 2)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    ("call", "mixing"),
    [
        (coinciding, False), (attending_to_images, True), (lambda x: F.scaled_dot_product_attention(x, x, x), False),
        (lambda x: x.permute(1, 0, 2).cumsum(1), True), (lambda x: x.permute(1, 2, 0).roll(1, 2), True),
        (lambda x: (x[:, None] - x[None]).abs().mean(0), True), (lambda x: x.mT @ x, False),
        (lambda x: x.flatten(1) @ x.flatten(1).T, True), (lambda x: x.permute(2, 1, 0) @ x.permute(2, 0, 1), True),
        (lambda x: x.permute(2, 0, 1) @ torch.randn(5, 3, 3), False), (lambda x: F.instance_norm(x), False),
        (lambda x: torch.einsum("nlc,mlc->nm", x, x), True), (lambda x: x.permute(1, 0, 2)[:, :1], True),
        (lambda x: F.conv1d(x.permute(1, 0, 2), torch.ones(2, len(x), 1)), True),
    ],
)  # fmt: skip
def test_beside_a_pass_of_one_image_it_is_seen_where_images_lie(call, mixing, count):
    seen = []
    for n in (1, count):
        with torch.no_grad(), RowCalls(n) as calls:
            call(torch.randn(n, 3, 5))
        seen.append(calls)
    one, several = seen
    assert several.calls
    assert several.mixing([one]) == mixing
    assert several.mixing([None, RowCalls(1), one]) == mixing


def test_passes_in_which_nothing_could_mix_images_are_watched_until_one_image_shows_that_none_is_changed():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    model, images = seewhy.wrap(network, batch_size=3), torch.randn(3, 3, 8, 8)
    batches: list[int] = []
    for _ in range(WATCHED + 2):
        with entering(network[0]) as seen:
            seewhy.grad_cam(model, images)
        batches.append(sum(seen))
    usual = batches[1]
    assert batches[1:] == [usual] * (WATCHED - 2) + [usual + 1] + [usual] * 2
    assert not together_of(model.runner).open(images)
