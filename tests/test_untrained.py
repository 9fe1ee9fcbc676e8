"""How weights that nobody trained are named, and that every map of them says so."""

import dataclasses

import numpy as np
import pytest

import seewhy
from seewhy.models.torch.network_call import NetworkCall
from seewhy.untrained import drawn_text, untrained, warned
from support import networks

PHOTO = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)


@pytest.mark.parametrize(
    ("layers", "said"),
    [((), "random weights"), (("fc",), "random weights in fc"), (("a", "b.c"), "random weights in a, b.c"),
     (tuple("abcde"), "random weights in a, b, c, d and 1 more layer"),
     (tuple("abcdef"), "random weights in a, b, c, d and 2 more layers")],
)  # fmt: skip
def test_what_the_text_on_the_weights_says_is_read_back(layers, said):
    assert untrained(drawn_text(7, layers, "net.a1_in1k")) == said
    assert untrained(drawn_text(7, layers, "net.a1_in1k") + " (photos are prepared as is usual)") == said


@pytest.mark.parametrize(
    "weights", [None, "", "embedded", "random.pth sha256:0123", "a1, with random fc", "my random, seed 3 net"]
)
def test_other_weights_are_not_called_untrained(weights):
    assert untrained(weights) == ""
    assert warned("") == ()


@pytest.fixture(scope="module")
def random_model():
    return seewhy.load("demo/honest", weights="random")


def test_every_map_of_random_weights_says_so(random_model):
    (warning,) = warned("random weights")
    maps = seewhy.explain(random_model, PHOTO, ["grad-cam", "eigen-cam", "occlusion", "gradient"], tile=None)
    assert len(maps) == 4
    for found in maps:
        assert found.warnings[0] == warning
        assert found.source.caption.endswith(", random weights")
        assert found.source.weights == "random, seed 0"
    (tiled,) = seewhy.grad_cam(random_model, PHOTO, tile=96)
    assert warning in tiled.warnings
    (unit,) = seewhy.gradient(random_model, PHOTO, target="unit:body.0:1", reduce="sum")
    assert unit.warnings[0] == warning


def test_maps_of_attention_say_it_too():
    model = seewhy.wrap(networks.tokens(), weights="random")
    assert all(found.warnings[0] == warned("random weights")[0] for found in seewhy.attention(model, networks.images(1)))


def test_the_caption_of_trained_weights_says_nothing_of_it(made_source):
    source = made_source()
    assert "random" not in source.caption
    assert (
        dataclasses.replace(source, weights="a1, with random fc, seed 0").caption == f"{source.caption}, random weights in fc"
    )


def test_weights_that_were_trained_since_are_not_called_random():
    network = networks.pooled()
    model = seewhy.wrap(network, weights="random")
    assert model.untrained == "random weights"
    network.load_state_dict(networks.pooled(seed=1).state_dict())
    assert model.untrained == ""
    (found,) = seewhy.grad_cam(model, networks.images(1), target=0)
    assert found.warnings == ()


def test_weights_that_are_not_random_are_not_looked_over_for_each_map(monkeypatch):
    """Of a large network that takes milliseconds, each time."""
    monkeypatch.setattr(NetworkCall, "trained", lambda _: pytest.fail("nobody asked"))
    model = seewhy.wrap(networks.pooled(), weights="mine.pth")
    assert model.untrained == ""
    assert seewhy.grad_cam(model, networks.images(1), target=0)[0].warnings == ()
