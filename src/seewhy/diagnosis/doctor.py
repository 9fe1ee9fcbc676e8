"""What can be explained of a model, at what cost, and what stands in the way: found by looking, before any map is made."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, InSpace, SeewhyError
from seewhy.images.given import Images
from seewhy.maps.source import Predicted
from seewhy.methods.making.method import METHODS, Method
from seewhy.methods.making.segments import segmented
from seewhy.methods.occlude import Grid
from seewhy.models.hazard import ERROR, NOTE, SEVERITIES, WARNING, Hazard
from seewhy.models.model import Differentiable, Layer, Model
from seewhy.prepare.batch import Batch
from seewhy.prepare.fit import Fit

from .report import Report, Verdict


class Scene(NamedTuple):
    """What verdicts rest on."""

    space: tuple[int, ...]  # of the image
    layer: str | None
    a: NDArray[Any] | None  # what it emits: (c, *space)
    refused: Mapping[str, str]  # what cannot be read, and why


def doctor(model: Model, image: Images | None = None) -> Report:
    """What can be explained of the model, and what stands in the way.

    image: a photo or a prepared batch of one; by default noise, which shows all but what the network says of a photo.
    A torch network runs a few times: the look of `model.layers` (forward and back, on noise), forward and back on the image,
    forward once more, on the image beside noise, once on noise for attention, and
    forward and back by attn-lrp's rules; once or twice again where answers differ or parts are in train mode.
    A function is called twice.  Everything comes back as it was.  Raises BadParameter without an image where the model
    prepares none, BadImage where the picture cannot be read; what the network does wrong is a hazard, not an exception.
    """
    if not isinstance(model, Model):
        raise BadParameter(f"{type(model).__name__} is no model. Make one: seewhy.wrap(network) or seewhy.load(spec).")
    batch = next(iter(model.batches(_noise(model) if image is None else image))).part(0, 1)
    name = "noise" if image is None else batch.names[0]
    try:
        answer, layers, layer, a, refused, hazards = model.examine(batch.x)
    except InSpace as error:
        inside = Hazard("no-classes", WARNING, " ".join(str(error).split()), (), "")
        layers = model.layers(batch.x) if isinstance(model, Differentiable) else {}
        default = next((name for name, one in layers.items() if one.default), None)
        why = layers[default].why if default else ""
        return Report(model.name, model.weights, name, None, layers, (inside,), (), default, why)
    except (SeewhyError, MemoryError) as error:
        failed = Hazard("fails", ERROR, " ".join(str(error).split()), (), "Nothing can be explained before this is mended.")
        return Report(model.name, model.weights, name, None, {}, (failed,), ())
    scene = Scene(tuple(batch.x.shape[2:]), layer, a, refused)
    hazards = (*hazards, *(() if image is None or scene.refused.get("scores") else _scale(model, batch)))
    hazards = tuple(sorted(hazards, key=lambda hazard: SEVERITIES.index(hazard.severity)))
    verdicts = tuple(_verdict(method, scene) for method in METHODS.values())
    method, reason = _advised(verdicts, scene, layers)
    why = layers[scene.layer].why if scene.layer else ""
    predicted = None if answer.probabilities is None else Predicted.of(answer.probabilities[0], model.labels)
    command = _python(method, scene.layer) if method else ""
    space = scene.space
    return Report(
        model.name, model.weights, name, predicted, layers, hazards, verdicts, scene.layer, why, method, reason, command, space
    )


def _noise(model: Model) -> Any:
    """A photo of noise, of the size that the model makes of any."""
    prepare: Any = getattr(model, "prepare", None)
    if prepare is None:
        raise BadParameter(f"{model.name} was wrapped without `prepare`: give the doctor a prepared image, (1, c, h, w).")
    size = prepare.size if isinstance(prepare, Fit) and prepare.size is not None else 256
    height, width = (size, size) if isinstance(size, int) else size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


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


NEEDS: Mapping[str, tuple[str, ...]] = {  # of what is read, keys of Scene.refused
    "gradients": ("inside", "layer", "layer gradient"), "pixels": ("image",), "activations": ("inside", "layer"),
    "head": ("inside", "layer", "head"), "nothing": ("inside", "layer"), "scores": (),
    "layer scores": ("inside", "layer"),
}  # fmt: skip
OWN: Mapping[str, tuple[str, ...]] = {  # what a method needs beyond what it reads
    "guided-backprop": ("relus",), "deconvnet": ("relus",), "guided-grad-cam": ("layer", "layer gradient", "relus"),
    "lrp": ("relevance",), "excitation-backprop": ("excitation",), "full-grad": ("logits",), "ablation-cam": ("tail",),
    "attention-rollout": ("attention",), "transformer-relevance": ("attention",), "le-grad": ("attention",),
    "attn-lrp": ("products",), "recipro-cam": ("tail",), "lime": ("segments",), "kernel-shap": ("segments",),
    "sobol": ("grid",),
}  # fmt: skip


def _verdict(method: Method, scene: Scene) -> Verdict:
    known = {**_missing(method, scene), **scene.refused}
    needs = ("scores", *NEEDS[method.reads], *OWN.get(method.name, ()))
    why = next((known[need] for need in needs if need in known), "")
    count = _forwards(method, scene) if not why else None
    cost = method.cost
    if count is not None and method.asks:
        cost = f"{count:,} x the part behind {scene.layer}" if method.name in BEHIND else f"{count:,} forwards"
    return Verdict(method.name, not why, why, count, cost)


def _missing(method: Method, scene: Scene) -> dict[str, str]:
    """What is not there, whatever the network can do."""
    missing = {} if scene.layer else {"layer": "no layer that still has space can be read"}
    if find_spec("skimage") is None:
        missing["segments"] = "superpixels need scikit-image: pip install 'seewhy[superpixels]'; or give segments='grid:8'"
    try:
        _cells(scene.space)
    except SeewhyError as error:
        missing["grid"] = str(error)
    return missing


def _cells(space: tuple[int, ...]) -> int:
    """Segments of the grid that sobol lays."""
    return int(segmented(np.zeros((*space, 1)), METHODS["sobol"].settings["segments"]).max()) + 1


BEHIND = ("ablation-cam", "recipro-cam")  # which run only what lies behind the layer
RUNS: Mapping[str, Callable[[Any, Scene], int]] = {  # settings, scene -> forwards
    "guided-grad-cam": lambda _s, _c: 2,
    "integrated-gradients": lambda s, _c: s["steps"] + 2,
    **dict.fromkeys(("smooth-grad", "smooth-grad-squared", "var-grad"), lambda s, _c: s["samples"] + 1),
    "score-cam": lambda _s, c: _varying(c),
    "is-cam": lambda s, c: s["samples"] * _varying(c),
    "ss-cam": lambda s, c: s["samples"] * len(_channels(c)),
    "ablation-cam": lambda _s, c: int(_channels(c).any(1).sum()),
    "recipro-cam": lambda _s, c: _channels(c).shape[1],
    "occlusion": lambda s, c: _windows(s, c.space),
    "rise": lambda s, _c: s["masks"],
    "lime": lambda s, _c: s["samples"],
    "kernel-shap": lambda s, _c: s["samples"] + 1,  # fewer where there are few segments
    "sobol": lambda s, c: s["samples"] * (_cells(c.space) + 2),
}


def _forwards(method: Method, scene: Scene) -> int | None:
    if method.name in RUNS:
        return RUNS[method.name](method.settings, scene)
    return None if method.asks or method.passes.startswith("{") else 1


def _channels(scene: Scene) -> NDArray[Any]:
    """(c, cells)"""
    a = np.zeros((0, 0)) if scene.a is None else scene.a
    return a.reshape(len(a), -1)


def _varying(scene: Scene) -> int:
    """Channels that vary over space; the others share one mask, which is empty."""
    varies = np.ptp(_channels(scene), axis=1) > 0
    return int(varies.sum()) + (not varies.all())


def _windows(settings: Mapping[str, Any], space: tuple[int, ...]) -> int:
    return len(Grid.asked(space, settings["window"], settings["stride"]).places)


FEW = 16  # windows: fewer do not tell where


def _advised(verdicts: tuple[Verdict, ...], scene: Scene, layers: Mapping[str, Layer]) -> tuple[str | None, str]:
    """The method to begin with, and why."""
    works = {verdict.method for verdict in verdicts if verdict.works}
    if "grad-cam" in works and scene.layer:
        if "cam" in works:
            return "grad-cam", ("behind the layer come pooling and one linear layer only: grad-cam, hires-cam and cam are the "
                                "same map there, and it accounts for the logit but for a bias")  # fmt: skip
        if layers[scene.layer].tokens:
            return "grad-cam", "one pass; the layer is the last whose places the tokens that are read at the end still look at"
        return "grad-cam", "one pass; where hires-cam differs, averaging the gradient has moved the map: look at both"
    if "occlusion" in works and _windows(METHODS["occlusion"].defaults, scene.space) < FEW and "rise" in works:
        return "rise", "it needs scores alone; occlusion's own windows are too large for an image of this size: give window="
    if "occlusion" in works:
        return "occlusion", "it needs scores alone, and its numbers are drops of the score; rise and lime are others"
    return next(((verdict.method, "it works here") for verdict in verdicts if verdict.works), (None, ""))


def _python(method: str, layer: str | None) -> str:
    at = f", layer={layer!r}" if layer and METHODS[method].layered else ""
    return f"seewhy.{method.replace('-', '_')}(model, image{at})[0].save('why.png')"
