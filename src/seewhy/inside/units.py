"""Which units of a layer a score rests on."""

from typing import NamedTuple

import numpy as np
from einops import reduce

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.blank import zero_because
from seewhy.explaining.case import Case
from seewhy.images.inputs import Images
from seewhy.models.model import INSIDES, Differentiable, require
from seewhy.printable import quoted
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.parse import as_targets
from seewhy.targets.target import Class, PerImage, Target, Top, Unit


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
    if count is not None and (not isinstance(count, int) or count < 1):
        raise BadParameter(f"top_units: count={quoted(count)} is a whole number from 1 on, or None for all units.")
    (explained,) = as_targets([target], model.labels)
    if isinstance(explained, Aim):
        raise BadParameter(f"top_units ranks by one class's score; {explained} reads the whole output.")
    if isinstance(explained, PerImage):
        raise BadParameter("top_units ranks by one target for all images; ask image by image for targets of their own.")
    ranked = []
    for batch in model.batches(images):
        answering = model.beside(len(ranked), len(batch.x))
        if isinstance(explained, Unit):
            answering = answering.upto(explained.layer, explained.at)
        if isinstance(explained, Group):
            answering = answering.grouped([explained.classes])
        target = Class(0) if isinstance(explained, Group) else explained
        case = Case(answering.with_flat_layers(), batch.x, [target], [layer])
        name = case.layers[-1]  # of several calls the last
        evidence = case.trace.evidence[name]
        a, g = numbers(evidence.a), numbers(evidence.g[0])
        if not g.any():
            raise NotApplicable(f"top_units: no unit of {name} has a part in the score: {zero_because(case, name, 0, 0)}.")
        sums, means = reduce(a * g, "n c ... -> n c", "sum"), reduce(g, "n c ... -> n c", "mean")
        peaks = reduce(a, "n c ... -> n c", "max")
        for i in range(len(a)):
            order = np.argsort(-sums[i], kind="stable")[:count]
            ranked.append(
                [Ranked(Unit(name, int(k)), float(sums[i, k]), float(means[i, k]), float(peaks[i, k])) for k in order]
            )
    return ranked
