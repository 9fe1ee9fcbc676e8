"""Controls: maps that do not look at the network, and say so."""

import numpy as np
import pytest

import seewhy
from support import ask, networks
from support.references import cams as references


def test_the_centre_control():
    found = ask.maps(networks.pooled(), "centre", networks.images(2, 8, 14), [0, 1], ["conv1", "act2"], sigma=0.3)
    for layer, (h, w) in {"conv1": (8, 14), "act2": (4, 7)}.items():
        ask.close(found[layer], np.broadcast_to(references.centre(h, w, 0.3), (2, 2, h, w)))


def test_the_random_control():
    """Uniform in [0, 1); decided by seed and image, not by target, batch or network."""
    x = networks.images(3, 40, 60)
    a, b, c = (ask.maps(networks.pooled(), "random-map", x, [0, 1], ["conv1"], seed=seed)["conv1"] for seed in (0, 0, 1))
    alone = ask.maps(networks.signed_features(), "random-map", x[2:], [4], ["conv1"])["conv1"]
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a[0], a[1])
    np.testing.assert_array_equal(a[0, 2], alone[0, 0])
    for one, other in ((a[0, 0], a[0, 1]), (a[0, 0], c[0, 0])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1
    counts = np.histogram(a[0], bins=10, range=(0, 1))[0]
    assert counts.sum() == a[0].size
    assert abs(counts / counts.sum() - 0.1).max() < 0.02


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [("centre", {"sigma": 0}, "above 0, not 0"), ("centre", {"sigma": np.inf}, "above 0, not inf"),
     ("random-map", {"seed": -1}, "seed"), ("random-map", {"seed": 0.5}, "seed")],
)  # fmt: skip
def test_parameters_out_of_range_are_refused(method, params, said):
    with pytest.raises(seewhy.BadParameter, match=said):
        seewhy.METHODS[method](seewhy.wrap(networks.pooled()), networks.images(1, 8, 8), **params)


def test_each_control_is_marked_as_one():
    for method in (seewhy.centre, seewhy.random_map):
        (heatmap,) = method(seewhy.wrap(networks.pooled()), networks.images(1, 8, 8))
        assert f"a control: {method.name} does not look at what the network found" in heatmap.warnings
        assert heatmap.source.index is None
