"""The record of TCAV: told in words, as JSON, and saved."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, NoSuchName
from support.concept_networks import images, model


def found():
    concepts = {"pattern": images(8, 3, 0.6), "nothing": images(8, 4)}
    return seewhy.tcav(model(), concepts, images(3, 2), 0, "mix", images(40, 1), runs=2, random_concepts=99)


def test_a_record_says_all_in_words_and_as_json():
    tcav = found()
    head, first, second = str(tcav).splitlines()
    assert head.startswith("concept  layer  accuracy  score")
    assert first.startswith("pattern  mix")
    assert first.endswith("raises")
    assert not second.endswith(("raises", "lowers"))
    facts = json.loads(tcav.to_json())
    assert facts["model"]["weights_sha256"] == model().weights_sha256()
    assert (facts["target"], facts["explains"], facts["photos"], facts["random"]) == ("with", "logits", 3, 40)
    assert facts["settings"] == {"runs": 2, "random_concepts": 99, "ridge": 0.1, "flatten": False, "seed": 0}
    assert [each["verdict"] for each in facts["concepts"]] == ["raises", ""]
    assert facts["concepts"][0]["alignment"] == tcav.of("pattern").alignment
    with pytest.raises(NoSuchName, match="pattern at mix"):
        tcav.of("patern")


def test_a_record_is_saved_as_a_picture_as_facts_and_as_vectors(tmp_path):
    tcav = found()
    with Image.open(tcav.save(tmp_path / "tcav.png")) as picture:
        assert picture.convert("RGB").tobytes() == tcav.picture().tobytes()
    assert tcav.save(tmp_path / "tcav.json").read_text() == tcav.to_json() + "\n"
    with np.load(tcav.save(tmp_path / "tcav.npz")) as arrays:
        vector = tcav.vectors["pattern", "mix"]
        assert {*arrays} == {"pattern at mix", "bias of pattern at mix", "nothing at mix", "bias of nothing at mix"}
        np.testing.assert_array_equal(arrays["pattern at mix"], vector.weights)
        assert arrays["bias of pattern at mix"] == vector.bias
    with pytest.raises(BadParameter, match=r"\.png, \.json or \.npz"):
        tcav.save(tmp_path / "tcav.txt")


def test_a_concept_whose_name_is_no_text_is_saved_too(tmp_path):
    tcav = found()
    ((_, layer), vector), *_ = tcav.vectors.items()
    odd = replace(tcav, scores=(replace(tcav.scores[0], concept="caf\udce9"),), vectors={("caf\udce9", layer): vector})
    for ending in ("png", "json"):
        assert odd.save(tmp_path / f"odd.{ending}").stat().st_size > 0
    with np.load(odd.save(tmp_path / "odd.npz")) as arrays:
        np.testing.assert_array_equal(arrays[rf"caf\udce9 at {layer}"], vector.weights)
