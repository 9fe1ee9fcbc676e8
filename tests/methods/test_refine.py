"""refine(): a product over layers, equal to fuse(), to torchcam's RefineCAM and to plain numpy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy import METHODS
from seewhy.methods.making.method import lookup
from support import ask, networks

LAYERS = ["act1", "act2"]
BASES = ["grad-cam-pp", "layer-cam", "grad-cam", "eigen-cam", "kpca-cam", "score-cam", "recipro-cam", "smooth(layer-cam)"]


def drawn_out(values, shape):
    return F.interpolate(torch.tensor(values)[None, None], shape, mode="bilinear", align_corners=False)[0, 0].numpy()


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("toy", ["pooled", "flat_head"])
def test_the_product_of_each_layers_map_by_its_largest_value(toy, name):
    model, x = seewhy.wrap(getattr(networks, toy)(), geometry="plain"), networks.images(2)
    base = lookup(name)
    each = base(model, x, target=[0, 1], layer=LAYERS)
    found = seewhy.refine(base)(model, x, target=[0, 1], layer=LAYERS)
    assert len(found) == 4
    for fine, coarse, one in zip(each[::2], each[1::2], found, strict=True):
        a, b = (np.maximum(m.values, 0) for m in (fine, coarse))
        expected = a / (a.max() or 1) * drawn_out(b / (b.max() or 1), a.shape)
        np.testing.assert_allclose(one.values, expected, atol=1e-5)
        assert one.source.layer == "act1 + act2"
        assert (one.place, one.source.target) == (fine.place, fine.source.target)
    assert any(m.values.any() for m in found)


@pytest.mark.parametrize("geometry", ["plain", "receptive-field"])
def test_it_is_what_fuse_makes_of_the_same_maps(geometry):
    """Where the cells of the layers lie by their receptive fields, too; of three layers, in any order."""
    model, x = seewhy.wrap(networks.pooled(), geometry=geometry), networks.images(2)
    for layers in (["conv1", "act1", "act2"], ["act2", "act1"]):
        fused = seewhy.fuse(seewhy.layer_cam(model, x, target=1, layer=layers), "product")
        found = seewhy.refine("layer-cam")(model, x, target=1, layer=layers)
        for one, other in zip(found, fused, strict=True):
            ask.close(one.values, other.values, rel=1e-5)
            assert one.source.layer == other.source.layer
            assert one.cells == other.cells


def test_torchcam_multiplies_the_same():
    """Of maps whose least value is zero, which theirs are once they are stretched; theirs end in another stretch to 1."""
    library = pytest.importorskip("torchcam.methods")
    model, x = seewhy.wrap(networks.pooled(), geometry="plain"), networks.images(1)
    maps = seewhy.layer_cam(model, x, target=1, layer=LAYERS)
    assert [m.values.min() for m in maps] == [0, 0]
    theirs = library.RefineCAM.fuse_cams([torch.tensor(m.values)[None] for m in maps], normalized=False)[0].numpy()
    ask.close(seewhy.refine("layer-cam")(model, x, target=1, layer=LAYERS)[0].values, theirs, rel=1e-5)


def test_of_volumes_and_signals():
    for d, conv, pool in ((1, nn.Conv1d, nn.AvgPool1d), (3, nn.Conv3d, nn.AvgPool3d)):
        torch.manual_seed(0)
        body = [conv(2, 4, 3, padding=1), nn.ReLU(), pool(2), conv(4, 4, 1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)]
        network = nn.Sequential(*body).eval()
        x = np.random.default_rng(0).normal(size=(1, 2, *[8] * d)).astype(np.float32)
        network(torch.tensor(x))
        model = seewhy.wrap(network, geometry="plain")
        fused = seewhy.fuse(seewhy.layer_cam(model, x, target=1, layer=["1", "4"]), "product")
        ask.close(seewhy.refine("layer-cam")(model, x, target=1, layer=["1", "4"])[0].values, fused[0].values, rel=1e-5)


def test_one_pass_serves_all_layers():
    forwards = []
    network = networks.pooled()
    network.register_forward_hook(lambda *_: forwards.append(1))
    seewhy.grad_cam_pp(seewhy.wrap(network), networks.images(1), target=1, layer=LAYERS)
    alone = len(forwards)
    forwards.clear()
    seewhy.refine("grad-cam-pp")(seewhy.wrap(network), networks.images(1), target=1, layer=LAYERS)
    assert len(forwards) == alone


def test_it_travels_is_made_again_and_stands_among_others():
    model, x = seewhy.wrap(networks.pooled()), networks.images(1)
    method = lookup("refine(layer-cam)")
    assert method == seewhy.refine(seewhy.layer_cam) == seewhy.refine(seewhy.layer_cam.using(signed=True))
    assert "signed" not in method.defaults
    maps = seewhy.explain(model, x, ["layer-cam", method, "smooth(refine(layer-cam))"], 1, LAYERS)
    assert [(m.source.method, m.source.layer) for m in maps] == [
        ("layer-cam", "act1"), ("refine(layer-cam)", "act1 + act2"), ("smooth(refine(layer-cam))", "act1 + act2"),
        ("layer-cam", "act2"),
    ]  # fmt: skip
    assert maps[1].source.again(model, x).same == "bit for bit"


@pytest.mark.parametrize("layer", [None, "act2", ["act2"]])
def test_one_layer_is_refused(layer):
    with pytest.raises(
        seewhy.BadParameter, match=r"refine\(layer-cam\) multiplies the maps of several layers, and this is one, act2"
    ):
        seewhy.refine("layer-cam")(seewhy.wrap(networks.pooled()), networks.images(1), target=1, layer=layer)


@pytest.mark.parametrize("name", ["gradient", "occlusion", "lime", "guided-grad-cam"])
def test_what_reads_no_layer_is_refused(name):
    with pytest.raises(seewhy.BadParameter, match=rf"refine multiplies the maps of several layers, and {name} reads"):
        seewhy.refine(METHODS[name])


def test_maps_that_have_no_place_in_common_say_so():
    """One layer is lit on the left, the other on the right."""

    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Identity(), nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = torch.zeros(8, dtype=x.dtype)
            weight[:2] = 1
            x = self.left(x * weight) + self.right(x * weight.flip(0))
            return torch.stack([x.sum((1, 2, 3)), -x.sum((1, 2, 3))], 1)

    x = np.ones((1, 2, 8, 8), np.float32)
    (found,) = seewhy.refine("hires-cam")(seewhy.wrap(Halves().eval()), x, target=0, layer=["left", "right"])
    assert not found.values.any()
    assert any("no place in common" in warning for warning in found.warnings)


@pytest.mark.parametrize("method", ["occlusion", "lime"])
def test_a_place_does_not_move_with_the_image(method):
    """augment() mirrors the image, and not what is marked on it; at other sizes, and under noise, the place is the same."""
    model = seewhy.wrap(networks.pooled(), prepare={"size": 16, "crop": None})
    labels = np.arange(256).reshape(16, 16) // 64
    with pytest.raises(seewhy.BadParameter, match="augment mirrors the image, and segments= stays at its place"):
        seewhy.augment(method).using(segments=labels)(model, np.zeros((32, 32, 3), np.uint8), target=1)
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    places = {"within": (0, 0, 16, 16), "window": 4} if method == "occlusion" else None
    if places:
        for made in (seewhy.smooth(method).using(samples=2), seewhy.augment(method).using(flips=False, scales=(1, 2))):
            (found,) = made.using(**places)(model, photo, target=1)
            h = found.values.shape[0]
            assert found.values[: h // 2, : h // 2].any()
            assert not found.values[h // 2 + 1 :].any()
            assert not found.values[:, h // 2 + 1 :].any()
