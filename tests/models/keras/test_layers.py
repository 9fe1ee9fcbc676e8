"""Layers of Keras models by name, and functions in the place of their calls."""

import threading

import keras
import numpy as np
import pytest

from seewhy.arrays import numbers
from seewhy.errors import BadParameter
from seewhy.models.keras.layers import channels_of, named_layers, packed, photo_settings, tapped
from support.keras_models import L, block, images, residual, subclassed


def test_layers_are_named_by_where_they_lie():
    names = [*named_layers(residual())]
    assert names == ["block", "block/conv", "block/norm", "block/relu", "down", "branch", "sum", "joined", "pool", "scores"]
    assert [*named_layers(subclassed())] == [
        "block", "block/conv", "block/norm", "block/relu", "again", "pool", "scores",
    ]  # fmt: skip


def test_of_two_layers_of_one_name_and_in_two_places_each_has_one_name():
    class Twins(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = L.Dense(2, name="d.1"), L.Dense(2, name="d.1"), L.Dense(2, name="d_1")
            self.inner = keras.Sequential([self.a, self.b.__class__(2, name="e")])

    names = named_layers(Twins())
    assert len({*map(id, names.values())}) == len(names)
    assert [name for name in names if "/" not in name and name.startswith("d")] == ["d_1", "d_1_2", "d_1_3"]
    assert [name for name in names if "/" in name] == [f"{next(n for n in names if n.startswith('seq'))}/e"]


def test_a_call_goes_through_its_functions_and_the_layer_comes_back():
    model, x, seen = residual(), images(), []
    layer = model.get_layer("down")
    before = dict(vars(layer))

    def watch(call, *args, **kwargs):
        seen.append(tuple(args[0].shape))
        return call(*args, **kwargs)

    def double(call, *args, **kwargs):
        return 2 * call(*args, **kwargs)

    plain = numbers(model(x))
    with tapped([(layer, watch)]):
        model(x)
        with tapped([(layer, double), (layer, watch)]):
            assert not np.allclose(numbers(model(x)), plain)
        model(x)
    assert len(seen) == 4
    assert vars(layer).keys() == before.keys()
    np.testing.assert_array_equal(numbers(model(x)), plain)
    with pytest.raises(ZeroDivisionError), tapped([(layer, lambda call, *_: 1 / 0)]):
        model(x)
    assert "call" not in vars(layer)


def test_other_threads_call_the_layer_as_it_is():
    model, x = residual(), images()
    plain, other = numbers(model(x)), []
    with tapped([(model.get_layer("down"), lambda call, *args, **kwargs: 3 * call(*args, **kwargs))]):
        thread = threading.Thread(target=lambda: other.append(numbers(model(x))))
        thread.start()
        thread.join()
    np.testing.assert_array_equal(other[0], plain)


def test_a_method_of_the_layer_s_own_comes_back():
    layer = L.Dense(2)
    layer.build((None, 3))
    own = layer.call
    vars(layer)["call"] = own
    with tapped([(layer, lambda call, x: x)]):
        assert numbers(layer(np.ones((1, 3), np.float32))).shape == (1, 3)
    assert vars(layer)["call"] is own


def test_the_channels_are_where_the_first_layer_says():
    assert channels_of(residual()) == -1
    assert channels_of(keras.Sequential([L.Flatten(), L.Dense(2)])) == -1
    assert channels_of(keras.Sequential([keras.Input((3, 8, 8)), L.Conv2D(2, 3, data_format="channels_first")])) == 1


def test_inputs_given_one_by_one_or_by_name_have_the_model_s_structure():
    first, second = keras.Input((4,), name="first"), keras.Input((2,), name="second")
    listed = keras.Model([first, second], L.Concatenate()([first, second]))
    assert packed(listed, (1, 2), {}) == (([1, 2],), {})
    assert packed(listed, (), {"second": 2, "first": 1}) == (([1, 2],), {})
    named = keras.Model({"first": first, "second": second}, L.Concatenate()([first, second]))
    assert packed(named, (), {"second": 2, "first": 1}) == (({"first": 1, "second": 2},), {})
    assert packed(block(), (5,), {}) == ((5,), {})
    assert packed(block(), (5,), {"mask": None}) == ((5,), {"mask": None})


def test_the_size_of_photos_is_the_model_s_and_the_colours_are_said():
    with pytest.raises(BadParameter, match="mean and std"):
        photo_settings(residual())
    assert photo_settings(residual(), {"mean": 0.5}) == {"mean": 0.5, "std": 1.0, "size": (24, 24), "crop": None}
    assert photo_settings(residual(), {"std": 0.5, "size": 30}) == {"mean": 0.0, "std": 0.5, "size": 30}
    grey = keras.Sequential([keras.Input((8, 9, 1)), L.Flatten()])
    assert photo_settings(grey, {"mean": 0.5}) == {"mean": (0.5,), "std": (1.0,), "size": (8, 9), "crop": None}
    first = keras.Sequential([keras.Input((1, 8, 9)), L.Conv2D(2, 3, data_format="channels_first")])
    assert photo_settings(first, {"mean": 0}) == {"mean": (0,), "std": (1.0,), "size": (8, 9), "crop": None}
    anything = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(2, 3)])
    assert photo_settings(anything, {"mean": 0.0}) == {"mean": 0.0, "std": 1.0}
