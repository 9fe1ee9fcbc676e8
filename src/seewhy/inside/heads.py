"""What single attention heads look at: the weights of attention as they are, drawn as maps."""

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.explaining.image_facts import image_facts
from seewhy.images.inputs import Images
from seewhy.images.places import Cells, Extent, Turned
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.maps.record import recorded
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, Predicted, TargetFacts, source_from
from seewhy.maps.turning import turned_back
from seewhy.models.model import Attended, Attention, Differentiable, require
from seewhy.prepare.batch import Batch
from seewhy.targets.aim import ImageView

MEAN, CLASS = "mean", "class"
CAVEAT = (
    "attention says where a head looks, not what it takes from there, nor whether the answer rests on it (Jain & Wallace "
    "2019); transformer-relevance weighs it by the gradient of a class"
)


@known_names()
def attention(
    model: Differentiable, images: Images, layer: str | Sequence[str] | None = None, head: int | str | None = None,
    query: str | int | tuple[float, float] = CLASS,
) -> Heatmaps:  # fmt: skip
    """The weights of a transformer's attention as they are: where each head looks when it fills one token anew.

    model, images: as for a method.  layer: a name, such as blocks.11.attn or the block around it, or a list; None for all
    whose places are known.  head: its number from 0 on, "mean" over heads, or None for each of them.  query: whose row is
    shown: "class", what the head of the network reads (the class token; where it reads patches, their mean), a token by its
    number from 0 on, class token and its like included, or (y, x), the patch at that pixel of the photo.
    Returns one map per image, layer and head, in this order.  A whole row sums to one; what of it goes to tokens of no
    place is Source.measured["dropped"].
    Raises NoSuchName for a layer that holds no attention, NotApplicable where its places in the image are not known (channels
    that attend to channels, keys that are pooled by convolutions, heads mixed behind the softmax), BadParameter for a head
    or query that does not exist.
    """
    require(model, "gradients", "attention reads the inside of a network", "Try occlusion or rise.", "this model")
    if isinstance(layer, list | tuple) and not layer:
        raise BadParameter("The list of layers is empty. Give a name, a list of names, or None for all.")
    maps: list[Heatmap] = []
    place = 0
    for batch in model.batches(images, True):
        maps += _batch_maps(model.beside(place, len(batch.x)), batch, place, layer, head, query)
        place += len(batch.x)
    return Heatmaps(tuple(maps))


def _batch_maps(model: Any, batch: Batch, place: int, layer: Any, head: Any, query: Any) -> list[Heatmap]:
    start = perf_counter()
    attended = model.attended(batch.x, whole=False)
    chosen = _chosen(attended, layer)
    cells = [_cells(model, block, batch.x) for block in chosen]
    shares = [_shares(attended, block, query, batch, placed) for block, placed in zip(chosen, cells, strict=True)]
    read = [_heads(block, _rows(block, share, query), head) for block, share in zip(chosen, shares, strict=True)]
    facts, seconds = ModelFacts.of(model), (perf_counter() - start) / len(batch.x)
    target = TargetFacts(_words(query), model.explains, _place(query))
    maps, chances = [], attended.answer.probabilities
    for i in range(len(batch.x)):
        predicted = None if chances is None else Predicted.of(chances[i], model.labels)
        known = image_facts(batch, i, model.prepare)
        for block, placed, rows in zip(chosen, cells, read, strict=True):
            for said, row in rows:
                values = block.keys.grid_of(row[i])
                name = "attention, mean of heads" if said == MEAN else f"attention of head {said}"
                source = source_from(
                    model=facts,
                    method=MethodFacts(name, {"head": said, "query": query}, CAVEAT),
                    target=target,
                    predicted=predicted,
                    this=MapFacts(
                        image=batch.names[i],
                        layer=block.layer,
                        seconds=seconds,
                        geometry="receptive-field" if placed else "plain",
                        warnings=batch.notes[i] + _notes(attended, block, query),
                        measured={"dropped": float(1 - values.sum())},
                        read=known,
                        together=len(batch.x),
                    ),
                )
                photo = batch.photos[i]
                under = photo.pixels if photo else None
                heatmap = Heatmap(values.astype(np.float32), under, batch.boxes[i], source, place + i, cells=placed)
                maps.append(recorded(turned_back(heatmap)))
    return maps


def _chosen(attended: Attended, layer: Any) -> list[Attention]:
    """The attention blocks of these names, or within the modules of these names; all whose places are known for None.

    Raises NoSuchName where no attention runs there, NotApplicable where none of them can be drawn.
    """
    if layer is None:
        if not attended.layers:
            raise NotApplicable(f"No attention's tokens have a known place in the image: {_listed(attended.left_out)}.")
        return [*attended.layers]
    by_name = {block.layer: block for block in attended.layers}
    chosen: dict[str, Attention] = {}
    for name in [layer] if isinstance(layer, str) else layer:
        inside = [each for each in [*by_name, *attended.left_out] if _within(each, name)]
        if not inside:
            names = [*by_name, *attended.left_out]
            raise NoSuchName("attention", name, closest(str(name), names), f"Attention runs in: {', '.join(names)}.")
        known = {each: by_name[each] for each in inside if each in by_name}
        if not known:
            raise NotApplicable(
                f"{_listed({each: attended.left_out[each] for each in inside})}: there is no map of it to draw."
            )
        chosen.update(known)
    return [*chosen.values()]


def _listed(left_out: Any) -> str:
    return "; ".join(f"{name}: {why}" for name, why in left_out.items())


def _within(attention: str, name: Any) -> bool:
    return attention == name or attention.startswith((f"{name}.", f"{name}#"))


def _cells(model: Any, block: Attention, x: Any) -> Cells | None:
    known = model.cells(block.layer, x)
    if known is None or known[0] != block.keys.grid:
        return None
    return Cells.of(known[1], x.shape[2:])


def _shares(attended: Attended, block: Attention, query: Any, batch: Batch, placed: Cells | None) -> NDArray[np.float64]:
    """Which rows of the attention are shown: the share of each, (n, queries)."""
    tokens, n = block.queries, len(batch.x)
    share = np.zeros((n, tokens.length))
    if isinstance(query, str):
        if query != CLASS:
            raise BadParameter(f'query={query!r}: "class", a token\'s number, or a pixel (y, x) of the photo.')
        if len(attended.reads) == tokens.length:
            return share + attended.reads
        share[:, tokens.in_image] = 1 / len(tokens.cells)
    elif isinstance(query, int | np.integer) and not isinstance(query, bool):
        if not 0 <= query < tokens.length:
            raise BadParameter(f"query={query}: {block.layer} has tokens 0 to {tokens.length - 1}.")
        share[:, query] = 1
    else:
        for i in range(n):
            share[i, _token(query, block, batch, i, placed)] = 1
    return share


def _token(query: Any, block: Attention, batch: Batch, i: int, placed: Cells | None) -> int:
    """The token of the patch at the pixel (y, x) of photo i."""
    box, grid, space = batch.boxes[i], block.queries.grid, batch.x.shape[2:]
    try:
        y, x = (float(at) for at in query)
    except (TypeError, ValueError):
        raise BadParameter(f'query={query!r}: "class", a token\'s number, or a pixel (y, x) of the photo.') from None
    if not isinstance(box, Extent | Turned) or len(grid) != 2:
        raise NotApplicable("Only a patch of a photo can be pointed at by its pixel; ask for a token by its number.")
    at = ImageView(tuple(space), None, batch.known_box(i), None).to_prepared(np.array([x + 0.5, y + 0.5]))[::-1]
    if not all(0 <= pixel < side for pixel, side in zip(at, space, strict=True)):
        edges = ", ".join(f"{edge:g}" for edge in (box.extent if isinstance(box, Turned) else box))
        raise BadParameter(f"query=({y:g}, {x:g}): of {batch.names[i]} the network saw ({edges}): left, top, right, bottom.")
    pixels = at - 0.5
    even = Cells.even(grid, tuple(space))
    lies = placed if placed is not None and block.keys.grid == grid else even
    cell = [round((at - first) / stride) for at, first, stride in zip(pixels, lies.first, lies.stride, strict=True)]
    row, column = (min(max(at, 0), sides - 1) for at, sides in zip(cell, grid, strict=True))
    return block.queries.cells[row * grid[1] + column]


def _rows(block: Attention, share: NDArray[np.float64], query: Any) -> NDArray[Any]:
    """What these queries attend to, (n, heads, keys); NotApplicable where the layer computes none of these rows."""
    rows = block.read(share)
    if not rows.any():
        raise NotApplicable(f"{block.layer} fills other tokens anew than the query {_words(query)}: leave query= out.")
    return rows


def _heads(block: Attention, rows: NDArray[Any], head: Any) -> Iterable[tuple[int | str, NDArray[Any]]]:
    """The heads to be shown of rows (n, heads, keys), each with its name, as (n, keys)."""
    count = rows.shape[1]
    if head is None:
        return [(h, rows[:, h]) for h in range(count)]
    if head == MEAN:
        return [(MEAN, rows.mean(1))]
    if isinstance(head, int | np.integer) and not isinstance(head, bool) and 0 <= head < count:
        return [(int(head), rows[:, head])]
    raise BadParameter(f'head={head!r}: {block.layer} has heads 0 to {count - 1}; "mean" is their mean, None each of them.')


def _words(query: Any) -> str:
    if isinstance(query, str):
        return query
    return f"token {query}" if isinstance(query, int | np.integer) else f"({', '.join(f'{at:g}' for at in query)})"


def _place(query: Any) -> str:
    """In words for a caption: of which token the row is shown."""
    if isinstance(query, str):
        return "of what the network's head reads"
    return f"of {_words(query)}" if isinstance(query, int | np.integer) else f"of the patch at {_words(query)}"


def _notes(attended: Attended, block: Attention, query: Any) -> tuple[str, ...]:
    if not isinstance(query, str):
        return ()
    if len(attended.reads) != block.queries.length:
        return ("the head of the network reads other tokens than this layer's: the mean over its patches is shown",)
    if attended.reads[block.queries.in_image].any():
        return ("the head of the network reads patches: the mean over their rows is shown, query=(y, x) shows one",)
    return ()
