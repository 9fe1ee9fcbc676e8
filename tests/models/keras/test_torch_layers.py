"""Keras layers by the calls of torch's own: the same numbers as Keras's, in every padding, order and precision."""

import keras
import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.models.keras.layers import tapped
from seewhy.models.keras.torch_layers import by_torch
from support.keras_models import L, seeded

if keras.backend.backend() != "torch":
    pytest.skip("of the torch backend", allow_module_level=True)


class Calls(TorchFunctionMode):
    """Notes which functions of torch are called."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_function__(self, fn, types, args=(), kwargs=None):
        self.seen.add(fn)
        return fn(*args, **(kwargs or {}))


def compared(layer, shape, tolerance=1e-6):
    """What the layer's own call and torch's give, and which functions torch's called."""
    seeded()
    x = torch.randn(*shape)
    layer(x)
    for variable in layer.variables:
        variable.assign(torch.rand(*variable.shape) * 0.5 + 0.3)
    call = by_torch(layer)
    assert call is not None
    plain = layer(x)
    with tapped([(layer, call)]), Calls() as calls:
        found = layer(x)
    assert found.dtype == plain.dtype
    torch.testing.assert_close(found, plain, rtol=tolerance, atol=tolerance * float(plain.detach().abs().max()))
    return calls.seen


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_convolutions(padding, order, strides):
    shape = (2, 13, 12, 6) if order == "channels_last" else (2, 6, 13, 12)
    given = {"padding": padding, "data_format": order}
    assert F.conv2d in compared(L.Conv2D(4, (2, 3), strides, groups=2, activation="relu", **given), shape)
    assert F.conv2d in compared(L.DepthwiseConv2D(3, strides, depth_multiplier=2, **given), shape)
    assert F.conv2d in compared(L.SeparableConv2D(5, 3, strides, depth_multiplier=2, use_bias=False, **given), shape)
    if strides == 1:
        assert F.conv2d in compared(L.Conv2D(4, 3, dilation_rate=2, **given), shape)


@pytest.mark.parametrize(
    ("layer", "shape", "fn"),
    [
        (lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2), (2, 11, 3), F.conv1d),
        (lambda: L.DepthwiseConv1D(3, padding="same", strides=2), (2, 12, 3), F.conv1d),
        (lambda: L.Conv3D(4, 3, padding="same", strides=2), (2, 7, 8, 9, 3), F.conv3d),
        (lambda: L.Dense(4, activation="tanh"), (2, 3, 7), F.linear),
        (lambda: L.Dense(4, use_bias=False), (2, 7), F.linear),
        (lambda: L.BatchNormalization(), (2, 5, 6, 3), F.batch_norm),
        (lambda: L.BatchNormalization(axis=1, scale=False), (2, 3, 5, 6), F.batch_norm),
        (lambda: L.BatchNormalization(center=False), (4, 3), F.batch_norm),
        (lambda: L.ReLU(threshold=0.3), (2, 5, 6, 3), F.threshold),
        (lambda: L.ReLU(threshold=0.3, max_value=0.9), (2, 5, 6, 3), F.threshold),
        (lambda: L.ReLU(max_value=6), (2, 5, 6, 3), F.relu6),
        (lambda: L.PReLU(shared_axes=[1, 2]), (2, 5, 6, 3), F.prelu),
        (lambda: L.PReLU(), (2, 5, 6, 3), F.relu),
        (lambda: L.ZeroPadding1D((1, 2)), (2, 5, 3), F.pad),
        (lambda: L.ZeroPadding2D(((1, 2), (0, 3))), (2, 5, 6, 3), F.pad),
        (lambda: L.ZeroPadding2D((1, 2), data_format="channels_first"), (2, 3, 5, 6), F.pad),
        (lambda: L.ZeroPadding3D(1), (2, 4, 5, 6, 3), F.pad),
    ],
)
def test_other_layers(layer, shape, fn):
    assert fn in compared(layer(), shape)


@pytest.mark.parametrize(
    "layer", [lambda **k: L.Dense(4, **k), lambda **k: L.Conv2D(4, 3, **k), lambda **k: L.BatchNormalization(**k)]
)
def test_half_precision(layer):
    compared(layer(dtype="mixed_bfloat16"), (2, 5, 6, 3), tolerance=1e-2)


def test_what_people_wrote_or_changed_runs_as_it_is():
    class Doubled(L.Dense):
        def call(self, inputs, training=None):
            return 2 * super().call(inputs)

    class Named(L.Dense):
        """Of its own name alone."""

    assert by_torch(Doubled(2)) is None
    assert by_torch(L.Dropout(0.5)) is None
    assert by_torch(Named(2)) is not None
    layer = L.Dense(2)
    x = torch.ones(1, 3)
    layer(x)
    vars(layer)["call"] = lambda inputs, training=None: inputs * 7
    with tapped([(layer, by_torch(layer))]):
        assert torch.equal(layer(x), x * 7)


def test_batch_norm_of_a_batch_is_keras_own():
    layer, x = L.BatchNormalization(), torch.randn(4, 5, 5, 3)
    layer(x)
    with tapped([(layer, by_torch(layer))]), Calls() as calls:
        layer(x, training=True)
    assert F.batch_norm not in calls.seen
