"""A network that JAX runs, as the `Backend` of a model: pure functions, Flax modules, and Keras on JAX."""

# Nothing of JAX is in the environment that is checked.
# pyright: reportMissingImports=false

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from seewhy.errors import NoSuchName, NotApplicable, closest
from seewhy.lru import Recent
from seewhy.models.backend.backend import NOTHING, Behind, LayerSight, LinearEnd, PassResult
from seewhy.models.backend.turning import plain, turned
from seewhy.models.model import AT_IMAGE, INPUT, INSIDE
from seewhy.models.rule import ReluRule
from seewhy.models.weights_digest import ALWAYS, NEVER, NamedBytes, WeightsInMemory

from .program import JaxProgram

SHAPES = 16  # of which programs are kept


@dataclass(frozen=True)
class JaxNetwork:
    """What an adapter says of a network that JAX runs."""

    framework: str
    name: str
    call: Callable[[Any, Any], Any]  # its state, images as it takes them -> scores (n, k); it marks what its layers emit
    state: Callable[[], Any]  # its weights as they are now
    channels: int  # which dimension of the images holds the channels
    versions: Callable[[], Mapping[str, str]]
    kinds: Mapping[str, str] | None = None  # what each layer is; None where none can be read
    axes: Mapping[str, int] = field(default_factory=dict)  # of layers whose channels lie elsewhere than in the images
    key: Callable[[], Hashable] = tuple  # of all but the state that decides what it computes
    dtype: Any = np.float32  # of the images
    rank: int | None = 4  # of the images, batch and channels counted; None where it takes any


class ProgramInUse(NamedTuple):
    """The program for images of one shape, these images, and the state of the network."""

    program: JaxProgram
    state: Any
    x: Any  # as the network takes them, so many that their number is a power of two
    asked: int  # how many of the images were asked about


class JaxBackend:
    """A JaxNetwork, compiled once for each shape of images and kind of question.

    Images are filled up to a power of two with copies of the last, so that few shapes are compiled.
    """

    refuses: Mapping[str, str] = NOTHING

    notes: tuple[str, ...] = ()

    def __init__(self, network: JaxNetwork) -> None:
        self.network, self.framework = network, network.framework
        self.gives = AT_IMAGE if network.kinds is None else INSIDE
        self.signals = network.rank in (None, 3)
        self.channels = network.channels
        self.programs: Recent[Any, JaxProgram] = Recent(SHAPES)

    def versions(self) -> Mapping[str, str]:
        return {"jax": jax.__version__, **self.network.versions()}

    def weights(self) -> WeightsInMemory:
        """All leaves of the state, by their paths in it; arrays of JAX cannot be written into."""
        leaves, _ = jax.tree_util.tree_flatten_with_path(self.network.state())
        arrays = [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]
        looks = NEVER if all(isinstance(leaf, jax.Array) for _, leaf in arrays) else ALWAYS
        return WeightsInMemory([leaf for _, leaf in arrays], lambda: (_bytes(*each) for each in arrays), looks)

    def conditions(self) -> Mapping[str, Any]:
        """Where JAX runs by default, and the precision that it computes in."""
        precision = jax.config.jax_default_matmul_precision
        x64, dtype = bool(jax.config.jax_enable_x64), np.dtype(self.network.dtype).name
        return {"device": jax.default_backend(), "dtype": dtype, "matmul_precision": precision, "x64": x64}

    def _ready(self, x: NDArray[Any]) -> ProgramInUse:
        count = len(x)
        more = (1 << (count - 1).bit_length()) - count
        x = np.concatenate([x, np.repeat(x[-1:], more, 0)]) if more else x
        images = jnp.asarray(turned(x, 1, self.network.channels).astype(self.network.dtype))
        state = self.network.state()
        shapes = tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(state))
        key = images.shape, images.dtype.name, self.network.key(), shapes
        return ProgramInUse(self.programs.of(key, lambda: JaxProgram(self.network.call, state, images)), state, images, count)

    def _axis(self, layer: str) -> int:
        return (
            self.network.channels if layer == INPUT else self.network.axes.get(layer.partition("#")[0], self.network.channels)
        )

    def _outward(self, layer: str, value: Any, count: int) -> NDArray[Any]:
        return turned(plain(value)[:count], self._axis(layer), 1)

    def _checked(self, program: JaxProgram, layers: Sequence[str]) -> list[str]:
        missing = [layer for layer in layers if layer != INPUT and layer not in program.marks]
        if missing:
            raise NoSuchName(
                "layer", missing[0], closest(missing[0], [*program.marks]), f"All names: seewhy layers {self.network.name}"
            )
        return [*layers]

    def output(self, x: NDArray[Any]) -> Any:
        program, state, images, count = self._ready(x)
        return plain(program.scores(state, images))[:count]

    def survey(self, x: NDArray[Any]) -> Mapping[str, LayerSight]:
        program, _, images, _ = self._ready(x)
        sights: dict[str, LayerSight] = {}
        for value in program.marks.values():
            shape, known = value.variable.aval.shape, sights.get(value.layer)
            if (
                len(shape) != images.ndim
                or shape[0] != len(images)
                or not jnp.issubdtype(value.variable.aval.dtype, jnp.floating)
            ):
                continue
            outward = tuple(np.moveaxis(np.empty(shape[1:], "?"), _within(self._axis(value.layer)), 0).shape)
            kind = (self.network.kinds or {}).get(value.layer, "layer")
            calls, connected = (known.calls + 1, known.connected) if known else (1, False)
            sights[value.layer] = LayerSight(kind, outward, calls, connected or value.connected)
        return sights

    def emitted(self, x: NDArray[Any], layers: Sequence[str]) -> PassResult:
        program, state, images, count = self._ready(x)
        output, kept = program.emitted(state, images, self._checked(program, layers))
        return PassResult(plain(output)[:count], self._all_outward(layers, kept, count))

    def traced(self, x: NDArray[Any], layers: Sequence[str], rule: ReluRule | None) -> PassResult:
        program, state, images, count = self._ready(x)
        names = self._checked(program, layers)
        notes = program.rewired(names, rule, self.network.name) if rule is not None else ()
        traced = program.traced(state, images, names, rule)

        def pull(cotangents: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
            back = [traced.pull(_filled(one, traced.output)) for one in cotangents]
            each = [self._all_outward(layers, gradients, count) for gradients in back]
            return {name: np.stack([gradients[name] for gradients in each]) for name in layers}

        kept = self._all_outward(layers, traced.layers, count)
        return PassResult(plain(traced.output)[:count], kept, dict.fromkeys(names, notes) if notes else {}, pull)

    def _all_outward(self, layers: Sequence[str], values: Mapping[str, Any], count: int) -> dict[str, NDArray[Any]]:
        return {name: self._outward(name, values[name], count) for name in layers}

    def linear_end(self, x: NDArray[Any], layers: Sequence[str]) -> LinearEnd:
        program, state, images, count = self._ready(x)
        try:
            output, kept, weights, entered = program.linear_end(state, images, self._checked(program, layers))
        except NotApplicable as error:
            raise NotApplicable(f"CAM needs one linear layer at the end; of {self.network.name}, {error}.") from None
        emitted = PassResult(plain(output)[:count], self._all_outward(layers, kept, count))
        return LinearEnd(emitted, plain(weights), plain(entered)[:count])

    def behind(self, image: NDArray[Any], layer: str) -> Behind:
        a = self.emitted(image[None], [layer]).layers[layer][0]
        return Behind(a, partial(self._edited, image, layer))

    def _edited(self, image: NDArray[Any], layer: str, edits: NDArray[Any]) -> Any:
        program, state, images, count = self._ready(np.repeat(image[None], len(edits), 0))
        edits = np.concatenate([edits, np.repeat(edits[-1:], len(images) - count, 0)])
        value = program.marks[layer].variable.aval
        inside = jnp.asarray(turned(edits, 1, self._axis(layer)), value.dtype)
        return plain(program.behind(state, images, layer, inside))[:count]


def _filled(cotangent: NDArray[Any], output: Any) -> Any:
    """A cotangent (n, k) of the first rows of an output; zero for the rest."""
    rest = np.zeros((len(output) - len(cotangent), *cotangent.shape[1:]), cotangent.dtype)
    return jnp.asarray(np.concatenate([cotangent, rest]).reshape(output.shape), output.dtype)


def _within(axis: int) -> int:
    """An axis of a batch as one of a single image."""
    return axis if axis < 0 else axis - 1


def _bytes(name: str, leaf: Any) -> NamedBytes:
    """A leaf of the state; of a key for random numbers, the numbers that it is made of."""
    keyed = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return NamedBytes.of(name, jax.random.key_data(leaf) if keyed else leaf)
