"""Networks that cannot be read inside: exported by torch.export, or TorchScript.  Scores always, gradients at the image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.jit import ScriptModule

from seewhy.arrays import Array, filled
from seewhy.errors import NeedsGradients, NotApplicable
from seewhy.models.kernels import Kernels
from seewhy.models.model import AT_IMAGE, INPUT, SCORES_LAYER, TRY, Answer, Attended, Examination, PulledPass, Trace
from seewhy.models.rule import Rule
from seewhy.models.settings import Settings
from seewhy.models.torch.attention.attended import attended
from seewhy.targets.target import Target

from .base import TorchScores
from .examination import examination
from .program import Sealed, refusal
from .pulled import pulled
from .trace import activations, trace
from .undisturbed import again


def _no(what: str) -> Callable[..., Any]:
    """A method that raises NotApplicable; `what` says what cannot be read, with the first argument in the place of {!r}."""

    def refuse(model: "SealedModel", *args: Any, **_options: Any) -> Any:
        raise model.refused(what.format(*args))

    return refuse


class SealedModel(TorchScores):
    """A network in one piece.  Made by `seewhy.wrap` of a ScriptModule or an ExportedProgram."""

    gives = AT_IMAGE
    layers = _no("no layer")
    default = _no("no layer")
    upto = _no("no layer such as {!r}, and none of its units,")
    biases = _no("no bias")
    head = _no("no linear layer")

    def __init__(self, network: ScriptModule | ExportedProgram, settings: Settings) -> None:
        self.sealed = "a program of torch.export" if isinstance(network, ExportedProgram) else "TorchScript"
        name = network.original_name if isinstance(network, ScriptModule) else type(network).__name__
        program = Sealed(network)
        self.least = program.least  # images that it takes at once
        super().__init__(program, replace(settings, name=settings.name or name))

    def cells(self, layer: str, x: Array) -> None:
        """Where the cells of a layer lie: no layer can be read, so it is not known."""

    def first_bad(self, x: Array) -> None:
        """The first layer to emit NaN or infinity: no layer can be read, so it is not known."""

    def at_once(self, space: Sequence[int], whole: bool = False) -> int:
        """As of every network, but no fewer images than a program takes: it would be filled up with others."""
        return self.runner.settings.batch_size or max(super().at_once(space, whole), self.least)

    def trace(
        self, x: Array, targets: Sequence[Target], layers: Sequence[str | None], rule: Rule | None = None, twice: bool = False,
        few: int | None = None,
    ) -> Trace:  # fmt: skip
        """One pass forward and one back for each target, read at the image."""
        self._check(layers)
        if rule is not None:
            raise self.refused("no ReLU, and nothing else that a rule changes,")
        if twice:
            raise self.refused("no second derivative")
        at_image = trace(self.runner, x, targets, layers, few=few)
        if INPUT in at_image.evidence and not filled(at_image.evidence[INPUT].g) and not self._lets_through(x):
            raise NeedsGradients(f"{self.name} is {self.sealed}, and lets no gradient through. {TRY}")
        return at_image

    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        """The image, the only layer that can be read."""
        self._check(layers)
        return activations(self.runner, x, layers)

    def kernels(self, layer: str, x: Array) -> Kernels:
        """NotApplicable: no layer can be read."""
        raise self.refused(f"no layer such as {layer!r}")

    def pulled(self, x: Array, layers: Sequence[str]) -> PulledPass:
        """One pass, whose gradient at the image can be asked for: of the scores, for no layer can be read."""
        self._check([name for name in layers if name != SCORES_LAYER])
        return pulled(self.runner, x, layers)

    @again
    def attended(self, x: Array, targets: Sequence[Target] = (), whole: bool = True, each: bool = False) -> Attended:
        """NotApplicable: no attention can be seen."""
        return attended(self.runner, x, targets, whole, each)

    def scoring(self, x: Array, answer: Answer, fast: bool | None = False, dtype: Any = None, inside: bool = False) -> Any:
        """The scores of many variants of images; no copy is faster, for its layers cannot be reordered."""
        if inside:
            raise self.refused("no layer")
        return super().scoring(x, answer, None if fast is None else False, dtype)

    def examine(self, x: Array) -> Examination:
        """What a few passes of one image (1, c, *space) show."""
        return examination(self.runner, x, {})

    def refused(self, what: str) -> NotApplicable:
        """The error for a request to read inside."""
        return refusal(self.name, self.sealed, what)

    def _lets_through(self, x: Array) -> bool:
        with self.runner.ready(x[:1]) as x, torch.enable_grad():
            return self.runner.raw(x.requires_grad_().clone()).requires_grad

    def _check(self, layers: Sequence[str | None]) -> None:
        inner = [name for name in layers if name != INPUT]
        if inner:
            raise self.refused(f"no layer such as {inner[0]!r}")
