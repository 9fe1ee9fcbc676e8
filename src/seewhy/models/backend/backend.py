"""What a framework does for a network, in numpy arrays: the protocol that an adapter of it fills in.

Images are (n, c, *space) whatever the network takes, and so is all that layers emit and all gradients toward them: the adapter
turns NHWC around at this border.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from seewhy.images.places import Place
from seewhy.models.rule import ReluRule
from seewhy.models.weights_digest import WeightsInMemory

NOTHING: Mapping[str, str] = {}


class LayerSight(NamedTuple):
    """A layer as a pass of one image shows it."""

    kind: str  # the class of the layer, or the operator
    shape: tuple[int, ...]  # (c, *space) it emits for one image
    calls: int = 1  # how often it runs in one forward pass
    connected: bool = True  # the scores depend on it
    cells: Place | None = None  # where its cells lie in the image, if that is known


class PassResult(NamedTuple):
    """What a pass leaves."""

    output: Any  # of the whole network, as numpy; None where the pass ended before
    layers: Mapping[str, NDArray[Any]]  # what each layer that was asked for emits: (n, c, *space)
    notes: Mapping[str, tuple[str, ...]] = {}  # on reading each layer
    # cotangents (t, n, k) of the raw scores -> the gradients (t, n, c, *space) toward each layer; None of a pass without graph
    pull: Callable[[NDArray[Any]], Mapping[str, NDArray[Any]]] | None = None


class LinearEnd(NamedTuple):
    """The linear layer that makes a network's scores, in a pass of images."""

    emitted: PassResult  # with the layers that were asked for
    weights: NDArray[Any]  # (k, c)
    entered: NDArray[Any]  # what it was given (n, c)


class Behind(NamedTuple):
    """The part of a network behind one layer, for one image."""

    a: NDArray[Any]  # what the layer emits (c, *space)
    run: Callable[[NDArray[Any]], Any]  # edits of it (m, c, *space) -> the network's output for each
    notes: tuple[str, ...] = ()


class Backend(Protocol):
    """A network, and the framework that runs it."""

    framework: str  # in words, for errors and reports: "Keras on JAX", "onnxruntime"
    gives: frozenset[str]  # what can be asked of it: "scores", "layers", "gradients"
    refuses: Mapping[str, str]  # what else methods may want to read, by the keys of Conditions.refused; and why it cannot be
    signals: bool  # it takes batches (n, c, l)
    channels: int  # the dimension of a prepared batch, as the person gives it, that holds the channels: 1 or -1
    notes: tuple[str, ...]  # what a person should know of every answer, such as that a softmax was taken off

    def output(self, x: NDArray[Any]) -> Any: ...  # all that the network gives for images x
    def survey(self, x: NDArray[Any]) -> Mapping[str, LayerSight]: ...  # layers with axes of space, in order
    def emitted(
        self, x: NDArray[Any], layers: Sequence[str]
    ) -> PassResult: ...  # by a pass that may end behind the last of them
    def traced(self, x: NDArray[Any], layers: Sequence[str], rule: ReluRule | None) -> PassResult: ...  # INPUT is x itself
    def linear_end(self, x: NDArray[Any], layers: Sequence[str]) -> LinearEnd: ...  # NotApplicable where there is none
    def behind(self, image: NDArray[Any], layer: str) -> Behind: ...  # of one image (c, *space)
    def versions(self) -> Mapping[str, str]: ...  # of all that a map depends on, beside seewhy and numpy
    def weights(self) -> WeightsInMemory: ...  # as they are now
    def conditions(self) -> Mapping[str, Any]: ...  # device, precision, and settings of the framework that change the numbers
