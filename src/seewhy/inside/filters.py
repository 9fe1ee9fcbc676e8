"""The filters of a layer: kernels where they read the image, else what the units see of it."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.errors import BadNetwork, BadParameter, NotApplicable, whole_number
from seewhy.images.inputs import Images
from seewhy.maps.source import ModelFacts
from seewhy.models.kernels import Kernels
from seewhy.models.model import INPUT, Differentiable, require
from seewhy.prepare.batch import blank
from seewhy.prepare.clip_fit import ClipFit
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import of_any_scale

from .asked_names import layer_name
from .fields import EffectiveFields, chosen_units, effective_fields
from .layer_filters import LayerFilters
from .photo_batches import BrokenPhoto, photo_set

NOISE, PHOTOS = "noise", "photos"


@known_names()
def filters(
    model: Differentiable, layer: str | None = None, photos: Images | None = None, count: int = 64,
    units: Sequence[int] | None = None, samples: int = 4, seed: int = 0,
) -> LayerFilters:  # fmt: skip
    """The filters of a layer, as a sheet: the kernels of the first convolution in colour, of a deeper layer what its units see.

    layer: its name; None for the first convolution that reads the image.  Of a convolution that reads the image itself
    (patch embeddings among them) the kernels are what it sees.  Of any other layer the effective receptive field is shown:
    the gradient of the unit in the middle of the layer toward the image, averaged over `samples` images, and its kernels
    beside it where it has any.
    photos: images, or a set of files, over which fields are averaged; by default noise as large as the network is given
    (normal, of mean 0 and variance 1, drawn from `seed`).  units: which filters; None for the first `count`.
    Source of the fields: Luo et al. 2016 (see `inside.fields`).
    Raises NoSuchName for a layer that there is not, NotApplicable where it has no kernels and no gradient can be had of it,
    BadParameter where the network does not say how large its images are and no photos are given, BadNetwork where weights are
    not finite.
    """
    require(model, "layers", "filters reads the inside of a network", "Only the scores of it can be read.")
    layer, seed = layer_name(layer), whole_number(seed, "filters: seed", 0)
    count, samples = whole_number(count, "filters: count", 1), whole_number(samples, "filters: samples", 1)
    photos = [*islice(photos, samples)] if isinstance(photos, Iterator) else photos  # they are read twice
    like, notes = _first_image(model, photos), list[str]()
    name, kernels = _kernels(model, layer, like, notes)
    if kernels is not None and not np.isfinite(kernels.weights).all():
        raise BadNetwork(f"The weights of {name} of {model.name} are not all finite: NaN or infinity is among them.")
    fields = None
    if kernels is None or not kernels.reads_image:
        fields = _fields(model, name, photos, like, units, count, samples, seed, notes, kernels)
    chosen = fields.units if fields is not None else chosen_units(name, len(kernels.weights) if kernels else 0, units, count)
    fit = getattr(model.prepare, "fit", model.prepare)
    return LayerFilters(
        model=ModelFacts.of(model),
        layer=name,
        units=chosen,
        kernels=kernels,
        fields=fields,
        colours=like.shape[1] == 3 and like.ndim > 3,
        bgr=bool(getattr(fit, "bgr", False)),
        over="" if fields is None else NOISE if photos is None else PHOTOS,
        seed=seed if fields is not None and photos is None else None,
        notes=tuple(notes),
    )


def _first_image(model: Differentiable, photos: Images | None) -> NDArray[Any]:
    """An image (1, c, *space) as the network is given them: the first photo, else a grey one."""
    if photos is not None:
        return next(_photos(model, photos, []))[None]
    fit = getattr(model.prepare, "fit", model.prepare)
    if model.prepare is None or not (isinstance(fit, Fit) or isinstance(model.prepare, ClipFit) or callable(fit)):
        raise BadParameter(
            f"{model.name} does not say how large its images are: give filters(..., photos=) some, or a prepared array "
            "(n, c, *space) of noise."
        )
    size = fit.size if isinstance(fit, Fit) else None
    side = size if isinstance(size, int) else 256
    return numbers(blank(of_any_scale(model.prepare), (side, side), 128))[None]


def _photos(model: Differentiable, photos: Images, notes: list[str]) -> Iterator[NDArray[Any]]:
    """Each photo as the network is given it (c, *space); of a broken one a note."""
    for batch in photo_set(model, photos).batches(model, True):
        if isinstance(batch, BrokenPhoto):
            notes.append(f"{batch.name} is left out: {batch.error}")
        else:
            yield from numbers(batch.batch.x)


def _kernels(model: Differentiable, layer: str | None, x: NDArray[Any], notes: list[str]) -> tuple[str, Kernels | None]:
    """The layer and its kernels, if it has any; of no layer the first convolution that reads the image."""
    if layer == INPUT:
        raise NotApplicable("The input is the image itself, which has no filters. Name a layer: `seewhy layers` lists them.")
    if layer is not None:
        try:
            return layer, model.kernels(layer, x)
        except NotApplicable as error:
            notes.append(f"no kernels are shown: {error}")
            return layer, None
    for name in model.layers(x):
        try:
            kernels = model.kernels(name, x)
        except NotApplicable:
            continue
        if kernels.reads_image:
            return name, kernels
    raise NotApplicable(f"No convolution of {model.name} reads the image itself. Name a layer: `seewhy layers` lists them.")


def _fields(
    model: Differentiable, layer: str, photos: Images | None, like: NDArray[Any], units: Sequence[int] | None, count: int,
    samples: int, seed: int, notes: list[str], kernels: Kernels | None,
) -> EffectiveFields | None:  # fmt: skip
    """The effective fields; None, with a note, where no gradient of a unit can be had and there are kernels to show."""

    def images() -> Iterator[NDArray[Any]]:
        if photos is None:
            draw = np.random.default_rng(seed)
            yield from (draw.standard_normal(like.shape[1:]).astype(np.float32) for _ in range(samples))
            return
        for image, _ in zip(_photos(model, photos, notes), range(samples), strict=False):
            yield image

    try:
        fields = effective_fields(model, layer, units, images(), count)
        if fields.stopped:
            notes.append(f"interrupted: the mean is over {fields.images} of the images")
        return fields
    except NotApplicable as error:
        if kernels is None:
            raise
        notes.append(f"no effective fields are shown: {error}")
        return None
