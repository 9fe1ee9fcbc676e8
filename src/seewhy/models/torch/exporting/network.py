"""A network that gives scores and maps in one call: what is traced."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.arrays import Array
from seewhy.models.graph import MapForm
from seewhy.models.torch.passes.outputs import emitted
from seewhy.models.torch.passes.taps import Tap, hooked
from seewhy.models.torch.places.layout import Layout
from seewhy.models.torch.runner import Runner
from seewhy.models.torch.scores import picked, plain
from seewhy.targets.target import Top

from .forms import PooledHead, alone, principal

MASKS, COPIES = "left_alone", "copies"  # the buffers by which the graph tells what an edit changes, and what was copied


class LayerPlace(NamedTuple):
    """What a pass of one image showed of the layer that is read, and of the network's end."""

    layer: str
    call: int  # which of the layer's calls is read
    layout: Layout  # how what it emits lies over the image
    emission: Tensor  # what it emits for one image (1, ...)
    head: PooledHead | None  # what lies behind it, for the closed forms
    normalised: bool  # the network gives probabilities


class SelfExplaining(nn.Module):
    """A network whose forward gives scores (n, k) and maps (n, *space) of images (n, c, *space), both float32.

    runner: of a copy of the network that belongs to nobody else; target: a Top, or the weights (k,) of the explained score.
    """

    def __init__(self, runner: Runner, place: LayerPlace, form: MapForm, target: Top | Array) -> None:
        super().__init__()
        self.network, self.runner = runner.network, runner
        self.place, self.form = place, form
        self.rank = target.rank if isinstance(target, Top) else None
        self.single = False  # it is traced for one image at a time
        self.cells = 0
        if self.rank is None:
            self.register_buffer("target", torch.as_tensor(target, dtype=torch.float32))
        if form.reads == "tail":
            masks = alone(place.layout, place.emission, place.layer)
            self.cells = len(masks) - 1
            self.register_buffer(MASKS, masks)
            self.register_buffer(COPIES, torch.ones(len(masks)))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The scores and the maps."""
        kept: list[Tensor] = []

        def keep(emission: Tensor) -> Tensor:
            kept.append(emission.clone())  # what comes behind may write over it
            return emission

        scores = self._scores(images, keep)
        core = self._tail(images, kept[-1], scores) if self.cells else self._map(kept[-1], scores)
        return scores.float(), (core.relu() if self.form.rectified else core).float()

    def _map(self, emission: Tensor, scores: Tensor) -> Tensor:
        """The map of a method that reads no more than the pass itself leaves."""
        a = plain(self.place.layout.turn(emission))
        head, formula = self.place.head, self.form.formula
        if formula is None:
            return principal(a, **self.form.params)
        assert head is not None
        rows = self._rows(scores) @ head.weights(self.network)  # (n, c)
        if self.form.component:
            return principal(formula(a, head.gradient(a, rows)), **self.form.params)
        if self.form.reads == "head":
            return formula(head.activation(a), rows, **self.form.params)
        return formula(a, head.gradient(a, rows), **self.form.params)

    def _tail(self, images: Tensor, emission: Tensor, scores: Tensor) -> Tensor:
        """Recipro-CAM: the score of what is left of each cell alone, less that of none."""
        masks, copies = self.get_buffer(MASKS), self.get_buffer(COPIES)
        first, n = self.place.layout.images or 0, images.shape[0]
        edits = (emission.movedim(first, 0)[:, None] * masks[None]).flatten(0, 1).movedim(0, first)
        many = (images[:, None] * copies.reshape(1, -1, *[1] * (images.ndim - 1))).flatten(0, 1)
        tail = self._scores(many, lambda _: edits).reshape(n, self.cells + 1, scores.shape[1])
        gains = (tail * self._rows(scores)[:, None]).sum(2)
        return (gains[:, :-1] - gains[:, -1:]).reshape(n, *self.place.layout.space)

    def _rows(self, scores: Tensor) -> Tensor:
        """The weights of the explained score, (n, k)."""
        if self.rank is None:
            return self.get_buffer("target").to(scores.dtype).expand(scores.shape)
        top = scores.argmax(1) if self.rank == 1 else scores.topk(self.rank).indices[:, self.rank - 1]
        return (torch.arange(scores.shape[1], device=scores.device) == top[:, None]).to(scores.dtype)

    def _scores(self, images: Tensor, at_layer: Callable[[Tensor], Tensor]) -> Tensor:
        """The scores, with what `at_layer` makes of what the layer emits in its place."""
        calls, call, tap = count(1), self.runner.call, Tap(self.place.layer, self.network)

        def hook(_module: Any, args: Any, output: Any) -> Any:
            if next(calls) != self.place.call:
                return None
            emission, put_back = emitted(output, tap.name, args)
            return put_back(at_layer(emission))

        args, options = call.inputs(call.arranged(images))
        with hooked([(tap.module, hook)]):
            output = call(args, options)
        part = picked(output, self.runner.settings.output, images.shape[0])
        raw = part.reshape(1, -1) if self.single else part[:, None] if part.ndim == 1 else part.flatten(1)
        return self.runner.scores(raw, self.place.normalised)
