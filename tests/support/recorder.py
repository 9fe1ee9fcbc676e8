"""A model without a network, and a case of two images that asks it."""

from typing import Any

import numpy as np

from seewhy.errors import BadParameter
from seewhy.explaining.case import Case
from seewhy.images.places import Gaze, Place
from seewhy.images.sight import Sight
from seewhy.models.model import INPUT, Answer, Evidence, Head, Layer, Trace
from seewhy.targets.target import Class, weighted

X = np.random.default_rng(0).normal(size=(2, 3, 8, 8))
LATE = np.random.default_rng(1).normal(size=(2, 4, 2, 2))


class Recorder:
    """A model that says what it is asked for; `calls` lists which passes ran.  Each pass gives scores of its own."""

    name, explains, no_classes, copies = "recorder", "logits", "", 8

    def __init__(self, default: bool = True, g: float = 1.0, a: np.ndarray = LATE, resting: tuple[str, ...] = ()) -> None:
        self.calls: list[Any] = []
        self.has_default, self.g, self.a, self.resting = default, g, a, resting  # layers that scores rest on

    def _answer(self, scale: float) -> Answer:
        return Answer(scale * np.array([[1.0, 2.0], [3.0, 4.0]]), None)

    def default(self, x: Any) -> tuple[str, Layer] | None:
        self.calls.append("default")
        return ("late", Layer("Conv2d", (4, 2, 2), 1, True, True, "last")) if self.has_default else None

    def defaults(self, x: Any, targets: Any) -> list[Any]:
        assert (len(x), len(targets)) == (1, 1)
        return [self.default(x)]

    def beside(self, place: int, count: int) -> "Recorder":
        return self

    def rests(self, x: Any, weights: Any, layer: str) -> bool:
        assert x.shape == (1, 3, 8, 8)
        assert weights.tolist() == [0, 1]  # of class 1
        self.calls.append(("rests", layer))
        return layer in self.resting

    def answer(self, x: Any) -> Answer:
        self.calls.append("answer")
        return self._answer(1)

    def trace(self, x: Any, targets: Any, layers: Any, rule: Any = None, twice: bool = False) -> Trace:
        self.calls.append(("trace", tuple(layers), rule))
        if None in layers and not self.has_default:
            raise BadParameter("name one")
        layers = [*dict.fromkeys("late" if name is None else name for name in layers)]
        answer = self._answer(10 if rule is None else 1000)
        evidence = {
            name: Evidence(a := X if name == INPUT else self.a, np.full((len(targets), *a.shape), self.g)) for name in layers
        }
        return Trace(answer, weighted(targets, answer.scores), evidence, {name: (f"traced {name}",) for name in layers})

    def head(self, x: Any, targets: Any, layers: Any) -> Head:
        self.calls.append("head")
        answer = self._answer(100)
        w = np.zeros((len(targets), len(x), 4))
        return Head(answer, weighted(targets, answer.scores), dict.fromkeys(layers, self.a), w, {"late": ("by the head",)})

    def activations(self, x: Any, layers: Any) -> Any:
        self.calls.append("activations")
        return dict.fromkeys(layers, self.a), dict.fromkeys(layers, ("stopped",))

    def cells(self, layer: str, x: Any) -> Any:
        return (2, 2), Place((4.0, 4.0), (1.5, 1.5), (4.0, 4.0))

    def gaze(self, layer: str, x: Any) -> Any:
        return Gaze((1.0, 2.0), (Sight(2.0, 3.0), Sight(1.0, 3.0))) if layer == "looking" else None


def case(model: Any = None, layers: Any = (None,), shared: Any = ("gradients",), **more: Any) -> Case:
    return Case(model or Recorder(), X, [Class(1)], layers, shared, **more)
