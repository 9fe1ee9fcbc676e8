"""Rows of tokens of signals and volumes, cells as units, 1x1 heads: against hooks, autograd and the definitions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy import Unit
from seewhy.models.torch.places.layout import TOKENS, Layout
from seewhy.models.torch.places.signals import Emitted, told
from seewhy.models.torch.places.tokens import MOMENTS
from support import ask
from support.dimensions import SPACES, Net, Transformer, bold, of
from support.networks import Block

LENGTH = 24


class Encoder(nn.Module):
    """torch's own transformer over patches of a signal, and tokens of no place before and behind them."""

    def __init__(
        self, width: int, before: int = 0, behind: int = 0, batch_first: bool = True, patch: int = 4, mean: bool = False
    ) -> None:
        super().__init__()
        cells = LENGTH // patch
        self.patch = nn.Conv1d(2, width, patch, stride=patch)
        self.before, self.behind = (nn.Parameter(torch.randn(1, extra, width)) for extra in (before, behind))
        self.where = nn.Parameter(torch.randn(1, before + cells + behind, width) / 2)
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=batch_first)
        self.encoder, self.fc = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(width, 5)
        self.batch_first, self.read = batch_first, None if mean or not before + behind else 0 if before else -1

    def forward(self, x: Tensor) -> Tensor:
        n, tokens = len(x), self.patch(x).transpose(1, 2)
        tokens = torch.cat([self.before.expand(n, -1, -1), tokens, self.behind.expand(n, -1, -1)], 1) + self.where
        tokens = self.encoder(tokens) if self.batch_first else self.encoder(tokens.transpose(0, 1)).transpose(0, 1)
        return self.fc(tokens.mean(1) if self.read is None else tokens[:, self.read])


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


class Hand(nn.Module):
    """Attention by hand, in modules of no kind that torch knows, as Hugging Face's are: (hidden,) comes out of a block."""

    def __init__(self, width: int, tokens: int, start: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.start, self.cls = start, nn.Parameter(torch.randn(1, 1, width))
        self.embed, self.where = nn.Linear(8, width), nn.Parameter(torch.randn(1, tokens + 1, width) / 2)
        self.layer = nn.ModuleList([Layer(width), Layer(width), Layer(width)])
        self.layernorm, self.classifier = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(self.start(x))
        h = torch.cat([self.cls.expand(len(x), -1, -1), h], 1) + self.where
        for layer in self.layer:
            (h,) = layer(h)
        return self.classifier(self.layernorm(h)[:, 0])


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attention, self.mlp = nn.Linear(width, width), nn.Sequential(nn.Linear(width, 30), nn.GELU(), nn.Linear(30, width))

    def forward(self, h: Tensor) -> tuple[Tensor]:
        shares = (self.query(h) @ self.key(h).transpose(1, 2) / 4).softmax(-1)
        h = h + self.attention(shares @ self.value(h))
        return (h + self.mlp(h),)


class Hidden(torch.autograd.Function):
    """The samples in patches, by a call that nothing follows."""

    @staticmethod
    def forward(_ctx: Any, *args: Any, **_: Any) -> Tensor:
        return args[0].unfold(2, 4, 4).permute(0, 2, 1, 3).flatten(2).clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Tensor:
        n, cells, _ = grads[0].shape
        return grads[0].reshape(n, cells, 2, 4).permute(0, 2, 1, 3).reshape(n, 2, 4 * cells)


def reshaped(x: Tensor) -> Tensor:
    return x.reshape(len(x), 2, -1, 4).permute(0, 2, 1, 3).flatten(2)


def hidden(x: Tensor) -> Tensor:
    return Hidden.apply(x)  # type: ignore[no-any-return]


def signals(seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(0.2, 1, (2, 2, LENGTH))


def rows_of(out: Any, batch_first: bool = True) -> Tensor:
    out = out[0] if isinstance(out, tuple) else out
    return out if batch_first else out.transpose(0, 1)


def by_hand(network: nn.Module, layer: str, x: Any, batch_first: bool, own: slice, target: int = 3) -> Any:
    """relu(sum_c mean(g) a) over the tokens of the signal, of a hook's (n, tokens, c)."""
    kept: list[Any] = []
    handle = network.get_submodule(layer).register_forward_hook(
        lambda _m, _a, out: kept.append(out[0] if isinstance(out, tuple) else out)
    )
    scores = network(torch.as_tensor(x).requires_grad_())
    handle.remove()
    (g,) = torch.autograd.grad(scores[:, target].sum(), kept[-1])
    a, g = (rows_of(one, batch_first)[:, own] for one in (kept[-1], g))
    return (a * g.mean(1, keepdim=True)).sum(2).relu().detach().numpy()


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


@pytest.mark.parametrize(("space", "side"), [((4, 6, 8), 2), ((8, 8, 8), 2), ((8, 12, 16), 4)])
def test_the_class_token_of_a_volume_stands_before_its_tokens(space, side):
    """Patches are as small as what is put on them to look: the cell beside may move more."""
    for seed in (3, 4, 9):
        network = bold(lambda seed=seed: Transformer(space, side, True), seed)
        x = np.random.default_rng(seed).normal(size=(2, 2, *space))
        grid = [size // side for size in space]
        found = ask.values(seewhy.grad_cam(seewhy.wrap(network), x, target=3, layer="block1"))
        ask.close(found, by_hand(network, "block1", x, True, slice(1, None)).reshape(2, *grid), 1e-6)


def pointwise(d: int) -> nn.Module:
    """Average pooling before or behind a convolution of kernel 1."""
    conv = of(d, "Conv")
    return nn.Sequential(conv(2, 7, 3, padding=1), nn.ReLU(), of(d, "AdaptiveAvgPool")(1), conv(7, 5, 1), nn.Flatten())


@pytest.mark.parametrize("d", SPACES)
def test_cam_of_a_pointwise_head(d):
    """sum_c w_c a_c (Zhou et al. 2016), whose mean is the score but for the bias."""
    net = Net(bold(lambda: pointwise(d)), SPACES[d], {"1": SPACES[d]})
    head: Any = net.network.get_submodule("3")
    w, bias = head.weight.detach().reshape(5, 7), head.bias.detach()
    a = net.network.get_submodule("1")(net.network.get_submodule("0")(torch.tensor(net.images))).detach()
    maps = seewhy.cam(seewhy.wrap(net.network), net.images, target=2, layer="1", signed=True)
    ask.close(ask.values(maps), torch.einsum("c,nc...->n...", w[2], a).numpy(), 1e-6)
    for m in maps:
        assert m.source.score == pytest.approx(m.values.mean(dtype=float) + float(bias[2]), rel=1e-5)


CELLS = {1: (5,), 2: (1, 4), 3: (1, 2, 3)}


@pytest.mark.parametrize("d", SPACES)
def test_a_unit_in_a_cell_of_any_grid(d):
    cell = CELLS[d]
    network = bold(lambda: pointwise(d))
    x = torch.tensor(np.random.default_rng(d).normal(size=(1, 2, *SPACES[d])), requires_grad=True)
    (g,) = torch.autograd.grad(network.get_submodule("1")(network.get_submodule("0")(x))[(0, 1, *cell)], x)
    unit = Unit.parse(f"unit:1:1:{','.join(map(str, cell))}")
    assert (unit, str(unit)) == (Unit("1", 1, at=cell), f"unit:1:1:{','.join(map(str, cell))}")
    (m,) = seewhy.gradient(seewhy.wrap(network), x.detach().numpy(), target=unit, reduce="sum")
    ask.close(m.values, g[0].sum(0).numpy(), 1e-6)
    wrong = (*cell, 0)
    with pytest.raises(seewhy.BadParameter, match="whose grid is"):
        seewhy.gradient(seewhy.wrap(network), x.detach().numpy(), target=Unit("1", 1, at=wrong))
    for text in ("unit:1:1:1,", "unit:1:1:,1", "unit:1:1:-1"):
        with pytest.raises(seewhy.BadParameter, match="unit:LAYER:CHANNEL"):
            Unit.parse(text)


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
    assert not model._survey(torch.as_tensor(x)).unclear


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
    emitted = {name: Emitted(modules[name], (2, *change.shape[1:]), None) for name, change in changes.items()}
    found = told(emitted, 2, LENGTH, [(6,)], lambda names: {name: changes[name] for name in names}, None)
    lies = {name: found.layouts[id(modules[name]), emitted[name].sides(2)] for name in changes}
    own = Layout(TOKENS, 20, (6,), 1)
    assert lies == {"block": own, "deep": own._replace(channels=30), "wide": None, "smeared": None}
    assert "wrap(grid=(6,))" in found.unclear[7]
