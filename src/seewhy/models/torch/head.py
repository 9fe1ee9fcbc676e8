"""CAM's head: global average pooling and one linear layer behind a layer, by name or in effect."""

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, NotApplicable
from seewhy.models.model import INPUT, Head
from seewhy.models.torch.passes.backward import gradients
from seewhy.models.torch.passes.head import (
    NO_LINEAR,
    OFF,
    PAST,
    UNLIKE,
    PooledLayer,
    affine,
    linear_head,
    pooled,
    probes,
    straight,
)
from seewhy.models.torch.passes.taps import ordered_gradients, recorded
from seewhy.models.torch.variants.scorer import SequenceTail, alike, tail_of
from seewhy.targets.target import Target, weighted

from .rows import learn_rows
from .runner import Runner
from .scores import as_numpy, plain
from .undisturbed import again

NO_GRADIENT = "But no gradient comes back to {} here; recipro-cam, ablation-cam, score-cam and eigen-cam need none, either."
MOST, FEW = 24, 6  # other activations that are tried where only what lies behind the layer runs again, and where all does


@again
def head(runner: Runner, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head:
    """What is pooled and the weights of its channels, where the scores are linear in the mean of what each layer emits.

    One pass, where one linear layer makes the scores of what was pooled.  Else another, forward and back, shows what weighs
    the channels, and passes of other activations whether the scores are linear in them: whatever stands behind the layer, and
    whatever its class is.
    """
    if runner.settings.scores != "logits":
        raise NotApplicable(f"CAM reads the linear layer, which makes logits; this model explains {runner.settings.scores}.")
    with runner.ready(x) as x:
        if all(runner.learned.linear.get((runner.key(x), name)) for name in layers):  # and no linear layer made the scores
            return _in_effect(runner, x, targets, layers, NotApplicable(NO_LINEAR))
        try:
            with torch.no_grad():
                return _by_call(runner, x, targets, layers)
        except NotApplicable as error:
            if INPUT in layers:
                raise
            return _in_effect(runner, x, targets, layers, error)


def _by_call(runner: Runner, x: Tensor, targets: Sequence[Target], layers: Sequence[str]) -> Head:
    """By the call of a linear layer that made the scores."""
    taps = runner.taps(layers, x)
    image = x.clone()
    follow = runner.following(layers, image)
    with follow or nullcontext(), recorded([*taps.values()], grad=False, follow=follow):
        (raw, scores), linear, entered = linear_head(runner.network, lambda: runner.run(image))
    runner.learn_places(follow, taps, x)
    learn_rows(runner, x, raw)
    answer = runner.answer(raw, scores)
    emitted = {name: taps[name].check() if name in taps else x for name in layers}
    a = {name: pooled(runner.layout(name, a, x).turn(a), entered, name, runner.name) for name, a in emitted.items()}
    weights = weighted(targets, answer.scores)
    w = torch.as_tensor(_rows(runner, raw, weights) @ as_numpy(linear), dtype=plain(linear).dtype, device=linear.device)
    notes = {name: tap.notes for name, tap in taps.items()}
    return Head(answer, weights, {name: plain(tensor) for name, tensor in a.items()}, w, notes)


def _in_effect(runner: Runner, x: Tensor, targets: Sequence[Target], layers: Sequence[str], refused: NotApplicable) -> Head:
    """By the gradient, where it is the same in all cells and stays so for other activations; refused: why no call tells."""
    taps = runner.taps(layers, x)
    try:
        with torch.no_grad(), ordered_gradients(runner.network, len(x)), recorded([*taps.values()], grad=True):
            raw, scores = runner.run(x.detach().clone())
            answer = runner.answer(raw.detach(), scores.detach())
            weights = weighted(targets, answer.scores)
            rows = _rows(runner, raw.detach(), weights)
            grads = gradients(raw, [tap.check() for tap in taps.values()], rows)
    except BadNetwork:
        raise refused from None
    found: dict[str, PooledLayer] = {}
    for (name, tap), g in zip(taps.items(), grads, strict=True):
        if g is None:
            raise NotApplicable(f"{refused} {NO_GRADIENT.format(name)}") from refused
        turn = runner.layout(name, tap.check(), x).turn
        layer = straight(plain(turn(tap.check().detach())), plain(turn(g)))
        if layer is None:
            raise NotApplicable(f"{UNLIKE.format(name, runner.name)} {refused}") from refused
        known, key = runner.learned.linear, (runner.key(x), name)
        if not known.get((*key, rows[:, 0].tobytes())):
            if why := _not_linear(runner, x, name, layer, rows[:, 0]):
                raise NotApplicable(f"{why.format(name, runner.name)} {refused}") from refused
            known.keep((*key, rows[:, 0].tobytes()), known.keep(key, True))
        found[name] = layer
    w = next(iter(found.values())).w
    if any(each.w.shape != w.shape or not torch.allclose(each.w, w) for each in found.values()):
        raise NotApplicable(f"Of {', '.join(layers)} each has weights of its own in the scores: ask CAM for one layer.")
    notes = {name: tap.notes for name, tap in taps.items()}
    return Head(answer, weights, {name: layer.a for name, layer in found.items()}, w, notes)


def _not_linear(runner: Runner, x: Tensor, name: str, layer: PooledLayer, rows: NDArray[np.float64]) -> str:
    """Why the scores of the first image, which rows (t, k) make of what the network gives, do not follow from the means of
    channels alone where the layer emits something else; empty where they do.
    """
    image = x[:1].detach()
    with torch.no_grad():
        tap = runner.taps([name], image)[name]
        behind = tail_of(runner.raw, tap, image, runner)
        layout = runner.layout(name, behind.a, image)
        known, at_once = layout.turn(behind.a), MOST if behind.replays else 1
        edits = probes(known, layer.w[:, 0], layer.rectified)[: MOST if behind.replays else FEW]
        made = [behind(layout.back(part, behind.a)) for part in edits.split(at_once)]
        raw = behind(behind.a)
    pool = torch.relu if layer.rectified else plain
    by = torch.as_tensor(rows, device=raw.device)
    if not affine(layer.w[:, 0], by, (pool(known), raw), (pool(edits), torch.cat(made))):
        return OFF
    with torch.no_grad():  # another image, of which the layer emits the same
        return "" if alike(SequenceTail(runner.raw, tap, 1 - image.flip(-1) / 2)(behind.a), raw) else PAST


def _rows(runner: Runner, raw: Tensor, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What of the raw scores (n, k) makes each explained score, (t, n, k), also where that is one of a group of classes."""
    return np.einsum("tng,ngk->tnk", weights, runner.reader.slopes(raw)) if runner.groups else weights
