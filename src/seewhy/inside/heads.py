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
from seewhy.images.places import Cells
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.maps.record import recorded
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, Predicted, source_from
from seewhy.maps.turning import turned_back
from seewhy.models.model import Attended, Attention, Differentiable, require
from seewhy.targets.aim import Aim

from .asked_names import layer_names
from .asked_rows import CLASS, AskedRows, asked_rows

MEAN = "mean"
CAVEAT = (
    "attention says where a head looks, not what it takes from there, nor whether the answer rests on it (Jain & Wallace "
    "2019); transformer-relevance weighs it by the gradient of a class"
)


@known_names()
def attention(
    model: Differentiable, images: Images, layer: str | Sequence[str] | None = None, head: int | str | None = None,
    query: str | int | tuple[float, float] | Aim = CLASS,
) -> Heatmaps:  # fmt: skip
    """The weights of a transformer's attention as they are: where each head looks when it fills one token anew.

    model, images: as for a method.  layer: a name, such as blocks.11.attn or the block around it, or a list; None for all
    whose places are known.  head: its number from 0 on, "mean" over heads, or None for each of them.  query: whose row is
    shown: "class", what the head of the network reads (the class token; where it reads patches, their mean), a token by its
    number from 0 on, class token and its like included, (y, x), the patch at that pixel of the photo, Token("dog"), the word
    that the model itself wrote about the image, or Box("dog"), what the query of a detected object looks at; of queries that
    are no tokens of the image, such as probes that pool, "class" is the only one, and others have numbers.
    Returns one map per image, layer and head, in this order.  A whole row sums to one; what of it goes to tokens of no
    place is Source.measured["dropped"].
    Raises NoSuchName for a layer that holds no attention, NotApplicable where its places in the image are not known (channels
    that attend to channels, keys that are pooled by convolutions, heads mixed behind the softmax), BadParameter for a head
    or query that does not exist.
    """
    require(model, "gradients", "attention reads the inside of a network", "Try occlusion or rise.", "this model")
    names = layer_names(layer)
    maps: list[Heatmap] = []
    place = 0
    for batch in model.batches(images, True):
        for asked in asked_rows(model, batch, place, query):
            maps += _batch_maps(asked, names, head)
        place += len(batch.x)
    return Heatmaps(tuple(maps))


def _batch_maps(asked: AskedRows, names: list[str] | None, head: Any) -> list[Heatmap]:
    start = perf_counter()
    model, batch = asked.model, asked.batch
    attended = asked.attended()
    chosen = _chosen(asked, attended, names)
    cells = [_cells(model, block, batch.x) for block in chosen]
    shares = [asked.shares(attended, block, placed) for block, placed in zip(chosen, cells, strict=True)]
    target = asked.target()
    read = [_heads(block, _rows(block, share, target.target), head) for block, share in zip(chosen, shares, strict=True)]
    facts, seconds = ModelFacts.of(model), (perf_counter() - start) / len(batch.x)
    maps, chances = [], None if asked.pinned else attended.answer.probabilities
    for i in range(len(batch.x)):
        predicted = None if chances is None else Predicted.of(chances[i], model.labels)
        known = image_facts(batch, i, model.prepare)
        for block, placed, rows in zip(chosen, cells, read, strict=True):
            for said, row in rows:
                values = block.keys.grid_of(row[i])
                name = "attention, mean of heads" if said == MEAN else f"attention of head {said}"
                source = source_from(
                    model=facts,
                    method=MethodFacts(name, {"head": said, "query": asked.query}, CAVEAT),
                    target=target,
                    predicted=predicted,
                    this=MapFacts(
                        image=batch.names[i],
                        layer=block.layer,
                        seconds=seconds,
                        geometry="receptive-field" if placed else "plain",
                        warnings=batch.notes[i] + asked.notes(attended, block),
                        measured={"dropped": float(1 - values.sum())},
                        read=known,
                        together=len(batch.x),
                    ),
                )
                photo = batch.photos[i]
                under = photo.pixels if photo else None
                heatmap = Heatmap(values.astype(np.float32), under, batch.boxes[i], source, asked.place + i, cells=placed)
                maps.append(recorded(turned_back(heatmap)))
    return maps


def _chosen(asked: AskedRows, attended: Attended, names: list[str] | None) -> list[Attention]:
    """The attention blocks of these names, or within the modules of these names; all whose places are known for None; of them
    those that have rows of what was asked.

    Raises NoSuchName where no attention runs there, NotApplicable where none of them can be drawn.
    """
    by_name = {block.layer: block for block in attended.layers}
    why = {name: reason for name, block in by_name.items() if (reason := asked.why_not(attended, block))}
    left_out = {**attended.left_out, **why}
    suited = {name: block for name, block in by_name.items() if name not in why}
    if names is None:
        if not suited:
            what = "tokens have a known place in the image" if not why else f"queries are {asked.target().target}"
            raise NotApplicable(f"No attention's {what}: {_listed(left_out)}.")
        return [*suited.values()]
    chosen: dict[str, Attention] = {}
    every = [*by_name, *attended.left_out]
    for name in names:
        inside = [each for each in every if _within(each, name)]
        if not inside:
            raise NoSuchName("attention", name, closest(name, every), f"Attention runs in: {', '.join(every)}.")
        known = {each: suited[each] for each in inside if each in suited}
        if not known:
            raise NotApplicable(f"{_listed({each: left_out[each] for each in inside})}: there is no map of it to draw.")
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


def _rows(block: Attention, share: NDArray[np.float64], query: str) -> NDArray[Any]:
    """What these queries attend to, (n, heads, keys); NotApplicable where the layer computes none of these rows."""
    rows = block.read(share)
    if not rows.any():
        raise NotApplicable(f"{block.layer} fills other tokens anew than the query {query}: leave query= out.")
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
