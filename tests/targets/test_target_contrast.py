"""What is explained changes the map in a known way: contrasts, counterfactuals, probabilities, one target per image."""

import numpy as np
import pytest

import seewhy
from seewhy import Contrast, PerImage, Top
from support import ask, networks
from support.references import cams as references

ALL = list(range(networks.CLASSES))
LINEAR = ("grad-cam", "hires-cam", "counterfactual", "xgrad-cam")  # in the gradient
X = networks.images(3, seed=12)


def base(network, method, layer="act2"):
    return ask.maps(network, method, X, ALL, [layer])[layer]


@pytest.mark.parametrize("toy", ["pooled", "flat_head"])
@pytest.mark.parametrize("method", LINEAR)
@pytest.mark.parametrize("strength", [0.0, 0.6, 1.5])
def test_a_contrast_is_the_difference_of_maps(method, toy, strength):
    """Finer-CAM: M_1 - strength mean(M_2, M_4), signed; at strength 0 the plain map."""
    network = getattr(networks, toy)()
    found = ask.maps(network, method, X, [Contrast(1, [2, 4], strength=strength)], ["act2"])["act2"][0]
    m = base(network, method)
    ask.close(found, m[1] - strength * (m[2] + m[4]) / 2)
    if strength:
        ask.far(found, m[1])


def test_the_contrast_of_cam_is_the_difference_of_maps():
    m = base(networks.pooled(), "cam")
    found = ask.maps(networks.pooled(), "cam", X, [Contrast(1, [2, 4], strength=0.6)], ["act2"])["act2"][0]
    ask.close(found, m[1] - 0.6 * (m[2] + m[4]) / 2)


@pytest.mark.parametrize("method", ["layer-cam", "grad-cam-pp"])
def test_methods_that_drop_negative_gradients_have_no_such_sum(method):
    m = base(networks.flat_head(), method)
    found = ask.maps(networks.flat_head(), method, X, [Contrast(1, [2, 4])], ["act2"])["act2"][0]
    ask.far(found, m[1] - (m[2] + m[4]) / 2)


def test_look_alikes_are_the_nearest_other_classes_of_each_image():
    network = networks.flat_head()
    m = base(network, "hires-cam")
    found = ask.maps(network, "hires-cam", X, [Contrast(c, look_alikes=2, strength=0.7) for c in ALL], ["act2"])["act2"]
    chosen, highest = [], []
    for c in ALL:
        for i, image in enumerate(X):
            scores = references.scores(network, image)
            others = [k for k in ALL if k != c]
            first, second = sorted(others, key=lambda k, s=scores, c=c: abs(s[k] - s[c]))[:2]
            chosen.append({first, second})
            highest.append({*sorted(others, key=lambda k, s=scores: -s[k])[:2]})
            ask.close(found[c][i], m[c, i] - 0.7 * (m[first, i] + m[second, i]) / 2)
    of_class = [chosen[c * len(X) : (c + 1) * len(X)] for c in ALL]
    assert any(one != row[0] for row in of_class for one in row), "images that choose alike test little"
    assert chosen != highest, "classes whose nearest are always the highest test little"


@pytest.mark.parametrize("toy", ["pooled", "flat_head", "signed_features"])
def test_grad_cam_and_counterfactual_are_the_two_halves_of_one_map(toy):
    model = seewhy.wrap(getattr(networks, toy)())
    for_it, signed, against = (
        ask.values(method(model, X, target=ALL, layer="act2"))
        for method in (seewhy.grad_cam, seewhy.grad_cam.using(signed=True), seewhy.counterfactual)
    )
    np.testing.assert_array_equal(for_it * against, 0)  # disjoint supports
    assert for_it.any()
    assert against.any()
    ask.close(for_it - against, signed, rel=1e-6)


@pytest.mark.parametrize("toy", ["pooled", "flat_head", "lstm_head"])
@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
def test_probabilities_mix_every_class_into_the_map(method, toy):
    """d p_c = p_c (d y_c - sum_k p_k d y_k), and without the factor p_c for log p_c.  methods.md 2.2."""
    network, layer = getattr(networks, toy)(), "act1"
    m = base(network, method, layer)  # (k, n, h, w)
    probability = ask.maps(network, method, X, ALL, [layer], scores="probability")[layer]
    logarithm = ask.maps(network, method, X, ALL, [layer], scores="log-probability")[layer]
    for i, image in enumerate(X):
        y = references.scores(network, image)
        p = np.exp(y) / np.exp(y).sum()
        mixed = sum(p[k] * m[k, i] for k in ALL)
        for c in ALL:
            ask.close(logarithm[c, i], m[c, i] - mixed)
            ask.close(probability[c, i], p[c] * (m[c, i] - mixed))
            assert np.corrcoef(probability[c, i].ravel(), m[c, i].ravel())[0, 1] < 0.9999, "more than its scale changes"


@pytest.mark.parametrize("scores", ["logits", "log-probability", "probability"])
def test_the_source_says_what_was_explained(scores):
    network = networks.flat_head()
    maps = seewhy.grad_cam(seewhy.wrap(network, scores=scores), X, target=[2, Contrast(0, [3], strength=0.5)])
    for i, image in enumerate(X):
        y = references.scores(network, image)
        p = np.exp(y) / np.exp(y).sum()
        explained = {"logits": y, "log-probability": np.log(p), "probability": p}[scores]
        one, contrast = maps[2 * i].source, maps[2 * i + 1].source
        assert one.scores == contrast.scores == scores
        assert (one.index, contrast.index) == (2, None)
        np.testing.assert_allclose([one.score, contrast.score], [explained[2], explained[0] - 0.5 * explained[3]], rtol=1e-9)
        np.testing.assert_allclose(one.probability, p[2], rtol=1e-9)
        assert one.predicted.index == y.argmax()


def test_contrasts_of_different_strength_have_different_names():
    """So that a Source tells them apart, and fuse() does not take them for layers of one question."""
    model = seewhy.wrap(networks.pooled())
    maps = seewhy.grad_cam(model, X[:1], target=[Contrast(1, [2], strength=s) for s in (0.2, 0.9, 1.0)])
    assert len({m.source.target for m in maps}) == 3


def test_top_is_of_each_image_and_so_is_per_image():
    """Trap 16: an argmax over the whole batch would give every image the same class."""
    network = networks.flat_head()
    m = base(network, "grad-cam")
    order = [np.argsort(-references.scores(network, image)) for image in X]
    assert len({o[0] for o in order}) > 1
    targets = [Top(), Top(2), PerImage([4, Top(3), Contrast(0, [1])])]
    maps = seewhy.grad_cam(seewhy.wrap(network), X, target=targets, signed=True)
    own = [m[4, 0], m[order[1][2], 1], m[0, 2] - m[1, 2]]
    for i in range(len(X)):
        first, second, third = maps[3 * i : 3 * i + 3]
        assert (first.source.index, second.source.index) == (order[i][0], order[i][1])
        ask.close(first.values, m[order[i][0], i], rel=1e-5)
        ask.close(second.values, m[order[i][1], i], rel=1e-5)
        ask.close(third.values, own[i], rel=1e-5)
