"""filters(): kernels of the first convolution, what the units of deeper layers see, and advice."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy import filters
from support import dimensions, networks
from support.onnx_graphs import classifier
from support.small import small_network

FIT = {"size": 24, "crop": 24, "mean": 0.5, "std": 0.5}


def model(**how) -> Any:
    return seewhy.wrap(small_network(padding=1, **how), prepare=FIT)


def test_by_default_the_first_convolution_is_shown_and_its_kernels_are_the_weights():
    asked = model()
    found = filters(asked)
    assert (found.layer, found.units, found.fields, found.colours) == ("0", (0, 1, 2, 3), None, True)
    assert np.array_equal(found.kernels.weights, asked.network[0].weight.detach().numpy())
    assert filters(asked, count=2).units == (0, 1)
    assert filters(asked, units=[3, 1]).units == (3, 1)


def test_a_deeper_layer_has_fields_over_seeded_noise_beside_its_kernels():
    found, again, other = filters(model(), "2"), filters(model(), "2"), filters(model(), "2", seed=1)
    assert (found.over, found.seed, found.fields.images) == ("noise", 0, 4)
    assert found.kernels is not None
    assert not found.kernels.reads_image
    assert np.array_equal(found.fields.mean, again.fields.mean)
    assert not np.array_equal(found.fields.mean, other.fields.mean)


def test_over_photos_broken_ones_are_left_out_and_said(tmp_path):
    for i in range(3):
        Image.effect_noise((40, 30), 50 + i).convert("RGB").save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    found = filters(model(), "2", photos=tmp_path, samples=9)
    assert (found.over, found.seed, found.fields.images) == ("photos", None, 2)
    assert any("1.png is left out" in note for note in found.notes)
    photos = [str(tmp_path / f"{i}.png") for i in (0, 2)]
    np.testing.assert_allclose(filters(model(), "2", photos=photos).fields.mean, found.fields.mean, atol=1e-7)


def test_photos_that_come_one_by_one_are_read_once():
    """The first of them tells how large they are, and counts."""
    photos = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 20, 3), np.uint8)) for i in range(3)]
    network = model()
    found, expected = filters(network, "2", iter(photos), samples=2), filters(network, "2", photos, samples=2)
    assert found.fields is not None
    assert expected.fields is not None
    assert found.fields.images == 2
    assert np.array_equal(found.fields.mean, expected.fields.mean)


def test_a_layer_without_kernels_is_shown_by_what_it_sees():
    found = filters(model(), "3", samples=1)
    assert found.kernels is None
    assert found.fields.mean.shape == (4, 3, 24, 24)
    assert any("no convolution runs in it" in note for note in found.notes)


def test_patches_of_a_transformer_are_a_first_convolution():
    import timm

    network = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1, num_classes=2).eval()
    found = filters(seewhy.wrap(network, prepare={**FIT, "size": 32, "crop": 32}), count=3)
    assert found.layer == "patch_embed.proj"
    assert np.array_equal(found.kernels.weights, network.patch_embed.proj.weight.detach().numpy())
    assert found.picture().mode == "RGB"


@pytest.mark.parametrize("d", [1, 3])
def test_any_dimension_takes_prepared_arrays_for_photos(d):
    network, x = dimensions.pooled(d).eval(), np.random.default_rng(d).normal(0.2, 1, (2, 2, *dimensions.SPACES[d]))
    asked = seewhy.wrap(network)
    first = filters(asked, photos=x.astype(np.float32))
    assert np.array_equal(first.kernels.weights, network[0].weight.detach().numpy())
    deeper = filters(asked, "4", photos=x.astype(np.float32), count=2)
    assert deeper.fields.mean.shape == (2, 2, *dimensions.SPACES[d])
    assert deeper.fields.images == 2
    for found in (first, deeper):
        assert found.picture().mode == "RGB"


def test_three_channels_of_a_signal_are_no_colours():
    network = nn.Sequential(nn.Conv1d(3, 2, 5), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    found = filters(seewhy.wrap(network), photos=np.zeros((1, 3, 24), np.float32))
    assert found.kernels.reads_image
    assert not found.colours


def test_a_depthwise_first_layer_reads_one_channel_each():
    network = nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)).eval()
    found = filters(seewhy.wrap(network, prepare=FIT))
    assert found.kernels.reads_image
    assert str(found).splitlines()[4].endswith("reads 1")
    assert found.picture().mode == "RGB"


def test_a_network_that_gives_no_gradients_still_shows_kernels():
    asked = seewhy.wrap(classifier(), prepare={"size": (12, 16), "crop": None, "mean": 0.5, "std": 0.5})
    assert filters(asked).layer == "conv1"
    found = filters(asked, "conv2")
    assert found.fields is None
    assert found.kernels is not None
    assert any("no effective fields are shown" in note for note in found.notes)
    with pytest.raises(seewhy.NotApplicable, match="cannot be explained by onnxruntime"):
        filters(asked, "act1")


def test_the_network_is_left_as_it_was():
    asked = model()
    before = {name: value.clone() for name, value in asked.network.state_dict().items()}
    filters(asked, "2")
    assert all(torch.equal(value, before[name]) for name, value in asked.network.state_dict().items())
    assert not any(module._forward_hooks for module in asked.network.modules())


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"layer": "nowhere"}, seewhy.NoSuchName, "No layer 'nowhere'"),
        ({"count": 0}, seewhy.BadParameter, "count is a whole number from 1 on, not 0"),
        ({"samples": True}, seewhy.BadParameter, "samples is a whole number from 1 on, not True"),
        ({"samples": 1.5}, seewhy.BadParameter, "samples is a whole number from 1 on, not 1.5"),
        ({"seed": -1}, seewhy.BadParameter, "seed is a whole number from 0 on, not -1"),
        ({"layer": ["0"]}, seewhy.BadParameter, "one layer is asked for"),
        ({"units": 3}, seewhy.BadParameter, "units=3: it is no list of numbers"),
        ({"layer": "input"}, seewhy.NotApplicable, "the image itself, which has no filters"),
        ({"units": [4]}, seewhy.BadParameter, "no filter 4; 0 has filters 0 to 3"),
        ({"units": []}, seewhy.BadParameter, "the list is empty"),
    ],
)
def test_advice(wrong, error, says):
    with pytest.raises(error, match=says):
        filters(model(), **wrong)


def test_more_advice():
    with pytest.raises(seewhy.BadParameter, match="how large its images are"):
        filters(seewhy.wrap(networks.pooled()))
    with pytest.raises(seewhy.NotApplicable, match="No convolution of Sequential reads the image itself"):
        filters(seewhy.wrap(nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(27, 2)).eval(), prepare=FIT))
    broken = model()
    with torch.no_grad():
        broken.network[0].weight[0] = float("inf")
    with pytest.raises(seewhy.BadNetwork, match="weights of 0 of Sequential are not all finite"):
        filters(broken)
