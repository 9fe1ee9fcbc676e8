"""A function of JAX, traced once for images of one shape: its scores, what its marked layers emit, and gradients toward them.

Each question compiles once for the layers that it asks about, and is used again for other images and other weights.
"""

# Nothing of JAX is in the environment that is checked.
# pyright: reportMissingImports=false

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seewhy.errors import NotApplicable
from seewhy.models.model import INPUT
from seewhy.models.rule import ReluRule

from .equations import SMOOTH, bound, dependent, evaluated, flat, hidden_relus, linear_end, mark_of, needed, relus

Replacing = Callable[[str, Any], Any]  # what each layer emits -> what goes on in its place


class MarkedValue(NamedTuple):
    """What a layer emits in one of its calls."""

    layer: str
    variable: Any
    connected: bool  # the output depends on it


class TracedPass(NamedTuple):
    """What a pass leaves for gradients."""

    output: Any
    layers: Mapping[str, Any]
    pull: Callable[[Any], Mapping[str, Any]]  # a cotangent of the output -> the gradient toward each layer


class JaxProgram:
    """A function (state, images) -> scores, for images of one shape; its layers were marked by `equations.marked`."""

    def __init__(self, function: Callable[[Any, Any], Any], state: Any, x: Any) -> None:
        self.flat = flat(function, state, x)
        jaxpr = self.flat.program.jaxpr
        self.equations, self.output = jaxpr.eqns, jaxpr.outvars[0]
        self.image = jaxpr.invars[-1]
        matters = needed(self.equations, jaxpr.outvars)
        counts: Counter[str] = Counter()
        self.marks: dict[str, MarkedValue] = {}  # by layer, or layer#2 of one that runs several times
        self.places: dict[int, str] = {}  # of equations that mark something
        met = [(place, layer) for place, each in enumerate(self.equations) if (layer := mark_of(each)) is not None]
        total = Counter(layer for _, layer in met)
        for place, layer in met:
            counts[layer] += 1
            name = layer if total[layer] == 1 else f"{layer}#{counts[layer]}"
            (value,) = self.equations[place].outvars
            self.marks[name] = MarkedValue(layer, value, value in matters)
            self.places[place] = name
        self.relus = relus(self.equations)
        self.compiled: dict[Any, Any] = {}
        self.pull = jax.jit(lambda back, cotangent: back(cotangent)[0])

    def scores(self, state: Any, x: Any) -> Any:
        return self._compiled(("scores",), self._scores)(state, x)

    def _scores(self, state: Any, x: Any) -> Any:
        return self._run(state, x, lambda _, value: value)[0]

    def emitted(self, state: Any, x: Any, layers: Sequence[str]) -> tuple[Any, Mapping[str, Any]]:
        """The scores, and what layers emit."""
        names = tuple(sorted(layers))
        return self._compiled(("emitted", names), partial(self._emitted, names))(state, x)

    def _emitted(self, names: Sequence[str], state: Any, x: Any) -> tuple[Any, dict[str, Any]]:
        kept: dict[str, Any] = {}
        return self._run(state, x, partial(_keep, kept, names))[0], kept

    def traced(self, state: Any, x: Any, layers: Sequence[str], rule: ReluRule | None) -> TracedPass:
        """The scores, what layers emit (INPUT is the images), and what pulls gradients back to them."""
        names = tuple(sorted(layers))
        output, kept, back = self._compiled(("traced", names, rule), partial(self._traced, names, rule))(state, x)
        return TracedPass(output, kept, partial(self.pull, back))

    def _traced(self, names: Sequence[str], rule: ReluRule | None, state: Any, x: Any) -> Any:
        def moved(zeros: Mapping[str, Any]) -> Any:
            kept: dict[str, Any] = {}

            def at(name: str, value: Any) -> Any:
                return _keep(kept, names, name, value + zeros[name] if name in zeros else value)

            return self._run(state, at(INPUT, x), at, rule)[0], kept

        values = {name: self.image if name == INPUT else self.marks[name].variable for name in names}
        zeros = {name: jnp.zeros(v.aval.shape, v.aval.dtype) for name, v in values.items()}
        output, back, kept = jax.vjp(moved, zeros, has_aux=True)
        return output, kept, back

    def behind(self, state: Any, x: Any, layer: str, edits: Any) -> Any:
        """The scores of images x, in which a layer emits edits instead: what leads to it alone is not run."""
        return self._compiled(("behind", layer), partial(self._behind, layer))(state, x, edits)

    def _behind(self, layer: str, state: Any, x: Any, edits: Any) -> Any:
        return self._run(state, x, lambda name, value: edits if name == layer else value)[0]

    def linear_end(self, state: Any, x: Any, layers: Sequence[str]) -> Any:
        """The scores, what layers emit, the last linear layer's weights (k, c) and what it was given (n, c).

        Raises NotApplicable where the scores do not come from one linear layer.
        """
        if linear_end(self.equations, self.output, self.image) is None:
            raise NotApplicable("its scores do not come from one linear layer that reads (n, c)")
        names = tuple(sorted(layers))
        return self._compiled(("linear", names), partial(self._linear_end, names))(state, x)

    def _linear_end(self, names: Sequence[str], state: Any, x: Any) -> Any:
        end, kept = linear_end(self.equations, self.output, self.image), {}
        assert end is not None, "asked before"
        output, read = self._run(state, x, partial(_keep, kept, names))
        weights = jnp.moveaxis(read(end.weights), (end.outward, end.inward), (0, 1))
        entered = read(end.entered)
        return output, kept, weights.reshape(weights.shape[:2]), entered.reshape(len(entered), -1)

    def _compiled(self, key: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        if key not in self.compiled:
            self.compiled[key] = jax.jit(function)
        return self.compiled[key]

    def _run(self, state: Any, x: Any, at: Replacing, rule: ReluRule | None = None) -> tuple[Any, Callable[[Any], Any]]:
        """The scores, and what reads any variable of the run."""
        readers: list[Any] = []

        def step(place: int, equation: Any, inputs: list[Any], read: Any) -> Sequence[Any]:
            readers[:] = [read]
            if place in self.places:
                return [at(self.places[place], inputs[0])]
            given = bound(equation, inputs)
            if rule is None or place not in self.relus:
                return given
            relu = self.relus[place]
            return [_ruled(rule, read(relu.x), jax.lax.stop_gradient(given[0]), relu.high)]

        program = self.flat.program
        outputs = evaluated(program.jaxpr, program.consts, [*jax.tree.leaves(state), x], step)
        return jax.tree.unflatten(self.flat.structure, outputs), readers[0]

    def rewired(self, layers: Sequence[str], rule: ReluRule, name: str) -> tuple[str, ...]:
        """What a person should know of a rule on the way to these layers.

        Raises NotApplicable where there is no ReLU on it, and where one lies inside of a loop or a branch.
        """
        values = [self.image if layer == INPUT else self.marks[layer].variable for layer in layers]
        seen, matters = dependent(self.equations, values), needed(self.equations, [self.output])
        between = {i: e for i, e in enumerate(self.equations) if any(v in seen and v in matters for v in e.outvars)}
        said = f"The {rule.__name__} rule"
        if hidden := sum(map(hidden_relus, between.values())):
            raise NotApplicable(
                f"{said} has to reach every ReLU, and {hidden} of {name} run in loops or branches (scan, while, cond), where "
                "no rule reaches them. Use gradient."
            )
        smooth = Counter(e.primitive.name for e in between.values() if e.primitive.name in SMOOTH)
        listed = ", ".join(f"{count} {kind}" for kind, count in smooth.items())
        if not any(place in self.relus and self.relus[place].x in seen for place in between):
            has = f"it has {listed}, which are never simply off" if smooth else "there is none on the way"
            raise NotApplicable(
                f"{said} is one for ReLUs: {has}. It would give the plain gradient under another name; ask for gradient."
            )
        return (f"{listed} have no state in which they are off: the plain gradient passes them",) if smooth else ()


def _keep(kept: dict[str, Any], names: Sequence[str], name: str, value: Any) -> Any:
    if name in names:
        kept[name] = value
    return value


def _ruled(rule: ReluRule, x: Any, y: Any, high: float) -> Any:
    """y, whose gradient passes to x by the rule."""

    relu = jax.custom_vjp(lambda _x, y, active: y)
    relu.defvjp(lambda _x, y, active: (y, active), lambda active, g: (rule(active, g), None, None))
    return relu(x, y, (x > 0) & (x < high))
