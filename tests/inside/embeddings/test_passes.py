"""The vectors of photos, held against hooks in float64 and against maps weighed by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName
from seewhy.inside.embeddings.passes import EMPTY, ODD, FeatureReading, photo_vectors
from seewhy.inside.photo_batches import photo_set


@pytest.fixture(scope="module")
def exact() -> Any:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.Conv2d(5, 7, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 4)
    ).double()
    return seewhy.wrap(network.eval())


@pytest.fixture(scope="module")
def batch() -> Any:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(6, 3, 17, 19)))


def read(model: Any, photos: Any, **asked: Any) -> list[Any]:
    reading = FeatureReading.checked(asked.get("layer"), asked.get("pooling", "mean"), asked.get("weighted_by"))
    return [*photo_vectors(model, photo_set(model, photos), reading)]


def hooked(model: Any, layer: str, x: Any) -> Any:
    """What the layer emits, by a hook of torch's own."""
    caught = []
    handle = model.network.get_submodule(layer).register_forward_hook(lambda _m, _i, output: caught.append(output.detach()))
    with torch.no_grad():
        scores = model.network(x)
    handle.remove()
    return caught[0].numpy(), scores.numpy()


@pytest.mark.parametrize(
    ("layer", "pooling", "plain"),
    [
        ("2", "mean", lambda a: a.mean((2, 3))),
        ("0", "mean", lambda a: a.mean((2, 3))),
        ("1", "max", lambda a: a.max((2, 3))),
        ("2", "flat", lambda a: a.reshape(len(a), -1)),
        ("4", "mean", lambda a: a),
        ("5", "flat", lambda a: a),
    ],
    ids=["mean", "early", "max", "flat", "without space", "scores"],
)
def test_vectors_are_what_a_hook_sees_in_float64(exact: Any, batch: Any, layer: str, pooling: str, plain: Any) -> None:
    found = read(exact, batch, layer=layer, pooling=pooling)
    a, scores = hooked(exact, layer, batch)
    assert [each.number for each in found] == [*range(6)]
    for each, vector, row in zip(found, plain(a), scores, strict=True):
        assert each.vector.dtype == np.float32
        np.testing.assert_allclose(each.vector, vector, rtol=1e-6, atol=1e-7)  # the rounding to float32
        np.testing.assert_allclose(each.scores, row, rtol=1e-12)
        np.testing.assert_allclose(each.probabilities, np.exp(row) / np.exp(row).sum(), rtol=1e-9)
        assert each.layer == layer


def test_no_layer_is_the_models_default_and_the_network_stays_as_it_was(exact: Any, batch: Any) -> None:
    before = {name: value.clone() for name, value in exact.network.state_dict().items()}
    default = exact.default(batch)[0]
    for plain, named in zip(read(exact, batch), read(exact, batch, layer=default), strict=True):
        assert plain.layer == default
        np.testing.assert_array_equal(plain.vector, named.vector)
    assert all(torch.equal(value, before[name]) for name, value in exact.network.state_dict().items())
    assert not any(module._forward_hooks for module in exact.network.modules())


@pytest.mark.parametrize("method", ["grad-cam", seewhy.layer_cam])
def test_weighted_features_are_the_mean_weighed_by_the_map(exact: Any, batch: Any, method: Any) -> None:
    found = read(exact, batch, layer="2", weighted_by=method)
    maps = seewhy.explain(exact, batch, [method], layer="2")
    a, _ = hooked(exact, "2", batch)
    weighed = 0
    for each, activation, heatmap in zip(found, a, maps, strict=True):
        weights = np.maximum(heatmap.values.astype(float), 0)
        if not weights.any():
            assert (each.vector, each.why) == (None, EMPTY)
            continue
        by_hand = [
            sum(c[y, x] * weights[y, x] for y in range(c.shape[0]) for x in range(c.shape[1])) / weights.sum()
            for c in activation
        ]
        np.testing.assert_allclose(each.vector, by_hand, rtol=1e-4, atol=1e-6)
        weighed += 1
    assert weighed >= 3


def test_a_model_of_gradients_at_no_layer_is_refused_with_advice(batch: Any) -> None:
    model = seewhy.wrap(lambda x: x.mean((2, 3)), takes="float")
    with pytest.raises(NeedsGradients, match="There are no features to be read"):
        read(model, batch.numpy().astype(np.float32))


def test_what_cannot_be_asked_is_refused(exact: Any, batch: Any) -> None:
    with pytest.raises(NoSuchName, match="No layer '9'"):
        read(exact, batch, layer="9")
    with pytest.raises(BadParameter, match="weighs the mean over space"):
        read(exact, batch, pooling="max", weighted_by="grad-cam")
    with pytest.raises(BadParameter, match="at one layer"):
        read(exact, batch, layer=["1", "2"])


def test_vectors_that_are_no_numbers_are_left_out_and_said() -> None:
    see, weigh = nn.Conv2d(3, 4, 3, bias=False), nn.Linear(4, 2)
    nn.init.ones_(see.weight)
    model = seewhy.wrap(nn.Sequential(see, Root(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), weigh).eval())
    x = torch.ones(3, 3, 8, 8)
    x[1] = -1
    assert [each.why for each in read(model, x, layer="1")] == ["", ODD, ""]
    assert [each.why for each in read(model, x, layer="0")] == ["", "", ""]  # the layer itself is sound


class Root(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.sqrt()  # NaN below zero


def test_memory_that_runs_out_halves_the_batch(exact: Any, batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, sizes = type(exact).trace, []

    def short(self: Any, x: Any, *more: Any) -> Any:
        sizes.append(len(x))
        if len(x) > 2:
            raise MemoryError
        return real(self, x, *more)

    whole = read(exact, batch, layer="2")
    monkeypatch.setattr(type(exact), "trace", short)
    for one, other in zip(read(exact, batch, layer="2"), whole, strict=True):
        assert one.number == other.number
        np.testing.assert_allclose(one.vector, other.vector, rtol=1e-6)
    assert max(sizes) > 2 >= min(sizes)
