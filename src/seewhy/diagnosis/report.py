"""What the doctor reports: verdicts on methods, hazards, and what to run next."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from seewhy.json_text import as_json
from seewhy.maps.source import Predicted
from seewhy.methods.making.method import METHODS
from seewhy.models.hazard import ERROR, Hazard
from seewhy.models.model import Layer


class Verdict(NamedTuple):
    """What one method can do here."""

    method: str
    works: bool
    why: str  # it does not
    forwards: int | None  # of the image and its variants, for one map, as budget= counts them; None where it is not known
    cost: str  # in words


@dataclass(frozen=True)
class Report:
    """What the doctor found."""

    model: str
    weights: str | None
    image: str
    predicted: Predicted | None
    layers: Mapping[str, Layer]
    hazards: tuple[Hazard, ...]
    methods: tuple[Verdict, ...]
    layer: str | None = None  # to be explained, and why that one
    why: str = ""
    method: str | None = None  # to begin with, and why that one
    reason: str = ""
    command: str = ""  # what to run next
    space: tuple[int, ...] = field(default=())  # of what the network is given, in pixels

    @property
    def hopeless(self) -> bool:
        """Is no explanation possible?"""
        return any(hazard.severity == ERROR for hazard in self.hazards)

    @property
    def at(self) -> str | None:
        """The layer that the method to begin with explains; None where it takes none."""
        return self.layer if self.method and METHODS[self.method].layered else None

    def as_json(self) -> str:
        """One JSON object; a receptive field that is the whole image is null."""
        facts = {**asdict(self), "hopeless": self.hopeless}
        facts["layers"] = {
            name: {**layer._asdict(), "cells": layer.cells and layer.cells._asdict()} for name, layer in self.layers.items()
        }
        for key in ("hazards", "methods"):
            facts[key] = [entry._asdict() for entry in getattr(self, key)]
        return as_json(facts)
