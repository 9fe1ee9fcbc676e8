"""`wrap` of Keras models."""

import keras
import pytest

import seewhy
from seewhy.errors import BadParameter
from seewhy.models.keras import adapter
from seewhy.models.keras.torch_model import TorchKerasModel
from support.keras_models import L, images, residual, subclassed

torch_only = pytest.mark.skipif(keras.backend.backend() != "torch", reason="of the torch backend")


@torch_only
@pytest.mark.parametrize(
    "make", [residual, subclassed, lambda: keras.Sequential([keras.Input((24, 24, 3)), L.Flatten(), L.Dense(3)])]
)
def test_models_of_all_kinds_are_wrapped(make):
    model = make()
    wrapped = seewhy.wrap(model)
    assert type(wrapped) is TorchKerasModel
    assert wrapped.name == model.name
    assert seewhy.wrap(model, name="mine").name == "mine"


@torch_only
def test_a_layer_alone_is_wrapped():
    layer = L.Conv2D(4, 3)
    layer(images())
    assert type(seewhy.wrap(layer)) is TorchKerasModel


def test_what_has_no_weights_yet_is_told_how_it_gets_them():
    with pytest.raises(BadParameter, match=r"build\(\(None, 224, 224, 3\)\)"):
        seewhy.wrap(keras.Sequential([L.Flatten(), L.Dense(3)]))


def test_other_versions_and_backends_are_refused_in_words(monkeypatch):
    model = residual()
    monkeypatch.setattr(adapter.keras.backend, "backend", lambda: "numpy")
    with pytest.raises(BadParameter, match="numpy backend"):
        seewhy.wrap(model)
    monkeypatch.setattr(adapter.keras, "__version__", "2.15.0")
    with pytest.raises(BadParameter, match=r"Keras 2\.15\.0"):
        seewhy.wrap(model)
