"""What a method may ask of a network, whatever framework it lives in.

Inside the library an image batch is (n, c, *space), and so is every activation and gradient: adapters turn NHWC maps
and transformer tokens into that shape at the border.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import BadParameter, NeedsGradients
from seewhy.images.inputs import Images
from seewhy.images.places import Gaze, Place
from seewhy.prepare.batch import Batch
from seewhy.prepare.fit import Preparer
from seewhy.printable import in_percent, quoted
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.target import Target

from .hazard import Hazard
from .kernels import Kernels
from .origin import Origin
from .pace import Pace
from .rule import Rule
from .together import Sharing

INPUT = "input"  # the image itself, as a layer
ATTENTION = "attention"  # all attention of the network, as a layer
SCORES_LAYER = "scores"  # what the model says of the images (n, k), as a layer of a PulledPass
SCORES = ("logits", "log-probability", "probability")
GIVEN = "as given"  # the scores of a function, which may be any of these


class Layer(NamedTuple):
    """One place in a network where activations can be read."""

    kind: str  # the class of the module
    shape: tuple[int, ...]  # (c, *space) it emits for one image, after NHWC and tokens were turned
    calls: int  # how often it runs in one forward pass
    connected: bool  # the scores depend on its space
    default: bool = False  # where methods look if no layer is named
    why: str = ""  # the reason that it is the default
    sees: tuple[int, ...] = (1,)  # which of its calls depend on the image
    tokens: int = 0  # that belong to no place: class, distillation and register tokens
    cells: Place | None = None  # where its cells lie in the image, as far as known


PASSING = ("Pool", "Drop", "Identity", "Flatten")  # in the names of layers that only pass on what another layer computed


def computes(kind: str) -> bool:
    """Does a layer of that kind do more than to pass on what another layer computed?"""
    return not any(part in kind for part in PASSING)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the passes leave at one layer."""

    a: Array  # activation (n, c, *space)
    g: Array  # gradient of each explained score (t, n, c, *space)
    again: Callable[[int, Array], Array] | None = field(default=None, repr=False)  # what `hessian` gives, if the graph was kept

    def hessian(self, t: int, v: Array) -> Array:
        """The Hessian of explained score t toward the activation, times v: the gradient of <g, v>; like v (n, c, *space).

        Raises BadParameter where the trace was not made with `twice` or v has another shape, NotApplicable where an operation
        of the network has no second derivative.
        """
        if self.again is None:
            raise BadParameter("No graph was kept for a second derivative: ask for trace(..., twice=True).")
        if tuple(v.shape) != tuple(self.a.shape):
            raise BadParameter(
                f"The Hessian of {tuple(self.a.shape)} numbers is multiplied by as many, not by {tuple(v.shape)}."
            )
        return self.again(t, v)


class Answer(NamedTuple):
    """What the network gives for a batch of images."""

    scores: NDArray[Any]  # (n, k), as the model's `scores` option has them
    probabilities: NDArray[Any] | None  # (n, k); None of units, which are no classes
    notes: tuple[str, ...] = ()
    normalised: bool = False  # what it said were probabilities already


def _no_further(_start: int) -> "Trace":
    raise BadParameter("No graph was kept for other targets: ask for trace(..., few=16).")


class Trace(NamedTuple):
    """One forward pass, and one backward pass per target."""

    answer: Answer
    weights: NDArray[Any]  # (t, n, k): the explained scores are (answer.scores * weights).sum(-1)
    evidence: Mapping[str, Evidence]
    notes: Mapping[str, tuple[str, ...]]  # of each layer
    further: Callable[[int], "Trace"] = _no_further  # of a trace of few targets: that of as many, from the given one on
    cut: Mapping[str, str] = {}  # of layers to which no gradient can come back, though the scores rest on them: why


class PulledPass(NamedTuple):
    """One forward pass, whose gradient at the images is asked for once it is known what of."""

    a: Mapping[str, NDArray[Any]]  # what each layer emitted: (n, c, *space), or (n, c) where it has no space
    back: Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]  # {layer: cotangent like a}: d sum <cotangent, a> / dx, once


class Bias(NamedTuple):
    """What the biases of one place add to one explained score."""

    placeless: Array  # (n,) of them, that lies nowhere in space
    signed: Array | None  # (n, *space) summed over channels; None where there is no space
    size: Array | None  # the same of absolute values
    scaled: Array | None  # the same of absolute values stretched to [0, 1] over channels and space


class Head(NamedTuple):
    """A pass through a network that ends in global average pooling and one linear layer."""

    answer: Answer
    weights: NDArray[Any]  # (t, n, k)
    a: Mapping[str, Array]  # what is pooled (n, c, *space)
    w: Array  # the linear layer's weights for each target: (t, n, c)
    notes: Mapping[str, tuple[str, ...]]  # of each layer


class Examination(NamedTuple):
    """What a few passes of one image show of a model, before any map is made: the doctor's evidence."""

    answer: Answer
    layers: Mapping[str, Layer]
    layer: str | None  # where methods look if no layer is named
    activation: NDArray[Any] | None  # what that layer emits: (c, *space)
    refused: Mapping[str, str]  # what cannot be read, by the names that methods know it by; and why
    hazards: tuple[Hazard, ...]


class Scorer(Protocol):
    """What gives methods the scores of many variants of an image, from `Model.scoring`."""

    differs: bool  # from the model itself: a faster copy, or of another precision
    notes: tuple[str, ...]  # what is odd about the network

    def __call__(self, x: Array) -> NDArray[Any]: ...  # the scores (m, k) of images (m, c, *space)
    def array(self, x: NDArray[Any]) -> Array: ...  # as the model's own kind of array, on its device
    def blend(self, keep: Array, image: Array, fill: Array) -> Array: ...  # (m, *space), (c, *space) twice -> (m, c, *space)
    def pace(self, together: int | None, most: int) -> Pace: ...  # how many variants share a pass: so many, or as usual
    def boxed(self, image: Array) -> "PatchScorer | None": ...  # if there is a short cut
    def tail(self, image: Array, layer: str) -> "Tail": ...


class PatchScorer(Protocol):
    """The scores of one image with boxes of it replaced, by a short cut."""

    why: str  # the short cut could not be taken

    def __call__(self, patches: Array, at: Array) -> NDArray[Any]: ...  # (m, c, *sides), where they begin (m, d) -> (m, k)


class Tail(Protocol):
    """The scores behind one layer of one image, for any edits of what it emits."""

    a: Array  # (c, *space)
    notes: tuple[str, ...]

    def __call__(self, edits: Array) -> NDArray[Any]: ...  # (m, c, *space) -> (m, k)


INSIDES = ("layers", "gradients")  # one of which tells of the inside of a network
SCORES_ALONE = frozenset({"scores"})  # of a function
AT_IMAGE = SCORES_ALONE | {"gradients"}  # of a network in one piece: gradients at the image, and no layer
INSIDE = AT_IMAGE | {"layers"}  # of a network whose layers can be read, too
LAYERS_ALONE = SCORES_ALONE | {"layers"}  # of a network whose layers can be read, and that gives no gradients


@runtime_checkable
class Model(Sharing, Protocol):
    """A network that gives scores."""

    gives: frozenset[str]  # what can be asked of it: SCORES_ALONE, LAYERS_ALONE, AT_IMAGE or INSIDE
    name: str
    labels: Sequence[str] | None
    weights: str | None  # which file or tag they came from
    untrained: str  # the weights that nobody trained, by `untrained.untrained`; "" where all were, or that is not known
    explains: str  # one of SCORES, or "activation" of a model of units
    no_classes: str  # why no class can be explained; "" where one can
    prepare: Preparer | None  # of photos, volumes or clips
    origin: Origin  # what it was made of

    @property
    def groups(self) -> Sequence[Sequence[int]]: ...  # of classes, by index, whose scores it gives; none: those of classes
    def takes_signals(self) -> bool: ...  # batches (n, c, l)
    def unchanged(self) -> AbstractContextManager[Any]: ...  # inside, edits of the network are looked for once
    def fit(self, count: int) -> None: ...  # BadParameter, where it has side inputs of another number of images
    def beside(self, place: int, count: int) -> "Model": ...  # with the side inputs of these images
    def at_once(self, space: Sequence[int], whole: bool = False) -> int: ...  # images of these sides a pass takes at most
    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]: ...  # the border
    def answer(self, x: Array) -> Answer: ...
    def scoring(  # answer: what it said of x
        self, x: Array, answer: Answer, fast: bool | None = False, dtype: Any = None, inside: bool = False
    ) -> AbstractContextManager[Scorer]: ...
    def examine(self, x: Array) -> Examination: ...  # with one image (1, c, *space)
    def colour(self, level: int) -> NDArray[Any] | None: ...  # a grey as the network sees it (c,), if it prepares photos
    def versions(self) -> Mapping[str, str]: ...
    def weights_sha256(self) -> str: ...  # of the weights as they are in memory now; "" where they cannot be seen
    def conditions(self) -> Mapping[str, Any]: ...  # precision, device, backend, and its settings that change the numbers
    def host(self) -> Mapping[str, Any]: ...  # the machine, of which at most the rounding depends
    def grouped(self, groups: Sequence[Sequence[int]]) -> Any: ...  # a model whose scores are those of groups of classes
    def aimed(self, aims: Sequence[Aim], x: Array, view: ImageView) -> tuple[Any, tuple[Pinned, ...]]: ...  # a model to score


@runtime_checkable
class Differentiable(Model, Protocol):
    """A network whose inside can be read."""

    def layers(self, x: Array | None = None) -> Mapping[str, Layer]: ...  # as x, or a blank photo, runs through it
    def beside(self, place: int, count: int) -> "Differentiable": ...  # as Model's
    def default(self, x: Array) -> tuple[str, Layer] | None: ...  # the layer to explain, where none is named
    def apart(self, x: Array) -> bool: ...  # may one score rest on other layers than another, in images looked at before?
    def defaults(self, x: Array, targets: Sequence[Target]) -> Sequence[tuple[str, Layer] | None]: ...  # of each, in one image
    def rests(self, x: Array, weights: NDArray[Any], layer: str) -> bool: ...  # a score on the layer: do other values move it?
    def cells(self, layer: str, x: Array) -> tuple[tuple[int, ...], Place] | None: ...  # its grid, and where it lies
    def gaze(self, layer: str, x: Array) -> Gaze | None: ...  # where its cells look; None: where they lie
    def upto(self, layer: str, at: Any = "max") -> "Differentiable": ...  # whose scores are the layer's units
    def with_flat_layers(self) -> "Differentiable": ...  # whose traces read those without space, too, that emit (n, c)
    def trace(  # layers: None for the default; twice: for second derivatives; few: of so many targets, and it can go further
        self, x: Array, targets: Sequence[Target], layers: Sequence[str | None], rule: Rule | None = None, twice: bool = False,
        few: int | None = None,
    ) -> Trace: ...  # fmt: skip
    def biases(self, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]: ...  # of each target
    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]: ...
    def pulled(self, x: Array, layers: Sequence[str]) -> PulledPass: ...  # SCORES_LAYER, too
    def kernels(self, layer: str, x: Array) -> Kernels: ...  # of its one convolution, as an image like x runs through
    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head: ...
    def attended(self, x: Array, targets: Sequence[Target] = (), whole: bool = True, each: bool = False) -> "Attended": ...
    def first_bad(self, x: Array) -> str | None: ...  # the first layer to emit NaN or infinity


TRY = "Try occlusion, rise or lime."  # what explains a model that gives scores only


def require(model: Any, kind: str | tuple[str, ...], who: str = "", instead: str = TRY, name: str | None = None) -> None:
    """Raise in plain words where this is no model, or a model that does not give what is needed of it.

    kind: "scores" of any model, "gradients" of one that is more than its scores, an element of `Model.gives`, or several of
        which one is enough.  who: what needs it, and what it reads; instead: what to do with the model; name: what to call
        it, if not by its own name.
    Raises BadParameter where it is no model, NeedsGradients where it gives scores only.
    """
    if isinstance(model, type) or not isinstance(model, Model):  # against a protocol this costs more than all other checks
        text = quoted(str(model)) if isinstance(model, str | PurePath) else ""
        what = text or (f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__)
        make = (
            f"Load the one that it names: seewhy.load({text})"
            if text
            else "Make one: seewhy.wrap(network) or seewhy.load(spec)"
        )
        raise BadParameter(f"{what} is no model. {make}.")
    if model.gives.isdisjoint([kind] if isinstance(kind, str) else kind):
        gives = "no gradients" if "layers" in model.gives else "scores only"
        raise NeedsGradients(f"{who}; {name or model.name} gives {gives}. {instead}{getattr(model, 'inside', '')}")


class Tokens(NamedTuple):
    """The sequence of tokens that an attention reads, and which of them are patches of the image."""

    length: int
    grid: tuple[int, ...]  # of those that lie in the image
    cells: tuple[int, ...]  # which tokens these are, cell by cell and row by row

    def grid_of(self, rows: Array) -> Array:
        """(..., length) -> (..., *grid)."""
        return rows[..., self.in_image].reshape(*rows.shape[:-1], *self.grid)

    @property
    def in_image(self) -> NDArray[np.intp]:
        """The places of the tokens that lie in the image."""
        return np.array(self.cells, np.intp)


class Attention(Protocol):
    """The weights of one attention, each row of which sums to one."""

    @property
    def layer(self) -> str: ...
    @property
    def queries(self) -> Tokens: ...
    @property
    def keys(self) -> Tokens: ...
    @property
    def a(self) -> Array: ...  # (n, heads, queries, keys)
    @property
    def g(self) -> Array: ...  # (t, n, heads, queries, keys): the gradient of each explained score toward them
    def read(self, share: NDArray[Any]) -> NDArray[Any]: ...  # what queries, mixed by (n, queries), look at: (n, heads, keys)


class Attended(NamedTuple):
    """What a pass leaves at all attentions of the network."""

    answer: Answer
    weights: NDArray[Any]  # (t, n, k), as in a Trace
    layers: Sequence[Attention]
    reads: NDArray[Any]  # (tokens,): in which shares the head reads the tokens behind the last of them; they sum to one
    left_out: Mapping[str, str]  # other attentions, and why

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person who reads these attentions should know."""
        beside = tuple(f"{layer} is left out: {why}" for layer, why in self.left_out.items())
        inside = float(self.reads[self.layers[-1].queries.in_image].sum())
        if not 0.01 < inside < 0.99:
            return beside
        others = int((self.reads > 0).sum() - (self.reads[self.layers[-1].queries.in_image] > 0).sum())
        return (f"the head reads {others} token{'s' * (others != 1)} of no place and the patches: their rows are averaged, the "
                f"patches' for {in_percent(inside, 0)}", *beside)  # fmt: skip
