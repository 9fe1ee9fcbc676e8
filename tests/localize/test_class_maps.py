"""The maps of one image by class, as arrays."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NoSuchName
from seewhy.localize.class_maps import class_maps


@pytest.fixture(scope="module")
def maps():
    images = [scene.image for scene in seewhy.demo.scenes(2, 9)]
    return seewhy.explain(seewhy.load("demo/honest"), images, ["grad-cam"], target=["bird", 2])


def test_heatmaps_of_one_image_tell_their_classes(maps):
    found = class_maps(maps.where(image=1))
    assert (found.names, found.indices) == (("bird", "car"), (0, 2))
    for scores, heatmap in zip(found.scores, maps.where(image=1), strict=True):
        full = np.maximum(heatmap.full(), 0)
        np.testing.assert_allclose(scores, full / full.max(), rtol=1e-6)
    assert found.part == (slice(0, 96), slice(0, 96))
    assert found.image is maps[2].image
    assert found.captions == tuple(heatmap.source.caption for heatmap in maps.where(image=1))
    assert found.of([2]).captions == found.captions[1:]
    named = class_maps({"a": maps[0], "b": maps[1]})
    assert (named.names, named.indices) == (("a", "b"), (0, 2))


def test_mean_scores_count_from_their_least():
    rise = seewhy.rise(seewhy.load("demo/honest"), seewhy.demo.scene(0, 9).image, target=0, masks=20)
    full = rise[0].full() - rise[0].values.min()
    np.testing.assert_allclose(class_maps(rise).scores[0], np.maximum(full, 0) / full.max(), rtol=1e-5, atol=1e-6)


def test_labels_pick_by_name_or_number(maps):
    found = class_maps(maps.where(image=0))
    assert found.of(["car"]).names == found.of([2]).names == found.of("car").names == ("car",)
    assert found.of(["car", 0, "bird"]).names == ("bird", "car")
    assert (found.of([2]).scores[0] == found.scores[1]).all()
    with pytest.raises(NoSuchName, match="bird, car"):
        found.of([5])


def test_on_a_grid_each_cell_has_the_mean_of_what_it_covers():
    values = np.arange(16.0).reshape(4, 4)
    found = class_maps({"a": values}).on((1, 1))
    assert found.scores[0].item() == pytest.approx(values.mean() / 15)
    assert found.part == (slice(0, 1), slice(0, 1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no maps"),
        ([], "no maps"),
        (3, "no maps by class"),
        ({"a": np.zeros((2, 2)), "b": np.zeros((3, 2))}, "different sizes"),
        ({"a": np.full((2, 2), np.nan)}, "finite"),
        ({"a": ["x"]}, "no array"),
        ({1: np.zeros((2, 2)), "1": np.zeros((2, 2))}, "2 maps of"),
    ],
)  # fmt: skip
def test_what_is_no_maps_by_class_is_told(given, said):
    with pytest.raises(BadParameter) as error:
        class_maps(given)
    assert said in str(error.value)


def test_maps_of_several_images_or_methods_are_told_apart(maps):
    with pytest.raises(BadParameter, match=r"2 images.*where"):
        class_maps(maps[::2])  # of one class, too
    with pytest.raises(BadParameter, match=r"2 images.*where"):
        class_maps(maps[1:3])
    with pytest.raises(BadParameter, match="2 maps of 'bird'"):
        class_maps(maps[:1] + maps[:1])
