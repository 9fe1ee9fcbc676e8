"""Maps of a concept vector: cell by cell what the classifier decides."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NotApplicable
from support import networks
from support.concept_networks import images, model


def vectors(layer, flatten=False):
    return seewhy.tcav(
        model(),
        {"pattern": images(8, 3, 0.6)},
        images(2, 2),
        0,
        layer,
        images(40, 1),
        runs=2,
        random_concepts=39,
        flatten=flatten,
    ).vectors["pattern", layer]


@pytest.mark.parametrize("flatten", [False, True])
def test_the_mean_of_a_map_is_the_classifiers_decision(flatten):
    vector, x = vectors("mix", flatten), np.concatenate([images(2, 5), images(2, 6, 1.0)])
    a = model().activations(x, ["mix"])[0]["mix"].numpy()
    decisions = [float((vector.weights * (row if flatten else row.mean((1, 2)))).sum() + vector.bias) for row in a]
    maps = vector.maps(model(), x)
    assert [heatmap.values.shape for heatmap in maps] == [(2, 3)] * 4
    np.testing.assert_allclose([heatmap.values.mean() for heatmap in maps], decisions, rtol=1e-5)
    assert [decision > 0 for decision in decisions] == [False, False, True, True]
    assert maps[0].source.measured["decision"] == pytest.approx(decisions[0])
    assert "concept pattern at mix" in maps[0].source.caption


def test_a_map_is_high_where_the_pattern_is():
    """The pattern in one patch alone."""
    x = images(1, 5)
    x[0, :, 4:, 8:] += images(1, 0, 3.0)[0, :, 4:, 8:]
    (heatmap,) = vectors("mix").maps(model(), x)
    assert np.unravel_index(heatmap.values.argmax(), (2, 3)) == (1, 2)


def test_the_direction_has_length_one():
    vector = vectors("mix", True)
    assert np.linalg.norm(vector.direction) == pytest.approx(1)
    np.testing.assert_allclose(vector.direction * np.linalg.norm(vector.weights), vector.weights)


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(NotApplicable, match="flat has no space"):
        vectors("flat").maps(model(), images(1, 0))
    with pytest.raises(BadParameter, match="has other weights"):
        vectors("mix").maps(seewhy.wrap(networks.pooled()), networks.images(1))
    with pytest.raises(BadParameter, match="Give images of the size of the examples"):
        vectors("mix", True).maps(model(), np.zeros((1, 3, 8, 8)))
