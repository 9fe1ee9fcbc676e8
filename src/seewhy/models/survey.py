"""One look through a whole network: what every layer emits, and where its scores come from."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import NotApplicable
from . import Layer
from .layout import FIRST, TOKENS, Layout, layout
from .taps import hooked, modules_of

OF_BLOCKS = (nn.LayerNorm, nn.Identity, nn.Dropout, nn.Linear, nn.Softmax)
PASSING = ("Pool", "Drop", "Identity", "Flatten")  # layers that hand on what another one found


def survey(network: nn.Module, x: Tensor, run: Callable[[Tensor], Tensor]) -> dict[str, Layer]:
    """Run noise like x (n, c, *space) forward and back; note what each module emits and whether the scores need it.

    The default is the last layer that finds something in space and that the scores rest on.
    """
    modules = {name: module for name, module in modules_of(network).items() if name}
    seen: dict[str, list[Tensor]] = {name: [] for name in modules}
    order: list[str] = []
    entered: list[Tensor] = []  # the input of each linear layer

    def hook_for(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            tensor = output[0] if isinstance(output, tuple | list) and output else output
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                return None
            if tensor is output and not tensor.requires_grad:  # past a no_grad inside the network
                tensor = tensor.detach().requires_grad_(torch.is_grad_enabled())
            seen[name].append(tensor)
            order.append(name)
            if isinstance(module, nn.Linear) and args:
                entered.append(args[0])
            return tensor.clone() if isinstance(output, Tensor) else None

        return hook

    noise = torch.randn(x[:1].shape, generator=torch.Generator().manual_seed(0)).to(x)  # whatever image comes first
    with torch.enable_grad(), hooked((module, hook_for(name)) for name, module in modules.items()):
        raw = run(noise.requires_grad_().clone())  # a leaf cannot be written to
    space = tuple(x.shape[2:])
    last = {name: found[-1] for name, found in seen.items() if found}
    layouts = {name: layout_of(modules[name], a, noise) for name, a in last.items()}
    reached = _reached(raw, last, layouts)
    if entered and not any(
        reached[name] for name, lies in layouts.items() if lies
    ):  # a head still filled with zeros: ask what enters it
        reached = _reached(entered[-1], last, layouts)
    layers = {
        name: Layer(
            kind=type(modules[name]).__name__,
            shape=layouts[name].shape if layouts[name] else tuple(a.shape[1:]),  # type: ignore[union-attr]
            calls=len(seen[name]),
            connected=reached[name],
        )
        for name, a in last.items()
    }
    grids = {found.space for found in layouts.values() if found and found.kind == FIRST}
    spatial = [name for name in reversed(order) if _has_space(layers[name], layouts[name], space, grids)]
    default = next((name for name in spatial if layers[name].connected), spatial[0] if spatial else None)
    return {name: layer._replace(default=name == default) for name, layer in layers.items()}


def layout_of(module: nn.Module | None, a: Tensor, x: Tensor) -> Layout | None:
    """How what a module emitted lies over the space of the network's input x; None where it has no space."""
    if len(a) != len(x) or (x.ndim == 4 and isinstance(module, nn.RNNBase | nn.Conv1d | nn.BatchNorm1d)):
        return None
    space = tuple(x.shape[2:])
    found = layout(tuple(a.shape), space)
    inner = found is not None and found.distorts(space) > 0.7 and isinstance(module, OF_BLOCKS)
    return None if inner else found  # heads and queries inside an attention are no picture


def _reached(raw: Tensor, last: dict[str, Tensor], layouts: dict[str, Layout | None]) -> dict[str, bool]:
    """Do the scores depend on the layer, within its space?"""
    if not raw.requires_grad or not last:
        return dict.fromkeys(last, False)
    asked = {name: a for name, a in last.items() if a.requires_grad}
    start = torch.cos(torch.arange(raw.numel(), device=raw.device, dtype=torch.float32)).reshape(raw.shape).to(raw.dtype)
    found = torch.autograd.grad(raw, [*asked.values()], start, allow_unused=True, retain_graph=True)
    grads = dict(zip(asked, found, strict=True))
    out = {}
    for name in last:
        g, lies = grads.get(name), layouts[name]
        out[name] = g is not None and bool((lies.turn(g) if lies else g).any())
    return out


def _has_space(layer: Layer, found: Layout | None, space: tuple[int, ...], grids: set[tuple[int, ...]]) -> bool:
    """Is this a layer to explain by default: does it find something, in space?  Tokens need a patch grid before them."""
    if found is None or max(found.space) < 2 or found.distorts(space) > 0.7:
        return False
    stray = found.kind == TOKENS and found.space not in grids
    inner = found.kind != FIRST and layer.kind == "Linear"  # queries, keys, values: parts of a block, not its result
    return not stray and not inner and not any(part in layer.kind for part in PASSING)


def linear_head(network: nn.Module, run: Callable[[], tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Run, and find the linear layer (or 1x1 convolution) that made the scores: (run's result, its weights, its input)."""
    met: list[tuple[nn.Module, Tensor, Tensor]] = []

    def hook(module: nn.Module, args: Any, output: Tensor) -> None:
        if args and output.ndim > 1 and output[0].numel() == output.shape[1]:  # one vector per image
            met.append((module, args[0].detach().clone(), output.detach().clone()))

    modules = [m for m in network.modules() if isinstance(m, nn.Linear) or _is_pointwise(m)]
    with hooked((module, hook) for module in modules):
        found = run()
    for module, entered, left in reversed(met):
        flat = left.flatten(1)
        if flat.shape == found[0].shape and torch.equal(flat.nan_to_num(), found[0].nan_to_num()):
            return found, module.weight.detach(), entered.flatten(1)  # type: ignore[union-attr, operator]
    raise NotApplicable(
        "CAM needs a network that ends in global average pooling and one linear layer; no linear layer makes the scores "
        "of this one. grad-cam and hires-cam need no such head."
    )


def pooled(a: Tensor, entered: Tensor, layer: str, model: str) -> Tensor:
    """What was averaged over space to give the linear layer's input (n, c): the layer's output, or its ReLU."""
    entered = entered.nan_to_num()
    near = 1e-3 * float(entered.abs().max()) + 1e-12
    for candidate in (a, a.relu()):
        mean = candidate.flatten(2).mean(2).nan_to_num()
        if mean.shape == entered.shape and torch.allclose(mean, entered, rtol=0, atol=near):
            return candidate
    raise NotApplicable(
        f"CAM needs global average pooling and one linear layer right after {layer}; in {model} something else lies "
        "between. hires-cam says the same thing where CAM exists, and needs no such head."
    )


def _is_pointwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1


def first_bad(network: nn.Module, run: Callable[[], Any]) -> str | None:
    """The first module to emit NaN or infinity."""
    bad: list[str] = []

    def hook_for(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple | list) and output else output
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                bad.append(name)

        return hook

    with hooked((module, hook_for(name)) for name, module in modules_of(network).items()):
        run()
    return bad[0] if bad else None
