"""Networks of keras.applications on whichever backend Keras runs here: the layer that torch explains, and torch's maps.

KERAS_BACKEND names the backend; each expectation below is what torch gives, so all backends are held to the same.
"""

import pytest

keras = pytest.importorskip("keras")
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

import seewhy  # noqa: E402
from seewhy.arrays import numbers  # noqa: E402
from support import real  # noqa: E402
from support.ask import asked, values  # noqa: E402

DEFAULTS = {
    "ResNet50": "conv5_block3_out", "MobileNetV2": "out_relu", "VGG16": "block5_conv3", "DenseNet121": "relu",
    "EfficientNetB0": "top_activation", "Xception": "block14_sepconv2_act",
    "ConvNeXtTiny": "convnext_tiny_stage_3_block_2_identity",
}  # fmt: skip
TORCH = keras.backend.backend() == "torch"


POOLED = (
    "ResNet50",
    "MobileNetV2",
    "DenseNet121",
    "EfficientNetB0",
    "Xception",
)  # behind the layer lie pooling and a Dense alone


@pytest.mark.parametrize("network", DEFAULTS)
def test_by_name_a_photo_is_explained_at_the_layer_that_torch_explains(network):
    side = 75 if network == "Xception" else 64
    options = {"input_shape": (side, side, 3), "classes": 3}
    model = seewhy.load(f"keras/{network.lower()}", "random", options=options)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8))
    methods = [seewhy.grad_cam.using(signed=True), seewhy.hires_cam.using(signed=True)]
    plain, hires = seewhy.explain(model, photo, methods, target=1)
    assert plain.source.layer == hires.source.layer == DEFAULTS[network]
    assert plain.full().shape == (80, 90)
    assert any("the logit is explained" in warning for warning in plain.warnings)
    assert np.isfinite(hires.values).all()
    assert hires.values.any()
    if network in POOLED:
        assert plain.values.shape == hires.values.shape
        np.testing.assert_allclose(plain.values, hires.values, rtol=1e-3, atol=1e-4 * abs(hires.values).max())


METHODS = ("cam", "grad-cam", "hires-cam", "layer-cam", "gradient", "guided-backprop", "deconvnet", "integrated-gradients")


@pytest.fixture(scope="module")
def both():
    model = seewhy.wrap(real.keras_mobilenet_v2(), prepare=real.HALF, labels="imagenet", geometry="plain")
    return model, real.model("timm/mobilenetv2_100", geometry="plain")


@real.needs_data
@pytest.mark.skipif(TORCH, reason="of the tensorflow and jax backends")
@pytest.mark.parametrize("name", METHODS)
def test_maps_of_real_photos_are_timm_s(both, name):
    files = [real.DATA / "imagenet-sample" / row["file"] for row in real.rows("imagenet-sample")[:3]]
    found, expected = (asked(name)(model, [Image.open(file).convert("RGB") for file in files]) for model in both)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.source.index, ours.source.label, ours.box) == (theirs.source.index, theirs.source.label, theirs.box)
        assert ours.source.probability == pytest.approx(theirs.source.probability, abs=1e-3)
        off = np.linalg.norm(ours.values - theirs.values) / np.linalg.norm(theirs.values)
        assert off < (5e-3 if ours.source.layer != "input" else 3e-2)  # of pixels: single ReLUs of float32 tip over


@real.needs_data
@pytest.mark.skipif(TORCH, reason="of the tensorflow and jax backends")
def test_maps_by_many_scores_are_timm_s(both):
    photo = Image.open(real.DATA / "imagenet-sample" / real.rows("imagenet-sample")[0]["file"]).convert("RGB")
    for name, settings in (
        ("recipro-cam", {}),
        ("occlusion", {"window": 56, "stride": 56}),
        ("score-cam", {"top_channels": 16}),
    ):
        ours, theirs = (values(seewhy.METHODS[name](model, photo, **settings)) for model in both)
        assert abs(ours - theirs).max() < 5e-3 * abs(theirs).max()


@pytest.mark.skipif(TORCH, reason="of the tensorflow and jax backends")
def test_the_model_is_not_changed_by_all_this():
    model = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classes=3)
    before = [numbers(variable.value).copy() for variable in model.variables]
    x = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    said = numbers(model(x))
    seewhy.guided_backprop(seewhy.wrap(model), x)
    for variable, held in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(numbers(variable.value), held)
    np.testing.assert_array_equal(numbers(model(x)), said)


def test_the_code_of_docs_keras_backends_runs():
    pytest.importorskip("jax")
    pytest.importorskip("flax")
    from support import jax_networks as made
    from support.snippets import of_keras, snippets

    (snippet,) = snippets("docs/keras_backends.md")
    space = {
        "keras_model": of_keras(), "function": made.scores, "params": made.params(), "nnx_module": made.nnx_pooled(),
        "linen_module": made.LinenPooled(), "variables": made.variables(),
        "x": np.random.default_rng(0).normal(size=(2, 12, 16, 3)).astype(np.float32),
    }  # fmt: skip
    exec(compile("\n" * (snippet.line - 1) + snippet.code, snippet.page, "exec"), space)
    assert isinstance(space["model"], seewhy.models.model.Differentiable)
