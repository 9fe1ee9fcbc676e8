"""The random field: against loops over pixels, pairs and classes, and what must hold exactly."""

from math import exp, log, sqrt

import numpy as np
import pytest
import torch

from seewhy.errors import BadParameter
from seewhy.objects.refine.crf import IRN, SEC, Tie, kernels, label_costs, mean_field


def rng(seed=0):
    return np.random.default_rng(seed)


def loops(pixels, unary, ties, scale, iterations):
    """Algorithm 1 of Krähenbühl & Koltun, a number at a time, with the normalisation of their code (NORMALIZE_SYMMETRIC)."""
    places = list(np.ndindex(pixels.shape[:-1]))
    n, k = len(places), len(unary)

    def filtered(tie, q):
        """tie.weight * D^-1/2 K D^-1/2 q of one class, K with its diagonal."""
        near = [[0.0] * n for _ in range(n)]
        for i in range(n):
            for j in range(n):
                d = sum((a - b) ** 2 for a, b in zip(places[i], places[j], strict=True)) / (2 * (tie.xy / scale) ** 2)
                if tie.rgb is not None:
                    colours = zip(pixels[places[i]].tolist(), pixels[places[j]].tolist(), strict=True)
                    d += sum((a - b) ** 2 for a, b in colours) / (2 * tie.rgb**2)
                near[i][j] = exp(-d)
        root = [1 / sqrt(sum(row)) for row in near]
        return [tie.weight * root[i] * sum(near[i][j] * root[j] * q[j] for j in range(n)) for i in range(n)]

    def shares(energy):
        out = [[0.0] * n for _ in range(k)]
        for i in range(n):
            e = [exp(-energy[c][i]) for c in range(k)]
            for c in range(k):
                out[c][i] = e[c] / sum(e)
        return out

    q = shares(unary)
    for _ in range(iterations):
        messages = [[sum(parts) for parts in zip(*(filtered(tie, q[c]) for tie in ties), strict=True)] for c in range(k)]
        # Potts: a pixel pays for what its neighbours give to the *other* classes
        energy = [
            [unary[c][i] + sum(messages[other][i] for other in range(k) if other != c) for i in range(n)] for c in range(k)
        ]
        q = shares(energy)
    return np.array(q)


@pytest.mark.parametrize(("grid", "channels"), [((4, 5), 3), ((2, 3, 3), 1)])
def test_as_loops_over_pixels_pairs_and_classes(grid, channels):
    pixels, unary = rng().uniform(0, 60, (*grid, channels)), rng(1).normal(size=(3, int(np.prod(grid))))
    ties = Tie(2, 3.0, 20.0), Tie(0.7, 1.5)
    made = mean_field(unary, kernels(pixels, ties, 1.3, np.float64), 4)
    np.testing.assert_allclose(made, loops(pixels, unary.tolist(), ties, 1.3, 4), rtol=1e-11)
    # in float32, the default, nearly so
    np.testing.assert_allclose(mean_field(unary, kernels(pixels, ties, 1.3), 4), made, atol=1e-5)


def test_kernels_are_symmetric_and_normalised():
    pixels = rng().integers(0, 256, (6, 7, 3), np.uint8)
    one = kernels(pixels, [Tie(1, 3, 30)], dtype=np.float64)
    np.testing.assert_allclose(one, one.T, rtol=1e-12)
    assert np.linalg.eigvalsh(one)[-1] == pytest.approx(1, abs=1e-9)  # D^-1/2 K D^-1/2 has the eigenvector D^1/2, to 1
    np.testing.assert_allclose(kernels(pixels, [Tie(5, 3, 30)], dtype=np.float64), 5 * one)
    both = kernels(pixels, [Tie(1, 3, 30), Tie(2, 1)], dtype=np.float64)
    np.testing.assert_allclose(both, one + kernels(pixels, [Tie(2, 1)], dtype=np.float64))


def test_scale_is_how_much_smaller_the_grid_is():
    pixels = rng().integers(0, 256, (6, 7, 3), np.uint8)
    np.testing.assert_allclose(kernels(pixels, SEC, 12), kernels(pixels, [Tie(10, 80 / 12, 13), Tie(3, 3 / 12)]), atol=1e-6)


def test_large_distances_leave_no_pixel_without_itself():
    pixels = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(kernels(pixels, [Tie(4, 80, 0.01)]), 4 * np.eye(2, dtype=np.float32))


def test_colours_that_are_told_apart_to_the_last_digit_leave_no_pixel_without_itself():
    found = kernels(rng().random((5, 4, 3)), [Tie(2, 3, 1e-12)])
    np.testing.assert_allclose(found, 2 * np.eye(20), atol=1e-6)


def test_probabilities_sum_to_one():
    pixels = rng().integers(0, 256, (9, 8, 3), np.uint8)
    q = mean_field(rng(1).normal(0, 5, (4, 72)), kernels(pixels, SEC, 12, np.float64))
    np.testing.assert_allclose(q.sum(0), 1, rtol=1e-12)
    assert (q >= 0).all()


def test_a_uniform_image_with_uniform_costs_stays_uniform():
    q = mean_field(np.full((3, 30), 0.7), kernels(np.full((5, 6, 3), 80, np.uint8), SEC, 12, np.float64))
    np.testing.assert_allclose(q, 1 / 3, atol=1e-9)  # it is unstable: each step makes more of what rounding leaves


def test_without_weights_or_steps_it_is_the_softmax_of_the_costs():
    unary, pixels = rng().normal(0, 3, (3, 20)), rng(1).integers(0, 256, (4, 5, 3), np.uint8)
    softmax = np.exp(-unary) / np.exp(-unary).sum(0)
    np.testing.assert_allclose(mean_field(unary, kernels(pixels, [Tie(0, 80, 13)], dtype=np.float64)), softmax, rtol=1e-12)
    np.testing.assert_allclose(mean_field(unary, kernels(pixels, SEC), 0), softmax, rtol=1e-12)


def test_two_colours_draw_the_border_where_they_meet():
    """Sure of the left third and of the right fifth, it finds all of each colour."""
    pixels = np.zeros((8, 15, 3), np.uint8)
    pixels[:, 9:] = 200
    sure = np.full((8, 15), 0.5)
    sure[:, :5], sure[:, 12:] = 0.1, 0.9
    unary = -np.log(np.stack([1 - sure, sure])).reshape(2, -1)
    q = mean_field(unary, kernels(pixels, SEC, 6))[1].reshape(8, 15)
    np.testing.assert_array_equal(q > 0.5, pixels[..., 0] > 0)
    assert abs(q - 0.5).min() > 0.4


def test_the_order_of_classes_does_not_matter_and_costs_may_shift():
    pixels, unary = rng().integers(0, 256, (5, 5, 3), np.uint8), rng(1).normal(size=(3, 25))
    tied = kernels(pixels, IRN, 4, np.float64)
    q = mean_field(unary, tied)
    np.testing.assert_allclose(mean_field(unary[[2, 0, 1]], tied), q[[2, 0, 1]], rtol=1e-12)
    np.testing.assert_allclose(mean_field(unary + rng(2).normal(size=25) * 100, tied), q, rtol=1e-9)


def test_on_tensors_it_is_the_same_and_gradients_flow():
    pixels, unary = rng().integers(0, 256, (3, 4, 3), np.uint8), rng(1).normal(size=(3, 12))
    tied = kernels(pixels, SEC, 12, np.float64)
    costs = torch.tensor(unary, requires_grad=True)
    q = mean_field(costs, torch.tensor(tied))
    np.testing.assert_allclose(q.detach().numpy(), mean_field(unary, tied), rtol=1e-12)
    assert torch.autograd.gradcheck(lambda u: mean_field(u, torch.tensor(tied), 3), costs)


def test_a_batch_is_each_of_its_images():
    pixels, unary = rng().integers(0, 256, (2, 3, 4, 3), np.uint8), rng(1).normal(size=(2, 3, 12))
    tied = np.stack([kernels(each, SEC, 12, np.float64) for each in pixels])
    both = mean_field(unary, tied)
    for at in range(2):
        np.testing.assert_allclose(both[at], mean_field(unary[at], tied[at]), rtol=1e-12)
    tensors = mean_field(torch.tensor(unary), torch.tensor(tied))
    np.testing.assert_allclose(tensors.numpy(), both, rtol=1e-12)


def test_costs_of_labels():
    costs = label_costs(np.array([[0, 2], [255, 1]]), 3, 0.7)
    other, none = -log(0.15), log(3)
    expected = [[-log(0.7), other, none, other], [other, other, none, -log(0.7)], [other, -log(0.7), none, other]]
    np.testing.assert_allclose(costs, expected, rtol=1e-6)
    np.testing.assert_allclose(np.exp(-costs).sum(0), 1, rtol=1e-6)


def test_a_grid_that_is_too_large_is_refused():
    with pytest.raises(BadParameter, match="4,160 pixels is too many: give a grid of 4,096 pixels at most, as 64 x 64"):
        kernels(np.zeros((65, 64, 3)))
