"""Programs of torch.export and TorchScript as modules that run in batches of any size."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.jit import ScriptModule

from seewhy.errors import BadNetwork, NotApplicable


class Sealed(nn.Module):
    """A scripted or exported network, run in batches of the size it takes."""

    def __init__(self, network: ScriptModule | ExportedProgram) -> None:
        super().__init__()
        self.inside: nn.Module
        self.least, self.most = _batch(network) if isinstance(network, ExportedProgram) else (1, None)
        self.has_modes = isinstance(network, ScriptModule) and getattr(network, "training", None) is not None
        if isinstance(network, ScriptModule) and not self.has_modes:
            self.__dict__["inside"] = network  # frozen: no module that others may look at has a mode
            self.like = nn.Parameter(_first_constant(network), requires_grad=False)  # of its precision, on its device
        else:
            self.inside = _written(network) if isinstance(network, ExportedProgram) else network
        self.training = self.has_modes and self.inside.training

    def forward(self, x: Tensor, *others: Any, **options: Any) -> Any:
        if others or options or (len(x) >= self.least and (self.most is None or len(x) <= self.most)):
            return self.inside(x, *others, **options)
        return _joined([self._padded(part) for part in x.split(self.most or len(x))])

    def train(self, mode: bool = True) -> "Sealed":
        """An exported program has no modes: it is as it was when it was exported."""
        self.training = mode
        if self.has_modes:
            self.inside.train(mode)
        return self

    def _padded(self, part: Tensor) -> Any:
        short = self.least - len(part)
        if short <= 0:
            return self.inside(part)
        return _cut(self.inside(torch.cat([part, part[-1:].expand(short, *part.shape[1:])])), self.least, len(part))


def _written(program: ExportedProgram) -> nn.Module:
    """The program as a module that runs; BadNetwork where torch cannot make it."""
    try:
        return program.module()
    except Exception as error:
        raise BadNetwork(f"The program of torch.export makes no module that runs: {first_line(error)}.") from error


def _batch(program: ExportedProgram) -> tuple[int, int | None]:
    """The fewest and the most images that a program takes at once; None where there is no upper limit."""
    inputs = {*program.graph_signature.user_inputs}
    shapes = [node.meta["val"].shape for node in program.graph.nodes
              if node.op == "placeholder" and node.name in inputs and isinstance(node.meta.get("val"), Tensor)]  # fmt: skip
    if not shapes or not shapes[0]:
        return 1, None
    size = shapes[0][0]
    if isinstance(size, int):
        return size, size
    span = program.range_constraints.get(size.node.expr)
    least, most = (span.lower, span.upper) if span is not None else (1, None)
    return max(1, int(least)), int(most) if most is not None and most.is_Integer and most < 2**31 else None


def constants(network: nn.Module) -> dict[str, Tensor]:
    """The tensors in a frozen network, which are its weights, by their places in its graph."""
    graph: Any = getattr(network, "graph", None)
    nodes = graph.nodes() if isinstance(network, ScriptModule) else ()
    held = [node for node in nodes if node.kind() == "prim::Constant" and node.hasAttribute("value")]
    return {f"constant {place}": node.t("value") for place, node in enumerate(held) if node.kindOf("value") == "t"}


def _first_constant(network: ScriptModule) -> Tensor:
    """The first floating-point constant in a frozen network; an empty tensor where there is none."""
    floats = (tensor for tensor in constants(network).values() if tensor.is_floating_point())
    return next((tensor.detach().clone() for tensor in floats), torch.empty(0))


def _joined(parts: list[Any]) -> Any:
    """The outputs of the parts of a batch, joined to the output of the whole batch."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts) if first.ndim else first
    if isinstance(first, Mapping):
        return {key: _joined([part[key] for part in parts]) for key in first}
    if isinstance(first, tuple | list):
        return tuple(_joined([part[i] for part in parts]) for i in range(len(first)))
    return first


def _cut(output: Any, of: int, n: int) -> Any:
    """The first n of every tensor that has a row for each image."""
    if isinstance(output, Tensor):
        return output[:n] if output.ndim and len(output) == of else output
    if isinstance(output, Mapping):
        return {key: _cut(value, of, n) for key, value in output.items()}
    return tuple(_cut(value, of, n) for value in output) if isinstance(output, tuple | list) else output


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]


def refusal(name: str, sealed: str, what: str) -> NotApplicable:
    """The error for a request to read inside a network in one piece; sealed: its format, such as "TorchScript"."""
    return NotApplicable(
        f"{name} is {sealed}, which cannot be read inside: {what} can be asked of it. Explain it at the image "
        "(gradient, integrated-gradients) or from its scores (occlusion, rise, lime); "
        "or load the Python network it was made from, with the same weights."
    )
