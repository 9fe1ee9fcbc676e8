"""What earlier passes of a network showed, for the next call: bounded in size, and never part of a pickle."""

from dataclasses import dataclass, field, replace
from typing import Any

from seewhy.arrays import numbers
from seewhy.images.digest import image_sha256
from seewhy.lru import Recent
from seewhy.models.torch.places.layout import Located
from seewhy.models.torch.places.survey import Survey


class SizeFacts:
    """What passes of images of one size showed of the layers."""

    def __init__(self) -> None:
        self.last: Survey | None = None  # of all layers
        self.located: dict[str, Located] = {}  # where layers lie, of which single passes told
        self.calls: dict[str, int] = {}  # how often a layer runs in a pass, by single passes
        self.tried: set[str] = set()  # layers that could not be followed, and were looked for by experiment

    def at(self, name: str) -> Located | None:
        """Where a layer, or a call or a part of it, lies; None where that is not known."""
        return self.located.get(name) or (self.last.at(name) if self.last is not None else None)

    def each(self, name: str) -> list[str]:
        """What stands for a layer that is known to see the image in several calls, or to emit several parts of it."""
        return self.last.each(name) if self.last is not None and "#" not in name else [name]

    def runs(self, name: str) -> int | None:
        """How often a layer runs in a pass; None where that is not known."""
        if self.last is not None and name in self.last.calls:
            return len(self.last.calls[name])
        return self.calls.get(name)


@dataclass
class Learned:
    """What passes of one network, run in one way, showed.  Copies of the model may share it.

    All keys hold the network's identity, so that after an edit all is found out anew.
    """

    surveys: Recent[Any, Survey] = field(default_factory=Recent)  # of images of one size
    attention: Recent[Any, Any] = field(default_factory=Recent)  # which tokens are joined, in images of one size
    sizes: Recent[Any, SizeFacts] = field(default_factory=Recent)  # the same, layer by layer
    straight: Recent[Any, bool] = field(default_factory=Recent)  # ways back on which all gradients come in memory order
    linear: Recent[Any, bool] = field(default_factory=Recent)  # layers that scores were found to be linear in
    calls: Recent[Any, int] = field(default_factory=Recent)  # of the layer the network stops at
    together: Recent[Any, Any] = field(default_factory=Recent)  # whether images may share a pass
    calls_seen: Recent[Any, Any] = field(default_factory=Recent)  # operations that could mix the images of a batch
    asked_grid: bool = False  # a layer could not be followed, so that the caller's `grid` was looked at

    def survey(self, key: Any, x: Any) -> Survey | None:
        """The survey of images like x that is kept under that key, if any; of a network that may run other layers for another
        image, that of the first image of x itself.
        """
        known = self.surveys.get(key)
        return self.surveys.get((key, _image(x))) if known is not None and known.routed else known

    def keep_survey(self, key: Any, x: Any, known: Survey) -> Survey:
        """Keep a survey of images x under that key; threads that ask at once all get the same."""
        if known.routed:
            self.surveys.of((key, _image(x)), lambda: known) if len(x) == 1 else None
            return self.surveys.keep(key, known)
        return self.surveys.of(key, lambda: known)

    def surveyed_anew(self) -> "Learned":
        """The same of a network that may run otherwise: everything but the surveys."""
        return replace(self, surveys=Recent(), attention=Recent())


def _image(x: Any) -> str:
    return image_sha256(numbers(x[:1]).astype("float32"))
