"""The one score that a concept or a feature is held against."""

from typing import Any

from seewhy.errors import BadParameter
from seewhy.models.model import Differentiable
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.parse import as_targets
from seewhy.targets.target import Class, PerImage, Target, Unit, name_of


def explained(model: Differentiable, target: Any, who: str) -> tuple[Differentiable, Target, str]:
    """The model whose scores are explained, the target of these, and the target in words.

    who: what asks.  Raises BadParameter for several targets, and for one that is no score of the model.
    """
    several = as_targets([target], model.labels)
    explained = several[0]
    if len(several) > 1 or isinstance(explained, PerImage):
        raise BadParameter(f"{who} tells of one target for all photos: one class, label or Target.")
    if isinstance(explained, Aim):
        raise BadParameter(f"{who} explains one class's score; {explained} reads the whole output.")
    label = (
        name_of(model.labels, explained.index) if isinstance(explained, Class) and isinstance(explained.index, int) else None
    )
    words = label or str(explained)
    if isinstance(explained, Unit):
        return model.upto(explained.layer, explained.at), Class(explained.channel), words
    if isinstance(explained, Group):
        return model.grouped([explained.classes]), Class(0), words
    return model, explained, words
