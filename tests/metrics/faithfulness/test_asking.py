"""The method asked again: sensitivity of maps that are known on paper, and maps of another class."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import NotApplicable
from seewhy.metrics.faithfulness.asking import maps_again, random_logit, sensitivity_max, structural_similarity
from seewhy.metrics.subject import subjects

torch = pytest.importorskip("torch")
nn = torch.nn


def network(classes=3, square=False):
    class Squares(nn.Module):
        def forward(self, x):
            return x * x

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(*([Squares()] if square else []), nn.Flatten(), nn.Linear(64, classes, bias=False))


X = np.random.default_rng(0).random((1, 1, 8, 8)).astype(np.float32)


def test_a_gradient_that_is_the_same_everywhere_does_not_move():
    model = seewhy.wrap(network())
    assert sensitivity_max(model, X, seewhy.gradient(model, X))[0] == pytest.approx(0, abs=1e-6)


def test_by_hand():
    """The gradient of sum w x^2 is 2 w x: a change of x by d moves it by 2 w d."""
    model = seewhy.wrap(network(square=True))
    (heatmap,) = seewhy.gradient(model, X, target=1, reduce="sum")
    w = model_weights(model)[1]
    for subject, _ in subjects(model, X, [heatmap]):
        rng, reach = subject.rng("sensitivity"), 0.1 * np.ptp(X)
        moved = [reach * rng.uniform(-1, 1, X[0].shape)[0] for _ in range(4)]
    expected = max(np.linalg.norm(2 * w * d) / np.linalg.norm(2 * w * X[0, 0]) for d in moved)
    assert sensitivity_max(model, X, [heatmap], radius=0.1, draws=4)[0] == pytest.approx(expected, rel=1e-4)


def test_photos_stay_between_black_and_white():
    """The image is white, and of all that is drawn only what is darker is left: a function of uint8 sees no other."""
    seen = []

    def function(images):
        seen.append(images)
        return images.reshape(len(images), -1).astype(np.float64) @ weights

    weights = np.random.default_rng(1).random((8 * 8 * 3, 2))
    photo = np.full((1, 8, 8, 3), 255, np.uint8)
    photo[0, :4] = 100
    model = seewhy.wrap(function)
    (heatmap,) = seewhy.explain(model, photo, [seewhy.occlusion.using(window=4, stride=4, fill="black")], target=0)
    seen.clear()
    moved = sensitivity_max(model, photo, [heatmap], radius=0.2, draws=2)[0]
    changed = [x for x in np.concatenate(seen) if (x[4:] != 255).any() and (x[:4] != 100).mean() > 0.9]
    assert len(changed) > 2
    assert np.mean([x[4:, 4:] for x in changed if x[4:, 4:].any()]) > 230  # of what wraps around, half is near black
    assert 0 < moved < 0.5


def model_weights(model):
    """The rows of the linear layer, read through gradients: (classes, 8, 8)."""
    g = seewhy.gradient(model, np.ones_like(X), target=[0, 1, 2], reduce="sum")
    return [heatmap.values.astype(np.float64) / 2 for heatmap in g]


def test_the_class_stays_though_another_becomes_the_top_one():
    model = seewhy.wrap(network(square=True))
    (heatmap,) = seewhy.gradient(model, X, reduce="sum")
    top = heatmap.source.index
    for subject, _ in subjects(model, X, [heatmap]):
        other = X[0] * np.where(model_weights(model)[top] > 0, 0.1, 1).astype(np.float32)
        assert model.answer(other[None]).scores[0].argmax() != top
        still, moved = maps_again(subject, heatmap, np.stack([X[0], other]), subject.pinned)
    np.testing.assert_allclose(still, heatmap.values, rtol=1e-5)
    np.testing.assert_allclose(moved, 2 * model_weights(model)[top] * other[0], rtol=1e-4, atol=1e-6)


def test_another_class_has_another_map_unless_the_class_plays_no_part():
    model = seewhy.wrap(network())
    (own,) = seewhy.gradient(model, X, target=0, reduce="sum")
    w = model_weights(model)
    for subject, _ in subjects(model, X, [own]):
        drawn = 1 + int(subject.rng("class").integers(0, 2))
    assert random_logit(model, X, [own])[0] == pytest.approx(structural_similarity(w[0], w[drawn]), abs=1e-4)
    assert random_logit(model, X, [own])[0] < 0.5
    two = nn.Linear(64, 2, bias=False)
    with torch.no_grad():
        two.weight[:] = torch.as_tensor(w[0].reshape(1, -1)).expand(2, -1)
    alike = seewhy.wrap(nn.Sequential(nn.Flatten(), two))
    maps = seewhy.gradient(alike, X, target=0, reduce="sum")
    assert random_logit(alike, X, maps)[0] == pytest.approx(1)
    assert random_logit(alike, X, maps, similarity="spearman")[0] == pytest.approx(1)


def test_structural_similarity_of_what_is_known():
    a = np.random.default_rng(1).random((9, 9))
    assert structural_similarity(a, 3 * a - 1) == pytest.approx(1)
    assert structural_similarity(a, -a) < 0
    assert structural_similarity(a[:4, :4], a[:4, :4]) == pytest.approx(1)  # its window shrinks with the map
    assert np.isnan([structural_similarity(a[:sides, :5], a[:sides, 4:]) for sides in (1, 2)]).all()


def test_what_cannot_be_asked_is_refused():
    model = seewhy.wrap(network())
    (contrast,) = seewhy.gradient(model, X, target=seewhy.Contrast(0, [1]))
    with pytest.raises(NotApplicable, match="0-vs-1 is not one of several such"):
        random_logit(model, X, [contrast])
    single = seewhy.wrap(network(1))
    with pytest.raises(NotApplicable, match="top 1 is not one of several such"):
        random_logit(single, X, seewhy.gradient(single, X))


def test_a_unit_is_no_class_that_another_could_stand_for():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    model, unit = seewhy.wrap(net.eval()), seewhy.Unit("0", 1)
    with pytest.raises(NotApplicable, match='unit:"0":1 is not one of several such'):
        random_logit(model, X, seewhy.gradient(model, X, target=unit))
