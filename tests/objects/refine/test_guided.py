"""The guided filter: against a least-squares fit in every window, and what must hold exactly."""

from itertools import product

import numpy as np
import pytest

from seewhy.objects.refine import guided as module
from seewhy.objects.refine.guided import coefficients, guided, window_mean


def windows(grid, radii):
    """The slices of every pixel's window, which ends where the image does."""
    return {
        at: tuple(slice(max(0, i - radius), i + radius + 1) for i, radius in zip(at, radii, strict=True))
        for at in product(*map(range, grid))
    }


def by_least_squares(values, guide, radii, eps):
    """Minimise sum over the window of (a I + b - p)² + eps |a|² for each; then the mean of those that hold a pixel."""
    channels, fits = guide.shape[-1], {}
    for at, window in windows(values.shape, radii).items():
        colours, p = guide[window].reshape(-1, channels), values[window].ravel()
        rows = np.hstack([colours, np.ones((len(p), 1))])
        held = np.hstack([np.sqrt(eps * len(p)) * np.eye(channels), np.zeros((channels, 1))])
        fits[at] = np.linalg.lstsq(np.vstack([rows, held]), np.concatenate([p, np.zeros(channels)]), rcond=None)[0]
    made = np.empty(values.shape)
    for at, window in windows(values.shape, radii).items():
        members = [fits[tuple(k)] for k in np.argwhere(np.ones(values.shape))[inside(values.shape, window)]]
        made[at] = np.mean(members, 0) @ [*guide[at], 1]
    return made


def inside(shape, window):
    marked = np.zeros(shape, bool)
    marked[window] = True
    return marked.ravel()


@pytest.mark.parametrize(("grid", "channels", "radii"), [((6, 7), 3, (1, 2)), ((7, 5), 1, (2, 9)), ((3, 4, 4), 1, (1, 1, 2))])
def test_as_a_least_squares_fit_in_every_window(grid, channels, radii):
    rng = np.random.default_rng(0)
    values, guide = rng.random(grid), rng.random((*grid, channels))
    slopes, offsets = coefficients(values, guide, radii, 0.01)
    np.testing.assert_allclose((slopes * guide).sum(-1) + offsets, by_least_squares(values, guide, radii, 0.01), rtol=1e-9)


def test_the_mean_of_windows_that_end_at_the_edges():
    x = np.random.default_rng(0).random((5, 6, 2))
    expected = [
        [x[window].reshape(-1, 2).mean(0) for at, window in windows((5, 6), (1, 2)).items() if at[0] == i] for i in range(5)
    ]
    np.testing.assert_allclose(window_mean(x, (1, 2)), expected, rtol=1e-12)
    np.testing.assert_allclose(window_mean(x, (9, 9)), np.broadcast_to(x.mean((0, 1)), x.shape), rtol=1e-12)


def test_a_map_that_is_linear_in_the_colours_stays():
    guide = np.random.default_rng(0).random((8, 9, 3))
    values = guide @ [0.2, -0.5, 0.7] + 0.3
    slopes, offsets = coefficients(values, guide, (2, 2), 1e-12)
    np.testing.assert_allclose((slopes * guide).sum(-1) + offsets, values, atol=1e-7)


def test_an_image_of_one_colour_blurs_the_map_twice():
    values, guide = np.random.default_rng(0).random((8, 9)), np.full((8, 9, 3), 0.4)
    slopes, offsets = coefficients(values, guide, (2, 1), 1e-4)
    np.testing.assert_allclose(slopes, 0, atol=1e-9)
    np.testing.assert_allclose(offsets, window_mean(window_mean(values, (2, 1)), (2, 1)), atol=1e-9)


def test_the_mask_is_where_the_filtered_likelihood_is_above_one_half():
    rng = np.random.default_rng(0)
    values, pixels = rng.random((10, 12)).astype(np.float32), rng.integers(0, 256, (10, 12, 3), np.uint8)
    filtered = by_least_squares(values / (values + 0.4), pixels / 255.0, (3, 4), 1e-3)  # 0.3 of 10 and of 12, rounded
    sure = abs(filtered - 0.5) > 1e-5
    assert sure.mean() > 0.95
    np.testing.assert_array_equal(guided(values, 0.4, pixels, radius=0.3, eps=1e-3)[sure], (filtered > 0.5)[sure])


def test_a_large_photo_is_read_in_full(monkeypatch):
    """The functions come from a grid; a line one pixel wide in the photo is there in the mask."""
    monkeypatch.setattr(module, "MOST", 16**2)
    values = np.full((64, 64), 0.05, np.float32)
    values[:, 20:44] = 1
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 20:44] = 200
    pixels[30, 20:44] = 0
    mask = guided(values, 0.2, pixels, radius=0.2, eps=1e-4)
    np.testing.assert_array_equal(mask, pixels[..., 0] > 0)


def test_what_it_does_of_one_channel_is_what_it_does_of_grey():
    rng = np.random.default_rng(0)
    values, grey = rng.random((12, 12)).astype(np.float32), rng.integers(0, 256, (12, 12, 1), np.uint8)
    one, three = (coefficients(values, np.repeat(grey / 255, n, -1), (2, 2), eps) for n, eps in ((1, 1e-4), (3, 3e-4)))
    np.testing.assert_allclose(one[0].sum(-1), three[0].sum(-1), rtol=1e-6)
    np.testing.assert_allclose(one[1], three[1], rtol=1e-6)
