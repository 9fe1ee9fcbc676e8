"""A Source is put together from what model, method, target and map say, and reads back from its JSON as it was."""

import json
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from seewhy.json_text import canonical
from seewhy.maps.source import ImageFacts, MapFacts, MethodFacts, ModelFacts, Predicted, Source, TargetFacts, source_from
from seewhy.models.origin import Origin

MODEL = ModelFacts(
    "timm/mini", "mini.safetensors 0f3a", {"torch": "2.9"}, {"spec": "timm/mini"}, "0f", {"dtype": "float32"}, {"threads": 2}
)
READ = ImageFacts("3b", (200, 100), {"kind": "Fit", "size": 64}, {"nibabel": "5"})
METHOD = MethodFacts("grad-cam", {"signed": True}, "coarse")
TARGET = TargetFacts("top 1", "logits", "in the box (1, 2, 3, 4)", 281, "tabby, tabby cat", 7.5, 0.25)
MAP = MapFacts("cat.jpg", "layer4", 0.125, "receptive-field", "the last with a place", ("it is flat",), {"gap": 0.5}, READ, 4)
PREDICTED = Predicted(281, "tabby, tabby cat", 0.25)


def made(**other) -> Source:
    return source_from(**{"model": MODEL, "method": METHOD, "target": TARGET, "predicted": PREDICTED, "this": MAP, **other})


def test_every_field_comes_from_the_part_that_knows_it():
    assert made() == Source(
        image="cat.jpg",
        model="timm/mini",
        weights="mini.safetensors 0f3a",
        method="grad-cam",
        params={"signed": True},
        layer="layer4",
        target="top 1",
        index=281,
        label="tabby, tabby cat",
        scores="logits",
        score=7.5,
        probability=0.25,
        predicted=PREDICTED,
        seconds=0.125,
        versions={"torch": "2.9", "nibabel": "5"},
        caveat="coarse",
        warnings=("it is flat",),
        measured={"gap": 0.5},
        layer_why="the last with a place",
        place="in the box (1, 2, 3, 4)",
        geometry="receptive-field",
        recipe={"spec": "timm/mini"},
        prepare={"kind": "Fit", "size": 64},
        weights_sha256="0f",
        image_sha256="3b",
        image_size=(200, 100),
        conditions={"dtype": "float32"},
        host={"threads": 2, "images_together": 4},
    )
    assert made().host == {"threads": 2, "images_together": 4}
    assert made().seconds == 0.125


def test_a_map_that_looks_at_no_class_names_none_but_says_what_it_was_asked():
    source = made(target=TARGET.without_class)
    assert (source.index, source.label, source.score, source.probability) == (None,) * 4
    assert (source.target, source.scores, source.place) == ("top 1", "logits", "in the box (1, 2, 3, 4)")
    assert source.caption == "grad-cam in the box (1, 2, 3, 4) at layer4"


def test_the_facts_of_a_model_are_its_own_and_do_not_follow_it():
    versions = {"torch": "2.9"}
    model = SimpleNamespace(
        name="net",
        weights="tag",
        untrained="head",
        versions=lambda: versions,
        origin=Origin({"spec": "net"}, True, "tag", "00"),
        weights_sha256=lambda: "00",
        conditions=lambda: {"device": "cpu"},
        host=lambda: {"threads": 2},
    )
    facts = ModelFacts.of(model)
    versions["torch"] = "3.0"
    conditions = {"device": "cpu", "trusted": True}
    assert facts == ModelFacts("net", "tag", {"torch": "2.9"}, {"spec": "net"}, "00", conditions, {"threads": 2}, "head")
    model.weights_sha256 = lambda: "01"
    assert ModelFacts.of(model).weights == "tag, changed since"
    model.weights = "another tag"  # the person says what they are now
    assert ModelFacts.of(model).weights == "another tag"


def test_the_first_warning_is_that_of_weights_that_nobody_trained():
    source = made(model=ModelFacts("net", "random, seed 0", {}, untrained="random weights"))
    assert source.warnings[0].startswith("random weights, which nobody trained")
    assert source.warnings[1:] == ("it is flat",)


def test_predicted_is_the_likeliest_class():
    assert Predicted.of(np.array([0.2, 0.5, 0.3]), ["a", "b", "c"]) == Predicted(1, "b", 0.5)
    assert Predicted.of(np.array([0.2, 0.8]), None) == Predicted(1, None, 0.8)
    assert Predicted.of(None, ["a"]) is None


def test_json_lists_the_fields_in_their_order_but_the_time_and_comes_back_equal():
    text = made().to_json()
    assert [*json.loads(text)] == [field.name for field in fields(Source) if field.name != "seconds"]
    back = Source.from_json(text)
    assert (back, back.host, back.seconds) == (made(), made().host, None)


def test_neither_the_time_nor_the_machine_is_compared():
    other = replace(made(), seconds=9.0, host={"threads": 64})
    assert other == made()
    assert other.comparable == made().comparable
    assert {"seconds", "host"}.isdisjoint(made().comparable)
    for fact in ("weights_sha256", "image_sha256"):
        assert replace(made(), **{fact: "77"}) != made()
        assert replace(made(), **{fact: "77"}).comparable != made().comparable


def test_a_source_of_an_earlier_seewhy_lacks_what_it_did_not_know():
    later = ("recipe", "prepare", "tile", "weights_sha256", "image_sha256", "image_size", "conditions", "host")
    facts = {key: value for key, value in json.loads(made().to_json()).items() if key not in later}
    back = Source.from_json(json.dumps({**facts, "seconds": 0.5}))
    assert back.seconds == 0.5
    assert [getattr(back, name) for name in later] == [{}, {}, {}, "", "", (), {}, {}]


def test_what_json_has_no_number_for_comes_back_as_nan():
    measured = Source.from_json(made(this=replace(MAP, measured={"gap": float("nan")})).to_json()).measured
    assert np.isnan(measured["gap"])


WRONG = {
    "a list": ("[1]", "it is a list, and no object"),
    "no image": ({"image": ...}, "it lacks 'image'"),
    "a number for a name": ({"model": 3}, "its 'model' is a int"),
    "true for an index": ({"index": True}, "its 'index' is a bool"),
    "a prediction without its class": ({"predicted": {"label": "cat", "probability": 1}}, "it lacks 'index'"),
    "a prediction that is a word": ({"predicted": "cat"}, "Predicted is a str, and no object"),
    "warnings that are no words": ({"warnings": [1]}, "its 'warnings' is a tuple"),
}


@pytest.mark.parametrize("name", WRONG)
def test_text_that_is_no_source_is_refused_in_words(name):
    change, said = WRONG[name]
    if isinstance(change, dict):
        facts = {key: value for key, value in {**json.loads(made().to_json()), **change}.items() if value is not ...}
        change = json.dumps(facts)
    with pytest.raises(ValueError, match=said):
        Source.from_json(change)


def test_a_caption_names_the_class_by_label_and_index_or_the_target():
    assert made().caption == "grad-cam for tabby, tabby cat (281) in the box (1, 2, 3, 4), 25.0 %, at layer4"
    plain = replace(TARGET, place="", label=None)
    assert made(target=plain).caption == "grad-cam for class 281, 25.0 %, at layer4"
    assert made(target=plain, this=replace(MAP, layer="3")).caption == "grad-cam for class 281, 25.0 %, at layer 3"
    contrast = replace(plain, index=None, probability=None, target="1 vs 2")
    assert made(target=contrast).caption == "grad-cam for 1 vs 2 at layer4"


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0.84, "84.0 %"), (1, "100.0 %"), (0.0012, "0.1 %"), (0.00031, "0.031 %"), (1e-9, "1e-07 %"), (0, "0.0 %")],
)
def test_a_caption_tells_the_probability_of_the_class(probability, said):
    assert made(target=replace(TARGET, place="", probability=probability)).caption.endswith(f"(281), {said}, at layer4")


@pytest.mark.parametrize("probability", [None, float("nan"), float("inf")])
def test_a_caption_is_silent_where_there_is_no_probability(probability):
    caption = made(target=replace(TARGET, place="", probability=probability)).caption
    assert caption == "grad-cam for tabby, tabby cat (281) at layer4"


def test_a_caption_says_how_much_of_the_plan_was_done():
    part = replace(MAP, measured={"forwards": 30.0, "planned_forwards": 100.0})
    assert made(this=part).caption.endswith(" at layer4, 30 of 100 forwards")
    whole = replace(MAP, measured={"forwards": 100.0, "planned_forwards": 100.0})
    assert made(this=whole).caption.endswith(" at layer4")


def test_json_is_json_for_everyone(made_source):
    def never(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    facts = json.loads(made_source(score=float("nan"), probability=float("inf")).to_json(), parse_constant=never)
    assert facts["method"] == "grad-cam"


def test_a_source_of_a_later_version_is_still_read(made_source):
    facts = {**json.loads(made_source().to_json()), "new in 9.0": [1, 2]}
    assert Source.from_json(json.dumps(facts)) == made_source()


def test_a_source_says_in_words_what_the_map_is(made_source):
    assert str(made_source()) == "grad-cam for tabby, tabby cat (281), 75.0 %, at layer4 of timm/mini on cat.jpg"
    assert str(made_source(label=None)) == "grad-cam for class 281, 75.0 %, at layer4 of timm/mini on cat.jpg"
    contrast = made_source(index=None, label=None, probability=None, target="1 vs 2")
    assert str(contrast) == "grad-cam for 1 vs 2 at layer4 of timm/mini on cat.jpg"


def test_a_caption_of_anything_is_a_short_line(made_source):
    image, model, label = "b\n" + "y" * 10**5, "\x9dm", "\x1b[2Jcat\n\u202e" + "x" * 10**5
    source = made_source(image=image, model=model, label=label, index=3, layer="l", probability=None)
    assert source.caption.startswith(r"grad-cam for \x1b[2Jcat \u202exxx")
    assert source.caption.endswith("x (3) at l")
    assert len(source.caption) <= 300
    assert len(str(source)) < 1000
    assert str(source).isprintable()


def test_numbers_that_were_written_as_whole_ones_are_what_they_were(made_source):
    source = made_source(score=7.0, probability=1.0, measured={"gap": 2.0}, predicted=Predicted(281, None, 1.0), index=3)
    text = canonical(json.loads(source.to_json()))
    assert '"score":7,' in text
    back = Source.from_json(text)
    numbers = (back.score, back.probability, back.measured["gap"], back.predicted.probability, back.index)
    assert [type(each) for each in numbers] == [float, float, float, float, int]
    assert back == source
    with pytest.raises(ValueError, match="too large"):
        Source.from_json(text.replace('"score":7,', f'"score":{10**400},'))
