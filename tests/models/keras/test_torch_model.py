"""Keras models on the torch backend: the same numbers as torch's on the same weights."""

import keras
import numpy as np
import pytest

import seewhy
from support.ask import asked
from support.keras_models import AddedLow, images, subclassed
from support.twins import twins

if keras.backend.backend() != "torch":
    pytest.skip("of the torch backend", allow_module_level=True)

ATTENTION = {"attention-rollout", "transformer-relevance", "le-grad"}
SAME = [name for name in seewhy.METHODS if name not in ATTENTION]


@pytest.fixture(scope="module")
def both():
    return [seewhy.wrap(network) for network in twins()]


def first_axis(x):
    return np.moveaxis(x, -1, 1).copy()


def test_layers_have_names_shapes_places_and_a_default(both):
    keras_model, torch_model = both
    x = first_axis(images())
    layers = keras_model.layers(x)
    assert layers["block/conv"].shape == (6, 22, 22)
    assert keras_model.default(x)[0] == "joined"
    torch_model.layers(x)
    assert keras_model.cells("joined", x) == torch_model.cells("joined", x)
    assert keras_model.cells("down", x) == torch_model.cells("down", x)


def test_the_logit_is_explained_and_the_probability_told(both):
    model, x = both[0], images()
    answer = model.answer(first_axis(x))
    assert any("softmax at the end (scores) is left off" in note for note in answer.notes)
    p = model.keras_model(x).detach().numpy()
    np.testing.assert_allclose(answer.probabilities, p, atol=1e-6)
    heatmap = seewhy.explain(model, x, methods=["grad-cam"])[0]
    assert heatmap.source.probability == pytest.approx(p[0].max(), abs=1e-6)
    assert heatmap.source.score == pytest.approx(answer.scores[0].max())
    assert "keras" in heatmap.source.versions


def test_a_subclassed_model_has_a_map_for_each_call_of_a_layer():
    model = seewhy.wrap(subclassed())
    maps = seewhy.explain(model, images(), methods=["grad-cam"], layer="again")
    assert [heatmap.source.layer for heatmap in maps[:2]] == ["again#1", "again#2"]


@pytest.mark.parametrize("kind", ["logits", "log-probability", "probability"])
def test_other_scores_are_made_of_the_logits(kind):
    network, twin = twins()
    x = images()
    ours, theirs = seewhy.wrap(network, scores=kind), seewhy.wrap(twin, scores=kind)
    np.testing.assert_allclose(ours.answer(first_axis(x)).scores, theirs.answer(first_axis(x)).scores, atol=1e-6)


def test_batches_of_signals_are_told_by_the_input():
    signals = keras.Sequential([keras.Input((20, 2)), keras.layers.Conv1D(3, 3), keras.layers.GlobalAveragePooling1D()])
    assert seewhy.wrap(signals).takes_signals()
    assert not seewhy.wrap(twins()[0]).takes_signals()


@pytest.mark.parametrize("name", SAME)
def test_each_method_gives_the_map_of_torch(both, name):
    x = images()
    ours, theirs = (
        seewhy.explain(model, given, methods=[asked(name)]) for model, given in zip(both, (x, first_axis(x)), strict=True)
    )
    for found, expected in zip(ours, theirs, strict=True):
        scale = abs(expected.values).max()
        assert found.source.layer == expected.source.layer
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=2e-5 * scale)


def numbers_of(variable):
    return variable.value.detach().cpu().numpy()


def test_cam_of_a_head_of_a_persons_own_class_has_the_weights_that_channels_have():
    keras.utils.set_random_seed(1)
    image = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="body")(image)
    head = AddedLow(5, name="head")
    model = keras.Model(image, head(keras.layers.GlobalAveragePooling2D()(x)))
    maps = seewhy.cam(seewhy.wrap(model), images(), target=2, layer="body", signed=True)
    a = model.get_layer("body")(images()).detach().cpu().numpy()
    w = numbers_of(head.kernel) + 30 * numbers_of(head.down) @ numbers_of(head.up)
    for one, other in zip(maps, a @ w[:, 2], strict=True):
        np.testing.assert_allclose(one.values, other, rtol=1e-4, atol=1e-5 * abs(other).max())


def test_a_head_that_ends_in_a_curve_has_no_cam():
    keras.utils.set_random_seed(1)
    image = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="body")(image)
    model = keras.Model(image, keras.layers.Dense(5, activation="tanh")(keras.layers.GlobalAveragePooling2D()(x)))
    with pytest.raises(seewhy.NotApplicable, match="not linear"):
        seewhy.cam(seewhy.wrap(model), images(), target=2, layer="body")
