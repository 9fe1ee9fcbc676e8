"""Keras models of many kinds, whole: heads, precisions, orders, inputs, dimensions, attention, threads."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import torch

import seewhy
from support.keras_models import L, images, residual, seeded

if keras.backend.backend() != "torch":
    pytest.skip("of the torch backend", allow_module_level=True)


def small(side=12, activation="softmax", classes=3):
    seeded()
    image = keras.Input((side, side, 3))
    x = L.GlobalAveragePooling2D()(L.Conv2D(4, 3, activation="relu", name="conv")(image))
    return keras.Model(image, L.Dense(classes, activation=activation, name="last")(x))


@pytest.mark.parametrize("classes", [1, 3])
def test_of_sigmoids_each_has_a_probability_of_its_own(classes):
    model, x = small(activation="sigmoid", classes=classes), images(1, 12)
    (heatmap,) = seewhy.grad_cam(seewhy.wrap(model), x)
    p = model(x).detach().numpy()[0]
    assert heatmap.source.probability == pytest.approx(p.max(), abs=1e-6)
    assert heatmap.source.score == pytest.approx(np.log(p.max() / (1 - p.max())), abs=1e-4)
    assert any("sigmoid at the end (last)" in note for note in heatmap.source.warnings)


@pytest.mark.parametrize(
    ("policy", "close"), [("float64", 1e-5), ("mixed_bfloat16", 0.1), ("mixed_float16", 0.02), ("bfloat16", 0.2)]
)
def test_in_every_precision(policy, close):
    (expected,) = seewhy.explain(seewhy.wrap(residual()), images(1), methods=["grad-cam"])
    reference = residual()
    keras.config.set_dtype_policy(policy)
    try:
        model = residual()
        for variable, value in zip(model.weights, reference.weights, strict=True):
            variable.assign(value.value.detach())
        maps = seewhy.explain(seewhy.wrap(model), images(1), methods=["grad-cam", "guided-backprop", "cam", "lrp"])
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(heatmap.values).all() for heatmap in maps)
    off = np.linalg.norm(maps[0].values - expected.values) / np.linalg.norm(expected.values)
    assert off < close


def test_channels_that_come_first():
    seeded()
    image = keras.Input((3, 12, 12))
    x = L.Conv2D(4, 3, activation="relu", data_format="channels_first", name="conv")(image)
    x = L.GlobalAveragePooling2D(data_format="channels_first")(x)
    model, x = keras.Model(image, L.Dense(3, activation="softmax", name="last")(x)), images(1, 12)
    last = small()
    for name in ("conv", "last"):
        for variable, value in zip(last.get_layer(name).weights, model.get_layer(name).weights, strict=True):
            variable.assign(value.value.detach())
    (ours,) = seewhy.grad_cam(seewhy.wrap(model), np.moveaxis(x, -1, 1).copy())
    (theirs,) = seewhy.grad_cam(seewhy.wrap(last), x)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-7)


@pytest.mark.parametrize("by_name", [True, False])
def test_other_inputs_beside_the_image(by_name):
    seeded()
    image, age = keras.Input((12, 12, 3), name="image"), keras.Input((2,), name="age")
    pooled = L.GlobalAveragePooling2D()(L.Conv2D(4, 3, activation="relu")(image))
    model = keras.Model([image, age], L.Dense(3, activation="softmax")(L.Concatenate()([pooled, age])))
    years, x = np.array([[0.3, 0.4]], np.float32), images(2, 12)
    inputs = {"image": seewhy.IMAGE, "age": years} if by_name else (seewhy.IMAGE, years)
    maps = seewhy.explain(seewhy.wrap(model, inputs=inputs), x, methods=["grad-cam", "occlusion"])
    p = model([torch.tensor(x), torch.tensor(np.repeat(years, 2, 0))]).detach().numpy()
    assert [heatmap.source.probability for heatmap in maps[::2]] == pytest.approx(list(p.max(1)), abs=1e-6)


def test_a_segmentation_is_explained_at_its_logits():
    seeded()
    image = keras.Input((12, 12, 3))
    hidden = L.Conv2D(8, 3, padding="same", activation="relu", name="hidden")(image)
    model = keras.Model(image, L.Conv2D(4, 1, activation="softmax", name="classes")(hidden))
    mask = np.zeros((12, 12), bool)
    mask[2:6, 3:8] = True
    x = images(1, 12)
    (heatmap,) = seewhy.hires_cam(seewhy.wrap(model), x, target=seewhy.Region(2, mask), layer="hidden")
    p = model(x).detach().numpy()[0, 2:6, 3:8]
    kernel, bias = (v.value.detach().numpy() for v in model.get_layer("classes").weights)
    a = model.get_layer("hidden")(torch.tensor(x)).detach().numpy()[0]
    logits = (a @ kernel[0, 0] + bias)[2:6, 3:8]
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), p, atol=1e-5)
    assert any("softmax at the end (classes)" in note for note in heatmap.source.warnings)
    expected = np.maximum((a * kernel[0, 0, :, 2]).sum(-1) * mask / mask.sum(), 0)
    np.testing.assert_allclose(heatmap.values, expected, atol=1e-6)


def test_of_several_outputs_each_ends_in_its_own_way():
    seeded()
    image = keras.Input((12, 12, 3))
    flat = L.Flatten()(L.Conv2D(3, 3)(image))
    ends = {
        "kind": L.Dense(3, activation="softmax", name="kind")(flat),
        "signs": L.Dense(2, activation="sigmoid", name="signs")(flat),
    }
    x = images(1, 12)
    for model, selections in ((keras.Model(image, [*ends.values()]), (0, 1)), (keras.Model(image, ends), ("kind", "signs"))):
        outputs = keras.tree.flatten(model(x))
        for selection, name, kind, output in zip(selections, ends, ("softmax", "sigmoid"), outputs, strict=True):
            (heatmap,) = seewhy.gradient(seewhy.wrap(model, output=selection), x)
            assert any(f"the {kind} at the end ({name})" in note for note in heatmap.source.warnings)
            assert heatmap.source.probability == pytest.approx(float(output.detach().max()), abs=1e-6)


def test_a_regression_is_explained_as_it_is():
    model, x = small(activation="sigmoid", classes=1), images(1, 12)
    (heatmap,) = seewhy.grad_cam(seewhy.wrap(model, task="regression"), x)
    assert heatmap.source.score == pytest.approx(float(model(x).detach()), abs=1e-6)
    assert heatmap.source.probability is None
    assert not any("left off" in note for note in heatmap.source.warnings)


def test_attention_of_a_transformer():
    seeded()
    image = keras.Input((16, 16, 3))
    x = L.Reshape((16, 8))(L.Conv2D(8, 4, strides=4)(image))
    for i in range(2):
        y = L.LayerNormalization()(x)
        x = L.Add(name=f"block{i}")([x, L.MultiHeadAttention(2, 4)(y, y)])
    model = seewhy.wrap(keras.Model(image, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(x))))
    maps = seewhy.explain(model, images(1, 16), methods=["attention-rollout", "le-grad", "attn-lrp", "grad-cam", "cam"])
    assert {heatmap.source.method: heatmap.values.shape for heatmap in maps} == {
        "attention-rollout": (4, 4), "le-grad": (4, 4), "attn-lrp": (16, 16), "grad-cam": (4, 4), "cam": (4, 4),
    }  # fmt: skip
    assert {heatmap.source.layer for heatmap in maps} == {"attention", "input", "block1"}
    assert all(abs(heatmap.values).max() > 0 for heatmap in maps)


@pytest.mark.parametrize(
    ("shape", "layers"),
    [((40, 2), (L.Conv1D, L.GlobalAveragePooling1D)), ((10, 11, 12, 1), (L.Conv3D, L.GlobalAveragePooling3D))],
)
def test_signals_and_volumes(shape, layers):
    seeded()
    convolution, pooling = layers
    model = keras.Sequential([keras.Input(shape), convolution(4, 3, activation="relu"), pooling(), L.Dense(3)])
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    maps = seewhy.explain(seewhy.wrap(model), x, methods=["cam"])
    assert maps[0].values.shape == tuple(side - 2 for side in shape[:-1])


def test_threads_and_the_person_s_own_calls_at_the_same_time():
    model, x = residual(), images(6)
    wrapped, plain = seewhy.wrap(model), model(x).detach().numpy()
    expected = [seewhy.grad_cam(wrapped, x[i : i + 1])[0].values for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        maps = [pool.submit(lambda i=i: seewhy.grad_cam(wrapped, x[i : i + 1])[0].values) for i in [*range(6)] * 2]
        scores = [pool.submit(lambda: model(x).detach().numpy()) for _ in range(4)]
        for i, found in enumerate(maps):
            np.testing.assert_allclose(found.result(), expected[i % 6], atol=1e-7)
        for found in scores:
            np.testing.assert_array_equal(found.result(), plain)


def test_units_the_doctor_and_a_fast_copy():
    model, x = seewhy.wrap(residual()), images(1)
    assert seewhy.grad_cam(model.upto("block/conv"), x)[0].source.layer == "block/conv"
    report = seewhy.doctor(model, x)
    assert not [hazard for hazard in report.hazards if hazard.severity != "note"]
    assert {verdict.method for verdict in report.methods if not verdict.works} == {
        "attention-rollout", "transformer-relevance", "le-grad",
    }  # fmt: skip
    ours = np.moveaxis(x, -1, 1).copy()
    answer = model.answer(ours)
    with model.scoring(ours, answer, fast=True) as scorer:
        np.testing.assert_allclose(scorer(torch.tensor(ours)), answer.scores, atol=1e-5)
