"""Which tokens of an image each attention of a network joins: measured with noise, not guessed from names or shapes.

`places/survey.py` tells where the tokens lie that the layers emit.  From there they are followed through the network: the
values forward, from what a layer emits to the keys, and the queries backward, from what a layer emits to the weights.  Each
token gets a number as its code, and what arrives must carry the code of a single token.  This finds the places of windows,
however they are shifted; it leaves out attention over channels, pooled keys, and tokens that a convolution has mixed.
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

MOST = 6  # how many layers before and behind an attention are tried, the nearest first


class TokenAttention(NamedTuple):
    """One attention, and the tokens that it joins."""

    layer: str
    queries: Emission | None  # the layer output whose tokens are its queries (rows); None if they are no tokens of the image
    keys: Emission | None  # the same for its keys (columns)
    rows: Tensor | None  # (r, q): the token of each row of the weights (n, r, q, k), -1 for a row of no token
    columns: Tensor | None  # (r, k): the token of each column
    size: tuple[int, int]  # (q, k)
    left_out: str = ""  # the reason, in words, why its places are not known

    @property
    def square(self) -> bool:
        """Are its queries and its keys the tokens of one grid?"""
        q, k = self.queries, self.keys
        if q is None or k is None or self.left_out:
            return False
        return q.lies.space == k.lies.space and q.length == k.length

    @property
    def beside(self) -> bool:
        """Are its keys tokens of the image, but not its queries, as in a head that pools by attention?"""
        return self.queries is None and self.keys is not None and self.size[0] < self.size[1]


class AttentionSurvey(NamedTuple):
    """Which tokens the attentions of a network join, and how else tokens are joined; measured in one pass of noise."""

    attentions: list[TokenAttention]
    apart: list[str]  # for each square one but the first: what mixes tokens between it and the one before, "" for nothing
    beside: list[bool]  # for each square one: does anything beside it mix tokens, too?  Empty if `apart` is not
    reads: Tensor | None  # (tokens,): how strongly the scores depend on each token behind the last square one
    rows: dict[str, tuple[int, str]]  # for each layer, the number of tokens of its last output, and the kind of its layout


@torch.enable_grad()
def attention_survey(network: Any, noise: Tensor, run: Callable[[Tensor], tuple[Tensor, Tensor]]) -> AttentionSurvey:
    """Run noise (n, c, *space) forward and follow the tokens through each attention."""
    emitted: list[Emission] = []
    entered: list[Tensor] = []
    mode = Attending(network)
    image = noise.detach().clone().requires_grad_().clone()
    follow = Following(image)
    with follow, mode, emissions(network, mode, emitted, entered, _lies(follow)) as rows:
        raw, _ = run(image)
    cut, again = _cut(network, noise, run) if mode.calls else ([], [])
    _steady(mode.attentions(), again)
    attentions = [_joined(call, i, emitted, image) for i, call in enumerate(mode.calls)]
    square = [attention for attention in attentions if attention.square]
    apart = [_between(before, behind) for before, behind in pairwise(square)]
    reads = _reads(raw, square[-1].queries, entered) if square and square[-1].queries else None
    beside = [] if any(apart) or not square else _beside(square, emitted, cut)
    bare = [attention._replace(queries=_bare(attention.queries), keys=_bare(attention.keys)) for attention in attentions]
    return AttentionSurvey(bare, apart, beside, reads, rows)


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
    mode = Attending(network, cut=True, checked=True)
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


def _bare(emission: Emission | None) -> Emission | None:
    """The same without its tensor, which holds the graph of the pass."""
    return emission and emission._replace(a=torch.empty(0))


def _joined(call: AttentionCall, place: int, emitted: list[Emission], image: Tensor) -> TokenAttention:
    weights, values, n = call.weights, call.values, len(image)
    unknown = TokenAttention(call.layer, None, None, None, None, (weights.shape[-2], weights.shape[-1]), call.left_out)
    if values is None:
        return unknown
    if not weights.requires_grad or len(weights) % n:
        return unknown._replace(left_out="no gradient passes it" if len(weights) % n == 0 else "its rows are no images")
    behind = [emission for emission in emitted if emission.attentions == place + 1][:MOST]
    before = [emission for emission in emitted if emission.attentions == place][-MOST:]
    values = values.expand(*weights.shape[:-2], -1, -1)
    keys, columns = _first([*before[::-1], *behind], lambda emission: _carried(emission, values), n)
    queries, rows = _first(behind, lambda emission: _rows_behind(emission, weights), n)
    why = "" if keys else "its keys are no tokens of the image, or several are pooled into one, or its values are mixed"
    if queries is None and keys is None:
        why = "it cannot be followed to tokens of the image: channels attend to channels, or tokens are mixed around it"
    if columns is not None and queries is not None and _unplaced(values, columns, image):
        why, keys = "some of its keys are no tokens that a layer emits", None
    if rows is not None and columns is not None and _overlap(rows, columns):
        why = "its windows overlap: a token is the sum of what several windows make of it"
    elif rows is not None and columns is not None and rows.shape == columns.shape and not torch.equal(rows, columns):
        why = "tokens change their places in it: what it makes lies in another order than what it looks at"
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


def _overlap(rows: Tensor, columns: Tensor) -> bool:
    """Does a token lie in several windows of one head, or twice in one window?"""
    windows = torch.cat([rows, columns], 1).unique(dim=0)
    filled = windows[:, : rows.shape[1]]
    ordered = columns.sort(1).values
    return len(filled[filled >= 0].unique()) < int((filled >= 0).sum()) or bool(
        ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()
    )


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


def _between(before: TokenAttention, behind: TokenAttention) -> str:
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


def _beside(square: list[TokenAttention], emitted: list[Emission], cut: list[Emission]) -> list[bool]:
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
