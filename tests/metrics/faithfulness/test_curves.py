"""Deletion, insertion, pixel flipping and monotonicity: worked out on paper on a linear model, identities, shared passes."""

from itertools import pairwise

import numpy as np
import pytest

import seewhy
from seewhy.metrics.faithfulness.curves import (
    area,
    deletion,
    deletion_curve,
    insertion,
    insertion_curve,
    monotonicity,
    pixel_flipping,
)
from seewhy.metrics.subject import subjects
from support.measuring import WEIGHTS, linear_model

ONES = np.ones((1, 1, 4, 4), np.float32)
FLAT = np.zeros((4, 4))


def test_by_hand():
    """The score counts the first row: hidden row by row it is 4, 0, 0, 0, 0 from the top, and 4, 4, 4, 4, 0 from below."""
    model = linear_model()
    perfect, inverted = WEIGHTS, -WEIGHTS
    assert deletion(model, ONES, [perfect], target=0, steps=4)[0] == (4 / 2 + 0 + 0 + 0) / 4
    assert deletion(model, ONES, [inverted], target=0, steps=4)[0] == (4 / 2 + 4 + 4 + 4 + 0) / 4
    assert insertion(model, ONES, [perfect], target=0, steps=4, fill="zero")[0] == (0 + 4 + 4 + 4 + 4 / 2) / 4
    assert insertion(model, ONES, [inverted], target=0, steps=4, fill="zero")[0] == (0 + 0 + 0 + 0 + 4 / 2) / 4
    assert pixel_flipping(model, ONES, [perfect], target=0, steps=4)[0] == (0 + 4 + 4 + 4 + 4) / 5
    assert pixel_flipping(model, ONES, [inverted], target=0, steps=4)[0] == (0 + 0 + 0 + 0 + 4) / 5
    rising = np.arange(16.0).reshape(4, 4)
    signs = linear_model(np.where(rising % 8 < 4, 1.0, -1.0))  # rows of ones and of minus ones, in turn
    assert monotonicity(signs, ONES, [rising], target=0, steps=4, fill="zero")[0] == 2 / 4
    assert monotonicity(model, ONES, [perfect], target=0, steps=4, fill="zero")[0] == 1


def test_a_uniform_map_is_at_chance():
    """On average over orders as much of the score is gone as of the places: a straight line from 4 to 0."""
    found = [deletion(linear_model(), ONES, [FLAT], target=0, steps=16, seed=seed)[0] for seed in range(60)]
    assert np.mean(found) == pytest.approx(2, abs=3 * np.std(found) / np.sqrt(60))
    assert np.std(found) > 0.05


def test_only_the_order_of_the_values_counts():
    rng = np.random.default_rng(0)
    weights, values, x = rng.standard_normal((4, 4)), rng.standard_normal((4, 4)), rng.random((1, 1, 4, 4)).astype(np.float32)
    for each in (deletion, insertion, pixel_flipping, monotonicity):
        alike = (values, 3 * values + 1, np.exp(values), values**3)
        found = [each(linear_model(weights), x, [rescaled], target=0, steps=5)[0] for rescaled in alike]
        assert found == [found[0]] * 4, each.name


def test_slowly_and_plainly():
    """Pixel by pixel in a loop, in probabilities, hidden by the image's own mean."""
    rng = np.random.default_rng(1)
    weights, values = rng.standard_normal((2, 4, 4)), rng.standard_normal((4, 4))
    x = rng.random((1, 1, 4, 4)).astype(np.float32)

    def chance(image):
        scores = [float((image * w).sum()) for w in weights]
        return np.exp(scores[1]) / (np.exp(scores[0]) + np.exp(scores[1]))

    places = sorted(((values[i, j], i, j) for i in range(4) for j in range(4)), reverse=True)
    image, mean, curve = x[0, 0].astype(np.float64), float(x.mean()), []
    curve.append(chance(image))
    for _, i, j in places:
        image[i, j] = mean
        curve.append(chance(image))
    expected = sum((a + b) / 2 / 16 for a, b in pairwise(curve))
    model = linear_model(weights, scores="logits")
    assert deletion(model, x, [values], target=1, steps=16, fill="mean")[0] == pytest.approx(expected, rel=1e-5)
    back = [curve[16 - k] for k in range(17)]
    mirrored = sum((a + b) / 2 / 16 for a, b in pairwise(back))
    assert insertion(model, x, [-values], target=1, steps=16, fill="mean")[0] == pytest.approx(mirrored, rel=1e-5)


def test_the_same_steps_and_fill_cost_one_pass():
    calls = []
    model = linear_model(calls=calls)
    for subject, _ in subjects(model, ONES, [WEIGHTS], target=0):
        calls.clear()
        values = subject.on_grid(WEIGHTS)
        shares, chances = deletion_curve(subject, values, 8, "zero")
        assert sum(calls) == 8  # the untouched image is known
        assert len(shares) == len(chances) == 9
        assert pixel_flipping.using(steps=8).of(subject, WEIGHTS) == pytest.approx((subject.probability - chances).mean())
        assert deletion.using(steps=8).of(subject, WEIGHTS) == area(shares, chances)
        assert sum(calls) == 8
        insertion_curve(subject, values, 8, "zero")  # that of the other order, whose image without anything is known
        assert sum(calls) == 8 + 7
        insertion.using(steps=8, fill="zero").of(subject, -WEIGHTS)
        assert sum(calls) == 8 + 7 + 7
        deletion.using(steps=8, fill=0.5).of(subject, WEIGHTS)
        assert sum(calls) == 8 + 7 + 7 + 8
        assert subject.forwards == 30


def test_volumes_and_signals():
    for space in ((2, 3, 4), (12,)):
        x = np.ones((1, 1, *space), np.float32)
        weights = np.zeros(space)
        weights.reshape(-1)[:3] = 1
        model = linear_model(weights)
        assert deletion(model, x, [weights], target=0, steps=4)[0] == (3 / 2) / 4
        assert insertion(model, x, [weights], target=0, steps=4, fill="zero")[0] == (3 + 3 + 3 + 3 / 2) / 4


def test_a_torch_network_and_its_heatmaps(red_model, red_dot):
    photos = [red_dot((64, 64), 20, 20, 8), red_dot((64, 64), 44, 40, 8)]
    maps = seewhy.explain(red_model, photos, ["grad-cam", "random-map"], target="red")
    found = deletion(red_model, photos, maps, fill="blur")
    alone = deletion(red_model, photos[1:], seewhy.grad_cam(red_model, photos[1:], target="red"), fill="blur")
    assert (found[[0, 2]] < found[[1, 3]]).all()  # of both photos the map of Grad-CAM knows where it is red
    np.testing.assert_array_equal(found[2], alone[0])
