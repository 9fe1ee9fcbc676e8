"""Files of Keras 2 load, and give what the model gave."""

import keras
import numpy as np
import pytest

import seewhy
from seewhy.arrays import numbers
from seewhy.errors import BadWeights
from seewhy.models.zoo.keras_legacy import check_origin, of_today, text_of
from support import legacy_h5
from support.keras_models import L, images, seeded


def small_resnet():
    """The names and layers of Keras 2's ResNet50, as its last block has them."""
    seeded()
    image = keras.Input((24, 24, 3), name="input_1")
    x = L.ZeroPadding2D(3, name="conv1_pad")(image)
    x = L.Activation("relu")(L.BatchNormalization(axis=3, name="bn_conv1")(L.Conv2D(8, 7, 2, name="conv1")(x)))
    x = y = L.MaxPooling2D(3, 2)(x)
    for branch, size in (("2a", 1), ("2b", 3), ("2c", 1)):
        y = L.Conv2D(8, size, padding="same", name=f"res5c_branch{branch}")(y)
        y = L.BatchNormalization(axis=3, name=f"bn5c_branch{branch}")(y)
        y = L.Activation("relu")(y) if branch != "2c" else y
    x = L.Activation("relu")(L.Add()([y, x]))
    x = L.Flatten()(L.AveragePooling2D(4, name="avg_pool")(x))
    return keras.Model(image, L.Dense(6, activation="softmax", name="fc1000")(x), name="resnet50")


def others():
    seeded()
    return keras.Sequential([
        keras.Input((24, 24, 3)), L.DepthwiseConv2D(3, name="depth"), L.ReLU(6.0), L.SeparableConv2D(5, 3, name="parts"),
        L.Reshape((20, 100)), L.LSTM(4, name="memory"), L.Dense(3, activation="softmax", name="last"),
    ])  # fmt: skip


def nested():
    seeded()
    image = keras.Input((24, 24, 3), name="whole")
    return keras.Model(image, L.Dense(3, name="own")(small_resnet()(image)), name="transfer")


@pytest.mark.parametrize(
    ("make", "settings"),
    [(small_resnet, legacy_h5.old_functional), (others, legacy_h5.old_sequential), (nested, legacy_h5.old_functional),
     (others, lambda model: legacy_h5.old_sequential(model, as_list=True))],
)  # fmt: skip
def test_a_file_of_keras_2_gives_what_its_model_gave(make, settings, tmp_path):
    model = make()
    path = legacy_h5.write(tmp_path / "model.h5", model, settings(model))
    loaded = seewhy.load(str(path))
    x = images()
    expected = numbers(model(x))
    found = loaded.answer(np.moveaxis(x, -1, 1).copy())
    scores = found.probabilities if make is not nested else found.scores
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_the_layer_of_the_article_is_explained(tmp_path):
    model = small_resnet()
    path = legacy_h5.write(tmp_path / "resnet50.hdf5", model, legacy_h5.old_functional(model))
    (heatmap,) = seewhy.grad_cam(seewhy.load(str(path)), images(1), layer="res5c_branch2c")
    assert heatmap.source.layer == "res5c_branch2c"
    assert abs(heatmap.values).max() > 0


@pytest.mark.parametrize(
    ("version", "backend", "words"), [("1.2.2", "tensorflow", "another order"), ("2.0.5", "theano", "on Theano")]
)
def test_weights_in_another_order_are_refused(version, backend, words, tmp_path):
    model = small_resnet()
    path = legacy_h5.write(tmp_path / "old.h5", model, legacy_h5.old_functional(model), version, backend)
    with pytest.raises(BadWeights, match=words):
        seewhy.load(str(path))


def test_what_changed_something_is_kept_and_so_refused():
    config = {"class_name": "DepthwiseConv2D", "config": {"name": "a", "kernel_size": [3, 3], "groups": 2}}
    assert of_today(config) == config
    made = of_today({**config, "config": {**config["config"], "groups": 1}})
    assert made["config"] == {"name": "a", "kernel_size": [3, 3]}
    own = {"class_name": "MyOwn", "config": {"groups": 1}}
    assert of_today(own) == own


def test_attributes_are_read_as_text():
    assert text_of(b"2.2.4") == text_of(np.array(b"2.2.4", object)) == text_of("2.2.4") == "2.2.4"
    assert text_of(None) == ""
    assert check_origin({"keras_version": b"2.2.4", "backend": b"tensorflow"}, "x") == "Keras 2.2.4 on tensorflow"
    assert check_origin({}, "x") == "Keras of an unknown version"
