"""fuse(): several layers' maps as one, against plain numpy."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import seewhy
from seewhy import Extent, Heatmap, Source, VolumeFit, fuse
from seewhy.images.places import Cells, Grid
from support import ask, networks
from support.files.scans import AFFINES, volume

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


LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@pytest.mark.parametrize("how", ["mean", "max", "product"])
@pytest.mark.parametrize("sides", [[(5,), (16,)], [(2, 3, 2), (6, 4, 5), (1, 1, 1)]], ids=["a signal", "a volume or a clip"])
def test_layers_of_signals_volumes_and_clips(sides, how):
    rng, largest = np.random.default_rng(1), tuple(max(axis) for axis in zip(*sides, strict=True))
    maps = [abs(rng.normal(size=each)) if how == "product" else rng.normal(size=each) for each in sides]
    (fused,) = fuse([on_grid(values, Grid.whole(largest), str(i)) for i, values in enumerate(maps)], how)
    mode = LINEAR[len(largest)]
    grown = np.stack([
        F.interpolate(torch.tensor(m / abs(m).max())[None, None], largest, mode=mode, align_corners=False)[0, 0] for m in maps
    ])  # fmt: skip
    strongest = np.take_along_axis(grown, abs(grown).argmax(0)[None], 0)[0]
    ask.close(fused.values, {"mean": grown.mean(0), "max": strongest, "product": grown.prod(0)}[how], rel=1e-5)
    assert fused.box == Grid.whole(largest)


def on_grid(values, box, layer="a", image=None, **parts):
    return Heatmap(np.asarray(values, np.float32), image, box, Source(**{**vars(SOURCE), "layer": layer}), **parts)


def ramp(box, cells, weights):
    """1 + weights x where each of (*cells) lies in the image: x is in its pixels, counted from the edge."""
    total = np.ones(cells)
    for axis, count in enumerate(cells):
        low = box.first[axis] + 0.5 - box.step[axis] / 2
        at = low + (np.arange(count) + 0.5) / count * box.size[axis] * box.step[axis]
        total = total + weights[box.axes[axis]] * at.reshape([-1 if a == axis else 1 for a in range(len(cells))])
    return total


WAYS = {  # two ways to prepare one volume: by the finer of both maps it is fused
    "spacings": (VolumeFit(spacing=1.5), VolumeFit(spacing=3.0)),
    "the order of axes": (VolumeFit(axes="kji"), VolumeFit(axes="jik")),
    "turned": (VolumeFit(orientation="RAS"), VolumeFit(orientation="LPI", axes="kij")),
    "sizes": (VolumeFit(size=(12, 10, 14)), VolumeFit(size=(8, 8, 8), axes="jki")),
}


@pytest.mark.parametrize("affine", ["anisotropic", "rotated", "all of it"])
@pytest.mark.parametrize("way", WAYS)
def test_maps_of_one_volume_are_laid_over_each_other_where_they_lie_in_it(way, affine):
    """Both are ramps over the volume, which stay what they are between the centres of cells, however they are sampled."""
    scan = volume(AFFINES[affine])
    fine, coarse = (fit.box(scan) for fit in WAYS[way])
    p, q = (0.3, -0.1, 0.2), (0.1, 0.25, 0.05)
    a, b = ramp(fine, fine.size, p), ramp(coarse, [max(2, side // 2) for side in coarse.size], q)
    maps = [on_grid(b, coarse, "b", image=scan), on_grid(a, fine, "a", image=scan)]
    (fused,) = fuse(maps)
    assert fused.box == fine
    assert fused.image is scan
    expected = (a / abs(a).max() + ramp(fine, fine.size, q) / abs(b).max()) / 2
    inner = tuple(slice(side // 4 + 1, -(side // 4) - 1) for side in fine.size)  # between the outermost centres of b
    ask.close(fused.values[inner], expected[inner], rel=1e-4)
    assert fused.full().shape == scan.shape


def test_maps_of_one_photo_at_two_sizes_and_with_cells_of_their_own():
    """The same part of the photo in 8 x 8 and in 32 x 32 pixels of the network; the cells of the second begin at its fifth."""
    box = Grid((0, 1), (0, 0), (1, 1), (8, 8), (8, 8))
    at = np.arange(7) * 4 + 5  # of 32
    one = on_grid(ramp(box, (8, 8), (0.5, 0.1)), box, "a")
    placed = (1 + 0.2 * (at + 0.5) / 4)[:, None] + 0.05 * ((at + 0.5) / 4)
    quarter = Grid((0, 1), (-0.375, -0.375), (0.25, 0.25), (32, 32), (8, 8))
    other = on_grid(placed, quarter, "b", cells=Cells((5, 5), (4, 4), (32, 32)))
    (fused,) = fuse([one, other])
    expected = one.values / one.values.max() + ramp(box, (8, 8), (0.2, 0.05)) / placed.max()
    ask.close(fused.values[2:-1, 2:-1], expected[2:-1, 2:-1] / 2, rel=1e-5)


CROPS = {
    "crops": [Extent(0, 0, 8, 8), Extent(0, 0, 6, 8)],
    "crops of a volume": [VolumeFit(crop=6).box(volume(np.eye(4))), VolumeFit(crop=8).box(volume(np.eye(4)))],
    "a volume and a photo": [Extent(0, 0, 8, 8), Grid.whole((8, 8))],
    "two images": [Grid.whole((8, 8)), Grid((0, 1), (0, 0), (1, 1), (8, 8), (9, 9))],
}


@pytest.mark.parametrize("name", CROPS)
def test_parts_that_differ_are_refused(name):
    maps = [on_grid(np.ones((4,) * (3 if name[-6:] == "volume" else 2)), box, str(i)) for i, box in enumerate(CROPS[name])]
    with pytest.raises(seewhy.NotApplicable, match=r"show different parts of one: .* by the same crop"):
        fuse(maps)


def test_maps_of_different_dimensions_are_refused():
    with pytest.raises(seewhy.NotApplicable, match="different dimensions cannot be fused: a 4, b 4x4"):
        fuse([on_grid(np.ones(4), Grid.whole((4,))), on_grid(np.ones((4, 4)), Grid.whole((4, 4)), "b")])


def test_what_belonged_to_one_layer_alone_goes():
    maps = [on_grid(np.ones((2, 2)), Grid.whole((4, 4)), layer, error=np.ones((2, 2), np.float32)) for layer in "ab"]
    (fused,) = fuse(maps)
    assert (fused.error, fused.regions, fused.channels) == (None, None, None)


def test_of_a_network_of_volumes():
    """Of a volume whose voxels lie obliquely; what is saved lies where the volume lies."""
    scan = volume(AFFINES["all of it"])
    network = torch.nn.Sequential(
        torch.nn.Conv3d(1, 3, 3, padding=1), torch.nn.ReLU(), torch.nn.AvgPool3d(2), torch.nn.Conv3d(3, 4, 1), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
    ).eval()  # fmt: skip
    model = seewhy.wrap(network, prepare={"orientation": "RAS", "axes": "kji", "size": 8}, geometry="plain")
    fine, coarse = seewhy.hires_cam(model, scan, target=1, layer=["1", "4"], signed=True)
    (fused,) = fuse([fine, coarse])
    grown = F.interpolate(torch.tensor(coarse.values)[None, None], (8, 8, 8), mode="trilinear")[0, 0].numpy()
    ask.close(fused.values, (fine.values / abs(fine.values).max() + grown / abs(coarse.values).max()) / 2, rel=1e-5)
    assert fused.image.affine.tolist() == scan.affine.tolist()
    assert fused.full().shape == scan.shape


def test_what_cannot_be_fused():
    with pytest.raises(seewhy.NoSuchName, match="Closest: mean"):
        fuse([heatmap(A)], "meen")
    with pytest.raises(seewhy.BadParameter, match="no maps"):
        fuse([])
