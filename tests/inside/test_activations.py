"""activations(): what layers emit, channel by channel, as the network's own hooks see it."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy import activations
from support import dimensions, networks
from support.ask import close
from support.small import small_network

X = networks.images(2)


def hooked(network: nn.Module, layer: str, x: np.ndarray) -> np.ndarray:
    """What torch's own hook sees at the layer."""
    seen = []
    handle = network.get_submodule(layer).register_forward_hook(lambda _m, _a, out: seen.append(out.detach().clone()))
    try:
        network(torch.as_tensor(x))
    finally:
        handle.remove()
    return seen[-1].numpy()


@pytest.mark.parametrize("layer", ["act1", "act2", "fc"])
def test_the_numbers_are_those_of_the_networks_own_hooks_in_float64(layer):
    network = networks.pooled()
    expected, before = hooked(network, layer, X), {name: p.clone() for name, p in network.state_dict().items()}
    found = activations(seewhy.wrap(network), X, layer, None)
    assert [each.place for each in found] == [0, 1]
    for each, a in zip(found, expected, strict=True):
        assert each.values.dtype == np.float64
        assert np.array_equal(each.values, a)
        rows = a.reshape(len(a), -1)
        strength = abs(rows).max(1)
        assert [row.channel for row in each.channels] == sorted(range(len(a)), key=lambda c: (-strength[c], c))
        for row in each.channels:
            assert (row.low, row.high) == (rows[row.channel].min(), rows[row.channel].max())
            assert abs(row.peak) == strength[row.channel]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_maps_are_single_channels_and_say_so():
    (found,) = activations(seewhy.wrap(networks.pooled()), X[:1], "act2", 3)
    for heatmap, row in zip(found.maps, found.channels, strict=True):
        close(heatmap.values, found.values[row.channel], 1e-6)
        assert heatmap.source.layer == "act2"
        assert heatmap.source.params == {"channel": row.channel}
        assert heatmap.source.target == f"unit:act2:{row.channel}"
        assert heatmap.source.method == f"activation of channel {row.channel}"
    by_engine = seewhy.grad_cam(seewhy.wrap(networks.pooled()), X[:1], layer="act2")[0]
    assert found.maps[0].cells == by_engine.cells  # they lie where other maps of the layer lie


def test_by_contribution_they_come_as_top_units_ranks_them():
    model = seewhy.wrap(networks.pooled())
    for i, each in enumerate(activations(model, X, "act2", None, "contribution", 1)):
        ranked = seewhy.top_units(model, X[i : i + 1], "act2", 1, None)[0]
        assert [row.channel for row in each.channels] == [unit.unit.channel for unit in ranked]
        assert [row.contribution for row in each.channels] == pytest.approx([unit.contribution for unit in ranked], rel=1e-9)
        assert "by what they add to the score of 1" in each.title


class Fixed(nn.Module):
    """Emits channels whose peaks are known: 2, -3, 0, 3, 2, of which the third is dead."""

    def __init__(self, peaks=(2.0, -3.0, 0.0, 3.0, 2.0)) -> None:
        super().__init__()
        self.peaks, self.emit = torch.tensor(peaks), nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = x.mean(1, keepdim=True).abs().clamp(max=1) * self.peaks[:, None, None]
        return self.emit(a).mean((2, 3))


def test_equal_channels_come_by_number_and_dead_ones_are_counted():
    (found,) = activations(seewhy.wrap(Fixed().eval()), np.ones((1, 3, 4, 6)), "emit", None)
    assert [row.channel for row in found.channels] == [1, 3, 0, 4, 2]
    assert [row.peak for row in found.channels] == [-3, 3, 2, 2, 0]
    assert found.silent == 1
    assert "1 are zero everywhere" in found.title
    assert found.picture().size[0] > 0
    (given,) = activations(seewhy.wrap(Fixed().eval()), np.ones((1, 3, 4, 6)), "emit", channels=[4, 1])
    assert [row.channel for row in given.channels] == [4, 1]


def test_all_channels_dead_and_one_channel_alone_are_drawn():
    for peaks in ((0.0, 0.0), (1.0,)):
        (found,) = activations(seewhy.wrap(Fixed(peaks).eval()), np.ones((1, 3, 4, 6)), "emit")
        assert len(found.channels) == len(peaks)
        assert found.picture().mode == "RGB"


def test_maps_lie_on_the_photo_where_the_network_saw_it():
    """One bright spot of a photo that is cropped, and of one stored turned by a quarter, stays in its place."""
    network = small_network(padding=1)
    with torch.no_grad():
        network[0].weight.fill_(1.0)
    model = seewhy.wrap(network, prepare={"size": 32, "crop": 32, "mean": 0.0, "std": 1.0})
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[36:44, 52:60] = 255
    (found,) = activations(model, Image.fromarray(pixels), "1", 1)
    assert found.maps[0].box == (32, 0, 96, 64)
    stored, exif = Image.fromarray(np.rot90(pixels).copy()), Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    (turned,) = activations(model, Image.open(io.BytesIO(file.getvalue())), "1", 1)
    for each in (found, turned):
        full = each.maps[0].full()
        y, x = np.unravel_index(full.argmax(), full.shape)
        assert full.shape == (64, 128)
        assert 36 <= y < 44
        assert 52 <= x < 60


@pytest.mark.parametrize("d", [1, 2, 3])
def test_any_dimension(d):
    network, x = dimensions.pooled(d).eval(), np.random.default_rng(d).normal(0.2, 1, (1, 2, *dimensions.SPACES[d]))
    (found,) = activations(seewhy.wrap(network), x.astype(np.float32), "5", 2)
    close(found.values, hooked(network, "5", x.astype(np.float32))[0], 1e-6)
    assert found.maps[0].size == dimensions.SPACES[d] if d != 2 else found.maps[0].size == dimensions.SPACES[d][::-1]
    assert found.picture().mode == "RGB"


def test_layers_of_one_call_come_in_their_order_for_each_image():
    found = activations(seewhy.wrap(networks.pooled()), X, ["act2", "act1"], 1)
    assert [(each.place, each.layer) for each in found] == [(0, "act2"), (0, "act1"), (1, "act2"), (1, "act1")]


def test_of_two_thousand_channels_no_more_maps_are_made_than_are_shown():
    network = nn.Sequential(nn.Conv2d(3, 2048, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 2)).eval()
    (found,) = activations(seewhy.wrap(network), np.random.default_rng(0).random((1, 3, 7, 7)).astype(np.float32), "0", 5)
    assert found.values.shape == (2048, 7, 7)
    assert len(found.maps) == 5


def test_a_layer_without_space_is_drawn_as_bars_and_has_no_maps():
    (found,) = activations(seewhy.wrap(networks.pooled()), X[:1], "fc")
    with pytest.raises(seewhy.NotApplicable, match="one number a channel"):
        _ = found.maps
    picture = np.asarray(found.picture())
    assert (picture == (178, 24, 43)).all(2).any() == (found.values > 0).any()
    assert (picture == (33, 102, 172)).all(2).any() == (found.values < 0).any()


def test_what_is_not_finite_is_refused_with_the_layer_it_begins_at():
    network = networks.pooled()
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(seewhy.BadNetwork, match=r"not finite for image 0, image 1; NaN or infinity first arises at layer "):
        activations(seewhy.wrap(network), X, "act2")


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"layer": "nowhere"}, seewhy.NoSuchName, "No layer 'nowhere'"),
        ({"by": "size"}, seewhy.NoSuchName, "There are: peak, contribution"),
        ({"count": 0}, seewhy.BadParameter, "from 1 on"),
        ({"layer": []}, seewhy.BadParameter, "a list of names"),
        ({"channels": [99]}, seewhy.BadParameter, "no channel 99; act2 has channels 0 to"),
        ({"channels": []}, seewhy.BadParameter, "the list is empty"),
        ({"channels": 3}, seewhy.BadParameter, "channels=3: it is no list of numbers"),
        ({"layer": 5}, seewhy.BadParameter, "layer=5: give the name of a layer"),
    ],
)
def test_advice(wrong, error, says):
    with pytest.raises(error, match=says):
        activations(seewhy.wrap(networks.pooled()), X[:1], **{"layer": "act2", **wrong})


def test_a_function_has_no_layers():
    with pytest.raises(seewhy.NeedsGradients, match="reads the inside"):
        activations(seewhy.wrap(lambda x: np.zeros((len(x), 2))), X[:1])


def test_a_map_is_made_again_from_its_source():
    model = seewhy.wrap(networks.pooled())
    (found,) = activations(model, X[:1], "act2", 2)
    again = found.maps[1].source.again(model, X[:1])
    assert again.same, again
