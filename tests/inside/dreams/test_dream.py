"""dream(): what moves, where to, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName, NotApplicable
from seewhy.inside.dreams import dream as dreaming
from seewhy.inside.dreams.dream import dream, dreamt_of
from seewhy.targets.target import Unit
from support import networks

FIT = {"size": 32, "crop": 32, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.5)}
WEIGHTS = (1.0, -0.5, 0.25)


def linear() -> Any:
    """A unit that is a weighted sum of the channels of each pixel, and its mean as the one score."""
    see = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        see.weight.copy_(torch.tensor(WEIGHTS).view(1, 3, 1, 1))
    network = nn.Sequential()
    for name, block in {"see": see, "pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()}.items():
        network.add_module(name, block)
    return seewhy.wrap(network.eval(), prepare=FIT, name="linear")


@pytest.fixture(scope="module")
def small() -> Any:
    return seewhy.wrap(networks.pooled(), prepare=FIT, name="small")


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(60, 200, (6, 8, 3), np.uint8)).resize((50, 40))


@pytest.mark.parametrize("octaves", [1, 3])
@pytest.mark.parametrize("what", ["unit:see:0", Unit("see", 0, "sum"), 0], ids=["text", "unit", "class"])
def test_of_a_linear_unit_each_pixel_moves_along_its_weight(octaves: int, what: Any) -> None:
    """d unit / d pixel is the weight over the spread of the channel, everywhere; a step is so many levels on average."""
    grey = Image.new("RGB", (64, 48), (120, 130, 140))
    found = dream(linear(), grey, what, octaves=octaves, steps=4, step=2.0)
    g = np.array(WEIGHTS) / FIT["std"]
    moved = octaves * 4 * 2.0 * g / abs(g).mean()
    assert found.image.size == (64, 48)
    np.testing.assert_allclose(np.asarray(found.image, float) - (120, 130, 140), np.broadcast_to(moved, (48, 64, 3)), atol=0.51)
    assert (np.diff(found.values) > 0).all()
    assert len(found.values) == 4 * octaves


def test_the_detail_of_the_photo_stays(photo: Image.Image) -> None:
    """Where the same is drawn on all pixels, what comes out is the photo and that."""
    found = dream(linear(), photo, Unit("see", 0), octaves=3, scale=1.1, steps=2, step=1.0)
    g = np.array(WEIGHTS) / FIT["std"]
    change = np.asarray(found.image, float) - np.asarray(photo, float)
    np.testing.assert_allclose(change, np.broadcast_to(6 * g / abs(g).mean(), change.shape), atol=0.51)


@pytest.mark.parametrize("what", ["act1", "layer:act2 - 0.1*layer:act1", Unit("act2", 2), 1, None])
def test_what_is_dreamt_of_grows(small: Any, photo: Image.Image, what: Any) -> None:
    found = dream(small, photo, what, octaves=2, steps=6, jitter=2, seed=3)
    assert found.values[5] > found.values[0]
    assert found.values[-1] > found.values[6]
    assert found.image.size == photo.size
    again = dream(small, photo, what, octaves=2, steps=6, jitter=2, seed=3)
    assert np.asarray(found.image).tobytes() == np.asarray(again.image).tobytes()


def test_another_seed_shifts_otherwise(small: Any, photo: Image.Image) -> None:
    one, other = (dream(small, photo, "act2", octaves=1, steps=3, seed=seed).image for seed in (0, 1))
    assert np.asarray(one).tobytes() != np.asarray(other).tobytes()


def test_a_unit_counts_in_all_of_its_cells_and_the_layer_is_the_middle_one(small: Any) -> None:
    assert str(dreamt_of(small, Unit("act1", 1))) == "unit:act1:1:sum"
    assert str(dreamt_of(small, Unit("act1", 1, (0, 2)))) == "unit:act1:1:0,2"
    rows = small.layers().items()
    with_space = [name for name, row in rows if len(row.shape) == 3 and min(row.shape[1:]) > 1 and row.connected]
    assert str(dreamt_of(small, None)) == f"layer:{with_space[len(with_space) // 2]}"


def test_by_default_nothing_is_dreamt_of_that_cannot_grow(photo: Image.Image) -> None:
    """The mean square of what a LayerNorm emits is 1 whatever the image: its gradient is what rounding leaves."""
    evened = [("first", nn.Conv2d(3, 4, 3)), ("even", nn.GroupNorm(1, 4)), ("last", nn.Conv2d(4, 4, 3))]
    network = networks.stack(*evened, ("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten())).eval()
    model = seewhy.wrap(network, prepare=FIT)
    assert dream(model, photo, "even", octaves=1, steps=3).values == pytest.approx(1, abs=1e-3)
    assert str(dreamt_of(model.with_flat_layers(), None)) == "layer:last"


class Twice(nn.Module):
    """A convolution that runs on what it emitted, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.conv(x)).mean((2, 3))


def test_of_a_layer_that_runs_several_times_the_last_run_is_dreamt_of(photo: Image.Image) -> None:
    torch.manual_seed(0)
    model = seewhy.wrap(Twice().eval(), prepare=FIT)
    usual, last, first = (dream(model, photo, what, octaves=1, steps=3) for what in (None, "conv#2", "conv#1"))
    assert (usual.objective, last.objective, first.objective) == ("layer:conv#2", "layer:conv#2", "layer:conv#1")
    assert np.array_equal(usual.values, last.values)
    assert not np.array_equal(usual.values, first.values)
    with pytest.raises(BadParameter, match="Say which run is meant: conv#1, conv#2"):
        dream(model, photo, "conv")


def test_a_network_of_one_size_dreams_by_tiles(photo: Image.Image) -> None:
    """Of a linear one on 16x16 pixels each tile has its weights as gradient."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2)).eval()
    model = seewhy.wrap(network, prepare={**FIT, "size": 16, "crop": 16}, name="fixed")
    found = dream(model, photo, 1, octaves=2, steps=5, jitter=4)
    assert found.image.size == photo.size
    assert found.values[4] > found.values[0]
    tiny = dream(model, photo.resize((10, 8)), 1, octaves=2, steps=5)
    assert tiny.image.size == (10, 8)
    assert tiny.settings["sizes"] == "20x16"


def test_no_octave_is_too_small_for_the_network(photo: Image.Image) -> None:
    """As AlexNet's, its strides leave nothing of 32 pixels; and where the photo itself is too small, it is enlarged for it."""
    network = networks.stack(
        ("strides", nn.Conv2d(3, 4, 11, stride=4)), ("act", nn.ReLU()), ("pool", nn.MaxPool2d(7)),
        ("mean", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()),
    ).eval()  # fmt: skip
    model = seewhy.wrap(network, prepare={**FIT, "size": 96, "crop": 96})
    found = dream(model, photo.resize((120, 100)), "act", octaves=4, steps=1)
    assert found.settings["sizes"] == "77x64, 86x71, 120x100"
    assert dream(model, photo, "act", octaves=2, steps=1).settings["sizes"] == "80x64"


def test_ctrl_c_leaves_what_is_drawn(small: Any, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter([False] * 8 + [True])
    monkeypatch.setattr(dreaming, "stop_asked", lambda: next(asked))
    found = dream(small, photo, "act2", octaves=2, steps=6)
    assert found.stopped
    assert len(found.values) == 8
    assert found.image.size == photo.size
    assert np.asarray(found.image).tobytes() != np.asarray(photo).tobytes()


def test_what_cannot_be_dreamt_is_advice(small: Any, photo: Image.Image) -> None:
    for arguments, words in [
        ({"scale": 1}, "scale=1 is a number from 1.01"),
        ({"steps": 0}, "steps is a whole number from 1"),
        ({"step": float("nan")}, "step=nan is a number"),
        ({"what": "diversity:act1"}, "compares several images"),
    ]:
        with pytest.raises(BadParameter, match=words):
            dream(small, photo, **arguments)
    with pytest.raises(BadParameter, match="one photo; 2 were given"):
        dream(small, [photo, photo])
    with pytest.raises(NoSuchName, match="Closest: act"):
        dream(small, photo, "layer:act9", steps=1)
    with pytest.raises(NoSuchName, match=r"No layer or class 'act9'. Closest: act2, act1. model.layers\(\) has"):
        dream(small, photo, "act9", steps=1)
    unprepared: Any = seewhy.wrap(networks.pooled())
    with pytest.raises(NotApplicable, match=r"wrap\(network, prepare="):
        dream(unprepared, photo)
    with pytest.raises(NeedsGradients, match="gives scores only"):
        dream(seewhy.wrap(lambda x: x.mean((2, 3)), name="mean"), photo)  # type: ignore[arg-type]


def test_a_dead_unit_is_told(photo: Image.Image) -> None:
    network: Any = networks.pooled()
    with torch.no_grad():
        network[0].bias[1] = -1000
    model: Any = seewhy.wrap(network, prepare=FIT, name="net")
    with pytest.raises(NotApplicable, match=r"unit:act1:1:sum of net has no gradient anywhere in image.*seewhy units"):
        dream(model, photo, Unit("act1", 1), octaves=1, steps=2)
