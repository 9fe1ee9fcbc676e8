"""What TCAV found: a record of each concept at each layer, and of the whole."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.json_text import as_json
from seewhy.maps.heatmaps import Failed
from seewhy.maps.saving import sheet_png
from seewhy.maps.source import ModelFacts
from seewhy.printable import in_percent, printable

from .concept_vector import ConceptVector
from .tcav_picture import ConceptBar, MeasureBar, tcav_picture

LEVEL = 0.05  # of adjusted p values, below which a concept is told from a random one


@dataclass(frozen=True)
class ConceptScore:
    """How a score changes along the vector of a concept at a layer.

    examples: how many were used, and held against as many random ones in each run.
    accuracy: the share of examples, of the concept and others, that classifiers told right without having seen them; chance is
        0.5.  accuracy_interval: Wilson's, 95 %, over the distinct examples.
    score: the TCAV score, the share of photos whose score rises along the vector, its mean over runs; score_range: the least
        and the greatest of a run; random_scores: between these 95 % of the scores of random concepts lie.
    magnitude: which share of the sizes of all slopes those have that rise, the mean over runs.
    alignment: the mean cosine between the vector and the photos' gradients, over runs and photos, which the test is of;
        random_alignments: between these 95 % of the alignments of random concepts lie.
    effect: how far the alignment lies from that of random concepts, in their standard deviations.
    p: how often a random concept is aligned as far to that side, of both sides; p_adjusted: for all concepts and layers (Holm).
    """

    concept: str
    layer: str
    examples: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    score: float
    score_range: tuple[float, float]
    random_scores: tuple[float, float]
    magnitude: float
    alignment: float
    random_alignments: tuple[float, float]
    effect: float
    p: float
    p_adjusted: float
    warnings: tuple[str, ...] = ()

    @property
    def significant(self) -> bool:
        """Is it told from a concept of random examples?"""
        return self.p_adjusted <= LEVEL

    @property
    def verdict(self) -> str:
        """ "raises", "lowers", or "" where it is not told from a random concept."""
        return ("raises" if self.effect > 0 else "lowers") if self.significant else ""

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        return {**asdict(self), "significant": self.significant, "verdict": self.verdict}


@dataclass(frozen=True, eq=False)
class Tcav:
    """What TCAV says of concepts at layers, for the scores of one target over photos.

    scores: of each concept at each layer, in the order in which they were given; vectors: of the same, by (concept, layer).
    target: in words; explains: which score, as logits; photos: how many; random: how many random examples there were.
    settings: runs, random_concepts, ridge, flatten and seed.  failed: files that could not be read, of photos and of examples.
    notes: what is to be known of the whole.  interrupted: a person asked for the end before all photos or layers were done.
    """

    model: ModelFacts
    target: str
    explains: str
    scores: tuple[ConceptScore, ...]
    photos: int
    random: int
    settings: Mapping[str, Any]
    vectors: Mapping[tuple[str, str], ConceptVector] = field(repr=False)
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    def of(self, concept: str, layer: str | None = None) -> ConceptScore:
        """The record of a concept, at a layer where there are several.  Raises NoSuchName for what is not there."""
        found = [each for each in self.scores if each.concept == concept and layer in (None, each.layer)]
        if not found:
            there = [f"{each.concept} at {each.layer}" for each in self.scores]
            what = concept if layer is None else f"{concept} at {layer}"
            raise NoSuchName("concept", what, closest(what, there), f"There are: {', '.join(there)}.")
        if len(found) > 1:
            layers = ", ".join(each.layer for each in found)
            raise BadParameter(f"{printable(concept)} was looked for at several layers: name one of {layers}.")
        return found[0]

    @property
    def facts(self) -> dict[str, Any]:
        """All of it but the vectors, by name, for JSON."""
        model = {name: getattr(self.model, name) for name in ("name", "weights", "weights_sha256", "versions", "conditions")}
        said = {name: getattr(self, name) for name in ("target", "explains", "photos", "random", "settings")}
        rest = {"failed": [left.facts for left in self.failed], "notes": self.notes, "interrupted": self.interrupted}
        return {"model": model, **said, "concepts": [each.facts for each in self.scores], **rest}

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def table(self) -> Iterator[tuple[str, ...]]:
        """A head, then a row in words for each concept at each layer."""
        yield "concept", "layer", "accuracy", "score", "random concepts", "magnitude", "alignment", "effect", "adjusted p", ""
        for each in self.scores:
            low, high = each.random_scores
            yield (
                printable(each.concept, 40),
                each.layer,
                in_percent(each.accuracy),
                f"{each.score:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{each.magnitude:.2f}",
                f"{each.alignment:+.2f}",
                f"{each.effect:+.1f} sd",
                f"{each.p_adjusted:.3g}",
                each.verdict,
            )

    def __str__(self) -> str:
        rows = [*self.table()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)

    def picture(self) -> Image.Image:
        """The TCAV scores, a row for each concept at each layer, over the scores that random concepts have: RGB."""
        bars = [
            ConceptBar(
                e.concept,
                e.layer,
                MeasureBar(e.score, e.random_scores, e.score_range),
                MeasureBar(e.alignment, e.random_alignments),
                e.p_adjusted,
                e.verdict,
            )
            for e in self.scores
        ]
        heading = f"How concepts move the score for {printable(self.target, 80)} in {self.photos} photos"
        return tcav_picture(bars, heading, f"{self.model.name}, {self.explains}; {self._how}")

    @property
    def _how(self) -> str:
        count, runs = self.settings["random_concepts"], self.settings["runs"]
        return f"{runs} runs, {count} random concepts, p adjusted for {len(self.scores)} tests (Holm)"

    def save(self, path: str | Path) -> Path:
        """Write the picture (.png), the facts (.json), or the vectors as arrays (.npz): "concept at layer" -> weights, and
        "bias of concept at layer".  Raises BadParameter for another ending, NotWritten where that fails.
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in (".png", ".json", ".npz"):
            raise BadParameter(f"{path}: it is saved as .png, .json or .npz.")
        with replacing(path) as beside:
            if ending == ".png":
                beside.write_bytes(sheet_png(self.picture()))
            elif ending == ".json":
                beside.write_text(self.to_json() + "\n", "utf-8")
            else:
                named = {_member(f"{concept} at {layer}"): vector for (concept, layer), vector in self.vectors.items()}
                biases = {f"bias of {name}": np.array(vector.bias) for name, vector in named.items()}
                with beside.open("wb") as stream:
                    np.savez(stream, **{name: vector.weights for name, vector in named.items()}, **biases)  # type: ignore[arg-type]
        return path


def _member(name: str) -> str:
    """A name that an archive can have: bytes of it that are no UTF-8, as Python keeps them, are written by their numbers."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
