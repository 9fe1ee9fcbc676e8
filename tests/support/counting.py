"""What enters a layer while others explain the network, seen without a hook of the network's own, which were an edit of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook


@contextmanager
def entering(module: nn.Module, read: Callable[[Tensor], Any] = len) -> Iterator[list[Any]]:
    """What `read` says, by default how many images there are, of each batch that enters the layer, or what stands in for it.

    The layer has parameters, by which it is known.
    """
    seen: list[Any] = []
    own = [*module.parameters()]
    assert own

    def hook(runs: nn.Module, args: tuple[Any, ...]) -> None:
        if type(runs) is type(module):
            parameters = [*runs.parameters()]
            if len(parameters) == len(own) and all(a is b for a, b in zip(parameters, own, strict=True)):
                seen.append(read(args[0]))

    handle = register_module_forward_pre_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def keeping_apart(model: Any) -> Any:
    """The model of a function, known from before to say of each image among others what it says of it alone.

    So it is asked for what is explained and no more; of another one of the first images that share a call is asked for again.
    """
    model.together.fine.add(((), 10**6))
    return model
