"""CAMs without gradients: channels are weighted by the score when they mask the image, or when they are set to zero."""

from collections.abc import Callable
from typing import Any

import numpy as np

from seewhy.arrays import Array, Floats, numbers
from seewhy.errors import MANY, BadParameter, whole_number
from seewhy.images.resample import enlarged
from seewhy.methods.making.baseline import Fill
from seewhy.methods.making.conditions import MethodSettings, from_channels, varying
from seewhy.methods.making.probe import Made, Probe
from seewhy.methods.making.scoring import Estimate, from_scores

__all__ = ["ablation_cam", "is_cam", "recipro_cam", "score_cam", "ss_cam"]

ROOM = 2**25  # bytes of edited activations in a pass


def _masked(channels: Floats, settings: MethodSettings) -> int:
    """The number of passes of Score-CAM over channels (c, cells); channels that are constant over space share one pass."""
    return varying(channels[np.argsort(-channels.std(1), kind="stable")[: settings["top_channels"]]])


@from_scores("1 forward per channel of the layer", rectified=True, layered=True, forwards=from_channels(_masked))
def score_cam(probe: Probe, layer: str, *, top_channels: int | None = None, fill: Fill = "zero") -> Estimate:
    """relu(sum_k w_k A_k), w = softmax_k y(x * s(up(A_k))): s stretches the enlarged channel to [0, 1].

    The paper's y(x_b) of a baseline image is the same for all channels, so the softmax cancels it.  A channel that is
    the same everywhere has an empty mask: those share one pass.

    Source: Wang et al. 2020, Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks, eq. 4-6.

    Caveat: a softmax of logits: a few channels, often one, get nearly all the weight.
    """
    return _by_masks(probe, layer, top_channels, fill)


@from_scores(
    "{samples} forwards per channel of the layer", rectified=True, layered=True,
    forwards=from_channels(lambda channels, settings: settings["samples"] * len(channels[: settings["top_channels"]])),
)  # fmt: skip
def ss_cam(
    probe: Probe, layer: str, *, samples: int = 35, sigma: float = 2.0, top_channels: int | None = None, fill: Fill = "zero",
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """relu(sum_k w_k A_k), w = softmax_k mean_j y(x * s(up(A_k + noise_j))): Score-CAM over channels with Gaussian noise.

    samples: how many noisy copies of each channel.
    sigma: standard deviation of the noise, in the channel's own units.

    Source: Wang et al. 2020, SS-CAM: Smoothed Score-CAM for Sharper Visual Feature Localization, type 1; 35 samples of
    standard deviation 2 as there.

    Caveat: a softmax of logits, as in Score-CAM; the noise is absolute, so what it does depends on the layer.
    """
    if not 0 <= sigma < np.inf:
        raise BadParameter(f"ss-cam: sigma is the noise's standard deviation, from 0 on, not {sigma}.")
    seed = whole_number(seed, "ss-cam: seed", 0)

    def noise(k: int, j: int) -> Floats:
        return sigma * np.random.default_rng([seed, k, j]).standard_normal(probe.case.activations[layer].shape[2:])

    return _by_masks(probe, layer, top_channels, fill, whole_number(samples, "ss-cam: samples", 1, MANY), noise)


@from_scores(
    "{samples} forwards per channel of the layer", rectified=True, layered=True,
    forwards=from_channels(lambda channels, settings: settings["samples"] * _masked(channels, settings)),
)  # fmt: skip
def is_cam(probe: Probe, layer: str, *, samples: int = 10, top_channels: int | None = None, fill: Fill = "zero") -> Estimate:
    """relu(sum_k w_k A_k), w = softmax_k mean_j y(x * j/N s(up(A_k))): Score-CAM on the way from the fill to the mask.

    samples: N, the steps of the way.

    Source: Naidu et al. 2020, IS-CAM: Integrated Score-CAM for Axiomatic-based Explanations.

    Caveat: a softmax of logits, as in Score-CAM.
    """
    steps = whole_number(samples, "is-cam: samples", 1, MANY)
    return _by_masks(probe, layer, top_channels, fill, steps, share=lambda j: (j + 1) / steps)


def _by_masks(
    probe: Probe, layer: str, top: int | None, fill: Fill, samples: int = 1, noise: Callable[[int, int], Floats] | None = None,
    share: Callable[[int], float] | None = None,
) -> Estimate:  # fmt: skip
    """Score-CAM with mean scores over samples j: noise(k, j) is added to channel k, or its mask is multiplied by share(j)."""
    hide = probe.fill(fill)
    a = numbers(probe.case.activations[layer][probe.place]).astype(np.float64)  # (c, *cells)
    spread = a.reshape(len(a), -1).std(1)
    order = np.argsort(-spread, kind="stable")[: None if top is None else whole_number(top, f"{probe.name}: top_channels", 1)]
    varies = np.ptp(a[order].reshape(len(order), -1), axis=1) > 0
    flat = order[:0] if noise else order[~varies]
    live = order if noise else np.append(order[varies], flat[:1])
    native = probe.scorer.array(a)

    def masks(of: range) -> Array:
        each = np.asarray(of)
        chosen = native[probe.scorer.array(live[each // samples])]
        if noise:
            chosen = chosen + probe.scorer.array(np.stack([noise(int(live[i // samples]), i % samples) for i in of]))
        stretched = _stretched(enlarged(chosen, probe.space, probe.scorer.array))
        return stretched * probe.scorer.array(_column([share(i % samples) for i in of], stretched.ndim)) if share else stretched

    total, count = np.zeros((len(a), len(probe.y))), np.zeros(len(a))
    for part in probe.scored(len(live) * samples, probe.hidden(masks, hide)):
        np.add.at(total, live[np.asarray(part.of) // samples], part.y)
        np.add.at(count, live[np.asarray(part.of) // samples], 1)
    total[flat], count[flat] = total[flat[:1]], count[flat[:1]]
    scores = np.where(count > 0, total.T / np.maximum(count, 1), -np.inf)  # (t, c)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    return Estimate(np.tensordot(weights, a, 1), measured={"channels": np.count_nonzero(count)})


def _column(values: Any, ndim: int) -> Floats:
    return np.reshape(np.asarray(values, np.float64), (-1, *[1] * (ndim - 1)))


def _stretched(masks: Array) -> Array:
    """Each of m maps (m, *space) scaled to [0, 1]; constant maps become 0."""
    flat = masks.reshape(len(masks), -1)
    low, high = flat.min(1), flat.max(1)
    low, high = (each if isinstance(each, np.ndarray) else each.values for each in (low, high))
    span = high - low
    return ((flat - low[:, None]) / (span + (span == 0))[:, None]).reshape(masks.shape)


@from_scores(
    "the part behind the layer once per channel, and 1 forward", rectified=True, layered=True, needs=("tail",),
    forwards=from_channels(lambda channels, _settings: int(channels.any(1).sum())),  # a silent channel is not taken away
)  # fmt: skip
def ablation_cam(probe: Probe, layer: str) -> Estimate:
    """relu(sum_k w_k A_k), w_k = (y - y with A_k = 0) / |y|.

    By |y|, where the paper divides by y: a negative score would turn every sign around.

    Source: Desai & Ramaswamy 2020, Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
    Localization, eq. 2-4.

    Caveat: a channel counts as much as its loss alone: two that say the same are both found to matter little.
    """
    tail = probe.scorer.tail(probe.image, layer)
    a = numbers(tail.a).astype(np.float64)
    size = abs(a).reshape(len(a), -1).mean(1)
    order = np.argsort(-size, kind="stable")
    live = order[size[order] > 0]

    def without(of: range) -> Made:
        keep = np.ones((len(of), len(a)))
        keep[np.arange(len(of)), live[of.start : of.stop]] = 0
        return Made(None, (tail.a * probe.scorer.array(keep).reshape(len(of), -1, *[1] * (a.ndim - 1)),))

    drop = np.zeros((len(a), len(probe.y)))
    for part in probe.scored(len(live), without, tail, _room(tail.a)):
        drop[live[part.of.start : part.of.stop]] = probe.y - part.y
    weights = drop.T / np.where(probe.y == 0, 1, abs(probe.y))[:, None]
    return Estimate(np.tensordot(weights, a, 1), notes=tail.notes)


@from_scores(
    "the part behind the layer once per cell of its map, and 1 forward", layered=True, needs=("tail",),
    forwards=from_channels(lambda channels, _settings: channels.shape[1]),
)  # fmt: skip
def recipro_cam(probe: Probe, layer: str) -> Estimate:
    """y(only this cell of A is left) - y(A = 0), for each cell of the layer's map.

    Source: Byun & Lee 2022, Recipro-CAM: Fast Gradient-free Visual Explanations for Convolutional Neural Networks; without
    the paper's optional Gaussian around the cell, and with the score of the empty map taken off, so that zero means nothing.

    Caveat: a network sees one cell alone, which it never did in training; biases behind the layer answer, too.
    """
    tail = probe.scorer.tail(probe.image, layer)
    cells = tail.a.shape[1:]
    count = int(np.prod(cells))
    order = np.argsort(-abs(numbers(tail.a)).reshape(-1, count).sum(0), kind="stable")  # largest first

    def alone(of: range) -> Made:
        keep = np.zeros((len(of), count))
        keep[np.arange(len(of)), order[of.start : of.stop]] = 1
        return Made(None, (tail.a * probe.scorer.array(keep).reshape(len(of), 1, *cells),))

    gains = np.zeros((count, len(probe.y)))
    empty = probe.explained(tail(tail.a[None] * 0))
    for part in probe.scored(count, alone, tail, _room(tail.a)):
        gains[order[part.of.start : part.of.stop]] = part.y - empty
    return Estimate(gains.T.reshape(-1, *cells), notes=tail.notes)


def _room(a: Array) -> int:
    """How many edits of an activation share a pass."""
    return max(1, ROOM // (int(np.prod(a.shape)) * a.dtype.itemsize))
