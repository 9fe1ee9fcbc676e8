"""What a person says of a network when it is wrapped: one frozen record that every adapter takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seewhy.errors import BadParameter
from seewhy.printable import quoted

BATCH = 32  # images per pass at most, where the person has not said
TASKS = ("single-label", "multi-label", "regression")  # what scores mean
GEOMETRIES = ("receptive-field", "plain")  # where a map's cells lie: where they look, or spread evenly
COPIES = 8  # where the graph of the whole network is kept: more are no faster on a CPU, and take memory


@dataclass(frozen=True)
class Settings:
    """The arguments of `seewhy.wrap`, checked as far as they are the same for every adapter.

    Adapters refuse what they cannot do.  A model that explains something else (units, boxes, embeddings) runs under a copy.
    """

    name: str = ""  # of the model; an empty one is the network's own
    prepare: Any = None
    labels: Sequence[str] | None = None
    scores: str | None = None  # one of SCORES; None where the person has not said
    batch_size: int | None = None  # None where the person has not said
    weights: str | None = None  # where they came from
    takes: str = "uint8"
    device: Any = None
    dtype: Any = None
    inputs: Any = None
    output: Any = None
    task: str | None = None
    grid: Sequence[int] | None = None
    geometry: str = "receptive-field"
    tokenizer: Any = None
    channels: int | None = None
    params: Any = None  # of a function of JAX, or the variables of a module of Flax

    def __post_init__(self) -> None:
        if self.geometry not in GEOMETRIES:
            raise BadParameter(f"geometry={quoted(self.geometry)}: it is one of {', '.join(GEOMETRIES)}.")
        if self.task not in (None, *TASKS):
            raise BadParameter(f"task={quoted(self.task)}: it is one of {', '.join(TASKS)}.")
        if self.task == "regression" and self.scores in ("probability", "log-probability"):
            raise BadParameter(
                f'scores={quoted(self.scores)}: a regression has no probabilities; leave scores= or task="regression" out.'
            )

    @property
    def copies(self) -> int:
        """Images per pass at most, where the graph of the whole network is kept."""
        return self.batch_size or COPIES
