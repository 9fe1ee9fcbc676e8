"""`Heatmaps.boxes`: one record for each image, boxes of several classes beside each other, and why there is none."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import Heatmaps, Volume
from seewhy.errors import BadImage, BadParameter, NotApplicable
from seewhy.images.places import Grid
from seewhy.maps.heatmaps import Failed

pytest.importorskip("skimage")
LEFT, RIGHT = [[9, 0, 0, 0]], [[0, 0, 0, 9]]


@pytest.fixture
def of_class(made_heatmap):
    def make(values, label, probability, place=0, image="street.jpg", **more):
        made = made_heatmap(values, label=label, index=len(label), probability=probability, image=image, **more)
        return replace(made, place=place)

    return make


def test_each_image_has_a_record_in_its_place(of_class):
    maps = Heatmaps(
        (
            of_class(LEFT, "cat", 0.7),
            of_class(RIGHT, "dog", 0.2),
            of_class(RIGHT, "dog", 0.9, place=2, image="b.jpg"),
        ),
        (Failed(1, "broken.jpg", BadImage("broken.jpg is no image")), Failed(3, "c.jpg", ValueError())),
    )
    records = maps.boxes()
    assert [(record.name, record.place) for record in records] == [
        ("street.jpg", 0), ("broken.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)
    ]  # fmt: skip
    street, broken, b, c = records
    assert [(box.label, box.confidence) for box in street] == [("cat", 0.7), ("dog", 0.2)]
    assert (len(broken), broken.why, broken.shape) == (0, "broken.jpg is no image", ())
    assert c.why == "ValueError"
    assert [box.label for box in b] == ["dog"]
    assert (street.suppressed, street.notes, street.why) == ((), (), "")
    assert street.how == "above 15 % of the maximum, the largest region"


def test_boxes_are_those_of_each_map(of_class):
    maps = Heatmaps((of_class(RIGHT, "dog", 0.2), of_class(LEFT, "cat", 0.7)))
    (record,) = maps.boxes(0.4, components="all", least=0)
    dog, cat = (heatmap.boxes(0.4, components="all", least=0) for heatmap in maps)
    assert [*record] == [*cat, *dog]  # the surest first
    assert record[0] == cat[0]
    assert record[:1] == (cat[0],)
    assert (record.regions == np.where(cat.mask, 1, 0) + np.where(dog.mask, 2, 0)).all()


def test_in_the_same_place_the_surest_stays_and_says_so(of_class):
    maps = Heatmaps((of_class(LEFT, "dog", 0.2), of_class(LEFT, "cat", 0.7), of_class(RIGHT, "tram", 0.1)))
    (record,) = maps.boxes()
    assert [box.label for box in record] == ["cat", "tram"]
    (lost,) = record.suppressed
    assert (lost.box.label, lost.by.label, lost.overlap) == ("dog", "cat", 1)
    assert record.notes == (str(lost),)
    assert str(lost) == "dog (20.0 %) was left out for cat (70.0 %), with which its box has an IoU of 1.00"
    (every,) = maps.boxes(suppress=None)
    assert [box.label for box in every] == ["cat", "dog", "tram"]
    assert {*np.unique(every.regions)} == {0, 1, 3}  # where regions meet, that of the surest


def test_a_class_without_a_box_is_told(of_class):
    maps = Heatmaps((of_class([[0, 0]], "dog", 0.2), of_class(LEFT, "cat", 0.7), of_class([[2, 2]], "tram", 0.1)))
    (record,) = maps.boxes()
    assert [box.label for box in record] == ["cat"]
    assert record.why == ""
    assert record.notes == (
        "dog has no box: no value of the map is positive",
        "tram has no box: the map is the same everywhere",
    )


def test_an_image_without_any_box_says_why(of_class):
    zero, flat = [[0, 0]], [[1, 1]]
    (record,) = Heatmaps((of_class(zero, "dog", 0.2), of_class(zero, "cat", 0.7))).boxes()
    assert (len(record), record.why) == (0, "no value of the map is positive")
    (record,) = Heatmaps((of_class(zero, "dog", 0.2), of_class(flat, "cat", 0.7))).boxes()
    assert record.why == "dog: no value of the map is positive; cat: the map is the same everywhere"
    assert not record.regions.any()
    assert record.regions.shape == (30, 40)


def test_of_volumes_boxes_are_suppressed_by_their_voxels(of_class):
    volume = Volume(np.zeros((4, 4, 4), np.float32), np.eye(4))

    def of(label, chance, *slices):
        values = np.zeros((4, 4, 4), np.float32)
        values[slices] = 1
        flat = of_class([[1]], label, chance, photo=volume)
        return replace(flat, values=values, box=Grid.whole((4, 4, 4)))

    whole, half, other = (slice(0, 4),) * 3, (slice(0, 4), slice(0, 4), slice(0, 2)), (slice(0, 4), slice(0, 4), slice(0, 3))
    maps = Heatmaps((of("a", 0.9, *half), of("b", 0.5, *other), of("c", 0.4, slice(0, 4), slice(0, 1), slice(3, 4))))
    (record,) = maps.boxes()
    assert [box.label for box in record] == ["a", "c"]
    assert record.suppressed[0].overlap == pytest.approx(32 / 48)
    assert whole[0].stop == 4
    with pytest.raises(NotApplicable, match="Boxes are drawn on photos, and this is a volume"):
        record.outlined()


def test_maps_of_one_image_have_one_size(of_class):
    maps = Heatmaps((of_class(LEFT, "dog", 0.2), of_class(LEFT, "cat", 0.7, size=(20, 10))))
    with pytest.raises(BadParameter, match=r"street.jpg lie on images of different sizes: 10x20, 30x40"):
        maps.boxes()


def test_a_class_that_was_asked_for_twice_is_not_left_out_for_itself(of_class):
    maps = Heatmaps((of_class(LEFT, "cat", 0.7), of_class(LEFT, "cat", 0.7), of_class(LEFT, "dog", 0.2)))
    record = maps.boxes()[0]
    assert [box.label for box in record] == ["cat"]
    assert [lost.box.label for lost in record.suppressed] == ["dog"]
    assert record.notes == ("dog (20.0 %) was left out for cat (70.0 %), with which its box has an IoU of 1.00",)


def test_no_maps_have_no_records():
    assert Heatmaps(()).boxes() == []


def test_of_real_maps():
    pytest.importorskip("torch")
    photos = [Image.fromarray(np.random.default_rng(seed).integers(0, 256, (130, 150, 3), np.uint8)) for seed in range(2)]
    maps = seewhy.grad_cam(seewhy.load("demo/honest"), photos, target=[seewhy.Top(1), seewhy.Top(2)])
    records = maps.boxes(suppress=0.3)
    assert [record.place for record in records] == [0, 1]
    for record in records:
        alone = [box for heatmap in maps.where(image=record.place) for box in heatmap.boxes()]
        assert {*record} | {lost.box for lost in record.suppressed} == {*alone}
        assert [box.confidence for box in record] == sorted((box.confidence for box in record), reverse=True)


def test_drawn_over_the_photo(of_class, written):
    maps = Heatmaps((of_class(LEFT, "dog", 0.2, size=(200, 100)), of_class(RIGHT, "cat", 0.7, size=(200, 100))))
    picture = maps.boxes()[0].outlined(true_boxes=[(0, 0, 50, 100)], legend=True)
    said = " ".join(text for text, *_ in written).replace("\u00a0", " ")
    assert picture.width >= 200
    assert "cat, 70.0 %: score 1.00" in said
    assert "dog 0.20" in said
    assert "the true box" in said
