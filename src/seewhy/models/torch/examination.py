"""What a torch network shows with one image before it: the evidence on which the doctor judges methods."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from seewhy.arrays import Array
from seewhy.errors import NeedsGradients, NotApplicable
from seewhy.models.model import INPUT, Examination, Layer
from seewhy.models.rule import Relevance
from seewhy.models.torch.attention.attended import attended
from seewhy.targets.target import Top

from .examine import examined, reason
from .hazards import hazards
from .head import head
from .program import refusal
from .runner import Runner
from .scores import as_numpy
from .trace import trace
from .undisturbed import again

PRODUCTS = Relevance(attention=True)


def examination(runner: Runner, x: Array, layers: Mapping[str, Layer]) -> Examination:
    """What a few passes of one image (1, c, *space) show: what can be read, and what may spoil an explanation."""
    layer = next((name for name, known in layers.items() if known.default), None)
    facts = examined(runner, x, layers, layer)
    refused = dict(facts.refused)
    if (kind := runner.settings.scores) not in ("logits", "activation"):
        logits = f"it takes logits apart; this model explains {kind}"
        refused |= dict.fromkeys(("head", "logits", "relevance", "excitation", "products"), logits)
    if not layers:
        refused |= {"biases": "no bias can be read inside", "balance": "nothing inside can be balanced"}
    attempts: dict[str, Callable[[Runner, Array], Any]] = {"attention": _attended, "products": _products}
    if layer is not None:
        attempts["second derivative"] = partial(_second_derivative, layer=layer)
    if (
        facts.first.alike and refused.pop("head", "") and layer is not None
    ):  # no linear layer was seen, and one may be in effect
        attempts["head"] = partial(_head, layer=layer)
    for need, attempt in attempts.items():
        try:
            _ = need in refused or attempt(runner, x)
        except NotApplicable as error:
            refused[need] = str(error)
        except NeedsGradients:  # "image" or "layer gradient" is refused, and says it
            pass
        except (RuntimeError, MemoryError) as error:
            refused[need] = reason(error)
    a = None if facts.first.a is None else as_numpy(facts.first.a)
    return Examination(facts.first.answer, layers, layer, a, refused, hazards(facts))


@again
def _attended(runner: Runner, x: Array) -> object:
    return attended(runner, x, (), True, False)


def _products(runner: Runner, x: Array) -> object:
    if runner.sealed:
        raise refusal(runner.name, runner.sealed, "no ReLU, and nothing else that a rule changes,")
    return trace(runner, x, [Top()], [INPUT], PRODUCTS)


def _head(runner: Runner, x: Array, layer: str) -> None:
    """NotApplicable where what lies behind the layer is no pooling and linear layer in effect, either."""
    head(runner, x, [Top()], [layer])


def _second_derivative(runner: Runner, x: Array, layer: str) -> None:
    """NotApplicable where the scores have none toward the layer."""
    for evidence in trace(runner, x, [Top()], [layer], twice=True).evidence.values():
        evidence.hessian(0, evidence.a)
