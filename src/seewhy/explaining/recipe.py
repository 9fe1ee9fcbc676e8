"""What the engine needs of a method: what it reads, how it runs on a case, and how its cores become the values of maps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, described
from seewhy.errors import BadParameter
from seewhy.targets.target import PerImage

from .case import Case, Outcome


class Reading(NamedTuple):
    """What a kind of method reads of the network, and what follows from that."""

    what: str  # in words
    cost: str  # of one map, in words
    needs: tuple[str, ...]  # what has to be readable of the network, beside its scores: keys of Conditions.refused
    asks: bool = False  # for the scores of many variants of each image
    blind: bool = False  # the same whatever class is explained


READINGS = {
    "gradients": Reading(
        "gradients", "1 forward, and the tail behind the layer back per target", ("inside", "layer", "layer gradient")
    ),
    "pixels": Reading("gradients", "1 forward, and the whole way back per target", ("image",)),
    "activations": Reading("a layer's activation", "the forward up to the layer", ("inside", "layer"), blind=True),
    "head": Reading("the last linear layer", "1 forward", ("inside", "layer", "head")),
    "nothing": Reading("a layer's size", "the forward up to the layer, for its size alone", ("inside", "layer"), blind=True),
    "scores": Reading("scores", "forwards of changed images", (), asks=True),
    "layer scores": Reading(
        "a layer's activation", "forwards of changed images or activations, and the forward up to the layer",
        ("inside", "layer"), asks=True,
    ),
}  # fmt: skip
Reduce = Literal["max", "sum", "l2"]
REDUCE: dict[str, Callable[[Array], Array]] = {  # (t, n, c, *space) -> (t, n, *space)
    "max": lambda core: abs(core).max(2),
    "sum": lambda core: core.sum(2),
    "l2": lambda core: np.sqrt((core**2).sum(2)),
}
Cores = Mapping[str, NDArray[Any]] | Outcome  # {layer: core}, signed
Run = Callable[..., Cores]  # (Case, **params)


class Parameter(NamedTuple):
    """What a method takes by a name of its own."""

    default: Any
    kind: Any  # its annotation
    meaning: str


@dataclass(frozen=True, eq=False)
class Recipe:
    """How to explain, under a name.  `methods.making.method.Method` adds what makes it pleasant to call."""

    name: str
    run: Run = field(repr=False)
    parameters: Mapping[str, Parameter] = field(default_factory=dict, repr=False)
    reads: str = field(default="gradients", repr=False)  # a key of READINGS
    rectified: bool = field(default=True, repr=False)  # its formula ends in a ReLU; signed=True leaves that out
    doc: str = field(default="", repr=False)
    params: Mapping[str, Any] = field(default_factory=dict)
    pixels: bool = field(default=False, repr=False)  # it finds channels (c, h, w) at the image, which `reduce` joins
    layered: bool = field(default=True, repr=False)  # a layer may be asked for
    shares: tuple[str, ...] = field(default=(), repr=False)  # of the evidence on the untouched images: see Case
    passes: str = field(default="", repr=False)  # in words, where it runs the network several times
    by_target: bool = field(default=False, repr=False)  # it reads the targets one by one: of many, some after the other
    averages: str = field(default="", repr=False)  # in words, where it averages the gradient over the whole map
    formula_of: Callable[..., Array] | None = field(default=None, repr=False)  # (a, g) or (a, w) -> map: all it makes of a pass
    doubted: Callable[[Mapping[str, float]], str] | None = field(default=None, repr=False)  # a map, by what was measured of it
    moves: str = field(default="", repr=False)  # what it does to the image, in words, where places in it do not stay

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: parameter.default for name, parameter in self.parameters.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """Every parameter, given or by default."""
        return {**self.defaults, **self.params}

    @property
    def described(self) -> dict[str, Any]:
        """The settings, arrays and pictures among them in words."""
        return {
            key: ("per image", *map(described, value.targets)) if isinstance(value, PerImage) else described(value)
            for key, value in self.settings.items()
        }

    @property
    def varies(self) -> bool:
        """Has a parameter a value of its own for each image?"""
        return any(isinstance(value, PerImage) for value in self.params.values())

    def check_count(self, count: int) -> None:
        """Raises BadParameter where values for each image are not as many as there are images."""
        for name, value in self.params.items():
            if isinstance(value, PerImage) and len(value.targets) != count:
                images = "there is 1 image" if count == 1 else f"there are {count} images"
                raise BadParameter(
                    f"{self.name}: {name} has {len(value.targets)} values, one for each image, and {images}: give one for "
                    "each, or one value that holds for all."
                )

    def of_image(self, place: int) -> "Self":
        """The recipe for the image at that place: with its own values of parameters that have one for each image."""
        own = {k: v.of(place) if isinstance(v, PerImage) else v for k, v in self.params.items()}
        return replace(self, params=own) if self.varies else self

    def outcome(self, case: Case) -> Outcome:
        """What the method gives for the case: its cores are signed, before any ReLU, and of a pixel method have channels."""
        later = {"reduce"} if self.pixels else {"signed"} if self.rectified else set()  # parameters that `finished` reads
        result = self.run(case, **{key: value for key, value in self.settings.items() if key not in later})
        return result if isinstance(result, Outcome) else Outcome(result)

    def maps(self, case: Case) -> Mapping[str, NDArray[Any]]:
        """What methods made of this one build on: its finished maps (t, n, *space); of a pixel method the channels as well,
        (t, n, c, *space).
        """
        cores = self.outcome(case).cores
        return cores if self.pixels else {layer: self.finished(core) for layer, core in cores.items()}

    def finished(self, core: NDArray[Any]) -> NDArray[Any]:
        """The values (t, n, *space) of the maps that a core gives."""
        if self.pixels:
            return REDUCE[self.settings["reduce"]](core)
        return np.maximum(core, 0) if self.rectified and not self.settings["signed"] else core

    @property
    def whole(self) -> bool:
        """Does a pass keep the graph of the whole network, so that few images go together?"""
        return (
            self.pixels
            or "twice" in self.shares
            or (not self.asks and (bool(self.passes) or (self.reads == "gradients" and not self.shares)))
        )

    @property
    def asks(self) -> bool:
        """Does it ask for the scores of many variants of each image?"""
        return READINGS[self.reads].asks

    @property
    def blind(self) -> bool:
        """Is what it reads the same whatever class is explained?"""
        return READINGS[self.reads].blind

    @property
    def caveat(self) -> str:
        """What is known against the method, or limits it."""
        return self._said("Caveat:")

    @property
    def wording(self) -> str:
        """Its cost in words, with the names of its settings in braces."""
        return self.passes or READINGS[self.reads].cost

    @property
    def cost(self) -> str:
        return self.wording.format(**self.settings)

    def _said(self, key: str) -> str:
        parts = [" ".join(part.split()) for part in self.doc.split("\n\n")]
        return next((part.removeprefix(key).strip() for part in parts if part.startswith(key)), "")


def marks_place(value: Any) -> bool:
    """Is the value of a parameter a place in the image: a box, a mask, labels, the file of one?"""
    if isinstance(value, PerImage):
        return any(map(marks_place, value.targets))
    return value is not None and not callable(value) and (not isinstance(value, str) or Path(value).is_file())
