"""What a torch network's numbers depend on beside the image: its weights, torch's settings, libraries, and the machine."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seewhy.models.origin import machine
from seewhy.models.weights_digest import NamedBytes

from .adapted import AdaptedNetwork
from .program import Sealed, constants


def weights_of(network: nn.Module) -> Iterator[NamedBytes]:
    """All parameters and buffers by name, in the order of the names; none where some cannot be read: meta tensors, as
    accelerate leaves them, and those of layers that get them in the first pass.
    """
    named = _named(network)
    if any(map(is_lazy, named.values())):
        return
    try:
        yield from [bytes_of(name, named[name]) for name in sorted(named)]
    except (RuntimeError, NotImplementedError, TypeError):  # of kinds that have no plain bytes
        return


def _named(network: nn.Module) -> dict[str, Tensor]:
    if isinstance(network, AdaptedNetwork):
        return network.weights_by_name()
    named = {
        **dict(network.named_parameters(remove_duplicate=False)),
        **dict(network.named_buffers(remove_duplicate=False)),
    }
    return {**named, **constants(network.inside)} if isinstance(network, Sealed) and not network.has_modes else named


def bytes_of(name: str, tensor: Tensor) -> NamedBytes:
    """A tensor's numbers.  Raises RuntimeError, NotImplementedError or TypeError where it has no plain ones."""
    plain = tensor.detach()
    plain = plain.dequantize() if plain.is_quantized else plain.to_dense() if plain.layout is not torch.strided else plain
    content = plain.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return NamedBytes(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), content)


def conditions_of(device: torch.device, dtype: torch.dtype) -> Mapping[str, Any]:
    """The settings of torch that change the numbers of a pass of a network on that device, of parameters of that kind."""
    cast, on = torch.is_autocast_enabled(device.type), torch.backends
    facts: dict[str, Any] = {
        "backend": "torch",
        "device": device.type,
        "dtype": _name(dtype),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": _name(torch.get_autocast_dtype(device.type)) if cast else None,
    }
    if device.type == "cuda":  # how single precision is computed, by torch's newer names: the older fail once these were set
        facts["float32"] = _precisions(on.cuda.matmul, on.cudnn.conv)
        facts["cudnn_benchmark"] = on.cudnn.benchmark
    if device.type == "cpu":
        facts["float32"] = _precisions(on.mkldnn.matmul, on.mkldnn.conv)
        facts["mkldnn"] = on.mkldnn.is_available() and bool(on.mkldnn.enabled)
    return facts


def _precisions(matmul: Any, conv: Any) -> dict[str, str]:
    """How single precision is multiplied: "ieee" in full, also where nobody said anything, "tf32" or "bf16"."""
    said = {"matmul": matmul.fp32_precision, "conv": conv.fp32_precision}
    return {name: "ieee" if how == "none" else how for name, how in said.items()}


def host_of(device: torch.device) -> Mapping[str, Any]:
    """The machine, on which at most the rounding depends."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {**machine(), "processor": name, "threads": torch.get_num_threads()}


def libraries(kinds: Iterable[type]) -> dict[str, str]:
    """The versions of those libraries that are the home of any of these classes."""
    homes = {kind.__module__.partition(".")[0] for kind in kinds} - {"torch", "seewhy", "builtins"}
    found = ((home, getattr(sys.modules.get(home), "__version__", None)) for home in sorted(homes))
    return {home: version for home, version in found if isinstance(version, str)}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
