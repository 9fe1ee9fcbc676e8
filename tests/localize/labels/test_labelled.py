"""From the maps of one image to what is labelled in it."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.localize.labels.labelled import category_of, labelled_image, of_run
from seewhy.maps.heatmaps import Heatmaps


def cells(*marked):
    values = np.zeros((4, 4))
    for y, x, value in marked:
        values[y, x] = value
    return values


@pytest.fixture
def maps(made_heatmap):
    """Of one photo, a map of tabby (30 %) with two regions, and one of dog (60 %) with one."""
    tabby, dog = made_heatmap(cells((0, 0, 1.0), (3, 3, 0.5))), made_heatmap(cells((2, 1, 2.0)))
    return [
        replace(tabby, source=replace(tabby.source, label="tabby", index=281, probability=0.3)),
        replace(dog, source=replace(dog.source, label="dog", index=3, probability=0.6)),
    ]


def test_the_objects_of_all_maps_the_surest_first(maps):
    found = [one.boxes(0.4, components="all", least=0) for one in maps]
    image = labelled_image(maps, found, {"threshold": 0.4, "refine": None})
    assert [one.category for one in image.objects] == ["dog", "tabby", "tabby"]
    assert [one.score for one in image.objects] == pytest.approx([0.6, 0.3 * found[0][0].score, 0.3 * found[0][1].score])
    assert (image.file, image.size) == (maps[0].source.image, maps[0].size)
    for one, boxes, place in zip(image.objects, (found[1], found[0], found[0]), (0, 0, 1), strict=True):
        there = np.zeros(boxes.regions.shape, bool)
        there[one.found.slices] = one.mask
        assert (there == (boxes.regions == place + 1)).all()
        assert one.mask.sum() == one.found.area
    assert image.made["threshold"] == 0.4
    assert image.made["found"] == found[0].how
    assert image.made["method"] == maps[0].source.method
    assert "refine" not in image.made
    assert image.why == ""


def test_the_boxes_of_all_maps_together(maps):
    (together,) = Heatmaps(tuple(maps)).boxes(0.4, components="all", least=0)
    image = labelled_image(maps, together, {"suppress": 0.5})
    assert [(one.category, one.found) for one in image.objects] == [(box.label, box) for box in together]
    assert [one.score for one in image.objects] == [round(box.confidence, 6) for box in together]
    assert image.made["found"] == together.how
    assert image.made["suppress"] == 0.5
    assert "notes" not in image.made
    with pytest.raises(BadParameter, match="several images"):
        labelled_image([replace(maps[0], place=3)], together)


def test_what_was_left_out_is_said(maps, made_heatmap):
    twin = replace(maps[0], source=maps[1].source)  # of the dog, in the same place
    (together,) = Heatmaps((maps[0], twin)).boxes(0.4)
    image = labelled_image([maps[0], twin], together)
    assert [one.category for one in image.objects] == ["dog"]
    assert image.made["notes"] == [*together.notes]
    assert "tabby" in image.made["notes"][0]
    assert of_run(image.made) == {name: value for name, value in image.made.items() if name != "notes"} != image.made


def test_without_a_probability_the_score_is_the_boxs_own(maps):
    alone = replace(maps[0], source=replace(maps[0].source, probability=None))
    (one,) = labelled_image([alone], [alone.boxes()]).objects
    assert one.score == 1


def test_why_there_is_nothing(maps, made_heatmap):
    empty = made_heatmap(np.zeros((4, 4)))
    assert labelled_image([empty], [empty.boxes()]).why == "no value of the map is positive"
    other = replace(empty, source=replace(empty.source, label="dog"))
    both = labelled_image([empty, other], [empty.boxes(), other.boxes()])
    assert both.objects == ()
    assert both.why.endswith("; dog: no value of the map is positive")


def test_what_a_map_is_called_that_explains_no_class(maps):
    source = maps[0].source
    assert category_of(replace(maps[0], source=replace(source, label=None))) == "class 281"
    assert category_of(replace(maps[0], source=replace(source, label=None, index=None, target="mean"))) == "mean"


def test_maps_that_do_not_belong_together(maps):
    with pytest.raises(BadParameter, match="2 maps and 1"):
        labelled_image(maps, [maps[0].boxes()])
    other = replace(maps[1], place=1)
    with pytest.raises(BadParameter, match="several images"):
        labelled_image([maps[0], other], [one.boxes() for one in maps])
