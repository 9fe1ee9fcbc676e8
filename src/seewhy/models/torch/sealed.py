"""Networks that cannot be read inside: exported by torch.export, or TorchScript.  Scores always, gradients at the image."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.jit import ScriptModule

from seewhy.arrays import Array
from seewhy.errors import NeedsGradients, NotApplicable
from seewhy.models.model import INPUT, Answer, Bias, Head, Layer, Trace
from seewhy.models.rule import Rule
from seewhy.targets.target import Target

from .model import TorchModel
from .program import Sealed


class ScriptedModel(TorchModel):
    """A network in one piece.  Made by `seewhy.wrap` of a ScriptModule or an ExportedProgram."""

    def __init__(self, network: ScriptModule | ExportedProgram, **settings: Any) -> None:
        super().__init__(Sealed(network), **settings)
        self.sealed = "a program of torch.export" if isinstance(network, ExportedProgram) else "TorchScript"
        own = network.original_name if isinstance(network, ScriptModule) else type(network).__name__
        self.name = settings.get("name") or own

    def layers(self, x: Array | None = None) -> Mapping[str, Layer]:
        raise self._refused("no layer")

    def upto(self, layer: str, at: Any = "max") -> TorchModel:
        raise self._refused(f"no layer such as {layer!r}, and none of its units,")

    def trace(
        self, x: Array, targets: Sequence[Target], layers: Sequence[str], rule: Rule | None = None, twice: bool = False
    ) -> Trace:
        self._check(layers)
        if rule is not None:
            raise self._refused("no ReLU, and nothing else that a rule changes,")
        if twice:
            raise self._refused("no second derivative")
        found = super().trace(x, targets, layers)
        if INPUT in found.evidence and not bool(found.evidence[INPUT].g.any()) and not self._lets_through(x):
            raise NeedsGradients(f"{self.name} is {self.sealed}, and lets no gradient through. Try occlusion, rise or lime.")
        return found

    def biases(self, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]:
        raise self._refused("no bias")

    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        self._check(layers)
        return super().activations(x, layers)

    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head:
        raise self._refused("no linear layer")

    def scoring(self, x: Array, answer: Answer, fast: bool = False, dtype: Any = None, inside: bool = False) -> Any:
        if inside:
            raise self._refused("no layer")
        return super().scoring(x, answer, False, dtype)  # no copy is faster: its layers cannot be reordered

    def first_bad(self, x: Array) -> str | None:
        """No layer can be read, so it is not known."""
        return None

    def _lets_through(self, x: Array) -> bool:
        with self._ready(x[:1]) as x, torch.enable_grad():
            return self._raw(x.requires_grad_().clone()).requires_grad

    def _check(self, layers: Sequence[str]) -> None:
        inner = [name for name in layers if name != INPUT]
        if inner:
            raise self._refused(f"no layer such as {inner[0]!r}")

    def _refused(self, what: str) -> NotApplicable:
        return NotApplicable(
            f"{self.name} is {self.sealed}, which cannot be read inside: {what} can be asked of it. Explain it at the image "
            "(gradient, integrated-gradients) or from its scores (occlusion, rise, lime); "
            "or load the Python network it was made from, with the same weights."
        )
