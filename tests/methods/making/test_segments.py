"""A picture cut into segments: as scikit-image and lime cut it, or as told; every refusal says what to do."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from seewhy.errors import BadParameter, MissingExtra, NoSuchName
from seewhy.methods.making.segments import segmented

data = pytest.importorskip("skimage.data")
measure = pytest.importorskip("skimage.measure")

SPLIT = np.zeros((40, 60, 3), np.uint8)  # blue left of column 25, orange right of it
SPLIT[:, :25], SPLIT[:, 25:] = (20, 40, 200), (250, 150, 10)


def photo(name: str, side: int = 224) -> np.ndarray:
    return np.asarray(Image.fromarray(getattr(data, name)()).resize((side, side)))


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def same_cut(one: np.ndarray, other: np.ndarray) -> bool:
    """The same pixels together, whatever the numbers are."""
    pairs = {(int(a), int(b)) for a, b in zip(one.ravel(), other.ravel(), strict=True)}
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("how", ["slic", "quickshift", "felzenszwalb", "grid:8"])
def test_every_label_up_to_the_last_is_there_and_a_cut_can_be_repeated(name, how):
    labels = segmented(photo(name), how)
    assert labels.dtype == np.intp
    assert labels.shape == (224, 224)
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    if name == "astronaut":
        assert np.array_equal(labels, segmented(photo(name), how))


@pytest.mark.parametrize("picture", [photo("astronaut"), photo("chelsea", 64), photo("rocket", 512), drawn(64, 64, 3)])
def test_slic_gives_about_a_hundred_connected_segments(picture):
    labels = segmented(picture, "slic")
    count = labels.max() + 1
    assert 75 <= count <= 130, "noise too: unsmoothed, it is one segment"
    assert measure.label(labels, background=-1, connectivity=1).max() == count


@pytest.mark.parametrize(("how", "slack"), [("slic", 1), ("felzenszwalb", 1)])
def test_segments_follow_the_edge_of_what_is_there(how, slack):
    labels = segmented(SPLIT, how)
    left, right = labels[:, : 25 - slack], labels[:, 25 + slack :]
    assert not np.intersect1d(left, right).size


def test_quickshift_cuts_as_lime_does():
    scikit_image = pytest.importorskip("lime.wrappers.scikit_image")
    lime = scikit_image.SegmentationAlgorithm("quickshift", kernel_size=4, max_dist=200, ratio=0.2, random_seed=42)
    assert np.array_equal(segmented(photo("chelsea"), "quickshift", seed=42), lime(photo("chelsea")))


def test_quickshift_breaks_ties_under_the_seed():
    flat = np.full((90, 90, 3), 90, np.uint8)
    assert not same_cut(segmented(flat, "quickshift", seed=0), segmented(flat, "quickshift", seed=1))


@pytest.mark.parametrize("how", ["slic", "quickshift", "felzenszwalb"])
def test_floats_are_the_same_picture_and_grey_is_one_too(how):
    picture = photo("chelsea", 96)
    assert same_cut(segmented(picture, how), segmented(picture / 255, how))
    grey = picture[..., :1]
    assert segmented(grey, how).shape == (96, 96)
    if how == "quickshift":
        assert np.array_equal(segmented(grey, how), segmented(np.repeat(grey, 3, -1), how))


@pytest.mark.parametrize("shape", [(48, 40, 1), (48, 40, 2), (48, 40, 7), (6, 24, 24, 1), (6, 24, 24, 3)])
def test_slic_takes_volumes_and_any_number_of_channels(shape):
    labels = segmented(drawn(*shape), "slic")
    assert labels.shape == shape[:-1]
    assert 50 <= labels.max() + 1 <= 150


@pytest.mark.parametrize(
    ("space", "how", "cells"),
    [
        ((10, 13), "grid:3", (3, 3)),
        ((10, 13), "grid:2x13", (2, 13)),
        ((4, 5, 6), "grid:2x1x3", (2, 1, 3)),
        ((9,), "grid:4", (4,)),
    ],
)
def test_a_grid_has_even_cells_counted_row_by_row(space, how, cells):
    labels = segmented(np.zeros((*space, 1), np.uint8), how)
    assert labels.max() + 1 == np.prod(cells)
    for place in np.ndindex(space):
        at = tuple(i * n // side for i, n, side in zip(place, cells, space, strict=True))
        assert np.unravel_index(labels[place], cells) == at
    for axis in range(len(space)):
        steps = np.diff(np.flatnonzero(np.diff(np.moveaxis(labels, axis, 0).reshape(space[axis], -1)[:, 0], prepend=-1)))
        assert not steps.size or np.ptp(steps) <= 1


@pytest.mark.parametrize(
    ("space", "cells"),
    [((512,), (32,)), ((9,), (9,)), ((40, 50), (8, 8)), ((5, 30), (5, 8)), ((20, 30, 40), (4, 4, 4)), ((2, 30, 40), (2, 4, 4))],
    ids=str,
)
def test_a_grid_without_a_number_has_some_of_any_size(space, cells):
    """And of a signal it is what is cut where nothing is asked."""
    picture = np.zeros((*space, 1), np.uint8)
    expected = segmented(picture, f"grid:{'x'.join(map(str, cells))}")
    assert np.array_equal(segmented(picture, "grid"), expected)
    if len(space) == 1:
        assert np.array_equal(segmented(picture, "auto"), expected)


@pytest.mark.parametrize("shape", [(48, 40, 1), (48, 40, 3), (20, 24, 24, 1)], ids=str)
def test_pictures_and_volumes_are_cut_by_slic_where_nothing_is_asked(shape):
    assert np.array_equal(segmented(drawn(*shape), "auto"), segmented(drawn(*shape), "slic"))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_segments_of_other_channels_than_colours_follow_what_is_there(channels):
    """A ball in a volume, a disc in a picture: hardly a voxel lies in a segment that is mostly of the other side."""
    for space in ((64, 64), (32, 32, 32)):
        off = np.indices(space) - np.reshape([15, 13, 17], (3, 1, 1, 1))[: len(space)].reshape(-1, *[1] * len(space))
        inside = (off**2).sum(0) < 81
        picture = np.random.default_rng(0).normal(0.3, 0.03, (*space, channels)).clip(0, 1)
        picture[inside] += 0.4
        labels = segmented(picture, "slic")
        wrong = sum(min(inside[labels == i].sum(), (~inside[labels == i]).sum()) for i in range(labels.max() + 1))
        assert wrong < 0.25 * inside.sum()


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that has much else to do
@given(
    arrays.arrays(
        st.sampled_from([np.int64, np.int16, np.uint8]), (4, 5), elements=st.sampled_from([0, 3, 7, 100]), fill=st.nothing()
    )
)
def test_your_own_labels_keep_their_cut_and_order(labels):
    labels[0, :2] = 3, 7  # at least two
    found = segmented(np.zeros((4, 5, 3), np.uint8), labels)
    for rank, label in enumerate(sorted({int(label) for label in labels.ravel()})):
        assert np.array_equal(found == rank, labels == label)


@pytest.mark.parametrize(
    "labels",
    [
        [[-5, -5, 9], [-5, 0, 9]],
        np.array([[0, 0, 2**63], [0, 1, 2**63]], np.uint64),
        torch.tensor([[3, 3, 8], [3, 4, 8]]),
        lambda picture: picture[..., 0].astype(int) - 20,
    ],
)
def test_numbers_may_be_negative_have_gaps_or_come_of_a_function(labels):
    picture = np.array([[1, 1, 9], [1, 5, 9]], np.uint8)[..., None]
    assert segmented(picture, labels).tolist() == [[0, 0, 2], [0, 1, 2]]


def test_a_mask_is_two_segments():
    assert segmented(np.zeros((1, 3, 3)), np.array([[True, False, True]])).tolist() == [[1, 0, 1]]


def test_a_function_cannot_write_into_the_picture():
    def spoiling(picture):
        picture[:] = 0
        return np.arange(4).reshape(2, 2)

    picture = np.ones((2, 2, 3))
    segmented(picture, spoiling)
    assert picture.all()


def failing(picture):
    raise KeyError("no such thing")


PICTURE = np.zeros((8, 9, 3), np.uint8)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (np.zeros((9, 8), int), r"shape \(9, 8\) for a picture of \(8, 9\)"),
        (np.zeros((8, 9), np.float32), r"float32 \(8, 9\).*integer labels of shape \(8, 9\)"),
        ([[1, 2], [3]], "list is no array"),
        (None, "object"),
        (failing, r"function failing failed.*\(8, 9, 3\) of uint8.*KeyError.*no such thing"),
        (lambda picture: picture, r"function <lambda>.*\(8, 9, 3\) for a picture of \(8, 9\)"),
        (lambda picture: None, "function <lambda>.*object"),
        (lambda picture: torch.ones(8, 9, requires_grad=True), "function <lambda>: Tensor is no array"),
        (np.ones((8, 9), int), "one segment.*grid:8"),
        ("grid:1", "one segment"),
        ("grid:9", "does not divide a picture of 8 x 9.*one number for all its 2 sides"),
        ("grid:2x2x2", "does not divide"),
        ("grid:0", "does not divide"),
    ],
)
def test_what_cannot_be_segments_says_why(how, said):
    with pytest.raises(BadParameter, match=said):
        segmented(PICTURE, how)


@pytest.mark.parametrize(
    ("picture", "how", "said"),
    [
        (np.zeros((80, 80, 3)), np.arange(6400).reshape(80, 80), "6400 segments.*5000.*coarser"),
        (PICTURE[..., :2], "quickshift", r"\(1, 3\) channels.*has 2.*slic"),
        (np.zeros((8, 9, 4)), "felzenszwalb", "has 4.*slic"),
        (np.zeros((3, 8, 9, 3)), "quickshift", "3 x 8 x 9 pixels.*slic.*volumes"),
        (np.zeros((9, 3)), "slic", "9 pixels, 1 dimension of.*grid:8"),
        (np.full((8, 9, 3), 1.5), "slic", "floats from 0 to 1; this picture is float64 from 1.5"),
        (np.full((8, 9, 3), np.nan), "felzenszwalb", "nan"),
        (np.zeros((8, 9, 3), int), "quickshift", "int64"),
    ],
)
def test_a_picture_that_cannot_be_cut_so_says_what_can(picture, how, said):
    with pytest.raises(BadParameter, match=said):
        segmented(picture, how)


@pytest.mark.parametrize(
    ("asked", "near"),
    [("slik", "Closest: slic"), ("quick", "Closest: quickshift"), ("gird", "Closest: grid, grid:8"), ("grid:ax3", "grid:8x8")],
)
def test_an_unknown_name_names_the_nearest(asked, near):
    with pytest.raises(NoSuchName, match=near):
        segmented(PICTURE, asked)


def test_without_scikit_image_the_rest_still_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    assert segmented(PICTURE, "grid:2").max() == 3
    with pytest.raises(MissingExtra, match=r"scikit-image.*pip install '.*\[superpixels\]'"):
        segmented(PICTURE, "slic")
