"""What a network of any framework shows with one image before it: the evidence on which the doctor judges methods."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import NotApplicable, SeewhyError
from seewhy.models.hazard import NOTE, Hazard
from seewhy.models.model import INPUT, Examination
from seewhy.models.rule import guided

TORCH = "only torch networks, and Keras on the torch backend, can be read so"
ON_TORCH_ALONE = ("second derivative", "relevance", "products", "excitation", "balance", "biases", "attention")


def examined(model: Any, x: NDArray[Any], plain: Examination) -> Examination:
    """What a few passes of one image (1, c, *space) show of a BackendModel; plain: of it as a function alone."""
    hazards = [hazard for hazard in plain.hazards if hazard.name != "scores-only"]
    if "layers" not in model.gives:
        if "gradients" not in model.gives:
            return plain
        return plain._replace(refused={**_without_layers(model), **_without_relus(model, x)}, hazards=tuple(hazards))
    layers = model.layers(x)
    layer = next((name for name, known in layers.items() if known.default), None)
    refused = _refused(model, x, layer)
    if "gradients" not in model.gives:
        words = f"it runs by {model.backend.framework}: layers can be read, and no gradients"
        hazards.append(Hazard("no-gradients", NOTE, words, (), "eigen-cam, score-cam, recipro-cam, occlusion and lime do."))
    a = None if layer is None else model.activations(x, [layer])[0][model.named([layer], x)[-1]][0]
    if (bad := model.first_bad(x)) is not None:
        hazards.append(Hazard("not-finite", NOTE, f"NaN or infinity arises at {bad}", (bad,), ""))
    return plain._replace(layers=layers, layer=layer, activation=a, refused=refused, hazards=tuple(hazards))


def _without_layers(model: Any) -> Mapping[str, str]:
    why = f"{model.name} shows no layers: it is run in one piece by {model.backend.framework}"
    return {**dict.fromkeys(("inside", "layer", "layer gradient", "head", "tail"), why), **_elsewhere(model)}


def _refused(model: Any, x: NDArray[Any], layer: str | None) -> Mapping[str, str]:
    """What cannot be read of a model with layers, by the names that methods know it by; and why."""
    refused = _elsewhere(model)
    without = f"{model.backend.framework} gives no gradients"
    refused |= _without_relus(model, x) if "gradients" in model.gives else {"image": without, "relus": without}
    if layer is None:
        return refused
    try:
        model.head(x, [lambda scores: np.ones_like(scores)], [layer])
    except NotApplicable as error:
        refused["head"] = str(error)
        if "gradients" not in model.gives:
            refused["layer gradient"] = f"{without}, and they have no closed form: {error}"
    try:
        model.backend.behind(x[0], layer)
    except SeewhyError as error:
        refused["tail"] = str(error)
    return refused


def _without_relus(model: Any, x: NDArray[Any]) -> Mapping[str, str]:
    """Why rules for ReLUs cannot be kept, if they cannot."""
    try:
        model.backend.traced(x, [INPUT], guided)
    except SeewhyError as error:
        return {"relus": str(error)}
    return {}


def _elsewhere(model: Any) -> dict[str, str]:
    return {**dict.fromkeys(ON_TORCH_ALONE, TORCH), **model.backend.refuses}
