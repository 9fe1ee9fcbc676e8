"""Balanced gradients: gradients under which the products of inputs and gradients add up to the score."""

from dataclasses import replace
from typing import Any

from seewhy.errors import BadParameter
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.parts import outcomes
from seewhy.methods.making.composing import composed
from seewhy.methods.making.method import Method, Own, lookup, maker
from seewhy.models.rule import Balanced

__all__ = ["libra"]


@maker
def libra(method: Method[Own]) -> Method[Own]:
    """The method, with every plain gradient that it reads balanced.  Mehri et al. 2025, LibraGrad.

    Softmaxes, sigmoids and the divisors of norms count as constants, GELU and its like as x times a constant, a product of
    two activations passes each half the gradient.  Then the score is sum x g, and what biases and constants add:
    libra(input_x_gradient) holds all of it that is not theirs.  The paper prunes ways back or scales them; sigmoid gates
    are pruned here, products such as SwiGLU's scaled.  ReLU networks are balanced already: a warning says so.
    """
    base = lookup(method)
    if base.reads not in ("gradients", "pixels"):
        raise BadParameter(f"libra balances gradients, and {base.name} reads none. Ask for libra(grad-cam), libra(gradient) "
                           f"or libra(smooth(input-x-gradient)); or for {base.name} alone.")  # fmt: skip

    def run(case: Case, **params: Any) -> Outcome:
        case.plain_only("libra once more")
        balanced = Case(case.model, case.x, case.targets, case.requested, base.shares, case.photo, Balanced(), case.view)
        (outcome,) = outcomes([base.using(**params)], balanced)
        if base.shares:
            case.record_way_back(balanced.trace.answer, balanced.trace.weights)
        elif balanced.answered is not None:
            case.record_answer(balanced.answered[0])
        odd = tuple(dict.fromkeys(note for layer in outcome.cores for note in balanced.notes(layer)))
        return outcome._replace(notes=lambda t, i: (*odd, *outcome.notes(t, i)))

    source = "Mehri et al. 2025, LibraGrad: Balancing Gradient Flow for Universally Better Vision Transformer Attributions."
    said = f"{base.name}, its gradients in balance: what is not affine counts as a constant, or times a constant"
    return replace(
        base, name=f"libra({base.name})", run=run, params=base.params, doc=composed(said, source, base), shares=(),
        by_target=False,
        passes=base.wording, needs=(*base.needs, "logits", "balance"),
        advising=None, formula_of=None,
    )  # fmt: skip
