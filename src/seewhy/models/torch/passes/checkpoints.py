"""Parts of a network that are checkpointed for training are run plainly while it is explained.

A checkpoint lets go of what a pass computed and computes it again on the way back: what taps, rules and marks put into the pass
is not there then, and the re-entrant kind gives `torch.autograd.grad` nothing at all.  Values and gradients are the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import local
from typing import Any

from torch.utils import checkpoint

from .process import WhileAny


class OfThread(local):
    """Whether this thread explains a network."""

    def __init__(self) -> None:
        self.plainly = False


HERE = OfThread()


def _replaced() -> Callable[[], None]:
    """Put plain ways in the place of torch's two kinds; what it returns takes them away again.

    Inside of torch's own `checkpoint`, which a network's code may have imported by name long before.
    """
    reentrant, hook = checkpoint.CheckpointFunction, checkpoint._checkpoint_hook
    apply = reentrant.apply

    def run(function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        return function(*args) if HERE.plainly else apply(function, preserve_rng_state, *args)

    def saved(frame: Any) -> Any:
        return nullcontext() if HERE.plainly else hook(frame)

    reentrant.apply = staticmethod(run)  # type: ignore[method-assign, assignment]
    checkpoint._checkpoint_hook = saved  # type: ignore[misc, assignment]

    def back() -> None:
        del reentrant.apply  # the one that it inherits is left
        checkpoint._checkpoint_hook = hook  # type: ignore[misc]

    return back


REPLACED = WhileAny(_replaced)


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """While the block runs, checkpointed functions run plainly in this thread; other threads may train meanwhile."""
    before, HERE.plainly = HERE.plainly, True
    try:
        with REPLACED:
            yield
    finally:
        HERE.plainly = before
