"""What excites a unit most: images found by gradient ascent."""

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.errors import BadParameter, NotApplicable
from seewhy.inside.photo_batches import BrokenPhoto, photo_set
from seewhy.maps.source import ModelFacts, stored
from seewhy.models.model import Differentiable, require
from seewhy.printable import quoted
from seewhy.progress import shown

from .ascent import Ascent, OnStep
from .maximized import Maximized
from .network_input import NetworkInput, network_input
from .objectives import layers_of, objective_of
from .parametrisations import FixedMagnitude, Fourier, Parametrisation, PixelLogits, magnitude_of, natural_magnitude
from .transformations import Transformations

PARAMETRISATIONS = ("fourier", "pixels", "maco")
RATES = {"fourier": 0.05, "pixels": 0.05, "maco": 0.3}
MACO = Transformations(crop=(0.3, 0.8), noise=0.05)
MOST = 256  # images of a batch


@known_names()
def maximize(
    model: Differentiable, objective: Any, *, parametrisation: str = "fourier", steps: int = 256, rate: float | None = None,
    batch: int = 1, size: Any = None, values: Any = None, transformations: Transformations | None = None, views: int = 1,
    tv: float = 0, l2: float = 0, blur: float = 0, photos: Any = None, seed: int = 0, on_step: OnStep | None = None,
) -> Maximized:  # fmt: skip
    """Images that an objective is greatest for, found from random ones by gradient ascent.

    objective: Unit(layer, channel, at), a class (index, label, Class, Contrast), Direction(layer, vector), WholeLayer(layer), a
        sum of these with weights (`2 * Unit("conv", 3) - Class(1) + Diversity("conv")`), or its text.  Of a unit "sum" is what
        the field calls a channel, "max" its strongest cell, and a cell (y, x) a neuron.
    parametrisation: "fourier" for the spectrum weighed by 1 / frequency; "pixels"; "maco" for the phases of a spectrum whose
        magnitudes are those of `photos` (as `explain_dataset` takes them; by default those that photos have on average), for
        networks of many layers and transformers.  Of photos all are in colours that are uncorrelated in photos.
    steps, rate: of Adam.  batch: images, each from a random one of its own; image i of seed s is that of seed s + i.
    size: of photos a side or (h, w), by default what the model prepares; values: (low, high), the range of the network's input
        where no preparation of photos tells it, with size (c, *space).  Of signals and volumes, too.
    transformations: what is drawn for each view; None for the usual of the parametrisation; views: a step's, of each image.
    tv, l2, blur: weights of what is taken off the objective: mean total variation, mean squared distance from grey, and from
        the blurred image, of values from 0 to 1.
    on_step: called after each step with its number (from 1 on), the images in [0, 1] before it, and their objective.
    Ctrl-C ends it with the images so far.
    Raises NoSuchName for a layer, class or channel that does not exist; NotApplicable where no random image gives a gradient
    (a dead unit), the objective does not grow, or the range of values is not known; NeedsGradients, BadParameter.
    Source: Erhan et al. 2009, Visualizing Higher-Layer Features of a Deep Network; Olah et al. 2017; Fel et al. 2023 (MACO).
    """
    require(model, "gradients", "maximize goes up the gradient of an objective", "Try occlusion or rise.")
    _check(parametrisation, steps, rate, batch, views, seed, {"tv": tv, "l2": l2, "blur": blur})
    if photos is not None and parametrisation != "maco":
        raise BadParameter(f"photos= give maco its spectrum; {parametrisation} has none of them.")
    if transformations is not None and not isinstance(transformations, Transformations):
        raise BadParameter(
            f"transformations={quoted(transformations)}: give seewhy.Transformations(...), or None for the usual."
        )
    if on_step is not None and not callable(on_step):
        raise BadParameter(f"on_step={quoted(on_step)} is no function of the step, the images and their objective.")
    model = model.with_flat_layers()
    aim, place = objective_of(objective, model.labels), network_input(model, size, values)
    begin, notes = perf_counter(), list[str]()
    way = _parametrised(parametrisation, place, model, photos, notes)
    looks = transformations or (MACO if parametrisation == "maco" else Transformations())
    weights = {name: float(weight) for name, weight in (("tv", tv), ("l2", l2), ("blur", blur)) if weight}
    ascent = Ascent(model, aim, place, way, looks, views, weights)
    rate = RATES[parametrisation] if rate is None else rate
    with model.unchanged():
        climbed = ascent.climb(batch, steps, rate, seed, on_step)
    images, before, after = climbed.images, climbed.before, climbed.after
    if not climbed.stopped and (after <= before).all() and (climbed.trajectory.max(0) <= climbed.trajectory[0]).all():
        raise NotApplicable(
            f"{aim} of {model.name} did not grow in {steps} steps: it is {before.max():.4g} for a random image. Take more "
            "steps, another rate, or another parametrisation; a saturated probability has no slope: explain scores='logits'."
        )
    if (after <= before).any():
        notes.append(f"{int((after <= before).sum())} of {batch} images are no better than the random ones they were made from")
    settings = {
        "parametrisation": parametrisation, "steps": steps, "rate": rate, "size": [place.channels, *place.space],
        "values": values, "transformations": vars(looks), "views": views, **weights, "seed": seed, "batch": batch,
        "layers": layers_of(aim), "photos": str(photos) if isinstance(photos, str | Path) else photos and "images in memory",
    }  # fmt: skip
    return Maximized(
        str(aim), images.astype(np.float32), after, before, climbed.trajectory, climbed.moved, ModelFacts.of(model),
        stored(settings), perf_counter() - begin, climbed.stopped, tuple(notes),
    )  # fmt: skip


def _parametrised(name: str, place: NetworkInput, model: Differentiable, photos: Any, notes: list[str]) -> Parametrisation:
    """How images are written down; notes: what was odd about the photos that gave a spectrum."""
    colours = place.photos
    if name == "pixels":
        return PixelLogits(place.channels, place.space, colours)
    if name == "fourier":
        return Fourier(place.channels, place.space, colours)
    if photos is None:
        return FixedMagnitude(place.space, natural_magnitude(place.channels, place.space, colours), colours)
    return FixedMagnitude(place.space, _magnitude(place, model, photos, notes), colours)


def _magnitude(place: NetworkInput, model: Differentiable, photos: Any, notes: list[str]) -> NDArray[np.float64]:
    """The mean magnitudes (c, *half) of the spectra of photos, as the network sees them."""
    total: Any = 0.0
    count = broken = 0
    chosen = photo_set(model, photos)
    for each in shown(chosen.batches(model), chosen.count or 0, "spectrum"):
        if isinstance(each, BrokenPhoto):
            broken += 1
            continue
        x = np.asarray(each.batch.x)
        if tuple(x.shape[2:]) != place.space:
            raise BadParameter(
                f"The photos are {x.shape[2:]} as {model.name} sees them, the image is to be {place.space}: leave size= out."
            )
        total = total + len(x) * magnitude_of(place.image(x), place.photos)
        count += len(x)
    if broken:
        notes.append(f"{broken} photos could not be read; the spectrum is that of {count}")
    return total / count


def _check(parametrisation: Any, steps: Any, rate: Any, batch: Any, views: Any, seed: Any, weights: dict[str, Any]) -> None:
    if parametrisation not in PARAMETRISATIONS:
        raise BadParameter(f"parametrisation={quoted(parametrisation)} is none of {', '.join(PARAMETRISATIONS)}.")
    for name, value, least, most in (
        ("steps", steps, 1, 10**6), ("batch", batch, 1, MOST), ("views", views, 1, MOST), ("seed", seed, 0, 2**63),
    ):  # fmt: skip
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value <= most:
            raise BadParameter(f"{name}={quoted(value)} is no whole number from {least} to {most}.")
    for name, value in weights.items():
        if not _is_number(value) or value < 0:
            raise BadParameter(f"{name}={quoted(value)} is no weight from 0 on.")
    if rate is not None and (not _is_number(rate) or rate <= 0):
        raise BadParameter(f"rate={quoted(rate)} is no number above 0.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))
