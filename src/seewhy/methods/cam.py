"""Class activation maps: a layer's activation `a`, weighted by its gradient `g`, summed over channels.

Each formula gives the signed map (n, *space) of (n, c, *space); the ReLU of the papers comes last, unless signed=True.
"""

import sys
from collections.abc import Callable

import numpy as np
from einops import rearrange, reduce
from numpy.typing import NDArray

from seewhy.arrays import Array, Floats, numbers
from seewhy.methods.making.against_hires import held_against_hires
from seewhy.methods.making.conditions import Advice, Conditions, MethodSettings
from seewhy.methods.making.method import advised
from seewhy.methods.making.reading import from_activations, from_gradients, from_head

__all__ = [
    "cam",
    "counterfactual",
    "eigen_cam",
    "eigen_grad_cam",
    "grad_cam",
    "grad_cam_elementwise",
    "grad_cam_pp",
    "hires_cam",
    "layer_cam",
    "seg_eigen_cam",
    "shapley_cam",
    "xgrad_cam",
]


@from_head()
def cam(a: Array, w: Array) -> Array:
    """relu(sum_c w a), w the class's row of the linear layer behind global average pooling.

    Source: Zhou et al. 2016, Learning Deep Features for Discriminative Localization.

    Caveat: exists only for networks that end in global average pooling and one linear layer; there it equals Grad-CAM
    and HiResCAM up to a factor.
    """
    return weighted_sum(w, a)


def _one_pass(_settings: MethodSettings, conditions: Conditions) -> Advice | None:
    """Grad-CAM comes first wherever a layer can be explained."""
    if not conditions.layer:
        return None
    if "head" not in conditions.refused:
        reason = ("behind the layer come pooling and one linear layer only: grad-cam, hires-cam and cam are the "
                  "same map there, and it accounts for the logit but for a bias")  # fmt: skip
    elif conditions.tokens:
        reason = "one pass; the layer is the last whose places the tokens that are read at the end still look at"
    else:
        reason = "one pass; where hires-cam differs, averaging the gradient has moved the map: look at both"
    return Advice(0, reason)


@advised(_one_pass)
@held_against_hires
@from_gradients(averages=True)
def grad_cam(a: Array, g: Array) -> Array:
    """relu(sum_c mean(g) a).

    Source: Selvaraju et al. 2017, Grad-CAM, eq. 1-2.

    Caveat: averaging the gradient over space can mark places that did not raise the score; compare with hires-cam.
    """
    return weighted_sum(mean(g), a)


@from_gradients(averages=True)
def grad_cam_pp(a: Array, g: Array) -> Array:
    """relu(sum_c w a), w = total(alpha relu(g)), alpha = g^2 / (2 g^2 + total(a) g^3).

    Source: Chattopadhay et al. 2018, Grad-CAM++.

    Caveat: derived for activations behind a ReLU; where a channel's total is negative it is taken as zero, else alpha
    has a pole. Weights are positive: it separates classes less well than Grad-CAM.
    """
    positive = g.clip(min=0)  # elsewhere relu(g) is zero, and here g^2 cancels
    return weighted_sum(total(positive / (2 + over(total(a).clip(min=0), a) * positive)), a)


@from_gradients()
def hires_cam(a: Array, g: Array) -> Array:
    """relu(sum_c g a).

    Source: Draelos & Carin 2020, HiResCAM. The paper shows the map without the ReLU: signed=True.

    Caveat: sums to the score only where what follows the layer is linear, up to its bias.
    """
    return weighted_sum(g, a)


@from_gradients(averages=True)
def xgrad_cam(a: Array, g: Array) -> Array:
    """relu(sum_c (total(g a) / total(a)) a); channels whose total vanishes against their size count nothing.

    Source: Fu et al. 2020, Axiom-based Grad-CAM (XGrad-CAM).

    Caveat: a channel of mixed signs whose total is small gets an outsized weight; meant for layers behind a ReLU.
    """
    whole = total(a)
    live = abs(whole) > 1e-5 * total(abs(a))
    return weighted_sum(total(g * a) * live / (whole * live + ~live), a)


@from_gradients()
def layer_cam(a: Array, g: Array) -> Array:
    """relu(sum_c relu(g) a).

    Source: Jiang et al. 2021, LayerCAM.

    Caveat: weights are positive: it separates classes less well than Grad-CAM.
    """
    return weighted_sum(g.clip(min=0), a)


@from_gradients(rectified=False)
def grad_cam_elementwise(a: Array, g: Array) -> Array:
    """sum_c relu(g a).

    Source: as in the library pytorch-grad-cam; no paper.

    Caveat: evidence against is dropped in each channel before it can cancel evidence for.
    """
    return reduce((g * a).clip(min=0), "n c ... -> n ...", "sum")


@from_gradients(averages=True)
def counterfactual(a: Array, g: Array) -> Array:
    """relu(sum_c mean(-g) a): what speaks against; the negative part of the signed Grad-CAM.

    Source: Selvaraju et al. 2017, Grad-CAM, section on counterfactual explanations.

    Caveat: near-empty for a confident class, and rightly so; never compare it with Grad-CAM on scales of their own.
    """
    return weighted_sum(mean(-g), a)


@from_gradients(averages=True, twice=True)
def shapley_cam(a: Array, g: Array, hessian: Callable[[Array], Array]) -> Array:
    """relu(sum_c mean(g - H a / 2) a), H the second derivatives of the score: a channel's Shapley value to second order.

    Source: Cai 2025, CAMs as Shapley Value-based Explainers. The paper's score ReST, a logit plus its log-probability, is left
    to the model: here the score is what it explains (scores="log-probability" is nearest).

    Caveat: where the score is linear behind the layer, as a logit behind pooling is, H is zero and it is Grad-CAM; averaging
    over space can mark places that did not raise the score, as there.
    """
    return weighted_sum(mean(g - hessian(a) / 2), a)


@from_activations()
def eigen_cam(a: Array, *, centred: bool = False) -> NDArray[np.float64]:
    """The activations' projection on their first principal component; its sign that of their sum over channels.

    centred: subtract each channel's mean first, as the library pytorch-grad-cam does and the paper does not.

    Source: Muhammad & Yeasin 2020, Eigen-CAM.

    Caveat: blind to the class: it shows what is strong in the layer, the same for every target.
    """
    return principal(a, centred)


@from_gradients()
def eigen_grad_cam(a: Array, g: Array, *, centred: bool = False) -> NDArray[np.float64]:
    """The projection of g a on its first principal component; its sign that of the sum over channels (HiResCAM's).

    centred: subtract each channel's mean first, as the library pytorch-grad-cam does.

    Source: as in the library pytorch-grad-cam; no paper.

    Caveat: one component only; its values are no longer in units of the score.
    """
    return principal(g * a, centred)


@from_gradients()
def seg_eigen_cam(a: Array, g: Array, *, centred: bool = True) -> NDArray[np.float64]:
    """The projection of |g| a on its first principal component; its sign that of the sum over channels.

    centred: subtract each channel's mean first, as the library pytorch-grad-cam does.

    The paper turns the map so that its largest value is positive (eq. 13), and so turns around an object that takes most of
    the image; here the sign is that of the activations, as in Eigen-CAM.

    Source: Chung & Ying 2025, Seg-Eigen-CAM: Eigen-Value-Based Visual Explanations for Semantic Segmentation Models, eq. 10-12.

    Caveat: |g| counts evidence against as evidence for; one component only, whose values are not in units of the score.
    """
    return principal(abs(g) * a, centred)


def weighted_sum(w: Array, a: Array) -> Array:
    """The sum over channels of w a; w is (n, c) or (n, c, *space)."""
    return reduce(over(w, a) * a, "n c ... -> n ...", "sum")


def over(w: Array, a: Array) -> Array:
    """w (n, c) with axes of length one for space, so that it broadcasts with (n, c, *space)."""
    return w.reshape(*w.shape, *[1] * (a.ndim - w.ndim))


def mean(x: Array) -> Array:
    return reduce(x, "n c ... -> n c", "mean")


def total(x: Array) -> Array:
    return reduce(x, "n c ... -> n c", "sum")


def principal(a: Array, centred: bool) -> NDArray[np.float64]:
    """(n, c, *space) -> (n, *space): places x channels times its first right singular vector.

    It is computed from the smaller of the two Gram matrices, in float64 and in the array's own library (the threads of two
    libraries would wait for each other).  The sign of a singular vector is arbitrary: it is chosen so that the map agrees with
    the sum over channels, or where that is zero up to rounding (as behind a LayerNorm), so that the largest value is positive.
    """
    broken = ~np.isfinite(numbers(reduce(abs(a), "n c ... -> n", "max")))
    if broken.any():  # say so, image by image
        return np.stack(
            [np.full(a.shape[2:], np.nan) if bad else principal(a[i : i + 1], centred)[0] for i, bad in enumerate(broken)]
        )
    local = a if isinstance(a, np.ndarray) else a.cpu()
    eigh = sys.modules[type(local).__module__.partition(".")[0]].linalg.eigh  # numpy's or torch's
    m = rearrange(local.astype(np.float64) if isinstance(local, np.ndarray) else local.double(), "n c ... -> n (...) c")
    m = m - reduce(m, "n p c -> n 1 c", "mean") if centred else m
    turned = m.swapaxes(1, 2)
    if m.shape[1] <= m.shape[2]:
        value, vector = map(numbers, eigh(m @ turned))
        projection = vector[..., -1] * np.sqrt(value[:, -1:].clip(min=0))
    else:
        projection = numbers((m @ eigh(turned @ m)[1][..., -1:])[..., 0])
    return (projection * agreeing(projection, m)).reshape(len(a), *a.shape[2:])


def agreeing(projection: Floats, m: Array) -> Floats:
    """1 or -1 for each projection (n, places), as a column: that with which it agrees with the sums of m (n, places, c) over
    channels, or where these say nothing beside rounding, with which its largest value is positive.
    """
    whole, sizes = (numbers(reduce(each, "n p c -> n p", "sum")) for each in (m, abs(m)))
    agrees = (projection * whole).sum(1)
    most = np.sqrt((projection**2).sum(1) * (sizes**2).sum(1))
    peak = np.take_along_axis(projection, abs(projection).argmax(1)[:, None], 1)[:, 0]
    return np.where(np.where(abs(agrees) > 1e-6 * most, agrees, peak) < 0, -1.0, 1.0)[:, None]
