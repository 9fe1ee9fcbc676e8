"""dream(): what a network sees into a photo, drawn into it."""

from collections.abc import Sequence
from math import isfinite
from numbers import Real
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arguments import known_names
from seewhy.errors import BadNetwork, BadParameter, NoSuchName, NotApplicable, closest, whole_number
from seewhy.images.photo import Photo, read
from seewhy.inside.maximizing.network_input import NetworkInput, network_input
from seewhy.inside.maximizing.objectives import layers_of, objective_of
from seewhy.inside.maximizing.objectives import read as read_objective
from seewhy.maps.source import ModelFacts, stored
from seewhy.models.model import Differentiable, computes, require
from seewhy.printable import quoted
from seewhy.progress import shown, stop_asked
from seewhy.targets.sums import Diversity, WeightedSum, WholeLayer
from seewhy.targets.target import Unit

from .dreamt import Dream
from .octaves import OctaveSize, Slope, jittered, octave_sizes, resized, sizes_in_words, tiled

TILE = 640  # pixels a side of what goes through the network at once
SMALLEST = 32  # pixels a side of an octave
EVENED = ("LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm", "UnitNorm")  # in the kinds of layers


@known_names()
def dream(
    model: Differentiable, photo: Any, what: Any = None, *, octaves: int = 4, scale: float = 1.4, steps: int = 10,
    step: float = 1.5, jitter: int = 32, seed: int = 0,
) -> Dream:  # fmt: skip
    """A photo into which the network drew what it sees in it, at the photo's own size.

    what: the name of a layer, all of whose activations grow (its mean square); a unit, in all of its cells; a class; a sum of
        these as `maximize` takes it.  None for the layer in the middle of the network.
    octaves, scale: the photo is dreamt into at so many sizes, each `scale` times the one before, the last its own; what was
        drawn at one is drawn on at the next.
    steps, step: of each octave; a step moves the pixels, of 256 levels, by so many levels on average.
    jitter: pixels by which the photo is shifted at random for each step; seed: of that.
    A photo larger than 640 pixels a side goes through the network in tiles, and one of any size where the network takes one
    size alone, such as most transformers.  Ctrl-C ends it with what is drawn until then.
    Raises NotApplicable where nothing in the photo excites what is asked for, or where the model does not prepare photos by a
    fixed mixture of colours; NoSuchName, BadParameter, BadImage.
    Source: Mordvintsev, Olah & Tyka 2015, Inceptionism: Going Deeper into Neural Networks, and their code.
    """
    require(model, "gradients", "dream goes up the gradient of a layer", "Try occlusion or rise.")
    octaves, steps = whole_number(octaves, "dream: octaves", 1, 20), whole_number(steps, "dream: steps", 1, 10_000)
    jitter, seed = whole_number(jitter, "dream: jitter", 0, 10_000), whole_number(seed, "dream: seed", 0)
    for name, value, least in (("scale", scale, 1.01), ("step", step, 0.01)):
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value) or not least <= value <= 100:
            raise BadParameter(f"dream: {name}={quoted(value)} is a number from {least} to 100.")
    picture, begin = _one(photo), perf_counter()
    model = model.with_flat_layers()
    place, objective = network_input(model), dreamt_of(model, what)
    pixels = (np.asarray(picture.pixels, np.float32) / np.float32(255)).transpose(2, 0, 1)[None]
    slope = _slope(model, place, objective)
    with model.unchanged():
        slope, least = _at_any_size(slope, model, place, layers_of(objective))
        sizes = octave_sizes(pixels.shape[2:], octaves, scale, least)  # type: ignore[arg-type]
        slope = jittered(slope, jitter, np.random.default_rng(seed))
        drawn, values, stopped = _drawn(slope, pixels, sizes, steps, step)
    if not stopped and not any(values):
        raise _asleep(objective, model, picture.name)
    levels = np.rint(drawn[0].transpose(1, 2, 0) * 255).astype(np.uint8)
    settings = {
        "octaves": octaves, "scale": scale, "steps": steps, "step": step, "jitter": jitter, "seed": seed,
        "sizes": sizes_in_words(sizes), "layers": layers_of(objective),
    }  # fmt: skip
    return Dream(
        str(objective), Image.fromarray(levels), picture, np.array(values), ModelFacts.of(model), stored(settings),
        perf_counter() - begin, stopped,
    )  # fmt: skip


def _one(photo: Any) -> Photo:
    if isinstance(photo, list | tuple) and not isinstance(photo, Photo):
        raise BadParameter(f"A dream is dreamt into one photo; {len(photo)} were given. Ask photo by photo.")
    return read(photo)


def dreamt_of(model: Differentiable, what: Any) -> WeightedSum:
    """What a dream is of: a layer's name is all that the layer emits, and a unit of which no cell was named counts in all."""
    if what is None:
        what = WholeLayer(_usual(model))
    if isinstance(what, str) and what.partition("#")[0] in model.layers():  # act#2: its second run
        what = WholeLayer(what)
    try:
        asked = objective_of(what, model.labels)
    except (NoSuchName, BadParameter):
        near = closest(what, [*model.layers()]) if isinstance(what, str) else []
        if not near:
            raise
        there, typed = "model.layers() has the layers, model.labels the classes.", "All: `seewhy layers`, `seewhy labels`."
        raise NoSuchName("layer or class", what, near, there, typed) from None
    terms = []
    for weight, term in asked.terms:
        if isinstance(term, Diversity):
            raise BadParameter(f"{term} compares several images, and a dream is one: leave it out.")
        terms.append((weight, Unit(term.layer, term.channel, "sum") if isinstance(term, Unit) and term.at == "max" else term))
    return WeightedSum(tuple(terms))


def _usual(model: Differentiable) -> str:
    """The layer in the middle of those that have space and that the scores rest on: motifs grow there, not edges or objects.

    Not one that scales each image's activations to one mean square, for that cannot grow.
    """
    spread = {name: row for name, row in model.layers().items() if len(row.shape) == 3 and min(row.shape[1:]) > 1}
    layers = [
        name if row.calls == 1 else f"{name}#{row.sees[-1]}"
        for name, row in spread.items()
        if row.connected and computes(row.kind) and not any(kind in row.kind for kind in EVENED)
    ]
    if not layers:
        raise BadParameter("No layer of this network has space, so none is dreamt of by default: name a layer, or a class.")
    return layers[len(layers) // 2]


def _slope(model: Differentiable, place: NetworkInput, objective: WeightedSum) -> Slope:
    """The objective of an image in [0, 1], and its gradient."""
    layers = layers_of(objective)

    def slope(image: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        x, back = place.of(image)
        passed = model.pulled(x, layers)
        found = read_objective(objective, passed.a)
        g = back(passed.back(found.cotangents))
        if not np.isfinite(g).all() or not np.isfinite(found.values).all():
            raise BadNetwork(f"{model.name}: {objective}, or its gradient, is NaN or infinite in this photo.")
        return float(found.values[0]), g

    return slope


def _at_any_size(
    slope: Slope, model: Differentiable, place: NetworkInput, layers: Sequence[str]
) -> tuple[Slope, OctaveSize]:  # fmt: skip
    """The same of images of any size from the second thing returned on, (h, w): by tiles of the network's own size where it
    takes no other.
    """
    own: OctaveSize = (place.space[0], place.space[1])
    try:
        slope(np.full((1, place.channels, own[0] + 32, own[1] + 32), 0.5, np.float32))
    except BadNetwork:
        slope(np.full((1, place.channels, *own), 0.5, np.float32))  # raises where it is not the size
        return tiled(slope, own), own

    def free(image: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        sides = image.shape[2:]
        return slope(image) if max(sides) <= TILE else tiled(slope, (min(sides[0], TILE), min(sides[1], TILE)))(image)

    return free, _least(model, place, layers, own)


def _least(model: Differentiable, place: NetworkInput, layers: Sequence[str], own: OctaveSize) -> OctaveSize:
    """The smallest octave: 32 pixels a side, or the first of 64, 128, ... of which the network leaves something, or its own."""
    side = SMALLEST
    while side < min(own):
        try:
            model.pulled(place.of(np.full((1, place.channels, side, side), 0.5, np.float32))[0], layers)
        except BadNetwork:
            side *= 2
        else:
            return side, side
    return max(own[0], SMALLEST), max(own[1], SMALLEST)


def _drawn(
    slope: Slope, photo: NDArray[np.float32], sizes: list[OctaveSize], steps: int, step: float
) -> tuple[NDArray[np.float32], list[float], bool]:
    """The photo (1, 3, h, w) with what was drawn, the objective at each step, and whether a person ended it.

    What is drawn at one size is enlarged and added to the photo at the next, so that the photo's own detail stays.
    """
    detail, values, stopped = np.zeros((1, photo.shape[1], *sizes[0]), np.float32), list[float](), False
    plan = [(size, first) for size in sizes for first in [True] + [False] * (steps - 1)]
    base, image = photo, photo
    try:
        for size, first in shown(plan, len(plan), "dream"):
            if stop_asked():
                stopped = True
                break
            if first:
                base = resized(photo, size).clip(0, 1)
                image = (base + resized(detail, size)).clip(0, 1)
            value, g = slope(image)
            length = float(abs(g).mean())
            values.append(value if length > 0 else 0.0)
            if length > 0:
                image = (image + g * np.float32(step / 255 / length)).clip(0, 1)
            detail = image - base
    except KeyboardInterrupt:  # where nobody asked for it to be noted (`progress.stoppable`)
        stopped = True
    return (photo + resized(detail, photo.shape[2:])).clip(0, 1), values, stopped  # type: ignore[arg-type]


def _asleep(objective: WeightedSum, model: Differentiable, name: str) -> NotApplicable:
    return NotApplicable(
        f"{objective} of {model.name} has no gradient anywhere in {name}: nothing in it excites it, or it is dead. "
        "`seewhy units` ranks those that are alive in a photo; a layer before the activation function may be awake."
    )
