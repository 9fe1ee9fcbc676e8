"""How a Keras model is called, on any backend."""

import pytest

keras = pytest.importorskip("keras")
import numpy as np  # noqa: E402

import seewhy  # noqa: E402
from seewhy.arrays import numbers  # noqa: E402
from seewhy.models.keras.call import KerasCall  # noqa: E402
from seewhy.models.settings import Settings  # noqa: E402
from support.keras_models import L, images, residual, subclassed  # noqa: E402


def given(x):
    return keras.ops.convert_to_tensor(x)


def test_the_last_activation_is_left_off_and_told():
    model = residual()
    call = KerasCall(model, Settings())
    logits = numbers(call(given(images())))
    np.testing.assert_allclose(numbers(keras.ops.softmax(logits)), numbers(model(given(images()))), rtol=1e-4, atol=1e-6)
    assert (call.left, call.note.startswith("the softmax at the end")) == ("softmax", True)
    plain = KerasCall(residual(activation=None), Settings())
    plain(given(images()))
    assert (plain.left, plain.note) == ("", "")


@pytest.mark.parametrize("build", [residual, subclassed])
def test_layers_can_be_seen_and_what_they_emit_replaced(build):
    model, met = build(), []
    call = KerasCall(model, Settings())

    def at(name, emitted):
        met.append(name)
        return emitted * 0 if name == "pool" else emitted

    scores = numbers(call(given(images()), at))
    assert met.index("block/conv") < met.index("block") < met.index("pool") < met.index("scores")
    np.testing.assert_allclose(scores, np.broadcast_to(numbers(model.layers[-1].bias.value), scores.shape), atol=1e-6)
    met.clear()
    call(given(images()), at, ["block"])
    assert met == ["block"]


def test_what_it_is():
    call = KerasCall(residual(), Settings())
    assert (call.rank, call.channels, call.dtype) == (4, -1, "float32")
    assert call.kinds()["block/norm"] == "BatchNormalization"
    assert call.axes()["down"] == -1
    assert "sum" not in call.axes()


def test_a_change_of_a_layer_shows_and_one_of_weights_does_not():
    model = residual()
    call = KerasCall(model, Settings())
    before = call.structure()
    call(given(images()))
    model.get_layer("scores").bias.assign(np.ones(5))
    assert call.structure() == before
    model.get_layer("down").activation = keras.activations.elu
    changed = call.structure()
    assert changed != before
    model.get_layer("down").strides = (1, 1)
    assert call.structure() != changed


def test_other_inputs_and_one_of_several_outputs():
    image, age = keras.Input((8, 8, 3), name="image"), keras.Input((1,), name="age")
    x = L.Concatenate()([L.GlobalAveragePooling2D()(image), age])
    model = keras.Model([image, age], {"scores": L.Dense(2, name="a")(x), "map": L.Conv2D(3, 1, name="b")(image)})
    inputs = {"image": seewhy.IMAGE, "age": np.array([[3.0]], np.float32)}
    x = images(2, side=8)
    expected = model([given(x), given(np.full((2, 1), 3, np.float32))])
    scores = KerasCall(model, Settings(inputs=inputs, output="scores"))(given(x))
    np.testing.assert_allclose(numbers(scores), numbers(expected["scores"]), rtol=1e-5)
    dense = KerasCall(model, Settings(inputs=inputs, output="map"))(given(x))
    np.testing.assert_allclose(numbers(dense), np.moveaxis(numbers(expected["map"]), -1, 1), rtol=1e-5)
