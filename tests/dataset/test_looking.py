"""What is kept of the passes over a batch beside its maps."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.dataset.looking import Looking, looked_at, pooled
from seewhy.explaining.engine import explain_batch
from seewhy.methods.making.method import lookup
from support.counting import entering


def asked(model, photos, method, target=None, layer=None):
    (batch,) = model.batches(photos)
    found = Looking(len(photos))
    explain_batch(model, batch, 0, [lookup(method)], [target or seewhy.Top()], [layer], found)
    return batch, found


@pytest.fixture
def photos(red_dot):
    return [red_dot((64, 64), 20, 30), red_dot((64, 64), 50, 10)]


def by_hand(network, x):
    """What the layer `cells` emits of a batch, and the scores."""
    with torch.no_grad():
        for name, block in network.named_children():
            x = block(x)
            if name == "cells":
                cells = x
    return cells.numpy(), x.numpy()


@pytest.mark.parametrize("method", ["grad-cam", "layer-cam", "cam", "eigen-cam", "score-cam", "occlusion", "gradient"])
def test_whatever_the_method_reads_the_answer_and_the_layers_activation_are_kept(red_model, red_network, photos, method):
    batch, found = asked(red_model, photos, method)
    cells, scores = by_hand(red_network, torch.from_numpy(np.asarray(batch.x)))
    assert sorted(found.answers) == [0, 1]
    for i, answer in found.answers.items():
        assert np.allclose(answer.scores, scores[i], atol=1e-5)
        assert np.allclose(answer.probabilities, torch.from_numpy(scores[i]).softmax(0), atol=1e-5)
        assert np.allclose(answer.a, cells[i], atol=1e-6)


def test_of_a_cam_no_other_pass_is_made(red_model, red_network, photos):
    with entering(red_network.cells) as plain:
        seewhy.grad_cam(red_model, photos)
    with entering(red_network.cells) as more:
        asked(red_model, photos, "grad-cam")
    assert more == plain
    assert sum(more) >= 2


def test_of_a_function_there_is_an_answer_and_no_activation(photos):
    def reds(x):
        red = x[..., 0].mean((1, 2))
        return np.stack([red, 255 - red], 1) / 255

    model = seewhy.wrap(reds, prepare={"size": 32, "crop": 32}, labels=["red", "other"], takes="uint8")
    _, found = asked(model, photos, "occlusion")
    assert found.answers[0].a is None
    assert found.answers[0].scores is not None
    assert found.answers[0].scores.shape == (2,)


def test_pooled_is_the_mean_over_space():
    a = np.random.default_rng(0).normal(size=(5, 3, 4))
    assert np.allclose(pooled(a), [channel.mean() for channel in a])


def test_looked_at_is_the_mean_weighted_by_the_positive_part_of_the_map():
    draw = np.random.default_rng(0)
    a, values = draw.normal(size=(5, 3, 4)), draw.normal(size=(3, 4))
    weights = np.where(values > 0, values, 0)
    expected = [sum(a[c, y, x] * weights[y, x] for y in range(3) for x in range(4)) / weights.sum() for c in range(5)]
    assert np.allclose(looked_at(a, values), expected)
    assert looked_at(a, -abs(values)) is None


def test_a_map_of_finer_or_coarser_cells_weighs_by_how_they_overlap():
    draw = np.random.default_rng(0)
    a, fine = draw.normal(size=(2, 3, 2)), draw.random((6, 8))
    assert np.allclose(looked_at(a, fine), looked_at(a, fine.reshape(3, 2, 2, 4).sum((1, 3))))
    finer = draw.normal(size=(2, 4, 4))
    assert np.allclose(looked_at(finer, a[0] ** 2 @ np.eye(2)), looked_at(finer, np.repeat(overlapped(a[0] ** 2), 2, 1)))


def overlapped(values):
    """(3, 2) cells over 4 rows, each of which takes 3/4 of a cell's height."""
    v0, v1, v2 = values
    return np.stack([3 / 4 * v0, 1 / 4 * v0 + 1 / 2 * v1, 1 / 2 * v1 + 1 / 4 * v2, 3 / 4 * v2])
