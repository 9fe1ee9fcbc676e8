"""What a method may ask of a network, whatever framework it lives in.

Inside the library an image batch is (n, c, *space), and so is every activation and gradient: adapters turn NHWC maps
and transformer tokens into that shape at the border.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.images.photo import Array, Images
from seewhy.prepare.batch import Batch, Preparer
from seewhy.printable import quoted
from seewhy.targets.aim import Aim, Pinned, Seen
from seewhy.targets.target import Target

from .pace import Pace
from .rule import Rule

if TYPE_CHECKING:
    from seewhy.models.torch.attention.attended import Attended
    from seewhy.models.torch.places.following import Place

INPUT = "input"  # the image itself, as a layer
ATTENTION = "attention"  # all attention of the network, as a layer
SCORES = ("logits", "log-probability", "probability")
GIVEN = "as given"  # the scores of a function, which may be any of these


@dataclass(frozen=True)
class Placeholder:
    """Where the images go among the inputs of a network: seewhy.IMAGE."""

    def __repr__(self) -> str:
        return "IMAGE"


IMAGE = Placeholder()


@dataclass(frozen=True)
class Fixed:
    """An input that a network gets as it is: no row of it belongs to an image."""

    value: Any


class Layer(NamedTuple):
    """One place in a network where activations can be read."""

    kind: str  # the class of the module
    shape: tuple[int, ...]  # (c, *space) it emits for one image, after NHWC and tokens were turned
    calls: int  # in one forward pass
    connected: bool  # the scores depend on its space
    default: bool = False  # where methods look if no layer is named
    why: str = ""  # it is the default
    sees: tuple[int, ...] = (1,)  # which of its calls depend on the image
    tokens: int = 0  # that belong to no place: class, distillation and register tokens
    cells: "Place | None" = None  # where its cells lie in the image, as far as known


class Evidence(NamedTuple):
    """What the passes leave at one layer."""

    a: Array  # activation (n, c, *space)
    g: Array  # gradient of each explained score (t, n, c, *space)


class Answer(NamedTuple):
    """What the network said."""

    scores: NDArray[Any]  # (n, k), as the model's `scores` option has them
    probabilities: NDArray[Any] | None  # (n, k); None of units, which are no classes
    notes: tuple[str, ...] = ()
    normalised: bool = False  # what it said were probabilities already


class Trace(NamedTuple):
    """One forward pass, and one backward pass per target."""

    answer: Answer
    weights: NDArray[Any]  # (t, n, k): the explained scores are (answer.scores * weights).sum(-1)
    evidence: Mapping[str, Evidence]
    notes: Mapping[str, tuple[str, ...]]  # of each layer


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


class Scorer(Protocol):
    """What a model lends to methods that ask for the scores of many variants of an image."""

    differs: bool  # from the model itself: a faster copy, or of another precision
    notes: tuple[str, ...]  # what is odd about the network

    def __call__(self, x: Array) -> NDArray[Any]: ...  # the scores (m, k) of images (m, c, *space)
    def array(self, x: NDArray[Any]) -> Array: ...  # as the model's own kind of array, on its device
    def blend(self, keep: Array, image: Array, fill: Array) -> Array: ...  # (m, *space), (c, *space) twice -> (m, c, *space)
    def pace(self, together: int | None, most: int) -> Pace: ...  # how many variants share a pass: so many, or as usual
    def boxed(self, image: Array) -> "Boxes | None": ...  # if there is a short cut
    def tail(self, image: Array, layer: str) -> "Tail": ...


class Boxes(Protocol):
    """The scores of one image with boxes of it replaced, by a short cut."""

    why: str  # the short cut could not be taken

    def __call__(self, patches: Array, at: Array) -> NDArray[Any]: ...  # (m, c, *sides), where they begin (m, d) -> (m, k)


class Tail(Protocol):
    """The scores behind one layer of one image, for any edits of what it emits."""

    a: Array  # (c, *space)
    notes: tuple[str, ...]

    def __call__(self, edits: Array) -> NDArray[Any]: ...  # (m, c, *space) -> (m, k)


@runtime_checkable
class Model(Protocol):
    """A network that gives scores."""

    name: str
    labels: Sequence[str] | None
    weights: str | None  # which file or tag they came from
    explains: str  # one of SCORES, or "activation" of a model of units
    no_classes: str  # why no class can be explained; "" where one can
    batch_size: int  # images a pass takes at most
    copies: int  # the same where the whole graph is kept
    signals: bool  # it takes batches (n, c, l)
    prepare: Preparer | None  # of photos, volumes or clips

    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]: ...  # the border
    def answer(self, x: Array) -> Answer: ...
    def scoring(  # answer: what it said of x
        self, x: Array, answer: Answer, fast: bool = False, dtype: Any = None, inside: bool = False
    ) -> AbstractContextManager[Scorer]: ...
    def colour(self, level: int) -> NDArray[Any] | None: ...  # a grey as the network sees it (c,), if it prepares photos
    def versions(self) -> Mapping[str, str]: ...
    def aimed(self, aims: Sequence[Aim], x: Array, seen: Seen) -> tuple[Any, tuple[Pinned, ...]]: ...  # whose scores they read


@runtime_checkable
class Differentiable(Model, Protocol):
    """A network whose inside can be read."""

    def layers(self, x: Array | None = None) -> Mapping[str, Layer]: ...  # as x, or a blank photo, runs through it
    def fit(self, count: int) -> None: ...  # BadParameter, where it has side inputs of another number of images
    def beside(self, place: int, count: int) -> "Differentiable": ...  # with the side inputs of these images
    def cells(self, layer: str, x: Array) -> "tuple[tuple[int, ...], Place] | None": ...  # its grid, and where it lies
    def upto(self, layer: str, at: Any = "max") -> "Differentiable": ...  # whose scores are the layer's units
    def trace(self, x: Array, targets: Sequence[Target], layers: Sequence[str], rule: Rule | None = None) -> Trace: ...
    def biases(self, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]: ...  # of each target
    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]: ...
    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head: ...
    def attended(self, x: Array, targets: Sequence[Target] = (), whole: bool = True, each: bool = False) -> "Attended": ...
    def first_bad(self, x: Array) -> str | None: ...  # the first layer to emit NaN or infinity


def wrap(
    network: Any,
    prepare: Any = None,
    labels: Sequence[str] | str | None = None,
    name: str | None = None,
    scores: str | None = None,
    batch_size: int | None = None,
    device: Any = None,
    dtype: Any = None,
    weights: str | None = None,
    takes: str = "uint8",
    inputs: Any = None,
    output: Any = None,
    task: str | None = None,
    grid: Sequence[int] | None = None,
    geometry: str = "receptive-field",
    tokenizer: Any = None,
) -> Any:
    """The model behind a network: what every method is asked with.

    network: a torch.nn.Module (compiled and DataParallel ones are read through), whose inside can be read (`Differentiable`);
        or any function from images to scores (n, k): a scikit-learn pipeline, a web service, which methods that need
        scores alone explain (`Model`).
    prepare: PIL image -> float array (c, h, w): a torchvision transform, any callable, or a dict of size, crop, mean,
        std; without it the model takes prepared batches (n, c, h, w) only, but for a function that takes uint8.
    labels: a name per class, "imagenet", or a file of names.
    scores: what is explained: "logits" (as the network gives them), "log-probability" or "probability"; a function's scores
        are explained as given, unless you say that they are logits or ask for one of the others.
    batch_size: images per pass at most (32; of variants what suits their size, 4 of 224 x 224 on a CPU; fewer where memory runs
        out).
    device, dtype: where and to what the network is moved, in place, as `network.to` does; by default it stays.
    weights: where the weights came from, for the Source.
    takes: what a function takes: "uint8" photos (n, h, w, 3), by `prepare` resized and cropped at most, or "float" arrays
        (n, c, h, w), as `prepare` makes them.
    inputs: what a torch network is called with, where that is not the images alone: a keyword's name, a tuple (positional) or a
        dict (keywords) with seewhy.IMAGE where they go, at any depth, or a function of them that returns such.  Arrays and
        tensors of one row are repeated for each image, PerImage(rows) gives each image its own, anything else, and
        Fixed(value), is passed as it is; none of it is ever changed, and no method perturbs it.
    output: where in its output the scores (n, k) are: a key or field such as "logits", a place in a tuple, or a function of
        the output; by default the tensor itself, the logits, a tuple's first, or the one tensor of scores there is.
    task: "single-label" (softmax), "multi-label" (a sigmoid each) or "regression" (no probabilities); by default one number
        per image (n,) is a regression, (n, 1) a binary logit, and anything else single-label.
    grid: rows and columns of a transformer's patches, where they cannot be found out.
    geometry: "receptive-field" draws each cell of a layer where its receptive field is centred, "plain" spreads the cells
        evenly over the image, as other libraries do.
    tokenizer: of a network with an image and a text tower (CLIP, SigLIP): texts -> what its text tower takes, as the tokenizer
        or processor of transformers or of open_clip does; target=Text(...) needs it.
    Raises BadParameter for anything else.
    """
    if scores not in (None, *SCORES):
        raise BadParameter(f"scores={scores!r}: it is one of {', '.join(SCORES)}.")
    if batch_size is not None and (not isinstance(batch_size, int) or not 1 <= batch_size <= 10**6):
        raise BadParameter(f"batch_size={quoted(batch_size)}: a whole number; at least one image goes through at a time.")
    from seewhy.targets.labels import read_labels

    common: dict[str, Any] = {
        "prepare": prepare,
        "labels": read_labels(labels),
        "name": name,
        "batch_size": batch_size,
        "weights": weights,
    }
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(network, torch.nn.Module | torch.export.ExportedProgram):
        own = {"device": device, "dtype": dtype, "inputs": inputs, "output": output, "task": task, "grid": grid,
               "geometry": geometry, "tokenizer": tokenizer}  # fmt: skip
        return _adapter(torch, network)(network, scores=scores or "logits", **own, **common)
    if not callable(network) or isinstance(network, type):
        raise BadParameter(
            f"wrap takes a torch.nn.Module or a function from images to scores, not {type(network).__name__}"
            f"{f' {network.__name__}: make one of it first' if isinstance(network, type) else ''}"
            f"{': give its own function, wrap(it.predict_proba)' if 'predict_proba' in dir(network) else ''}. "
            "To load a network by name: seewhy.load('torchvision/resnet50')."
        )
    if device is not None or dtype is not None:
        raise BadParameter("A function runs where it runs: leave device= and dtype= out.")
    if (inputs, output, task, grid, tokenizer) != (None, None, None, None, None):
        raise BadParameter(
            "inputs=, output=, task=, grid= and tokenizer= are for torch networks; let the function itself take images to "
            "scores."
        )
    from .function import FunctionModel

    return FunctionModel(network, takes=takes, scores=scores or GIVEN, **common)


def _adapter(torch: Any, network: Any) -> Any:
    """Who asks a torch network: one that can be read inside, or one in a single piece."""
    if isinstance(network, torch.jit.ScriptModule | torch.export.ExportedProgram):
        from seewhy.models.torch.sealed import ScriptedModel

        return ScriptedModel
    from seewhy.models.torch.model import TorchModel

    return TorchModel


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Rows of scores -> rows of probabilities; a single score is a binary logit."""
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits))
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
