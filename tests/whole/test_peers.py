"""The other libraries' maps: where they agree with ours, and where they do not and why.

Compared is the map at the layer's resolution, before their resizing and normalising: what their formula makes of the evidence
their own hooks found.  Each library is skipped, by name, where it is not installed.
"""

import warnings

import numpy as np
import pytest
import torch

import seewhy
from support import ask, networks

X = networks.images(2, seed=31)
CLASS = 1
TOYS = {"pooled": ("act1", "act2"), "relu6": ("act1",), "flat_head": ("act1", "act2"), "reused": ("conv2",)}
ASKED = [(toy, layer) for toy, layers in TOYS.items() for layer in layers]


def imported(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def ours(method, toy, layer, targets=(CLASS,), **params):
    return ask.maps(getattr(networks, toy)(), method, X, targets, [layer], **params)[layer][0]


def pytorch_grad_cam(kind, toy, layer):
    """Their map (n, h, w), before ReLU, resizing and min-max; and their evidence a, g (n, c, h, w)."""
    library = imported("pytorch_grad_cam")
    network = getattr(networks, toy)()
    module = dict(network.named_modules())[layer]
    targets = [library.utils.model_targets.ClassifierOutputTarget(CLASS)] * len(X)
    with getattr(library, kind)(model=network, target_layers=[module]) as method, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of theirs
        method(torch.tensor(X), targets)
        found = method.activations_and_grads
        a, g = found.activations[0].numpy(), found.gradients[0].numpy() if found.gradients else None
        return method.get_cam_image(torch.tensor(X), module, targets, a, g, False), a, g


@pytest.mark.parametrize(("toy", "layer"), ASKED)
@pytest.mark.parametrize(
    ("kind", "method", "rel"),
    [
        ("GradCAM", "grad-cam", 1e-9),
        ("HiResCAM", "hires-cam", 1e-9),
        ("GradCAMElementWise", "grad-cam-elementwise", 1e-9),
        ("LayerCAM", "layer-cam", 1e-9),
        ("XGradCAM", "xgrad-cam", 1e-5),  # they add 1e-7 to each channel's total, we leave dead channels out
        # they add 1e-6 to the denominator g^2 (2 + total g), which outweighs it where g is below 1e-3: see below
    ],
)
def test_pytorch_grad_cam_agrees(kind, method, rel, toy, layer):
    ask.close(ours(method, toy, layer), pytorch_grad_cam(kind, toy, layer)[0], rel)


CURVED = [("lstm_head", "act1", "logits"), ("pooled", "act1", "probability"), ("flat_head", "act2", "probability"),
          ("relu6", "act1", "probability"), ("signed_features", "act2", "probability")]  # fmt: skip


@pytest.mark.parametrize(("toy", "layer", "scores"), CURVED)
def test_pytorch_grad_cam_agrees_on_shapley_cam(toy, layer, scores):
    """Behind the layer the score is curved, so that the second derivatives count."""
    library = imported("pytorch_grad_cam")
    network, maps = getattr(networks, toy)(), []
    kind = "ClassifierOutputTarget" if scores == "logits" else "ClassifierOutputSoftmaxTarget"
    targets = [getattr(library.utils.model_targets, kind)(CLASS)] * len(X)
    with library.ShapleyCAM(model=network, target_layers=[network.get_submodule(layer)]) as method, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of theirs
        made = method.get_cam_image
        method.get_cam_image = lambda *args: (maps.append(made(*args)), maps[-1])[1]  # before ReLU, resizing and min-max
        method(torch.tensor(X), targets)
        method.activations_and_grads.activations, method.activations_and_grads.gradients = [], []  # which they cannot let go
    own = ask.maps(getattr(networks, toy)(), "shapley-cam", X, [CLASS], [layer], scores)[layer][0]
    ask.close(own, maps[0])
    plain = ask.maps(getattr(networks, toy)(), "grad-cam", X, [CLASS], [layer], scores)[layer][0]
    ask.far(own, plain, rel=1e-4)


@pytest.mark.parametrize(("toy", "layer"), [("pooled", "act1"), ("flat_head", "act2"), ("reused", "conv2")])
@pytest.mark.parametrize(("kind", "method"), [("EigenCAM", "eigen-cam"), ("EigenGradCAM", "eigen-grad-cam")])
def test_pytorch_grad_cam_agrees_on_components_but_for_their_sign(kind, method, toy, layer):
    """They centre the channels, which the paper does not, and leave the sign to the decomposition; float32 at the end."""
    theirs = pytorch_grad_cam(kind, toy, layer)[0]
    centred = ours(method, toy, layer, centred=True)
    for one, other in zip(centred, theirs, strict=True):
        sign = np.sign((one * other).sum())
        ask.close(one, sign * other, rel=1e-5)
    ask.far(abs(ours(method, toy, layer)), abs(theirs), rel=0.01)  # ours by default is the paper's


@pytest.mark.parametrize(("toy", "layer"), [("pooled", "act1"), ("flat_head", "act2"), ("reused", "conv2")])
@pytest.mark.parametrize(("kind", "method"), [("SegEigenCAM", "seg-eigen-cam"), ("KPCA_CAM", "kpca-cam")])
def test_pytorch_grad_cam_agrees_on_later_components_but_for_their_sign(kind, method, toy, layer):
    """Theirs is such that its largest value is positive, also where that is the background of a large object."""
    theirs = pytorch_grad_cam(kind, toy, layer)[0]
    for one, other in zip(ours(method, toy, layer), theirs, strict=True):
        ask.close(one, np.sign((one * other).sum()) * other, rel=1e-5)


@pytest.mark.parametrize(("toy", "layer"), ASKED)
def test_pytorch_grad_cam_agrees_on_grad_cam_pp_but_for_their_epsilon(toy, layer):
    """The paper's alpha, with 1e-6 added to its denominator g^2 (2 + total g): where |g| is near 1e-3 or less, as it is behind
    pooling, that outweighs the rest.  Without it theirs are ours, and behind a ReLU ours are the paper's."""
    theirs, a, g = pytorch_grad_cam("GradCAMPlusPlus", toy, layer)
    total = a.sum((2, 3), keepdims=True)

    def paper(epsilon):
        alpha = g**2 / (2 * g**2 + total * g**3 + epsilon + (g == 0))
        return ((alpha * g.clip(min=0)).sum((2, 3), keepdims=True) * a).sum(1)

    ask.close(theirs, paper(1e-6))
    if layer != "conv2":
        ask.close(ours("grad-cam-pp", toy, layer), paper(0))
        ask.close(ours("grad-cam-pp", toy, layer), theirs, rel=0.1)


def torchcam(kind, toy, layer):
    """Their map (n, h, w), rectified, not normalised; and their evidence."""
    library = imported("torchcam.methods")
    network = getattr(networks, toy)()
    with getattr(library, kind)(network, layer) as method:
        scores = network(torch.tensor(X, requires_grad=True))
        (found,) = method(CLASS, scores, normalized=False)
        return found.detach().numpy(), method.hook_a[0].numpy(), method.hook_g[0].numpy()


@pytest.mark.parametrize(("toy", "layer"), ASKED)
@pytest.mark.parametrize(
    ("kind", "method", "rel"),
    [
        ("GradCAM", "grad-cam", 1e-9),
        ("LayerCAM", "layer-cam", 1e-9),
        ("XGradCAM", "xgrad-cam", 1e-6),  # 1e-8 on each total
    ],
)
def test_torchcam_agrees(kind, method, rel, toy, layer):
    theirs, _, _ = torchcam(kind, toy, layer)
    ask.close(ours(method, toy, layer).clip(min=0), theirs, rel)


@pytest.mark.parametrize(("toy", "layer"), [("pooled", "act1"), ("flat_head", "act2")])
def test_torchcam_grad_cam_pp_is_another_method(toy, layer):
    """Trap 4: they sum A g^3 over space where the paper has (sum A) g^3; and in torchcam 0.5 the division by it is lost (it
    is written into a masked copy), so that their weights are the sums of relu(g)^3.  Ours are the paper's."""
    theirs, a, g = torchcam("GradCAMpp", toy, layer)
    own = ours("grad-cam-pp", toy, layer)
    total = a.sum((2, 3), keepdims=True)
    with np.errstate(invalid="ignore"):
        alpha = np.where(g > 0, g**2 / (2 * g**2 + total * g**3), 0)
        summed = np.where(g > 0, g**2 / (2 * g**2 + (a * g**3).sum((2, 3), keepdims=True)), 0)
    paper, mixed = ((x * g.clip(min=0)).sum((2, 3), keepdims=True) * a for x in (alpha, summed))
    ask.close(own, paper.sum(1))
    for other in (theirs, mixed.sum(1).clip(min=0)):
        assert np.corrcoef(own.ravel(), other.ravel())[0, 1] < 0.999
        ask.far(own / own.max(), other / other.max(), rel=0.02)


@pytest.mark.parametrize(("toy", "layer"), ASKED)
def test_captum_agrees_on_grad_cam(toy, layer):
    library = imported("captum.attr")
    network = getattr(networks, toy)()
    theirs = library.LayerGradCam(network, dict(network.named_modules())[layer]).attribute(torch.tensor(X), CLASS)
    ask.close(ours("grad-cam", toy, layer), theirs.detach().numpy()[:, 0])


def test_captums_input_times_gradient_is_hires_cam_of_the_image():
    library = imported("captum.attr")
    for toy in ("pooled", "flat_head", "tokens"):
        x = torch.tensor(X, requires_grad=True)
        theirs = library.InputXGradient(getattr(networks, toy)()).attribute(x, CLASS).detach().numpy().sum(1)
        ask.close(ours("hires-cam", toy, seewhy.models.model.INPUT), theirs)
