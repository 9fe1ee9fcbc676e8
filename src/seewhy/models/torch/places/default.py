"""The layer that is explained by default, and the reason for it in words."""

from collections.abc import Mapping

from seewhy.models.model import Layer

from .layout import Layout

PASSING = ("Pool", "Drop", "Identity", "Flatten")  # layers that only pass on what another layer computed


def with_default(
    layers: dict[str, Layer], layouts: Mapping[str, Layout | None], backwards: list[str], unclear: bool
) -> dict[str, Layer]:
    """The layers, with the default marked: the last that has axes of space and that the scores depend on; its `why` says so."""
    spatial = [name for name in backwards if has_space(layers[name], layouts[name])]
    default = next((name for name in spatial if layers[name].connected), spatial[0] if spatial else None)
    if default is None:
        return layers
    cells = "x".join(map(str, layers[default].shape[1:]))
    if layers[default].connected:
        why = f"the last layer that still has space ({cells} cells) and that the scores rest on"
        if spatial[0] != default:
            why += f"; {spatial[0]} comes later, but nothing of its places reaches the scores{_read_alone(layers[spatial[0]])}"
    else:
        why = f"the last layer that still has space ({cells} cells); none is seen to reach the scores"
    if unclear:
        why += "; of other layers it is not known how they lie over the image, so none of them is it"
    return {**layers, default: layers[default]._replace(default=True, why=why)}


def widest_map(layers: dict[str, Layer], layouts: Mapping[str, Layout | None], backwards: list[str]) -> dict[str, Layer] | None:
    """The default for a network with a dense head, boxes or the like: the last of the maps with the most channels.

    Behind it, channels are already scores, or belong to one scale of several.  Layers inside a layer that emits tokens, such as
    the convolution that cuts patches, are left out.
    """
    tokens = tuple(f"{name}." for name, lies in layouts.items() if lies is not None and not lies.channels_first)
    maps = [name for name in backwards if has_space(layers[name], layouts[name]) and layers[name].connected]
    maps = [name for name in maps if (layout := layouts[name]) is not None and layout.channels_first]
    maps = [name for name in maps if not name.startswith(tokens)]
    if len({layers[name].shape for name in maps}) < 2:  # no maps, or the patches of a transformer alone
        return None
    best = max(maps, key=lambda name: layers[name].shape[0])  # the first of equals: the last to run
    width, *cells = layers[best].shape
    why = f"the last of the widest maps ({width} channels, {'x'.join(map(str, cells))} cells) that the score rests on"
    return {best: layers[best]._replace(default=True, why=why)}


def _read_alone(later: Layer) -> str:
    return ": behind it only tokens of no place, such as the class token, are read" if later.tokens else ""


def has_space(layer: Layer, layout: Layout | None) -> bool:
    """May this layer be the default: does it compute a map, with more than one cell?"""
    if layout is None or not layout.simple or max(layout.space) < 2:
        return False
    inner = not layout.channels_first and layer.kind.startswith("Linear")  # queries, keys and values: no result of a block
    return not inner and not any(part in layer.kind for part in PASSING)
