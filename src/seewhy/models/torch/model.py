"""Torch networks, read at the price of a forward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import BadParameter
from seewhy.images.places import Gaze, Place
from seewhy.models.graph import MapForm
from seewhy.models.kernels import Kernels
from seewhy.models.model import INSIDE, Attended, Bias, Examination, Head, Layer, PulledPass, Trace
from seewhy.models.rule import Rule
from seewhy.models.torch.attention.attended import attended
from seewhy.models.torch.exporting.graph import TorchGraph, graph_of, single_precision
from seewhy.models.torch.passes.head import first_bad
from seewhy.models.torch.passes.taps import Tap
from seewhy.models.torch.passes.units import End
from seewhy.prepare.batch import blank
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import of_any_scale
from seewhy.targets.target import Target, Top

from .base import TorchScores
from .cell_heads import with_cell_heads
from .defaults import check_alike, defaults
from .examination import examination
from .head import head
from .kernels import kernels
from .learned import Learned
from .pulled import pulled
from .shifted import behind_shift
from .trace import activations, biases, trace
from .undisturbed import again
from .working_copy import TorchWorkingCopy


class TorchModel(TorchScores):
    """A torch.nn.Module whose inside can be read.  Made by `seewhy.wrap`."""

    gives = INSIDE

    def upto(self, layer: str, at: Any = "max") -> "TorchModel":
        """The model whose scores are the units of a layer: of each channel the strongest activation, its "sum" over
        space, or the activation at a cell, such as (y, x).  A class of it is a channel; what lies behind does not run.
        """
        at = at if isinstance(at, str) else tuple(at)
        return self.derived.of((self.runner.call.identity, layer, at), lambda: self._upto(layer, at))

    def _upto(self, layer: str, at: Any) -> "TorchModel":
        settings = replace(self.runner.settings, name=f"{self.name} up to {layer}", labels=None, scores="activation")
        end = End(Tap(layer, self.network).layer, at, self.runner)
        return self.run_by(self.runner.changed(settings=settings, end=end, learned=Learned()))

    def with_flat_layers(self) -> "TorchModel":
        """The same model, whose traces read layers without space, too, where these emit (n, c): of them no map can be made."""
        runner = self.runner.changed(learned=self.runner.learned)
        runner.flat = True
        return self.run_by(runner)

    @again
    def layers(self, x: Array | None = None) -> Mapping[str, Layer]:
        """What each layer emits, in the order it first runs, when x (n, c, *space) (by default a blank photo) comes in."""
        image = self._blank() if x is None else x[:1]
        known = self.runner.surveyed_before(image)
        if known is not None:  # nothing runs, so nothing has to stand in for the network
            return known.layers
        with self.runner.ready(image) as ready:
            return self.runner.survey(ready).layers

    @again
    def default(self, x: Array) -> tuple[str, Layer] | None:
        """The layer of images like x (n, c, *space) that is explained where none is named; None where there is none."""
        known = self.runner.surveyed_before(x)
        if known is None:
            with self.runner.ready(x[:1]) as ready:
                known = self.runner.survey(ready)
        check_alike(known, len(x), self.name)
        return known.default

    def apart(self, x: Array) -> bool:
        """May one score of images like x (n, c, *space), which were looked at before, rest on other layers than another?"""
        known = self.runner.surveyed_before(x)
        return known is not None and known.apart

    def defaults(self, x: Array, targets: Sequence[Target]) -> Sequence[tuple[str, Layer] | None]:
        """For each target, the layer of an image x (1, c, *space) that is explained where none is named, and that the target's
        number rests on.
        """
        return defaults(self.runner, x, targets)

    def _blank(self) -> NDArray[Any]:
        if self.prepare is None:
            raise BadParameter(f"{self.name} was wrapped without `prepare`: give the prepared batch, layers(x).")
        photo = getattr(self.prepare, "fit", self.prepare)  # of each frame of a clip
        size = photo.size if isinstance(photo, Fit) else 256
        side = size if isinstance(size, int) else 256
        return blank(of_any_scale(self.prepare), (side, side), 128)[None]

    def cells(self, layer: str, x: Array) -> tuple[tuple[int, ...], Place] | None:
        """The grid of a layer, and where its cells lie in images like x (n, c, *space), as a pass of such found out; None of
        geometry="plain", and where the network does not tell.
        """
        return self.runner.cells(layer, x)

    def gaze(self, layer: str, x: Array) -> Gaze | None:
        """Where the cells of a layer look in images like x, by the network's weights, as a pass of such found out; None where
        they look where they lie.
        """
        return self.runner.gaze(layer, x)

    def trace(
        self, x: Array, targets: Sequence[Target], layers: Sequence[str | None], rule: Rule | None = None, twice: bool = False,
        few: int | None = None,
    ) -> Trace:  # fmt: skip
        """One forward pass of x (n, c, *space), one backward pass per target: what they leave at each layer, None the default.

        With a rule the gradient comes back by it; NotApplicable where the network gives it nothing to do.
        twice: the evidence can be asked for second derivatives, and keeps the graph as long as it lives; not with a rule.
        few: the evidence is that of so many targets, the first; `further` gives that of as many others, over the same pass.
        """
        return trace(self.runner, x, targets, layers, rule, twice, few)

    def biases(self, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]:
        """The trace at the image, and for each target what every bias of the network adds to its score."""
        return biases(self.runner, x, targets)

    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        """What each layer emits (n, c, *space), from a pass that stops at the last of them; and notes on each."""
        return activations(self.runner, x, layers)

    def pulled(self, x: Array, layers: Sequence[str]) -> PulledPass:
        """One pass of x (n, c, *space) up to the last of the layers, whose gradient at x can be asked for; "scores" is one."""
        return pulled(self.runner, x, layers)

    def kernels(self, layer: str, x: Array) -> Kernels:
        """What the one convolution in a layer multiplies with; NotApplicable where none or several run there."""
        return kernels(self.runner, layer, x)

    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head:
        """One pass; the pooled activations and the last linear layer's weights, where pooling is all there is between."""
        return head(self.runner, x, targets, layers)

    @again
    def attended(self, x: Array, targets: Sequence[Target] = (), whole: bool = True, each: bool = False) -> Attended:
        """One pass, read at the weights of its attentions, and with targets at the gradients toward them; see `attended`."""
        return attended(self.runner, x, targets, whole, each)

    @again
    def first_bad(self, x: Array) -> str | None:
        """The first layer to emit NaN or infinity, as x (n, c, *space) runs through."""
        with self.runner.ready(x) as x, torch.no_grad():
            return first_bad(self.network, lambda: self.runner.run(x))

    def for_graph(self) -> "TorchModel":
        """The same model with a copy of its network, in float32 on the CPU."""
        return self.run_by(single_precision(self.runner))

    def graph(self, x: Array, layer: str, form: MapForm, target: Top | Array) -> TorchGraph:
        """The network of a model that `for_graph` made, as a graph that gives scores and maps of images like x (n, c, *space).

        target: a Top, or the weights (k,) of scores that every image is explained by.  Raises NotApplicable, with the reason,
        where no graph can be made.
        """
        return graph_of(self.runner, x, layer, form, target)

    @again
    def working_copy(self, x: Array) -> TorchWorkingCopy:
        """A copy of the network whose weights may be changed; an image (1, c, *space) shows which of them a pass reads.

        Raises NotApplicable where the network cannot be copied.
        """
        return TorchWorkingCopy(self, x)

    @again
    def behind_shift(self, shift: NDArray[Any], x: Array) -> "TorchModel":
        """The model of images x + shift, shift (c,), that says of them what this one says of x (n, c, *space)."""
        return behind_shift(self, shift, x)

    @again
    def with_cell_heads(self, layer: str, size: int, x: Array) -> "TorchModel":
        """The model of grids like x whose scores are those of each of size x size cells: behind the layer each runs alone."""
        return with_cell_heads(self, layer, size, x)

    def examine(self, x: Array) -> Examination:
        """What a few passes of one image (1, c, *space) show: what can be read, and what may spoil an explanation."""
        return examination(self.runner, x, self.layers(x))
