"""The JSON that a service wants, with places for photos in it."""

import pytest

from seewhy.errors import BadParameter
from seewhy.models.zoo.service.template import checked, filled, placeholders, repeats, several


def written(place, image):
    return [image] if place == "<pixels>" else f"{place[8:-1]} of {image}"


@pytest.mark.parametrize(
    ("template", "images", "expected"),
    [
        ({"image": "<base64 png>"}, ["A"], {"image": "png of A"}),
        ({"a": [{"b": "data:image/jpeg;base64,<base64 jpeg>"}], "n": 3}, ["A"],
         {"a": [{"b": "data:image/jpeg;base64,jpeg of A"}], "n": 3}),
        ({"instances": [{"b64": "<base64 png>"}, "..."]}, ["A", "B"],
         {"instances": [{"b64": "png of A"}, {"b64": "png of B"}]}),
        ({"instances": ["<pixels>", "..."]}, ["A", "B"], {"instances": [["A"], ["B"]]}),
        (["<pixels>", None, True, 1.5], ["A"], [["A"], None, True, 1.5]),
        ("<base64 png>", ["A"], "png of A"),
    ],
)  # fmt: skip
def test_photos_stand_where_their_places_are(template, images, expected):
    assert filled(checked(template), images, written) == expected
    assert several(template) is (len(images) > 1)


def test_pixels_within_a_text_are_text():
    assert placeholders({"a": "see <pixels>", "b": ["<base64 png>"]}) == {"<pixels>", "<base64 png>"}
    assert filled("see <pixels>", ["A"], written) == "see <pixels>"


def test_a_template_without_a_place_or_with_places_on_both_sides_is_refused():
    for template in ({}, {"image": "<base64>"}, 3, None, ["..."]):
        with pytest.raises(BadParameter, match="no place for a photo"):
            checked(template)
    with pytest.raises(BadParameter, match="inside and outside"):
        checked({"a": "<base64 png>", "b": ["<base64 png>", "..."]})


def test_a_repetition_is_a_list_of_one_thing_and_dots():
    assert repeats(["<pixels>", "..."])
    assert not repeats(["<pixels>"])
    assert not repeats(["<pixels>", "...", "..."])
