"""Which units of a layer a score rests on."""

from typing import Any, NamedTuple

import numpy as np
from einops import reduce
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import Array, numbers
from seewhy.errors import BadParameter, NotApplicable, whole_number
from seewhy.explaining.blank import zero_because
from seewhy.explaining.case import Case
from seewhy.images.inputs import Images
from seewhy.models.model import INSIDES, Differentiable, require
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.parse import as_targets
from seewhy.targets.target import Class, PerImage, Target, Top, Unit

from .asked_names import layer_name


class Ranked(NamedTuple):
    """A unit, and its part in a score."""

    unit: Unit  # a target: ask deconvnet what excites it
    contribution: float  # sum over space of activation times gradient, in units of the score
    weight: float  # mean gradient: what more of it would do
    activation: float  # its strongest activation


@known_names()
def top_units(
    model: Differentiable, images: Images, layer: str | None = None, target: int | str | Target = Top(), count: int | None = 10
) -> list[list[Ranked]]:
    """The units (channels) of a layer for each image, by what they contribute to its score, the strongest first.

    layer: by default the last that still has space; one without space, such as a linear layer, is ranked, too.
    target: one class, label or Target; count: how many, None for all (those that speak against come last).  A large weight on
    a silent channel contributes nothing.  NotApplicable where the score does not rest on the layer.
    Source: Selvaraju et al. 2017, Grad-CAM (neuron importance), with contribution for importance.
    """
    require(model, INSIDES, "top_units reads the inside of a network")
    count, layer = None if count is None else whole_number(count, "top_units: count", 1), layer_name(layer)
    explained = ranking_target(target, model.labels, "top_units")
    ranked = []
    for batch in model.batches(images):
        found = contributions(model.beside(len(ranked), len(batch.x)), batch.x, layer, explained, "top_units")
        name, sums = found.layer, found.sums
        for i in range(len(sums)):
            order = np.argsort(-sums[i], kind="stable")[:count]
            each = [(float(found.means[i, k]), float(found.peaks[i, k])) for k in order]
            ranked.append([Ranked(Unit(name, int(k)), float(sums[i, k]), *of) for k, of in zip(order, each, strict=True)])
    return ranked


class Contributions(NamedTuple):
    """What each unit of a layer contributes to one score of each image."""

    layer: str
    sums: NDArray[Any]  # (n, c): sum over space of activation times gradient
    means: NDArray[Any]  # (n, c): mean gradient
    peaks: NDArray[Any]  # (n, c): strongest activation


def ranking_target(target: Any, labels: Any, who: str) -> Target | Group:
    """The target that units are ranked by.  Raises BadParameter where it is no single score of a class."""
    (explained,) = as_targets([target], labels)
    if isinstance(explained, Aim):
        raise BadParameter(f"{who} ranks by one class's score; {explained} reads the whole output.")
    if isinstance(explained, PerImage):
        raise BadParameter(f"{who} ranks by one target for all images; ask image by image for targets of their own.")
    return explained


def contributions(model: Differentiable, x: Array, layer: str | None, explained: Target | Group, who: str) -> Contributions:
    """What the units of a layer add to the score of images x (n, c, *space); NotApplicable where they have no part."""
    answering = model
    if isinstance(explained, Unit):
        answering = answering.upto(explained.layer, explained.at)
    if isinstance(explained, Group):
        answering = answering.grouped([explained.classes])
    target = Class(0) if isinstance(explained, Group) else explained
    case = Case(answering.with_flat_layers(), x, [target], [layer])
    name = case.layers[-1]  # of several calls the last
    evidence = case.trace.evidence[name]
    a, g = numbers(evidence.a), numbers(evidence.g[0])
    if not g.any():
        raise NotApplicable(f"{who}: no unit of {name} has a part in the score: {zero_because(case, name, 0, 0)}.")
    sums, means = reduce(a * g, "n c ... -> n c", "sum"), reduce(g, "n c ... -> n c", "mean")
    return Contributions(name, sums, means, reduce(a, "n c ... -> n c", "max"))
