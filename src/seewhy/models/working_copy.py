"""A copy of a network whose weights may be changed while the network itself stays as it is: what may be asked of it."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import NotApplicable

from .model import Differentiable, require


class WorkingCopy(Protocol):
    """A network of its own, of which nobody else knows."""

    stages: Sequence[str]  # the modules whose weights a pass reads, from the scores down to the image, each weight once

    @property
    def model(self) -> Differentiable: ...  # explains by the copy as it is now; its Source says what was done to the weights
    def randomise(self, stages: Sequence[str], seed: int) -> None: ...  # draw the weights of these modules anew
    def restore(self) -> None: ...  # all weights as they were copied
    def head_inputs(self, images: Sequence[Array]) -> NDArray[Any]: ...  # what a linear head is given for images: (n, d)
    def set_head(self, weight: NDArray[Any], bias: NDArray[Any]) -> None: ...  # (k, d) and (k,), of that linear layer


@runtime_checkable
class Copyable(Differentiable, Protocol):
    """A network that can be copied together with all that it is."""

    def working_copy(self, x: Array) -> WorkingCopy: ...  # x: images (n, c, *space), of which the first shows what a pass reads
    def behind_shift(self, shift: NDArray[Any], x: Array) -> Differentiable: ...  # of images x + shift (c,): what it says of x
    def with_cell_heads(
        self, layer: str, size: int, x: Array
    ) -> Differentiable: ...  # behind the layer each cell of x is alone


def copyable(model: Any, what: str) -> Copyable:
    """The model, as one whose network can be copied.

    what: needs the copy, for the error.
    Raises NotApplicable where networks of its framework cannot be copied here, BadParameter where it is no model.
    """
    require(model, "scores")
    if not isinstance(model, Copyable):
        raise NotApplicable(
            f"{what} changes a copy of the network, which has to be of torch in plain modules; {model.name} is none. "
            "Load the network in torch, or check the map by what needs no other weights: metrics.class_sensitivity."
        )
    return model
