"""Which photos stand in which grid: of different classes, evenly, by the seed; and how they are laid out."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.metrics.games.drawing import SurePhotos, board_picture, drawn_grids, laid

CLASSES = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5, 6])


def test_photos_of_a_grid_are_of_different_classes_and_all_are_used_alike():
    grids = drawn_grids(CLASSES, 4, 25, seed=3)
    assert all(len({*CLASSES[grid]}) == 4 for grid in grids)
    used = np.bincount(grids.ravel(), minlength=len(CLASSES))
    assert used.sum() == 100
    assert used.max() - used.min() <= 2  # photos of one class keep each other out of a grid
    apart = np.bincount(drawn_grids(np.arange(10), 4, 26, seed=3).ravel())
    assert apart.max() - apart.min() <= 1
    places = np.array([np.bincount(np.argwhere(grids == photo)[:, 1], minlength=4) for photo in range(len(CLASSES))])
    assert (places > 0).sum() > 30  # each photo stands in many cells, not in one
    assert np.array_equal(grids, drawn_grids(CLASSES, 4, 25, seed=3))
    assert not np.array_equal(grids, drawn_grids(CLASSES, 4, 25, seed=4))


def test_the_last_cell_repeats_the_class_of_the_first_in_another_photo_where_there_is_one():
    grids = drawn_grids(CLASSES, 4, 40, seed=0, twice=True)
    alone = 0
    for grid in grids:
        assert CLASSES[grid[0]] == CLASSES[grid[-1]]
        assert len({*CLASSES[grid[:-1]]}) == 3
        alone += grid[0] == grid[-1]
        assert (grid[0] == grid[-1]) == (CLASSES[grid[0]] > 2)
    assert 0 < alone < 40


def test_too_few_classes_are_refused_with_what_helps():
    with pytest.raises(seewhy.BadParameter, match=r"photos of 9 classes .* show 7. Give more photos, a smaller size="):
        drawn_grids(CLASSES, 9, 1, 0)
    assert drawn_grids(np.arange(8), 9, 1, 0, twice=True).shape == (1, 9)


def test_grids_are_laid_row_by_row():
    cells = np.arange(2 * 4 * 1 * 2 * 3).reshape(8, 1, 2, 3)
    grids = laid(cells, 2)
    assert grids.shape == (2, 1, 4, 6)
    for g in range(2):
        for j in range(4):
            top, left = j // 2 * 2, j % 2 * 3
            assert np.array_equal(grids[g, :, top : top + 2, left : left + 3], cells[4 * g + j])
    colours = [(10, 0, 0), (20, 0, 0), (30, 0, 0), (40, 0, 0)]
    views = [Image.new("RGB", (3, 2), colour) for colour in colours]
    picture = np.asarray(board_picture(views, 2))
    assert picture[..., 0].tolist() == [[10] * 3 + [20] * 3] * 2 + [[30] * 3 + [40] * 3] * 2
    assert board_picture([*views[:3], None], 2) is None


def test_photos_are_chosen_by_the_probability_of_their_class(channel_model, channel_photos):
    faint = np.concatenate([channel_photos[:3], channel_photos[3:6] / 8])
    chances = channel_model.answer(faint).probabilities.max(1)
    assert (chances[:3] > 0.99).all()
    assert (chances[3:] < 0.99).all()
    photos = SurePhotos.of(channel_model, faint, 0.99, "raise")
    assert photos.places.tolist() == [0, 1, 2]
    assert (photos.classes.tolist(), photos.given, photos.names[2]) == ([0, 1, 2], 6, "image 2")
    assert len(SurePhotos.of(channel_model, faint, 0, "raise").places) == 6
    cells, views = photos.cells(channel_model, [2, 0])
    assert np.array_equal(cells, faint[[2, 0]])
    assert views == [None, None]


@pytest.mark.parametrize("confidence", [1.5, -0.1, True, "high", float("nan")])
def test_a_confidence_is_a_probability(channel_model, channel_photos, confidence):
    with pytest.raises(seewhy.BadParameter, match="from 0 to 1"):
        SurePhotos.of(channel_model, channel_photos, confidence, "raise")


def test_a_function_has_to_say_what_its_scores_are(channel_photos):
    model = seewhy.wrap(lambda x: x.mean((2, 3)), takes="float")
    with pytest.raises(seewhy.NotApplicable, match='scores="logits"'):
        SurePhotos.of(model, channel_photos, 0.5, "raise")


def test_photos_of_several_sizes_make_no_grid(red_network, noise):
    model = seewhy.wrap(red_network, prepare={"size": 32, "crop": None, "mean": 0.0, "std": 1.0})
    photos = SurePhotos.of(model, [noise((64, 32)), noise((32, 64))], 0, "raise")
    with pytest.raises(seewhy.NotApplicable, match="several sizes"):
        photos.cells(model, [0, 1])
