"""A network that explains itself gives what the library gives, before anything is traced."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.exporting.forms import form_of
from seewhy.methods.making.method import lookup
from seewhy.models.torch.exporting.graph import place_of
from seewhy.models.torch.exporting.network import SelfExplaining
from support import networks
from support.ask import close


def explaining(model, x, method, layer, target=None):
    """(scores, maps) of the module that would be traced."""
    ready, form = model.for_graph(), form_of(method)
    with ready.runner.ready(x[:1]) as image, torch.no_grad():
        place = place_of(ready.runner, image, layer, form)
    with torch.no_grad():
        network = SelfExplaining(ready.runner, place, form, seewhy.Top() if target is None else target)
        return (part.numpy() for part in network(torch.tensor(x, dtype=torch.float32)))


CLOSED = {  # of w = the class's row of the linear layer, and the activation a: both as the papers have them
    "cam": lambda w, a: np.maximum((w * a).sum(0), 0),
    "grad-cam": lambda w, a: np.maximum((w * a).sum(0), 0) / a[0].size,
    "hires-cam": lambda w, a: np.maximum((w * a).sum(0), 0) / a[0].size,
    "layer-cam": lambda w, a: np.maximum((np.maximum(w, 0) * a).sum(0), 0) / a[0].size,
    "counterfactual": lambda w, a: np.maximum((-w * a).sum(0), 0) / a[0].size,
}


@pytest.mark.parametrize("method", CLOSED)
@pytest.mark.parametrize("name", ["pooled", "inplace", "pointwise_head", "signed_features"])
def test_behind_a_pooled_head_the_closed_form_is_exact(name, method):
    x, network = networks.images(3), getattr(networks, name)()
    scores, maps = explaining(seewhy.wrap(network), x, lookup(method), "act2")
    with torch.no_grad():
        a = network[:4](torch.tensor(x)).numpy()
        close(scores, network(torch.tensor(x)).numpy(), rel=1e-5)
    for row, one, found in zip(scores, a, maps, strict=True):
        w = network.fc.weight[row.argmax()].detach().numpy().reshape(-1, 1, 1)
        close(found, CLOSED[method](w, one), rel=1e-5)


METHODS = ["cam", "grad-cam", "grad-cam-pp", "hires-cam", "xgrad-cam", "layer-cam", "grad-cam-elementwise", "counterfactual"]


@pytest.mark.parametrize("method", [*METHODS, "eigen-cam", "eigen-grad-cam", "seg-eigen-cam", "recipro-cam"])
@pytest.mark.parametrize(("name", "layer"), [("pooled", "act2"), ("functional", "conv2"), ("inplace", "conv2")])
def test_every_method_is_the_library_s_also_where_a_relu_lies_behind_the_layer(name, layer, method):
    x, model = networks.images(3), seewhy.wrap(getattr(networks, name)())
    _, maps = explaining(model, x, lookup(method), layer)
    close(maps, np.stack([each.values for each in seewhy.explain(model, x, method, layer=layer)]), rel=1e-4)


@pytest.mark.parametrize("method", [seewhy.eigen_cam.using(centred=True, signed=True), seewhy.grad_cam.using(signed=True)])
def test_settings_count(method):
    x, model = networks.images(3), seewhy.wrap(networks.signed_features())
    _, maps = explaining(model, x, method, "act2")
    assert maps.min() < 0
    close(maps, np.stack([each.values for each in method(model, x, layer="act2")]), rel=1e-4)


@pytest.mark.parametrize(
    ("target", "row"), [(2, [0, 0, 1, 0, 0]), (seewhy.Contrast(1, [3, 4]), [0, 1, 0, -0.5, -0.5]), (seewhy.Top(2), None)]
)
@pytest.mark.parametrize("method", ["recipro-cam", "grad-cam"])
def test_a_target_is_a_rank_or_weights_for_all(target, row, method):
    x, model = networks.images(4), seewhy.wrap(networks.pooled())
    _, maps = explaining(model, x, lookup(method), "act2", target if row is None else np.array(row))
    close(maps, np.stack([each.values for each in seewhy.explain(model, x, method, target)]), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "layer"), [("tokens", "block1"), ("lstm_head", "act1"), ("reused", "act#1"), ("nhwc", "block1.1")]
)
def test_recipro_cam_at_layers_of_other_kinds(name, layer):
    x, model = networks.images(3), seewhy.wrap(getattr(networks, name)())
    _, maps = explaining(model, x, seewhy.recipro_cam, layer)
    close(maps, np.stack([each.values for each in seewhy.recipro_cam(model, x, layer=layer)]), rel=1e-4)


@pytest.mark.parametrize("kind", ["probability", "log-probability"])
def test_scores_are_of_the_kind_that_the_model_explains(kind):
    x, model = networks.images(3), seewhy.wrap(networks.pooled(), scores=kind)
    scores, maps = explaining(model, x, seewhy.recipro_cam, "act2")
    close(scores, model.answer(x).scores, rel=1e-5)
    close(maps, np.stack([each.values for each in seewhy.recipro_cam(model, x)]), rel=1e-4)


def test_in_closed_form_gradients_are_those_of_logits():
    x, model = networks.images(2), seewhy.wrap(networks.pooled(), scores="probability")
    with pytest.raises(seewhy.NotApplicable, match=r"explains probability. recipro-cam takes any scores"):
        explaining(model, x, seewhy.grad_cam, "act2")


@pytest.mark.parametrize(
    "pack", [lambda y: {"logits": y, "other": y.mean()}, lambda y: (y, y + 1), lambda y: y[:, :, None, None], lambda y: y[:, 0]]
)
def test_the_scores_are_found_in_what_the_network_gives(pack):
    x, model = networks.images(2), seewhy.wrap(networks.Gives(networks.pooled(), pack))
    scores, _ = explaining(model, x, seewhy.recipro_cam, "network.act2")
    close(scores, model.answer(x).scores, rel=1e-5)
