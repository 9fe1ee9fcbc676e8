"""Random weights, drawn from a seed: the same network every time, and nobody else's random numbers are touched."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from seewhy.errors import BadParameter, whole_number

from .sources import Request

SEED = "seed"  # the option
ONE_AT_A_TIME = RLock()  # the streams of Python and numpy belong to all threads


class Seeded(NamedTuple):
    """A request without the option `seed`, and what that said."""

    request: Request
    given: int | None

    @property
    def seed(self) -> int:
        return self.given or 0

    def unused(self) -> None:
        """Raise BadParameter where a seed was given and no weights were drawn."""
        if self.given is not None:
            raise BadParameter(
                f"seed={self.given} says which random weights are drawn, and {self.request.spec} has none here: "
                'leave it out, or ask for weights="random".'
            )


def seeded(request: Request) -> Seeded:
    """The request as the constructor of the network is to see it, and the seed of what it draws."""
    options = dict(request.options)
    given = options.pop(SEED, None)
    return Seeded(request._replace(options=options), None if given is None else whole_number(given, SEED, 0))


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """While the block runs, what is drawn through Python and numpy comes from the seed; afterwards they go on as before.

    Keras draws its weights so.
    """
    with ONE_AT_A_TIME:
        python, numpys = random.getstate(), np.random.get_state(legacy=False)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpys)


@contextmanager
def drawing_torch(seed: int) -> Iterator[None]:
    """The same, also of torch: on the CPU, whose numbers are the same on every machine."""
    import torch  # here, for Keras need not run on it

    on_cpu = nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
    with drawing(seed), torch.random.fork_rng(devices=[]), on_cpu:
        torch.default_generator.manual_seed(seed)
        yield


def left_as_drawn(network: Any, blank: Callable[[], Any], seed: int) -> list[str]:
    """The layers of a torch network whose weights are still those that its constructor drew from the seed.

    blank: makes the same network without any trained weights.  Only matrices count: the biases of many networks begin, and some
    end, as zeros.
    """
    with drawing_torch(seed):
        drawn = dict(blank().named_parameters())
    same = [
        name.rpartition(".")[0] or name
        for name, weight in network.named_parameters()
        if weight.requires_grad and weight.ndim > 1 and name in drawn and _equal(weight, drawn[name])
    ]
    return [*dict.fromkeys(same)]


def _equal(weight: Any, drawn: Any) -> bool:
    return weight.shape == drawn.shape and bool((weight == drawn).all())
