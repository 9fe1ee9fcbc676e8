"""The same question put to a network and to changed copies of it: the same photos, methods, layers, and classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.explaining.ask import LayerNames, ask
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Heatmaps, Refused
from seewhy.methods.making.method import METHODS, Method, lookup
from seewhy.models.model import Model, require
from seewhy.prepare.batch import in_frames
from seewhy.printable import quoted
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.parse import as_targets
from seewhy.targets.target import PerImage, Scores, Unit, Weights, weighted

Methods = str | Method[Any] | Sequence[str | Method[Any]]
MapKey = tuple[str, str]  # method and layer


@dataclass(frozen=True, eq=False)
class Settled:
    """A target as the untouched network's scores settled it: "top 1" stays the class that it was."""

    text: str
    weights: NDArray[np.float64]  # (k,)

    def __call__(self, scores: Scores) -> Weights:
        return np.repeat(self.weights[None], len(scores), 0)

    def __str__(self) -> str:
        return self.text


def chosen_methods(methods: Methods) -> list[Method[Any]]:
    """The methods of these names; those that end in a ReLU without it, unless the caller said otherwise: a map whose evidence
    is all against the class is empty after it, and could not be compared with any other.

    Raises BadParameter where there is none, NoSuchName for an unknown one.
    """
    several = [methods] if isinstance(methods, str | Method) else methods
    if not isinstance(several, Sequence) or not several:
        raise BadParameter(f"method={quoted(methods)} names none. There are {', '.join([*METHODS][:4])}, ...")
    found = [lookup(each) for each in several]
    before = [m.using(signed=True) if "signed" in m.parameters and "signed" not in m.params else m for m in found]
    return [*dict.fromkeys(before)]


class SameQuestion:
    """What is asked of a network and of changed copies of it, and the maps of the untouched network.

    maps: in the order image, layer, method; keys: (method, layer) of each, told apart where several would be called the same;
    failed, refused: the images, and the methods, that were left out.
    Arguments, and what is raised: as of `seewhy.explain`, with one target.
    """

    def __init__(
        self, model: Model, images: Images, methods: Methods, target: Any, layer: LayerNames, on_error: str = "raise"
    ) -> None:
        require(model, "scores")
        self.model, self.methods = model, chosen_methods(methods)
        (self.target,) = _one(as_targets(target, model.labels))
        given = in_frames(sort_out(images, model.takes_signals), model.prepare)
        found: Heatmaps = ask(model, given, self.methods, self.target, layer, on_error=on_error)  # type: ignore[arg-type]
        self.failed: tuple[Failed, ...] = found.failed
        self.refused: tuple[Refused, ...] = found.refused
        self.methods = [m for m in self.methods if m.name not in {left.method for left in self.refused}]
        self.images = _without(given, {left.place for left in self.failed})
        self.maps: Sequence[Heatmap] = found.maps
        if not self.maps:
            raise (*self.failed, *self.refused)[0].error
        self.places = [*dict.fromkeys(heatmap.place for heatmap in self.maps)]
        self.keys = _keys(self.maps)
        layered = {m.name for m in self.methods if m.layered}
        layers = [*dict.fromkeys(m.source.layer for m in self.maps if m.source.method in layered)]
        asked = [layer] if layer is None or isinstance(layer, str) else [*layer]
        self.layer: LayerNames = layers if layers and len(layers) == len(asked) else layer  # type: ignore[assignment]
        self.targets = PerImage(self._settled())

    def of(self, model: Model) -> Sequence[Heatmap]:
        """The maps of the same classes of the same images by another model, in the order of `maps`."""
        return ask(model, self.images, self.methods, self.targets, self.layer).maps

    @property
    def names(self) -> list[str]:
        """The names of the images."""
        return [next(m.source.image for m in self.maps if m.place == place) for place in self.places]

    def _settled(self) -> list[Any]:
        """For each image the target with the class that it came to."""
        own = [self.target.of(p) if isinstance(self.target, PerImage) else self.target for p in self.places]
        if any(isinstance(each, Aim | Unit | Group) for each in own):
            index = {m.place: m.source.index for m in self.maps}
            return [_of_class(each, index[place]) for each, place in zip(own, self.places, strict=True)]
        scores = list[NDArray[Any]]()
        for batch in self.model.batches(self.images):
            scores += [*np.asarray(self.model.beside(len(scores), len(batch.x)).answer(batch.x).scores)]
        return [Settled(str(each), weighted([each], row[None])[0, 0]) for each, row in zip(own, scores, strict=True)]


def by_key(keys: Sequence[MapKey], values: Sequence[Any]) -> dict[MapKey, list[Any]]:
    """The values of each key, in their order."""
    found: dict[MapKey, list[Any]] = {}
    for key, value in zip(keys, values, strict=True):
        found.setdefault(key, []).append(value)
    return found


def _one(targets: list[Any]) -> list[Any]:
    if len(targets) != 1:
        raise BadParameter(f"{len(targets)} targets were given; maps of one are compared. Ask for one after the other.")
    return targets


def _of_class(target: Any, index: int | None) -> Any:
    """An aim of the class that is predicted at a place as one of that very class."""
    open_class = isinstance(target, Aim) and getattr(target, "of", 0) is None and index is not None
    return replace(target, of=index) if open_class else target  # type: ignore[type-var]


def _without(images: Any, places: set[int]) -> Any:
    if not places:
        return images
    if isinstance(images, PreparedBatch):
        return PreparedBatch(images.x[[i for i in range(len(images.x)) if i not in places]])
    return [image for i, image in enumerate(images) if i not in places]


def _keys(maps: Sequence[Heatmap]) -> list[MapKey]:
    """The method and the layer of each map; of one that an image has twice, with what its parameters are."""
    found, met = list[MapKey](), set[tuple[int, str, str]]()
    twice = set[str]()
    for m in maps:
        key = (m.place, m.source.method, m.source.layer)
        twice |= {m.source.method} if key in met else set()
        met.add(key)
    for m in maps:
        said = ", ".join(f"{name}={value}" for name, value in sorted(m.source.params.items()))
        found.append((f"{m.source.method}({said})" if m.source.method in twice else m.source.method, m.source.layer))
    return found
