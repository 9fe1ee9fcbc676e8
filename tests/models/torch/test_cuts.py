"""No gradient comes back: the true reason, with its place and with what works, in place of doubts whether it is trained."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from support import networks

X = networks.images(2, 8, 8)


class Underived(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0.1)


class Cut(nn.Module):
    """Two blocks, and a head; `head` is how it reads what the blocks gave."""

    def __init__(self, head) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU())
        self.head, self.fc, self.other = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(6, 4), head
        self.aside = nn.Conv2d(6, 6, 1)

    def pooled(self, x):
        return self.fc(self.head(x))

    def forward(self, x):
        return self.other(self, self.body(self.stem(x)))


def under(context):
    def head(net, x):
        with context():
            return net.pooled(x)

    return head


def in_between(net, x):
    with torch.inference_mode():
        x = x * 2
    return net.pooled(x)


CUTS = {  # how, and what is said of where
    "no_grad": (under(torch.no_grad), "head.0, at adaptive_avg_pool2d under torch.no_grad"),
    "inference_mode": (under(torch.inference_mode), "head.0, at adaptive_avg_pool2d under torch.inference_mode"),
    "inference_mode in between": (in_between, "own forward, at mul under torch.inference_mode"),
    "detach": (lambda net, x: net.pooled(x.detach()), "own forward, at detach"),
    "data": (lambda net, x: net.pooled(x.data), "own forward, at data"),
    "numpy": (lambda net, x: net.pooled(torch.from_numpy(np.tanh(x.detach().numpy()))), "own forward, at detach"),
    "a list": (lambda net, x: net.pooled(torch.tensor(x.tolist(), dtype=x.dtype)), "own forward, at tolist"),
    "whole numbers": (lambda net, x: net.pooled((x * 50).int().to(x.dtype)), "own forward, at int"),
    "one-hot": (lambda net, x: net.fc(F.one_hot(x.mean((2, 3)).argmax(1), 6).to(x.dtype)), "own forward, at argmax"),
    "a mask": (lambda net, x: net.pooled((x > x.mean()).to(x.dtype)), "own forward, at (gt|__gt__)"),
    "the scores alone": (lambda net, x: net.pooled(x).detach(), "own forward, at detach"),
    "a detour for its own sake": (lambda net, x: net.pooled(x.detach() / (1 + x.detach().norm())), "own forward, at detach"),
}
WORKS = "recipro-cam, score-cam and ablation-cam read a layer without gradients"
BY_LAYER = ("grad-cam", "layer-cam", "shapley-cam", "excitation-backprop")
BY_PIXEL = ("gradient", "guided-backprop", "deconvnet", "lrp", "attn-lrp", "full-grad", "libra(gradient)",
            "integrated-gradients", "smooth(gradient)")  # fmt: skip


def cut(head):
    return seewhy.wrap(networks.made(lambda: Cut(head), 0))


@pytest.mark.parametrize("name", CUTS)
def test_where_the_graph_is_cut_and_what_works(name):
    head, where = CUTS[name]
    model = cut(head)
    for method in (*BY_LAYER, *BY_PIXEL):
        layer = "input" if method in BY_PIXEL else "body"
        with pytest.raises(seewhy.NeedsGradients, match=rf"back to {layer}: it is cut in .*{where}\. {WORKS}"):
            seewhy.explain(model, X, methods=method, target=1)
    with pytest.raises(seewhy.NeedsGradients, match=r"back to stem\.0: it is cut"):
        seewhy.explain(model, X, methods="grad-cam", target=1, layer="stem.0")
    assert all(np.any(heatmap.values) for heatmap in seewhy.explain(model, X, methods="recipro-cam", target=1))


@pytest.mark.parametrize("method", ["grad-cam", "layer-cam", "gradient", "integrated-gradients", "full-grad"])
def test_a_decision_that_nothing_in_the_layers_place_changes_is_still_cut(method):
    """The bias of one class outweighs whatever the layer emits, so that other values there change no score."""

    def decided(net, x):
        scores = net.pooled(x) + torch.tensor([0, 0, 0, 1e6]).to(x.dtype)
        return F.one_hot(scores.argmax(1), 4).to(x.dtype)

    with pytest.raises(seewhy.NeedsGradients, match=r"it is cut in the network's own forward, at argmax\."):
        seewhy.explain(cut(decided), X, methods=method, target=3)


SLOPELESS = {
    "sign": (torch.sign, "Sign"),
    "round": (lambda x: (20 * x).round(), "Round"),
    "floor": (lambda x: (20 * x).floor(), "Floor"),
    "heaviside": (lambda x: torch.trunc(20 * x), "Trunc"),
}


@pytest.mark.parametrize("name", SLOPELESS)
def test_steps_have_no_slope(name):
    step, kind = SLOPELESS[name]
    model = cut(lambda net, x: net.pooled(step(x)))
    for method in ("grad-cam", "gradient", "full-grad", "integrated-gradients"):
        with pytest.raises(seewhy.NeedsGradients, match=rf"{kind} has no slope anywhere\. {WORKS}"):
            seewhy.explain(model, X, methods=method, target=1)
    with pytest.raises(seewhy.NotApplicable, match=f"1 {kind}.*{WORKS}"):
        seewhy.explain(model, X, methods="lrp", target=1)


@pytest.mark.parametrize("method", ["grad-cam", "gradient", "guided-backprop", "full-grad", "shapley-cam"])
def test_a_function_without_a_way_back(method):
    with pytest.raises(seewhy.BadNetwork, match=r"implement either the backward.*need no way back"):
        seewhy.explain(cut(lambda net, x: net.pooled(Underived.apply(x))), X, methods=method, target=1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "method", ["grad-cam", "gradient", "guided-backprop", "full-grad", "integrated-gradients", "lrp", "deep-lift"]
)
def test_int8_layers_have_no_derivative(method):
    network = networks.made(lambda: Cut(Cut.pooled), 0).float()
    model = seewhy.wrap(torch.ao.quantization.quantize_dynamic(network, {nn.Linear}))
    with pytest.raises(seewhy.Misuse, match=WORKS) as caught:
        seewhy.explain(model, X, methods=method, target=1)
    assert "cut in fc, by an operation without a derivative" in str(caught.value)


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 8, 2, 2), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        tokens = self.block(self.stem(x).flatten(2).mT)
        with torch.no_grad():
            return self.fc(tokens.mean(1))


def test_attention_whose_gradient_is_asked_for():
    model = seewhy.wrap(networks.made(Attentive, 0))
    for method in ("transformer-relevance", "le-grad", "attention-rollout"):
        with pytest.raises(seewhy.NeedsGradients, match=r"own forward, at mean under torch\.no_grad"):
            seewhy.explain(model, X, methods=method, target=1)


def run_aside(net, x):
    net.aside(x)
    return net.pooled(x)


def test_a_layer_that_the_score_does_not_rest_on_is_another_thing():
    (aside,) = seewhy.explain(cut(run_aside), X[:1], methods="grad-cam", target=1, layer="aside")
    assert not np.any(aside.values)
    assert "this score does not rest on aside: no other values in its cells change it. It rests on body" in " ".join(
        aside.source.warnings
    )


class Branches(nn.Module):
    """A score of two branches, of which one is behind a detach."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = (nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()) for _ in range(2))
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        return self.fc((self.one(x) + self.two(x).detach()).mean((2, 3)))


def test_of_two_layers_one_is_cut_and_says_so():
    model = seewhy.wrap(networks.made(Branches, 0))
    one, two = seewhy.explain(model, X[:1], methods=seewhy.grad_cam.using(signed=True), target=1, layer=["one", "two"])
    assert np.any(one.values)
    assert not np.any(two.values)
    assert (
        "No graph leads from the scores of Branches back to two: it is cut in the network's own forward, at detach"
        in " ".join(two.source.warnings)
    )
    assert not one.source.warnings


class Detour(nn.Module):
    """Between two convolutions the numbers leave torch; beside what comes back a learned picture is added."""

    def __init__(self, way) -> None:
        super().__init__()
        self.first, self.second, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 4)
        self.way, self.pos, self.embed = way, nn.Parameter(torch.randn(1, 6, 8, 8)), nn.Conv2d(6, 6, 1)

    def forward(self, x):
        back = self.way(self.first(x).relu())
        return self.fc(self.second(back + self.embed(self.pos)).relu().mean((2, 3)))


@pytest.mark.parametrize("way", ["numpy", "list"])
def test_a_layer_behind_numbers_that_left_torch_is_read_and_one_that_sees_no_image_is_not(way):
    ways = {"numpy": lambda x: torch.from_numpy(x.detach().numpy() * 2), "list": lambda x: torch.tensor(x.tolist()).to(x) * 2}
    torch.manual_seed(0)
    network = Detour(ways[way]).double().eval()
    model = seewhy.wrap(network)
    found = seewhy.grad_cam(model, X, target=1)
    for i, heatmap in enumerate(found):
        x = torch.as_tensor(X[i : i + 1], dtype=torch.float64)
        back = 2 * network.first(x).relu().detach() + network.embed(network.pos)
        a = network.second(back).detach().requires_grad_()
        network.fc(a.relu().mean((2, 3)))[0, 1].backward()
        expected = (a.grad.mean((2, 3), keepdim=True) * a).sum(1)[0].relu()
        assert heatmap.source.layer == "second"
        np.testing.assert_allclose(heatmap.values, expected.detach(), rtol=1e-5, atol=1e-7)
    with pytest.raises(seewhy.NotApplicable, match="takes numbers out of torch"):
        seewhy.grad_cam(model, X, layer="embed", target=1)
    with pytest.raises(seewhy.NeedsGradients, match="cut in"):
        seewhy.grad_cam(model, X, layer="first", target=1)
