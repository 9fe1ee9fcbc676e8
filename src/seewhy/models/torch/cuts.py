"""Why no gradient comes back to a layer: the graph is cut between it and the scores, or led through steps without a slope.

Looked for only where a gradient is missing; a network of which the score does depend on the layer is told from a layer that the
score does not rest on by other values in the layer's place.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, NotApplicable
from seewhy.models.model import INPUT

from .passes.backward import WITHOUT
from .passes.graph import STEPS, UNDERIVED, between, kind_of, rests_on_image
from .passes.outputs import emitted, tensors_in
from .passes.taps import hooked
from .passes.torch_calls import name_of, running
from .runner import Runner
from .undisturbed import again

VALUES = {"numpy", "tolist", "item", "__array__", "__float__", "__int__", "__bool__", "__dlpack__"}  # leave torch
ALIKE = ("new_", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like")  # take a shape, no values


class CutWatch(TorchFunctionMode):
    """While it is entered, notes the last call that took something with a graph to the image, and gave nothing of it on."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.last = network, ""

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        name = name_of(fn)
        values = (isinstance(out, Tensor) or name in VALUES) and not name.startswith(ALIKE)
        if values and _ends(out) and any(x.requires_grad and rests_on_image(x) for x in tensors_in(args)):
            self.last = f"{running(self.network)}, {_how(name, out)}"
        return out


def _ends(out: Any) -> bool:
    return not isinstance(out, Tensor) or not out.requires_grad or _unknown(out)


def _unknown(out: Any) -> bool:
    return isinstance(out, Tensor) and out.grad_fn is not None and kind_of(out.grad_fn) == UNDERIVED


def _how(name: str, out: Any) -> str:
    if _unknown(out):
        return "by an operation without a derivative"
    if torch.is_inference_mode_enabled():
        return f"at {name} under torch.inference_mode"
    return f"at {name}" if torch.is_grad_enabled() else f"at {name} under torch.no_grad"


def why_none(runner: Runner, x: Tensor, layer: str) -> str:
    """In words, why no gradient of the scores of images x comes back to a layer on which they do rest; "" where one would, or
    where they do not.
    """
    if runner.sealed:  # what it is says enough
        return ""
    x, watch = x[:1].detach(), CutWatch(runner.network)
    leaves: list[Tensor] = []

    def leaf(a: Tensor) -> Tensor:
        torch.set_grad_enabled(True)  # ends with the caller's no_grad block
        leaves.append(a.detach().clone().requires_grad_())
        return leaves[-1].clone()

    try:
        with torch.enable_grad(), watch:
            raw = _with(runner, x, layer, leaf)
    except BadNetwork:  # the network does not take a graph there
        return ""
    way = between(raw, leaves[-1:])
    steps = [kind.removesuffix("Backward") for node in way if (kind := kind_of(node)).startswith(STEPS)]
    unknown = any(kind_of(node) == UNDERIVED for node in way)
    dropped = watch.last and not raw.requires_grad  # also where other values change no score, as before an argmax
    if (way and not steps and not unknown) or not (dropped or _moves(runner, x, layer, lambda raw: raw)):
        return ""
    if steps:
        return f"No gradient comes back to {layer} of {runner.name}: {steps[0]} has no slope anywhere. {WITHOUT}"
    where = f"it is cut in {watch.last}" if watch.last else "a part of the network keeps no graph"
    return f"No graph leads from the scores of {runner.name} back to {layer}: {where}. {WITHOUT}"


def _with(runner: Runner, x: Tensor, layer: str, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The raw scores of images x, if `change` is made of what the layer emits."""
    if layer == INPUT:
        return runner.raw(change(x))
    tap = runner.taps([layer], x)[layer]

    def hook(_module: nn.Module, args: Any, output: Any) -> Any:
        tap.calls += 1
        if tap.call not in (None, tap.calls):
            return None
        tensor, put_back = emitted(output, tap.name, args)
        return put_back(change(tensor))

    with hooked([(tap.module, hook)]):
        return runner.raw(x.clone())


@again
def rests(runner: Runner, x: Array, weights: NDArray[Any], layer: str) -> bool:
    """Does a score of an image x (1, c, *space), the sum of its scores times weights (k,), change when other values stand in
    the layer's cells?  True also where none can be put there.
    """
    row = torch.as_tensor(weights, dtype=torch.float64)
    with runner.ready(x[:1]) as ready, torch.no_grad():
        image, emissions = ready.detach(), list[Tensor]()
        read = lambda raw: runner.scores(raw).cpu().double() @ row  # noqa: E731
        if layer == INPUT:
            return _moves(runner, image, layer, read)
        _with(runner, image, layer, lambda a: emissions.append(a.clone()) or a)
        if not emissions:  # it does not run for this image
            return False
        try:
            layout = runner.layout(layer, emissions[-1], image)
            layout.back(layout.turn(emissions[-1]), emissions[-1])
        except NotApplicable:
            return True
        in_cells = lambda change: lambda a: layout.back(change(layout.turn(a)), a)  # noqa: E731
        return _moves(runner, image, layer, read, [in_cells(change) for change in CHANGES])


def _moves(
    runner: Runner, x: Tensor, layer: str, read: Callable[[Tensor], Tensor],
    changes: Sequence[Callable[[Tensor], Tensor]] | None = None,
) -> bool:  # fmt: skip
    """Does what is read of the raw scores change when other values stand in the layer's place?"""
    with torch.no_grad():
        before = read(runner.raw(x.clone()))
        for change in changes or CHANGES:
            with suppress(BadNetwork):  # values of which it knows nothing
                if not torch.equal(read(_with(runner, x, layer, change)).nan_to_num(), before.nan_to_num()):
                    return True
    return False


def _noisy(a: Tensor) -> Tensor:
    noise = torch.randn(a.shape, generator=torch.Generator().manual_seed(0)).to(a)
    return a + noise * (3 * a.std(unbiased=False) + 1)


CHANGES: tuple[Callable[[Tensor], Tensor], ...] = (
    torch.zeros_like, torch.neg, lambda a: a.flip(tuple(range(1, a.ndim))), _noisy, lambda a: _noisy(a) * 1000,
)  # fmt: skip
