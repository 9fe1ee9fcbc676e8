"""fuse(): several layers' maps as one, against plain numpy."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import seewhy
from seewhy import Extent, Heatmap, Source, fuse
from support import ask, networks

SOURCE = Source(
    image="one", model="m", weights=None, method="grad-cam", params={}, layer="a", target="0", index=0, label=None,
    scores="logits", score=1.0, probability=0.5, predicted=None, seconds=0.1, versions={},
)  # fmt: skip


def heatmap(values, layer="a", place=0, **facts):
    values = np.asarray(values, np.float32)
    source = Source(**{**vars(SOURCE), "layer": layer, **facts})
    return Heatmap(values, None, Extent(0, 0, 8, 8), source, place)


A = [[1.0, -2.0, 4.0], [0.0, 3.0, -4.0]]  # largest absolute value 4
B = [[-10.0, 5.0, 2.0], [1.0, 0.0, -8.0]]  # 10
EXPECTED = {  # of A / 4 and B / 10
    "mean": [[-0.375, 0.0, 0.6], [0.05, 0.375, -0.9]],
    "max": [[-1.0, -0.5, 1.0], [0.1, 0.75, -1.0]],  # the stronger of the two, sign kept; where equal, the first
}


def test_a_product_is_of_unsigned_maps():
    (fused,) = fuse([heatmap(np.abs(A)), heatmap(np.abs(B), "b")], "product")
    ask.close(fused.values, [[0.25, 0.25, 0.2], [0.0, 0.0, 0.8]], rel=1e-6)
    with pytest.raises(seewhy.BadParameter, match="product of signed maps"):
        fuse([heatmap(A), heatmap(B, "b")], "product")


@pytest.mark.parametrize(("how", "expected"), EXPECTED.items())
def test_two_layers(how, expected):
    (fused,) = fuse([heatmap(A), heatmap(B, "b")], how)
    ask.close(fused.values, expected, rel=1e-6)
    assert fused.values.dtype == np.float32
    assert fused.source.layer == "a + b"
    assert fused.source.params["fuse"] == how


def test_the_mean_is_the_default_and_of_three_not_of_pairs():
    c = [[4.0, 4.0, 4.0], [4.0, 4.0, 4.0]]
    (fused,) = fuse([heatmap(A), heatmap(B, "b"), heatmap(c, "c")])
    ask.close(fused.values, (np.array(A) / 4 + np.array(B) / 10 + 1) / 3, rel=1e-6)


@pytest.mark.parametrize("how", [*EXPECTED, "product"])
def test_coarser_layers_are_grown_first(how):
    """To the finest, linear between cell centres; the mean is taken after the resize (trap 14), and after dividing."""
    rng = np.random.default_rng(0)
    fine, coarse, flat = rng.normal(size=(8, 12)), rng.normal(size=(2, 3)), rng.normal(size=(1, 1))
    if how == "product":
        fine, coarse, flat = abs(fine), abs(coarse), abs(flat)
    (fused,) = fuse([heatmap(coarse), heatmap(fine, "b"), heatmap(flat, "c")], how)
    grown = [
        F.interpolate(torch.tensor(m / abs(m).max())[None, None], (8, 12), mode="bilinear", align_corners=False)[0, 0].numpy()
        for m in (coarse, fine, flat)
    ]
    stacked = np.stack(grown)
    strongest = np.take_along_axis(stacked, abs(stacked).argmax(0)[None], 0)[0]
    expected = {"mean": stacked.mean(0), "max": strongest, "product": stacked[0] * stacked[1] * stacked[2]}[how]
    ask.close(fused.values, expected, rel=1e-5)


def test_an_empty_layer_is_zero_not_nan():
    (fused,) = fuse([heatmap(A), heatmap(np.zeros((2, 3)), "b")])
    ask.close(fused.values, np.array(A) / 8, rel=1e-6)


def test_questions_are_kept_apart():
    """One map per image, target, method and setting, in the order they came."""
    kinds = [{}, {"place": 1, "image": "two"}, {"target": "1"}, {"method": "layer-cam"}, {"params": {"signed": True}}]
    maps = [heatmap(np.array(A) + i, layer, **kind) for layer in ("a", "b") for i, kind in enumerate(kinds)]
    fused = fuse(maps)
    assert len(fused) == len(kinds)
    for i, (one, kind) in enumerate(zip(fused, kinds, strict=True)):
        values = np.array(A) + i
        ask.close(one.values, values / abs(values).max(), rel=1e-6)
        assert one.place == kind.get("place", 0)
        assert {key: getattr(one.source, key) for key in kind if key not in ("place", "params")} == {
            key: value for key, value in kind.items() if key not in ("place", "params")
        }


def test_models_are_kept_apart():
    assert len(fuse([heatmap(A, model="m"), heatmap(B, model="n")])) == 2


def test_of_a_network():
    x = networks.images(2)
    maps = seewhy.layer_cam(seewhy.wrap(networks.pooled(), geometry="plain"), x, target=[0, 1], layer=["act1", "act2"])
    fused = fuse(maps, "max")
    assert [(m.place, m.source.target) for m in fused] == [(0, "0"), (0, "1"), (1, "0"), (1, "1")]
    for fine, coarse, one in zip(maps[::2], maps[1::2], fused, strict=True):
        grown = F.interpolate(torch.tensor(coarse.values)[None, None], fine.values.shape, mode="bilinear")
        expected = np.maximum(fine.values / fine.values.max(), grown[0, 0].numpy() / coarse.values.max())
        ask.close(one.values, expected, rel=1e-5)


def test_what_cannot_be_fused():
    with pytest.raises(seewhy.NoSuchName, match="Closest: mean"):
        fuse([heatmap(A)], "meen")
    with pytest.raises(seewhy.BadParameter, match="no maps"):
        fuse([])
