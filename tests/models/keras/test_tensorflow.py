"""Keras models on the TensorFlow backend: which graphs are made, and what they take."""

import os
import subprocess
import sys

import pytest

keras = pytest.importorskip("keras")
if keras.backend.backend() != "tensorflow":
    pytest.skip("of the tensorflow backend", allow_module_level=True)

import numpy as np  # noqa: E402

import seewhy  # noqa: E402
from seewhy.errors import BadNetwork, NotApplicable  # noqa: E402
from seewhy.models.keras.tensorflow_rules import reached  # noqa: E402
from support.keras_models import AddedLow, L, images, keras_saves, residual  # noqa: E402


def test_one_graph_takes_any_number_of_images():
    model = seewhy.wrap(residual())
    for n in (1, 3, 2):
        seewhy.grad_cam(model, images(n), target=1)
    graphs = len(model.backend.graphs)
    seewhy.grad_cam(model, images(5), target=2)
    assert len(model.backend.graphs) == graphs == 2  # that shows the layers, and the pass


def test_a_model_that_has_to_know_the_number_gets_a_graph_for_each():
    class Counted(L.Layer):
        def call(self, x):
            return keras.ops.reshape(x, (int(x.shape[0]), 8))

        def compute_output_shape(self, shape):
            return (shape[0], 8)

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.pool, self.counted = L.Conv2D(8, 3, activation="relu"), L.GlobalAveragePooling2D(), Counted()
            self.head = L.Dense(3)

        def call(self, x):
            return self.head(self.counted(self.pool(self.conv(x))))

    network = Net()
    network(images(1))
    model = seewhy.wrap(network)
    for n in (1, 3):
        expected = network(images(n)).numpy()
        np.testing.assert_allclose(model.answer(np.moveaxis(images(n), -1, 1)).scores, expected, rtol=1e-4, atol=1e-6)
        assert len(seewhy.grad_cam(model, images(n), target=1)) == n


def test_the_way_back_ends_at_the_asked_layer():
    model = seewhy.wrap(residual())
    model.trace(np.moveaxis(images(), -1, 1), [seewhy.Class(1)], ["joined"])
    halves = next(made for key, made in model.backend.graphs._values.items() if key[0][0] == "traced")
    run = [
        [half.graph.get_operation_by_name(name).type for name in reached(half.graph, half.outputs, ())]
        for half in (halves.forward, halves.backward)
    ]
    assert "Conv2D" in run[0]
    assert not [kind for kind in run[1] if "Conv2D" in kind]


def test_what_lies_before_an_edited_layer_is_left_out():
    model = seewhy.wrap(residual())
    behind = model.backend.behind(np.moveaxis(images(1), -1, 1)[0], "joined")
    edits = np.random.default_rng(0).normal(size=(3, *behind.a.shape)).astype(np.float32)
    kernel, bias = model.keras_model.get_layer("scores").get_weights()
    np.testing.assert_allclose(behind.run(edits), edits.mean((2, 3)) @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_images_that_fail_do_not_change_how_others_run():
    model = seewhy.wrap(residual())
    with pytest.raises(BadNetwork):
        model.answer(np.moveaxis(images(side=13), -1, 1))
    assert model.backend.numbered
    model.answer(np.moveaxis(images(3), -1, 1))
    assert len(model.backend.graphs) == 1


@keras_saves
def test_tensorflow_keeps_its_remarks_on_devices_to_itself(tmp_path):
    path = tmp_path / "mine.keras"
    residual().save(path)
    code = "import sys, seewhy; print(len(seewhy.load(sys.argv[1], prepare={'mean': 0.5, 'std': 0.5}).layers()) > 3)"
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}  # which JAX sets
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False, env=env)
    assert (done.stdout, done.stderr) == ("True\n", "")


class Scaled(L.Dense):
    def call(self, inputs):
        return super().call(inputs) * 2.0


def ending(make):
    image = keras.Input((24, 24, 3))
    x = L.GlobalAveragePooling2D()(L.Conv2D(6, 3, strides=2, activation="relu", name="body")(image))
    return keras.Model(image, make()(x))


HEADS = {
    "a low-rank update": (lambda: AddedLow(5), False), "a scale": (lambda: Scaled(5), False),
    "an activation": (lambda: L.Dense(5, activation="relu"), False), "tanh": (lambda: L.Dense(5, activation="tanh"), False),
    "a linear layer": (lambda: L.Dense(5, bias_initializer="random_normal"), True),
    "without a bias": (lambda: L.Dense(5, use_bias=False), True),
    "a softmax, which is left off": (lambda: L.Dense(5, activation="softmax"), True),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("n", [1, 2])
def test_cam_reads_a_head_by_what_it_does(kind, n):
    """The kernel's product and the bias are what came out, or there is no CAM: by hand where there is."""
    make, linear = HEADS[kind]
    keras.utils.set_random_seed(1)
    model = ending(make)
    if not linear:
        with pytest.raises(NotApplicable, match="CAM needs"):
            seewhy.cam(seewhy.wrap(model), images(n), target=2, layer="body")
        return
    maps = seewhy.cam(seewhy.wrap(model), images(n), target=2, layer="body", signed=True)
    a = np.asarray(model.get_layer("body")(images(n)))
    expected = a @ np.asarray(model.layers[-1].kernel)[:, 2]
    for one, other in zip(maps, expected, strict=True):
        np.testing.assert_allclose(one.values, other, rtol=1e-4, atol=1e-5 * abs(other).max())
