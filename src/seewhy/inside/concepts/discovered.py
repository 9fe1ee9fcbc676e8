"""The concepts that were found at a layer: what they are, where they lie, and what rests on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.models.model import Differentiable

from .concept_file import load_findings, save_concepts
from .concept_maps import concept_maps, stored_map
from .concept_picture import concept_picture
from .findings import ConceptFindings


@dataclass(frozen=True, eq=False)
class Concepts(ConceptFindings):
    """The concepts of a layer, the most important first: their `bank`, `photos`, `typical` crops, `importances`, `error`."""

    def heatmap(self, photo: int, concept: int) -> Heatmap:
        """The map of a concept on one of `photos`, over the part of it that the network saw; concepts count from 1.

        On the whole photo it lies by `transform`.  Raises NoSuchName where there is no such concept.
        """
        return stored_map(self, photo, self.place(concept))

    def transform(self, model: Differentiable, photos: Any) -> Heatmaps:
        """The maps of all concepts on photos, new ones or those they were found in: for each photo one for each concept.

        model: the one that they were found in; photos: as `concepts` takes them.
        Raises BadParameter where the model or its weights are other ones.
        """
        return concept_maps(self, model, photos)

    def picture(self, crops: int = 6) -> Image.Image:
        """A row for each concept: its importance, and its most typical crops: RGB."""
        return concept_picture(self, crops)

    def save(self, path: str | Path) -> Path:
        """Write all of it as .npz, which `Concepts.load` reads, or the picture as .png.  Raises BadParameter, NotWritten."""
        save_concepts(self, Path(path), self.picture)
        return Path(path)

    @staticmethod
    def load(path: str | Path) -> "Concepts":
        """What `save` wrote as .npz.  Nothing in the file can run.  Raises BadParameter where it is no such file."""
        return Concepts(**load_findings(Path(path)))
