"""A network as a graph that explains itself: what may be asked of models that can be written so."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.targets.target import Top

from .model import Differentiable

FileRun = Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]  # images (n, c, *space) -> scores, maps (n, *space)


class MapForm(NamedTuple):
    """How a map is computed inside of a graph."""

    reads: str  # "gradients" or "head", both in closed form; "activations"; "tail": Recipro-CAM
    formula: Callable[..., Any] | None  # (a, g), or (a, w) of the head -> map; None: of a itself
    params: Mapping[str, Any]
    rectified: bool  # a ReLU comes last
    component: bool = False  # the map is the first principal component of what the formula gives, which is like a


class MapGraph(Protocol):
    """A network as a graph that gives scores (n, k) and maps (n, *space) of images (n, c, *space), all float32."""

    single: str  # why it takes one image at a time; "" where it takes any number

    def write(self, path: Path, facts: str) -> Mapping[str, Any]: ...  # facts: JSON that goes along; what is to say of the file
    def opened(self, path: Path) -> FileRun: ...  # what runs the file, by that alone


@runtime_checkable
class Exportable(Differentiable, Protocol):
    """A network that can be written as a graph."""

    def for_graph(self) -> "Exportable": ...  # the same in the precision of a graph, float32
    def graph(self, x: Array, layer: str, form: MapForm, target: Top | Array) -> MapGraph: ...  # target: Top, or weights (k,)
