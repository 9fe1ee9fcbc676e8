"""The softmax or sigmoid at the end of a Keras model is known, and left off."""

import keras
import numpy as np
import pytest

from seewhy.arrays import numbers
from seewhy.models.keras.endings import activation_of, distinct, each_output, tells
from seewhy.models.keras.layers import tapped
from support.keras_models import L, images, residual, seeded, subclassed


def endings_of(model, run):
    return distinct(each_output(model, run))


def ended(*last):
    seeded()
    return keras.Sequential([keras.Input((24, 24, 3)), L.Flatten(), *last])


def by_operation():
    image = keras.Input((24, 24, 3))
    return keras.Model(image, keras.ops.softmax(L.Dense(3, name="before")(L.Flatten()(image))))


def nested():
    image = keras.Input((24, 24, 3))
    return keras.Model(image, L.Reshape((5, 1))(residual()(image)))


def softened(x, kind):
    x = x - x.max(-1, keepdims=True) if kind == "softmax" else x
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True) if kind == "softmax" else 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("model", "kind", "name"),
    [
        (residual, "softmax", "scores"),
        (lambda: residual(activation="sigmoid"), "sigmoid", "scores"),
        (nested, "softmax", "scores"),
        (lambda: ended(L.Dense(3), L.Softmax(name="last")), "softmax", "last"),
        (lambda: ended(L.Dense(3), L.Activation("softmax", name="last", dtype="float32")), "softmax", "last"),
        (lambda: ended(L.Dense(3, activation=L.Softmax(), name="last"), L.Dropout(0.5)), "softmax", "last"),
        (lambda: ended(L.Dense(1, activation="sigmoid", name="last"), L.Activation("linear")), "sigmoid", "last"),
        (by_operation, "softmax", None),
        (subclassed, "softmax", "scores"),
        (lambda: subclassed("sigmoid"), "sigmoid", "scores"),
    ],
)
def test_the_last_activation_is_found_and_left_off(model, kind, name):
    model, x = model(), images()
    (ending,) = endings_of(model, lambda: model(x))
    assert ending.kind == kind
    assert name is None or ending.name == name
    assert ending.name in ending.note
    plain = numbers(model(x))
    with tapped([(ending.layer, ending.off)]):
        logits = numbers(model(x))
    shape = logits.shape
    soft = softened(logits.reshape(len(x), -1), kind).reshape(shape)
    np.testing.assert_allclose(soft, plain, rtol=1e-4, atol=1e-6)
    assert not np.allclose(logits, plain)
    np.testing.assert_array_equal(numbers(model(x)), plain)


@pytest.mark.parametrize(
    "model",
    [lambda: residual(activation=None), lambda: subclassed(None), lambda: ended(L.Dense(3, activation="softmax"), L.Dense(2)),
     lambda: ended(L.Dense(3, activation="relu"))],
)  # fmt: skip
def test_others_have_none(model):
    model = model()
    assert endings_of(model, lambda: model(images())) == ()


def test_a_subclassed_model_runs_once_and_again_when_its_activation_was_changed():
    model, runs = subclassed(), []

    def run():
        runs.append(1)
        return model(images())

    assert len(endings_of(model, run)) == len(endings_of(model, run)) == len(runs) == 1
    model.scores.activation = keras.activations.linear
    assert endings_of(model, run) == ()


def test_only_these_two_are_endings():
    assert activation_of(L.Activation("softmax")) == activation_of(L.Softmax()) == "softmax"
    assert [activation_of(L.Activation(name)) for name in ("relu", "tanh", "log_softmax", "hard_sigmoid")] == [""] * 4


def test_layers_tell_how_a_model_ends_unless_code_of_a_person_s_own_comes_last():
    class Own(L.Layer):
        def call(self, x):
            return keras.ops.softmax(x)

    assert tells(residual())
    assert tells(nested())
    assert tells(by_operation())
    assert not tells(subclassed())
    assert not tells(ended(L.Dense(3), Own()))
    assert not tells(ended(L.Dense(3), L.Lambda(lambda x: x)))


def test_each_output_has_its_own():
    seeded()
    image = keras.Input((24, 24, 3))
    flat = L.Flatten()(image)
    kind, size = L.Dense(3, activation="softmax", name="kind")(flat), L.Dense(1, name="size")(flat)
    ends = each_output(keras.Model(image, {"kind": kind, "size": size}), None)
    assert [end and end.name for end in ends] == ["kind", None]
