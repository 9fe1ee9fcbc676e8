"""What a person says of a network when it is wrapped: one frozen record that every adapter takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seewhy.errors import BadParameter
from seewhy.printable import quoted

TAKES = ("uint8", "float")  # images that a function takes
PIXELS = {"size": None, "crop": None, "mean": 0.0, "std": 1 / 255}  # a photo as it is
BATCH = 32  # images per pass at most, where the person has not said
TASKS = ("single-label", "multi-label", "regression")  # what scores mean
GEOMETRIES = ("receptive-field", "plain")  # where a map's cells lie: where they look, or spread evenly
COPIES = 8  # where the graph of the whole network is kept: more are no faster on a CPU, and take memory


@dataclass(frozen=True)
class Placeholder:
    """Where the images go among the inputs of a network: seewhy.IMAGE."""

    def __repr__(self) -> str:
        return "IMAGE"


IMAGE = Placeholder()


@dataclass(frozen=True)
class Fixed:
    """An input that a network gets as it is: no row of it belongs to an image."""

    value: Any


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


def of_function(settings: Settings) -> None:
    """Raise BadParameter where a setting is given that only networks have."""
    if settings.device is not None or settings.dtype is not None:
        raise BadParameter("A function runs where it runs: leave device= and dtype= out.")
    if (settings.inputs, settings.output, settings.task, settings.grid, settings.tokenizer) != (None, None, None, None, None):
        only = "inputs=, output=, task=, grid= and tokenizer= are for torch networks"
        raise BadParameter(f"{only}; let the function itself take images to scores.")
    if settings.takes not in TAKES:
        raise BadParameter(f"takes={settings.takes!r}: the function takes {' or '.join(TAKES)} images.")


def pixel_preparation(prepare: Any) -> Mapping[str, Any]:
    """How photos are resized and cropped for a function that takes them as uint8."""
    if prepare is not None and (not isinstance(prepare, Mapping) or {*prepare} - {"size", "crop", "interpolation"}):
        raise BadParameter(
            f"prepare={prepare!r}: a function that takes uint8 photos gets them resized and cropped at most: a dict of size, "
            'crop and interpolation. For more, wrap(function, takes="float", prepare=...).'
        )
    return {**PIXELS, **(prepare or {})}
