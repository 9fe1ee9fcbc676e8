"""Which tokens of an image each attention of a network joins: proved on noise, not told from names or shapes.

How the tokens lie is known of what the layers emit (`survey.py`).  From there they are followed through the very network:
the values forward, from a layer's emission to the keys, and the queries back, from an emission to the weights.  Each token is
sent a code, and what arrives must carry the code of one token alone.  Windows, however they are shifted, are so put in their
place; attention over channels, pooled keys and tokens that a convolution mixed in between are told apart.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from seewhy.errors import NotApplicable

from .emissions import Emission, Lies, decoded, emissions
from .met import Attending, Met, alike

MOST = 6  # emissions that are tried on each side of an attention


class Joined(NamedTuple):
    """One attention, and the tokens that it joins."""

    layer: str
    queries: Emission | None  # over whose tokens its rows lie; None: they are no tokens of the image
    keys: Emission | None  # over whose its columns lie
    rows: Tensor | None  # (r, q): the token that each row of (n, r, q, k) belongs to, -1 of none
    columns: Tensor | None  # (r, k)
    size: tuple[int, int]  # (q, k)
    left_out: str = ""  # why its places are not known

    @property
    def square(self) -> bool:
        """Does it join the tokens of one row with each other?"""
        q, k = self.queries, self.keys
        if q is None or k is None or self.left_out:
            return False
        return q.lies.space == k.lies.space and q.length == k.length

    @property
    def beside(self) -> bool:
        """Do others than tokens of the image look at these, as where a head pools by attention?"""
        return self.queries is None and self.keys is not None and self.size[0] < self.size[1]


class Looked(NamedTuple):
    """What a pass of noise told."""

    joined: list[Joined]
    apart: list[str]  # of the square ones, what lies between each and the one before, other than single tokens' own ways
    beside: list[bool]  # of the square ones, is there another way from token to token beside it?  Empty if any lies apart
    reads: Tensor | None  # (tokens,): how strongly the scores depend on each token behind the last of them, on average
    rows: dict[str, tuple[int, str]]  # how many tokens each layer last emitted, and the kind of its layout


@torch.enable_grad()
def looked(network: Any, noise: Tensor, run: Callable[[Tensor], tuple[Tensor, Tensor]], lies: Lies) -> Looked:
    """Run noise (n, c, *space) forward and follow the tokens through each attention."""
    emitted: list[Emission] = []
    entered: list[Tensor] = []
    mode = Attending(network)
    image = noise.detach().clone().requires_grad_().clone()
    with mode, emissions(network, mode, emitted, entered, lies) as emits:
        raw, _ = run(image)
    cut, again = _cut(network, noise, run, lies) if mode.met else ([], [])
    _steady(mode.attentions(), again)
    joined = [_joined(met, i, emitted, image) for i, met in enumerate(mode.met)]
    own = [one for one in joined if one.square]
    apart = [_between(before, behind) for before, behind in pairwise(own)]
    reads = _reads(raw, own[-1].queries, entered) if own and own[-1].queries else None
    beside = [] if any(apart) or not own else _beside(own, emitted, cut)
    bare = [one._replace(queries=_bare(one.queries), keys=_bare(one.keys)) for one in joined]
    return Looked(bare, apart, beside, reads, emits)


def _cut(
    network: Any, noise: Tensor, run: Callable[[Tensor], tuple[Tensor, Tensor]], lies: Lies
) -> tuple[list[Emission], list[Tensor]]:  # fmt: skip
    """What is emitted, and the weights, once more, where no gradient comes back through attention: what still joins tokens
    is something else."""
    emitted: list[Emission] = []
    mode = Attending(network, cut=True)
    with mode, emissions(network, mode, emitted, [], lies):
        run(noise.detach().clone().requires_grad_().clone())
    return emitted, [met.weights.detach() for met in mode.met]


def _steady(met: list[Met], again: list[Tensor]) -> None:
    """NotApplicable where the same images gave other weights."""
    for one, other in zip(met, again, strict=False):
        if not alike(other, one.weights):
            raise NotApplicable(
                f"{one.layer} looks elsewhere each time that the same images come in, as where tokens are shuffled or left out "
                "by chance: its weights have no place in the image. Give the network without it."
            )


def _bare(emission: Emission | None) -> Emission | None:
    """Without the graph."""
    return emission and emission._replace(a=torch.empty(0))


def _joined(met: Met, place: int, emitted: list[Emission], image: Tensor) -> Joined:
    weights, values, n = met.weights, met.values, len(image)
    unknown = Joined(met.layer, None, None, None, None, (weights.shape[-2], weights.shape[-1]), met.left_out)
    if values is None:
        return unknown
    if not weights.requires_grad or len(weights) % n:
        return unknown._replace(left_out="no gradient passes it" if len(weights) % n == 0 else "its rows are no images")
    behind = [one for one in emitted if one.met == place + 1][:MOST]
    before = [one for one in emitted if one.met == place][-MOST:]
    values = values.expand(*weights.shape[:-2], -1, -1)
    keys, columns = _first([*before[::-1], *behind], lambda one: _carried(one, values), n)
    queries, rows = _first(behind, lambda one: _asked(one, weights), n)
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
    """The first emission whose tokens arrive one by one everywhere, else somewhere; and where, alike in all images: (r, m)."""
    partly: tuple[Emission | None, Tensor | None] = (None, None)
    for one in among:
        found = follow(one)
        if found is None:
            continue
        own = found.reshape(n, -1, found.shape[-1])  # (n, r, m)
        first = torch.arange(n, device=own.device)[:, None, None] * one.length
        local = torch.where(own >= 0, own - first, -1)
        if bool((own[0] >= 0).any()) and bool((local < one.length).all()) and bool((local == local[:1]).all()):
            if bool((local >= 0).all()):
                return one, local[0]
            partly = (one, local[0]) if partly[0] is None else partly
    return partly


def _overlap(rows: Tensor, columns: Tensor) -> bool:
    """Does a token have several rows in one head, or a row a token twice?"""
    windows = torch.cat([rows, columns], 1).unique(dim=0)
    filled = windows[:, : rows.shape[1]]
    seen = columns.sort(1).values
    return len(filled[filled >= 0].unique()) < int((filled >= 0).sum()) or bool(
        ((seen[:, 1:] == seen[:, :-1]) & (seen[:, 1:] >= 0)).any()
    )


def _unplaced(values: Tensor, columns: Tensor, image: Tensor) -> bool:
    """Is there anything of the image in keys that are no token that is known?  Padding holds none."""
    stray = (columns < 0).expand(len(image), -1, -1).reshape(values.shape[:-1])
    if not bool(stray.any()):
        return False
    (g,) = torch.autograd.grad(values, [image], _noise(values) * stray[..., None], retain_graph=True, allow_unused=True)
    return g is not None and bool(g.any())


def _asked(behind: Emission, weights: Tensor) -> Tensor | None:
    """The token behind which each row of the weights (..., q, k) comes out: (..., q)."""
    tangent = _noise(behind.a)

    def sent(code: Tensor) -> Tensor | None:
        (g,) = torch.autograd.grad(behind.a, [weights], tangent * code, retain_graph=True, allow_unused=True)
        return g

    return decoded(sent, behind)


def _carried(before: Emission, values: Tensor) -> Tensor | None:
    """The token that each row of the values (..., k, c) is made of: (..., k).  By the gradient's own gradient."""
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


def _between(before: Joined, behind: Joined) -> str:
    """What joins tokens between two attentions, other than they themselves; "" for nothing."""
    if before.queries is None or behind.keys is None or before.queries.length != behind.keys.length:
        return "the number of tokens changes"
    found = _carried(before.queries, behind.keys.tokens(behind.keys.a))
    if found is None:
        return "one does not come behind the other, or tokens are mixed in between"
    there = found.flatten()
    if bool((there < 0).all()):
        return "nothing of what the first makes goes on: a layer of zeros, as before training, lies behind it"
    return "" if bool((there == torch.arange(len(there), device=there.device)).all()) else "tokens change their places"


def _beside(own: list[Joined], emitted: list[Emission], cut: list[Emission]) -> list[bool]:
    """Is there another way from token to token beside each attention, from behind the one before on?  By what `_cut` emits."""
    again = {id(one): other for one, other in zip(emitted, cut, strict=True)}
    found = []
    for before, one in zip([own[0].keys, *(one.queries for one in own)], own, strict=False):
        if before is None or one.queries is None:
            continue
        behind = again[id(one.queries)]
        there = _carried(again[id(before)], behind.tokens(behind.a))
        alone = torch.arange(len(there.flatten()), device=there.device) if there is not None else None
        found.append(there is None or not bool(((there.flatten() == alone) | (there.flatten() < 0)).all()))
    return found


def _noise(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(0)).to(like)


def _reads(raw: Tensor, last: Emission, entered: list[Tensor]) -> Tensor | None:
    """How strongly the scores depend on each token (tokens,) behind the last attention; of a head of zeros, what enters it."""
    for scores in (raw, *entered[-1:]):
        start = torch.arange(scores.numel(), device=scores.device, dtype=torch.float32).mul(2.4).cos().reshape(scores.shape)
        if not scores.requires_grad:
            continue
        (g,) = torch.autograd.grad(scores, [last.a], start.to(scores), retain_graph=True, allow_unused=True)
        if g is not None and bool(g.any()):
            return rearrange(last.tokens(g), "n m c -> m (n c)").float().norm(dim=-1)
    return None
