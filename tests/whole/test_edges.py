"""What reviewers tripped over: each a small network, photo or question that once gave a wrong map or a raw error."""

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.methods.making.method import lookup
from seewhy.models.rule import guided
from support import ask, networks

X = networks.images(2, 8, 10, seed=7)


class Written(nn.Module):
    """A network with something of its own between two convolutions."""

    def __init__(self, between) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 5)
        self.gain, self.between = nn.Parameter(torch.ones(6, 1, 1)), between

    def forward(self, x):
        return self.fc(self.conv2(self.between(self, self.conv1(x))).relu().mean((2, 3)))


def written(between):
    return networks.made(lambda: Written(between), 0, 8, 10)


def set_item(_net, a):
    a[a < 0] = 0
    return a


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
def test_values_set_to_zero_below_zero_are_a_relu(method):
    plain, other = written(lambda _net, a: a.relu()), written(set_item)
    found, expected = (ask.maps(net, method, X, [1], ["input"])["input"] for net in (other, plain))
    ask.close(found, expected, rel=1e-12)


@pytest.mark.parametrize(
    "method", ["gradient", "integrated-gradients", "smooth-grad", "augment(gradient)", "random-map", "lrp", "full-grad"]
)
def test_images_of_half_precision(method):
    network = networks.pooled().bfloat16()
    maps = lookup(method)(seewhy.wrap(network), torch.tensor(X).bfloat16(), target=1)
    wide = lookup(method)(seewhy.wrap(network.float()), torch.tensor(X).bfloat16().float(), target=1)
    for m, other in zip(maps, wide, strict=True):
        assert np.corrcoef(m.values.ravel(), other.values.ravel())[0, 1] > (-1 if method == "random-map" else 0.97)


def test_a_part_written_over_behind_the_layer_is_read_all_the_same():
    def ghost(net, a):
        part = torch.cat([a, a], 1)[:, :6]  # a view, made before the layer is met
        part += net.conv2(a)
        return part

    network = written(ghost)
    expected = ask.maps(written(lambda net, a: a + net.conv2(a)), "grad-cam", X, [1], ["conv2#1"])["conv2#1"]
    ask.close(ask.maps(network, "grad-cam", X, [1], ["conv2#1"])["conv2#1"], expected)


def test_products_with_parameters_alone_are_no_product_of_the_image():
    """Spectral normalisation, standardised weights, gains: all made before the image comes in."""
    network = written(lambda net, a: (a * net.gain.reshape(1, 6, 1, 1)[0]).relu())
    network.conv2 = nn.utils.parametrizations.spectral_norm(network.conv2)
    for method, layer in (("lrp", None), ("excitation-backprop", "input"), ("excitation-backprop", "conv2")):
        for m in lookup(method)(seewhy.wrap(network), X, target=1, layer=layer):
            assert np.isfinite(m.values).all()
            assert m.values.any()


def test_chances_never_exceed_one_where_signed_branches_cancel():
    network = written(lambda net, a: a - 1.001 * net.conv2(a) + net.conv2(a))
    signed = written(lambda _net, a: a + (-0.999 * a))
    for net in (network, signed):
        for m in seewhy.excitation_backprop(seewhy.wrap(net), X, target=[0, 1, 2], layer="input"):
            assert abs(m.values).sum() <= 1.05 or any("chances sum to" in said for said in m.warnings)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_biases_of_a_sequence_that_comes_first_are_each_images_own(n):
    class Sequence(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.mlp, self.fc = nn.Conv2d(3, 6, 2, stride=2), nn.Linear(6, 7), nn.Linear(7, 5)

        def forward(self, x):
            tokens = self.conv(x).flatten(2).permute(2, 0, 1)  # (places, n, c)
            return self.fc(self.mlp(tokens).relu().mean(0))

    network, x = networks.made(Sequence, 0, 8, 10), networks.images(n, 8, 10, seed=1)
    together = seewhy.full_grad(seewhy.wrap(network), x, target=2)
    for i, m in enumerate(together):
        (alone,) = seewhy.full_grad(seewhy.wrap(network), x[i : i + 1], target=2)
        assert m.source.measured == pytest.approx(alone.source.measured, abs=1e-9)
        assert abs(m.source.measured["completeness_gap"]) < 1e-9


def test_relevance_lost_to_biases_is_said():
    network = written(lambda _net, a: a.relu())
    with torch.no_grad():
        network.conv2.bias += 50
    (m, _) = seewhy.lrp(seewhy.wrap(network), X, target=1)
    share = m.source.measured["relevance"] / m.source.score
    assert m.source.measured["share_of_score"] == pytest.approx(share)
    assert abs(share) < 0.1
    assert any(f"{share:.2g} times the score: biases kept the rest" in said for said in m.warnings)
    for epsilon in (float("nan"), float("inf"), -1):
        with pytest.raises(seewhy.BadParameter, match="from 0 on"):
            seewhy.lrp(seewhy.wrap(network), X, epsilon=epsilon)


def test_a_product_with_a_blind_method_is_not_blind():
    for name in ("product(eigen-cam, grad-cam)", "product(random-map, grad-cam)"):
        (m, *_) = lookup(name)(seewhy.wrap(networks.pooled()), X, target=1)
        assert m.source.index == 1
        assert not any("control" in said for said in m.warnings)


def test_a_layer_behind_a_unit_is_said_to_be():
    with pytest.raises(seewhy.NoSuchName, match="behind conv1, where the asked unit ends"):
        seewhy.grad_cam(seewhy.wrap(networks.pooled()), X, target=seewhy.Unit("conv1", 2), layer="act2")


def test_what_is_odd_about_a_rule_is_told_of_that_method_alone():
    network = written(lambda _net, a: nn.functional.gelu(a))  # and a ReLU behind
    names = ["integrated-gradients", "guided-backprop", "full-grad", "smooth-grad"]  # no plain trace among them
    for order in (names, names[::-1]):
        maps = seewhy.explain(seewhy.wrap(network), X, order, target=1)
        assert {m.source.method for m in maps if any("GELU" in said for said in m.warnings)} == {"guided-backprop"}


def test_a_rule_at_a_layer_tells_what_is_odd():
    @seewhy.from_gradients(rule=guided)
    def guided_cam(a, g):
        """sum g a.

        Source: a test.

        Caveat: none.
        """
        return (g * a).sum(1)

    try:
        (m, _) = guided_cam(seewhy.wrap(written(lambda _net, a: nn.functional.gelu(a))), X, target=1, layer="conv1")
        assert any("1 GELU" in said for said in m.warnings)
    finally:
        del seewhy.METHODS["guided-cam"]


@pytest.mark.parametrize("at", ["max", "sum", (1, 2)])
def test_a_units_name_is_a_target(at):
    unit, model = seewhy.Unit("act2", 3, at), seewhy.wrap(networks.pooled())
    assert seewhy.Unit.parse(str(unit)) == unit
    for named, made in zip(seewhy.gradient(model, X, target=str(unit)), seewhy.gradient(model, X, target=unit), strict=True):
        np.testing.assert_array_equal(named.values, made.values)
        assert named.source.target == str(unit)


def test_equal_methods_have_equal_hashes():
    for one, other in ((seewhy.grad_cam.using(signed=1), seewhy.grad_cam.using(signed=True)),
                       (seewhy.integrated_gradients.using(steps=50.0), seewhy.integrated_gradients)):  # fmt: skip
        assert one == other
        assert hash(one) == hash(other)
    base = np.ones((3, 8, 10))
    assert seewhy.integrated_gradients.using(baseline=base) == seewhy.integrated_gradients.using(baseline=base.copy())
    assert seewhy.integrated_gradients.using(baseline=base) != seewhy.integrated_gradients.using(baseline=2 * base)


def test_a_source_with_arrays_comes_back_and_stays_short():
    base = [np.zeros((3, 8, 10)), "mean"]
    (m, _) = seewhy.integrated_gradients(seewhy.wrap(networks.pooled()), X, target=1, baseline=base, steps=4)
    text = m.source.to_json()
    assert len(text) < 2500  # with the hashes of weights, image and values; the baseline alone would be 3,000 numbers
    assert seewhy.Source.from_json(text) == m.source
    assert "array (3, 8, 10) sha256:" in json.loads(text)["params"]["baseline"][0]


def on_a_terminal(code: str) -> str:
    """What a program says to a terminal on stderr."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, stdout=subprocess.PIPE, text=True) as done:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            if not part:
                break
            said += part
        done.wait()
    os.close(ours)
    return said.decode()


BAR = "import time, seewhy.progress as p; p.PATIENCE = 0\nfor _ in p.shown(range(4), 4, 'working'): time.sleep(.01){inner}"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_long_work_shows_one_bar_and_only_on_a_terminal():
    said = on_a_terminal(BAR.format(inner=""))
    assert "working" in said
    assert "100%" in said
    inner = "; list(p.shown(range(3), 3, 'inner'))"
    assert "inner" not in on_a_terminal(BAR.format(inner=inner))
    piped = subprocess.run([sys.executable, "-c", BAR.format(inner="")], capture_output=True, text=True)
    assert piped.stderr == piped.stdout == ""
