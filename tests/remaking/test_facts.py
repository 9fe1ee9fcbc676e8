"""What two Sources say otherwise: what the map was made under, and what it claims."""

import re
from dataclasses import replace

import pytest

from seewhy.maps.source import Predicted
from seewhy.remaking.facts import other_facts, parts_of


@pytest.fixture
def source(made_source):
    facts = {
        "versions": {"seewhy": "1", "torch": "2"}, "recipe": {"spec": "timm/mini"}, "weights_sha256": "0" * 64,
        "host": {"threads": 2}, "measured": {"gap": 0.5, "error": float("nan")},
    }  # fmt: skip

    def make(**other):
        return made_source(**{**facts, **other})

    return make


def test_equal_facts_are_none(source):
    assert other_facts(source(), source()) == ((), ())


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"versions": {"seewhy": "1", "torch": "3"}}, "versions torch: '2' as saved, '3' made again"),
        ({"versions": {"seewhy": "1"}}, "versions torch: '2' as saved, None made again"),
        ({"host": {"threads": 4}}, "host threads: 2 as saved, 4 made again"),
        ({"conditions": {"device": "cuda"}}, "conditions device: .* as saved, 'cuda' made again"),
        ({"label": None}, "label: 'tabby, tabby cat' as saved, None made again"),
    ],
)
def test_what_a_map_was_made_under_is_no_claim(source, other, said):
    under, claims = other_facts(source(), source(**other))
    assert claims == ()
    (fact,) = under
    assert re.fullmatch(said, fact)


FIT = {"kind": "Fit", "mean": (0.5, 0.25), "fit": {"size": 32}}


@pytest.mark.parametrize(
    ("named", "other", "said"),
    [
        ({"weights_sha256": "ab" * 32}, {"weights_sha256": "cd" * 32},
         "the weights are not those that the file names (SHA-256 abababababababab... as saved, cdcdcdcdcdcdcdcd... made "
         "again)"),
        ({"weights_sha256": "ab" * 32}, {"weights_sha256": ""},
         "the weights are not those that the file names (SHA-256 abababababababab... as saved, none can be told made again)"),
        ({"image_sha256": "0" * 64}, {"image_sha256": "f" * 64},
         "the image's pixels are not those that the file names (SHA-256 0000000000000000... as saved, ffffffffffffffff... made "
         "again)"),
        ({"prepare": FIT}, {"prepare": {**FIT, "mean": (0.5, 0.2501), "fit": {"size": 33}}},
         "the preprocessing is not the one that the file names: mean (0.5, 0.25) as saved, (0.5, 0.2501) made again; fit size "
         "32 as saved, 33 made again"),
        ({"prepare": {"kind": "Fit"}}, {"prepare": {}},
         "the preprocessing is not the one that the file names: kind 'Fit' as saved, None made again"),
        ({"image_size": (9, 8)}, {"image_size": (8, 9)}, "image_size: (9, 8) as saved, (8, 9) made again"),
    ],
)  # fmt: skip
def test_what_it_is_named_to_be_made_of_is_a_claim_whatever_the_recipe(source, named, other, said):
    assert other_facts(source(**named), source(**other)) == ((), (said,))
    claims = other_facts(source(**named, recipe={}, model="mine"), source(**other)).claims
    assert claims == (said,)


@pytest.mark.parametrize(
    ("unnamed", "named", "said"),
    [
        ({"weights_sha256": ""}, {"weights_sha256": "ab" * 32}, ("the file does not say which weights",)),
        ({"image_sha256": ""}, {"image_sha256": "ab" * 32}, ("the file does not say which pixels",)),
        ({"prepare": {}}, {"prepare": FIT}, ("the file does not say which preprocessing",)),
        ({"prepare": {"kind": "Fit"}}, {"prepare": {"kind": "Fit", "steps": 2}},
         ("the file does not say which preprocessing (its steps)",)),
        ({"image_size": ()}, {"image_size": (9, 8)}, ()),
        ({"weights_sha256": "", "prepare": {}}, {"weights_sha256": "", "prepare": {}}, ()),
    ],
)  # fmt: skip
def test_what_names_no_weights_pixels_or_preprocessing_is_unsure(source, unnamed, named, said):
    assert other_facts(source(**unnamed), source(**named)) == (said, ())


def test_one_number_for_each_channel_is_the_same_preprocessing(source):
    one, each = ({"kind": "Fit", "crop": crop, "mean": mean} for crop, mean in ((32, 0.5), ((32, 32), (0.5, 0.5, 0.5))))
    assert other_facts(source(prepare=one), source(prepare=each)) == ((), ())
    assert other_facts(source(prepare=each), source(prepare={"fit": one})).claims
    assert other_facts(source(prepare={"size": 32}), source(prepare={"size": (32, 32)})).claims  # the shorter side, or both
    assert other_facts(source(prepare={"mean": (0.5,)}), source(prepare={"mean": 0.5})).claims  # of grey pixels, or of colour
    odd = {"": 1, "mean": ({"a": 1}, {"a": 1})}  # of a file that was written by hand
    assert other_facts(source(prepare=odd), source(prepare=each)).claims


def test_without_a_hash_the_name_of_the_weights_has_to_be_the_same(source):
    under, claims = other_facts(source(weights_sha256="", weights="v1.pth"), source(weights="v2.pth"))
    assert under == ("the file does not say which weights",)
    assert claims == ("weights: 'v1.pth' as saved, 'v2.pth' made again",)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"score": 7.3}, "score: 7.25 as saved, 7.3 made again"),
        ({"probability": 0.99}, "probability: 0.75 as saved, 0.99 made again"),
        ({"probability": None}, "probability: 0.75 as saved, None made again"),
        ({"label": "dog"}, "label: 'tabby, tabby cat' as saved, 'dog' made again"),
        ({"index": 3}, "index: 281 as saved, 3 made again"),
        ({"predicted": Predicted(281, "tabby, tabby cat", 0.5)}, "predicted probability: 0.75 as saved, 0.5 made again"),
        ({"measured": {"gap": 0.6, "error": float("nan")}}, "measured gap: 0.5 as saved, 0.6 made again"),
        ({"warnings": ("one",)}, "warning as saved alone: two"),
        ({"warnings": ("one", "two", "three")}, "warning made again alone: three"),
        ({"caveat": "good"}, "caveat: 'none known' as saved, 'good' made again"),
        ({"weights": "other.pth"}, "weights: 'mini.safetensors sha256:0123456789abcdef' as saved, 'other.pth' made again"),
        ({"layer": "layer3"}, "layer: 'layer4' as saved, 'layer3' made again"),
        ({"params": {"signed": True}}, "params signed: False as saved, True made again"),
        ({"scores": "probability"}, "scores: 'logits' as saved, 'probability' made again"),
    ],
)
def test_what_it_says_is_a_claim(source, other, said):
    assert other_facts(source(), source(**other)) == ((), (said,))


@pytest.mark.parametrize(
    "other", [{"score": 7.2501}, {"probability": 0.75001}, {"seconds": 9.0}, {"image": "/elsewhere/cat.jpg"}]
)
def test_rounding_time_and_place_are_no_matter(source, other):
    assert other_facts(source(), source(**other)) == ((), ())


def test_what_is_left_of_sums_is_rounded_as_they_are(source):
    """The score is 7.25, so that a thousandth of it is no difference of a gap, and more is one."""
    for gap, other in ((0.5072, False), (0.5074, True), (0.4928, False), (0.4926, True)):
        claims = other_facts(source(), source(measured={"gap": gap, "error": float("nan")})).claims
        assert bool(claims) == other


def test_the_name_of_another_model_is_its_own(source):
    under, claims = other_facts(source(), source(recipe={"spec": "mine"}, model="mine", weights=None))
    assert claims == ()
    assert under[0] == "model: 'timm/mini' as saved, 'mine' made again"
    assert other_facts(source(recipe={}), source(recipe={}, model="mine")).claims == ()


def test_another_version_of_seewhy_may_use_other_words(source):
    other = source(versions={"seewhy": "2", "torch": "2"}, caveat="put otherwise", warnings=("three",))
    assert other_facts(source(), other) == (("versions seewhy: '1' as saved, '2' made again",), ())


def test_a_budget_of_time_is_made_again_as_a_number_of_forwards(source):
    one = source(params={"budget": "10 s"}, warnings=("stopped by the budget of 10 s: error 3",))
    other = source(params={"budget": 120}, warnings=("stopped by the budget of 120 forwards: error 3",))
    assert other_facts(one, other) == ((), ())


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"image_size": (1, 2)}, "photo"),
        ({"image_sha256": "2" * 64}, "photo"),
        ({"weights": "b"}, "weights"),
        ({"weights_sha256": "1" * 64}, "weights"),
        ({"prepare": {"size": 9}}, "setting"),
        ({"params": {"signed": True}}, "setting"),
        ({"method": "hires-cam"}, "setting"),
        ({"layer": "a"}, "setting"),
        ({"label": "a"}, "setting"),
        ({"index": 1}, "setting"),
        ({"scores": "probability"}, "setting"),
        ({"score": 1.0}, "score"),
        ({"probability": 0.5}, "score"),
        ({"predicted": None}, "score"),
        ({"warnings": ("three",)}, "score"),
        ({"measured": {"gap": 9.0}}, "score"),
    ],
)  # fmt: skip
def test_a_fault_is_in_the_part_of_its_field(source, other, part):
    named = {"image_sha256": "3" * 64, "image_size": (3, 4), "prepare": {"size": 8}}
    old, new = source(**named), source(**{**named, **other})
    if "weights" in other:
        old, new = (replace(each, weights_sha256="") for each in (old, new))
    assert parts_of(other_facts(old, new).claims) == (part,)


def test_parts_stand_in_their_order_each_once():
    faults = (
        "check a b: x",
        "12.50 % of its pixels are",
        "values differ",
        "scores: a",
        "check a b: y",
        "the map had another shape",
    )
    assert parts_of(faults) == ("setting", "map", "picture", "check a b")
    assert parts_of([]) == ()
