"""Keras models on TensorFlow and on JAX: what torch gives on the same weights, names, endings, and nothing changed."""

from concurrent.futures import ThreadPoolExecutor

import pytest

keras = pytest.importorskip("keras")
if keras.backend.backend() not in ("tensorflow", "jax"):
    pytest.skip("of the tensorflow and jax backends", allow_module_level=True)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import seewhy  # noqa: E402
from seewhy.arrays import numbers  # noqa: E402
from seewhy.errors import BadNetwork, BadParameter, NotApplicable  # noqa: E402
from support.ask import asked, values  # noqa: E402
from support.keras_models import L, images, residual, subclassed, weights_of  # noqa: E402
from support.twins import twins  # noqa: E402

SAME = ("grad-cam", "cam", "gradient", "guided-backprop", "deconvnet", "integrated-gradients", "eigen-cam", "hires-cam",
        "layer-cam", "guided-grad-cam", "recipro-cam", "ablation-cam", "occlusion", "rise")  # fmt: skip
ON_JAX = keras.backend.backend() == "jax"
exact = pytest.mark.skipif(not ON_JAX, reason="TensorFlow has no such kernel on a CPU")


def first_axis(x):
    return np.moveaxis(x, -1, 1).copy()


@pytest.fixture(scope="module")
def both():
    model, network = twins()
    return seewhy.wrap(model), seewhy.wrap(network, geometry="plain")


@pytest.mark.parametrize("name", SAME)
def test_maps_are_torchs(both, name):
    model, torch_model = both
    x = images()
    given = {"layer": "joined"} if "layer" in seewhy.methods.making.method.lookup(name).requires else {}
    found = values(asked(name)(model, x, target=[1, 3], **given))
    expected = values(asked(name)(torch_model, first_axis(x), target=[1, 3], **given))
    assert abs(found - expected).max() < 5e-3 * abs(expected).max()


def test_layers_have_names_at_any_depth_and_the_default_is_torchs(both):
    model, torch_model = both
    x = first_axis(images())
    layers = model.layers(x)
    assert layers["block/conv"].shape == (6, 22, 22)
    assert layers["block"].kind == "Sequential"
    assert model.default(x)[0] == torch_model.default(x)[0] == "joined"
    found = values(seewhy.grad_cam(model, images(), target=2, layer="block/relu"))
    np.testing.assert_allclose(found, values(seewhy.grad_cam(torch_model, x, target=2, layer="relu")), rtol=1e-3, atol=1e-6)


def test_the_softmax_is_left_off_and_said_so(both):
    model, torch_model = both
    x = first_axis(images())
    answer, expected = model.answer(x), torch_model.answer(x)
    np.testing.assert_allclose(answer.scores, expected.scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(answer.probabilities, expected.probabilities, rtol=1e-4)
    (heatmap,) = seewhy.score_cam(model, images(1), target=1)
    assert any("the softmax at the end (scores) is left off" in warning for warning in heatmap.source.warnings)
    assert heatmap.source.scores == "logits"
    assert heatmap.source.versions["keras"] == f"{keras.__version__} on {keras.backend.backend()}"


@pytest.mark.parametrize("end", ["softmax", "layer", "operation"])
def test_each_kind_of_softmax_is_left_off_or_log_probabilities_are_explained(end):
    plain = residual(activation=None)
    if end == "softmax":
        model = residual(activation="softmax")
    else:
        scores = plain.output
        model = keras.Model(
            plain.input, L.Softmax()(scores) if end == "layer" else keras.ops.exp(keras.ops.log_softmax(scores))
        )
    model.set_weights(weights_of(plain))
    found, expected = seewhy.wrap(model), seewhy.wrap(plain, scores="log-probability" if end == "operation" else None)
    x = first_axis(images())
    np.testing.assert_allclose(found.answer(x).scores, expected.answer(x).scores, rtol=1e-3, atol=1e-5)
    assert (found.explains == "log-probability") == (end == "operation")
    for name in ("grad-cam", "score-cam"):
        a, b = (values(asked(name)(each, images(), target=[0, 4])) for each in (found, expected))
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=5e-3 * abs(b).max())


def test_sigmoids_are_left_off_and_give_their_own_probabilities():
    plain, model = residual(activation=None), residual(activation="sigmoid")
    model.set_weights(weights_of(plain))
    x = first_axis(images())
    answer = seewhy.wrap(model).answer(x)
    np.testing.assert_allclose(answer.scores, seewhy.wrap(plain).answer(x).scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(answer.probabilities, numbers(model(images())), rtol=1e-4)


def test_a_subclassed_model_with_a_layer_that_runs_twice():
    model, network = seewhy.wrap(subclassed()), subclassed(activation=None)
    x = first_axis(images())
    layers = model.layers(x)
    assert (layers["again"].calls, layers["stem/conv" if "stem/conv" in layers else "block/conv"].shape) == (2, (6, 22, 22))
    trace = model.trace(x, [seewhy.Class(3)], ["again"])
    assert [*trace.evidence] == ["again#1", "again#2"]
    head = weights_of(network.scores)[0][:, 3]
    expected = np.broadcast_to(head[None, :, None, None] / 22**2, trace.evidence["again#2"].g[0].shape)
    np.testing.assert_allclose(trace.evidence["again#2"].g[0], expected, rtol=1e-4)
    step = 1e-2 * np.sign(trace.evidence["again#1"].g[0, :1])
    behind = model.backend.behind(x[0], "again#1")
    up, down = (behind.run(behind.a[None] + sign * step)[0, 3] for sign in (1, -1))
    slope = float((trace.evidence["again#1"].g[0, 0] * step[0]).sum())
    assert up - down == pytest.approx(2 * slope, rel=0.1)


RELUS = {
    "layer": lambda: [L.ReLU()], "activation": lambda: [L.Activation("relu")], "max 6": lambda: [L.ReLU(max_value=6)],
    "leaky": lambda: [L.LeakyReLU(negative_slope=0.1)], "elu": lambda: [L.ELU()], 
    "inside a block": lambda: [keras.Sequential([L.ReLU()])],
    "lambda": lambda: [L.Lambda(keras.ops.relu)], "relu6": lambda: [L.Activation("relu6")],
}  # fmt: skip
TORCHS = {"max 6": nn.ReLU6, "relu6": nn.ReLU6, "leaky": lambda: nn.LeakyReLU(0.1), "elu": nn.ELU}


def plain_pair(act, torch_act, seed=0):
    """A convolution, a ReLU and a linear layer, in Keras and in torch."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((9, 9, 3)), L.Conv2D(4, 3, name="conv"), *act, L.Flatten(), L.Dense(3, name="fc")])
    network = nn.Sequential(nn.Conv2d(3, 4, 3), torch_act, Last(), nn.Flatten(), nn.Linear(196, 3)).eval()
    with torch.no_grad():
        for layer, part in ((model.get_layer("conv"), network[0]), (model.get_layer("fc"), network[4])):
            kernel, bias = map(torch.tensor, weights_of(layer))
            part.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
            part.bias.copy_(bias)
    return model, network


class Last(nn.Module):
    """Channels last, as Keras flattens."""

    def forward(self, x):
        return x.movedim(1, -1)


@pytest.mark.parametrize("name", RELUS)
@pytest.mark.parametrize("rule", ["guided-backprop", "deconvnet"])
def test_rules_reach_every_kind_of_relu(name, rule):
    model, network = plain_pair(RELUS[name](), TORCHS.get(name, nn.ReLU)())
    x = images(side=9) * 5
    found = values(asked(rule)(seewhy.wrap(model), x, target=[0, 2]))
    expected = values(asked(rule)(seewhy.wrap(network), first_axis(x), target=[0, 2]))
    assert abs(found - expected).max() < 1e-4 * abs(expected).max()
    assert abs(found - values(seewhy.gradient(seewhy.wrap(model), x, target=[0, 2]))).max() > 1e-2 * abs(expected).max()


def test_a_rule_without_relus_is_refused():
    model, _ = plain_pair([L.Activation("tanh")], nn.Tanh())
    with pytest.raises(NotApplicable, match=r"one for ReLUs: it has .*(tanh|Tanh), which are never simply off"):
        seewhy.guided_backprop(seewhy.wrap(model), images(side=9))


def test_the_head_of_a_convolution_of_one_cell_is_linear():
    plain = residual(activation=None)
    x = L.Conv2D(5, 1, name="as_conv")(L.GlobalAveragePooling2D(keepdims=True)(plain.get_layer("joined").output))
    model = keras.Model(plain.input, L.Activation("softmax")(L.Reshape((5,))(x)))
    kernel, bias = weights_of(plain.get_layer("scores"))
    model.get_layer("as_conv").set_weights([kernel[None, None], bias])
    found, expected = (values(seewhy.cam(seewhy.wrap(each), images(), target=[0, 3])) for each in (model, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_mixed_precision_comes_near():
    plain = residual(activation=None)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = residual(activation=None)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(weights_of(plain))
    trace = seewhy.wrap(mixed).trace(first_axis(images()), [seewhy.Class(1)], [None])
    assert {e.g.dtype for e in trace.evidence.values()} == {np.dtype("float32")}
    found, expected = (values(seewhy.grad_cam(seewhy.wrap(each), images(), target=1)) for each in (mixed, plain))
    assert abs(found - expected).max() < 0.05 * abs(expected).max()


@exact
def test_channels_first():
    plain = residual(activation=None)
    keras.config.set_image_data_format("channels_first")
    try:
        image = keras.Input((3, 24, 24))
        x = L.Activation("relu", name="joined")(L.Conv2D(8, 3, strides=2, name="conv")(image))
        model = keras.Model(image, L.Dense(5)(L.GlobalAveragePooling2D()(x)))
    finally:
        keras.config.set_image_data_format("channels_last")
    last = keras.Input((24, 24, 3))
    x = L.Activation("relu", name="joined")(L.Conv2D(8, 3, strides=2, name="conv")(last))
    same = keras.Model(last, L.Dense(5)(L.GlobalAveragePooling2D()(x)))
    same.set_weights(weights_of(model))
    assert plain is not model
    for name in ("grad-cam", "guided-backprop"):
        a = values(asked(name)(seewhy.wrap(model), first_axis(images()), target=1))
        b = values(asked(name)(seewhy.wrap(same), images(), target=1))
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * abs(b).max())


def test_other_inputs_beside_the_images():
    image, age = keras.Input((12, 12, 3), name="image"), keras.Input((2,), name="age")
    x = L.GlobalAveragePooling2D()(L.Conv2D(4, 3, activation="relu", name="conv")(image))
    model = keras.Model([image, age], L.Dense(3)(L.Concatenate()([x, L.Dense(4)(age)])))
    row = np.array([[0.5, 2.0]], np.float32)
    wrapped = seewhy.wrap(model, inputs={"image": seewhy.IMAGE, "age": row})
    x = images(3, side=12)
    expected = numbers(model([x, np.repeat(row, 3, 0)]))
    np.testing.assert_allclose(wrapped.answer(first_axis(x)).scores, expected, rtol=1e-4, atol=1e-5)
    assert len(seewhy.grad_cam(wrapped, x, target=1)) == 3
    assert len(seewhy.score_cam(wrapped, x[:1], target=1)) == 1


def test_a_layer_that_nothing_rests_on_has_no_gradient():
    image = keras.Input((12, 12, 3))
    x = L.Conv2D(4, 3, activation="relu", name="conv")(image)
    model = keras.Model(image, [L.Dense(3)(L.GlobalAveragePooling2D()(x)), L.Conv2D(2, 3, name="side")(x)])
    wrapped, x = seewhy.wrap(model, output=0), first_axis(images(side=12))
    assert not wrapped.layers(x)["side"].connected
    assert wrapped.default(x)[0] == "conv"
    assert not wrapped.trace(x, [seewhy.Class(0)], ["side"]).evidence["side"].g.any()


def test_edits_of_weights_and_layers_are_seen():
    model = residual(activation=None)
    wrapped, x = seewhy.wrap(model), first_axis(images())
    before = values(seewhy.grad_cam(wrapped, images(), target=1))
    scores = model.get_layer("scores")
    scores.set_weights([w * 2 for w in weights_of(scores)])
    np.testing.assert_allclose(values(seewhy.grad_cam(wrapped, images(), target=1)), before * 2, rtol=1e-4, atol=1e-7)
    linear = wrapped.answer(x).scores
    scores.activation = keras.activations.tanh
    np.testing.assert_allclose(wrapped.answer(x).scores, np.tanh(linear), rtol=1e-4, atol=1e-6)


def test_the_model_stays_as_it_was_also_after_an_error_and_beside_other_threads():
    model = residual()
    model.get_layer("down").trainable = False
    model.compile("sgd", "categorical_crossentropy")
    said = numbers(model(images(1)))
    held = [*map(dict, map(vars, model._flatten_layers()))]
    weights, wrapped = weights_of(model), seewhy.wrap(model)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(seewhy.guided_backprop, wrapped, images(1), target=k) for k in range(3)]
        outputs = [numbers(model(images(1))) for _ in range(3)]
        assert all(len(run.result()) == 1 for run in runs)
    for output in outputs:
        np.testing.assert_allclose(output, said, rtol=1e-6)
    with pytest.raises(BadNetwork, match="residual failed on 1 images"):
        seewhy.grad_cam(wrapped, images(1, side=13))
    for a, b in zip(weights_of(model), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [*map(dict, map(vars, model._flatten_layers()))] == held
    assert not model.get_layer("down").trainable


def test_a_device_or_precision_is_said_in_keras():
    with pytest.raises(BadParameter, match="leave device= and dtype= out"):
        seewhy.wrap(residual(), device="cpu")


def test_what_this_backend_cannot_names_the_one_that_can():
    with pytest.raises(NotApplicable, match="Keras on the torch backend"):
        seewhy.lrp(seewhy.wrap(residual()), images())


@pytest.mark.parametrize(("selection", "name", "end"), [(0, "kind", "softmax"), (1, "signs", "sigmoid"), (2, "size", "")])
def test_of_several_outputs_each_ends_in_its_own_way(selection, name, end):
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3))
    flat = L.Flatten()(L.Conv2D(3, 3)(image))
    ends = [
        L.Dense(3, activation="softmax", name="kind"),
        L.Dense(2, activation="sigmoid", name="signs"),
        L.Dense(2, name="size"),
    ]
    network = keras.Model(image, [layer(flat) for layer in ends])
    x = images(1, 12)
    (heatmap,) = seewhy.gradient(seewhy.wrap(network, output=selection), x)
    notes = [note for note in heatmap.source.warnings if "left off" in note]
    assert [f"the {end} at the end ({name})" in note for note in notes] == [True] * bool(end)
    if end:
        assert heatmap.source.probability == pytest.approx(float(numbers(network(x)[selection]).max()), abs=1e-5)
