"""What can be explained of a model, at what cost, and what stands in the way: found by looking, before any map is made."""

from typing import Any, cast

import numpy as np
from PIL import Image

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.errors import BadParameter, InSpace, SeewhyError
from seewhy.images.inputs import Images
from seewhy.maps.source import Predicted
from seewhy.methods.making.conditions import Conditions
from seewhy.methods.making.method import METHODS, Method
from seewhy.models.hazard import ERROR, NOTE, SEVERITIES, WARNING, Hazard
from seewhy.models.model import Differentiable, Model, require
from seewhy.prepare.batch import LOST, Batch
from seewhy.prepare.callable_fit import DRAWS, UNSTEADY
from seewhy.prepare.fit import Fit

from .report import Report, Verdict


@known_names()
def doctor(model: Model, image: Images | None = None) -> Report:
    """What can be explained of the model, and what stands in the way.

    image: a photo or a prepared batch of one; by default noise, which shows all but what the network says of a photo.
    A torch network runs a few times: the look of `model.layers` (forward and back, on noise), forward and back on the image,
    forward once more, on the image beside noise, once on noise for attention, forward and back by attn-lrp's rules, and
    forward once and back three times for the second derivative at the layer; once or twice again where answers differ or
    parts are in train mode.  A look that memory runs out in stops the methods that rest on it, and no others.
    A function is called three times, the last time with three images; more often where images change each other's scores, or
    go one at a time.  Everything comes back as it was.  Raises BadParameter without an image where the model
    prepares none, BadImage where the picture cannot be read; what the network does wrong is a hazard, not an exception.
    """
    require(model, "scores")
    batch = next(iter(model.batches(_noise(model) if image is None else image))).part(0, 1)
    name = "noise" if image is None else batch.names[0]
    try:
        answer, layers, layer, a, refused, hazards = model.examine(batch.x)
    except InSpace as error:
        inside = Hazard("no-classes", WARNING, " ".join(str(error).split()), (), "")
        layers = cast(Differentiable, model).layers(batch.x) if "layers" in model.gives else {}
        default = next((name for name, known in layers.items() if known.default), None)
        why = layers[default].why if default else ""
        return Report(model.name, model.weights, name, None, layers, (inside, *_preparing(batch)), (), default, why)
    except (SeewhyError, MemoryError) as error:
        failed = Hazard("fails", ERROR, " ".join(str(error).split()), (), "Nothing can be explained before this is mended.")
        return Report(model.name, model.weights, name, None, {}, (failed,), ())
    refused = refused if layer else {"layer": "no layer that still has space can be read", **refused}
    conditions = Conditions(tuple(batch.x.shape[2:]), layer, a, refused, bool(layer and layers[layer].tokens))
    hazards = (*hazards, *_preparing(batch), *(() if image is None or refused.get("scores") else _scale(model, batch)))
    hazards = tuple(sorted(hazards, key=lambda hazard: SEVERITIES.index(hazard.severity)))
    verdicts = tuple(_verdict(method, conditions) for method in METHODS.values())
    method, reason = _advised(verdicts, conditions)
    why = layers[layer].why if layer else ""
    predicted = None if answer.probabilities is None else Predicted.of(answer.probabilities[0], model.labels)
    command = _python(method, layer) if method else ""
    return Report(
        model.name, model.weights, name, predicted, layers, hazards, verdicts, layer, why, method, reason, command,
        conditions.space,
    )  # fmt: skip


def _noise(model: Model) -> Any:
    """A photo of noise, of the size that the model makes of any."""
    prepare: Any = getattr(model, "prepare", None)
    if prepare is None:
        raise BadParameter(f"{model.name} was wrapped without `prepare`: give the doctor a prepared image, (1, c, h, w).")
    size = prepare.size if isinstance(prepare, Fit) and prepare.size is not None else 256
    height, width = (size, size) if isinstance(size, int) else size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _preparing(batch: Batch) -> tuple[Hazard, ...]:
    """What is odd about how a photo becomes what the network is given."""
    notes, found = batch.notes[0], []
    if DRAWS in notes or UNSTEADY in notes:
        words = "`prepare` draws random numbers" if DRAWS in notes else UNSTEADY
        advice = "Give the preprocessing of validation, not that of training: what is explained differs from call to call."
        found.append(Hazard("random-prepare", WARNING, words, (), advice))
    if LOST in notes:
        advice = "Let `prepare` resize, crop, pad, mirror or turn by right angles, and leave other ways of moving pixels out."
        found.append(Hazard("unknown-part", WARNING, LOST, (), advice))
    return tuple(found)


def _scale(model: Any, batch: Batch) -> tuple[Hazard, ...]:
    """Numbers that a network is hardly used to."""
    if getattr(model, "takes", "float") == "uint8":
        return ()
    x = numbers(batch.x).astype(np.float64)
    low, high, mean, std = x.min(), x.max(), x.mean(), x.std()
    said = f"the prepared image runs from {low:.3g} to {high:.3g} (mean {mean:.2g}, standard deviation {std:.2g})"
    advice = "If it was trained on normalised numbers, give its mean and std: prepare=, --prepare mean=0.5 --prepare std=0.5."
    if high > 30:
        return (Hazard("input-scale", WARNING, f"{said}: photos from 0 to 255, not normalised?", (), advice),)
    if (low >= 0 and std > 0) or abs(mean) > 3 or not 0.1 < std < 4:
        return (Hazard("input-scale", NOTE, f"{said}; most networks are trained on numbers around 0", (), advice),)
    return ()


def _verdict(method: Method, conditions: Conditions) -> Verdict:
    why = method.hindered(conditions)
    count = None if why else method.forwards(conditions)
    cost = method.cost
    if count is not None and method.asks:
        behind = "tail" in method.needs  # it runs only what lies behind the layer
        cost = f"{count:,} x the part behind {conditions.layer}" if behind else f"{count:,} forwards"
    return Verdict(method.name, not why, why, count, cost)


def _advised(verdicts: tuple[Verdict, ...], conditions: Conditions) -> tuple[str | None, str]:
    """The method to begin with, and why: what the methods that work say of themselves decides."""
    works = [verdict.method for verdict in verdicts if verdict.works]
    advice = {name: said for name in works if (said := METHODS[name].advice(conditions))}
    if advice:
        first = min(advice, key=lambda name: advice[name].rank)
        return first, advice[first].reason
    return (works[0], "it works here") if works else (None, "")


def _python(method: str, layer: str | None) -> str:
    at = f", layer={layer!r}" if layer and METHODS[method].layered else ""
    return f"seewhy.{method.replace('-', '_')}(model, image{at})[0].save('why.png')"
