"""The layer that is explained where nobody named one, and why that one."""

import pytest

from seewhy.models.model import Layer
from seewhy.models.torch.places.default import last_map, widest_map
from seewhy.models.torch.places.layout import Layout
from seewhy.models.torch.places.marks import IMAGES, Dim, Factor

MAP = Layout.first(8, (7, 7))
PATCHES = Dim((Factor(7, 0), Factor(7, 1)), (-1, *range(49)))  # behind a class token
TOKEN = Layout((Dim((Factor(1, IMAGES),)), PATCHES, Dim((Factor(8),))), (7, 7))
HEADS = Layout((Dim((Factor(1, IMAGES),)), Dim((Factor(2),)), PATCHES, Dim((Factor(4),))), (7, 7))


def layer(kind="Conv2d", shape=(8, 7, 7), connected=True, tokens=0):
    return Layer(kind, shape, 1, connected, tokens=tokens)


def chosen(layers, layouts, lost=()):
    found = last_map(layers.__getitem__, layouts.__getitem__, [*layers][::-1], lost.__contains__)
    assert found is not None
    name, known = found
    assert known == layers[name]._replace(default=True, why=known.why)
    return {name: known.why}


def test_the_last_layer_with_space_that_the_scores_rest_on():
    layers = {"first": layer(), "last": layer(), "fc": layer("Linear", (5,))}
    why = chosen(layers, {"first": MAP, "last": MAP, "fc": None})
    assert why == {"last": "the last layer that still has space (7x7 cells) and that the scores rest on"}


def test_a_later_layer_that_nothing_rests_on_is_named():
    layers = {"first": layer(), "last": layer("Block", connected=False, tokens=1)}
    (why,) = chosen(layers, {"first": MAP, "last": TOKEN}).values()
    assert why.endswith("last comes later, but nothing of its places reaches the scores: behind it only tokens of no place, "
                        "such as the class token, are read")  # fmt: skip
    layers = {"first": layer(), "last": layer(connected=False)}
    assert chosen(layers, {"first": MAP, "last": MAP})["first"].endswith("nothing of its places reaches the scores")


def test_where_nothing_is_seen_to_reach_the_scores_the_last_is_read_and_that_is_said():
    layers = {"first": layer(connected=False), "last": layer(connected=False)}
    assert "none is seen to reach the scores" in chosen(layers, {"first": MAP, "last": MAP})["last"]


def test_layers_whose_tokens_are_unclear_are_said_to_be_passed_over():
    layers = {"a": layer(), "b": layer("Block", (8, 49))}
    assert "of later layers it is not known how they lie" in chosen(layers, {"a": MAP, "b": None}, ("b",))["a"]
    assert "not known" not in chosen(layers, {"a": MAP, "b": None})["a"]


PASSED = {**dict.fromkeys(("MaxPool2d", "Dropout", "Identity", "Flatten"), MAP), "Linear": TOKEN,
          "one cell": Layout.first(8, (1, 1)), "no space": None, "heads": HEADS}  # fmt: skip


@pytest.mark.parametrize("kind", PASSED)
def test_what_finds_nothing_in_space_is_no_default(kind):
    layers = {"conv": layer(), "last": layer(kind)}
    assert [*chosen(layers, {"conv": MAP, "last": PASSED[kind]})] == ["conv"]
    assert last_map(layers.__getitem__, {"last": PASSED[kind]}.__getitem__, ["last"], ().__contains__) is None


def widest(layers, layouts):
    return widest_map(layers.__getitem__, layouts.__getitem__, [*layers][::-1])


def test_of_a_dense_head_the_last_of_the_widest_maps():
    layers = {"stem": layer(shape=(8, 9, 9)), "wide": layer(shape=(32, 7, 7)), "wide2": layer(shape=(32, 6, 7)),
              "head": layer(shape=(21, 9, 9)), "off": layer(shape=(64, 7, 7), connected=False)}  # fmt: skip
    layouts = {name: Layout.first(found.shape[0], found.shape[1:]) for name, found in layers.items()}
    found = widest(layers, layouts)
    assert found is not None
    assert found[0] == "wide2"
    assert found[1].why == "the last of the widest maps (32 channels, 6x7 cells) that the score rests on"


def test_what_cuts_patches_for_tokens_is_no_map():
    layers = {"embed": layer("Embed", tokens=1), "embed.conv": layer(shape=(8, 7, 7)), "neck": layer(shape=(4, 14, 14))}
    layouts = {"embed": TOKEN, "embed.conv": MAP, "neck": Layout.first(4, (14, 14))}
    assert widest(layers, layouts) is None
    assert widest({"conv": layer()}, {"conv": MAP}) is None
