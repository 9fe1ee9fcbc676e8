"""The question that a map answers, as its Source has it, put to a model once more."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seewhy.errors import BadImage, BadParameter, NoSuchName
from seewhy.explaining.ask import ask
from seewhy.inside.activations import activations
from seewhy.inside.heads import attention
from seewhy.maps.fusion import fuse
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.maps.source import Predicted, Source
from seewhy.methods.making.budget import Budget
from seewhy.methods.making.method import Method, lookup
from seewhy.printable import printable
from seewhy.targets.aim import Aim
from seewhy.targets.class_names import class_index
from seewhy.targets.grammar import holds_no_question
from seewhy.targets.group import AnyOf
from seewhy.targets.parse import read
from seewhy.targets.target import Class, Labels, Scores, Top, Unit, Weights

FUSED = " + "  # between the names of layers whose maps are joined


@dataclass(frozen=True)
class Resolved:
    """The class that a target came to: it is explained whatever class the model now has in its place."""

    text: str  # as it was asked: "top 1"
    index: int

    def __call__(self, scores: Scores) -> Weights:
        return Class(self.index)(scores)

    def __str__(self) -> str:
        return self.text


def asked_again(source: Source, model: Any, image: Any, target: Any, params: Mapping[str, Any]) -> Heatmap:
    """The map of the same question: method, parameters, target and layer as they were resolved, tiles.

    image, target: in place of what the Source has, unless None; params: of the method, those that no text can hold.
    Raises BadParameter, with what to give, where the Source cannot tell a part of the question, BadImage where the file of the
    image is not there.
    """
    given = image_of(source) if image is None else image
    try:
        found = _made(source, model, given, target, params)
    except (BadParameter, NoSuchName) as error:
        why = f"{printable(source, 300)} cannot be made again:"
        code = "What the Source has as a text may be code or an array of yours: then give it again,"
        raise BadParameter(
            f"{why} {error} {code} target= or a parameter.",
            typed=f"{why} {error.typed or error} {code} in Python.",
        ) from error
    if len(found) != 1:
        raise BadParameter(f"One image is asked for, that of {printable(source.image, 200)}; these gave {len(found)} maps.")
    (heatmap,) = found
    said = heatmap.source.predicted
    if said is None and source.predicted is not None:  # a method beside it ran the network to its end
        said = _predicted(model, given)
    return replace(heatmap, source=replace(heatmap.source, layer_why=source.layer_why, predicted=said))


def _made(source: Source, model: Any, image: Any, target: Any, params: Mapping[str, Any]) -> Heatmaps:
    if source.method.startswith("attention") and "query" in source.params:
        return attention(model, image, source.layer, source.params["head"], source.params["query"])
    if source.method.startswith("activation of ") and "channel" in source.params:
        (layer,) = activations(model, image, source.layer, channels=[source.params["channel"]])
        return layer.maps
    if source.method.startswith("drift of "):
        raise BadParameter("it is a picture of two maps and their difference, which seewhy drift makes.")
    method, fused = method_again(source, params), source.params.get("fuse")
    layers = source.layer.split(FUSED) if FUSED in source.layer else source.layer
    asked, cut = target_of(source, model.labels) if target is None else target, source.tile.get("asked")
    cut = cut if isinstance(cut, Mapping) else {}
    found = ask(model, image, [method], asked, layers if method.layered else None, cut.get("tile"), cut.get("overlap"))
    return fuse(found, str(fused)) if fused else found


def method_again(source: Source, given: Mapping[str, Any]) -> Method:
    """The method with its parameters.  Raises BadParameter where one of them is known by its SHA-256 alone."""
    method = lookup(source.method)
    usual = method.described
    other = {name: value for name, value in source.params.items() if name in usual and value != usual[name]}
    for name, value in other.items():
        if name not in given and _of_code(value):
            raise BadParameter(
                f"{name} is known by its SHA-256 alone: give {name}=.", typed=f"{name} is known by its SHA-256 alone."
            )
    if Budget.of(other.get("budget"), source.method).seconds < float("inf"):
        other["budget"] = int(source.measured.get("forwards", 0)) or None  # what was done in that time
    return method.using(**{**other, **given})


def _of_code(value: Any) -> bool:
    """Is it, or does it hold, what `described` says of an array or a picture?"""
    parts = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(part, str) and re.match(r"(array|image) \(.* sha256:", part) for part in parts)


def target_of(source: Source, labels: Labels) -> Any:
    """The target as it was resolved: a class by its index; a place, a text or a unit as they are written."""
    text = source.target
    try:
        (found, *_) = read(text, labels)
    except BadParameter:
        found = None
    if holds_no_question(text) and not isinstance(found, Aim | AnyOf):
        why = f"{printable(text, 200)} is known by its SHA-256 alone"
        raise BadParameter(f"{why}: give target=.", typed=f"{why}.")
    if source.place or isinstance(found, Aim | AnyOf | Unit):
        return text
    if source.score is None:  # the map is the same for every class
        return Resolved(text, 0)
    return text if source.index is None else Resolved(text, source.index)


def contradiction(source: Source, labels: Labels) -> str:
    """Where a Source names a class as its target, and says that another was explained: so, in words; "" where it does not."""
    try:
        (found, *_) = read(source.target, labels)
        named = class_index(found.index, labels) if isinstance(found, Class) else source.index
    except (BadParameter, NoSuchName):
        return ""  # as that of a function, or of a label that this model does not have
    if source.index is None or source.place or source.tile:
        return ""
    answer = source.predicted
    if found == Top(1) and answer and answer.probability > (source.probability or 0.0):
        named = answer.index
    if named == source.index:
        return ""
    return f"target: {printable(source.target, 100)!r} as saved, which is class {named}, and class {source.index} was explained"


def _predicted(model: Any, image: Any) -> Predicted | None:
    (batch,) = model.batches(image)
    probabilities = model.answer(batch.x).probabilities
    return None if probabilities is None else Predicted.of(probabilities[0], model.labels)


def image_of(source: Source) -> str:
    """The file that was explained.  Raises BadImage where it is not there, or the image came from no file."""
    if source.image and Path(source.image).exists():
        return source.image
    name = printable(source.image, 200) or "The image"
    why = f"{name} is no file here: give the image that was explained,"
    raise BadImage(f"{why} image=.", typed=f"{why} --image FILE.")
