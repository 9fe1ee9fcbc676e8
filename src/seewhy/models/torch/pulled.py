"""A pass whose gradient at the images is asked for later: that of any weighted sum of what layers emit."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from math import inf
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.arrays import Array
from seewhy.errors import BadParameter, NeedsGradients
from seewhy.memory import out_of_memory
from seewhy.models.model import SCORES_LAYER, PulledPass
from seewhy.models.torch.passes.backward import way_back_failed
from seewhy.models.torch.passes.taps import Several, Stop, ordered_gradients, recorded

from .runner import Runner
from .scores import as_numpy
from .undisturbed import again


@again
def pulled(runner: Runner, x: Array, layers: Sequence[str]) -> PulledPass:
    """One forward pass of x (n, c, *space), which stops at the last of the layers and keeps its graph from the images on.

    layers: INPUT is the image, SCORES_LAYER what the model says of it (n, k).  One that runs several times comes as each of
    its calls, name#1 and so on.  Raises NeedsGradients where no graph leads from a layer back to the images.
    """
    with runner.ready(x) as ready:
        try:
            return _pulled(runner, ready, layers)
        except Several:  # only now it is known
            runner.survey(ready[:1].detach())
            return _pulled(runner, ready.detach(), layers)


def _pulled(runner: Runner, x: Tensor, layers: Sequence[str]) -> PulledPass:
    names = runner.each_call([name for name in layers if name != SCORES_LAYER], x)
    taps, facts, whole = runner.taps(names, x), runner.of_size(x), SCORES_LAYER in layers
    last = {tap: tap.call or facts.runs(tap.name) or inf for tap in taps.values()}  # of a new layer: all of the network runs
    way = ("pulled", runner.call.identity, tuple(x.shape), tuple(layers))
    ordered = ordered_gradients(runner.network, 0 if runner.learned.straight.get(way) else len(x))
    done = lambda: not whole and all(tap.calls >= last[tap] for tap in taps.values())  # noqa: E731
    emitted: dict[str, Tensor] = {}
    with torch.enable_grad():
        entered = x.requires_grad_().clone()  # the network may write to it
        follow = runner.following(names, entered)
        with ordered as odd, follow or nullcontext(), recorded([*taps.values()], True, done, follow), suppress(Stop):
            if whole:
                emitted[SCORES_LAYER] = runner.run(entered)[1]
                runner.reader.require_slopes(runner.aims)
            elif taps:
                _ = runner.called(entered) if runner.end is None else runner.raw(entered)  # scores are not read
        runner.learn_places(follow, taps, x)
        if several := runner.divided(taps, x):
            raise Several(several)
        facts.calls.update({tap.name: tap.calls for tap in taps.values() if last[tap] == inf})
        for name in names:
            a = taps[name].check(runner.end) if name in taps else x
            if (name in taps and a.is_leaf) or not a.requires_grad:
                raise NeedsGradients(_cut(runner, name))
            emitted[name] = runner.layout(name, a, x).turn(a)
    if whole and not emitted[SCORES_LAYER].requires_grad:
        raise NeedsGradients(_cut(runner, SCORES_LAYER))
    back = _back(runner, x, emitted, lambda: odd or runner.learned.straight.keep(way, True))
    return PulledPass({name: as_numpy(a) for name, a in emitted.items()}, back)


def _back(
    runner: Runner, x: Tensor, emitted: dict[str, Tensor], passed: Callable[[], Any]
) -> Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]:
    """What makes of cotangents the gradient at the images x; it lets go of the graph."""

    def back(cotangents: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        if not emitted:
            raise BadParameter("This pass was pulled back before, and its graph is gone: make another.")
        unknown = [name for name in cotangents if name not in emitted]
        if unknown or not cotangents:
            what = ", ".join(unknown) or "no layer"
            raise BadParameter(f"Pulled back was {what}; this pass kept {', '.join(emitted)}.")
        parts = [emitted[name] for name in cotangents]
        starts = [torch.as_tensor(v, dtype=a.dtype, device=a.device) for a, v in zip(parts, cotangents.values(), strict=True)]
        if odd := next((name for name, a, v in zip(cotangents, parts, starts, strict=True) if a.shape != v.shape), None):
            shapes = f"{tuple(emitted[odd].shape)}, not {tuple(cotangents[odd].shape)}"
            raise BadParameter(f"The cotangent of {odd} is of the shape of what it emitted: {shapes}.")
        with runner.call.ready(x[:1], runner.name), torch.enable_grad():
            try:
                (g,) = torch.autograd.grad(parts, [x], starts, allow_unused=True)
            except Exception as error:  # a person's own way back may raise anything
                if out_of_memory(error):
                    raise
                raise way_back_failed(error) from error
            finally:
                emitted.clear()
        passed()
        return as_numpy(torch.zeros_like(x) if g is None else g)

    return back


def _cut(runner: Runner, layer: str) -> str:
    what = f"the scores of {runner.name}" if layer == SCORES_LAYER else f"what layer {layer} of {runner.name} emits"
    return f"No graph leads from {what} back to the images: it does not depend on them, or is made without a gradient."
