"""Programs of JAX, equation by equation: calls in calls made flat, marked values, what depends on what, and where ReLUs are.

What is read is the program that JAX traced a function to (a jaxpr), so it does not matter how the function spells a ReLU, and
neither the function nor JAX is changed to rewire one.
"""

# Nothing of JAX is in the environment that is checked.
# pyright: reportMissingImports=false

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf, prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

MARK = "seewhy:"  # what the names of marked values begin with
INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "remat": "jaxpr",
           "remat2": "jaxpr", "checkpoint": "jaxpr"}  # fmt: skip
CUSTOM = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")  # functions with a derivative of their own
ACTIVATIONS = {
    "relu": inf,
    "relu6": 6.0,
    "leaky_relu": inf,
    "elu": inf,
    "celu": inf,
    "selu": inf,
}  # and where each is off again
SMOOTH = ("logistic", "tanh", "erf", "erfc")
HANDING_ON = ("reshape", "squeeze", "convert_element_type", "copy", "copy_p", "name", "expand_dims")

Step = Callable[[int, Any, list[Any], Callable[[Any], Any]], Sequence[Any]]


def marked(value: Any, layer: str) -> Any:
    """The same value, which the flat program knows as what the layer emits."""
    return checkpoint_name(value, MARK + layer)


class FlatProgram(NamedTuple):
    """A function as one list of equations, for arguments of certain shapes."""

    program: ClosedJaxpr
    structure: Any  # of what the function returns

    @property
    def equations(self) -> Sequence[Any]:
        return self.program.jaxpr.eqns


def flat(function: Callable[..., Any], *args: Any) -> FlatProgram:
    """The function, traced with these arguments (arrays, or their shapes), with all calls in it inlined."""
    fresh = lambda *given: function(*given)  # noqa: E731 - JAX would remember a function that is changed inside
    traced, shapes = jax.make_jaxpr(fresh, return_shape=True)(*args)

    def inlined(*leaves: Any) -> Any:
        return evaluated(traced.jaxpr, traced.consts, leaves, _inline)

    return FlatProgram(jax.make_jaxpr(inlined)(*jax.tree.leaves(args)), jax.tree.structure(shapes))


def evaluated(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], step: Step) -> list[Any]:
    """What the program gives, each equation by step(its place, itself, its inputs, what reads any earlier variable)."""
    values: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else values[variable]

    for place, equation in enumerate(jaxpr.eqns):
        values.update(zip(equation.outvars, step(place, equation, [*map(read, equation.invars)], read), strict=True))
    return [*map(read, jaxpr.outvars)]


def bound(equation: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    """What an equation gives for inputs."""
    made = equation.primitive.get_bind_params(equation.params)
    functions, params = made if isinstance(made, tuple) else ((), made)  # a pair before JAX 0.10
    given = equation.primitive.bind(*functions, *inputs, **params)
    return given if equation.primitive.multiple_results else [given]


def _inline(_place: int, equation: Any, inputs: list[Any], _read: Any) -> Sequence[Any]:
    inner = _inner(equation)
    return bound(equation, inputs) if inner is None else evaluated(inner.jaxpr, inner.consts, inputs, _inline)


def _inner(equation: Any) -> ClosedJaxpr | None:
    """The program of a call that is written out in its place; None of what stays one equation."""
    kind, params = equation.primitive.name, equation.params
    inner = params.get(INLINED.get(kind, "call_jaxpr" if kind in CUSTOM else ""))
    if inner is None:
        return None
    inner = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
    if (kind in CUSTOM or _activation(equation)) and not any(_marks(inner.jaxpr)):
        return None
    return inner


def _marks(jaxpr: Any) -> Iterator[str]:
    for equation in jaxpr.eqns:
        if (layer := mark_of(equation)) is not None:
            yield layer
        for inner in _programs(equation):
            yield from _marks(inner)


def mark_of(equation: Any) -> str | None:
    """The layer that an equation marks a value of."""
    name = equation.params.get("name", "") if equation.primitive.name == "name" else ""
    return name[len(MARK) :] if name.startswith(MARK) else None


def _programs(equation: Any) -> Iterator[Any]:
    for value in equation.params.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, ClosedJaxpr | Jaxpr):
                yield each.jaxpr if isinstance(each, ClosedJaxpr) else each


def dependent(equations: Sequence[Any], variables: Iterable[Any]) -> set[Any]:
    """These variables, and all that are made of them."""
    met = {*variables}
    for equation in equations:
        if any(not isinstance(v, Literal) and v in met for v in equation.invars):
            met.update(equation.outvars)
    return met


def needed(equations: Sequence[Any], variables: Iterable[Any]) -> set[Any]:
    """These variables, and all that they are made of."""
    met = {v for v in variables if not isinstance(v, Literal)}
    for equation in reversed(equations):
        if any(v in met for v in equation.outvars):
            met.update(v for v in equation.invars if not isinstance(v, Literal))
    return met


class ReluAt(NamedTuple):
    """An equation that gives a ReLU of an earlier variable, or something like one."""

    x: Any
    high: float = inf  # the unit is on between 0 and this


def relus(equations: Sequence[Any]) -> dict[int, ReluAt]:
    """The equations that give a ReLU, ReLU6, leaky ReLU or ELU, in whichever spelling, by their places."""
    reader = ReluReader()
    return {place: relu for place, equation in enumerate(equations) if (relu := reader.read(equation)) is not None}


class ReluReader:
    """What was seen on the way through a program: which values are plain numbers, which say where another is above 0."""

    def __init__(self) -> None:
        self.plain: dict[Any, float] = {}
        self.above: dict[Any, Any] = {}
        self.relus: dict[Any, Any] = {}  # ReLUs without a limit: of which variable

    def read(self, equation: Any) -> ReluAt | None:
        """The ReLU that an equation gives, if it does."""
        kind, (output, *_), inputs = equation.primitive.name, equation.outvars, equation.invars
        first = inputs[0] if inputs else None
        if kind in ("convert_element_type", "broadcast_in_dim", "copy"):
            if (number := self.number(first)) is not None:
                self.plain[output] = number
            if not isinstance(first, Literal) and first in self.above:
                self.above[output] = self.above[first]
        elif kind in ("gt", "ge") and self.number(inputs[1]) == 0:
            self.above[output] = first
        elif kind in ("lt", "le") and self.number(first) == 0:
            self.above[output] = inputs[1]
        relu = self._relu(kind, equation)
        if relu is None or isinstance(relu.x, Literal) or not jnp.issubdtype(relu.x.aval.dtype, jnp.floating):
            return None
        self.relus[output] = relu.x
        return relu

    def number(self, value: Any) -> float | None:
        """The number that a value is everywhere, if that is known."""
        if isinstance(value, Literal):
            return float(value.val) if jnp.ndim(value.val) == 0 else None
        return self.plain.get(value)

    def _relu(self, kind: str, equation: Any) -> ReluAt | None:
        inputs = equation.invars
        if (name := _activation(equation)) is not None:
            return ReluAt(inputs[0], ACTIVATIONS[name])
        if kind in ("max", "min", "mul"):
            for one, other in (inputs, inputs[::-1]):
                number = self.number(other)
                if kind == "max" and number == 0:
                    return ReluAt(one)
                if kind == "min" and number is not None and number > 0 and not isinstance(one, Literal) and one in self.relus:
                    return ReluAt(self.relus[one], number)
                if kind == "mul" and not isinstance(other, Literal) and other in self.above and self.above[other] is one:
                    return ReluAt(one)
        if kind == "clamp" and self.number(inputs[0]) == 0:
            return ReluAt(inputs[1], self.number(inputs[2]) or inf)
        if kind == "select_n" and len(inputs) == 3 and self.number(inputs[1]) == 0:
            mask = inputs[0]
            if not isinstance(mask, Literal) and mask in self.above and self.above[mask] is inputs[2]:
                return ReluAt(inputs[2])
        return None


def _activation(equation: Any) -> str | None:
    """Which of ACTIVATIONS a call is, by its name."""
    name = equation.params.get("name")
    kind, inner = equation.primitive.name, equation.params.get("call_jaxpr")
    if kind == "custom_jvp_call" and name is None and isinstance(inner, ClosedJaxpr):
        name = next((each.params.get("name") for each in inner.jaxpr.eqns[:1]), None)
    whole = len(equation.outvars) == 1 and equation.invars and equation.invars[0].aval.shape == equation.outvars[0].aval.shape
    return name if kind in (*INLINED, "custom_jvp_call") and name in ACTIVATIONS and whole else None


def hidden_relus(equation: Any) -> int:
    """How many ReLUs lie inside of a loop or a branch, where no rule reaches them."""
    if equation.primitive.name in CUSTOM or _activation(equation):
        return 0
    inside = 0
    for program in _programs(equation):
        closed = ClosedJaxpr(program, ()) if not program.constvars else None
        equations = flat(jaxpr_as_fun(closed), *program_inputs(program)).equations if closed else program.eqns
        inside += len(relus(equations)) + sum(map(hidden_relus, equations))
    return inside


def program_inputs(jaxpr: Any) -> list[Any]:
    """The shapes of what a program takes."""
    return [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in jaxpr.invars]


class LinearAt(NamedTuple):
    """The product that makes a program's scores."""

    entered: Any  # the variable that came in: (n, c), or with axes of one cell more
    weights: Any
    inward: int  # the axis of the weights over c
    outward: int  # and over k


def linear_end(equations: Sequence[Any], output: Any, images: Any) -> LinearAt | None:
    """The product of what depends on the images with weights that do not, which makes the output but for what is added."""
    made: Mapping[Any, Any] = {v: equation for equation in equations for v in equation.outvars}
    seen = dependent(equations, [images])
    while not isinstance(output, Literal) and output in made:
        equation = made[output]
        kind = equation.primitive.name
        inputs = [v for v in equation.invars if not isinstance(v, Literal) and v in seen]
        if len(inputs) != 1:
            return None
        if (kind in ("add", "add_any", "sub") and equation.invars[0] is inputs[0]) or kind == "add" or kind in HANDING_ON:
            if inputs[0].aval.size != output.aval.size:
                return None
            output = inputs[0]
        elif kind in ("dot_general", "conv_general_dilated"):
            return _product(equation) if equation.invars[0] is inputs[0] else None
        else:
            return None
    return None


def _product(equation: Any) -> LinearAt | None:
    entered, weights = equation.invars[:2]
    if equation.primitive.name == "dot_general":
        (ours, theirs), (batched, _) = equation.params["dimension_numbers"]
        if tuple(ours) != (1,) or batched or entered.aval.ndim != 2 or weights.aval.ndim != 2:
            return None
        return LinearAt(entered, weights, theirs[0], 1 - theirs[0])
    numbers = equation.params["dimension_numbers"]
    cells = prod(entered.aval.shape[axis] for axis in numbers.lhs_spec[2:])
    taps = prod(weights.aval.shape[axis] for axis in numbers.rhs_spec[2:])
    if cells != 1 or taps != 1 or equation.params["feature_group_count"] != 1:
        return None
    return LinearAt(entered, weights, numbers.rhs_spec[1], numbers.rhs_spec[0])
