"""The linear layer that makes a network's scores, what is pooled before it, and where numbers go bad."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seewhy.errors import NotApplicable

from .taps import activation_of, hooked, modules_of, offloaded


def linear_head(network: nn.Module, run: Callable[[], tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Run, and find the linear layer (or 1x1 convolution) that made the scores: (run's result, its weights, its input)."""
    candidates: list[tuple[nn.Module, Tensor, Tensor]] = []

    def hook(module: nn.Module, args: Any, output: Tensor) -> None:
        if args and output.ndim > 1 and output[0].numel() == output.shape[1]:  # one vector per image
            candidates.append((module, args[0].detach().clone(), output.detach().clone()))

    modules = [m for m in network.modules() if isinstance(m, nn.Linear) or _is_pointwise(m)]
    with hooked((module, hook) for module in modules):
        result = run()
    for module, before, behind in reversed(candidates):
        flat = behind.flatten(1)
        if flat.shape == result[0].shape and torch.equal(flat.nan_to_num(), result[0].nan_to_num()):
            return result, _weight(module), before.flatten(1)
    raise NotApplicable(
        "CAM needs a network that ends in global average pooling and one linear layer; no linear layer makes the scores "
        "of this one. grad-cam and hires-cam need no such head."
    )


def _weight(module: nn.Module) -> Tensor:
    """The weights of a layer, also where accelerate keeps them on another device while the layer does not run."""
    if not offloaded(module):
        return module.weight.detach()  # type: ignore[union-attr, operator]
    from accelerate.utils import align_module_device  # here, for accelerate comes only with such networks

    with align_module_device(module):
        return module.weight.detach().clone()  # type: ignore[union-attr, operator]


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
    """A 1x1 convolution, in any number of dimensions."""
    plain = isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    return plain and {*module.kernel_size} == {1} and module.groups == 1


def first_bad(network: nn.Module, run: Callable[[], Any]) -> str | None:
    """The first module to emit NaN or infinity."""
    bad: list[str] = []

    def hook_for(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            tensor = activation_of(output)
            if tensor is not None and not bool(tensor.isfinite().all()):
                bad.append(name)

        return hook

    with hooked((module, hook_for(name)) for name, module in modules_of(network).items()):
        run()
    return bad[0] if bad else None
