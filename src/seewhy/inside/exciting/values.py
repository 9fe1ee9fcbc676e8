"""How strongly photos excite units, classes, directions and sums, and in which cell of a layer each is excited most."""

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
from seewhy.targets.sums import Direction, Diversity, WeightedSum, WholeLayer, terms_of
from seewhy.targets.target import Labels, PerImage, Unit, named, weighted

Inner = Unit | Direction | WholeLayer  # what is read inside of a network


class RankedBy(NamedTuple):
    """A unit, a class, a direction, a layer or a sum of them by which photos are ranked."""

    target: Any
    words: str  # "unit 42 of features.18", "tabby (281)"


class Excitation(NamedTuple):
    """What n photos do to t targets."""

    values: NDArray[np.float64]  # (t, n)
    means: NDArray[np.float64]  # (t, n): over all cells, which tells photos apart that have the same strongest cell
    cells: NDArray[np.intp]  # (t, n): where the layer is excited most, counted row by row; -1 where there are no cells
    layers: Mapping[str, tuple[int, ...]]  # the grid of each layer that is read; () of one without space


def asked_of(model: Model, what: Any) -> tuple[RankedBy, ...]:
    """What photos are ranked by, checked: units, classes, differences of classes, directions, layers, sums, or a list of these.

    Raises BadParameter for what is no value of a whole image, NeedsGradients for units of a model that gives scores only.
    """
    asked = []
    for target in _listed(what, model.labels):
        for _, term in terms_of(target):
            if isinstance(term, Aim | PerImage | Group | Diversity):
                of = f", in {target}," if term is not target else ""
                how = "Ask for units, such as unit:features.10:42, for classes, directions, or for a sum or a list of these."
                raise BadParameter(
                    f"Photos are ranked by what a unit emits, or by a class's score; {term}{of} is neither. {how}"
                )
            if isinstance(term, Inner):
                require(model, INSIDES, "top_photos reads units inside of a network", "Ask for a class.")
        asked.append(RankedBy(target, _words(target, model.labels)))
    return tuple(asked)


def _listed(what: Any, labels: Labels) -> list[Any]:
    """The targets that are asked for, with the classes of sums as indices; a sum of one term that counts once as that term."""
    several = list(what) if isinstance(what, list | tuple) else [what]
    if not any(isinstance(each, Direction | WholeLayer | Diversity | WeightedSum) for each in several):
        return [*as_targets(what, labels)]
    found = list[Any]()
    for each in several:
        if isinstance(each, WeightedSum):
            terms = tuple((weight, target) for weight, term in each.terms for target in _listed(term, labels))
            found.append(terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else WeightedSum(terms))
        else:
            found += [each] if isinstance(each, Direction | WholeLayer | Diversity) else as_targets(each, labels)
    return found


def _words(target: Any, labels: Labels) -> str:
    if isinstance(target, WeightedSum):
        return str(target)
    if isinstance(target, WholeLayer | Direction):
        at = "" if getattr(target, "at", None) is None else f" in cell {target.at}"  # type: ignore[union-attr]
        return f"{'all' if isinstance(target, WholeLayer) else 'a direction'} of {target.layer}{at}"
    index = getattr(target, "index", None)
    label = labels[index] if labels is not None and isinstance(index, int) and index < len(labels) else ""
    return f"{label.split(',')[0]} ({index})" if label else named(target, labels) or f"class {target}"


def excitation(model: Any, x: Array, asked: Sequence[RankedBy]) -> Excitation:
    """What images x (n, c, *space) do to what is asked for: one pass for all layers, and one for all classes.

    A unit's value is that of its strongest cell, of all cells summed, or of the cell that is asked for, as its `at` says; a
    direction's the mean over all cells, or that of its cell; a layer's the mean square; a class's is its score; a sum's the
    weighted sum of these.  Of equally strong cells the first, row by row, counts; a sum has none.
    """
    values = np.zeros((len(asked), len(x)))
    means, cells = np.zeros_like(values), np.full((len(asked), len(x)), -1, np.intp)
    terms = [(t, weight, term) for t, each in enumerate(asked) for weight, term in terms_of(each.target)]
    inner = [each for each in terms if isinstance(each[2], Inner)]
    outer = [each for each in terms if not isinstance(each[2], Inner)]
    grids: dict[str, tuple[int, ...]] = {}
    if inner:
        flat: Differentiable = model.with_flat_layers()
        emitted, _notes = flat.activations(x, [*dict.fromkeys(term.layer for _, _, term in inner)])
        for layer in dict.fromkeys(term.layer for _, _, term in inner):
            a = numbers(_of_layer(emitted, layer)).astype(np.float64)
            grids[layer] = a.shape[2:]
            for t, weight, term in inner:
                if term.layer == layer:
                    rows = _cells(a, term)
                    value, cell = _read(rows, term, a.shape[2:])
                    values[t] += weight * value
                    means[t] += weight * rows.mean(1)
                    if term is asked[t].target:
                        cells[t] = cell
    if outer:
        scores = numbers(model.answer(x).scores)
        of_classes = (weighted([term for _, _, term in outer], scores) * scores).sum(-1)
        for (t, weight, _), value in zip(outer, of_classes, strict=True):
            values[t] += weight * value
    return Excitation(values, means, cells, grids)


def _of_layer(emitted: Mapping[str, Array], layer: str) -> Array:
    """What a layer emitted; of one that runs several times what it did last."""
    return emitted[layer] if layer in emitted else emitted[[name for name in emitted if name.startswith(f"{layer}#")][-1]]


def _cells(a: NDArray[np.float64], of: Inner) -> NDArray[np.float64]:
    """What each cell of activations (n, c, *space) is worth: (n, cells)."""
    rows = a.reshape(*a.shape[:2], -1)
    if isinstance(of, Direction):
        return of.along(rows)
    if isinstance(of, WholeLayer):
        return (rows**2).mean(1)
    if not 0 <= of.channel < a.shape[1]:
        raise NoSuchName("channel", of.channel, [], f"{of.layer} has 0 to {a.shape[1] - 1}.")
    return rows[:, of.channel]


def _read(rows: NDArray[np.float64], of: Inner, grid: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.intp] | int]:
    """The values (n,) of what cells (n, cells) are worth, and the cells (n,) that are strongest."""
    at = "mean" if isinstance(of, WholeLayer) else of.at or "mean"
    if isinstance(at, tuple):
        if len(at) != len(grid) or any(place >= side for place, side in zip(at, grid, strict=False)):
            have = f"has {'x'.join(map(str, grid))} cells" if grid else "has no cells"
            raise BadParameter(f"{of}: {of.layer} {have} for a photo; cells count from 0.")
        cell = int(np.ravel_multi_index(at, grid))
        return rows[:, cell], cell
    if not grid:
        return rows[:, 0], -1
    strongest = np.where(np.isnan(rows), -np.inf, rows).argmax(1)
    return {"sum": rows.sum, "max": rows.max, "mean": rows.mean}[at](1), strongest
