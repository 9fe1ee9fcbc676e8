"""Features of photos: what is known of an autoencoder made by hand comes out, and parts sum up to the whole."""

import json

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from support import networks, odd_numbers
from support.concept_networks import images, model, network

X = networks.images(2)


def axes(d, bias=None, **how):
    """A feature for each channel: 0 to d - 1 where it is above zero, d to 2 d - 1 where it is below."""
    ways = np.concatenate([np.eye(d), -np.eye(d)])
    kind = {"kind": "relu", "centred": True, **how}
    return seewhy.Autoencoder(ways.T, np.zeros(2 * d), ways, np.zeros(d) if bias is None else bias, **kind)


def asked(coder, layer="conv2", **how):
    return seewhy.features(seewhy.wrap(networks.pooled()), X, coder, layer, 1, **how)


def evidence(layer="conv2"):
    at = seewhy.wrap(networks.pooled()).trace(X, [seewhy.Class(1)], [layer]).evidence[layer]
    return at.a.numpy(), at.g[0].numpy()


def test_features_that_are_channels_have_their_values_places_and_contributions():
    a, g = evidence()
    for i, found in enumerate(asked(axes(8), count=16)):
        assert found.error == pytest.approx(0, abs=1e-20)
        assert found.l0 == pytest.approx((a[i] != 0).sum() / a[i][0].size)
        for use, heatmap in zip(found.strongest, found.maps, strict=True):
            sign, channel = (1, use.feature) if use.feature < 8 else (-1, use.feature - 8)
            values = np.maximum(sign * a[i, channel], 0)
            np.testing.assert_allclose(heatmap.values, values, rtol=1e-6)
            np.testing.assert_array_equal(found.map(use.feature).values, heatmap.values)
            assert use.strongest == pytest.approx(values.max())
            assert use.mean == pytest.approx(values.mean())
            assert use.places == (values > 0).mean()
            assert use.contribution == pytest.approx((values * sign * g[i, channel]).sum(), abs=1e-12)
        sizes = [abs(use.contribution) for use in found.strongest]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    "kind", [{"kind": "relu"}, {"kind": "topk", "k": 2}, {"kind": "jumprelu", "threshold": np.full(16, 0.3)}]
)
def test_what_a_score_takes_is_what_comes_by_features_bias_and_what_is_left_out(kind):
    """The identity holds of any autoencoder, for a = features times directions + bias + error."""
    a, g = evidence()
    coder = axes(8, np.linspace(-1, 1, 8), **kind)
    for i, found in enumerate(asked(coder, count=16)):
        rows = a[i].reshape(8, -1).T
        back = coder.decode(coder.encode(rows))
        assert found.total == pytest.approx((a[i] * g[i]).sum())
        assert found.parts["features"] == pytest.approx(sum(use.contribution for use in found.strongest))
        assert found.parts["error"] == pytest.approx(((rows - back) * g[i].reshape(8, -1).T).sum(), abs=1e-12)
        assert found.error == pytest.approx(((rows - back) ** 2).sum() / ((rows - rows.mean(0)) ** 2).sum(), abs=1e-12)
        assert found.l0 == pytest.approx((coder.encode(rows) > 0).sum(1).mean())
        assert found.active == (coder.encode(rows) > 0).any(0).sum()


def test_features_are_told_by_their_activation_where_that_is_asked_for():
    (found, _) = asked(axes(8), count=3, by="activation")
    strongest = [use.strongest for use in found.strongest]
    assert len(strongest) == 3 == len(found.maps)
    a, _ = evidence()
    np.testing.assert_allclose(strongest, np.sort(np.concatenate([a[0].max((1, 2)), -a[0].min((1, 2))]))[-3:][::-1])


def test_a_layer_without_space_has_features_and_no_maps():
    (found,) = seewhy.features(model(), images(1, 0), axes(24), "flat", "with")
    assert len(found.maps) == 0
    assert (found.target, found.error) == ("with", 0)
    assert found.l0 == 24
    bias = float(network().fc.bias[0].detach())
    assert found.total == pytest.approx(found.score - bias)  # behind the layer there is one linear layer


def test_a_record_says_all_in_json_and_is_drawn():
    (found, _) = asked(axes(8), count=3)
    facts = json.loads(found.to_json())
    assert (facts["layer"], facts["features"], len(facts["strongest"])) == ("conv2", 16, 3)
    assert facts["parts"]["features"] == found.parts["features"]
    demo = seewhy.load("demo/honest")
    (drawn,) = seewhy.features(demo, seewhy.demo.scene(3).image, axes(64), "body", count=4)
    assert drawn.picture().width > drawn.picture(2).width
    assert drawn.target.startswith("top 1: ")
    assert "feature" in drawn.maps[0].source.caption


def test_what_cannot_be_asked_is_said():
    with pytest.raises(BadParameter, match=r"takes 6 numbers of a place, and conv2 emits 8\. Layers with 6: conv1, act1"):
        asked(axes(6))
    with pytest.raises(BadParameter, match="by='size' is activation or contribution"):
        asked(axes(8), by="size")
    with pytest.raises(NoSuchName, match="ask for more by count="):
        asked(axes(8), count=1)[0].map(99)


def test_numbers_that_are_not_finite_are_an_error_that_names_the_image():
    with pytest.raises(NotApplicable, match="odd makes numbers of image 1 that are not finite"):
        seewhy.features(odd_numbers.model(), odd_numbers.images(2, dark=(1,)), axes(6), "odd", 0)
