"""What is said of found concepts, in words and as JSON."""

import json

import numpy as np
import pytest

import seewhy
from seewhy.errors import NoSuchName
from seewhy.inside.concepts.crops import CropPlace
from seewhy.inside.concepts.findings import most_typical, spanned
from seewhy.inside.concepts.importance import MeanImportance
from seewhy.json_text import as_json
from support.planted_patches import amounts, images, model, of_scenes


@pytest.fixture(scope="module")
def found():
    return seewhy.concepts(model(), images(amounts(9)), "act", count=3, target=0, every=True, samples=4)


def test_the_sentences_say_what_was_measured(found):
    first, second = found.says
    assert first.startswith("3 concepts of act of ")
    assert (
        "from the cells of 9 photos. They make up 100 % of the squares of what the layer emits (relative error 0.00)." in first
    )
    best = found.importances[0].mean().mean
    assert f"in 9 photos: concepts 1 ({best[0]:.2f}, " in second
    assert second.endswith("The concepts alone give the same answer in 9 of them.")
    assert str(found) == "\n".join(found.says)
    assert len(found) == 3


def test_the_facts_are_the_numbers(found):
    facts = json.loads(as_json(found.facts))
    assert [each["concept"] for each in facts["concepts"]] == [1, 2, 3]
    for k, each in enumerate(facts["concepts"]):
        assert each["share"] == pytest.approx(found.shares[k])
        (importance,) = each["importances"]
        for measure in ("sobol", "gradient", "loss"):
            mean = found.importances[0].mean(measure)
            assert importance[measure] == pytest.approx({"mean": mean.mean[k], "low": mean.low[k], "high": mean.high[k]})
        assert importance["changed"] == found.importances[0].changed[k]
        assert [crop["photo"] for crop in each["typical"]] == [found.photos[c.photo].name for c in found.typical[k]]
    assert facts["settings"] == {"count": 3, "crops": None, "samples": 4, "most": 300, "every": True, "seed": 0}
    assert (facts["layer"], facts["photos"], facts["weights_sha256"]) == ("act", 9, found.model.weights_sha256)


def test_concepts_count_from_one(found):
    assert [found.place(number) for number in (1, 2, 3)] == [0, 1, 2]
    for wrong in (0, 4, "1"):
        with pytest.raises(NoSuchName, match="There are concepts 1 to 3"):
            found.place(wrong)


def test_a_crop_of_a_photo_is_the_part_of_its_view_and_of_an_array_there_is_none(found):
    assert found.crop(found.typical[0][0]) is None
    scenes = seewhy.demo.scenes(5, 3)
    seen = of_scenes()
    crop = seen.typical[0][0]
    (top, left), (bottom, right) = crop.place.first, crop.place.last
    view = scenes[crop.photo].image  # the network sees all of it
    edges = [round(share * side) for share, side in zip((left, top, right, bottom), (*view.size, *view.size), strict=True)]
    picture = seen.crop(crop)
    assert picture is not None
    assert picture.size == (edges[2] - edges[0], edges[3] - edges[1])
    apart = np.asarray(picture, float) - np.asarray(view.crop(edges).convert("RGB"), float)
    assert abs(apart).mean() < 10  # the view is kept as a JPEG


def test_the_most_typical_are_of_different_photos_and_of_some_amount():
    places = [[CropPlace((i / 4,), (0.5,)) for i in range(3)]] * 4
    found = most_typical([np.array(each) for each in ([0, 1, 3.0], [9.0, 8, 7], [0, 0, 0], [0, 4.0, 0])], places, 3)
    assert [(crop.photo, crop.place.first[0], crop.amount) for crop in found] == [(1, 0, 9), (3, 0.25, 4), (0, 0.5, 3)]
    assert [crop.photo for crop in most_typical([np.zeros(3)] * 4, places, 3)] == []


def test_a_number_and_its_interval():
    of = MeanImportance(np.array([0.421, 0.5]), np.array([0.3, np.nan]), np.array([0.512, np.nan]))
    assert (spanned(of, 0), spanned(of, 1)) == ("0.42, 0.30 to 0.51", "0.50")
