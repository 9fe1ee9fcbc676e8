"""Methods for Transformers: attention weights A (heads, queries, keys) of every layer, multiplied from layer to layer.

E is one matrix for the heads of a layer; r are the rows that the head of the network reads: that of the class token, or where
patches are pooled their mean, as the gradient of the scores shows.  Columns of tokens without a place are dropped.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from einops import reduce, repeat
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import BadParameter
from seewhy.explaining.case import Case, Outcome
from seewhy.methods.making.reading import from_case
from seewhy.models.model import ATTENTION

__all__ = ["attention_rollout", "le_grad", "transformer_relevance"]

Fusion = Literal["mean", "max", "min"]


@from_case("activations", layered=False, needs=("attention",), passes="1 forward")
def attention_rollout(case: Case, *, head_fusion: Fusion = "mean", discard: float = 0.0) -> Outcome:
    """r prod_l rownorm(E_l + I), E = mean_h A: how much of each patch, mixed layer by layer, arrives where the head reads.

    head_fusion: E is the "mean", "max" or "min" over heads.
    discard: the share of the weakest weights of each layer that is left out first (those toward tokens of no place stay), 0
    in the paper.

    Source: Abnar & Zuidema 2020, Quantifying Attention Flow in Transformers; max, min and discard: Gildenblat's
    vit-explain.

    Caveat: blind to the class: the same map for every target. It takes attention for all that layers do, values and
    MLPs for nothing; on deep networks it drifts toward what all images share.
    """
    if not 0 <= discard < 1:
        raise BadParameter(f"attention-rollout: discard={discard!r} is a share from 0 on and below 1.")
    attended = case.model.attended(case.x)
    case.record_answer(attended.answer)
    tokens = attended.layers[-1].keys
    fused = [numbers(reduce(layer.a, "n h q k -> n q k", head_fusion)) for layer in attended.layers]
    r = rolled([_without_weakest(e, discard, tokens.in_image) for e in fused], rows(attended, len(case.x)))
    core = repeat(tokens.grid_of(r), "n ... -> t n ...", t=len(case.targets))
    return Outcome({ATTENTION: core}, lambda _t, _i: attended.notes)


def rolled(e: Sequence[NDArray[Any]], r: NDArray[Any]) -> NDArray[Any]:
    """r prod_l rownorm(E_l + I), E (n, tokens, tokens) from the first layer on, r (n, m, tokens) or (n, tokens)."""
    return _through((_normed(each + np.eye(each.shape[-1], dtype=each.dtype)) for each in reversed(e)), r)


def _normed(rows: NDArray[Any]) -> NDArray[Any]:
    return rows / rows.sum(-1, keepdims=True)


def _through(layers: Iterable[NDArray[Any]], r: NDArray[Any]) -> NDArray[Any]:
    """r times the matrices, beginning with that of the last layer; only rows are multiplied, not whole matrices."""
    many = r if r.ndim == 3 else r[:, None]
    for matrix in layers:
        many = many @ matrix
    return many if r.ndim == 3 else many[:, 0]


def _without_weakest(e: NDArray[Any], discard: float, patches_at: NDArray[np.intp]) -> NDArray[Any]:
    """E with the smallest of its weights toward patches set to zero: the share `discard` of them."""
    patches = e[..., patches_at]
    count = int(discard * patches[0].size)
    if not count:
        return e
    flat = patches.reshape(len(e), -1)
    weakest = np.argpartition(flat, count - 1, axis=1)[:, :count]
    left = flat.copy()
    np.put_along_axis(left, weakest, 0, axis=1)
    e = e.copy()
    e[..., patches_at] = left.reshape(patches.shape)
    return e


def rows(attended: Any, n: int) -> NDArray[Any]:
    """The rows r (n, tokens) that the head of the network reads, the same for all n images."""
    return np.tile(attended.reads, (n, 1))


@from_case(
    "gradients", layered=False, needs=("attention",), by_target=True, passes="1 forward, and the whole way back per target"
)
def transformer_relevance(case: Case) -> Outcome:
    """r (R_L - I), R_0 = I, R_l = R_l-1 + E_l R_l-1, E = mean_h relu(dA A), dA the gradient of the score toward A.

    Source: Chefer et al. 2021b, Generic Attention-model Explainability, eq. 5-6; rows of R as they are, none is normalised.
    Where the head pools patches, the mean over their rows, and I, each token's own relevance, is left out.

    Caveat: positive evidence alone, so it separates classes less than its gradient does; values and MLPs count for nothing.
    """
    case.plain_only("transformer-relevance, whose gradients go to attention weights")
    attended = case.model.attended(case.x, case.targets)
    each = [[positive(layer.a, g) for g in layer.g] for layer in attended.layers]
    cores = [relevance(of_target, rows(attended, len(case.x))) for of_target in zip(*each, strict=True)]
    return _outcome(case, attended, np.stack(cores))


def positive(a: Any, g: Any) -> NDArray[Any]:
    """mean_h relu(dA A): (n, heads, q, k) twice -> (n, q, k)."""
    return numbers(reduce((g * a).clip(min=0), "n h q k -> n q k", "mean"))


def relevance(e: Sequence[NDArray[Any]], r: NDArray[Any]) -> NDArray[Any]:
    """r (R_L - I), E (n, tokens, tokens) from the first layer on, r (n, m, tokens) or (n, tokens)."""
    return _through((each + np.eye(each.shape[-1], dtype=each.dtype) for each in reversed(e)), r) - r


@from_case(
    "gradients", layered=False, needs=("attention",), by_target=True,
    passes="1 forward, the end for every block, and each block back per target",
)  # fmt: skip
def le_grad(case: Case) -> Outcome:
    """sum_l mean_hq relu(ds_l/dA_l): s_l is the score that the network's own end makes of the tokens behind block l.

    Its end: the last norm, pooling and head, given block l's tokens in place of the last block's; dA_l goes through block l
    alone.  Raw values: the paper's last step, min-max to [0, 1], is left to `unit()`.

    Source: Bousselham et al. 2024, LeGrad.  The authors' code averages block l's tokens before the projection; here the
    network's own pooling reads them, so that the last s_l is the score itself.

    Caveat: attention weights themselves do not count, only what more of them would do; all queries count the same, also
    those that the head does not read.
    """
    case.plain_only("le-grad, whose gradients go to attention weights")
    attended = case.model.attended(case.x, case.targets, each=True)
    each = [[sensitivity(g) for g in layer.g] for layer in attended.layers]
    cores = [sum(of_target) for of_target in zip(*each, strict=True)]
    return _outcome(case, attended, np.stack(cores))


def sensitivity(g: Any) -> NDArray[Any]:
    """mean_hq relu(dA): (n, heads, q, k) -> (n, k)."""
    return numbers(reduce(g.clip(min=0), "n h q k -> n k", "mean"))


def _outcome(case: Case, attended: Any, cores: NDArray[Any]) -> Outcome:
    """The outcome of cores (t, n, tokens), whose patches are put into their grid."""
    case.record_way_back(attended.answer, attended.weights)
    maps = attended.layers[-1].keys.grid_of(cores)
    return Outcome({ATTENTION: maps}, lambda _t, _i: attended.notes)
