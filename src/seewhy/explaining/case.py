"""One question put to one batch; what was found out is kept for the next method to read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.errors import BadParameter, NotApplicable, SeewhyError
from seewhy.images.places import Cells
from seewhy.models.model import ATTENTION, INPUT, Answer, Differentiable, Head, Layer, Trace
from seewhy.models.rule import Balanced, Rule
from seewhy.targets.target import Target, weighted

T = TypeVar("T")

if TYPE_CHECKING:
    from PIL.Image import Image

    from seewhy.maps.regions import Regions


class once(Generic[T]):  # noqa: N801 - a decorator
    """What is found out on first asking, and kept.  functools.cached_property of Python 3.11 has one lock for all cases,
    which two threads that wait for one network can deadlock on.
    """

    def __init__(self, find: Callable[[Any], T]) -> None:
        self.find, self.name = find, find.__name__

    @overload
    def __get__(self, case: None, owner: type) -> "once[T]": ...
    @overload
    def __get__(self, case: Any, owner: type) -> T: ...
    def __get__(self, case: Any, owner: type) -> "T | once[T]":
        if case is None:
            return self
        case.__dict__[self.name] = found = self.find(case)
        return found


UNMOVED = "no change of the image changed the score by more than rounding: it does not depend on what was hidden"


def _nothing(_t: int, _i: int) -> tuple[str, ...]:
    return ()


class Outcome(NamedTuple):
    """What a method gives for a case."""

    cores: Mapping[str, NDArray[Any]]  # of each layer: (t, n, *space) before any ReLU, of a pixel method (t, n, c, *space)
    notes: Callable[[int, int], tuple[str, ...]] = _nothing  # of target t in image i: what was odd
    measured: Mapping[str, NDArray[Any]] = {}  # by name: (t, n), for the Source
    measured_at: Mapping[str, Mapping[str, NDArray[Any]]] = {}  # the same of each layer, where they differ
    errors: Mapping[str, NDArray[Any]] = {}  # of each layer, where it is known: the standard error (t, n, *space)
    regions: Callable[[int, int], "Regions | None"] = lambda _t, _i: None  # of target t in image i, where it judged any
    failure: SeewhyError | None = None  # what ended the work early; the cores are an estimate from what was done before

    def measurements(self, layer: str) -> Mapping[str, NDArray[Any]]:
        """All that was measured of a map at the layer, by name: (t, n)."""
        return {**self.measured, **self.measured_at.get(layer, {})}


class Case:
    """One batch before one model, and the question asked.

    shared: which evidence on these very images several methods read: "gradients" at the layers, "pixels" (the gradient
        at the image); one trace then serves them all.
    seen: the photo of an image as the network saw it, cropped and of its size; None of a prepared array.
    rule: by which every gradient comes back, if not plainly; methods with a rule of their own then raise NotApplicable.
    """

    def __init__(
        self, model: Differentiable, x: Array, targets: Sequence[Target], layers: Sequence[str | None] = (None,),
        shared: Iterable[str] = ("gradients",), seen: "Callable[[int], Image | None]" = lambda _: None,
        rule: Balanced | None = None,
    ) -> None:  # fmt: skip
        self.model, self.x, self.targets, self.asked, self.shared = model, x, targets, layers, frozenset(shared)
        self.seen, self.rule = seen, rule
        self.ruled: dict[Any, Trace] = {}

    @once
    def named(self) -> list[str]:
        """The layers as they were asked for."""
        return [*dict.fromkeys(self.default_layer if name is None else name for name in self.asked)]

    @once
    def layers(self) -> list[str]:
        """Where there is something to read: a layer that runs several times stands for each of its calls."""
        return [*(self.at_layers(self.trace.evidence) if "gradients" in self.shared else self._stopped[0])]

    def at_layers(self, there: Mapping[str, T]) -> dict[str, T]:
        """What was asked for of what was found."""
        return {name: found for name, found in there.items() if name != INPUT or INPUT in self.named}

    @once
    def default_layer(self) -> str:
        found = self._default
        if found is None:
            raise BadParameter(f"{self.model.name} has no layer that still has space to explain; name one: layer=...")
        return found[0]

    @once
    def _default(self) -> "tuple[str, Layer] | None":
        return next(((name, layer) for name, layer in self.model.layers(self.x).items() if layer.default), None)

    @once
    def trace(self) -> Trace:
        """The plain way back, or that by the case's rule, to all that is shared."""
        layers = (self.named if "gradients" in self.shared else []) + ([INPUT] if "pixels" in self.shared else [])
        return self.model.trace(self.x, self.targets, [*dict.fromkeys(layers)], self.rule)

    def traced(self, rule: Rule, layers: Sequence[str]) -> Trace:
        """The way back by a rule."""
        self.plain_only("a method that leads gradients back by a rule of its own")
        key = (rule, tuple(layers))
        if key not in self.ruled:
            self.ruled[key] = self.model.trace(self.x, self.targets, layers, rule)
        return self.ruled[key]

    def plain_only(self, what: str) -> None:
        """NotApplicable where the case has a rule for all that it is asked, and `what` cannot take it."""
        if self.rule is not None:
            raise NotApplicable(
                f"libra balances plain gradients, and cannot be asked of {what}. It takes methods such as gradient, "
                "input-x-gradient, integrated-gradients and grad-cam, also inside smooth(...)."
            )

    @once
    def activations(self) -> Mapping[str, Array]:
        if "gradients" in self.shared:
            return {layer: found.a for layer, found in self.at_layers(self.trace.evidence).items()}
        return self._stopped[0]

    @once
    def _stopped(self) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        return self.model.activations(self.x, self.named)

    @once
    def head(self) -> Head:
        return self.model.head(self.x, self.targets, self.named)

    @once
    def pinned(self) -> tuple[Answer, NDArray[Any]]:
        """What the network says of the untouched images, and the weights of the targets (t, n, k): fixed there."""
        found = self.answered()
        if found is not None:
            return found
        if self.shared:
            return self.trace.answer, self.trace.weights
        answer = self.model.answer(self.x)
        return answer, weighted(self.targets, answer.scores)

    def know(self, answer: Answer) -> None:
        """What the network says of these very images, from a pass that the case did not make."""
        self.__dict__.setdefault("pinned", (answer, weighted(self.targets, answer.scores)))

    def answered(self) -> tuple[Answer, NDArray[Any]] | None:
        """What the network said and the weights of the targets (t, n, k), if a method asked for them."""
        if "pinned" in self.__dict__:
            return self.pinned
        found = next(iter(self._passes()), None)
        return (found.answer, found.weights) if found else None

    def _passes(self) -> list[Trace | Head]:
        own = [self.__dict__.get("trace"), self.__dict__.get("head"), *self.ruled.values()]
        return [found for found in own if found is not None]

    def notes(self, layer: str) -> tuple[str, ...]:
        """What was odd about reading the layer plainly, whichever pass read it; of a rule, the method that asked tells."""
        for found in (self.__dict__.get("trace"), self.__dict__.get("head")):
            if found is not None and layer in found.notes:
                return found.notes[layer]
        return self.__dict__.get("_stopped", ((), {}))[1].get(layer, ())

    def cells(self, layer: str, grid: tuple[int, ...], x: Array | None = None) -> Cells | None:
        """Where the cells of a map (*grid) at a layer lie, in images like x, by default the case's own; None: evenly."""
        like: Array = self.x if x is None else x
        found = self.model.cells(layer, like) if layer != INPUT else None
        if found is None or found[0] != tuple(grid):
            return None
        return Cells(found[1].first, found[1].stride, tuple(like.shape[2:]))

    def why(self, layer: str) -> str:
        """Why this layer was chosen; "" where the person named it."""
        default = self.__dict__.get("default_layer") if None in self.asked else None
        if default is None or default != layer.partition("#")[0] or self._default is None:
            return ""
        return self._default[1].why

    def zero_because(self, layer: str, t: int, i: int) -> str:
        """Why a map has nothing in it at all."""
        trace, head = self.__dict__.get("trace"), self.__dict__.get("head")
        if trace is None and head is None and layer == INPUT and "pixels" not in self.shared and not self.ruled:
            return UNMOVED
        if trace is not None and layer in trace.evidence and not bool((trace.evidence[layer].g[t, i] != 0).any()):
            why = f"zero gradient: the score does not depend on {layer}: "
            if layer == INPUT:
                return why + "the network is saturated there, or its weights are still zero: is it trained?"
            if self._default and self._default[0] == layer.partition("#")[0]:
                return why + "what follows is saturated, or its weights are still zero: is the network trained?"
            other = f", such as the default, {self._default[0]}: {self._default[1].why}" if self._default else ""
            return why + f"it is not connected to the target, or what follows is saturated; try a layer before it{other}"
        if layer == ATTENTION:
            return "no attention weight raises the score: nothing mixes tokens for it, or what follows is saturated"
        if layer == INPUT:
            return "nothing of the score comes back to the image"
        a = head.a[layer] if head is not None and trace is None else self.activations[layer]
        if not bool((a[i] != 0).any()):
            return f"{layer} is silent: every activation is zero"
        by_head = trace is None and head is not None
        return "the linear layer gives the target no weight" if by_head else "the evidence cancels out"

    @once
    def images(self) -> NDArray[Any]:
        """The batch as numpy."""
        return numbers(self.x)
