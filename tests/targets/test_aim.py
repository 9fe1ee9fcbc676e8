"""The view of an image that an aim is pinned on: places of the photo and of the prepared image, both ways."""

from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NotApplicable, NotHere
from seewhy.images.places import Extent, Grid, Turned
from seewhy.targets.aim import Aim, ImageView, Pinned, PinnedAim
from seewhy.targets.parse import as_targets

CROPPED = ImageView((20, 40), (100, 60), Extent(10, 10, 90, 50), None)  # of 100 x 60 pixels the middle, at half its size


def test_places_by_hand():
    assert CROPPED.to_prepared(np.array([10.0, 10.0])).tolist() == [0, 0]
    assert CROPPED.to_prepared(np.array([90.0, 50.0])).tolist() == [40, 20]
    assert CROPPED.to_prepared(np.array([73.5, 41.5])).tolist() == [31.75, 15.75]
    assert CROPPED.to_photo(np.array([[0, 0], [40, 20]])).tolist() == [[10, 10], [90, 50]]


def test_the_two_ways_undo_each_other_also_where_the_photo_is_mirrored_or_stretched():
    points = np.random.default_rng(0).uniform(-50, 150, (7, 2, 2))
    for box in (Extent(10, 10, 90, 50), Extent(90, 10, 10, 50), Extent(0, -5, 3, 300), Turned(Extent(90, 10, 10, 50))):
        view = CROPPED._replace(box=box)
        np.testing.assert_allclose(view.to_photo(view.to_prepared(points)), points, atol=1e-9)
    assert CROPPED._replace(box=Extent(90, 10, 10, 50)).to_prepared(np.array([90.0, 10.0])).tolist() == [0, 0]


def test_places_where_the_photo_is_turned():
    """By a quarter to the left: its right edge is the first row, and its upper left corner the last row's beginning."""
    turned = CROPPED._replace(box=Turned(Extent(90, 10, 10, 50)))
    assert turned.to_prepared(np.array([90.0, 10.0])).tolist() == [0, 0]
    assert turned.to_prepared(np.array([10.0, 10.0])).tolist() == [0, 20]
    assert turned.to_prepared(np.array([90.0, 50.0])).tolist() == [40, 0]
    assert turned.to_photo(np.array([40.0, 0.0])).tolist() == [90, 50]


def test_no_place_is_found_on_a_photo_of_which_an_unknown_part_is_seen():
    unknown = CROPPED._replace(box=None)
    with pytest.raises(NotApplicable, match=r"cannot be measured, so no place on it can be found\. Let `prepare`"):
        unknown.to_prepared(np.array([3.0, 4.0]))
    assert unknown.to_photo(np.array([[0, 0], [40, 20]])).tolist() == [[0, 0], [100, 60]]


def test_space_of_three_dimensions_has_no_places_of_two():
    view = CROPPED._replace(space=(4, 5, 6), box=Grid.whole((4, 5, 6)))
    for way in (view.to_prepared, view.to_photo):
        with pytest.raises(NotApplicable, match=r"ask by a mask: Region\(class, mask\)"):
            way(np.zeros(2))


class Mean(Aim):
    """The mean of a channel of the output, of a person's own making; not in images without any of it."""

    def __init__(self, channel: int) -> None:
        self.channel = channel

    def pin(self, output: Any, view: ImageView) -> Pinned:
        def read(output: Any) -> Any:
            return output[:, self.channel].reshape(len(output), -1).mean(1)

        if float(read(output)[0]) == 0:
            raise NotHere(f"mean:{self.channel}: there is nothing of it.")
        return Pinned(read, "activation", f"mean:{self.channel}")


def test_an_aim_of_ones_own_is_a_target():
    x = np.zeros((1, 3, 4, 6), np.float32)
    x[0, 1, 2, 3] = 24
    model = seewhy.wrap(lambda images: images, takes="float")
    found = seewhy.occlusion(model, x, target=Mean(1), window=1, stride=1, fill=0.0)[0]
    expected = np.zeros((4, 6))
    expected[2, 3] = 1
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert (found.source.target, found.source.scores, found.source.score) == ("mean:1", "activation", 1)
    with pytest.raises(NotHere, match="mean:2: there is nothing of it"):
        seewhy.occlusion(model, x, target=Mean(2), window=1, stride=1)


@pytest.mark.parametrize(("target", "local"), [("box:a", True), ("region:0", True), ("point:1,2", True), ("text:a", False),
                                               ("similar:a.png", False)])  # fmt: skip
def test_an_aim_says_whether_it_means_a_place(target, local):
    [aim] = as_targets(target, ["a"])
    assert isinstance(aim, Aim)
    assert aim.local is local
    assert aim.known(["a"]) == aim


def test_the_class_of_an_aim_becomes_an_index():
    assert seewhy.Region("b").known(["a", "b"]) == seewhy.Region(1)
    with pytest.raises(BadParameter, match="the model has none"):
        seewhy.Box("b").known(None)


def test_a_pinned_aim_reads_of_other_images_what_was_chosen_on_the_first():
    """The network's output is the image; the class at the point is the brightest channel of the first image."""
    first, other = np.zeros((2, 1, 3, 4, 4), np.float32)
    first[0, 2, 1, 1], other[0, 0, 1, 1], other[0, 2, 1, 1] = 1, 5, 3
    model = seewhy.wrap(lambda images: images, takes="float")
    _, (pinned,) = model.aimed([seewhy.Point(1, 1)], first, ImageView((4, 4), None, Extent(0, 0, 4, 4), None))
    again = PinnedAim(pinned)
    found = seewhy.occlusion(model, other, target=again, window=1, stride=1, fill=0.0)[0]
    assert str(again) == found.source.target == "point:1,1:2"
    assert found.source.score == 3
    assert found.values.max() == found.values[1, 1] == 3
