"""Copies of an image that differ from it in one box each: run incrementally, and in full."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seewhy.models.torch.variants.incremental import Incremental, Patch


def doubles(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def copies(x: Tensor, patches: Tensor, at: Tensor) -> Tensor:
    """Each patch written into its own copy of x."""
    out = x.repeat(len(patches), *[1] * (x.ndim - 1))
    for one, patch, start in zip(out, patches, at.tolist(), strict=True):
        one[(slice(None), *(slice(a, a + n) for a, n in zip(start, patch.shape[1:], strict=True)))] = patch
    return out


def flat(y: Tensor) -> Tensor:
    return y.flatten(1)


def on_boxes(op: Callable[[Any], Any]) -> Callable[[Tensor], Tensor]:
    """The operation, which must not need the copies in full; all that it returns, in a row."""

    def run(x: Tensor) -> Tensor:
        y = op(x)
        parts = y if isinstance(y, tuple) else (y,)
        if isinstance(x, Patch) and not all(isinstance(part, Patch) for part in parts):
            raise TypeError("computed in full")
        return torch.cat([flat(part) for part in parts], 1)

    return run


def check(run: Callable[[Tensor], Tensor], x: Tensor, patches: Tensor, at: Tensor) -> None:
    """Once more, so that what is remembered is used, and for one copy alone; and the arguments stay as they are."""
    before = x.clone(), patches.clone()
    passes = Incremental(run, x)
    for n in (len(at), 1, len(at)):
        want = run(copies(x, patches[:n], at[:n]))
        torch.testing.assert_close(passes(patches[:n], at[:n]), want, rtol=1e-10, atol=1e-10)
    assert torch.equal(x, before[0])
    assert torch.equal(passes.base, x)
    assert torch.equal(patches, before[1])
