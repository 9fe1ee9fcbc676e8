"""Views of images: where they look, by hand; the adjoint; what is drawn."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.inside.maximizing.transformations import NONE, OUTSIDE, Transformations, View

SPACES = {"signal": (11,), "photo": (8, 9), "volume": (4, 5, 6)}


def image_of(space, channels=2, seed=0):
    return np.random.default_rng(seed).uniform(size=(channels, *space))


def read_at(image, at):
    """The image (*space) at one place, bilinearly, grey around: written out cell by cell."""
    total, share = 0.0, 0.0
    for cell in np.ndindex(image.shape):
        weight = np.prod(np.maximum(0, 1 - abs(np.array(cell) - at)))
        total, share = total + weight * image[cell], share + weight
    return total + (1 - share) * OUTSIDE


@pytest.mark.parametrize("kind", SPACES)
def test_each_cell_is_read_where_the_affine_map_says(kind):
    space, rng = SPACES[kind], np.random.default_rng(3)
    matrix = np.eye(len(space)) + rng.normal(0, 0.2, (len(space),) * 2)
    shift, image = rng.normal(0, 1, len(space)), image_of(space)
    seen, _ = View.by(space, matrix, shift).of(image)
    centre = (np.array(space) - 1) / 2
    for cell in [tuple(rng.integers(side) for side in space) for _ in range(15)]:
        at = matrix @ (np.array(cell) - centre) + shift + centre
        assert seen[(0, *cell)] == pytest.approx(read_at(image[0], at), abs=1e-12)
        assert seen[(1, *cell)] == pytest.approx(read_at(image[1], at), abs=1e-12)


@pytest.mark.parametrize("kind", SPACES)
def test_the_pullback_is_the_exact_adjoint(kind):
    space, rng = SPACES[kind], np.random.default_rng(1)
    view = Transformations(jitter=0.2, scale=(0.6, 1.7), rotate=50, noise=0.1).draw(space, rng)
    x, y, g = image_of(space), image_of(space, seed=1), rng.normal(size=(2, *space))
    (at_x, back), (at_y, _) = view.of(x), view.of(y)
    assert ((at_x - at_y) * g).sum() == pytest.approx(((x - y) * back(g)).sum(), rel=1e-12)


@pytest.mark.parametrize("kind", SPACES)
def test_without_transformations_the_image_is_seen_as_it_is(kind):
    image = image_of(SPACES[kind])
    seen, back = NONE.draw(SPACES[kind], np.random.default_rng(0)).of(image)
    np.testing.assert_array_equal(seen, image)
    np.testing.assert_array_equal(back(image), image)


def test_shifts_scales_and_turns_are_those_of_pixels():
    space, image = (5, 5), image_of((5, 5))
    shifted, _ = View.by(space, np.eye(2), np.array([1.0, 0.0])).of(image)
    np.testing.assert_allclose(shifted[:, :-1], image[:, 1:])
    np.testing.assert_allclose(shifted[:, -1], OUTSIDE)
    turned, _ = View.by(space, np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2)).of(image)
    np.testing.assert_allclose(turned, np.rot90(image, -1, (1, 2)), atol=1e-12)
    doubled, _ = View.by(space, np.eye(2) / 2, np.zeros(2)).of(image)
    np.testing.assert_allclose(doubled[:, ::2, ::2], image[:, 1:4, 1:4])


def test_what_is_drawn_stays_within_its_bounds():
    space, rng = (40, 20), np.random.default_rng(0)
    ramps = np.stack(np.mgrid[:40, :20]).astype(float)
    middle = np.array([19.5, 9.5])
    for _ in range(50):
        seen, _ = Transformations(jitter=0.1, scale=(1, 1), rotate=0).draw(space, rng).of(ramps)
        at = seen[:, 19:21, 9:11].mean((1, 2)) - middle
        assert (abs(at) <= [4, 2]).all()
        shown, _ = Transformations(jitter=0, scale=(1, 1), rotate=0, crop=(0.3, 0.5)).draw(space, rng).of(ramps)
        spans = [np.ptp(shown[axis][1:-1, 1:-1]) / side for axis, side in enumerate(space)]
        assert all(0.2 < span <= 0.5 for span in spans)
        assert shown[0].min() >= -1e-9
        assert shown[0].max() <= 39 + 1e-9


def test_a_view_is_the_same_each_time_it_is_looked_through():
    view = Transformations(noise=0.1).draw((6, 6), np.random.default_rng(0))
    image = image_of((6, 6))
    np.testing.assert_array_equal(view.of(image)[0], view.of(image)[0])
    other = Transformations(noise=0.1).draw((6, 6), np.random.default_rng(1))
    assert not np.array_equal(view.of(image)[0], other.of(image)[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"jitter": -0.1},
        {"jitter": "far"},
        {"rotate": 200},
        {"scale": (1.1, 0.9)},
        {"scale": 1.0},
        {"crop": (0, 1)},
        {"noise": True},
    ],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(BadParameter, match=next(iter(wrong))):
        Transformations(**wrong)
