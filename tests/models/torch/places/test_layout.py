"""What is no picture of the image is not drawn as one: heads, blocks of tokens, features in the place of time."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.torch.places.layout import FIRST, LAST, SEQUENCE, TOKENS, Layout, NetworkGrids, halved, layout, squares

X = np.random.default_rng(0).standard_normal((2, 3, 64, 64))


def default(model, x=X):
    return next((name, layer) for name, layer in model.layers(x).items() if layer.default)


class Heads(nn.Module):
    """Attention whose keys (n, heads, tokens, d) pass a module, with as many tokens as numbers in each, nearly."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.qkv, self.k_norm = nn.Conv2d(3, 64, 8, 8), nn.Linear(64, 192), nn.LayerNorm(64)
        self.kept, self.token, self.fc = nn.Sequential(self.k_norm), nn.Parameter(torch.randn(1, 1, 64)), nn.Linear(64, 4)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        q, k, v = self.qkv(x).chunk(3, -1)
        k = self.kept(torch.stack([k, k * 2, k * 3], 1))  # (n, 3, 65, 64)
        return self.fc(((q[:, None] @ k.transpose(-1, -2) / 8).softmax(-1) @ v[:, None]).mean(1)[:, 0])


def test_heads_are_no_picture():
    model = seewhy.wrap(Heads().double())
    layers = model.layers(X)
    assert layers["kept"].shape == (3, 65, 64)
    assert default(model)[0] == "patch"
    with pytest.raises(seewhy.NotApplicable, match=r"no space to draw in\. The default is patch"):
        seewhy.grad_cam(model, X, layer="kept")


class Blocks(nn.Module):
    """Four blocks of tokens, (n, 4, 16, 12), as NesT has them: no 16x12 picture of a 64x64 image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.mlp, self.fc = nn.Conv2d(3, 12, 8, 8), nn.Sequential(nn.Linear(12, 12), nn.GELU()), nn.Linear(12, 4)

    def forward(self, x):
        x = self.patch(x).reshape(len(x), 12, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1).reshape(len(x), 4, 16, 12)
        return self.fc(self.mlp(x).mean((1, 2)))


def test_blocks_of_tokens_are_no_picture():
    model = seewhy.wrap(Blocks().double())
    assert default(model)[0] == "patch"
    with pytest.raises(seewhy.NotApplicable, match="no space"):
        seewhy.grad_cam(model, X, layer="mlp")


class Signal(nn.Module):
    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.middle, self.fc = nn.Conv1d(2, 24, 5, padding=2), middle, nn.Linear(24, 3)

    def forward(self, x):
        y = self.middle(self.conv(x).transpose(1, 2))
        return self.fc((y[0] if isinstance(y, tuple) else y).mean(1))


@pytest.mark.parametrize("length", [100, 24, 48])
@pytest.mark.parametrize("kind", ["lstm", "linear", "norm", "transformer"])
def test_features_of_a_signal_are_not_its_time(kind, length):
    torch.manual_seed(1)
    middle = {"lstm": nn.LSTM(24, 24, batch_first=True), "linear": nn.Linear(24, 24), "norm": nn.LayerNorm(24),
              "transformer": nn.TransformerEncoderLayer(24, 2, 48, batch_first=True, dropout=0.0)}[kind]  # fmt: skip
    network, x = Signal(middle).double().eval(), np.random.default_rng(0).standard_normal((2, 2, length))
    seen: list[torch.Tensor] = []
    handle = middle.register_forward_hook(lambda _m, _a, out: seen.append((out[0] if isinstance(out, tuple) else out).detach()))
    network(torch.as_tensor(x))
    handle.remove()
    found = seewhy.eigen_cam(seewhy.wrap(network), x, layer="middle", signed=True)
    assert found[0].values.shape == (length,)
    activations = seewhy.wrap(network).activations(x, ["middle"])[0]["middle"]
    np.testing.assert_allclose(np.asarray(activations), seen[0].transpose(1, 2).numpy(), rtol=1e-9)


def test_a_tuple_of_two_that_could_be_scores_says_which_is_explained():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 3)

        def forward(self, x):
            features = self.conv(x).relu().mean((2, 3))
            return features, self.fc(features)

    (m, _) = seewhy.grad_cam(seewhy.wrap(Two().double()), X)
    assert any("a tuple with (2, 8) and (2, 3); the first is explained" in w for w in m.warnings)
    (m, _) = seewhy.grad_cam(seewhy.wrap(Two().double(), output=1), X)
    assert not m.warnings


GRIDS = NetworkGrids({5: Layout(TOKENS, 0, (2, 2), 1)}, frozenset({(6, 10)}))
READ = {
    "channels first": ((2, 7, 4, 6), {}, Layout(FIRST, 7, (4, 6))),
    "channels last": ((2, 4, 6, 7), {}, Layout(LAST, 7, (4, 6))),
    "the image's own": ((2, 3, 64, 96), {}, Layout(FIRST, 3, (64, 96))),
    "surely first": ((2, 4, 6, 7), {"first": True}, Layout(FIRST, 4, (6, 7))),
    "a grid that was followed": ((2, 5, 5, 7), {"grid": (5, 5)}, Layout(LAST, 7, (5, 5))),
    "a grid of the network": ((2, 6, 10, 7), {}, Layout(LAST, 7, (6, 10))),
    "another grid": ((2, 5, 9, 7), {}, None),
    "tokens": ((2, 5, 7), {}, Layout(TOKENS, 7, (2, 2), 1)),
    "tokens before the batch": ((5, 2, 7), {}, Layout(SEQUENCE, 7, (2, 2), 1)),
    "as many tokens as nobody knows": ((2, 6, 7), {}, None),
    "vectors": ((2, 7), {}, None),
}


@pytest.mark.parametrize("how", READ)
def test_how_a_shape_is_read(how):
    shape, more, expected = READ[how]
    assert layout(shape, (64, 96), 2, GRIDS, **more) == expected


KINDS = [Layout(FIRST, 5, (2, 3)), Layout(LAST, 5, (2, 3)), Layout(TOKENS, 5, (2, 3), 1, 2), Layout(SEQUENCE, 5, (2, 3), 2)]


@pytest.mark.parametrize("lies", KINDS, ids=lambda lies: lies.kind)
def test_what_is_turned_is_put_back(lies):
    count = lies.prefix + 6 + lies.suffix
    shape = {FIRST: (1, 5, 2, 3), LAST: (1, 2, 3, 5), TOKENS: (1, count, 5), SEQUENCE: (count, 1, 5)}[lies.kind]
    emitted = torch.arange(float(np.prod(shape))).reshape(shape)
    cells = lies.turn(emitted)
    assert cells.shape == (1, *lies.shape) == (1, 5, 2, 3)
    assert torch.equal(lies.back(cells, emitted), emitted)
    edits = torch.cat([cells, -cells])
    back = lies.back(edits, emitted)
    assert torch.equal(lies.turn(back), edits)
    if lies.kind == TOKENS:  # those of no place stay what they were
        assert torch.equal(back[:, 0], emitted[:, 0].expand(2, 5))
        assert torch.equal(back[:, 7:], emitted[:, 7:].expand(2, 2, 5))
    assert torch.equal(lies.turn(torch.stack([emitted, -emitted])), torch.stack([cells, -cells]))


def test_cells_that_share_out_an_image_in_squares():
    assert squares((4, 6), (64, 96))
    assert not squares((4, 4), (64, 96))
    assert not squares((5, 6), (64, 96))
    assert not squares((0, 6), (64, 96))
    assert squares((1, 1), (64, 96))
    assert squares((3, 4, 6), (6, 64, 96)), "time has a pace of its own"
    assert not squares((4,), (64, 96))


def test_halves_are_rounded_up_and_down():
    assert halved([(7, 4)]) == {(4, 2), (3, 2), (2, 1), (1, 1)}
    assert halved([(1, 1)]) == {(1, 1)}
    assert halved([]) == set()


def test_proportions_are_those_of_the_last_two_sides():
    assert Layout(FIRST, 1, (4, 6)).distorts((64, 96)) == pytest.approx(0)
    assert Layout(FIRST, 1, (3, 4, 6)).distorts((100, 64, 96)) == pytest.approx(0)
    assert Layout(FIRST, 1, (4, 12)).distorts((64, 96)) == pytest.approx(np.log(2))
    assert Layout(FIRST, 1, (0, 6)).distorts((64, 96)) == np.inf
