"""What a person who explains a network should know about it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from .together import MIXING, SINGLE

SEVERITIES = ERROR, WARNING, NOTE = "error", "warning", "note"  # no map can be made; a map may mislead; good to know


class Hazard(NamedTuple):
    """Something about a network that a person who explains it should know."""

    name: str  # one word, the same in every version
    severity: str  # one of SEVERITIES
    words: str
    where: tuple[str, ...] = ()  # the layers or weights
    advice: str = ""


def mixed_batch() -> Hazard:
    """The images of a batch change each other's scores."""
    words = f"{MIXING}: what it says of an image depends on the others in the batch"
    advice = "Each image and each variant runs alone, which takes longer. BatchNorm without running statistics does this."
    return Hazard("mixed-batch", WARNING, words, (), advice)


def one_at_a_time(why: str = "") -> Hazard:
    """No two images can share a pass.  why: what the network said of two."""
    advice = "Each image and each variant runs alone, which takes longer; batch_size=1 spares the attempt."
    return Hazard("one-at-a-time", NOTE, f"{SINGLE} ({why})" if why else SINGLE, (), advice)


class KnownFunction:
    """A function from images to scores that knows more than its scores: what loads one derives its class from this.

    hazards: what a person should know of it; every heatmap says those that are warnings.  versions: of what it runs on.
    distribution: are its scores probabilities that sum to one; None: that is told from their sums.  step: in which its scores
    come, where they are rounded: no smaller probability can be told from none.
    """

    hazards: tuple[Hazard, ...] = ()
    distribution: bool | None = None
    step: float = 0.0
    versions: Mapping[str, str] = {}
    sha256: str = ""  # of the file that holds its weights, as a whole

    def __call__(self, images: NDArray[Any]) -> Any:  # as `wrap` says of a function
        raise NotImplementedError
