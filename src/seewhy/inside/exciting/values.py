"""How strongly photos excite units and classes, and in which cell of a layer each unit is excited most."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.errors import BadParameter, NoSuchName
from seewhy.models.model import INSIDES, Differentiable, Model, require
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.parse import as_targets
from seewhy.targets.target import PerImage, Target, Unit, named, weighted


class RankedBy(NamedTuple):
    """A unit or a class by which photos are ranked."""

    target: Target
    words: str  # "unit 42 of features.18", "tabby (281)"


class Excitation(NamedTuple):
    """What n photos do to t targets."""

    values: NDArray[np.float64]  # (t, n)
    means: NDArray[np.float64]  # (t, n): of a unit over all cells, which tells photos apart that have the same strongest cell
    cells: NDArray[np.intp]  # (t, n): where the layer is excited most, counted row by row; -1 where there are no cells
    layers: Mapping[str, tuple[int, ...]]  # the grid of each layer of which units are asked; () of one without space


def asked_of(model: Model, what: Any) -> tuple[RankedBy, ...]:
    """What photos are ranked by, checked: units, classes, differences of classes, or a list of these.

    Raises BadParameter for what is no score of a whole image, NeedsGradients for units of a model that gives scores only.
    """
    asked = []
    for target in as_targets(what, model.labels):
        if isinstance(target, Aim | PerImage | Group):
            how = "Ask for units, such as unit:features.10:42, for classes, or for a list of these."
            raise BadParameter(f"Photos are ranked by what a unit emits, or by a class's score; {target} is neither. {how}")
        if isinstance(target, Unit):
            require(model, INSIDES, "top_photos reads units inside of a network", "Ask for a class.")
        index = getattr(target, "index", None)
        label = model.labels[index] if model.labels is not None and isinstance(index, int) and index < len(model.labels) else ""
        words = f"{label.split(',')[0]} ({index})" if label else named(target, model.labels) or f"class {target}"
        asked.append(RankedBy(target, words))
    return tuple(asked)


def excitation(model: Any, x: Array, asked: Sequence[RankedBy]) -> Excitation:
    """What images x (n, c, *space) do to units and classes: one pass for all units, and one for all classes.

    A unit's value is that of its strongest cell, of all cells summed, or of the cell that is asked for, as its `at` says; a
    class's is its score.  Of equally strong cells the first, row by row, counts.
    """
    values = np.empty((len(asked), len(x)))
    means, cells = np.zeros_like(values), np.full((len(asked), len(x)), -1, np.intp)
    units = {t: each.target for t, each in enumerate(asked) if isinstance(each.target, Unit)}
    classes = [t for t in range(len(asked)) if t not in units]
    grids: dict[str, tuple[int, ...]] = {}
    if units:
        flat: Differentiable = model.with_flat_layers()
        emitted, _notes = flat.activations(x, [*dict.fromkeys(unit.layer for unit in units.values())])
        for layer in dict.fromkeys(unit.layer for unit in units.values()):
            a = numbers(_of_layer(emitted, layer)).astype(np.float64)
            grids[layer] = a.shape[2:]
            for t, unit in units.items():
                if unit.layer == layer:
                    values[t], cells[t] = _read(a, unit)
                    means[t] = a[:, unit.channel].reshape(len(x), -1).mean(1)
    if classes:
        scores = numbers(model.answer(x).scores)
        values[classes] = (weighted([asked[t].target for t in classes], scores) * scores).sum(-1)
    return Excitation(values, means, cells, grids)


def _of_layer(emitted: Mapping[str, Array], layer: str) -> Array:
    """What a layer emitted; of one that runs several times what it did last."""
    return emitted[layer] if layer in emitted else emitted[[name for name in emitted if name.startswith(f"{layer}#")][-1]]


def _read(a: NDArray[np.float64], unit: Unit) -> tuple[NDArray[np.float64], NDArray[np.intp] | int]:
    """A unit's values (n,) in activations (n, c, *space), and the cells (n,) where it is strongest."""
    if not 0 <= unit.channel < a.shape[1]:
        raise NoSuchName("channel", unit.channel, [], f"{unit.layer} has 0 to {a.shape[1] - 1}.")
    channel, grid = a[:, unit.channel], a.shape[2:]
    if isinstance(unit.at, tuple):
        if len(unit.at) != len(grid) or any(at >= side for at, side in zip(unit.at, grid, strict=False)):
            have = f"has {'x'.join(map(str, grid))} cells" if grid else "has no cells"
            raise BadParameter(f"{unit}: {unit.layer} {have} for a photo; cells count from 0.")
        return channel[(slice(None), *unit.at)], int(np.ravel_multi_index(unit.at, grid))
    if not grid:
        return channel, -1
    rows = channel.reshape(len(a), -1)
    strongest = np.where(np.isnan(rows), -np.inf, rows).argmax(1)
    return rows.sum(1) if unit.at == "sum" else rows.max(1), strongest
