"""Folders of TensorFlow's SavedModel: nothing of them runs unless they are trusted, and then they give their scores."""

import pickle
import sys
import warnings

import numpy as np
import pytest

import seewhy
from seewhy import load
from seewhy.errors import BadNetwork, BadParameter, BadWeights, MissingExtra

MIX = np.array([[1, 0, 0, 2], [0, 1, 0, -1], [0, 0, 1, 0.5]], np.float32)


@pytest.fixture(scope="module")
def folder(tensorflow, tmp_path_factory):
    """A network with several signatures, and a function that gives its logits of images (n, 3, h, w)."""
    tf = tensorflow

    class Net(tf.Module):
        def __init__(self):
            self.mix = tf.Variable(MIX)

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 6, 3), tf.float32, name="image")])
        def serve(self, image):
            y = tf.reduce_mean(image, (1, 2)) @ self.mix
            return {"logits": y, "chances": tf.nn.softmax(y)}

        @tf.function(input_signature=[tf.TensorSpec((2, 3, None, None), tf.uint8, name="photo")])
        def photos(self, photo):
            return {"y": tf.reduce_mean(tf.cast(photo, tf.float32) / 255, (2, 3)) @ self.mix}

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="file")])
        def files(self, file):
            return {"y": tf.zeros((tf.shape(file)[0], 2))}

        @tf.function(
            input_signature=[tf.TensorSpec((None, 8, 6, 3), tf.float32, name="a"), tf.TensorSpec((1,), tf.float32, name="b")]
        )
        def two(self, a, b):
            return {"y": tf.reduce_mean(a, (1, 2)) + b}

    net, place = Net(), tmp_path_factory.mktemp("saved") / "net"
    signatures = {"serving_default": net.serve, "photos": net.photos, "files": net.files, "two": net.two}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(net, str(place), signatures=signatures)
    return place


def test_nothing_of_it_runs_unless_it_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # not even TensorFlow is asked
    (tmp_path / "saved_model.pb").write_bytes(b"anything")
    with pytest.raises(BadWeights, match=r"may read and write your files.*--trust"):
        load(str(tmp_path))
    with pytest.raises(MissingExtra, match=r"pip install '.*\[tensorflow\]'"):
        load(str(tmp_path), trust=True)


def test_what_it_does_not_take_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"anything")
    with pytest.raises(BadParameter, match="leave weights="):
        load(str(tmp_path), weights="a.pth", trust=True)
    with pytest.raises(BadParameter, match=r"no option .depth.\. It takes: takes, layout, signature, input"):
        load(str(tmp_path), options={"depth": 3}, trust=True)


def test_a_broken_folder_is_told(tensorflow, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"anything")
    with pytest.raises(BadNetwork, match="TensorFlow cannot load"):
        load(str(tmp_path), trust=True)


def test_the_outputs_of_its_signature_are_scores(folder):
    x = np.random.default_rng(0).uniform(-1, 1, (3, 3, 8, 6))
    expected = x.mean((2, 3)) @ MIX
    model = load(str(folder), trust=True, prepare={"mean": 0.5, "std": 0.5}, output="logits", scores="logits")
    np.testing.assert_allclose(model.answer(x).scores, expected, atol=1e-6)
    assert "sha256:" in model.weights
    assert model.versions()["tensorflow"]
    chances = load(str(folder), trust=True, prepare={"mean": 0.5, "std": 0.5}, output="chances").answer(x)
    e = np.exp(expected)
    np.testing.assert_allclose(chances.probabilities, e / e.sum(1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).answer(x).scores, model.answer(x).scores)


def test_it_is_explained(folder):
    photo = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    model = load(str(folder), trust=True, prepare={"mean": 0.0, "std": 1.0}, output="logits")
    (heatmap,) = seewhy.occlusion(model, photo, target=3, window=2, stride=2, fill="black")
    (expected,) = seewhy.occlusion(
        seewhy.wrap(lambda x: x.mean((1, 2)) / 255 @ MIX), photo, target=3, window=2, stride=2, fill="black"
    )
    np.testing.assert_allclose(heatmap.values, expected.values, atol=1e-5)


def test_photos_go_in_as_they_are_where_whole_numbers_are_taken(folder):
    model = load(str(folder), trust=True, options={"signature": "photos"})
    x = np.random.default_rng(0).integers(0, 256, (3, 3, 5, 7))
    np.testing.assert_allclose(model.answer(x).scores, (x / 255).mean((2, 3)) @ MIX, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [({}, BadParameter, "2 outputs.*output="), ({"output": "y"}, BadParameter, "no output 'y'"),
     ({"options": {"signature": "none"}}, BadParameter, "no signature 'none'"),
     ({"options": {"signature": "files"}}, BadNetwork, "takes string"),
     ({"options": {"signature": "two"}}, BadParameter, "2 inputs"),
     ({"options": {"signature": "two", "input": "a"}}, BadNetwork, "takes 2 tensors")],
)  # fmt: skip
def test_what_leaves_a_choice_is_asked_back(folder, given, error, words):
    with pytest.raises(error, match=words):
        load(str(folder), trust=True, **given)


def test_an_unknown_scale_is_asked_for(folder):
    model = load(str(folder), trust=True, output="logits")
    with pytest.raises(BadParameter, match="scale it does not tell"):
        seewhy.occlusion(model, np.zeros((8, 6, 3), np.uint8))
