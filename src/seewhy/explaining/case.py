"""One batch and its targets; the results of each pass of the network are kept, so that further methods can read them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.errors import BadParameter, NotApplicable, SeewhyError
from seewhy.images.places import Cells
from seewhy.models.model import INPUT, Answer, Differentiable, Head, Layer, Trace
from seewhy.models.rule import Balanced, Rule
from seewhy.targets.target import Target, weighted

T = TypeVar("T")
Answered = tuple[Answer, NDArray[Any]]  # the network's answer for images, and the weights of the targets (t, n, k)
Activations = tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]  # of each layer: (n, c, *space); notes on reading it

if TYPE_CHECKING:
    from PIL.Image import Image

    from seewhy.maps.regions import Regions
    from seewhy.targets.aim import ImageView


class once(Generic[T]):  # noqa: N801 - a decorator
    """A property computed when it is first read, and kept.

    It takes the place of functools.cached_property, which in Python 3.11 has one lock for all cases: two threads that wait
    for one network can deadlock on it.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute, self.name = compute, compute.__name__

    @overload
    def __get__(self, case: None, owner: type) -> "once[T]": ...
    @overload
    def __get__(self, case: Any, owner: type) -> T: ...
    def __get__(self, case: Any, owner: type) -> "T | once[T]":
        if case is None:
            return self
        value = self.compute(case)
        setattr(case, self.name, value)  # later reads get this attribute
        return value


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
    notes_at: Mapping[str, tuple[str, ...]] = {}  # of each layer: what was odd about it
    channels: Mapping[str, NDArray[Any]] = {}  # of each layer, where the core sums them up: (t, n, c, *space)
    names: Mapping[str, str] = {}  # of a layer on whose cells a map of several lies: the names of all of these

    def measurements(self, layer: str) -> Mapping[str, NDArray[Any]]:
        """All measured numbers of the maps at that layer, by name: (t, n)."""
        return {**self.measured, **self.measured_at.get(layer, {})}


@dataclass
class Passes:
    """The results of the passes that the network made so far over the images of a case; None for a pass that did not run."""

    trace: Trace | None = None  # from the backward pass that the methods share
    head: Head | None = None  # from a pass that was read at the last linear layer
    stopped: Activations | None = None  # from a pass that ended behind the last of the layers
    by_rule: dict[tuple[Rule, tuple[str, ...]], Trace] = field(default_factory=dict)  # backward passes by rules of methods
    other: list[Answered] = field(default_factory=list)  # answers of all backward passes but the shared one
    answer: Answered | None = None  # once set, it stays, whatever passes run later

    @property
    def answered(self) -> Answered | None:
        """The network's answer: the fixed one, else that of the shared pass, else of another; None while no pass gave one."""
        if self.answer is not None:
            return self.answer
        shared = self.trace or self.head
        if shared is not None:
            return shared.answer, shared.weights
        return self.other[0] if self.other else None

    def notes(self, layer: str) -> tuple[str, ...]:
        """Notes on reading the layer, from the pass that read it; passes by a method's rule do not count."""
        plain = [each.notes for each in (self.trace, self.head) if each is not None]
        return next((notes[layer] for notes in plain if layer in notes), self.stopped[1].get(layer, ()) if self.stopped else ())


class Case:
    """One batch, one model, and the targets and layers that are explained.

    shared: which evidence on these very images several methods read: "gradients" at the layers, "pixels" (the gradient
        at the image), "twice" (these, to be asked for second derivatives); one trace then serves them all.
    photo: of image i, the photo as the network saw it, cropped and of its size; None of a prepared array.
    rule: by which every gradient comes back, if not plainly; methods with a rule of their own then raise NotApplicable.
    view: of image i, how the network sees what was given; None where that is the prepared array itself.
    """

    def __init__(
        self, model: Differentiable, x: Array, targets: Sequence[Target], layers: Sequence[str | None] = (None,),
        shared: Iterable[str] = ("gradients",), photo: "Callable[[int], Image | None]" = lambda _: None,
        rule: Balanced | None = None, view: "Callable[[int], ImageView | None]" = lambda _: None,
    ) -> None:  # fmt: skip
        self.model, self.x, self.targets, self.requested, self.shared = model, x, targets, layers, frozenset(shared)
        self.photo, self.rule, self.view = photo, rule, view
        self.passes = Passes()
        self.chosen: str | None = None  # the default layer, once it was chosen because none was named

    @once
    def named(self) -> list[str]:
        """The names of the requested layers, with the default layer's in place of None."""
        return [*dict.fromkeys(self.default_layer if name is None else name for name in self.requested)]

    @once
    def layers(self) -> list[str]:
        """The layers that are read: one that runs several times stands for each of its calls, as in name#1."""
        return [*(self.at_layers(self.trace.evidence) if "gradients" in self.shared else self.stopped[0])]

    def at_layers(self, by_layer: Mapping[str, T]) -> dict[str, T]:
        """Without what belongs to the image, unless the image is among the layers asked for."""
        return {name: value for name, value in by_layer.items() if name != INPUT or INPUT in self.named}

    def of_targets(self, places: Sequence[int], default: "tuple[str, Layer]") -> "Case":
        """The case of those of its targets, by their places, with their default layer."""
        requested = [*dict.fromkeys(default[0] if name is None else name for name in self.requested)]
        some = Case(
            self.model, self.x, [self.targets[t] for t in places], requested, self.shared, self.photo, self.rule, self.view
        )
        vars(some).update(usual=default, chosen=default[0])
        return some

    def sharing(self, shared: Iterable[str]) -> "Case":
        """The same case, of which methods share other evidence."""
        other = Case(self.model, self.x, self.targets, self.requested, shared, self.photo, self.rule, self.view)
        vars(other).update({name: vars(self)[name] for name in ("usual", "chosen") if name in vars(self)})
        return other

    @property
    def default_layer(self) -> str:
        if self.usual is None:
            raise BadParameter(f"{self.model.name} has no layer that still has space to explain; name one: layer=...")
        self.chosen = self.usual[0]
        return self.chosen

    @once
    def usual(self) -> "tuple[str, Layer] | None":
        """The default layer of these images, and what is known of it; None where there is none."""
        return self.model.default(self.x)

    @property
    def trace(self) -> Trace:
        """The backward pass, plain or by the case's rule, to all that methods share."""
        if self.passes.trace is None:
            layers = [*(self.requested if "gradients" in self.shared else ()), *([INPUT] if "pixels" in self.shared else ())]
            twice = "twice" in self.shared
            self.passes.trace = self.ask([*dict.fromkeys(layers)], self.rule, twice)
            self.chosen = self.default_layer if None in layers else self.chosen  # now that the pass told which it is
        return self.passes.trace

    def ask(self, layers: Sequence[str | None], rule: Rule | None, twice: bool = False) -> Trace:
        """The network's trace of all targets."""
        return self.model.trace(self.x, self.targets, layers, rule, twice)

    def settle(self) -> None:
        """Release the graph that was kept for second derivatives, once every method has run."""
        if "twice" in self.shared and (trace := self.passes.trace) is not None:
            evidence = {layer: replace(each, again=None) for layer, each in trace.evidence.items()}
            self.passes.trace = trace._replace(evidence=evidence)

    def traced(self, rule: Rule, layers: Sequence[str]) -> Trace:
        """The backward pass by a method's own rule."""
        self.plain_only("a method that leads gradients back by a rule of its own")
        key = (rule, tuple(layers))
        if key not in self.passes.by_rule:
            trace = self.ask(layers, rule)
            self.passes.by_rule[key] = trace
            self.record_way_back(trace.answer, trace.weights)
        return self.passes.by_rule[key]

    def plain_only(self, what: str) -> None:
        """Raises NotApplicable if the case has a rule for all gradients, since `what` cannot follow it."""
        if self.rule is not None:
            raise NotApplicable(
                f"libra balances plain gradients, and cannot be asked of {what}. It takes methods such as gradient, "
                "input-x-gradient, integrated-gradients and grad-cam, also inside smooth(...)."
            )

    @once
    def activations(self) -> Mapping[str, Array]:
        if "gradients" in self.shared:
            return {layer: evidence.a for layer, evidence in self.at_layers(self.trace.evidence).items()}
        return self.stopped[0]

    @property
    def stopped(self) -> Activations:
        """The activations at the layers, and notes on each, of a pass that ends behind the last of them."""
        if self.passes.stopped is None:
            self.passes.stopped = self.model.activations(self.x, self.named)
        return self.passes.stopped

    @property
    def head(self) -> Head:
        """The pooled activations and the weights of the last linear layer."""
        if self.passes.head is None:
            self.passes.head = self.model.head(self.x, self.targets, self.named)
        return self.passes.head

    @property
    def pinned(self) -> Answered:
        """The network's answer for the untouched images, and the weights of the targets (t, n, k), which then stay fixed."""
        if self.passes.answer is None:
            self.passes.answer = self.passes.answered or self._answer_now()
        return self.passes.answer

    def _answer_now(self) -> Answered:
        if self.shared:
            return self.trace.answer, self.trace.weights
        answer = self.model.answer(self.x)
        return answer, weighted(self.targets, answer.scores)

    def record_answer(self, answer: Answer) -> None:
        """Keep the network's answer for these images from a pass that was made elsewhere."""
        if self.passes.answer is None:
            self.passes.answer = answer, weighted(self.targets, answer.scores)

    def record_way_back(self, answer: Answer, weights: NDArray[Any]) -> None:
        """Keep the answer of a backward pass over these images that was made elsewhere: by a rule, or to attention."""
        self.passes.other.append((answer, weights))

    @property
    def answered(self) -> Answered | None:
        """The network's answer and the weights of the targets (t, n, k); None while no pass ran to the network's end."""
        return self.passes.answered

    def notes(self, layer: str) -> tuple[str, ...]:
        """Notes on reading the layer."""
        return self.passes.notes(layer)

    def cells(self, layer: str, grid: tuple[int, ...], x: Array | None = None) -> Cells | None:
        """Where the cells of a map (*grid) at a layer lie in images like x, by default those of the case; None where they are
        spread evenly.
        """
        like: Array = self.x if x is None else x
        known = self.model.cells(layer, like) if layer != INPUT else None
        if known is None or known[0] != tuple(grid):
            return None
        return Cells.of(known[1], like.shape[2:], self.model.gaze(layer, like))

    def why(self, layer: str) -> str:
        """Why this layer was chosen by default; "" where the person named it."""
        default = self.usual if self.chosen is not None else None
        return default[1].why if default is not None and default[0] == layer.partition("#")[0] else ""

    @once
    def images(self) -> NDArray[Any]:
        """The batch as numpy."""
        return numbers(self.x)
