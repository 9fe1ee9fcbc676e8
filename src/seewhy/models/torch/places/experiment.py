"""Where the cells of an emission lie that could not be followed: found by an experiment, which can fail.

Bright stripes are laid across a quiet image, one after the other, along each of its axes.  An entry of a dimension belongs to a
place along an axis if it changes mostly with the stripes of one stretch; channels, words and learned queries do not.  If all
such entries lie in the order of a grid (see `orders`), and that of one grid alone, the dimension runs over the image.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seewhy.errors import BadNetwork
from seewhy.memory import out_of_memory
from seewhy.models.torch.passes.outputs import activation_of
from seewhy.models.torch.passes.taps import Stop, hooked

from .layout import Located, located
from .marks import IMAGES, Axis, Dim, Factor, Mark, lost, plain
from .orders import CHANCE, FEW, CellOrder, order_of

STRIPES = {1: 32, 2: 16}  # by the number of axes: how many stripes lie side by side along each
OF_VOLUMES = 14  # the same for volumes and videos
QUIET = 0.1  # how much of the image is left where no stripe lies
BRIGHT = 0.2  # how bright a stripe is, in standard deviations of the image: brighter ones would be seen from farther away
BATCH = 3  # images at a time; the first two are the quiet image alone, so that the images of a batch are told by its size

UNCHANGED = "it does not change with the image"
RESIZED = "its size changes with what the image shows"
NO_IMAGES = "none of its dimensions holds the images"
RANDOM = "it differs from one pass of the same image to the next"
ENDLESS = "it holds numbers that are not finite"
ALIKE = "no part of it changes mostly with one place of the image, as bright stripes show"


def stripes(space: Sequence[int]) -> list[int]:
    """How many stripes, of one width, lie side by side along each axis."""
    return [min(STRIPES.get(len(space), OF_VOLUMES), side) for side in space]


def probes(x: Tensor, alone: bool = False) -> Iterator[Tensor]:
    """Batches of images like x (1, c, *space): the quiet image twice, then each stripe upon it, axis by axis.

    alone: batches of a single image, for networks that take no more; the quiet image then comes once.
    """
    x = x.detach()
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
    strength = float(x.std(correction=0)) or float(x.abs().max()) or 1.0
    quiet, bright = QUIET * (x + strength * noise), BRIGHT * strength * (1 + noise)
    yield quiet if alone else quiet.repeat(2, *[1] * (x.ndim - 1))
    shares = [share for a, count in enumerate(stripes(x.shape[2:])) for share in _stripes(x, a, count)]
    size = 1 if alone else BATCH
    for begin in range(0, len(shares), size):
        yield torch.cat([quiet + bright * share for share in shares[begin : begin + size]])


def _stripes(x: Tensor, a: int, count: int) -> list[Tensor]:
    """The share of each pixel along an axis that lies in each of so many stripes, to be multiplied with x."""
    side = x.shape[2 + a]
    pixel, width = torch.arange(side), side / count
    spans = [((pixel + 1).clamp(max=(k + 1) * width) - pixel.clamp(min=k * width)).clamp(min=0) for k in range(count)]
    return [span.to(x).reshape(side, *[1] * (x.ndim - 3 - a)) for span in spans]


class Fold(NamedTuple):
    """How the images of a batch lie in a dimension of an emission, with `parts` entries for each image."""

    j: int
    parts: int = 1
    outermost: bool = True  # are the images outermost, before the parts?

    def apart(self, emission: Tensor, n: int) -> Tensor:
        """The emission for n images as (n, parts, *other dimensions)."""
        x = emission.movedim(self.j, 0)
        if self.outermost:
            return x.reshape(n, self.parts, *x.shape[1:])
        return x.reshape(self.parts, n, *x.shape[1:]).transpose(0, 1)

    def shape(self, emission: Tensor, n: int) -> tuple[int, ...]:
        """The shape of such an emission for n images."""
        return tuple(self.parts * n if j == self.j else side for j, side in enumerate(emission.shape))

    def dim(self, n: int, of_parts: tuple[Factor, ...]) -> Dim:
        images = (Factor(n, IMAGES),)
        return Dim(images + of_parts if self.outermost else of_parts + images)


class Responses:
    """How an emission changes with each stripe: sums of squares, entry by entry of each of its dimensions."""

    def __init__(self, space: Sequence[int]) -> None:
        self.space = tuple(space)
        self.refused = ""  # in words, why the experiment failed
        self.shape: tuple[int, ...] = ()  # of the emission for the first batch
        self._first: Tensor | None = None  # the emission for the quiet images
        self._quiet_images = 0
        self._fold: Fold | None = None
        self._sums: list[list[Tensor]] = []  # for each dimension, parts first: of each batch (n, entries)
        self._level = 0.0  # the sum of squares of the emission for the quiet image

    def add(self, emission: Tensor, n: int) -> None:
        """Take down the emission for the next batch of `probes`, which holds n images."""
        if self.refused:
            return
        emission = emission.detach()
        emission = emission if emission.is_floating_point() or emission.is_complex() else emission.float()
        if self._first is None:
            self._first, self.shape, self._quiet_images = emission.clone(), tuple(emission.shape), n
            return
        fold = self._fold or self._folded(self._first, emission, n)
        if isinstance(fold, str) or emission.shape != fold.shape(self._first, n):
            self.refused = fold if isinstance(fold, str) else RESIZED
            return
        self._fold = fold
        quiet = fold.apart(self._first, self._quiet_images)[:1]
        squares = (fold.apart(emission, n) - quiet).abs().to(_precise(emission)).square()
        self._sums = self._sums or [[] for _ in squares.shape[1:]]
        self._level = float(quiet.abs().to(_precise(emission)).square().sum())
        for j, sums in enumerate(self._sums, 1):
            others = [k for k in range(1, squares.ndim) if k != j]
            sums.append((squares.sum(others) if others else squares).cpu())

    def _folded(self, first: Tensor, emission: Tensor, n: int) -> Fold | str:
        """How the images lie in the emissions for the first batch and for the next, of n images; or why that is not known."""
        if emission.ndim != first.ndim:
            return RESIZED
        before, sides = self._quiet_images, [*zip(first.shape, emission.shape, strict=True)]
        if n == before:  # one image alone
            j = next((j for j, (side, _) in enumerate(sides) if side == 1), 0)
            return Fold(j, emission.shape[j]) if sides else NO_IMAGES
        grown = [j for j, (side, now) in enumerate(sides) if side and side * n == now * before]
        if len(grown) != 1:
            return RESIZED if any(side != now for side, now in sides) else NO_IMAGES
        parts = emission.shape[grown[0]] // n
        folds = [Fold(grown[0], parts, outermost) for outermost in (True, False)]
        folds = [fold for fold in folds if _equal(fold.apart(first, before).unbind())]  # the quiet images are the same
        alike = [fold for fold in folds if _equal(fold.apart(emission, n).unbind(1))]  # so are parts that are copies
        return (alike or folds)[0] if folds else RANDOM

    def mark(self, n: int, grid: Sequence[int] | None = None) -> Mark:
        """The mark of the emission for n images, or a lost one that says why the experiment failed.

        grid: how many cells lie along each axis of space in rows of so many cells, as far as this is left open.
        """
        fold = self._fold
        if self.refused or fold is None or not self._sums:
            return lost(self.refused or UNCHANGED)
        sums = [torch.cat(each).double() for each in self._sums]
        changed = float(sums[0].sum())
        if not np.isfinite(changed):
            return lost(ENDLESS)
        if changed <= len(sums[0]) * self._level * (8 * torch.finfo(_precise(self._first)).eps) ** 2:
            return lost(UNCHANGED)
        orders = [order_of(self._profiles(each), grid) for each in sums]
        return self._joined(fold, n, orders)

    def _profiles(self, sums: Tensor) -> list[NDArray[np.float64]]:
        """For each axis of space: how much each entry changes with each of its stripes, (stripes, entries)."""
        return [each.numpy() for each in sums.split(stripes(self.space))]

    def _joined(self, fold: Fold, n: int, orders: list[CellOrder | str | None]) -> Mark:
        """The mark that the orders of the single dimensions add up to, if each axis of space lies in one of them alone."""
        found = [order for order in orders if isinstance(order, CellOrder)]
        axes = [a for order in found for a in order.axes]
        if sorted(axes) != [*range(len(self.space))]:
            return lost(self._why(orders, axes))
        if prod(order.chance for order in found) > CHANCE:
            return lost(FEW.format(" x ".join(str(cells) for order in found for cells in order.cells)))
        sizes = [side for j, side in enumerate(self.shape) if j != fold.j]
        dims = [
            order.dim if isinstance(order, CellOrder) else plain(size) for order, size in zip(orders[1:], sizes, strict=True)
        ]
        parts = orders[0].dim if isinstance(orders[0], CellOrder) else plain(fold.parts)
        if parts.rows is not None:
            return lost("some of the rows for each image belong to places, and some to none")
        dims.insert(fold.j, fold.dim(n, parts.factors))
        return Mark(tuple(dims), tuple(self._axis(a, found) for a in range(len(self.space))), True)

    def _why(self, orders: list[CellOrder | str | None], axes: list[int]) -> str:
        if len({*axes}) < len(axes):
            return "several of its dimensions run along the same axis of the image"
        reasons = [order for order in orders if isinstance(order, str)]
        if reasons or not axes:
            return reasons[0] if reasons else ALIKE
        names = " and ".join(f"axis {a}" for a in sorted(axes))
        return f"it tells places along {names} of the image alone"

    def _axis(self, a: int, found: Sequence[CellOrder]) -> Axis:
        """The cells along an axis of space, which divide it evenly."""
        order = next(order for order in found if a in order.axes)
        side, backwards = self.space[a], a in order.backwards
        cells = prod(f.size for f in order.dim.factors if f.axis == a)
        first, stride = (side / cells - 1) / 2, side / cells
        return Axis(-stride, side - 1 - first, 0, side - 1) if backwards else Axis(stride, first, 0, side - 1)


def _equal(tensors: Sequence[Tensor]) -> bool:
    """Are all of them the same, but for rounding?"""
    least = 1e-5 * float(tensors[0].abs().max())
    return all(torch.allclose(each, tensors[0], 1e-3, least, equal_nan=True) for each in tensors[1:])


def _precise(x: Tensor | None) -> torch.dtype:
    """The type of numbers to add up in: no coarser than float32."""
    return torch.float64 if x is not None and x.dtype in (torch.float64, torch.complex128) else torch.float32


def experiment(
    modules: Mapping[str, nn.Module], at: Mapping[str, Located], x: Tensor, run: Callable[[Tensor], Tensor], grid: Any
) -> dict[str, Located]:
    """What probes of the image x (1, c, *space) tell of where these layers, which could not be followed, lie."""
    space = tuple(x.shape[2:])
    try:
        responses = _probed(modules, x, run, alone=False)
    except (BadNetwork, RuntimeError) as error:  # some networks take one image only
        if out_of_memory(error):
            raise
        responses = _probed(modules, x, run, alone=True)
    tried = {}
    for name, response in responses.items():
        mark = response.mark(1, grid)
        known = located(mark, mark.shape, space)
        tried[name] = (
            at[name]._replace(why=f"{at[name].why}; {known.why}") if known.layout is None else known._replace(place=None)
        )
    return tried


@torch.no_grad()
def _probed(modules: Mapping[str, nn.Module], x: Tensor, run: Callable[[Tensor], Tensor], alone: bool) -> dict[str, Responses]:
    """How each layer answers to the probes; alone: they run one by one."""
    responses = {name: Responses(tuple(x.shape[2:])) for name in modules}
    for images in probes(x, alone=alone):
        emitted: dict[str, Tensor] = {}

        def hook_for(name: str, emitted: dict[str, Tensor]) -> Callable[..., None]:
            def hook(_module: nn.Module, args: Any, output: Any) -> None:
                tensor = activation_of(output, args)
                if tensor is not None:
                    emitted[name] = tensor.clone()

            return hook

        with hooked((module, hook_for(name, emitted)) for name, module in modules.items()), suppress(Stop):
            run(images.clone())
        for name, tensor in emitted.items():
            responses[name].add(tensor, len(images))
    return responses
