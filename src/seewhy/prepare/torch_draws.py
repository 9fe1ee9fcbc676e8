"""What a callable draws through torch: recorded as it runs, and given to it again without drawing.

It stands apart since it imports torch: only where a person's own code has imported it.
"""

from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map


def _draws(fn: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in fn.tags


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


class Recording(TorchDispatchMode):
    """While it is entered, what this thread draws is kept, in its order; it comes from where it came from before."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[tuple[Any, Any]] = []  # each operation, and what it gave

    def __torch_dispatch__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = fn(*args, **(kwargs or {}))
        if _draws(fn):
            self.drawn.append((fn, tree_map(_copied, result)))
        return result


class Replaying(TorchDispatchMode):
    """While it is entered, this thread gets what was drawn in a recording, in its order, in place of new draws."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.left: list[tuple[Any, Any]] = [*recording.drawn]
        self.strayed = False  # it wanted to draw something else

    @property
    def repeated(self) -> bool:
        """Was everything drawn again, and nothing else?"""
        return not self.left and not self.strayed

    def __torch_dispatch__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not _draws(fn):
            return fn(*args, **(kwargs or {}))
        if not self.left or self.left[0][0] is not fn:
            return self._stray()
        result = self.left.pop(0)[1]
        if not fn._schema.is_mutable:
            return tree_map(_copied, result)
        return args[0].copy_(result) if args[0].shape == result.shape else self._stray()

    def _stray(self) -> NoReturn:
        self.strayed = True
        raise RuntimeError("Other random numbers are asked for than were recorded.")
