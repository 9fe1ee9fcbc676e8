"""A network that sees each cell apart: its scores, activations and gradients are those of each cell, laid out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.metrics.games.playing import cell_shares
from seewhy.metrics.games.separate import SeparateCells
from seewhy.models.model import Differentiable, Model
from support.small import small_network


@pytest.fixture(scope="module")
def network():
    return small_network((5, 4), padding=1, stride=2).double()


@pytest.fixture(scope="module")
def cells(network):
    return SeparateCells(seewhy.wrap(network, name="small"), 2)


X = np.random.default_rng(0).standard_normal((2, 3, 16, 24))


def cell_of(x, j):
    top, left = j // 2 * 8, j % 2 * 12
    return x[..., top : top + 8, left : left + 12]


def test_it_is_a_model_whose_scores_are_those_of_each_cell(network, cells):
    assert isinstance(cells, Model)
    assert isinstance(cells, Differentiable)
    answer = cells.answer(X)
    assert answer.scores.shape == (2, 12)
    with torch.no_grad():
        for j in range(4):
            alone = network(torch.as_tensor(cell_of(X, j)))
            assert answer.scores[:, 3 * j : 3 * j + 3] == pytest.approx(alone.numpy())
            assert answer.probabilities[:, 3 * j : 3 * j + 3] == pytest.approx(alone.softmax(1).numpy())


@pytest.mark.parametrize("layer", ["2", "3"])
def test_activations_are_laid_out_and_only_the_cell_that_is_asked_for_has_a_gradient(network, cells, layer):
    upto, rest = network[: int(layer) + 1], network[int(layer) + 1 :]
    trace = cells.trace(X, [seewhy.Class(3 * 2 + 1)], [layer, "input"])
    assert trace.weights.shape == (1, 2, 12)
    for i in range(2):
        for j in range(4):
            x = torch.as_tensor(cell_of(X[i : i + 1], j)).clone().requires_grad_()
            a = upto(x)
            at, pixels = torch.autograd.grad(rest(a)[0, 1], [a, x])
            top, left = j // 2 * 4, j % 2 * 6
            here = (i, slice(None), slice(top, top + 4), slice(left, left + 6))
            evidence = trace.evidence[layer]
            assert evidence.a[here].numpy() == pytest.approx(a[0].detach().numpy())
            assert evidence.g[0][here].numpy() == pytest.approx(at[0].numpy() * (j == 2), abs=1e-15)
            own = cell_of(trace.evidence["input"].g[0, i], j).numpy()
            assert own == pytest.approx(pixels[0].numpy() * (j == 2), abs=1e-15)


def test_second_derivatives_stay_in_their_cell():
    torch.manual_seed(1)
    curved = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Softplus(), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    cells = SeparateCells(seewhy.wrap(curved.double().eval()), 2)
    evidence = cells.trace(X, [seewhy.Class(4)], ["1"], twice=True).evidence["1"]
    product = evidence.hessian(0, torch.ones_like(evidence.a))
    assert product.shape == evidence.a.shape
    assert (product[:, 0, :8, 12:] > 0).all()
    assert float(product[:, :, 8:].abs().max()) == float(product[:, :, :8, :12].abs().max()) == 0


def test_cam_is_grad_cam_up_to_a_factor(cells):
    for target in range(12):
        cam, grad_cam = (m(cells, X, target=target, layer="3").maps for m in (seewhy.cam, seewhy.grad_cam))
        for a, b in zip(cam, grad_cam, strict=True):
            assert a.values == pytest.approx(b.values * b.values.size, rel=1e-5, abs=1e-6)


def test_methods_that_hide_parts_of_the_grid_move_only_the_scores_of_their_cells(network, cells):
    (occluded,) = seewhy.occlusion(cells, X[:1], target=3 * 3 + 2, window=4, stride=4, fill=0.0)
    (alone,) = seewhy.occlusion(seewhy.wrap(network), cell_of(X[:1], 3), target=2, window=4, stride=4, fill=0.0)
    assert cell_of(occluded.values, 3) == pytest.approx(alone.values, abs=1e-5)
    assert abs(np.where(np.kron([[1, 1], [1, 0]], np.ones((8, 12))), occluded.values, 0)).max() < 1e-6


def test_methods_that_edit_a_layer_edit_that_of_the_grid(network, cells):
    (heatmap,) = seewhy.ablation_cam(cells, X[:1], target=1, layer="3", signed=True)
    with torch.no_grad():
        a = [network[:4](torch.as_tensor(cell_of(X[:1], j))) for j in range(4)]
        grid = torch.cat([torch.cat(a[:2], 3), torch.cat(a[2:], 3)], 2)[0]
        score = float(network[4:](a[0])[0, 1])
        drops = [score - float(network[4:](a[0] * (torch.arange(4) != c).view(1, 4, 1, 1))[0, 1]) for c in range(4)]
    (plain,) = seewhy.ablation_cam(seewhy.wrap(network), cell_of(X[:1], 0), target=1, layer="3", signed=True)
    by_hand = sum(drop * grid[c].numpy() for c, drop in enumerate(drops))
    assert heatmap.values / abs(heatmap.values).max() == pytest.approx(by_hand / abs(by_hand).max(), abs=1e-5)
    assert heatmap.values[:4, :6] == pytest.approx(plain.values, abs=1e-5)


def test_a_batch_equals_its_singles_and_functions_can_be_asked(cells):
    both = seewhy.layer_cam(cells, X, target=5, layer="3")
    for i in range(2):
        (alone,) = seewhy.layer_cam(cells, X[i : i + 1], target=5, layer="3")
        assert both[i].values == pytest.approx(alone.values, abs=1e-6)
    means = seewhy.wrap(lambda x: x.mean((2, 3)), takes="float", scores="logits")
    answer = SeparateCells(means, 2).answer(X)
    assert answer.scores[0, 3:6] == pytest.approx(cell_of(X[0], 1).mean((1, 2)))


def test_what_cannot_be_laid_out_is_refused(cells):
    for method in (seewhy.full_grad, seewhy.attention_rollout):
        with pytest.raises(seewhy.SeewhyError):
            method(cells, X)
    with pytest.raises(seewhy.NotApplicable, match="runs apart"):
        cells.upto("3")
    centred = seewhy.wrap(lambda x: (x - x.mean(0)).mean((2, 3)), takes="float", scores="logits")
    with pytest.raises(seewhy.NotApplicable, match="mixes the images of a batch"):
        SeparateCells(centred, 2).check(X)
    cells.check(X)


LOCAL = ["layer-cam", "grad-cam-elementwise", "guided-backprop", "smooth-grad", "integrated-gradients", "lrp",
         "deep-lift", "recipro-cam", "sobol", "guided-grad-cam"]  # fmt: skip


@pytest.mark.parametrize("name", LOCAL)
def test_methods_that_ask_place_by_place_find_nothing_in_cells_that_did_not_count(cells, name):
    method = seewhy.METHODS[name]
    known = {"steps": 4, "samples": 4, "budget": 200, "segments": "grid:4"}
    method = method.using(**{key: value for key, value in known.items() if key in method.parameters})
    (heatmap,) = method(cells, X[:1], target=3 * 3 + int(cells.answer(X[:1]).scores[0, 9:].argmax()), layer=None)
    assert cell_shares(heatmap.values, 2) == pytest.approx([0, 0, 0, 1], abs=1e-6)


def test_what_is_pulled_back_is_the_gradient_of_each_cell_alone(network, cells):
    passed = cells.pulled(X, ["2", "scores"])
    weights = {name: np.random.default_rng(1).normal(size=a.shape) for name, a in passed.a.items()}
    x = torch.as_tensor(X).requires_grad_()
    total = torch.tensor(0.0)
    for j in range(4):
        cell = cell_of(x, j)
        a, top, left = network[:3](cell), j // 2 * 4, j % 2 * 6
        total = total + (a * torch.as_tensor(weights["2"][:, :, top : top + 4, left : left + 6])).sum()
        total = total + (network(cell) * torch.as_tensor(weights["scores"][:, 3 * j : 3 * j + 3])).sum()
    assert passed.back(weights) == pytest.approx(torch.autograd.grad(total, x)[0].numpy(), abs=1e-12)
