"""Objectives: what is read of a pass, (n,) numbers, and their gradients toward what layers emitted."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.models.model import SCORES_LAYER
from seewhy.printable import quoted
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.parse import as_targets
from seewhy.targets.sums import LEAST, Direction, Diversity, WeightedSum, WholeLayer, lengths_of, terms_of
from seewhy.targets.target import Labels, PerImage, Unit, weighted

from .objective_text import parsed

Emissions = Mapping[str, NDArray[Any]]  # (n, c, *space) or (n, c), by layer


class Read(NamedTuple):
    """The objective of each image, and its gradient toward each layer: cotangents of a pass."""

    values: NDArray[np.float64]  # (n,)
    cotangents: dict[str, NDArray[Any]]


def objective_of(objective: Any, labels: Labels) -> WeightedSum:
    """What a person means by an index, a label, a text such as "unit:conv:3", a target, or a sum: a sum of known terms.

    Raises BadParameter or NoSuchName for what is none.
    """
    if isinstance(objective, str):
        objective = parsed(objective, labels)
    return WeightedSum(tuple((weight, _known(term, labels)) for weight, term in terms_of(objective)))


def _known(term: Any, labels: Labels) -> Any:
    if isinstance(term, Direction | WholeLayer | Diversity):
        return term
    (target, *more) = as_targets(term, labels)
    if more or isinstance(target, Aim | Group | PerImage):
        raise NotApplicable(
            f"{quoted(str(term))} is nothing that an image can be made for: name a class, a contrast of classes, Unit, "
            "Direction, WholeLayer, or a sum of these."
        )
    return target


def layers_of(objective: WeightedSum) -> list[str]:
    """The layers that are read."""
    return [*dict.fromkeys(layer_of(term) for _, term in objective.terms)]


def layer_of(term: Any) -> str:
    """The layer that a term of a sum reads."""
    return term.layer if isinstance(term, Unit | Direction | WholeLayer | Diversity) else SCORES_LAYER


def couples(objective: WeightedSum) -> bool:
    """Does the objective of one image depend on the others of its batch?"""
    return any(isinstance(term, Diversity) for _, term in objective.terms)


def read(objective: WeightedSum, emitted: Emissions) -> Read:
    """The objective of the images of a pass, and its gradients.

    Raises NoSuchName for a channel or cell that does not exist, BadParameter where a layer runs several times.
    """
    total = 0.0
    cotangents: dict[str, NDArray[Any]] = {}
    for weight, term in objective.terms:
        layer = layer_of(term)
        values, g = _read_one(term, _emission(layer, emitted))
        total = total + weight * values.astype(np.float64)
        cotangents[layer] = cotangents[layer] + weight * g if layer in cotangents else weight * g
    return Read(np.asarray(total), cotangents)


def _emission(layer: str, emitted: Emissions) -> NDArray[Any]:
    if layer not in emitted:
        calls = ", ".join(name for name in emitted if name.startswith(f"{layer}#"))
        raise BadParameter(f"Layer {layer} runs several times in a pass. Say which run is meant: {calls}.")
    return emitted[layer]


def _read_one(term: Any, a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if isinstance(term, Unit):
        return _unit(term, a)
    if isinstance(term, Direction):
        return _direction(term, a)
    if isinstance(term, WholeLayer):
        return (a**2).reshape(len(a), -1).mean(1), 2 * a / a[0].size
    if isinstance(term, Diversity):
        return _diversity(a)
    weights = weighted([term], a)[0]
    return (a * weights).sum(1), weights.astype(a.dtype)


def _unit(unit: Unit, a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if not 0 <= unit.channel < a.shape[1]:
        raise NoSuchName("channel", unit.channel, [], f"{unit.layer} has 0 to {a.shape[1] - 1}.")
    g = np.zeros_like(a)
    cells, back = a[:, unit.channel].reshape(len(a), -1), g[:, unit.channel].reshape(len(a), -1)  # views
    if unit.at == "sum":
        back[:] = 1
        return cells.sum(1), g
    if unit.at == "max":
        at: Any = cells.argmax(1)
    else:
        at = np.ravel_multi_index(_cell(unit.at, a, unit.layer), a.shape[2:])
    rows = np.arange(len(a))
    back[rows, at] = 1
    return cells[rows, at], g


def _cell(at: Any, a: NDArray[Any], layer: str) -> tuple[int, ...]:
    grid = a.shape[2:]
    if len(at) != len(grid) or any(not 0 <= place < side for place, side in zip(at, grid, strict=True)):
        last = ", ".join(str(side - 1) for side in grid)
        have = f"Its cells are ({', '.join('0' * len(grid))}) to ({last})." if grid else "It has no cells."
        raise NoSuchName(f"cell of layer {layer}", tuple(at), [], have)
    return tuple(at)


def _direction(direction: Direction, a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    v, cells = direction.vector.astype(a.dtype), a.reshape(*a.shape[:2], -1)  # (n, c, cells)
    along = direction.along(cells)
    slope = np.broadcast_to(v[None, :, None], cells.shape)
    if direction.cosine:
        power, size, dots = direction.cosine, np.linalg.norm(v), np.einsum("ncj,c->nj", cells, v)
        lengths = lengths_of(cells)  # (n, cells)
        cosines = dots / (size * lengths)
        factors = np.maximum(cosines, LEAST)
        of_cosine = v[None, :, None] / (size * lengths)[:, None] - (cosines / lengths)[:, None] * (cells / lengths[:, None])
        moves = (cosines > LEAST) * dots * power * factors ** (power - 1)
        slope = slope * (factors**power)[:, None] + moves[:, None] * of_cosine
    share = np.full(along.shape[1:], 1 / along.shape[1], a.dtype)
    if direction.at is not None:
        share = np.zeros_like(share)
        share[np.ravel_multi_index(_cell(direction.at, a, direction.layer), a.shape[2:])] = 1
    return along @ share, (slope * share).reshape(a.shape)


def _diversity(a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each image minus the mean cosine between its Gram matrix and those of the others.

    The gradient is that of the sum over images, so that of each pair both are moved.
    """
    n = len(a)
    if n < 2:
        raise BadParameter("Diversity compares the images of a batch: ask for two or more, batch=4.")
    flat = a.reshape(n, a.shape[1], -1)
    grams = np.einsum("ncj,ndj->ncd", flat, flat)
    lengths = np.maximum(np.linalg.norm(grams, axis=(1, 2)), np.finfo(a.dtype).tiny)
    units = grams / lengths[:, None, None]
    others = units.sum(0) - units  # (n, c, c)
    cosines = np.einsum("ncd,ncd->n", units, others)
    toward = -2 / (n - 1) * (others - cosines[:, None, None] * units) / lengths[:, None, None]
    return -cosines / (n - 1), (2 * np.einsum("ncd,ndj->ncj", toward, flat)).reshape(a.shape)
