"""What is computed inside of a graph: masks of one cell, components without eigenvectors, heads found again."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import NotApplicable
from seewhy.methods.cam import principal as by_eigenvectors
from seewhy.models.torch.exporting.forms import PooledHead, alone, pooled_head, principal
from seewhy.models.torch.places.layout import Layout
from support import networks


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("shape", [(2, 5, 3, 4), (3, 40, 2, 3), (2, 4, 1, 9), (1, 6, 2, 2, 3)])
def test_the_principal_component_is_that_of_the_eigenvectors(shape, centred):
    a = np.random.default_rng(shape).normal(size=shape) + 0.2
    found = principal(torch.tensor(a), centred)
    np.testing.assert_allclose(found, by_eigenvectors(a, centred), rtol=1e-6, atol=1e-7 * abs(found).max())


@pytest.mark.parametrize("near", [1e-2, 1e-5])
def test_components_of_nearly_one_size_are_told_apart(near):
    u, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))
    v, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))
    m = u[:, :6] * np.array([1 + near, 1, 0.5, 0.2, 0.1, 0.0]) @ v.T  # (places, channels)
    a = m.T.reshape(1, 6, 3, 4)
    np.testing.assert_allclose(principal(torch.tensor(a)), by_eigenvectors(a, False), atol=1e-6)


def test_a_silent_layer_has_no_component():
    assert not principal(torch.zeros(2, 3, 2, 2)).any()


def test_of_channels_without_a_sum_the_largest_value_is_positive():
    """As behind a LayerNorm, where the sum over channels is zero."""
    a = np.random.default_rng(3).normal(size=(4, 6, 3, 3))
    a -= a.mean(1, keepdims=True)
    np.testing.assert_allclose(principal(torch.tensor(a)), by_eigenvectors(a, False), rtol=1e-6, atol=1e-9)


def test_one_cell_is_left_alone_and_no_more_numbers_are_kept_than_differ():
    masks = alone(Layout.first(5, (2, 3)), torch.ones(1, 5, 2, 3), "layer")
    assert masks.shape == (7, 1, 2, 3)
    assert torch.equal(masks[:6].reshape(6, 6), torch.eye(6))
    assert not masks[6].any()


def test_more_edits_than_fit_into_memory_are_refused():
    with pytest.raises(
        NotApplicable, match=r"Layer layer has 12,544 cells, and .* that takes 38 GB for each image. Name a later"
    ):
        alone(Layout.first(64, (112, 112)), torch.ones(1, 64, 112, 112), "layer")


def test_tokens_of_no_place_stay():
    model = seewhy.wrap(networks.tokens())
    x = networks.images(1)
    with model.runner.ready(x) as image, torch.no_grad():
        emission = model.network.patch(image)
        emission = torch.ones(1, 1 + emission[0, 0].numel(), 12, dtype=image.dtype)
        masks = alone(model.runner.layout("block1", emission, image), emission, "block1")
    assert masks.shape == (13, 13, 1)
    assert masks[:, 0].all()
    assert torch.equal(masks[:12, 1:, 0], torch.eye(12))


def head_of(network, layer, x):
    kept = {}
    handle = network.get_submodule(layer).register_forward_hook(lambda _m, _a, out: kept.setdefault("a", out.clone()))

    def run():
        scores = network(x)
        return scores, scores

    with torch.no_grad():
        run()
    handle.remove()
    return pooled_head(network, run, kept["a"], layer, "net"), kept["a"]


def test_the_head_is_found_by_its_parameter():
    x = torch.tensor(networks.images(2))
    for name, layer, rectified in (("pooled", "act2", False), ("pointwise_head", "act2", False), ("functional", "conv2", True)):
        network = getattr(networks, name)()
        head, a = head_of(network, layer, x)
        assert (head.linear, head.rectified) == ("fc.weight", rectified)
        entered = a.relu() if rectified else a
        scores = head.activation(a).mean((2, 3)) @ head.weights(network).T + network.fc.bias
        torch.testing.assert_close(scores, network(x))
        a.requires_grad_()
        score = (entered if not rectified else a.relu()).mean((2, 3)) @ head.weights(network)[3]
        (g,) = torch.autograd.grad(score.sum(), a)
        torch.testing.assert_close(head.gradient(a, head.weights(network)[[3, 3]]), g)


def test_weights_that_are_no_parameter_are_kept_themselves():
    network = networks.pooled()
    nn.utils.parametrizations.weight_norm(network.fc)
    head, _ = head_of(network, "act2", torch.tensor(networks.images(2)))
    assert not isinstance(head.linear, str)
    torch.testing.assert_close(head.weights(network), network.fc.weight)


def test_without_such_a_head_it_is_said_what_needs_none():
    with pytest.raises(
        NotApplicable, match=r"all that lies behind act2. In net something else does. recipro-cam needs no such"
    ):
        head_of(networks.flat_head(), "act2", torch.tensor(networks.images(2)))
    assert PooledHead("fc.weight", False).activation(torch.tensor(-1.0)) == -1
