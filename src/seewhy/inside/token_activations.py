"""Token activation maps: how much each image token alone speaks for a word, without what the words before it speak for."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.image_facts import image_facts
from seewhy.images.inputs import Images
from seewhy.images.places import Cells
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.maps.record import recorded
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, source_from
from seewhy.maps.turning import turned_back
from seewhy.models.model import Attention, Differentiable, require
from seewhy.targets.parse import read
from seewhy.targets.target import is_whole
from seewhy.targets.token import Token, logits_of
from seewhy.targets.written import WrittenText

from .asked_rows import AskedRows, asked_rows

CAVEAT = (
    "the logits at image tokens were never trained to name anything, and in a causal model these saw none of the question; the "
    "subtraction is an estimate"
)


@known_names()
def token_activation(
    model: Differentiable, images: Images, target: Token | str | int | Sequence[Token | str | int], corrected: bool = True,
    window: int = 3,
) -> Heatmaps:  # fmt: skip
    """Where image tokens alone speak for a word that the model wrote: one map per image and token.

    A(c) = relu(the logit of c at each image token); with `corrected` relu(A(c) - s I), I = sum_j w_j A(c_j) over the words j
    behind the image and before the token, but for the same word, w_j = relu(the logit of c at the place of word j) over their
    sum (of a word that was written: at the place that foretells it), s = <A, I> / <I, I>, the least squares; then the rank
    Gaussian filter over windows of window x window cells (1: none).  Of a word of several tokens the mean over them, whose
    own tokens do not correct each other.
    Source: Li et al. 2025, Token Activation Map to Visually Explain Multimodal LLMs, and the authors' code, which stretches
    the logits to [0, 1] before the filter; here they keep their units.
    Raises NotApplicable where the image's tokens do not stand among the words, as with cross-attention.
    """
    require(model, "gradients", "token_activation reads where image tokens stand", "Try occlusion.", "this model")
    if isinstance(window, bool) or not isinstance(window, int) or window < 1 or window % 2 == 0:
        raise BadParameter(f"window={window!r}: an odd number of cells, 3 as in the paper, or 1 for no filter.")
    asked: list[Any] = [*target] if isinstance(target, list | tuple) else [target]
    found = [each for one in asked for each in (read(one) if isinstance(one, str) else [Token(one) if is_whole(one) else one])]
    if not found or not all(isinstance(each, Token) for each in found):
        raise BadParameter(f'target={target!r}: give Token("dog"), "token:dog", a number, or a list of such.')
    maps: list[Heatmap] = []
    place = 0
    for batch in model.batches(images, True):
        rows = [[*asked_rows(model, batch, place, each)] for each in found]  # of each token, image by image
        for of_image in zip(*rows, strict=True):
            maps += [_map(each, corrected, window) for each in of_image]
        place += len(batch.x)
    return Heatmaps(tuple(maps))


class CorrectedActivation(NamedTuple):
    """The activation of a token, and what was taken away."""

    values: Floats  # (cells,)
    scale: float
    words: int


def correction(a: Floats, others: Floats, weights: Floats) -> CorrectedActivation:
    """relu(a - s I), I = sum_j w_j others_j, s = <a, I> / <I, I>: a (cells,), others (words, cells), weights (words,)."""
    total = weights.sum()
    interference = weights @ others / total if total else np.zeros_like(a)
    size = interference @ interference
    scale = float(a @ interference / size) if size else 0.0
    return CorrectedActivation((a - scale * interference).clip(0), scale, int((weights > 0).sum()))


def rank_gaussian(a: Floats, window: int) -> Floats:
    """Of each cell of a map (h, w) the mean of the window around it, each value weighted by exp(-r^2 / 2 v^2): r its rank from
    the median, v the window's standard deviation over its mean.  Borders are mirrored.
    """
    if window == 1 or not a.any():
        return a
    near = window // 2
    around = np.pad(a, near, mode="reflect" if min(a.shape) > near else "edge")
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(around, (window, window)).reshape(*a.shape, -1), -1)
    mean = ordered.mean(-1, keepdims=True)
    spread = np.divide(ordered.std(-1, keepdims=True), mean, out=np.zeros_like(mean), where=mean > 0)
    rank = np.arange(window**2) - window**2 // 2
    of = np.exp(-(rank**2) / np.maximum(2 * spread**2, 1e-12))  # of a window all alike its median
    return (ordered * of).sum(-1) / of.sum(-1)


def _map(asked: AskedRows, corrected: bool, window: int) -> Heatmap:
    start = perf_counter()
    model, batch = asked.model, asked.batch
    block = _among_words(asked)
    written: WrittenText = asked.pinned.written  # type: ignore[union-attr]
    at: tuple[int, ...] = asked.pinned.at  # type: ignore[union-attr]
    logits = numbers(logits_of(model.whole(batch.x)))[0].astype(np.float64).clip(0)  # (rows, vocabulary)
    found = [_of_token(logits, block, written, at, i, corrected) for i in at]
    values = rank_gaussian(block.keys.grid_of(_spread(np.mean([each.values for each in found], 0), block)), window)
    known = model.cells(block.layer, batch.x)
    placed = Cells.of(known[1], batch.x.shape[2:]) if known is not None and known[0] == block.keys.grid else None
    scale, words = float(np.mean([each.scale for each in found])), float(np.mean([each.words for each in found]))
    source = source_from(
        model=ModelFacts.of(model),
        method=MethodFacts("token-activation", {"corrected": corrected, "window": window}, CAVEAT),
        target=asked.target(),
        predicted=None,
        this=MapFacts(
            image=batch.names[0],
            layer="image tokens at the logits",
            seconds=perf_counter() - start,
            geometry="receptive-field" if placed else "plain",
            warnings=batch.notes[0] + asked.pinned.notes,  # type: ignore[union-attr]
            measured={"scale": scale, "words": words} if corrected else {},
            read=image_facts(batch, 0, model.prepare),
        ),
    )
    photo = batch.photos[0]
    heatmap = Heatmap(
        values.astype(np.float32), photo.pixels if photo else None, batch.boxes[0], source, asked.place, cells=placed
    )
    return recorded(turned_back(heatmap))


def _spread(cells: Floats, block: Attention) -> Floats:
    """Cells in their places among all tokens."""
    row = np.zeros(block.keys.length)
    row[block.keys.in_image] = cells
    return row


def _of_token(
    logits: Floats, block: Attention, written: WrittenText, own: tuple[int, ...], i: int, corrected: bool
) -> CorrectedActivation:  # fmt: skip
    """The activation of token i of the text."""
    patches, token = block.keys.in_image, written.ids[i]
    a = logits[patches, token]
    if not corrected:
        return CorrectedActivation(a, 0.0, 0)
    asked = [(row, word) for row, word in enumerate(written.given) if row > patches.max()]
    before = [(written.row + j, word) for j, word in enumerate(written.ids[:i]) if j not in own]
    words = [(row, word) for row, word in (*asked, *before) if word != token]
    others = np.array([logits[patches, word] for _, word in words]).reshape(len(words), len(patches))
    return correction(a, others, np.array([logits[row, token] for row, _ in words]))


def _among_words(asked: AskedRows) -> Attention:
    """The last attention over the words and the image's tokens among them: it tells which these are."""
    attended = asked.attended()
    blocks = [each for each in attended.layers if each.queries.grid and not asked.why_not(attended, each)]
    if not blocks:
        raise NotApplicable(
            f"{asked.model.name} has no image tokens among its words, whose logits token_activation reads; it looks at the "
            "image in another way. Ask for attention(model, image, query=Token(...)), gradient or occlusion."
        )
    return blocks[-1]
