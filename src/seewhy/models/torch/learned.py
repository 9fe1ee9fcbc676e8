"""What earlier passes of a network showed, for the next call: bounded in size, and never part of a pickle."""

from dataclasses import dataclass, field, replace
from typing import Any

from seewhy.images.places import Place
from seewhy.lru import Recent
from seewhy.models.torch.places.survey import Survey


class SizeFacts:
    """What passes of images of one size showed of the layers.

    whole: the facts of the whole network, where this one ends at a layer of units.
    """

    def __init__(self, whole: "SizeFacts | None" = None) -> None:
        self.last: Survey | None = None  # the survey that this was taken from
        self.places: dict[str, tuple[tuple[int, ...], Place] | None] = {}  # of layers: their grid and its place
        self.turned: set[str] = whole.turned if whole else set()  # layers behind a mirror
        self.several: dict[str, list[str]] = whole.several if whole else {}  # calls that see the image, of those that repeat

    def learn_from(self, survey: Survey) -> None:
        """Add what a survey of images of this size says."""
        if self.last is survey:
            return
        repeated = {name: [f"{name}#{call}" for call in layer.sees] for name, layer in survey.layers.items() if layer.calls > 1}
        self.several.update({name: calls for name, calls in repeated.items() if calls})
        placed = {
            name: layer.cells and (layer.shape[1:], layer.cells) for name, layer in survey.layers.items() if layer.calls == 1
        }
        self.turned.update(survey.turned)
        self.places.update({name: place for name, place in placed.items() if name not in self.places})
        self.last = survey


@dataclass
class Learned:
    """What passes of one network, run in one way, showed.  Copies of the model may share it.

    All keys hold the network's identity, so that after an edit all is found out anew.
    """

    surveys: Recent[Any, Survey] = field(default_factory=Recent)  # of images of one size
    attention: Recent[Any, Any] = field(default_factory=Recent)  # which tokens are joined, in images of one size
    sizes: Recent[Any, SizeFacts] = field(default_factory=Recent)  # the same, layer by layer
    straight: Recent[Any, bool] = field(default_factory=Recent)  # ways back on which all gradients come in memory order
    calls: Recent[Any, int] = field(default_factory=Recent)  # of the layer the network stops at

    def surveyed_anew(self) -> "Learned":
        """The same of a network that may run otherwise: everything but the surveys."""
        return replace(self, surveys=Recent(), attention=Recent())
