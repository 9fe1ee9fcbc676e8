"""Which layers a gradient from the scores reaches: more than a dependence, where a part of the network runs under no_grad."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seewhy.models.torch.passes.outputs import activation_of
from seewhy.models.torch.passes.taps import hooked

from .layout import Layout

Starts = Callable[[Tensor], Sequence[Tensor]]  # of scores, the numbers that each way back begins with, like the scores


def all_at_once(raw: Tensor) -> Sequence[Tensor]:
    """One way back, from all scores, none of which cancels another."""
    start = torch.cos(torch.arange(raw.numel(), device=raw.device, dtype=torch.float32))
    return [start.reshape(raw.shape).to(raw.dtype)]


def reached(
    modules: Mapping[str, nn.Module], layout_of: Callable[[str], Layout | None], x: Tensor, run: Callable[[Tensor], Tensor],
    starts: Starts = all_at_once,
) -> list[dict[str, bool]]:  # fmt: skip
    """For each way back from the scores that `run` gives for an image x (1, c, *space), and each layer: does any gradient come
    to its cells?

    One pass forward, and back as often as `starts` says; each gradient is looked at as it comes by, and let go.
    """
    flags: dict[str, bool] = {}
    found: list[dict[str, bool]] = []
    roots: list[Tensor] = []
    calls: dict[str, int] = {}

    def hook_for(name: str) -> Callable[..., Any]:
        def hook(_module: nn.Module, args: Any, output: Any) -> Any:
            tensor = activation_of(output, args)
            if tensor is None or (not tensor.requires_grad and tensor is not output):
                return None
            if not tensor.requires_grad:  # emitted inside a no_grad block of the network
                tensor = tensor.detach().requires_grad_(torch.is_grad_enabled())
                roots.extend([tensor] if tensor.requires_grad else [])
            if tensor is output or any(tensor is root for root in roots):
                tensor = tensor.clone()  # what is emitted twice, or written over later, is looked at by itself
            call = calls[name] = calls.get(name, 0) + 1
            flags[name] = False

            def look(g: Tensor | None) -> None:
                layout = layout_of(name)
                if (
                    calls[name] == call and g is not None
                ):  # the last one; none comes from behind an operation without derivative
                    flags[name] = bool((layout.turn(g) if layout is not None and layout.fits(g.shape, 1) else g).any())

            if tensor.requires_grad:
                tensor.register_hook(look)
            return tensor if isinstance(output, Tensor) else None

        return hook

    with torch.enable_grad():
        image = x.detach().clone().requires_grad_()
        with hooked((module, hook_for(name)) for name, module in modules.items()):
            raw = run(image.clone())
        for start in starts(raw):
            flags.update(dict.fromkeys(flags, False))
            if raw.requires_grad:
                torch.autograd.grad(raw, [image, *roots], start, retain_graph=True, allow_unused=True)
            found.append(dict(flags))
    return found
