"""Torch networks asked for the scores of many variants of one image."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import flop_registry

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, BadParameter, NotApplicable
from seewhy.memory import out_of_memory
from seewhy.models.model import INPUT
from seewhy.models.pace import Pace, cheapest
from seewhy.models.together import Together, batches_of
from seewhy.models.torch.draws import EagerMode
from seewhy.models.torch.passes.outputs import emitted
from seewhy.models.torch.passes.taps import Tap, hooked, offloaded
from seewhy.models.torch.places.layout import Layout
from seewhy.models.torch.rows import comparable, joining, mixing, together_of
from seewhy.models.torch.scores import as_numpy

from .folding import folded
from .incremental import Incremental, NotIncremental, Spread
from .order import alike, channels_last
from .tail import TorchTail

SHORT = 0.9  # of the work of plain passes: a short cut that does more of it is none


class TorchScorer:
    """What `TorchModel.scoring` lends: the network stands ready, in eval mode, without a graph, for this thread alone."""

    def __init__(self, runner: Any, like: Tensor, differs: bool, turned: bool, normalised: bool) -> None:
        self.runner, self.like, self.differs, self.turned, self.normalised = runner, like, differs, turned, normalised
        known = together_of(runner)
        self.together = Together() if differs and not known.alone else known  # may images share a pass?  Of a copy, by itself
        kind = like.device.type
        self.cast = (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind))

    def array(self, x: NDArray[Any]) -> Tensor:
        values = np.array(x)
        return torch.as_tensor(values, dtype=self.like.dtype if values.dtype.kind == "f" else None, device=self.like.device)

    def __call__(self, x: Tensor) -> NDArray[Any]:
        with torch.no_grad(), memory_errors():
            return as_numpy(self.scored(self.each(x)))

    def each(self, x: Tensor, alone: Tensor | None = None) -> Tensor:
        """What the network gives for each image, whatever others are in the batch: found out on the first of several.

        alone: what it gives for the first, where that is known.
        """
        if self.together.alone:
            return torch.cat([self.raw(image) for image in x.split(1)])
        if not comparable(self.runner) or not self.together.open(x):
            return self.raw(x)
        together, mixed = self._several(x), mixing(self.runner, x)  # if so, any of them may be changed
        if self.joined(x):
            return self.each(x)
        wrong = together is None
        if wrong or mixed or not self.together.larger(x):
            alone = self.raw(x[:1].clone()) if alone is None else alone
            each = torch.cat([alone, *map(self.raw, x[1:].split(1))]) if mixed else alone
            wrong = together is None or not alike(together[: len(each)], each)
        if together is None or wrong:
            if (
                together is not None and alone is not None and not alike(self.raw(x[:1].clone()), alone)
            ):  # it never says the same twice
                return self.raw(x)
            self.together.mixes |= together is not None
            self.together.single |= together is None
            return self.each(x)
        self.together.fine.add(batches_of(x))
        return together

    def joined(self, x: Tensor) -> bool:
        """Did the last pass of as many images join them?  Then each runs alone from here on."""
        self.together.mixes |= comparable(self.runner) and joining(self.runner, x)
        return self.together.mixes

    def _several(self, x: Tensor) -> Tensor | None:
        """What the network gives for several images, the first in the middle meanwhile; None where it takes one at a time."""
        middle = (len(x) + 1) // 2
        try:
            return self.raw(x.roll(-middle, 0)).roll(middle, 0)
        except BadNetwork:  # a network that fails on one image, too, says so then
            return None

    @property
    def notes(self) -> tuple[str, ...]:
        return self.together.notes

    def raw(self, x: Tensor) -> Tensor:
        """What the network gives, as yet no probabilities; under the caller's autocast, which our own sums are not."""
        with torch.autocast(self.like.device.type, dtype=self.cast[1], enabled=self.cast[0]):
            return self._raw(x)

    def _raw(self, x: Tensor) -> Tensor:
        return self.runner.raw(channels_last(x) if self.turned else x)

    def scored(self, raw: Tensor) -> Tensor:
        return self.runner.scores(raw, self.normalised)

    def blend(self, keep: Array, image: Tensor, fill: Tensor) -> Tensor:
        """The image where `keep` (m, *space) is one or true, the fill where it is zero or false."""
        keep = keep[:, None]
        return torch.where(keep, image, fill) if keep.dtype == torch.bool else torch.lerp(fill[None], image[None], keep)

    def pace(self, together: int | None, most: int) -> Pace:
        if self.together.alone:
            return Pace(1)
        usual = cheapest(self.like.shape[2:], self.like.device.type)
        return Pace(self.runner.settings.batch_size or min(together or usual, most))

    def boxed(self, image: Tensor) -> "BoxScorer":
        return BoxScorer(self, image)

    def tail(self, image: Tensor, layer: str) -> "TailScorer":
        with torch.no_grad(), memory_errors():
            return TailScorer(self, image, layer)


class BoxScorer:
    """Scores of the image with one box of it replaced, recomputing only what the box can change."""

    def __init__(self, scorer: TorchScorer, image: Tensor) -> None:
        self.scorer, self.image = scorer, image
        self.short: Incremental | None = Incremental(scorer.raw, image[None])
        self.why = ""  # it cannot be done so
        self.calls, self.plain = 0, 0  # of the short cut; the work that a box takes plainly

    def __call__(self, patches: Tensor, at: Tensor) -> NDArray[Any]:
        with torch.no_grad(), memory_errors():
            self.calls += 1
            alone = self._plainly(patches, at) if self.calls == 1 else None
            raw = None if self.short is None or self.scorer.together.alone else self._shortly(self.short, patches, at, alone)
            if raw is None:
                self.short = None
                raw = self.scorer.each(self._whole(patches, at), alone)
            return as_numpy(self.scorer.scored(raw))

    def _shortly(self, short: Incremental, patches: Tensor, at: Tensor, alone: Tensor | None) -> Tensor | None:
        """The scores by the short cut; None where it is none, or not right.  alone: of the first box, in the first call."""
        try:
            with Work() if self.calls < 3 else nullcontext() as work:  # the first call learns the image
                raw = short(patches, at, None if alone is None or work is None else lambda: self._worth(work))
        except Spread:
            return None
        except NotIncremental as error:
            self.why = str(error)
            return None
        if alone is not None and not self._agrees(raw, alone, patches, at):
            self.why = "its scores differ from those of plain passes"
            return None
        if alone is None and work is not None and work.done > SHORT * self.plain * len(at):
            self.short = None  # right, but no shorter
        return raw

    def _worth(self, work: "Work") -> bool:
        """Was there so much work up to now that a short cut can leave out enough of it?"""
        return work.done >= (1 - SHORT) * self.plain

    def _agrees(self, raw: Tensor, alone: Tensor, patches: Tensor, at: Tensor) -> bool:
        """Do the first box and the last give what plain passes give, which show no sign that they mix images?"""
        if len(at) == 1:
            return alike(raw, alone)
        both = self._whole(patches[[0, -1]], at[[0, -1]])
        ends = self.scorer.raw(both.clone())
        if mixing(self.scorer.runner, both) is not False:
            ends = torch.cat([alone, self.scorer.raw(both[1:])])
        return not self.scorer.joined(both) and alike(raw[[0, -1]], ends) and alike(ends[:1], alone)

    def _plainly(self, patches: Tensor, at: Tensor) -> Tensor:
        """What a plain pass gives for the first box, and how much work it takes."""
        with Work() as work:
            alone = self.scorer.raw(self._whole(patches[:1], at[:1]))
        self.plain = work.done
        return alone

    def _whole(self, patches: Tensor, at: Tensor) -> Tensor:
        images = self.image.repeat(len(patches), *[1] * self.image.ndim)
        for image, patch, corner in zip(images, patches, at.tolist(), strict=True):
            image[(slice(None), *(slice(a, a + side) for a, side in zip(corner, patch.shape[1:], strict=True)))] = patch
        return images


class Work(EagerMode):
    """Counts the multiplications of convolutions and matrices inside: what a pass costs, whatever the clock says."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0

    def __torch_dispatch__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        count = flop_registry.get(fn.overloadpacket)
        self.done += 0 if count is None else count(*args, **(kwargs or {}), out_val=out)
        return out


class TailScorer:
    """The tail of the network behind a layer, its activation (c, *space) whatever the network calls it."""

    def __init__(self, scorer: TorchScorer, image: Tensor, layer: str) -> None:
        if layer == INPUT:
            raise NotApplicable(f"layer={layer!r}: what is edited here is an activation inside the network; name a layer.")
        self.scorer, runner, x = scorer, scorer.runner, image[None]
        tap = runner.taps([layer], x)[layer]
        self.behind: TorchTail | SequenceTail = tail_of(scorer.raw, tap, x, runner)
        two = torch.cat([x, x])  # as many as TorchTail asked for together
        known = isinstance(self.behind, TorchTail) and (not comparable(runner) or mixing(runner, two) is False)
        self.apart = scorer.joined(two) or (False if known else None)  # does each edit run alone?  None: not known yet
        self.layout: Layout = runner.layout(layer, self.behind.a, x)
        self.a = self.layout.turn(self.behind.a)[0]
        why = ROWS if isinstance(self.behind, SequenceTail) else NO_REPLAY
        self.notes = tap.notes if self.behind.replays else (*tap.notes, f"{AGAIN}: {why}")

    def __call__(self, edits: Tensor) -> NDArray[Any]:
        with torch.no_grad(), memory_errors():
            return as_numpy(self.scorer.scored(self._each(edits)))

    def _each(self, edits: Tensor) -> Tensor:
        """The scores of each edit, whatever others run with it: where that is not known, it is found out on several."""
        if self.apart is None and len(edits) > 1:
            together, alone = self._several(edits), [self._behind(edits[i : i + 1]) for i in (0, len(edits) - 1)]
            self.apart = together is None or not alike(together[[0, -1]], torch.cat(alone))
            if together is not None and not self.apart:
                return together
        return torch.cat([self._behind(edit) for edit in edits.split(1)]) if self.apart else self._behind(edits)

    def _several(self, edits: Tensor) -> Tensor | None:
        try:
            return self._behind(edits)
        except BadNetwork:  # it takes one image at a time
            return None

    def _behind(self, edits: Tensor) -> Tensor:
        return self.behind(self.layout.back(edits, self.behind.a))


class SequenceTail:
    """The scores behind a layer whose first dimension is not that of the images: the whole network runs for each edit."""

    replays = False

    def __init__(self, run: Callable[[Tensor], Tensor], tap: Tap, x: Tensor) -> None:
        self.run, self.tap, self.x, self.a = run, tap, x, tap.check()
        self.last = tap.call or tap.calls

    def __call__(self, edits: Tensor) -> Tensor:
        """The scores (m, k) for activations of m images in the place of a, such as (l, m, c)."""
        calls = count(1)

        def hook(_module: Any, args: Any, output: Any) -> Any:
            return emitted(output, self.tap.name, args)[1](edits) if next(calls) == self.last else None

        with hooked([(self.tap.module, hook)]):
            return self.run(self.x.repeat(edits.numel() // self.a.numel(), *[1] * (self.x.ndim - 1)))


def tail_of(run: Callable[[Tensor], Tensor], tap: Tap, x: Tensor, runner: Any) -> "TorchTail | SequenceTail":
    """What answers for edits of the layer in an image x (1, c, *space)."""
    try:
        return TorchTail(run, tap, x, replay=not offloaded(runner.network))  # whose weights come and go by calls of torch
    except NotApplicable:
        layout = None if tap.activation is None else runner.located(tap.layer, tap.activation, x).layout
        if layout is None or layout.images == 0:
            raise
        return SequenceTail(run, tap, x)


AGAIN = "what lies before the layer was run again for every edit"
NO_REPLAY = "the network does not run twice alike, or mixes the images"
ROWS = "the rows of what it emits are not the images alone"


@contextmanager
def memory_errors() -> Iterator[None]:
    """Out of memory is a MemoryError."""
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise


def quick(runner: Any, like: Tensor, fast: bool, dtype: Any, fold: bool) -> Any:
    """The same runner over a copy of its network: of another precision; if fast, with its BatchNorms folded into the
    convolutions before them, where that can be traced and leaves the scores of images `like`."""
    copied = runner.of_network(deepcopy(runner.network).eval().requires_grad_(False))
    if fast and fold and runner.end is None:
        copied = _folded(copied, like)
    if dtype is not None:
        copied.network.to(dtype=precision(dtype))
    return copied


def _folded(runner: Any, like: Tensor) -> Any:
    try:
        with torch.no_grad():
            trial = runner.of_network(folded(runner.network))
            return trial if alike(trial.raw(like.clone()), runner.raw(like.clone())) else runner
    except Exception:  # noqa: BLE001 - a network that cannot be traced runs as it is
        return runner


def precision(choice: Any) -> torch.dtype:
    """A torch dtype, by name or itself."""
    dtype = getattr(torch, choice, None) if isinstance(choice, str) else choice
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise BadParameter(
            f'dtype={choice!r} is no floating-point precision. Give "bfloat16", "float16", "float32" or "float64".'
        )
    return dtype
