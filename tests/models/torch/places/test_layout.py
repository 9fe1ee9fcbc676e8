"""What is no picture of the image is not drawn as one: reordered tokens, heads, texts, features in the place of time."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

import seewhy
from seewhy import IMAGE
from support import networks

X = np.random.default_rng(0).standard_normal((2, 3, 64, 64))


def default(model, x=X):
    return next((name, layer) for name, layer in model.layers(x).items() if layer.default)


class Reordered(nn.Module):
    """Patches in raster order, then window by window, as Hiera has them; the mean of all is read."""

    def __init__(self, windows: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.windows, self.patch, self.flat = windows, nn.Conv2d(3, 8, 8, 8), nn.Identity()
        self.norm, self.mlp, self.fc = (
            nn.LayerNorm(8),
            nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)),
            nn.Linear(8, 4),
        )

    def forward(self, x):
        x = self.flat(self.patch(x).flatten(2).transpose(1, 2))
        if self.windows:
            x = x.reshape(len(x), 4, 2, 4, 2, 8).permute(0, 2, 4, 1, 3, 5).reshape(len(x), 64, 8)
        return self.fc((x + self.mlp(self.norm(x))).mean(1))


def test_tokens_that_were_put_in_another_order_are_refused():
    name, layer = default(seewhy.wrap(Reordered(False).double()))
    assert (name, layer.shape) == ("mlp", (8, 8, 8))
    model = seewhy.wrap(Reordered(True).double())
    name, layer = default(model)
    assert name == "patch"
    assert "not known how their tokens lie" in layer.why
    with pytest.raises(seewhy.NotApplicable, match="not in the order of the image"):
        seewhy.grad_cam(model, X, layer="mlp")
    with pytest.raises(seewhy.NotApplicable, match="not in the order of the image"):
        seewhy.grad_cam(seewhy.wrap(Reordered(True).double(), grid=(8, 8)), X, layer="mlp")


def test_hiera_is_found_out():
    network = timm.create_model(
        "hiera_tiny_224", img_size=224, embed_dim=16, num_heads=1, stages=(1, 1, 1, 1), num_classes=4
    ).eval()
    model = seewhy.wrap(network)
    x = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype("f")
    assert default(model, x)[0] == "patch_embed.proj"
    with pytest.raises(seewhy.NotApplicable, match="not in the order of the image"):
        seewhy.grad_cam(model, x, layer="blocks.0")


def test_an_asked_grid_is_that_of_the_rows_that_it_fits():
    """Others, as of a pyramid's other stages, are found as ever, and never cut to it."""
    network = timm.create_model("pvt_v2_b0", num_classes=4).eval()
    for grid in (None, (2, 2)):
        layers = seewhy.wrap(network, grid=grid).layers(X.astype("f"))
        assert {layers[f"stages.{i}"].shape[1:] for i in range(4)} == {(16, 16), (8, 8), (4, 4), (2, 2)}
        rows = [layer for name, layer in layers.items() if name.endswith("blocks.0.norm1")]
        assert [row.shape[1:] for row in rows] == [(16, 16), (8, 8), (4, 4), (2, 2)]
        assert not any(row.tokens for row in rows)


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


class Towers(nn.Module):
    """An image of 64 patches beside a text of 64 words; the score is their likeness."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.image_norm = nn.Conv2d(3, 8, 8, 8), nn.LayerNorm(8)
        self.words, self.text_norm = nn.Embedding(10, 8), nn.LayerNorm(8)

    def forward(self, pixel_values, input_ids):
        image = self.image_norm(self.patch(pixel_values).flatten(2).transpose(1, 2)).mean(1)
        return image @ self.text_norm(self.words(input_ids)).mean(1).T


def test_the_layers_of_another_input_are_no_picture():
    ids = torch.arange(64)[None] % 10
    for texts in (ids, torch.cat([ids, ids.flip(1) // 2])):
        model = seewhy.wrap(Towers().double(), inputs={"pixel_values": IMAGE, "input_ids": seewhy.Fixed(texts)})
        assert default(model)[0] == "image_norm"
        with pytest.raises(seewhy.NotApplicable, match=r"no space.*image_norm"):
            seewhy.grad_cam(model, X, layer="text_norm")


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


class Mirrored(nn.Module):
    def __init__(self, turn) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.turn, self.conv, self.fc = turn, nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.conv(self.turn(x)).relu().mean((2, 3)))


@pytest.mark.parametrize(
    "turn", [lambda x: x.flip(-1), lambda x: torch.rot90(x, 1, (2, 3)), torch.fliplr], ids=["flip", "rot90", "fliplr"]
)
def test_behind_a_mirror_the_map_says_that_it_lies_as_the_layer_saw_it(turn):
    model = seewhy.wrap(Mirrored(turn).double())
    for _ in range(2):  # also from what is remembered
        (m, _other) = seewhy.grad_cam(model, X, target=0, signed=True)
        assert any("mirrors or turns the image" in w for w in m.warnings), m.warnings
        assert m.cells is None
    (m, _other) = seewhy.grad_cam(seewhy.wrap(Mirrored(lambda x: x + 0).double()), X, target=0, signed=True)
    assert not m.warnings
    assert m.cells is not None


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


def test_a_gate_that_was_drawn_out_does_not_move_the_cells():
    """GhostNet V2 at the size it was made for: its gates are averaged over 2x2 cells and enlarged again."""
    network = timm.create_model("ghostnetv2_100", num_classes=4).eval()
    (name, layer) = default(seewhy.wrap(network), np.zeros((1, 3, 224, 224), "f"))
    assert layer.shape[1:] == (7, 7), name
    assert layer.cells is not None
    assert (layer.cells.stride, layer.cells.first) == ((32.0, 32.0), (0.0, 0.0))


def test_a_coarse_row_is_not_a_smaller_grid_with_many_tokens_beside_it():
    """LeViT halves 14x14 to 7x7 and to 4x4, which nobody shall read as 3x3 and seven tokens of no place."""
    torch.manual_seed(0)
    network = timm.create_model("levit_128s", num_classes=4).eval()
    (_, layer) = default(seewhy.wrap(network), np.zeros((1, 3, 224, 224), "f"))
    assert (layer.shape[1:], layer.tokens) == ((4, 4), 0)


def test_of_a_large_image_one_is_looked_at():
    """Forward and back with all that lies between is a matter of memory."""
    network, passes = networks.pooled().float(), []
    network.conv1.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    model = seewhy.wrap(network)
    small, large = (np.zeros((1, 3, side, 1024), np.float32) for side in (512, 514))
    assert [name for name, layer in model.layers(small).items() if layer.default] == ["act2"]
    assert [name for name, layer in model.layers(large).items() if layer.default] == ["act2"]
    assert passes == [2, 1]
