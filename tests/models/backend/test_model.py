"""A model over a `Backend`: what methods are told of a network written in numpy is what they are told of its torch twin."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import METHODS
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName, NotApplicable, SeewhyError
from seewhy.models.backend.examination import ON_TORCH_ALONE
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings
from support.numpy_backend import LAYERS, NumpyNetwork, torch_twin

X = np.random.default_rng(3).normal(size=(3, 3, 12, 10))


def model_of(net: nn.Module, gradients: bool = True, layers: bool = True, **settings: object) -> BackendModel:
    return BackendModel(NumpyNetwork(net, gradients, layers), Settings("by hand", **settings))


def explained(model: object, name: str, layer: str | None = None, **more: object) -> np.ndarray:
    method = METHODS[name]
    layer = layer if method.layered else None
    return np.stack([h.values for h in method(model, X[:2], target=1, layer=layer, **more)])


RAN: set[str] = set()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_what_it_gives_of_the_torch_twin_or_says_that_it_cannot(name):
    net = torch_twin()
    method = METHODS[name]
    more = {key: 24 for key in ("samples", "masks", "steps", "evaluations") if key in method.defaults and method.asks}
    if {*method.requires} & {*ON_TORCH_ALONE}:
        with pytest.raises(NotApplicable, match="torch"):
            explained(model_of(net), name, **more)
        return
    found = explained(model_of(net), name, **more)
    RAN.add(name)
    expected = explained(seewhy.wrap(net, geometry="plain"), name, **more)  # as guided-grad-cam enlarges maps
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * abs(expected).max())


def test_most_methods_ran():
    if not RAN:
        pytest.skip("the tests before this one ran in another process")
    assert len(RAN) >= 25


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ["grad-cam", "layer-cam", "eigen-cam", "ablation-cam", "recipro-cam", "score-cam"])
def test_every_layer_can_be_named(name, layer):
    net = torch_twin(1)
    found, expected = explained(model_of(net), name, layer), explained(seewhy.wrap(net), name, layer)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * abs(expected).max())


@pytest.mark.parametrize("kind", ["logits", "log-probability", "probability"])
@pytest.mark.parametrize("ending", [nn.Identity, nn.Softmax])
def test_scores_of_every_kind_have_the_gradients_of_that_kind(kind, ending):
    net = torch_twin(2, ending)
    model = model_of(net, scores=kind)
    (found,) = seewhy.gradient(model, X[:1], target=1, reduce="sum")
    image = torch.tensor(X[:1], requires_grad=True)
    raw = net(image)
    normalised = ending is nn.Softmax
    p = raw if normalised else raw.softmax(1)
    explained_kind = "log-probability" if normalised and kind == "logits" else kind
    value = {"logits": raw, "probability": p, "log-probability": p.log()}[explained_kind][0, 1]
    (g,) = torch.autograd.grad(value, image)
    np.testing.assert_allclose(found.values, g[0].sum(0), rtol=1e-5, atol=1e-7)
    assert found.source.scores == explained_kind
    assert found.source.score == pytest.approx(value.item(), rel=1e-6)
    assert found.source.probability == pytest.approx(p[0, 1].item(), rel=1e-6)


def test_a_softmax_at_the_end_is_said():
    (found,) = seewhy.grad_cam(model_of(torch_twin(2, nn.Softmax)), X[:1])
    assert any("log-probabilities are explained" in warning for warning in found.source.warnings)
    assert found.source.scores == "log-probability"


@pytest.mark.parametrize("name", ["cam", "grad-cam", "hires-cam", "xgrad-cam", "layer-cam", "grad-cam-pp", "ablation-cam"])
@pytest.mark.parametrize("layer", [None, "relu2", "conv2"])
def test_without_gradients_what_is_pooled_is_explained_in_closed_form(name, layer):
    net = torch_twin(4)
    found, expected = explained(model_of(net, gradients=False), name, layer), explained(seewhy.wrap(net), name, layer)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * abs(expected).max())


@pytest.mark.parametrize("name", ["grad-cam", "hires-cam"])
def test_without_gradients_an_earlier_layer_is_refused_with_the_reason(name):
    with pytest.raises(NeedsGradients, match=r"no closed form at relu1: .*pooling.*recipro-cam"):
        METHODS[name](model_of(torch_twin(), gradients=False), X[:1], layer="relu1")


@pytest.mark.parametrize("name", ["gradient", "guided-backprop", "integrated-gradients", "smooth(gradient)"])
def test_without_gradients_none_reaches_the_image(name):
    with pytest.raises(NeedsGradients, match=r"gives no gradients.*eigen-cam"):
        seewhy.explain(model_of(torch_twin(), gradients=False), X[:1], name)


def test_without_layers_only_scores_are_explained():
    model = model_of(torch_twin(), gradients=False, layers=False)
    assert np.isfinite(seewhy.occlusion(model, X[:1])[0].values).all()
    with pytest.raises(NeedsGradients, match="gives scores only"):
        seewhy.eigen_cam(model, X[:1])


@pytest.mark.parametrize("gradients", [True, False])
def test_the_doctor_judges_as_the_methods_do(gradients):
    model = model_of(torch_twin(), gradients)
    verdicts = {verdict.method: verdict for verdict in seewhy.doctor(model, X[:1]).methods}
    assert verdicts["grad-cam"].works
    assert verdicts["gradient"].works is gradients
    for name, verdict in verdicts.items():
        try:
            METHODS[name](model, X[:1], target=0)
            ran = True
        except SeewhyError:
            ran = False
        assert verdict.works == ran, (name, verdict)


def test_layers_and_their_default():
    model = model_of(torch_twin())
    layers = model.layers(X)
    assert [*layers] == [*LAYERS]
    assert [name for name, layer in layers.items() if layer.default] == ["relu2"]
    assert layers["conv1"].shape == (4, 10, 8)
    with pytest.raises(NoSuchName, match="relu2"):
        seewhy.grad_cam(model, X[:1], layer="relu22")
    with pytest.raises(BadParameter, match="prepare"):
        model.layers()


def test_a_dead_last_layer_gives_way_to_the_last_that_a_gradient_reaches():
    net = torch_twin()
    with torch.no_grad():
        net.conv2.bias -= 1e3  # relu2 is silent, and stops every gradient but its own: its gradient is not zero
        net.fc.weight.zero_()
    (found,) = seewhy.grad_cam(model_of(net), X[:1])
    assert any("zero gradient" in warning for warning in found.source.warnings)


def test_many_targets_cost_one_forward():
    backend = NumpyNetwork(torch_twin())
    model = BackendModel(backend, Settings("by hand"))
    model.layers(X[:1])
    before = backend.passes
    maps = seewhy.grad_cam(model, X[:1], target=[0, 1, 2] * 8)
    assert backend.passes == before + 1
    assert len(maps) == 24
    np.testing.assert_array_equal(maps[0].values, maps[3].values)


def test_a_batch_equals_its_singles():
    model = model_of(torch_twin())
    whole = seewhy.layer_cam(model, X, target=0)
    for i, heatmap in enumerate(whole):
        np.testing.assert_allclose(heatmap.values, seewhy.layer_cam(model, X[i : i + 1], target=0)[0].values, rtol=1e-6)


def test_what_cannot_be_had_says_who_can():
    model = model_of(torch_twin())
    with pytest.raises(NotApplicable, match="Keras on the torch backend"):
        seewhy.explain(model, X[:1], "lrp")
    with pytest.raises(NotApplicable, match="torch"):
        seewhy.explain(model, X[:1], "grad-cam", target=seewhy.Unit("relu1", 0))


def test_a_network_that_gives_nan_says_so():
    net = torch_twin()
    with torch.no_grad():
        net.conv1.weight[0, 0, 0, 0] = float("nan")
    assert model_of(net).first_bad(X) == "conv1"


@pytest.mark.parametrize("name", ["grad-cam", "gradient", "occlusion"])
def test_prepared_batches_are_given_as_the_network_takes_them(name):
    net, plain = torch_twin(), seewhy.explain(model_of(torch_twin()), X, name)
    model = model_of(net)
    model.backend.channels = -1
    for found, expected in zip(seewhy.explain(model, X.transpose(0, 2, 3, 1), name), plain, strict=True):
        np.testing.assert_array_equal(found.values, expected.values)
