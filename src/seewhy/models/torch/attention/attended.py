"""What a network's attentions look at in these very images, and what the scores make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, NeedsGradients, NotApplicable
from seewhy.memory import out_of_memory
from seewhy.models.model import ATTENTION, INPUT, Attended, Tokens
from seewhy.models.torch.cuts import why_none
from seewhy.models.torch.passes.backward import gradients
from seewhy.models.torch.passes.taps import ordered_gradients
from seewhy.models.torch.places.layout import Layout, Located
from seewhy.models.torch.rows import learn_rows
from seewhy.models.torch.runner import Runner
from seewhy.models.torch.scores import as_numpy, plain
from seewhy.targets.target import Target, weighted

from .attending import Attending, AttentionCall
from .blocks import at_each_block
from .measured import measured_survey
from .met import TokenAttention, TokenRow
from .places import AttentionSurvey, attention_survey

LOOK = "attention(model, images, layer=...) shows single layers' weights. "
TRY = "Grad-CAM and other methods explain such networks."


@dataclass(frozen=True)
class TorchAttention:
    """The weights of one attention, in images (n, c, *space); windows are put in their places when they are read."""

    layer: str
    queries: Tokens
    keys: Tokens
    weights: Tensor  # (n, r, q, k): heads, or windows and heads, as it ran
    slopes: Tensor | None  # (t, n, r, q, k): the gradient of each explained score toward them
    groups: tuple[tuple[Tensor, Tensor, Tensor], ...] | None  # windows: members (heads,), rows (q,), columns (k,); None: all

    @property
    def a(self) -> Array:
        """(n, heads, queries, keys)."""
        return plain(self._spread(self.weights))

    @property
    def g(self) -> Array:
        """(t, n, heads, queries, keys)."""
        if self.slopes is None:
            raise AssertionError("asked for without targets")
        return torch.stack([plain(self._spread(slopes)) for slopes in self.slopes])

    def read(self, share: NDArray[Any]) -> NDArray[Any]:
        """What queries look at, mixed by `share` (n, queries): (n, heads, keys), without spreading out all others."""
        of = torch.as_tensor(share).to(self.weights)
        if self.groups is None:
            return as_numpy(torch.einsum("nhqk,nq->nhk", self.weights, of))
        out = self.weights.new_zeros(len(of), len(self.groups[0][0]), self.keys.length)
        for members, rows, columns in self.groups:
            q, k = rows >= 0, columns >= 0
            part = torch.einsum("nhqk,nq->nhk", self.weights[:, members][:, :, q], of[:, rows[q]])
            out.index_add_(2, columns[k], part[:, :, k])
        return as_numpy(out)

    def _spread(self, weights: Tensor) -> Tensor:
        if self.groups is None:
            return weights
        out = weights.new_zeros(len(weights), len(self.groups[0][0]), self.queries.length, self.keys.length)
        for members, rows, columns in self.groups:
            q, k = rows >= 0, columns >= 0
            out[:, :, rows[q][:, None], columns[k]] = weights[:, members][:, :, q][..., k]
        return out


def attended(runner: Runner, x: Array, targets: Sequence[Target], whole: bool, each: bool) -> Attended:
    """One forward pass of x (n, c, *space), and with targets the gradients of their scores toward all attention weights.

    whole: NotApplicable unless every attention joins the tokens of one row, the same in all layers, and nothing else joins
    them; else what can be placed is told, with attention of queries that lie nowhere (of objects, words, probes that pool), and
    in `left_out` what cannot.  each: of each layer, the score that the network's own end makes of the tokens behind that
    layer's block, in place of the last, and no gradient but through that block.
    """
    with runner.ready(x) as x:
        survey = survey_of(runner, x, whole)
        survey = survey if whole else survey.with_other_queries
        if not survey.attentions:
            raise NotApplicable(
                f"{runner.name} has no attention that can be seen: no F.scaled_dot_product_attention, no MultiheadAttention, "
                "and no softmax whose rows are multiplied with values. Other libraries' kernels hide it: ask "
                "transformers for attn_implementation='sdpa' or 'eager'."
            )
        if whole:
            _check(survey, lambda: why_none(runner, x, INPUT))
        with ordered_gradients(runner.network, len(x)), torch.set_grad_enabled(bool(targets)):
            calls, raw, scores, copied = _run(runner, x, survey, bool(targets), each)
        if [call.layer for call in calls] != [attention.layer for attention in survey.attentions]:
            raise NotApplicable(f"{runner.name} runs other attentions for these images than for noise: they are not followed.")
        if targets:
            runner.reader.require_slopes(runner.aims)
        blocks = len(raw) // len(x)
        learn_rows(runner, x, raw[-len(x) :])
        answer = runner.answer(raw[-len(x) :], scores[-len(x) :])
        weights = weighted(targets, answer.scores) if targets else np.zeros((0, *answer.scores.shape))
        sloping = _sloping(calls, survey, whole) if targets else []
        slopes = _slopes(scores, np.tile(weights, (1, blocks, 1)), calls, sloping) if targets else {}
        _place(runner, survey, x)
        if copied:
            calls, slopes = _of_copies(calls, slopes, survey, blocks)
        layers = [
            _attention(call, attention, slopes.get(i), len(x))
            for i, (call, attention) in enumerate(zip(calls, survey.attentions, strict=True))
        ]
        placed = [layer for layer in layers if layer is not None]
        out = {
            attention.layer: _why(attention)
            for attention, layer in zip(survey.attentions, layers, strict=True)
            if layer is None
        }
        return Attended(answer, weights, placed, _shares(survey), out)


def _run(
    runner: Runner, x: Tensor, survey: AttentionSurvey, grad: bool, each: bool
) -> tuple[list[AttentionCall], Tensor, Tensor, bool]:
    """The attentions of a pass, what the network gave, and the scores; of each block's tokens, where these are asked for, and
    then, whether copies of the images came in, since the network's end counts them.
    """

    def run(copies: bool) -> tuple[list[AttentionCall], Tensor, Tensor, bool]:
        mode = Attending(runner.network, checked=True)  # by the survey
        entered = x.requires_grad_().clone() if grad else x
        with mode:
            raw, scores = at_each_block(runner, entered, survey, copies) if each else runner.run(entered)
        return mode.attentions(), raw, scores, copies

    try:
        return run(False)
    except NotApplicable:
        if not each or runner.end is not None or runner.call.inputs.rows:
            raise
    return run(True)


def _of_copies(
    calls: list[AttentionCall], slopes: dict[int, Tensor], survey: AttentionSurvey, copies: int
) -> tuple[list[AttentionCall], dict[int, Tensor]]:
    """Of each attention, the rows of the copies of the images whose tokens behind its block went on."""
    square = [i for i, attention in enumerate(survey.attentions) if attention.square and attention.queries is not None]
    at = {i: square.index(i) if i in square else copies - 1 for i in range(len(calls))}
    mine = [replace(call, weights=call.weights.chunk(copies)[at[i]]) for i, call in enumerate(calls)]
    return mine, {i: slope.chunk(copies, 1)[at[i]] for i, slope in slopes.items()}


def survey_of(runner: Runner, x: Tensor, whole: bool) -> AttentionSurvey:
    """Which tokens the network's attentions join: found out by a pass of noise, once for images of this shape.

    What the calls of that pass do not tell is measured: of single attentions; whole: of how all together join tokens.
    """
    key, learned = runner.key(x), runner.learned.attention
    told = learned.of((key, "told"), lambda: _survey(attention_survey, runner, x, 1))
    if not told.attentions or (told.decided if whole else not told.unknown):
        return told
    measured = learned.of((key, "measured"), lambda: _measured(runner, x))
    if whole:
        return replace(measured, marks=told.marks)
    both = zip(told.attentions, measured.attentions, strict=True)
    attentions = [other if i in told.unknown else one for i, (one, other) in enumerate(both)]
    return replace(told, attentions=attentions)


def _measured(runner: Runner, x: Tensor) -> AttentionSurvey:
    try:
        return _survey(measured_survey, runner, x, 2)  # two images, so that an axis of one is known to be no batch
    except (BadNetwork, RuntimeError) as error:
        if out_of_memory(error):
            raise
        return _survey(measured_survey, runner, x, 1)  # some networks take no two


def _survey(by: Callable[..., AttentionSurvey], runner: Runner, x: Tensor, count: int) -> AttentionSurvey:
    """Run noise like so many images x and follow the tokens."""
    noise = torch.randn((2, *x.shape[1:]), generator=torch.Generator().manual_seed(0)).to(x)
    if runner.aims:  # which read what is in this very image
        noise = x[:1].detach() + 1e-3 * x.std() * noise
    return by(runner.network, noise[:count], runner.run)


def _check(survey: AttentionSurvey, cut: Callable[[], str]) -> None:
    """NotApplicable where products of attention matrices say nothing about tokens.  cut: why no gradient comes back, if so."""
    advice = (LOOK if any(_placed(attention) for attention in survey.attentions) else "") + TRY
    for attention in survey.attentions:
        if not attention.square and not attention.beside:
            why = f"{_why(attention)}, so that the layers' weights cannot be multiplied"
            raise NotApplicable(f"{attention.layer}: {why}. {advice}")
    square = [attention for attention in survey.attentions if attention.square]
    if not square:
        raise NotApplicable(f"No attention of this network joins the image's tokens with each other. {advice}")
    for before, behind, why in zip(square, square[1:], survey.apart, strict=False):
        if why:
            raise NotApplicable(f"Between {before.layer} and {behind.layer} {why}: attention alone does not tell. {advice}")
    if mixed := [attention.layer for attention, beside in zip(square, survey.beside, strict=True) if beside]:
        raise NotApplicable(
            f"Beside {mixed[0]} tokens are mixed by something else, too, as by a convolution: attention alone does not tell. "
            f"{advice}"
        )
    if survey.reads is None:
        if why := cut():
            raise NeedsGradients(why)
        raise NotApplicable(f"The scores do not depend on the tokens behind {square[-1].layer}, the last attention. {advice}")


def _why(attention: TokenAttention) -> str:
    if attention.left_out:
        return attention.left_out
    if attention.beside:
        queries = attention.size[0]
        return f"{queries} other quer{'y looks' if queries == 1 else 'ies look'} at the tokens, as where a head pools"
    if attention.queries is None or attention.keys is None:
        return "its queries cannot be followed to tokens of the image"
    of = " tokens look at ".join(_sides(tokens) for tokens in (_tokens(attention.queries), _tokens(attention.keys)))
    return f"{of}, which are pooled"


def _placed(attention: TokenAttention) -> bool:
    """Is it known where its rows and columns lie?"""
    return not (
        attention.left_out
        or attention.queries is None
        or attention.keys is None
        or attention.rows is None
        or attention.columns is None
    )


def _sides(tokens: Tokens) -> str:
    return "x".join(map(str, tokens.grid))


def _tokens(row: TokenRow) -> Tokens:
    return Tokens(row.length, row.grid, row.cells)


def _attention(call: AttentionCall, attention: TokenAttention, slopes: Tensor | None, n: int) -> TorchAttention | None:
    if (
        attention.queries is None
        or attention.keys is None
        or attention.rows is None
        or attention.columns is None
        or attention.left_out
    ):
        return None
    weights = call.weights.detach().reshape(n, -1, *attention.size)
    queries, keys = _tokens(attention.queries), _tokens(attention.keys)
    turned = None if slopes is None else slopes.reshape(-1, n, *weights.shape[1:])
    return TorchAttention(call.layer, queries, keys, weights, turned, _groups(attention, queries, keys))


def _groups(attention: TokenAttention, queries: Tokens, keys: Tokens) -> tuple[tuple[Tensor, Tensor, Tensor], ...] | None:
    """The heads of each window, and where its rows and columns lie; None where all heads see all tokens in order."""
    rows, columns = attention.rows, attention.columns
    if rows is None or columns is None:
        return None
    in_order = [bool((at == torch.arange(count, device=at.device)).all()) if at.shape[1] == count else False
                for at, count in ((rows, queries.length), (columns, keys.length))]  # fmt: skip
    if all(in_order):
        return None
    windows: dict[Any, list[int]] = {}
    for r, key in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        windows.setdefault((tuple(key[0]), tuple(key[1])), []).append(r)
    if len({len(members) for members in windows.values()}) > 1:
        raise NotApplicable(f"{attention.layer}: its windows have heads of different numbers.")
    device = rows.device
    return tuple((torch.tensor(heads, device=device), rows[heads[0]], columns[heads[0]]) for heads in windows.values())


def _sloping(calls: list[AttentionCall], survey: AttentionSurvey, whole: bool) -> list[int]:
    """The attentions, by their places, toward whose weights gradients are taken: those over tokens; else all that have some."""
    if not whole:
        return [i for i, each in enumerate(survey.attentions) if _placed(each) and calls[i].weights.requires_grad]
    square = [i for i, attention in enumerate(survey.attentions) if attention.square]
    fixed = [calls[i].layer for i in square if not calls[i].weights.requires_grad]
    if fixed:
        raise NotApplicable(f"{fixed[0]} runs under no_grad, so the score has no gradient toward its weights.")
    return square


def _slopes(scores: Tensor, weights: NDArray[Any], calls: list[AttentionCall], those: list[int]) -> dict[int, Tensor]:
    """The gradients (t, ...) toward the weights of each of those attentions, by its place among all."""
    grads = gradients(scores, [calls[i].weights for i in those], weights)
    zeros: Callable[[int], Tensor] = lambda i: calls[i].weights.new_zeros(len(weights), *calls[i].weights.shape)  # noqa: E731
    return {i: zeros(i) if g is None else g for i, g in zip(those, grads, strict=True)}


def _shares(survey: AttentionSurvey) -> NDArray[Any]:
    """In which shares the head reads the tokens: all patches alike.

    A token of no place counts as one patch if the scores depend on it about as much as on one patch (it is pooled with them),
    and as all patches together if they depend on it about as much as on all; the geometric mean is the border.
    """
    square = [attention for attention in survey.attentions if attention.square]
    if survey.reads is None or not square or square[-1].queries is None:
        return np.zeros(0)
    reads, patches = survey.reads.cpu().numpy().astype(float), _tokens(square[-1].queries).in_image
    there, among = reads > 0, int((reads[patches] > 0).sum())
    pooled = reads < among**0.5 * reads[patches].sum() / max(1, among)
    pooled[patches] = True
    share = np.where(there, np.where(pooled, 1.0, max(1, among)), 0.0)
    return share / share.sum()


def _place(runner: Runner, survey: AttentionSurvey, x: Tensor) -> None:
    """Cells of attention lie where those of the tokens do that are looked at."""
    facts = runner.of_size(x)
    for attention in survey.attentions:
        keys = attention.keys
        if keys is None or keys.place is None:
            continue
        grid = keys.grid
        for name in (attention.layer, ATTENTION) if attention.square else (attention.layer,):
            own = facts.at(name)
            if own is None or own.layout is None or own.layout.space != grid:
                facts.located[name] = Located((), Layout.first(1, grid), keys.place)
