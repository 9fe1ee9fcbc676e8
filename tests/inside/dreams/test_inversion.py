"""invert(): what is kept comes back, what is forgotten does not."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName, NotApplicable
from seewhy.inside.dreams import inversion
from seewhy.inside.dreams.inversion import invert
from support import networks

MIX, SHIFT = np.array([[2.0, 0.5, 0], [0, 1, -0.5], [0.3, 0, 1.5]]), np.array([0.1, -0.2, 0])
FIT = {"size": None, "crop": None, "mean": 0.4, "std": 0.3}


def invertible() -> Any:
    """A mixture of the channels that can be undone (`mix`), then red alone (`red`), in float64."""
    mix: Any = nn.Conv2d(3, 3, 1)
    red = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        mix.weight.copy_(torch.tensor(MIX).view(3, 3, 1, 1))
        red.weight.copy_(torch.tensor(np.linalg.inv(MIX)[:1]).view(1, 3, 1, 1))
        mix.bias.copy_(torch.tensor(SHIFT))
    network = nn.Sequential()
    for name, block in {"mix": mix, "red": red, "pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()}.items():
        network.add_module(name, block)
    return seewhy.wrap(network.double().eval(), prepare=FIT, name="invertible")


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8))


@pytest.fixture(scope="module")
def small() -> Any:
    prepare = {"size": 24, "crop": 24, "mean": 0.5, "std": 0.25}
    return seewhy.wrap(networks.pooled(), prepare=prepare, name="small")


def test_of_an_invertible_layer_the_photo_comes_back(photo: Image.Image) -> None:
    found = invert(invertible(), photo, ["mix", "red"], bounded=0, smooth=0, steps=250)
    np.testing.assert_array_equal(np.asarray(found[0].picture), np.asarray(photo))  # pixel by pixel
    assert found[0].distance < 1e-6
    red = np.asarray(found[1].picture, int)
    np.testing.assert_array_equal(red[..., 0], np.asarray(photo, int)[..., 0])  # what the layer keeps
    assert abs(red[..., 1:] - np.asarray(photo, int)[..., 1:]).mean() > 40  # what it forgets is noise
    assert np.asarray(found.seen).tobytes() == np.asarray(photo).tobytes()


def test_the_loss_is_that_of_the_formula(photo: Image.Image) -> None:
    """The first row of the curve, by hand: the noise of that seed, and what the layer emits for it."""
    found = invert(invertible(), photo, "mix", steps=1, bounded=0.5, smooth=0.25, seed=7)
    start = (0.5 + np.random.default_rng(7).normal(0, 80 / 255 / 4, (1, 3, 9, 12))).clip(0, 1)
    truth = np.asarray(photo, float).transpose(2, 0, 1)[None] / 255
    phi, goal = (np.einsum("oc,ncij->noij", MIX, (x - 0.4) / 0.3) + SHIFT.reshape(3, 1, 1) for x in (start, truth))
    lengths = np.sqrt(((start - 0.5) ** 2).sum(1)) / (80 / 255)
    down, across = (np.diff(start, axis=axis, append=start.take([-1], axis)) for axis in (2, 3))
    steps = np.sqrt((down**2 + across**2).sum(1)) / (80 / 255 / 6.5)
    expected = [((phi - goal) ** 2).sum() / (goal**2).sum(), 0.5 * (lengths**6).mean(), 0.25 * (steps**2).mean()]
    np.testing.assert_allclose(found[0].curve[0], expected, rtol=1e-5)


def test_smoothness_makes_it_smooth(photo: Image.Image) -> None:
    rough, smooth = (np.asarray(invert(invertible(), photo, "red", steps=60, smooth=s)[0].picture, float) for s in (0, 0.1))
    assert abs(np.diff(smooth, axis=1)).mean() < 0.5 * abs(np.diff(rough, axis=1)).mean()


def test_of_a_network_each_layer_is_inverted_and_the_loss_falls(small: Any, photo: Image.Image) -> None:
    found = invert(small, photo.resize((24, 24)), ["act1", "act2", "scores"], steps=25)
    assert [each.layer for each in found.layers] == ["act1", "act2", "scores"]
    for each in found.layers:
        assert each.image.shape == (3, 24, 24)
        assert each.curve[-1].sum() < each.curve[0].sum()
    again = invert(small, photo.resize((24, 24)), "act2", steps=25)
    assert again[0].image.tobytes() == found[1].image.tobytes()  # whatever was inverted before it
    assert invert(small, photo, steps=1)[0].layer == small.default(next(small.batches(photo)).x)[0]


def test_ctrl_c_leaves_the_layers_and_the_image_until_then(
    small: Any, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter([False] * 7 + [True])
    monkeypatch.setattr(inversion, "stop_asked", lambda: next(asked))
    found = invert(small, photo, ["act1", "act2", "scores"], steps=5)
    assert found.stopped
    assert [(each.layer, len(each.curve)) for each in found.layers] == [("act1", 5), ("act2", 2)]


def test_what_cannot_be_inverted_is_advice(small: Any, photo: Image.Image) -> None:
    for arguments, words in [
        ({"steps": 0}, "steps is a whole number from 1"),
        ({"rate": 0}, "rate=0 is a number from 1e-06 on"),
        ({"smooth": -1}, "smooth=-1 is a number from 0 on"),
        ({"layer": []}, "the name of a layer, a list of names"),
    ]:
        with pytest.raises(BadParameter, match=words):
            invert(small, photo, **arguments)
    with pytest.raises(BadParameter, match="one photo at a time; several were given"):
        invert(small, [photo, photo])
    with pytest.raises(NoSuchName, match="Closest: act"):
        invert(small, photo, "act9")
    unprepared: Any = seewhy.wrap(networks.pooled())
    with pytest.raises(NotApplicable, match="takes prepared numbers"):
        invert(unprepared, networks.images(1))
    with pytest.raises(NeedsGradients, match="gives scores only"):
        invert(seewhy.wrap(lambda x: x.mean((2, 3)), name="mean"), photo)  # type: ignore[arg-type]


def test_a_silent_layer_is_told(photo: Image.Image) -> None:
    network: Any = networks.pooled()
    with torch.no_grad():
        network[0].bias[:] = -1000
    model = seewhy.wrap(network, prepare={"size": 24, "crop": 24, "mean": 0.5, "std": 0.25}, name="net")
    with pytest.raises(NotApplicable, match="Layer act1 of net is silent: it emits 0 everywhere for this photo"):
        invert(model, photo, "act1")  # type: ignore[arg-type]
