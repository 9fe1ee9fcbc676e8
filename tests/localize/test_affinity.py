"""Random walks over like neighbours: written again in plain loops, and what holds of any of them."""

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

import seewhy
from seewhy.errors import BadParameter
from seewhy.images.resample import resized
from seewhy.localize.affinity import on_line

DRAW = np.random.default_rng(3)
FEATURES = DRAW.normal(size=(3, 5, 7))
BOUNDARY = DRAW.uniform(size=(6, 5))
SCORES = DRAW.uniform(size=(2, 5, 7))


def plain_walk(alike, grid, radius, beta, steps, scores):
    """Scores (k, h, w) @ T^steps: T = alike(cell, other)^beta within the radius, 1 on the diagonal, columns over their sums."""
    cells = [(y, x) for y in range(grid[0]) for x in range(grid[1])]
    matrix = np.zeros((len(cells), len(cells)))
    for i, one in enumerate(cells):
        for j, other in enumerate(cells):
            far = (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2
            if i == j:
                matrix[i, j] = 1
            elif far < radius**2:
                matrix[i, j] = alike(one, other) ** beta
    step = matrix / matrix.sum(0, keepdims=True)
    return (scores.reshape(len(scores), -1) @ np.linalg.matrix_power(step, steps)).reshape(scores.shape)


def by_features(one, other):
    return np.exp(-np.mean([abs(channel[one] - channel[other]) for channel in FEATURES]))


def by_boundary(one, other):
    """1 - the greatest boundary of the cells in the rectangle of both whose centres lie nearer than 1 to the line."""
    a, b = np.array(one), np.array(other)
    worst = 0.0
    for y in range(min(a[0], b[0]), max(a[0], b[0]) + 1):
        for x in range(min(a[1], b[1]), max(a[1], b[1]) + 1):
            off = abs(np.cross([*(b - a), 0], [y - a[0], x - a[1], 0])[2]) / np.linalg.norm(b - a)
            if off < 1 - 1e-12:
                worst = max(worst, BOUNDARY[y, x])
    return 1 - worst


@pytest.mark.parametrize("radius", [2, 3, 5])
def test_a_walk_over_features_is_what_loops_make_of_it(radius):
    found = seewhy.feature_affinity(FEATURES, radius, beta=3, steps=4).walk(SCORES)
    np.testing.assert_allclose(found, plain_walk(by_features, (5, 7), radius, 3, 4, SCORES), rtol=1e-12)


@pytest.mark.parametrize("radius", [2, 4])
def test_a_walk_up_to_boundaries_is_what_loops_make_of_it(radius):
    scores = DRAW.uniform(size=(3, 6, 5))
    found = seewhy.boundary_affinity(BOUNDARY, radius, beta=2, steps=3).walk(scores)
    expected = plain_walk(by_boundary, (6, 5), radius, 2, 3, scores * (1 - BOUNDARY))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_papers_settings_are_the_defaults():
    psa, irn = seewhy.feature_affinity(FEATURES), seewhy.boundary_affinity(BOUNDARY)
    assert (psa.beta, psa.steps, irn.beta, irn.steps) == (8, 256, 10, 256)
    far = max(((h // 7 - t // 7) ** 2 + (h % 7 - t % 7) ** 2) for h, t in zip(psa.here, psa.there, strict=True))
    assert far < 25


def test_columns_sum_to_one_and_what_is_the_same_everywhere_stays():
    affinity = seewhy.feature_affinity(FEATURES)
    np.testing.assert_allclose(affinity.transition.sum(axis=0), 1, rtol=1e-14)
    np.testing.assert_allclose(affinity.walk(np.full((1, 5, 7), 0.3)), 0.3, rtol=1e-12)
    walked = affinity.walk(SCORES)
    assert walked.min() >= SCORES.min()
    assert walked.max() <= SCORES.max()


def test_where_only_a_cell_is_like_itself_nothing_moves():
    apart = seewhy.feature_affinity(1e4 * np.arange(35.0).reshape(1, 5, 7))
    np.testing.assert_allclose(apart.walk(SCORES), SCORES, rtol=1e-14)
    alone = seewhy.feature_affinity(FEATURES, radius=1)
    assert alone.here.size == 0
    np.testing.assert_array_equal(alone.walk(SCORES), SCORES)


def test_a_wall_stops_the_walk_and_a_gap_lets_it_through():
    edge = np.zeros((8, 9))
    edge[:, 4] = 1
    score = np.zeros((1, 8, 9))
    score[0, 3, 1] = 1
    walked = seewhy.boundary_affinity(edge, radius=3).walk(score)[0]
    assert walked[:, 4:].max() == 0
    assert walked[:, :4].min() > 0
    edge[3, 4] = 0
    assert seewhy.boundary_affinity(edge, radius=3).walk(score)[0][:, 5:].max() > 1e-3


def test_unlike_colours_stop_the_walk():
    photo = np.zeros((12, 16, 3), np.uint8)
    photo[:, :8] = (200, 30, 30)
    photo[:, 8:] = (30, 30, 200)
    affinity = seewhy.colour_affinity(photo)
    assert affinity.grid == (12, 16)
    score = np.zeros((1, 12, 16))
    score[0, 5, 2] = 1
    walked = affinity.walk(score)[0]
    assert walked[:, 8:].max() < 1e-6 * walked[:, :8].min()


def test_colours_are_compared_in_lab_on_a_grid_of_the_photos_form():
    photo = DRAW.integers(0, 256, (30, 60, 3), np.uint8)
    affinity = seewhy.colour_affinity(Image.fromarray(photo), side=12)
    assert affinity.grid == (6, 12)
    small = np.moveaxis(resized(np.moveaxis(photo, -1, 0) / 255.0, (6, 12)), 0, -1)
    lab = rgb2lab(small).reshape(-1, 3) / 10
    expected = np.exp(-abs(lab[affinity.here] - lab[affinity.there]).mean(1))
    np.testing.assert_allclose(affinity.alike, expected, rtol=1e-9)


def test_lines_are_the_cells_that_irn_counts():
    assert on_line(0, 3) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert on_line(1, 1) == [(0, 0), (0, 1), (1, 0), (1, 1)]  # the two beside the diagonal are 0.71 away
    assert on_line(2, -1) == [(0, -1), (0, 0), (1, -1), (1, 0), (2, -1), (2, 0)]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: seewhy.feature_affinity(np.ones((4, 4))), "Features are"),
        (lambda: seewhy.feature_affinity(np.full((1, 4, 4), np.nan)), "finite"),
        (lambda: seewhy.boundary_affinity(np.full((4, 4), 2.0)), "0 (none) to 1"),
        (lambda: seewhy.boundary_affinity(np.zeros((4, 4)), beta=-1), "beta=-1"),
        (lambda: seewhy.boundary_affinity(np.zeros((4, 4)), radius=0), "radius"),
        (lambda: seewhy.boundary_affinity(np.zeros((200, 200))), "every other one"),
        (lambda: seewhy.colour_affinity(np.zeros((4, 4, 2), np.uint8)), "A photo is"),
        (lambda: seewhy.boundary_affinity(np.zeros((4, 4))).walk(np.zeros((1, 5, 5))), "4 x 4"),
    ],
)  # fmt: skip
def test_what_is_no_affinity_is_told(make, said):
    with pytest.raises(BadParameter) as error:
        make()
    assert said in str(error.value)
