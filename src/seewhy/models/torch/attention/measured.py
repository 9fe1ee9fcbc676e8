"""Which tokens of an image each attention joins where no rule of torch's calls tells: measured with noise.

From what layers emit over tokens, these are followed through the network: the values forward, from what a layer emits to the
keys, and the queries backward, from what a layer emits to the weights.  Each token gets a number as its code, and what arrives
must carry the code of a single token.  It leaves out attention over channels, pooled keys, and tokens that a convolution mixes.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from seewhy.errors import NotApplicable
from seewhy.models.torch.places.following import Following
from seewhy.models.torch.places.layout import Located, located

from .attending import Attending, AttentionCall, alike
from .emissions import Emission, Lies, decoded, emissions
from .met import BESIDE, FROZEN, NEITHER, OVERLAP, STRAY, TURNED, TokenAttention, TokenRow, overlap
from .places import AttentionSurvey

MOST = 6  # how many layers before and behind an attention are tried, the nearest first


class MeasuredAttention(NamedTuple):
    """One attention, and the layer outputs whose tokens it joins; the rest is as in `TokenAttention`."""

    layer: str
    queries: Emission | None
    keys: Emission | None
    rows: Tensor | None
    columns: Tensor | None
    size: tuple[int, int]
    left_out: str = ""

    def bare(self) -> TokenAttention:
        """The same without what layers emitted, which holds the graph of the pass."""
        queries, keys = (emission and _row(emission) for emission in (self.queries, self.keys))
        return TokenAttention(self.layer, queries, keys, self.rows, self.columns, self.size, self.left_out)


def _row(emission: Emission) -> TokenRow:
    return TokenRow(emission.length, emission.lies.space, emission.lies.tokens, emission.place)


@torch.enable_grad()
def measured_survey(network: Any, noise: Tensor, run: Callable[[Tensor], tuple[Tensor, Tensor]]) -> AttentionSurvey:
    """Run noise (n, c, *space) forward and follow the tokens through each attention by codes and gradients."""
    emitted: list[Emission] = []
    entered: list[Tensor] = []
    mode = Attending(network)
    image = noise.detach().clone().requires_grad_().clone()
    follow = Following(image)
    with follow, mode, emissions(network, mode, emitted, entered, _lies(follow)):
        raw, _ = run(image)
    cut, again = _cut(network, noise, run) if mode.calls else ([], [])
    _steady(mode.attentions(), again)
    attentions = [_joined(call, i, emitted, image) for i, call in enumerate(mode.calls)]
    square = [attention for attention in attentions if attention.bare().square]
    apart = [_between(before, behind) for before, behind in pairwise(square)]
    reads = _reads(raw, square[-1].queries, entered) if square and square[-1].queries else None
    beside = [] if any(apart) or not square else _beside(square, emitted, cut)
    return AttentionSurvey([attention.bare() for attention in attentions], apart, beside, reads)


def _lies(follow: Following) -> Lies:
    """How an emission lies, as it was followed."""

    def lies(a: Tensor) -> Located | None:
        mark = follow.of(a)
        return None if mark is None else located(mark, tuple(a.shape), follow.space)

    return lies


def _cut(
    network: Any, noise: Tensor, run: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> tuple[list[Emission], list[Tensor]]:  # fmt: skip
    """The layers' outputs, and the weights of all attentions, in a second pass with no gradient through attention.

    A token that still depends on another one in this pass is joined with it by something other than attention.
    """
    emitted: list[Emission] = []
    mode = Attending(network, checked=True, passed=lambda _, out: out.detach() + 0 * out)
    image = noise.detach().clone().requires_grad_().clone()
    follow = Following(image)
    with follow, mode, emissions(network, mode, emitted, [], _lies(follow)):
        run(image)
    return emitted, [call.weights.detach() for call in mode.calls]


def _steady(calls: list[AttentionCall], again: list[Tensor]) -> None:
    """Raises NotApplicable where the weights of a second pass with the same images differ."""
    for call, weights in zip(calls, again, strict=False):
        if not alike(weights, call.weights):
            raise NotApplicable(
                f"{call.layer} looks elsewhere each time that the same images come in, as where tokens are shuffled or left "
                "out by chance: its weights have no place in the image. Give the network without it."
            )


def _joined(call: AttentionCall, place: int, emitted: list[Emission], image: Tensor) -> MeasuredAttention:
    weights, values, n = call.weights, call.values, len(image)
    unknown = MeasuredAttention(call.layer, None, None, None, None, (weights.shape[-2], weights.shape[-1]), call.left_out)
    if values is None:
        return unknown
    if not weights.requires_grad or len(weights) % n:
        return unknown._replace(left_out=FROZEN if len(weights) % n == 0 else "its rows are no images")
    behind = [emission for emission in emitted if emission.attentions == place + 1][:MOST]
    before = [emission for emission in emitted if emission.attentions == place][-MOST:]
    values = values.expand(*weights.shape[:-2], -1, -1)
    keys, columns = _first([*before[::-1], *behind], lambda emission: _carried(emission, values), n)
    queries, rows = _first(behind, lambda emission: _rows_behind(emission, weights), n)
    why = "" if keys else BESIDE
    if queries is None and keys is None:
        why = NEITHER
    if columns is not None and queries is not None and _unplaced(values, columns, image):
        why, keys = STRAY, None
    if rows is not None and columns is not None and overlap(rows, columns):
        why = OVERLAP
    elif rows is not None and columns is not None and rows.shape == columns.shape and not torch.equal(rows, columns):
        why = TURNED
    return unknown._replace(queries=queries, keys=keys, rows=rows, columns=columns, left_out=why)


def _first(
    among: Sequence[Emission], follow: Callable[[Emission], Tensor | None], n: int
) -> tuple[Emission | None, Tensor | None]:
    """The first layer output whose tokens arrive unmixed in every row, else in some rows; and the token of each row (r, m).

    Tokens count only if they arrive in the same rows for all images.
    """
    partly: tuple[Emission | None, Tensor | None] = (None, None)
    for emission in among:
        tokens = follow(emission)
        if tokens is None:
            continue
        tokens_of_each = tokens.reshape(n, -1, tokens.shape[-1])  # (n, r, m)
        first = torch.arange(n, device=tokens_of_each.device)[:, None, None] * emission.length
        local = torch.where(tokens_of_each >= 0, tokens_of_each - first, -1)
        if bool((tokens_of_each[0] >= 0).any()) and bool((local < emission.length).all()) and bool((local == local[:1]).all()):
            if bool((local >= 0).all()):
                return emission, local[0]
            partly = (emission, local[0]) if partly[0] is None else partly
    return partly


def _unplaced(values: Tensor, columns: Tensor, image: Tensor) -> bool:
    """Do keys that belong to no known token depend on the image?  Those of padding do not."""
    stray = (columns < 0).expand(len(image), -1, -1).reshape(values.shape[:-1])
    if not bool(stray.any()):
        return False
    (g,) = torch.autograd.grad(values, [image], _noise(values) * stray[..., None], retain_graph=True, allow_unused=True)
    return g is not None and bool(g.any())


def _rows_behind(behind: Emission, weights: Tensor) -> Tensor | None:
    """For each row of the weights (..., q, k), the token of a later layer output that it makes: (..., q)."""
    tangent = _noise(behind.a)

    def sent(code: Tensor) -> Tensor | None:
        (g,) = torch.autograd.grad(behind.a, [weights], tangent * code, retain_graph=True, allow_unused=True)
        return g

    return decoded(sent, behind)


def _carried(before: Emission, values: Tensor) -> Tensor | None:
    """The token that each row of the values (..., k, c) is made of: (..., k).

    A product of the Jacobian with a vector, by differentiating the gradient once more.
    """
    dummy = torch.zeros_like(values).requires_grad_()
    try:
        (g,) = torch.autograd.grad(values, [before.a], dummy, create_graph=True, allow_unused=True)
    except RuntimeError:  # no gradient of a gradient
        return None
    if g is None or not g.requires_grad:
        return None
    tangent = _noise(before.a)

    def sent(code: Tensor) -> Tensor | None:
        (v,) = torch.autograd.grad(g, [dummy], tangent * code, retain_graph=True, allow_unused=True)
        return v

    return decoded(sent, before)


def _between(before: MeasuredAttention, behind: MeasuredAttention) -> str:
    """In words, what happens to tokens between two attentions; "" if each goes its way unmixed."""
    if before.queries is None or behind.keys is None or before.queries.length != behind.keys.length:
        return "the number of tokens changes"
    tokens = _carried(before.queries, behind.keys.tokens(behind.keys.a))
    if tokens is None:
        return "one does not come behind the other, or tokens are mixed in between"
    tokens = tokens.flatten()
    if bool((tokens < 0).all()):
        return "nothing of what the first makes goes on: a layer of zeros, as before training, lies behind it"
    return "" if bool((tokens == torch.arange(len(tokens), device=tokens.device)).all()) else "tokens change their places"


def _beside(square: list[MeasuredAttention], emitted: list[Emission], cut: list[Emission]) -> list[bool]:
    """For each attention: is there another way from token to token beside it?  cut: the layers' outputs by `_cut`."""
    again = {id(emission): other for emission, other in zip(emitted, cut, strict=True)}
    others = []
    for before, attention in zip([square[0].keys, *(attention.queries for attention in square)], square, strict=False):
        if before is None or attention.queries is None:
            continue
        behind = again[id(attention.queries)]
        there = _carried(again[id(before)], behind.tokens(behind.a))
        alone = torch.arange(len(there.flatten()), device=there.device) if there is not None else None
        others.append(there is None or not bool(((there.flatten() == alone) | (there.flatten() < 0)).all()))
    return others


def _noise(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(0)).to(like)


def _reads(raw: Tensor, last: Emission, entered: list[Tensor]) -> Tensor | None:
    """How strongly the scores depend on each token (tokens,) behind the last attention.

    Where the last linear layer is all zeros, as before training, its input stands for the scores.
    """
    for scores in (raw, *entered[-1:]):
        start = torch.arange(scores.numel(), device=scores.device, dtype=torch.float32).mul(2.4).cos().reshape(scores.shape)
        if not scores.requires_grad:
            continue
        (g,) = torch.autograd.grad(scores, [last.a], start.to(scores), retain_graph=True, allow_unused=True)
        if g is not None and bool(g.any()):
            return rearrange(last.tokens(g), "n m c -> m (n c)").float().norm(dim=-1)
    return None
