"""Images whose channels stand last in memory: who takes them, who does not, and that scores stay as they are."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import metrics
from seewhy.models.torch.rows import together_of
from seewhy.models.torch.variants.order import alike, channels_last, turnable, turned_copy
from support import networks

X = torch.as_tensor(networks.images(4, seed=5))


class Seeing(nn.Module):
    """Remembers in which order each batch of images came in."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.seen = body, []

    def forward(self, x):
        self.seen.append("last" if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous() else "first")
        return self.body(x)


class Viewing(nn.Module):
    """Looks at what a convolution emits as if its channels stood first: in any other order that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.head = nn.Conv2d(3, 8, 3), nn.LazyLinear(4)

    def forward(self, x):
        a = self.see(x)
        return self.head(a.view(len(a), -1))


class Strided(nn.Module):
    """Scores that rest on where in memory the numbers lie."""

    def __init__(self) -> None:
        super().__init__()
        self.body = networks.pooled()

    def forward(self, x):
        return self.body(x) * (1 + (x.stride(1) == 1))


def wrapped(network):
    network.double().eval()(X)
    return seewhy.wrap(network)


def test_the_same_numbers_in_another_order():
    turned = channels_last(X)
    assert turned.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(turned, X)
    signal = torch.zeros(2, 3, 5)
    assert channels_last(signal) is signal


@pytest.mark.parametrize(("make", "fits"), [(networks.pooled, True), (Viewing, False), (Strided, False)])
def test_who_takes_them(make, fits):
    runner = wrapped(make()).runner
    with runner.ready(X[:1]) as like:
        assert turnable(runner, like) is fits
        assert turnable(runner, like[:, :, :, 0]) is fits  # known by now: nothing is tried again
        assert together_of(runner).turnable is fits


def test_metrics_ask_in_that_order_and_say_the_same():
    """Deletion by hand, each image alone, channels first."""
    network = Seeing(networks.pooled())
    model = wrapped(network)
    maps = np.random.default_rng(0).random((4, *X.shape[2:]))
    network.seen.clear()
    found = metrics.deletion(model, X.numpy(), maps, steps=4)
    assert network.seen.count("last") >= 4
    for image, values, area in zip(X, maps, found, strict=True):
        order = np.argsort(-values.ravel(), kind="stable")
        chances = []
        for count in np.round(np.linspace(0, values.size, 5)).astype(int):
            flat = image.clone().reshape(3, -1)
            flat[:, torch.as_tensor(order[:count].copy())] = 0
            with torch.no_grad():
                chances.append(network(flat.reshape(1, *image.shape)).softmax(1)[0])
        chances = torch.stack(chances)[:, chances[0].argmax()].numpy()
        assert area == pytest.approx(((chances[1:] + chances[:-1]) / 2 / 4).sum(), rel=1e-4)


@pytest.mark.parametrize("fast", [False, True])
def test_networks_that_take_one_order_only_are_measured_all_the_same(fast):
    model = wrapped(Viewing())
    maps = np.random.default_rng(0).random((4, *X.shape[2:]))
    assert np.isfinite(metrics.deletion(model, X.numpy(), maps, steps=2, fast=fast)).all()


def test_alike_is_to_rounding():
    scores = torch.tensor([[1.0, -2.0]])
    assert alike(scores * (1 + 1e-6), scores)
    assert not alike(scores * (1 + 1e-3), scores)


@pytest.mark.parametrize(("make", "fits"), [(networks.pooled, True), (Viewing, False)])
def test_a_copy_keeps_the_order_that_it_takes(make, fits):
    runner = wrapped(make()).runner
    expected = runner.network(X)
    with runner.ready(X[:1]) as like:
        assert turned_copy(runner, like) is fits
    first = next(weight for weight in runner.network.parameters() if weight.ndim == 4)
    assert first.is_contiguous() is not fits
    assert torch.allclose(runner.network(channels_last(X) if fits else X), expected, rtol=1e-9)
