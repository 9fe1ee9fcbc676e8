"""The field's mistakes in formulas and in their meaning: numbers as in methods.md 2.3.
Those in reading: methods/making/test_reading.py."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from support import ask, networks

ALL = list(range(networks.CLASSES))
X = networks.images(2, 8, 10, seed=21)


def test_2_features_before_a_functional_relu_are_rectified_for_cam():
    """DenseNet: CAM at `conv2` is that of relu(conv2), where the mean over space is the linear layer's input."""
    found = ask.maps(networks.functional(), "cam", X, ALL, ["conv2"])["conv2"]
    ask.close(found, ask.maps(networks.pooled(), "cam", X, ALL, ["act2"])["act2"])
    raw = ask.case(networks.functional(), X, [0], ["conv2"]).trace.evidence["conv2"].a.numpy()
    weights = networks.functional().fc.weight.detach().numpy()
    ask.far(found, np.einsum("tc,nchw->tnhw", weights, raw), rel=0.1)  # what hooking the layer blindly gives


def test_2_a_relu_behind_the_class_convolution_is_no_cam_before_it():
    with pytest.raises(seewhy.NotApplicable, match="global average pooling"):
        seewhy.cam(seewhy.wrap(networks.squeezed()), X, target=0, layer="act2")


@pytest.mark.parametrize("layer", ["conv3", "act3"])
def test_2_class_maps_whose_relu_is_pooled_have_their_mean_as_score(layer):
    for m in seewhy.cam(seewhy.wrap(networks.squeezed()), X, target=ALL, layer=layer, signed=True):
        assert m.values.mean() == pytest.approx(m.source.score, abs=1e-6)


@pytest.mark.parametrize(
    ("toy", "layer"),
    [("pooled", "act1"), ("pooled", "conv2"), ("relu6", "conv2"), ("signed_features", "conv2"), ("nhwc", "block2"),
     ("flat_head", "act2"), ("lstm_head", "act1")],
)  # fmt: skip
def test_2_cam_is_refused_wherever_the_layer_is_not_what_is_pooled(toy, layer):
    network, x = getattr(networks, toy)(), networks.images(2)
    if (toy, layer) == ("pooled", "conv2"):
        network.act2 = nn.LeakyReLU(0.3)  # with a plain ReLU, CAM of its output would be meant
    with pytest.raises(seewhy.NotApplicable):
        seewhy.cam(seewhy.wrap(network), x, target=0, layer=layer)


@pytest.mark.parametrize("scores", ["probability", "log-probability"])
def test_2_cam_is_of_logits_alone(scores):
    with pytest.raises(seewhy.NotApplicable, match="logits"):
        seewhy.cam(seewhy.wrap(networks.pooled(), scores=scores), X)


@pytest.mark.parametrize("after", [nn.Tanh(), nn.ReLU(), nn.Softmax(1)])
def test_2_cam_is_refused_where_the_head_is_not_linear(after):
    model = seewhy.wrap(nn.Sequential(networks.pooled(), after.double()))
    with pytest.raises(seewhy.NotApplicable):
        seewhy.cam(model, X, target=0, layer="0.act2")


class TwoHeads(nn.Module):
    """A second head of the same shape runs last; the scores are the first one's."""

    def __init__(self) -> None:
        super().__init__()
        self.body = networks.pooled()
        self.second = nn.Linear(8, networks.CLASSES).double()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body[:6](x)
        return self.body.fc(x), self.second(x)


def test_2_cam_reads_the_head_that_made_the_scores():
    found = ask.maps(TwoHeads(), "cam", X, ALL, ["body.act2"])["body.act2"]
    ask.close(found, ask.maps(networks.pooled(), "cam", X, ALL, ["act2"])["act2"])


def test_10_xgrad_cam_leaves_dead_channels_out():
    rng = np.random.default_rng(3)
    a, g = rng.random((2, 1, 5, 3, 4))
    expected = ask.formula("xgrad-cam", a, g)
    silent = np.zeros((1, 1, 3, 4))
    balanced = np.tile([1e6, -1e6], 6).reshape(1, 1, 3, 4)  # alive, but its total is nothing against its size
    for extra in (silent, balanced, balanced + 1e-9):
        found = ask.formula("xgrad-cam", np.concatenate([a, extra], 1), np.concatenate([g, rng.random(extra.shape)], 1))
        ask.close(found, expected)
    assert not ask.formula("xgrad-cam", silent, silent + 1).any()


def test_10_a_balanced_channel_whose_total_is_minus_one():
    a = np.array([5e5, -5e5 - 1]).reshape(1, 1, 1, 2)
    assert not ask.formula("xgrad-cam", a, np.ones_like(a)).any()


def test_11_grad_cam_pp_has_no_pole():
    """2 g^2 + total g^3 is zero at total = -2 / g; a negative total counts as zero, so the weight is total(relu(g)) / 2."""
    a = np.array([[1.0, -2.0], [-1.5, 0.5]]).reshape(1, 1, 2, 2)  # total -2
    for strength in (1 - 1e-12, 1.0, 1 + 1e-12, 1e-30, 1e30):
        found = ask.formula("grad-cam-pp", a, np.full_like(a, strength))
        ask.close(found, a[:, 0] * (4 * strength / 2))
    positive = abs(a)  # total 5
    ask.close(ask.formula("grad-cam-pp", positive, np.full_like(a, 0.2)), positive[:, 0] * (4 * 0.2 / (2 + 5 * 0.2)))


def heatmap(values):
    """A heatmap of a network whose map is its input's own first channel."""

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum((2, 3))

    x = np.asarray(values, np.float32)[None, None]
    (m,) = seewhy.hires_cam(seewhy.wrap(nn.Sequential(Mean())), x, target=0, layer="input", signed=True)
    np.testing.assert_array_equal(m.values, x[0, 0])
    return m


def test_13_unit_runs_from_the_lowest_to_the_highest():
    """Min-max, also where no value is zero; neither divided by the largest nor rectified on the way."""
    for low, high in ((2.0, 5.0), (-3.0, 1.0), (-4.0, -2.0), (0.0, 1e-20)):
        values = np.linspace(low, high, 12, dtype=np.float32).reshape(3, 4)
        ask.close(heatmap(values).unit(), (values - low) / (high - low), rel=1e-5)
    m = heatmap([[-3.0, 1.0], [0.0, -1.0]])
    assert not heatmap([[2.0, 2.0], [2.0, 2.0]]).unit().any()
    np.testing.assert_array_equal(m.values, [[-3.0, 1.0], [0.0, -1.0]])  # looking does not change it


def test_14_maps_are_grown_between_cell_centres():
    """Linear, align_corners=False, as torch has it; not from corner to corner, and unit() is not taken on the way."""
    model = seewhy.wrap(networks.pooled(), geometry="plain")
    (m, *_) = seewhy.grad_cam(model, networks.images(1, 20, 28), target=0, layer="act2", signed=True)
    small = torch.tensor(m.values)[None, None]
    assert small.shape[2:] == (10, 14)
    ask.close(m.full(), F.interpolate(small, (20, 28), mode="bilinear", align_corners=False)[0, 0].numpy(), rel=1e-5)
    ask.far(m.full(), F.interpolate(small, (20, 28), mode="bilinear", align_corners=True)[0, 0].numpy())
    ask.far(m.full(), F.interpolate(small, (20, 28), mode="nearest")[0, 0].numpy())


def test_18_an_empty_map_is_zero_and_says_why():
    network = networks.pooled()
    with torch.no_grad():
        network.conv2.weight.zero_()
        network.conv2.bias.fill_(-1)
    methods = [m for m in map(seewhy.METHODS.get, ask.ANYWHERE) if m.reads not in ("nothing", "scores")]
    found = seewhy.explain(seewhy.wrap(network), X, methods, target=0, layer="act2")
    assert len(found) == 2 * len(methods)
    for m in found:
        for values in (m.values, m.unit(), m.full()):
            assert np.array_equal(values, np.zeros_like(values))  # not NaN
        assert any("silent" in w or "zero gradient" in w for w in m.warnings)
    asked = [m for m in seewhy.METHODS.values() if m.reads == "scores"]
    for m in seewhy.explain(seewhy.wrap(network), X, asked, target=0):
        level = m.source.score if m.source.method == "rise" else 0  # the mean score is what it is
        np.testing.assert_allclose(m.values, level, rtol=1e-6, atol=1e-12)
        assert any("no change of the image" in w or "the same everywhere" in w for w in m.warnings)


def test_18_the_reason_for_an_empty_map_is_true():
    network = networks.pooled()
    with torch.no_grad():
        network.fc.weight[0] = 0
    (m, *_) = seewhy.cam(seewhy.wrap(network), X, target=0)
    assert m.warnings
    assert not any("silent" in w for w in m.warnings)
