"""top_units(): units by activation times gradient, summed over space, and what each part of that means."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy import top_units
from seewhy.errors import BadParameter, NeedsGradients, NotApplicable
from support import ask, networks

X = networks.images(2)


def test_units_are_ranked_by_what_they_contribute():
    at = ask.case(networks.pooled(), X, [1], ["act2"]).trace.evidence["act2"]
    a, g = at.a.numpy(), at.g[0].numpy()
    for i, ranked in enumerate(top_units(seewhy.wrap(networks.pooled()), X, "act2", 1, None)):
        parts = (a[i] * g[i]).sum((1, 2))
        assert [each.unit.channel for each in ranked] == [*np.argsort(-parts, kind="stable")]
        for each in ranked:
            k = each.unit.channel
            assert each.unit == seewhy.Unit("act2", k)
            assert each.contribution == pytest.approx(parts[k], rel=1e-9, abs=1e-12)
            assert each.weight == pytest.approx(g[i, k].mean(), rel=1e-9, abs=1e-12)
            assert each.activation == pytest.approx(a[i, k].max(), rel=1e-9, abs=1e-12)


def test_behind_a_linear_end_contributions_and_the_bias_are_the_score():
    """From the last layer on the network averages and multiplies by weights."""
    network = networks.pooled()
    model = seewhy.wrap(network)
    bias = float([*network.modules()][-1].bias[1].detach())
    for i, ranked in enumerate(top_units(model, X, "act2", 1, None)):
        assert sum(each.contribution for each in ranked) + bias == pytest.approx(float(model.answer(X).scores[i, 1]), rel=1e-9)


def test_the_first_of_them_are_those_of_the_whole_list_and_the_layer_is_the_default():
    model = seewhy.wrap(networks.pooled())
    assert [each[:3] for each in top_units(model, X, target=2, count=None)] == top_units(model, X, target=2, count=3)
    assert top_units(model, X, target=2)[0][0].unit.layer == "act2"


def test_units_that_another_unit_rests_on():
    ranked = top_units(seewhy.wrap(networks.pooled()), X, "act1", seewhy.Unit("act2", 3, "sum"), None)
    model = seewhy.wrap(networks.pooled()).upto("act2", "sum")
    at = model.trace(X, [seewhy.Class(3)], ["act1"]).evidence["act1"]
    parts = (at.a * at.g[0]).sum((2, 3)).numpy()
    for i, ranks in enumerate(ranked):
        np.testing.assert_allclose([each.contribution for each in ranks], np.sort(parts[i])[::-1], rtol=1e-9, atol=1e-12)


def test_units_of_layers_without_space_are_ranked_as_the_linear_layer_weighs_them():
    """Behind the pooling a score is sum_k w_k a_k + b: the terms are the contributions, by hand."""
    network = networks.pooled()
    model, fc = seewhy.wrap(network), network.fc
    with torch.no_grad():
        a = network[:6](torch.tensor(X)).numpy()  # (n, c): what was pooled
        scores = network(torch.tensor(X)).numpy()
    for i, ranked in enumerate(top_units(model, X, "flat", 3, None)):
        w = fc.weight[3].detach().numpy()
        assert [each.unit for each in ranked] == [seewhy.Unit("flat", int(k)) for k in np.argsort(-w * a[i], kind="stable")]
        for each in ranked:
            k = each.unit.channel
            np.testing.assert_allclose(each[1:], (w[k] * a[i, k], w[k], a[i, k]), rtol=1e-9)
    for i, (first, *_) in enumerate(top_units(model, X, "fc", int(scores.sum(0).argmax()), 1)):
        assert first.contribution == pytest.approx(scores[i, first.unit.channel], rel=1e-9)  # the score rests on itself alone
    (best, *_), _ = top_units(model, X, "flat", seewhy.Unit("fc", 3))
    assert best == top_units(model, X, "flat", 3)[0][0]  # the unit is that class
    heatmap = seewhy.occlusion(model, X[:1], target=best.unit, window=4, stride=4)[0]
    assert heatmap.source.score == pytest.approx(best.activation, rel=1e-6)  # as a target, it is what was ranked
    with pytest.raises(NotApplicable, match=r"Layer flat emits .* there is no space to draw in"):
        seewhy.grad_cam(model, X, layer="flat")


def test_units_that_have_no_part_in_the_score_are_not_ranked():
    """Behind the last attention the head reads the class token alone, which is no place; and a class without weights."""
    tokens, pooled = seewhy.wrap(networks.tokens().double()), networks.pooled()
    last = [name for name, layer in tokens.layers(X).items() if len(layer.shape) == 3 and not layer.connected][-1]
    with pytest.raises(
        NotApplicable, match=rf"no unit of {last} has a part in the score: zero gradient: this score does not rest"
    ):
        top_units(tokens, X, last, 1)
    with torch.no_grad():
        pooled.fc.weight[2] = 0
    for layer in ("act2", "flat"):
        with pytest.raises(NotApplicable, match=rf"no unit of {layer} .* this score does not rest on {layer}: .* trained\?"):
            top_units(seewhy.wrap(pooled), X, layer, 2)
    assert len(top_units(seewhy.wrap(pooled), X, "flat", 1)[0]) == 8


class Elsewhere(torch.nn.Module):
    """Tokens, a class token that is read alone; rows of two numbers each; and what never saw the image."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.age, self.norm = torch.nn.Conv2d(3, 6, 4, 4), torch.nn.Linear(1, 6), torch.nn.LayerNorm(6)
        self.rows, self.across, self.head = torch.nn.Identity(), torch.nn.Identity(), torch.nn.Linear(6, 4)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        pooled = self.norm(tokens.softmax(1).mul(tokens).sum(1) + self.age(x.new_ones(1, 1)))
        whole = self.rows(pooled.reshape(-1, 3, 2)).flatten(1)
        return self.head(self.across(whole.T).T)


@pytest.mark.parametrize(("layer", "said"), [("rows", "no space"), ("across", "no space"), ("age", "does not see the image")])
def test_what_is_no_row_of_channels_for_each_image_is_refused(layer, said):
    """`across` emits (c, n), as many channels as images among six: the numbers of one image are no channels of it."""
    model = seewhy.wrap(networks.made(Elsewhere, 0))
    x = networks.images(6)
    assert len(top_units(model, x, "norm", 0, None)[5]) == 6
    with pytest.raises(NotApplicable, match=said):
        top_units(model, x, layer, 0)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"count": 0}, "whole number from 1 on"),
        ({"count": 2.5}, "whole number from 1 on"),
        ({"layer": 5}, "one layer is asked for"),
        ({"target": seewhy.PerImage([0, 1])}, "one target for all images"),
        ({"target": seewhy.Region(1)}, "reads the whole output"),
    ],
)
def test_what_cannot_be_ranked_is_misuse(question, said):
    with pytest.raises(BadParameter, match=said):
        top_units(seewhy.wrap(networks.pooled()), X, **question)


def test_all_units_together_are_hires_cam():
    """The contributions of all units sum to the sum of HiResCAM, whose terms they are."""
    model, x = seewhy.wrap(networks.pooled().float()), networks.images(2).astype(np.float32)
    ranked = seewhy.top_units(model, x, "act2", target=2, count=None)
    maps = seewhy.hires_cam(model, x, target=2, layer="act2", signed=True)
    for units, heatmap in zip(ranked, maps, strict=True):
        assert sorted(unit.unit.channel for unit in units) == list(range(8))
        assert sum(unit.contribution for unit in units) == pytest.approx(float(heatmap.values.sum()), rel=1e-4)
        assert [unit.contribution for unit in units] == sorted((unit.contribution for unit in units), reverse=True)
    with pytest.raises(seewhy.BadParameter, match="whole number"):
        seewhy.top_units(model, x, "act2", count=0)


def test_a_function_and_what_is_no_model_have_no_units():
    function = seewhy.wrap(lambda x: x.mean((1, 2)), name="mean", takes="uint8")
    with pytest.raises(NeedsGradients) as refusal:
        top_units(function, np.zeros((8, 8, 3), np.uint8))
    assert str(refusal.value) == (
        "top_units reads the inside of a network; mean gives scores only. Try occlusion, rise or lime."
    )
    with pytest.raises(BadParameter, match=r"^object is no model\. Make one: seewhy\.wrap"):
        top_units(object(), X)  # type: ignore[arg-type]
