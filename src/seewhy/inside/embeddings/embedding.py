"""The features of a set of photos, and what can be asked of them: a map, neighbours, files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, BadRecord, whole_number
from seewhy.inside.photo_batches import photo_set
from seewhy.maps.source import ModelFacts, layer_words, made_from, stored
from seewhy.methods.making.method import lookup
from seewhy.models.model import Differentiable
from seewhy.printable import printable, quoted

from .layout import advice_on, laid_out
from .neighbours import Neighbours, neighbours_at
from .passes import FeatureReading, photo_vectors
from .photo_table import EmbeddedPhotos, LeftOutPhoto
from .projection import Projection
from .storage import EmbeddingFile, read_embedding_file
from .vectors import check_metric, nearest, nearest_others

MEASURE = "measure_"  # before the names of columns that hold further numbers
COLUMNS = {"number": "numbers", "predicted": "predicted", "score": "scores", "probability": "probabilities",
           "true_probability": "true_probabilities"}  # fmt: skip
KINDS: dict[str, Any] = {"numbers": np.int64, "predicted": np.int32}  # of columns; the others have float32


@dataclass(frozen=True)
class EmbeddingFacts:
    """What an embedding was made of.

    model: as a Source has it; labels: of its classes; layer: where the features were read.
    pooling: "mean", "max" or "flat"; method, params: of the map that weighed the mean, "" where none did.
    prepare: every number of the preprocessing; data: the photos, in words; count: how many were given, None where that is not
        known.
    """

    model: ModelFacts
    layer: str
    pooling: str = "mean"
    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    prepare: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    count: int | None = None

    @property
    def words(self) -> str:
        """Which features these are: "what timm/resnet18 looked at (grad-cam) at layer4"."""
        model, layer = printable(self.model.name, 200), layer_words(printable(self.layer, 200))
        if self.method:
            return f"what {model} looked at ({self.method}) at {layer}"
        how = {"mean": "", "max": ", largest values", "flat": ", all values"}[self.pooling]
        return f"features of {model} at {layer}{how}"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "EmbeddingFacts":
        """What a file has of it.  Raises ValueError."""
        known = {name: value for name, value in stored(content).items() if name in cls.__dataclass_fields__}
        return made_from(cls, {**known, "model": made_from(ModelFacts, known.get("model"))})


@dataclass(frozen=True, eq=False, repr=False)
class Embedding:
    """What a network saw in each photo of a set, as a vector, and what is known of the photos.

    features: (n, d) float32; photos: what is known of each; facts: what they were made of.
    left_out: photos without features, each with the reason; remarks: such as that the work was stopped.
    """

    features: NDArray[np.float32]
    photos: EmbeddedPhotos
    facts: EmbeddingFacts
    left_out: tuple[LeftOutPhoto, ...] = ()
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = np.shape(self.features)
        if len(shape) != 2 or shape[0] != len(self.photos) or not shape[1]:
            raise BadParameter(f"Features are (photos, numbers), and these are {shape} of {len(self.photos)} photos.")

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        return f"<Embedding {len(self)} photos, {self.features.shape[1]} numbers each: {self.facts.words}>"

    @property
    def advice(self) -> tuple[str, ...]:
        """What a person should know of the features: copies, constants, vectors of nothing."""
        return advice_on(self.features)

    def project(
        self, how: str = "t-sne", seed: int = 0, perplexity: float | None = None, metric: str = "cosine",
        neighbours: int | None = None,
    ) -> Projection:  # fmt: skip
        """The photos in the plane, so that those in which the network saw alike lie next to each other.

        how: "t-sne" (scikit-learn), "opentsne" or "umap" where these are installed, or "pca".
        seed: the same gives the same map.  perplexity: of t-SNE, about how many neighbours count; by default 30, of few photos
        a third of them.  metric: "cosine", by the angle between vectors, or "euclidean".  neighbours: of UMAP, by default 15.
        Raises BadParameter for settings that do not fit, NotApplicable where all features are the same, MissingExtra.
        Source: van der Maaten & Hinton 2008, Visualizing data using t-SNE; McInnes et al. 2018, UMAP.
        """
        layout = laid_out(self.features, how, seed, perplexity, metric, neighbours)
        return Projection(layout, self.photos, self.facts.words, self.advice)

    def neighbours(
        self, photo: Any, count: int = 10, metric: str = "cosine", model: Differentiable | None = None
    ) -> Neighbours:  # fmt: skip
        """The photos whose features lie nearest to those of one: all are compared.

        photo: one of the embedding, by its number or its path (or the end of that), which is then none of its own neighbours;
            or any other image, which `model`, the network that made the embedding, is asked about.
        count: how many; metric: "cosine" (1 less the cosine of the angle) or "euclidean".
        Raises BadParameter where the photo is not known and no model was given, or another one; BadImage where it cannot be
        read.
        """
        count, metric = whole_number(count, "count", 1), check_metric(metric)
        place = self.photos.place(photo)
        if place is not None:
            found = nearest(self.features, self.features[place][None], count + 1, metric)
            others = found.places[0] != place
            others[count:] &= not others.all()  # of many copies of the photo, itself may not be among those that were found
            some = type(found)(found.places[:, others][:, :count], found.distances[:, others][:, :count])
            return Neighbours(self.photos.paths[place], metric, self.facts.words, neighbours_at(self.photos, some))
        vector = self._vector(photo, model)
        some = nearest(self.features, vector[None], count, metric)
        named = isinstance(photo, str | Path)
        name = str(photo) if named else "the image"
        return Neighbours(name, metric, self.facts.words, neighbours_at(self.photos, some), None if named else photo)

    def all_neighbours(self, count: int = 10, metric: str = "cosine") -> NDArray[np.intp]:
        """The places of the nearest other photos of each, the nearest first: (n, count), fewer where there are fewer."""
        return nearest_others(self.features, whole_number(count, "count", 1), check_metric(metric)).places

    def _vector(self, photo: Any, model: Differentiable | None) -> NDArray[np.float32]:
        """The features of a photo that is none of the embedding's."""
        facts = self.facts
        if model is None:
            what = quoted(str(photo)) if isinstance(photo, str | Path) else "This image"
            raise BadParameter(
                f"{what} is none of the {len(self)} photos: of another, give model=, the network that made the embedding.",
                typed=f"{what} is none of the {len(self)} photos: of another, give --model.",
            )
        if facts.model.weights_sha256 and model.weights_sha256() != facts.model.weights_sha256:
            raise BadParameter(f"{model.name} has other weights than those by which {facts.model.name} made the embedding.")
        method = lookup(facts.method, facts.params) if facts.method else None
        reading = FeatureReading(facts.layer, facts.pooling, method)
        given = [photo] if isinstance(photo, str | Path) else photo
        found = next(photo_vectors(model, photo_set(model, given), reading))
        if found.vector is None:
            raise BadParameter(f"{printable(found.name, 200)} has no features: {found.why}.")
        if len(found.vector) != self.features.shape[1]:
            raise BadParameter(
                f"{printable(found.name, 200)} has {len(found.vector)} features, and the embedding {self.features.shape[1]}: "
                "it is of another size, or the model has another preprocessing."
            )
        return found.vector

    def save(self, path: str | Path, projection: Projection | None = None) -> Path:
        """Write it as .parquet (pandas, DuckDB and others read it; docs/embed.md has its columns) or .npz; neither holds code.

        projection: its places, as columns x and y.  Raises BadParameter for another suffix, NotWritten, MissingExtra.
        """
        photos = self.photos
        columns = {name: getattr(photos, own) for name, own in COLUMNS.items()}
        columns |= {f"{MEASURE}{name}": values for name, values in photos.measures.items()}
        if projection is not None:
            if len(projection.layout.points) != len(self):
                raise BadParameter("The projection is of another embedding: it has other photos.")
            columns |= {name: projection.layout.points[:, axis] for axis, name in enumerate("xy")}
        lists: dict[str, Any] = {
            "path": [*photos.paths], "truth": [[*each] for each in photos.truth],
            "truth_name": [photos.truth_name(place) for place in range(len(self))],
            "predicted_name": [photos.name(index) for index in photos.predicted.tolist()],
        }  # fmt: skip
        facts = {**asdict(self.facts), "left_out": [[*each] for each in self.left_out], "remarks": [*self.remarks]}
        EmbeddingFile(self.features, columns, lists, facts).write(Path(path))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> "Embedding":
        """What `save` wrote.  Raises BadParameter where there is no such file, BadRecord where it is damaged."""
        found = read_embedding_file(Path(path))
        try:
            facts = EmbeddingFacts.from_json(found.facts)
            photos = EmbeddedPhotos(
                **{own: np.asarray(found.columns[name], KINDS.get(own, np.float32)) for name, own in COLUMNS.items()},
                paths=tuple(map(str, found.lists["path"])),
                truth=tuple(tuple(map(int, each or ())) for each in found.lists["truth"]),
                labels=facts.labels,
                measures={name.removeprefix(MEASURE): np.asarray(values, np.float32)
                          for name, values in found.columns.items() if name.startswith(MEASURE)},
            )  # fmt: skip
            left = tuple(LeftOutPhoto(int(number), str(name), str(why)) for number, name, why in found.facts["left_out"])
            return cls(found.features, photos, facts, left, tuple(map(str, found.facts["remarks"])))
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(f"{printable(path)} is no embedding that seewhy wrote, or is damaged: {error}.") from None
