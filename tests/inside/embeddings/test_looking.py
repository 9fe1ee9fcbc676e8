"""What is kept of the passes over a batch beside its maps."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.explaining.engine import explain_batch
from seewhy.inside.embeddings.looking import Looking
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
