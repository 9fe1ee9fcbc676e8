"""DiFull and DiPart: grids of which only one cell can have moved the score, so that evidence elsewhere is impossible."""

from typing import Any

from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.errors import NotApplicable, SeewhyError
from seewhy.explaining.ask import LayerNames
from seewhy.images.inputs import Images
from seewhy.metrics.sanity.asking import Methods
from seewhy.models.model import INPUT, Model
from seewhy.models.working_copy import Copyable

from .playing import Asking, Rules, play
from .records import GridGame
from .separate import SeparateCells


@known_names("method")
def di_full(
    model: Model, images: Images, method: Methods = "grad-cam", size: int = 2, grids: int = 100, confidence: float = 0.99,
    layer: LayerNames = None, seed: int = 0, on_error: str = "raise",
) -> GridGame:  # fmt: skip
    """The grid game where each cell runs through the network apart: how much evidence lies in the only cell that counts?

    The score of a cell is what the network says of its photo alone; what layers emit for the cells is laid out as one map,
    which methods read as a whole.  The first and the last cell show the same class (in two photos of it, where there are two)
    and are the ones that are asked for: a map that marks the class wherever it is has half, one that marks what moved the score
    has all.  L = sum of max(map, 0) in the cell / sum of max(map, 0).  Chance, of a map that has nothing to do with the photos,
    is 1 / size^2; higher is better.

    Arguments as of `grid_pointing_game`.  Each cell has the size of a photo, so any network can be asked.
    Source: Rao, Böhle & Schiele 2022, Towards better understanding attribution methods, sec. 3.1.
    Weakness: whatever multiplies by the gradient place by place has 1 by construction: it tells these methods from others, not
    from each other.
    Raises NotApplicable also where the network mixes the images of a batch, and for methods that read attention or biases.
    """
    return play(DI_FULL, model, images, method, size, grids, confidence, layer, seed, on_error)


@known_names("method")
def di_part(
    model: Model, images: Images, method: Methods = "grad-cam", size: int = 2, grids: int = 100, confidence: float = 0.99,
    layer: LayerNames = None, seed: int = 0, on_error: str = "raise",
) -> GridGame:  # fmt: skip
    """The grid game where the network sees the grid as a whole up to its last layer, and each cell has a head of its own.

    The score of a cell is what the rest of the network says of that part of the last layer with space.  Other cells count as
    far as fields of view reach over the border between them.  Else as `di_full`; higher is better.

    Arguments as of `grid_pointing_game`.  model: of torch, one that takes larger images, and whose last layer emits
    (n, c, h, w) with as many rows and columns for each cell.
    Source: Rao, Böhle & Schiele 2022, Towards better understanding attribution methods, sec. 3.1.
    Weakness: evidence just over a border may be real, and counts against the map all the same.
    Raises NotApplicable for other networks.
    """
    return play(DI_PART, model, images, method, size, grids, confidence, layer, seed, on_error)


def _apart(model: Model, size: int, first: NDArray[Any], layer: LayerNames) -> Asking:
    cells = SeparateCells(model, size)
    cells.check(first)
    return Asking(cells, layer, score=_in_turn(model, cells.folded(first)))


def _in_turn(model: Model, cells: NDArray[Any]) -> Any:
    """The place of a class's score, where those of each cell follow each other."""
    count = model.answer(cells[:1]).scores.shape[1]
    return lambda cell, of: cell * count + of


PREFIX = "network."  # of the layers of a network that has a head for each cell


def _partly(model: Model, size: int, first: NDArray[Any], layer: LayerNames) -> Asking:
    if not isinstance(model, Copyable):
        raise NotApplicable(
            f"DiPart gives each cell a head of its own, which takes a network of torch in plain modules; {model.name} is none. "
            "di_full and grid_pointing_game take any network."
        )
    try:
        last = model.default(first)
    except SeewhyError as error:
        raise NotApplicable(
            f"{model.name} does not take a grid of {first.shape[3]} x {first.shape[2]}, of which DiPart reads the last layer; "
            f"di_full and grid_pointing_game take any network. ({error})"
        ) from error
    if last is None:
        raise NotApplicable(f"{model.name} has no layer that still has space, so its cells cannot have heads of their own.")
    names = [layer] if layer is None or isinstance(layer, str) else [*layer]
    asked = [INPUT if name == INPUT else PREFIX + (last[0] if name is None else name) for name in names]
    height, width = (side // size for side in first.shape[2:])
    heads = model.with_cell_heads(last[0], size, first)
    return Asking(heads, asked, score=_in_turn(model, first[:, :, :height, :width]), prefix=PREFIX)


DI_FULL, DI_PART = Rules("DiFull", True, _apart), Rules("DiPart", True, _partly)
