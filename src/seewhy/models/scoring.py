"""Torch networks asked for the scores of many variants of one image."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..budget import Pace
from ..errors import BadParameter, NotApplicable
from ..image import Array
from . import INPUT
from .backward import out_of_memory
from .incremental import Incremental, NotIncremental
from .layout import Layout
from .scores import as_numpy, plain
from .tail import Tail
from .taps import Tap

MOST = 256  # variants a pass takes at most, where the person has not said
LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


class TorchScorer:
    """What `TorchModel.scoring` lends: the network stands ready, in eval mode, without a graph, for this thread alone."""

    def __init__(self, model: Any, like: Tensor, differs: bool, fast: bool) -> None:
        self.model, self.like, self.differs, self.fast = model, like, differs, fast

    def array(self, x: NDArray[Any]) -> Tensor:
        own = np.array(x)
        return torch.as_tensor(own, dtype=self.like.dtype if own.dtype.kind == "f" else None, device=self.like.device)

    def __call__(self, x: Tensor) -> NDArray[Any]:
        with torch.no_grad(), memory_errors():
            return as_numpy(self.scored(self.raw(x)))

    def raw(self, x: Tensor) -> Tensor:
        """What the network gives, as yet no probabilities."""
        if self.fast and type(x) is Tensor and x.ndim in LAYOUTS:
            x = x.contiguous(memory_format=LAYOUTS[x.ndim])
        return self.model._raw(x)

    def scored(self, raw: Tensor) -> Tensor:
        return self.model._scores(raw)

    def blend(self, keep: Array, image: Tensor, fill: Tensor) -> Tensor:
        """The image where `keep` (m, *space) is one or true, the fill where it is zero or false."""
        keep = keep[:, None]
        return torch.where(keep, image, fill) if keep.dtype == torch.bool else torch.lerp(fill[None], image[None], keep)

    def pace(self, first: int, most: int | None) -> Pace:
        own = self.model.asked_batch
        return Pace(own, own) if own else Pace(first, most or MOST)

    def boxed(self, image: Tensor) -> "Boxed":
        return Boxed(self, image)

    def tail(self, image: Tensor, layer: str) -> "LaidOut":
        with torch.no_grad(), memory_errors():
            return LaidOut(self, image, layer)


class Boxed:
    """Scores of the image with one box of it replaced, recomputing only what the box can change."""

    SLACK = 2e-5  # by which scores may differ from those of a plain pass, as a share of the largest

    def __init__(self, scorer: TorchScorer, image: Tensor) -> None:
        self.scorer, self.image = scorer, image
        self.short: Incremental | None = Incremental(scorer.raw, image[None])
        self.checked = False
        self.why = ""  # it cannot be done so

    def __call__(self, patches: Tensor, at: Tensor) -> NDArray[Any]:
        with torch.no_grad(), memory_errors():
            if self.short is not None:
                try:
                    found = self.short(patches, at)
                    if self.checked or self._agrees(found[:2], patches[:2], at[:2]):
                        return as_numpy(self.scorer.scored(found))
                except NotIncremental as error:
                    self.why = str(error)
                self.short = None
            return as_numpy(self.scorer.scored(self.scorer.raw(self._whole(patches, at))))

    def _agrees(self, found: Tensor, patches: Tensor, at: Tensor) -> bool:
        """Do the first boxes give what plain passes give?"""
        expected = self.scorer.raw(self._whole(patches, at))
        slack = self.SLACK if plain(expected).dtype == expected.dtype else 0.02
        self.checked = bool((abs(found - expected) <= slack * abs(expected).max()).all())
        self.why = "" if self.checked else "its scores differ from those of plain passes"
        return self.checked

    def _whole(self, patches: Tensor, at: Tensor) -> Tensor:
        images = self.image.repeat(len(patches), *[1] * self.image.ndim)
        for image, patch, corner in zip(images, patches, at.tolist(), strict=True):
            image[(slice(None), *(slice(a, a + side) for a, side in zip(corner, patch.shape[1:], strict=True)))] = patch
        return images


class LaidOut:
    """The tail of the network behind a layer, its activation (c, *space) whatever the network calls it."""

    def __init__(self, scorer: TorchScorer, image: Tensor, layer: str) -> None:
        if layer == INPUT:
            raise NotApplicable(f"layer={layer!r}: what is edited here is an activation inside the network; name a layer.")
        self.scorer, model, x = scorer, scorer.model, image[None]
        tap = Tap(layer, model.network)
        self.behind = Tail(scorer.raw, tap, x)
        self.layout: Layout = model._layout(layer, self.behind.a, x)
        self.a = self.layout.turn(self.behind.a)[0]
        self.notes = tap.notes if self.behind.replays else (*tap.notes, NO_REPLAY)

    def __call__(self, edits: Tensor) -> NDArray[Any]:
        with torch.no_grad(), memory_errors():
            return as_numpy(self.scorer.scored(self.behind(self.layout.back(edits, self.behind.a))))


NO_REPLAY = "what lies before the layer was run again for every edit: the network does not run twice alike, or mixes the images"


@contextmanager
def memory_errors() -> Iterator[None]:
    """Out of memory is a MemoryError."""
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise


def quick(model: Any, fast: bool, dtype: Any, fold: bool) -> Any:
    """The same model over a copy of its network: of another precision; if fast, in channels_last order, and with its
    BatchNorms folded into the convolutions before them, where it can be traced."""
    made = copy(model)
    made.network = deepcopy(model.network).eval().requires_grad_(False)
    made.surveys, made.units = {}, {}
    if fast:
        if fold and model.end is None:
            made.network = _folded(made.network)
        made.network.to(memory_format=torch.channels_last)
    if dtype is not None:
        made.network.to(dtype=precision(dtype))
    return made


def _folded(network: nn.Module) -> nn.Module:
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(network, no_trace=False)
    except Exception:  # noqa: BLE001 - a network that cannot be traced runs as it is
        return network


def precision(asked: Any) -> torch.dtype:
    """A torch dtype, by name or itself."""
    found = getattr(torch, asked, None) if isinstance(asked, str) else asked
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise BadParameter(
            f'dtype={asked!r} is no floating-point precision. Give "bfloat16", "float16", "float32" or "float64".'
        )
    return found
