"""Where a network's classes, all together, depend on the image: SEC's sign of what is background."""

from dataclasses import replace
from typing import Any

import numpy as np

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.case import Case
from seewhy.explaining.recipe import Cores
from seewhy.maps.heatmap import Heatmap
from seewhy.methods.making.method import Method
from seewhy.models.model import Differentiable, Model

FINER = 2  # times as many cells along each axis as the layer that maps are read at, at least


def _strongest(case: Case) -> Cores:
    """max_c |g| at each place: (targets, n, *space) for each layer."""
    there = case.at_layers(case.trace.evidence)
    return {layer: np.stack([numbers(abs(g)).max(1) for g in evidence.g]) for layer, evidence in there.items()}


SALIENCY = Method(  # no explanation of a class, so it is not listed among those
    "seed-saliency", _strongest, reads="gradients", rectified=False, shares=("gradients",), by_target=True,
    doc="max_c |d score / d a_c|.\n\nSource: Simonyan et al. 2014; at a layer, as in Kolesnikov & Lampert 2016.",
)  # fmt: skip


def seed_saliency(model: Model, photo: Any, layer: str | None = None) -> Heatmap:
    """median3(max_c |d sum of all scores / d a_c|), a the activation of a layer: low where no class sees anything.

    layer: by default the last whose grid is at least twice as fine as that of the layer which maps are read at, for behind a
        mean over all places the gradient is the same everywhere; SEC's is conv4_1 of VGG-16.
    The median is over 3 x 3 cells.  What is lowest is background for `seewhy.seeds(maps, saliency=...)`.
    Source: Kolesnikov & Lampert 2016, Seed, Expand and Constrain, section 4.1, and the released code.
    Raises NotApplicable where there is no such layer, NeedsGradients of a model without gradients.
    """
    from scipy import ndimage  # here, for it takes a while to import

    maps = SALIENCY(model, photo, target=np.ones_like, layer=layer or _finer(model, photo))
    if len(maps) != 1:
        raise BadParameter(f"Give one photo, not {len(maps)}: a saliency is of one image.")
    return replace(maps[0], values=ndimage.median_filter(maps[0].values, 3, mode="nearest"))


def _finer(model: Any, photo: Any) -> str | None:
    """The last layer with twice as many cells along each axis as the one read by default; None: the model says why not."""
    if not isinstance(model, Differentiable):
        return None
    x = next(iter(model.batches(photo))).x
    usual = model.default(x[:1])
    if usual is None:
        return None
    space = usual[1].shape[1:]
    finer = [
        name
        for name, each in model.layers(x[:1]).items()
        if each.connected and len(each.shape) == len(space) + 1
        and all(side >= FINER * cells for side, cells in zip(each.shape[1:], space, strict=True))
        and each.kind != "image" and name != "input"
    ]  # fmt: skip
    if not finer:
        raise NotApplicable(f"No layer has a grid twice as fine as that of {usual[0]}, {space}: name one, layer=...")
    return finer[-1]
