"""The layer that is explained by default, and the reason for it in words."""

from collections.abc import Callable, Iterable, Sequence

from seewhy.models.model import Layer, computes

from .layout import Layout

Known = Callable[[str], Layer]  # what is known of a layer, by its name
LayoutOf = Callable[[str], Layout | None]
SCORES, SCORE = "the scores rest", "this score rests"  # of all of them, or of the one that is explained


def last_map(
    layer: Known, layout: LayoutOf, backwards: Iterable[str], lost: Callable[[str], bool], whose: str = SCORES
) -> tuple[str, Layer] | None:
    """The last layer that has axes of space and that the scores depend on; its `why` says so.  None where none has space.

    backwards: the layers, those that ran last before the others; lost: is it unknown where a layer lies?  whose: what rests on
    it, in words.
    """
    spatial, unclear = [], False
    for name in backwards:
        known = layer(name)
        if has_space(known, layout(name)):
            spatial.append((name, known))
            if known.connected:
                break
        unclear = unclear or lost(name)
    default = next(((name, known) for name, known in spatial if known.connected), spatial[0] if spatial else None)
    if default is None:
        return None
    (name, known), (latest, later) = default, spatial[0]
    cells = "x".join(map(str, known.shape[1:]))
    if known.connected:
        why = f"the last layer that still has space ({cells} cells) and that {whose} on"
        if latest != name:
            why += f"; {latest} comes later, but nothing of its places reaches {_reached(whose)}{_read_alone(later)}"
    else:
        why = f"the last layer that still has space ({cells} cells); none is seen to reach the scores"
    if unclear:
        why += "; of later layers it is not known how they lie over the image, so none of them is it"
    return name, known._replace(default=True, why=why)


def widest_map(layer: Known, layout: LayoutOf, backwards: Sequence[str]) -> tuple[str, Layer] | None:
    """The default for a network with a dense head, boxes or the like: the last of the maps with the most channels.

    Behind it, channels are already scores, or belong to one scale of several.  Layers inside a layer that emits tokens, such as
    the convolution that cuts patches, are left out.
    """
    layouts = {name: layout(name) for name in backwards}
    tokens = tuple(f"{name}." for name, lies in layouts.items() if lies is not None and not lies.channels_first)
    maps = {
        name: known
        for name, lies in layouts.items()
        if lies is not None and lies.channels_first and not name.startswith(tokens)
        if (known := layer(name)).connected and has_space(known, lies)
    }
    if len({known.shape for known in maps.values()}) < 2:  # no maps, or the patches of a transformer alone
        return None
    best = max(maps, key=lambda name: maps[name].shape[0])  # the first of equals: the last to run
    width, *cells = maps[best].shape
    why = f"the last of the widest maps ({width} channels, {'x'.join(map(str, cells))} cells) that the score rests on"
    return best, maps[best]._replace(default=True, why=why)


def _reached(whose: str) -> str:
    return whose.rpartition(" ")[0]


def _read_alone(later: Layer) -> str:
    return ": behind it only tokens of no place, such as the class token, are read" if later.tokens else ""


def has_space(layer: Layer, layout: Layout | None) -> bool:
    """May this layer be the default: does it compute a map, with more than one cell?"""
    if layout is None or not layout.simple or max(layout.space) < 2:
        return False
    inner = not layout.channels_first and layer.kind.startswith("Linear")  # queries, keys and values: no result of a block
    return not inner and computes(layer.kind)
