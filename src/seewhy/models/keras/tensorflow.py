"""Keras models on the TensorFlow backend: a graph for each kind of question, which takes any number of images."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from seewhy.errors import NotApplicable
from seewhy.lru import Recent
from seewhy.models.backend.backend import NOTHING, Behind, LayerSight, LinearEnd, PassResult
from seewhy.models.backend.turning import plain, turned
from seewhy.models.model import INPUT, INSIDE
from seewhy.models.rule import ReluRule
from seewhy.models.weights_digest import ALWAYS, NamedBytes, WeightsInMemory

from .call import At, KerasCall
from .tensorflow_pass import TwoHalves
from .tensorflow_rules import reached, rewired, ruled

GRAPHS = 32  # that are kept


class GraphSight(NamedTuple):
    """What a layer emits, as a graph shows it."""

    shape: tuple[int, ...]  # of one image
    dtype: Any
    connected: bool


class KerasOnTensorFlow:
    """A Keras model that TensorFlow runs, as the `Backend` of a model.

    Weights are read when a graph runs, so edits of them are seen; where layers were changed, new graphs are made.
    """

    framework = "Keras on TensorFlow"
    gives = INSIDE
    refuses: Mapping[str, str] = NOTHING

    def __init__(self, call: KerasCall) -> None:
        self.call, self.channels, self.signals = call, call.channels, call.rank == 3
        self.axes, self.kinds = call.axes(), call.kinds()
        self.graphs: Recent[Any, Any] = Recent(GRAPHS)
        self.numbered = True  # a graph takes any number of images; False of models that fail so

    @property
    def notes(self) -> tuple[str, ...]:
        return (self.call.note,) if self.call.note else ()

    def versions(self) -> Mapping[str, str]:
        return {"keras": f"{keras.__version__} on tensorflow", "tensorflow": tf.__version__}

    def weights(self) -> WeightsInMemory:
        """All variables, in the order in which Keras has them; TensorFlow does not count how often they are written to."""
        held = self.call.model.variables
        return WeightsInMemory(
            (), lambda: (NamedBytes.of(f"{i:05} {each.name}", each.numpy()) for i, each in enumerate(held)), ALWAYS
        )

    def conditions(self) -> Mapping[str, Any]:
        """Where TensorFlow runs, and its settings that change the numbers."""
        facts = {"device": "cpu", "dtype": self.call.model.dtype_policy.name}
        if tf.config.list_physical_devices("GPU"):
            facts |= {"device": "cuda", "tf32": tf.config.experimental.tensor_float_32_execution_enabled()}
        return facts

    # passes

    def output(self, x: NDArray[Any]) -> Any:
        given = self._given(x)
        return plain(self._graph("output", given, lambda x: self._run(x))(given))

    def survey(self, x: NDArray[Any]) -> Mapping[str, LayerSight]:
        sights: dict[str, LayerSight] = {}
        for name, each in self._sights(self._given(x)).items():
            layer, known = name.partition("#")[0], sights.get(name.partition("#")[0])
            shape = turned(np.empty((0, *each.shape), "?"), self._axis(layer), 1).shape[1:]
            calls, connected = (known.calls + 1, known.connected) if known else (1, False)
            sights[layer] = LayerSight(self.kinds[layer], shape, calls, connected or each.connected)
        return sights

    def _sights(self, given: Any) -> Mapping[str, GraphSight]:
        """What each call of a layer emits that has axes of space; #2 and so on of the later ones."""
        key = "sights", given.shape[1:], self.call.structure()
        return self.graphs.of(key, lambda: self._surveyed(given))

    def _surveyed(self, given: Any) -> Mapping[str, GraphSight]:
        met: list[tuple[str, Any]] = []

        def at(name: str, emitted: Any) -> Any:
            emitted = tf.identity(emitted)
            met.append((name, emitted))
            return emitted

        graph = tf.function(lambda x: self.call(x, at), autograph=False)
        concrete = graph.get_concrete_function(tf.TensorSpec((1, *given.shape[1:]), given.dtype))
        to_output = reached(concrete.graph, concrete.outputs, ())
        counts: Counter[str] = Counter()
        sights: dict[str, GraphSight] = {}
        for name, emitted in met:
            counts[name] += 1
            if emitted.shape.rank == given.shape.rank and emitted.dtype.is_floating and emitted.shape.is_fully_defined():
                call = name if counts[name] == 1 else f"{name}#{counts[name]}"
                sights[call] = GraphSight(tuple(emitted.shape[1:]), emitted.dtype, emitted.op.name in to_output)
        return sights

    def emitted(self, x: NDArray[Any], layers: Sequence[str]) -> PassResult:
        given = self._given(x)
        output, kept = self._graph(("emitted", *layers), given, partial(self._kept, layers, None))(given)
        return PassResult(plain(output), self._outward(layers, kept))

    def traced(self, x: NDArray[Any], layers: Sequence[str], rule: ReluRule | None) -> PassResult:
        given = self._given(x)
        moved = partial(self._kept, tuple(layers), rule)
        halves = self._graph(("traced", *layers, rule), given, moved, make=TwoHalves)
        notes = () if rule is None else rewired(halves.graph, halves.output, halves.kept, rule, self.call.model.name)
        output, kept, back = halves(given)

        def pull(cotangents: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
            each = [self._outward(layers, back(cotangent)) for cotangent in cotangents]
            return {name: np.stack([gradients[name] for gradients in each]) for name in layers}

        return PassResult(plain(output), self._outward(layers, kept), dict.fromkeys(layers, notes) if notes else {}, pull)

    def linear_end(self, x: NDArray[Any], layers: Sequence[str]) -> LinearEnd:
        given = self._given(x)
        output, kept, linear = self._graph(("linear", *layers), given, partial(self._linear, layers))(given)
        end = next((each for each in linear if _makes(each, output) and _is_linear(each)), None)
        if end is None:
            name = self.call.model.name
            raise NotApplicable(
                f"CAM needs one linear layer at the end; the scores of {name} do not come from one that reads (n, c) and gives "
                "its kernel's product with that, and its bias. grad-cam and hires-cam need none."
            )
        entered, kernel = end[:2]
        result = PassResult(plain(output), self._outward(layers, kept))
        return LinearEnd(result, plain(kernel).reshape(kernel.shape[-2:]).T, plain(entered).reshape(len(x), -1))

    def behind(self, image: NDArray[Any], layer: str) -> Behind:
        a = self.emitted(image[None], [layer]).layers[layer][0]
        return Behind(a, partial(self._edited, image, layer))

    def _edited(self, image: NDArray[Any], layer: str, edits: NDArray[Any]) -> Any:
        given = self._given(np.repeat(image[None], len(edits), 0))
        inside = tf.constant(turned(edits, 1, self._axis(layer)), self._sights(given)[_first(layer)].dtype)
        return plain(self._graph(("behind", layer), given, self._replaced, {layer: inside})(given, {layer: inside}))

    # graphs

    def _graph(self, question: Any, given: Any, function: Callable[..., Any], *values: Any, make: Any = None) -> Any:
        """The graph of a function (images, values of layers), made once for images of one size; make: what makes it."""

        def graph(numbered: bool) -> Any:
            specs = tf.nest.map_structure(partial(_spec, numbered), (given, *values))
            key = question, given.shape[1:], () if numbered else (len(given),), self.call.structure()
            return self.graphs.of(key, lambda: (make or _concrete)(function, *specs))

        if self.numbered:
            try:
                return graph(True)
            except (TypeError, ValueError):  # a model may insist on knowing how many images there are, or fail on any
                made = graph(False)
                self.numbered = False
                return made
        return graph(False)

    def _run(self, x: Any, at: At | None = None, layers: Sequence[str] = (), **beside: Any) -> Any:
        return self.call(x, at, {_first(name).partition("#")[0] for name in layers} - {INPUT}, **beside)

    def _kept(self, layers: Sequence[str], rule: ReluRule | None, x: Any) -> tuple[Any, Mapping[str, Any]]:
        calls = CallsOf(layers, lambda _, emitted: emitted)
        with nullcontext() if rule is None else ruled(rule):
            x = calls(INPUT, x)
            output = self._run(x, calls, layers)
            return output, {name: calls.kept[name] for name in layers}

    def _replaced(self, x: Any, edits: Mapping[str, Any]) -> Any:
        return self._run(x, CallsOf([*edits], lambda name, _: edits[name]), [*edits])

    def _linear(self, layers: Sequence[str], x: Any) -> tuple[Any, Mapping[str, Any], list[Any]]:
        met: list[Any] = []

        def noted(layer: Any) -> Any:
            def through(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
                emitted = call(*args, **kwargs)
                if args and _one_cell(args[0].shape, layer.kernel.shape):
                    bias = getattr(layer, "bias", None)
                    bias = 0.0 if bias is None else bias
                    met.append((args[0], tf.convert_to_tensor(layer.kernel), emitted, tf.convert_to_tensor(bias)))
                return emitted

            return layer, through

        calls = CallsOf(layers, lambda _, emitted: emitted)
        kernels = [(layer, getattr(layer, "kernel", None)) for layer in self.call.layers().values()]
        beside = [noted(layer) for layer, kernel in kernels if kernel is not None]
        output = self._run(x, calls, layers, beside=beside)
        return output, calls.kept, met

    # the border

    def _given(self, x: NDArray[Any]) -> Any:
        return tf.constant(turned(x, 1, self.channels).astype(self.call.dtype))

    def _axis(self, layer: str) -> int:
        return self.channels if layer == INPUT else self.axes.get(layer.partition("#")[0], self.channels)

    def _outward(self, layers: Sequence[str], values: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        return {name: turned(plain(values[name]), self._axis(name), 1) for name in layers}


class CallsOf:
    """Keeps what some calls of layers emit, after `change` changed it; other calls emit what they do.

    layers: each by its name, or as name#2 where it runs several times.
    """

    def __init__(self, layers: Sequence[str], change: At) -> None:
        self.layers, self.change = layers, change
        self.kept: dict[str, Any] = {}
        self.counts: Counter[str] = Counter()

    def __call__(self, name: str, emitted: Any) -> Any:
        self.counts[name] += 1
        for call in (name, f"{name}#1") if self.counts[name] == 1 else (f"{name}#{self.counts[name]}",):
            if call in self.layers:
                emitted = self.kept[call] = tf.identity(self.change(call, emitted))
        return emitted


def _concrete(function: Callable[..., Any], *specs: Any) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def _first(name: str) -> str:
    """A layer's first call, by its name in `_sights`."""
    return name.removesuffix("#1")


def _spec(numbered: bool, value: Any) -> Any:
    return tf.TensorSpec((None, *value.shape[1:]) if numbered else value.shape, value.dtype)


def _one_cell(entered: Any, kernel: Any) -> bool:
    """Is this a product of (n, c), or of (n, 1, 1, c), with weights?"""
    return len(entered) == len(kernel) and all(side == 1 for side in [*entered[1:-1], *kernel[:-2]])


def _makes(linear: Any, output: Any) -> bool:
    """Is what this layer emits the output?"""
    emitted, scores = plain(linear[2]), plain(output)
    return emitted.size == scores.size and np.allclose(emitted.reshape(scores.shape), scores, rtol=1e-3, atol=1e-5)


def _is_linear(linear: Any) -> bool:
    """Is what this layer emits what its kernel and bias make, to rounding?  A class may do otherwise, and so may a call."""
    entered, kernel, emitted, bias = map(plain, linear)
    x, w = (each.reshape(-1, each.shape[-1]).astype(np.float64) for each in (entered, kernel))
    if x.shape[1] != w.shape[0]:
        return False
    y = emitted.reshape(-1, emitted.shape[-1]).astype(np.float64)
    slack = 1e-4 if linear[2].dtype in (tf.float32, tf.float64) else 0.05
    return y.shape == (len(x), w.shape[1]) and bool((abs(x @ w + bias - y) <= slack * (abs(x) @ abs(w) + abs(bias))).all())
