"""keras.applications by name: preprocessing, labels, weights; and which backend Keras gets."""

import os
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, BadWeights, MissingExtra, NoSuchName
from seewhy.models.zoo import keras as zoo
from seewhy.models.zoo.sources import unreachable
from seewhy.prepare.fit import Fit
from support.keras_models import keras_saves, weights_of

SMALL = {"input_shape": (64, 64, 3)}


@pytest.fixture
def photo():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "method"),
    [("vgg16", "guided-backprop"), ("MobileNet", "cam"), ("EfficientNetB0", "layer-cam"), ("convnext_tiny", "gradient")],
)
def test_its_networks_load_by_name_and_are_explained(name, method, photo):
    """Others are loaded and explained at torch's layers in tests/whole/test_frameworks.py."""
    side, options = 64, {"input_shape": (64, 64, 3), "classes": 7}
    model = seewhy.load(f"keras/{name}", "random", options=options)
    (heatmap,) = seewhy.explain(model, photo, methods=[method])
    assert np.isfinite(heatmap.values).all()
    assert abs(heatmap.values).max() > 0
    assert heatmap.source.weights == "random, seed 0"
    assert heatmap.warnings[0].startswith("random weights, which nobody trained")
    if name == "MobileNet":
        again, other = (seewhy.load(f"keras/{name}", "random", options={**options, "seed": seed}) for seed in (0, 1))
        x = np.ones((1, 3, side, side), np.float32)
        assert np.array_equal(again.answer(x).scores, model.answer(x).scores)
        assert not np.array_equal(other.answer(x).scores, model.answer(x).scores)
    assert heatmap.source.model == f"keras/{name}"
    assert any("is left off" in note for note in heatmap.source.warnings)
    assert heatmap.box == Fit(round(side / 0.875), side).box(photo.size)
    assert model.labels is None


@pytest.mark.parametrize(
    "module", ["resnet", "vgg16", "densenet", "mobilenet", "mobilenet_v2", "xception", "convnext", "efficientnet"]
)
def test_photos_are_prepared_as_its_own_module_does(module, photo):
    preprocess = getattr(keras.applications, module).preprocess_input
    fit = zoo.fit_of(preprocess, (None, 64, 64, 3))
    plain = Fit(fit.size, fit.crop, 0.0, 1 / 255)(photo)  # from 0 to 255
    expected = preprocess(np.moveaxis(plain, 0, -1).copy())
    np.testing.assert_allclose(np.moveaxis(fit(photo), 0, -1), expected, atol=1e-4)
    assert fit.bgr == (module in ("resnet", "vgg16"))
    assert (fit.size, fit.crop) == (73, 64)


def test_sizes_follow_the_network():
    preprocess = keras.applications.vgg16.preprocess_input
    assert zoo.fit_of(preprocess, (None, None, None, 3)).crop == 224
    assert zoo.fit_of(preprocess, (None, 3, 299, 299)).size == 342
    wide = zoo.fit_of(preprocess, (None, 32, 64, 3))
    assert (wide.size, wide.crop) == ((32, 64), None)


def test_a_network_of_a_thousand_classes_has_imagenet_s_names():
    model = seewhy.load("keras/mobilenet", "random", options={"alpha": 0.25, **SMALL})
    assert len(model.labels) == 1000


@keras_saves
def test_weights_of_a_file_go_in(tmp_path):
    options = {"alpha": 0.25, "classes": 3, **SMALL}
    network = keras.applications.MobileNet(weights=None, **options)
    path = tmp_path / "mine.weights.h5"
    network.save_weights(path)
    model = seewhy.load("keras/mobilenet", path, options=options)
    assert all(np.array_equal(a, b) for a, b in zip(weights_of(model.keras_model), weights_of(network), strict=True))
    assert model.weights.startswith("mine.weights.h5 sha256:")
    with pytest.raises(BadWeights, match="classes=N"):
        seewhy.load("keras/mobilenet", path, options={**options, "classes": 4})
    with pytest.raises(BadWeights, match="not there"):
        seewhy.load("keras/mobilenet", tmp_path / "no.h5", options=options)
    (tmp_path / "net.pt").write_bytes(b"x")
    with pytest.raises(BadWeights, match="no file of weights that Keras saved"):
        seewhy.load("keras/mobilenet", tmp_path / "net.pt", options=options)


def test_a_network_that_does_not_prepare_its_photos_takes_no_photos(photo):
    options = {"include_preprocessing": False, "classes": 3, **SMALL}
    model = seewhy.load("keras/mobilenet_v3_small", "random", options=options)
    with pytest.raises(BadParameter, match="without `prepare`"):
        seewhy.grad_cam(model, photo)


def test_names_and_options_that_mean_nothing():
    with pytest.raises(NoSuchName, match="keras/resnet50"):
        seewhy.load("keras/resnet5")
    with pytest.raises(BadParameter, match="colour"):
        seewhy.load("keras/mobilenet", "random", options={"colour": 1})


def test_without_a_network_the_error_comes_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def unreached(url, spec):
        raise unreachable(spec, "no network")

    monkeypatch.setattr(zoo, "reach", unreached)
    with pytest.raises(BadWeights, match="weights=, --weights FILE"):
        seewhy.load("keras/resnet50")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mobilenet_v2_weights_tf.h5").write_bytes(b"")
    assert not zoo._cached("MobileNet")
    assert zoo._cached("MobileNetV2")


def test_a_download_that_fails_is_said_so(monkeypatch):
    def make(**given):
        raise Exception("URL fetch failure on https://x: 503 -- Service Unavailable")  # as Keras raises it

    make.__module__ = keras.applications.ResNet50.__module__
    monkeypatch.setattr(zoo, "reach", lambda url, spec: None)
    monkeypatch.setattr(zoo, "_application", lambda keras, request: ("ResNet50", make))
    with pytest.raises(BadWeights, match="503"):
        seewhy.load("keras/resnet50")


def test_the_backend_is_chosen_before_keras_is_imported():
    code = (
        "import os; from seewhy.models.zoo.keras import imported_keras; k = imported_keras(); "
        "print(k.backend.backend(), os.environ.get('KERAS_BACKEND'))"
    )
    env = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["torch", "None"]


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(zoo, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"keras is not installed.*pip install '.*\[keras\]'"):
        zoo.imported_keras()
    monkeypatch.setattr(zoo, "find_spec", lambda name: SimpleNamespace() if name == "keras" else None)
    with pytest.raises(MissingExtra, match=r"torch, tensorflow, jax"):
        zoo.imported_keras()
