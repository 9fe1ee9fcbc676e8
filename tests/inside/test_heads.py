"""attention(): the weights of single heads, for any query, on the photo."""

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import attention
from support.ask import close, values
from support.families import ALL
from support.references import attention as plain

VIT = "timm vit, 4 registers"  # 5 tokens of no place, then 4 x 6 patches of 16 pixels
FIT = {"size": (64, 96), "crop": None, "mean": 0.5, "std": 0.5}


def weights(name: str = VIT, x=None) -> list[np.ndarray]:
    """Of every layer (n, heads, q, k), from timm's own dropout of attention."""
    found, _ = plain.dropped(plain.eager(name), ALL[name].images(2) if x is None else x)
    return [a.detach().numpy() for a in found]


def test_every_layer_and_head_of_the_class_token():
    expected = weights()
    maps = attention(seewhy.wrap(ALL[VIT].network()), ALL[VIT].images(2))
    order = [(i, f"blocks.{layer}.attn", head) for i in range(2) for layer in range(3) for head in range(2)]
    assert [(m.place, m.source.layer, m.source.params["head"]) for m in maps] == order
    for m, (i, _, head) in zip(maps, order, strict=True):
        row = expected[int(m.source.layer[7])][i, head, 0]
        close(m.values, row[5:].reshape(4, 6), 1e-6)
        assert m.source.measured["dropped"] == pytest.approx(row[:5].sum(), abs=1e-12)
        assert m.values.sum() + m.source.measured["dropped"] == pytest.approx(1, abs=1e-6)
    assert maps[1].source.method == "attention of head 1"
    assert maps[0].source.target == "class"


def test_one_layer_by_its_block_and_the_mean_over_heads():
    expected = weights()[1].mean(1)[:, 0, 5:].reshape(2, 4, 6)
    model = seewhy.wrap(ALL[VIT].network())
    close(values(attention(model, ALL[VIT].images(2), "blocks.1", "mean")), expected, 1e-6)
    close(values(attention(model, ALL[VIT].images(2), ["blocks.1.attn"], "mean")), expected, 1e-6)
    two = attention(model, ALL[VIT].images(2), ["blocks.2", "blocks.0"], 0)
    assert [m.source.layer for m in two] == ["blocks.2.attn", "blocks.0.attn"] * 2


@pytest.mark.parametrize(("query", "token"), [(0, 0), (7, 7), ((0, 0), 5), ((63, 95), 28), ((20, 40), 5 + 6 + 2)])
def test_any_query(query, token):
    expected = weights()[2][:, 1, token, 5:].reshape(2, 4, 6)
    close(values(attention(seewhy.wrap(ALL[VIT].network()), ALL[VIT].images(2), "blocks.2", 1, query)), expected, 1e-6)


def test_a_pixel_of_the_photo_is_a_patch_of_what_the_network_saw():
    """A photo twice as large, its middle cropped to 64 x 64: pixel (y, x) lies at (y / 2, (x - 32) / 2)."""
    fit = {"size": 64, "crop": 64, "mean": 0.5, "std": 0.5}
    model = seewhy.wrap(ALL["hf vit"].network().float(), prepare=fit)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8))
    (m,) = attention(model, photo, "vit.layers.1", 0, (70, 100))  # row 2, column 2
    (other,) = attention(model, photo, "vit.layers.1", 0, 1 + 2 * 4 + 2)
    close(m.values, other.values)
    assert m.box == (32, 0, 160, 128)
    assert m.overlay().size == (192, 128)
    with pytest.raises(seewhy.BadParameter, match=r"the network saw \(32, 0, 160, 128\)"):
        attention(model, photo, "vit.layers.1", 0, (70, 20))


def test_a_pixel_of_a_turned_photo_is_its_patch():
    """Turned to the left, at half its size: pixel (y, x) of 128 x 128 lies at ((127 - x) / 2, y / 2); maps lie as the photo."""

    def turned(photo):
        return np.asarray(photo.rotate(90).resize((64, 64)), np.float32).transpose(2, 0, 1) / 255

    model = seewhy.wrap(ALL["hf vit"].network().float(), prepare=turned)
    small = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    photo = Image.fromarray(small.repeat(16, 0).repeat(16, 1))
    (m,) = attention(model, photo, "vit.layers.1", 0, (70, 100))  # row 0, column 2
    (other,) = attention(model, photo, "vit.layers.1", 0, 1 + 0 * 4 + 2)
    close(m.values, other.values)
    (plain,) = attention(model, turned(photo)[None], "vit.layers.1", 0, 1 + 0 * 4 + 2)
    close(m.values, plain.values.T, 1e-6)
    np.testing.assert_allclose(m.full(), np.rot90(plain.full().repeat(2, 0).repeat(2, 1), -1), atol=0.1 * plain.values.max())


def test_no_patch_is_pointed_at_on_a_photo_of_which_an_unknown_part_is_seen():
    def slanted(photo):
        return np.asarray(photo.rotate(20).resize((64, 64)), np.float32).transpose(2, 0, 1) / 255

    model = seewhy.wrap(ALL["hf vit"].network().float(), prepare=slanted)
    with pytest.raises(seewhy.NotApplicable, match="no place on it can be found"):
        attention(model, Image.effect_noise((90, 80), 50).convert("RGB"), "vit.layers.1", 0, (7, 10))


def test_a_cell_is_asked_for_where_it_lies():
    """75 x 54 pixels hold 4 x 3 patches of 16; what is cut off counts to the nearest."""
    name = "timm vit, an odd size"
    expected = weights(name)[0]
    model = seewhy.wrap(ALL[name].network())
    for pixel, token in (((33, 31), 1 + 2 * 3 + 1), ((74, 53), 1 + 3 * 3 + 2), ((0, 47), 1 + 2)):
        found = values(attention(model, ALL[name].images(2), "blocks.0", 1, pixel))
        close(found, expected[:, 1, token, 1:].reshape(2, 4, 3), 1e-6)


def test_where_the_head_reads_patches_their_mean_is_shown_and_said():
    name = "timm vit, no prefix, averaged"
    (m, _) = attention(seewhy.wrap(ALL[name].network()), ALL[name].images(2), "blocks.2", 1)
    close(m.values, weights(name)[2][0, 1].mean(0).reshape(4, 6), 1e-6)
    assert any("reads patches: the mean over their rows is shown" in w for w in m.warnings)
    name = "timm deit, distilled"
    (m, _) = attention(seewhy.wrap(ALL[name].network()), ALL[name].images(2), "blocks.2", 1)
    close(m.values, weights(name)[2][0, 1, :2, 2:].mean(0).reshape(4, 6), 1e-6)


def test_a_shifted_window_lies_where_it_looks():
    """Stage 2 of Swin has 8 x 12 patches of 8 pixels in windows of 4, the second block's moved by 2: (0, 4) looks at the rows
    0, 1 (6, 7 are beyond the mask) and the columns 2 to 5."""
    model = seewhy.wrap(ALL["timm swin"].network())
    straight, shifted = attention(model, ALL["timm swin"].images(1), "layers.1", "mean", (4, 36))
    assert (straight.source.layer, shifted.source.layer) == ("layers.1.blocks.0.attn", "layers.1.blocks.1.attn")
    seen = np.zeros((8, 12), bool)
    seen[:4, 4:8] = True
    assert ((straight.values > 1e-9) == seen).all()
    seen = np.zeros((8, 12), bool)
    seen[:2, 2:6] = True
    assert ((shifted.values > 1e-9) == seen).all()
    assert straight.values.sum() == pytest.approx(1, abs=1e-6)


def test_pooled_keys_are_drawn_on_their_own_grid():
    model = seewhy.wrap(ALL["timm pvt_v2"].network())
    (m,) = attention(model, ALL["timm pvt_v2"].images(1), "stages.0", "mean", (8, 8))
    assert m.values.shape == (2, 3)
    assert m.values.sum() == pytest.approx(1, abs=1e-6)
    raw = plain.dropped(plain.eager("timm pvt_v2"), ALL["timm pvt_v2"].images(1))[0][0]
    close(m.values.ravel(), raw.detach().numpy()[0, 0, 2 * 24 + 2], 1e-6)


@pytest.mark.parametrize(
    ("name", "layer", "why"),
    [
        ("timm xcit", "blocks.0", "channels attend to channels"),
        ("timm cait", "blocks.0", "talking heads"),
        ("timm mvitv2", "stages.0", "several are pooled into one"),
    ],
)
def test_what_cannot_be_placed_is_refused(name, layer, why):
    with pytest.raises(seewhy.NotApplicable, match=why):
        attention(seewhy.wrap(ALL[name].network()), ALL[name].images(1), layer)


def test_a_query_that_a_layer_does_not_fill_anew():
    with pytest.raises(seewhy.NotApplicable, match="fills other tokens anew than the query"):
        attention(seewhy.wrap(ALL["timm cait"].network()), ALL["timm cait"].images(1), "blocks_token_only.0", 0, (8, 8))


@pytest.mark.parametrize(
    ("asked", "error", "why"),
    [
        ({"layer": "blocks.7"}, seewhy.NoSuchName, r"No attention 'blocks.7'. .*Attention runs in: blocks.0.attn"),
        ({"layer": []}, seewhy.BadParameter, "give the name of a layer"),
        ({"head": 2}, seewhy.BadParameter, "blocks.0.attn has heads 0 to 1"),
        ({"head": True}, seewhy.BadParameter, "has heads 0 to 1"),
        ({"head": "max"}, seewhy.BadParameter, "has heads 0 to 1"),
        ({"query": 29}, seewhy.BadParameter, "tokens 0 to 28"),
        ({"query": -1}, seewhy.BadParameter, "tokens 0 to 28"),
        ({"query": "cls"}, seewhy.BadParameter, "query='cls': \"class\", a token"),
        ({"query": (1, 2, 3)}, seewhy.BadParameter, "a pixel"),
        ({"query": (64, 0)}, seewhy.BadParameter, r"the network saw \(0, 0, 96, 64\)"),
    ],
)
def test_what_does_not_exist(asked, error, why):
    with pytest.raises(error, match=why):
        attention(seewhy.wrap(ALL[VIT].network()), ALL[VIT].images(1), **asked)


def test_a_function_has_no_attention():
    with pytest.raises(seewhy.NeedsGradients) as refusal:
        attention(seewhy.wrap(lambda x: x.mean((1, 2)), takes="uint8"), np.zeros((8, 8, 3), np.uint8))
    assert str(refusal.value) == (
        "attention reads the inside of a network; this model gives scores only. Try occlusion or rise."
    )


def test_what_is_no_model_has_no_attention():
    with pytest.raises(seewhy.BadParameter, match=r"^object is no model\. Make one: seewhy\.wrap"):
        attention(object(), np.zeros((8, 8, 3), np.uint8))  # type: ignore[arg-type]


def test_a_batch_equals_its_singles_and_the_network_stays():
    network = ALL[VIT].network()
    before = [p.detach().clone() for p in network.parameters()]
    model, x = seewhy.wrap(network, batch_size=2), ALL[VIT].images(3)
    together, alone = attention(model, x), [m for i in range(3) for m in attention(model, x[i : i + 1])]
    close(values(together), values(alone), 1e-6)
    assert [m.place for m in together] == [i for i in range(3) for _ in range(6)]
    assert all(torch.equal(p, kept) for p, kept in zip(network.parameters(), before, strict=True))
    assert not torch.overrides._get_current_function_mode_stack()
