"""invert(): what a layer's representation leaves of a photo, as an image that has the same representation."""

from collections.abc import Callable, Sequence
from math import cos, isfinite, pi
from numbers import Real
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arguments import known_names
from seewhy.arrays import Array, numbers
from seewhy.errors import BadNetwork, BadParameter, NotApplicable, whole_number
from seewhy.inside.asked_names import layer_names
from seewhy.inside.maximizing.adam import Adam
from seewhy.inside.maximizing.network_input import NetworkInput, network_input
from seewhy.maps.source import ModelFacts, stored
from seewhy.models.model import Differentiable, require
from seewhy.printable import quoted
from seewhy.progress import shown, stop_asked

from .inverted import Inverted, InvertedLayer
from .priors import TYPICAL, alpha_norm, total_variation

LAYERS = 64  # of one call
Distance = Callable[[NDArray[Any]], tuple[float, NDArray[Any]]]  # of an image (1, c, h, w) in [0, 1]; with its gradient


@known_names()
def invert(
    model: Differentiable, photo: Any, layer: str | Sequence[str] | None = None, *, steps: int = 300, rate: float = 0.05,
    bounded: float = 1e-3, smooth: float = 2e-2, seed: int = 0,
) -> Inverted:  # fmt: skip
    """An image, made from noise, that a layer represents as it represents the photo: what is alike in both is what the layer
    keeps of the photo, and what differs is what it forgets.

    layer: a name, or a list of names, each of which is inverted by itself; "scores" for what the network says in the end; None
        for the layer that is explained by default.
    What is minimised is |Phi(x) - Phi(photo)|^2 / |Phi(photo)|^2 + bounded * alpha_norm(x) + smooth * total_variation(x), as
    `priors` has them, over images x of the network's input with values from 0 to 1.
    steps, rate: of Adam, whose steps shrink to nothing as half a cosine wave; seed: of the noise.
    Ctrl-C ends it with the layers and the image until then.
    Raises NotApplicable where the layer is silent, its representation does not depend on the image by a gradient, or the model
    does not prepare photos by a fixed mixture of colours; NoSuchName, BadParameter, BadImage.
    Source: Mahendran & Vedaldi 2015, Understanding Deep Image Representations by Inverting Them; the units of the two norms are
    those of their paper of 2016.
    """
    require(model, "gradients", "invert goes down the gradient of a layer's representation", "Try occlusion or rise.")
    steps, seed = whole_number(steps, "invert: steps", 1, 10**6), whole_number(seed, "invert: seed", 0)
    for name, value, least in (("rate", rate, 1e-6), ("bounded", bounded, 0), ("smooth", smooth, 0)):
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value) or not least <= value <= 1e6:
            raise BadParameter(f"invert: {name}={quoted(value)} is a number from {least:g} on.")
    model, begin = model.with_flat_layers(), perf_counter()
    batch = _one(model, photo)
    place = network_input(model, tuple(batch.x.shape[2:]))
    layers = _layers(model, layer, batch.x)
    found, stopped = list[InvertedLayer](), False
    with model.unchanged():
        distances = {name: _distance(model, place, batch.x, name) for name in layers}
        for name, distance in shown(distances.items(), len(distances), "layers"):
            descent = _Descent(distance, steps, rate, bounded, smooth, seed)
            done = descent.run((1, place.channels, *place.space))
            if len(done.curve):
                found.append(InvertedLayer(name, done.image[0], done.curve, distance(done.image)[0]))
            if done.stopped:
                stopped = True
                break
    if not found:
        raise KeyboardInterrupt
    seen = batch.network_view(0) or Image.fromarray(_levels(place.image(numbers(batch.x))[0]))
    settings = {"steps": steps, "rate": rate, "bounded": bounded, "smooth": smooth, "seed": seed, "layers": [*layers]}
    return Inverted(
        seen, batch.names[0], tuple(found), ModelFacts.of(model), stored(settings), perf_counter() - begin, stopped,
        batch.notes[0],
    )  # fmt: skip


def _one(model: Differentiable, photo: Any) -> Any:
    """The photo as the network takes it."""
    batches = model.batches(photo)
    batch = next(iter(batches))
    if len(batch.x) > 1 or next(iter(batches), None) is not None:
        raise BadParameter("Representations are inverted one photo at a time; several were given. Ask photo by photo.")
    return batch


def _layers(model: Differentiable, layer: Any, x: Array) -> list[str]:
    named = layer_names(layer)
    if named is None:
        usual = model.default(x)
        if usual is None:
            raise BadParameter("No layer of this network has space, so none is inverted by default: name one.")
        return [usual[0]]
    if len(named) > LAYERS:
        raise BadParameter(f"{len(named):,} layers are asked for at once; {LAYERS} are the most.")
    return named


def _distance(model: Differentiable, place: NetworkInput, x: Array, layer: str) -> Distance:
    """The squared distance of an image's representation from that of the photo, over the squared length of the photo's.

    Raises NotApplicable for a layer that is zero for the photo.
    """
    passed = model.pulled(x, [layer])
    name = [*passed.a][-1]  # of one that runs several times the last run
    goal = passed.a[name]
    length = float((goal.astype(np.float64) ** 2).sum())
    if not isfinite(length):
        raise BadNetwork(f"{model.name}: what {layer} emits for the photo is NaN or infinite.")
    if length == 0:
        raise NotApplicable(f"Layer {layer} of {model.name} is silent: it emits 0 everywhere for this photo. Name another.")

    def distance(image: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        given, back = place.of(image.astype(goal.dtype))
        seen = model.pulled(given, [layer])
        apart = seen.a[name] - goal
        g = back(seen.back({name: 2 * apart / goal.dtype.type(length)}))
        return float((apart.astype(np.float64) ** 2).sum() / length), g.astype(np.float64)

    return distance


class _Descended(NamedTuple):
    """What a descent leaves."""

    image: NDArray[np.float64]  # (1, c, *space) in [0, 1], of 256 levels
    curve: NDArray[np.float64]  # (steps, 3): the distance, and the two norms with their weights
    stopped: bool


class _Descent(NamedTuple):
    """From noise down to an image."""

    distance: Distance
    steps: int
    rate: float
    bounded: float
    smooth: float
    seed: int

    def run(self, shape: tuple[int, ...]) -> _Descended:
        """The image that was reached; Ctrl-C ends it there."""
        rng, adam, curve, stopped = np.random.default_rng(self.seed), Adam(self.rate), list[tuple[float, ...]](), False
        image = (0.5 + rng.normal(0, TYPICAL / 4, shape)).clip(0, 1)
        try:
            for step in shown(range(self.steps), self.steps, "inversion"):
                if stop_asked():
                    stopped = True
                    break
                value, g = self.distance(image)
                if not np.isfinite(g).all():
                    raise BadNetwork(f"The gradient of the representation is NaN or infinite at step {step + 1}.")
                norms = alpha_norm(image), total_variation(image)
                curve.append((value, self.bounded * norms[0].value, self.smooth * norms[1].value))
                g = g + self.bounded * norms[0].g + self.smooth * norms[1].g
                if not g.any():
                    break
                adam.rate = self.rate * (1 + cos(pi * step / self.steps)) / 2
                image = adam.step(image, -g).clip(0, 1)
        except KeyboardInterrupt:  # where nobody asked for it to be noted (`progress.stoppable`)
            stopped = True
        return _Descended(np.rint(image * 255) / 255, np.array(curve).reshape(-1, 3), stopped)


def _levels(image: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rint(image * 255).astype(np.uint8).transpose(1, 2, 0))
