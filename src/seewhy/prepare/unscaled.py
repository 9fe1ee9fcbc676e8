"""Preprocessing whose size is known from the network, and whose scale only a person knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter

from .fit import Fit, SideOrSize

UNSAID = ()  # in place of a mean or a standard deviation


@dataclass(frozen=True)
class Unscaled(Fit):
    """A `Fit` that raises BadParameter until mean and std are said: numbers of a wrong scale give wrong scores, and no error.

    grey: the network takes one channel.
    """

    size: SideOrSize | None = None
    crop: SideOrSize | None = None
    mean: float | Sequence[float] = UNSAID
    std: float | Sequence[float] = UNSAID
    grey: bool = False

    def __post_init__(self) -> None:
        means = np.size(self.mean), np.size(self.std)
        if self.grey and means == (1, 1):  # one number in a list is what makes a photo grey
            object.__setattr__(self, "mean", tuple(np.ravel(self.mean).tolist()))
        if all(means):
            super().__post_init__()
        elif any(means):
            raise BadParameter(f"mean={self.mean}, std={self.std}: give both, on the scale from 0 to 1.")

    @property
    def scaled(self) -> bool:
        """Were mean and std said?"""
        return bool(np.size(self.mean))

    def said(self, settings: Mapping[str, Any]) -> "Unscaled":
        """The same with some of its settings replaced; BadParameter where it has no such setting."""
        if unknown := {*settings} - {*Fit.__dataclass_fields__}:
            names = ", ".join(Fit.__dataclass_fields__)
            raise BadParameter(f"`prepare` has no {', '.join(sorted(map(str, unknown)))}. It takes: {names}.")
        return replace(self, **{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()})

    def __call__(self, photo: Image.Image) -> NDArray[np.float32]:
        if not self.scaled:
            raise BadParameter(
                "This model takes numbers whose scale it does not tell. Give the mean and std of its training, on the scale "
                "from 0 to 1, prepare={'mean': 0.5, 'std': 0.5} (--prepare mean=0.5 --prepare std=0.5): these make -1 to 1, "
                "mean 0 and std 1 make 0 to 1, mean 0 and std 0.00392156862745098 make 0 to 255."
            )
        return super().__call__(photo)


def of_any_scale(prepare: Any) -> Any:
    """Preprocessing that gives images of the right size, where their numbers do not matter."""
    return prepare.said({"mean": 0.5, "std": 0.5}) if isinstance(prepare, Unscaled) and not prepare.scaled else prepare
