"""What earlier passes of a network showed, for the next call: bounded in size, and never part of a pickle."""

from dataclasses import dataclass, field, replace
from typing import Any

from seewhy.lru import Recent
from seewhy.models.torch.places.layout import Located
from seewhy.models.torch.places.survey import Survey


class SizeFacts:
    """What passes of images of one size showed of the layers."""

    def __init__(self) -> None:
        self.last: Survey | None = None  # the survey that this was taken from
        self.located: dict[str, Located] = {}  # where what the layers emit lies
        self.several: dict[str, list[str]] = {}  # calls that see the image, or parts of it, of layers with several
        self.calls: dict[str, int] = {}  # how often a layer runs in a pass
        self.tried: set[str] = set()  # layers that could not be followed, and were looked for by experiment

    def learn_from(self, survey: Survey) -> None:
        """Add what a survey of images of this size says."""
        if self.last is not survey:
            self.located.update(survey.located)
            self.several.update(survey.several)
            self.calls.update({name: layer.calls for name, layer in survey.layers.items()})
            self.last = survey


@dataclass
class Learned:
    """What passes of one network, run in one way, showed.  Copies of the model may share it."""

    surveys: Recent[Any, Survey] = field(default_factory=Recent)  # of images of one size
    attention: Recent[Any, Any] = field(default_factory=Recent)  # which tokens are joined, in images of one size
    sizes: Recent[Any, SizeFacts] = field(default_factory=Recent)  # the same, layer by layer
    straight: Recent[Any, bool] = field(default_factory=Recent)  # ways back on which all gradients come in memory order
    calls: Recent[Any, int] = field(default_factory=Recent)  # of the layer the network stops at

    def surveyed_anew(self) -> "Learned":
        """The same of a network that may run otherwise: everything but the surveys."""
        return replace(self, surveys=Recent(), attention=Recent())
