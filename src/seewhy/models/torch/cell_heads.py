"""A torch network of which each cell of a grid has a head of its own: what lies behind a layer runs for each cell apart."""

from dataclasses import replace
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from seewhy.arrays import Array
from seewhy.errors import NotApplicable

from .adapted import AdaptedNetwork
from .passes.taps import hooked, module_at


class CellHeads(nn.Module):
    """What a network says of each cell of a grid (n, c, size h, size w), by its own part of what a layer emits: (n, size^2 k).

    Up to that layer it sees the grid as a whole; its scores are those of the cells, row by row.
    """

    def __init__(self, network: nn.Module, layer: nn.Module, size: int, name: str) -> None:
        super().__init__()
        self.network = network
        self.behind, self.size, self.name = (layer,), size, name  # in a tuple, so that it is no second part of this module

    def forward(self, x: Tensor) -> Tensor:
        """The scores of all cells.  Raises NotApplicable where the layer does not emit a map that the grid divides."""
        with hooked([(self.behind[0], self._cells)]):  # set now, so that it comes after those that read the layer
            out = self.network(x)
        if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != len(x) * self.size**2:
            raise NotApplicable(
                f"{self.name} gives no scores (n, k) for parts of a layer, so cells have no heads of their own."
            )
        return out.reshape(len(x), -1)

    def _cells(self, _module: nn.Module, _args: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim != 4 or any(side % self.size for side in output.shape[2:]):
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise NotApplicable(
                f"{self.name}: its last layer emits {shape} for the grid, which {self.size} x {self.size} cells do not divide "
                "into equal parts (n, c, h, w)."
            )
        return rearrange(output, "n c (r h) (s w) -> (n r s) c h w", r=self.size, s=self.size)


def with_cell_heads(model: Any, layer: str, size: int, x: Array) -> Any:
    """The model of grids like x (n, c, size h, size w) whose scores are those of each cell, (n, size^2 k); its layers are named
    as the network's, behind "network.".

    Raises NotApplicable where the network is called with more than the images, or emits no map there that the grid divides.
    """
    runner = model.runner
    call, network = runner.call, runner.call.original
    more = call.inputs.template is not None or call.towers or runner.end is not None or runner.aims
    if more or isinstance(network, AdaptedNetwork):
        raise NotApplicable(
            f"{runner.name}: cells have heads in a network of torch that is called with images alone and gives classes."
        )
    behind = module_at(network, layer.partition("#")[0])
    if behind is None or "#" in layer:
        raise NotApplicable(
            f"{runner.name}: {layer} runs several times in a pass, so its cells cannot have heads of their own."
        )
    heads = CellHeads(network, behind, size, runner.name)
    settings = replace(runner.settings, labels=None, device=None, dtype=None)
    found = type(model)(heads, settings)
    found.answer(x)
    return found
