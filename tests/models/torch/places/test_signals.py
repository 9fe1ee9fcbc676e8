"""Rows of tokens of signals: against hooks, autograd and the definitions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy import Unit
from seewhy.models.torch.places.layout import TOKENS, Layout
from seewhy.models.torch.places.signals import SignalEmission, signal_layouts
from seewhy.models.torch.places.tokens import MOMENTS
from support import ask
from support.dimensions import bold
from support.networks import Block
from support.signals import LENGTH, Encoder, Hand, by_hand, hidden, reshaped, signals

ENCODERS: dict[str, dict[str, Any]] = {
    "no token": {"width": 20},
    "class token": {"width": 20, "before": 1},
    "class token last": {"width": 20, "behind": 1},
    "both": {"width": 20, "before": 2, "behind": 1},
    "registers, the mean": {"width": 20, "before": 4, "mean": True},
    "registers behind, the mean": {"width": 20, "behind": 4, "mean": True},
    "as wide as half of the samples": {"width": 12, "before": 1},
    "as wide as the samples": {"width": 24, "before": 1},
    "as wide as the grid": {"width": 6, "before": 1},
    "as wide as the row": {"width": 8, "before": 2},
    "as wide as the grid, the mean": {"width": 6},
    "every sample, as wide as they are": {"width": 24, "patch": 1},
    "every sample, as wide, class token": {"width": 24, "patch": 1, "before": 1},
}


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_of_signals(name, batch_first):
    """Each layer, whatever its width is by chance."""
    given = ENCODERS[name]
    network = bold(lambda: Encoder(**given, batch_first=batch_first))
    cells, before, behind = LENGTH // given.get("patch", 4), given.get("before", 0), given.get("behind", 0)
    model = seewhy.wrap(network)
    layers = model.layers(signals())
    for layer in ("encoder.layers.0", "encoder.layers.0.norm1", "encoder.layers.1.linear1", "encoder"):
        width = 2 * given["width"] if layer.endswith("linear1") else given["width"]
        assert (layers[layer].shape, layers[layer].tokens) == ((width, cells), before + behind)
    for layer in ("encoder.layers.0", "encoder.layers.0.norm1", "encoder.layers.1.linear1"):
        found = ask.values(seewhy.grad_cam(model, signals(), target=3, layer=layer))
        ask.close(found, by_hand(network, layer, signals(), batch_first, slice(before, before + cells)), 1e-6)


@pytest.mark.parametrize("start", [reshaped, hidden])
@pytest.mark.parametrize("width", [20, 12, 24, 6, 7])
def test_layers_of_hand_made_blocks(width, start):
    """Also where the way of the samples into tokens cannot be followed, and a bright stretch tells."""
    network = bold(lambda: Hand(width, 6, start))
    for layer in ("layer.0", "layer.1.attention", "layer.1.mlp"):
        found = ask.values(seewhy.grad_cam(seewhy.wrap(network), signals(), target=3, layer=layer))
        ask.close(found, by_hand(network, layer, signals(), True, slice(1, 7)), 1e-6)


@pytest.mark.parametrize("start", [reshaped, hidden])
@pytest.mark.parametrize("seed", range(4))
def test_a_brightened_stretch_lands_where_it_is(seed, start):
    network = bold(lambda: Hand(12, 6, start), seed)
    model = seewhy.wrap(network)
    quiet = signals() * 0.1
    for cell in range(6):
        loud = quiet.copy()
        loud[..., 4 * cell : 4 * cell + 4] += 3
        before, after = (np.asarray(model.activations(x, ["layer.0.query"])[0]["layer.0.query"]) for x in (quiet, loud))
        assert [np.flatnonzero(row).tolist() for row in abs(after - before).sum(1) > 1e-9] == [[cell], [cell]]


class Unclear(nn.Module):
    """Tokens in an order that the samples have not, made by a call that nothing follows."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Hand(12, 6, lambda x: hidden(x)[:, [3, 0, 5, 1, 4, 2]])

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def test_what_is_not_told_is_refused():
    model = seewhy.wrap(bold(Unclear))
    with pytest.raises(seewhy.NotApplicable, match=r"7 tokens|no space to draw in"):
        seewhy.grad_cam(model, signals(), layer="body.layer.0")
    asked = seewhy.wrap(bold(Unclear), grid=(6,))  # the person knows
    assert seewhy.grad_cam(asked, signals(), layer="body.layer.0")[0].values.shape == (6,)


class Mixer(nn.Module):
    """Tokens mixed by a linear layer over time, whose features are as many as a grid."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.mix, self.act, self.fc = nn.Conv1d(2, 6, 4, 4), nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.mix(self.patch(x))).mean(1))


def test_features_that_were_mixed_over_time_are_no_places():
    model = seewhy.wrap(bold(Mixer))
    for layer in ("mix", "act"):
        with pytest.raises(seewhy.NotApplicable):
            seewhy.grad_cam(model, signals(), layer=layer)


class Pointwise(nn.Module):
    """A convolution over a row with a class token: a sample of it is no place."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.cls = nn.Conv1d(2, 8, 4, 4), nn.Parameter(torch.randn(1, 8, 1))
        self.ffn, self.fc = nn.Conv1d(8, 8, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.ffn(torch.cat([self.cls.expand(len(x), -1, -1), self.patch(x)], 2)).mean(2))


def test_a_class_token_among_samples_is_no_place():
    with pytest.raises(seewhy.NotApplicable):
        seewhy.grad_cam(seewhy.wrap(bold(Pointwise)), signals(), layer="ffn")


def test_a_unit_in_a_cell_of_a_row_of_tokens():
    network = bold(lambda: nn.Sequential(Encoder(12, before=1)))
    x = torch.tensor(signals()[:1], requires_grad=True)
    kept: list[Any] = []
    with network.get_submodule("0.encoder.layers.0").register_forward_hook(lambda _m, _a, out: kept.append(out)):
        network(x)
    (g,) = torch.autograd.grad(kept[0][0, 1 + 2, 7], x)
    (m,) = seewhy.gradient(
        seewhy.wrap(network), x.detach().numpy(), target=Unit("0.encoder.layers.0", 7, at=(2,)), reduce="sum"
    )
    ask.close(m.values, g[0].sum(0).numpy(), 1e-6)


def test_no_patch_conv_and_a_block_as_wide_as_the_samples():
    """(n, 24, 24): tokens before features, told from channels before samples in the very same network."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act = nn.Conv1d(2, LENGTH, 3, padding=1), nn.ReLU()
            self.block, self.fc = Block(LENGTH), nn.Linear(LENGTH, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.block(self.act(self.conv(x)).transpose(1, 2)).mean(1))

    network = bold(Both)
    model = seewhy.wrap(network)
    kept: dict[str, Any] = {}
    for name in ("act", "block"):
        network.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: kept.__setitem__(name, out))
    found = model.activations(signals(), ["act", "block"])[0]
    network(torch.as_tensor(signals()))
    ask.close(np.asarray(found["act"]), kept["act"].detach().numpy(), 1e-9)
    ask.close(np.asarray(found["block"]), kept["block"].transpose(1, 2).detach().numpy(), 1e-9)


class Pyramid(nn.Module):
    """Two recurrent layers that read both ways, the second two steps at a time, over as many samples as features, or half."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(2, 24, 5, stride=2, padding=2), nn.Linear(24, 5)
        self.first = nn.LSTM(24, 12, batch_first=True, bidirectional=True)
        self.second = nn.LSTM(48, 12, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(self.conv(x).transpose(1, 2))[0]
        return self.fc(self.second(y.reshape(len(y), y.shape[1] // 2, -1))[0].mean(1))


class Own(torch.autograd.Function):
    """A ReLU that nothing follows."""

    @staticmethod
    def forward(ctx: Any, *args: Any, **_: Any) -> Tensor:
        ctx.on = args[0] > 0
        return args[0] * ctx.on

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Tensor:
        return grads[0] * ctx.on


class OwnReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Own.apply(x)  # type: ignore[no-any-return]


def unfollowed() -> nn.Module:
    """As many channels as samples, twice."""
    return nn.Sequential(
        nn.Conv1d(2, 12, 5, padding=2), OwnReLU(), nn.MaxPool1d(2), nn.Conv1d(12, 24, 3, padding=1), OwnReLU(), nn.MaxPool1d(2),
        nn.Conv1d(24, 12, 3, padding=1), OwnReLU(), nn.Dropout(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(12, 5),
    )  # fmt: skip


@pytest.mark.parametrize("length", [24, 48, 96])
@pytest.mark.parametrize("build", [Pyramid, unfollowed])
def test_what_is_not_followed_is_seen(build, length):
    """No row of steps is a few cells beside many tokens of no place, and nothing is called unclear that is told."""
    network, x = bold(build), np.random.default_rng(length).normal(size=(2, 2, length))
    model = seewhy.wrap(network)
    layers = (
        {"first": length // 2, "second": length // 4} if build is Pyramid else {"1": length, "4": length // 2, "8": length // 4}
    )
    kept: dict[str, Any] = {}
    for name in layers:
        handle = network.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: kept.__setitem__(name, out))
        network(torch.as_tensor(x))
        handle.remove()
        shown = model.layers(x)[name]
        assert (shown.shape[1:], shown.tokens) == ((layers[name],), 0)
        found = np.asarray(model.activations(x, [name])[0][name])
        own = kept[name][0].transpose(1, 2) if isinstance(kept[name], tuple) else kept[name]
        ask.close(found, own.detach().numpy(), 1e-9)
    assert "how its tokens lie" not in str(seewhy.wrap(network).layers(x))
    assert not model.runner.survey(torch.as_tensor(x)).unclear


def stretched(width: int, smear: float) -> Tensor:
    """How seven rows, the first of no place, move as a stretch lies on one of six cells: (places, 7, width)."""
    rows = torch.full((len(MOMENTS), 7, width), float(smear))
    for row, (share,) in zip(rows, MOMENTS, strict=True):
        row[1 + int(share * 6)] = 1
    return rows


def test_rows_of_as_many_tokens_agree_where_they_can_be_read_one_way():
    """What moves all over tells nothing; seven rows of 30 lie as seven others do, but 24 may be samples."""
    changes = {"block": stretched(20, 0), "deep": stretched(30, 1), "wide": stretched(24, 1), "smeared": stretched(24, 0.6)}
    modules = {name: nn.Identity() for name in changes}
    emitted = {name: SignalEmission(modules[name], (2, *change.shape[1:]), None) for name, change in changes.items()}
    found = signal_layouts(emitted, 2, LENGTH, [(6,)], lambda names: {name: changes[name] for name in names}, None)
    lies = {name: found.layouts[id(modules[name]), emitted[name].sides(2)] for name in changes}
    own = Layout(TOKENS, 20, (6,), 1)
    assert lies == {"block": own, "deep": own._replace(channels=30), "wide": None, "smeared": None}
    assert "wrap(grid=(6,))" in found.unclear[7]
