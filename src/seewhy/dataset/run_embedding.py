"""A set of photos, or a run that is stored, as an embedding."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.images.inputs import Images
from seewhy.inside.embeddings.embedding import Embedding, EmbeddingFacts
from seewhy.inside.embeddings.gathering import embedded
from seewhy.inside.embeddings.photo_table import NONE, EmbeddedPhotos, LeftOutPhoto, PhotoRecord
from seewhy.maps.source import ModelFacts
from seewhy.methods.making.method import Method
from seewhy.models.model import Differentiable
from seewhy.photo_sets.items import Listing
from seewhy.printable import printable, quoted
from seewhy.progress import shown

from .dataset_run import DatasetRun
from .photo_rows import PhotoRow
from .restoring import source_of_row

MEASURES = ("on_object", "border", "concentration", "object_area")  # of the evidence, by which a map can be coloured
WITHOUT = "the run has no features of it: the layer that was explained has none"


@known_names()
def embed(
    model: Differentiable | DatasetRun, photos: Images | Listing | None = None, layer: str | None = None,
    weighted_by: str | Method[Any] | None = None, pooling: str = "mean", truth: str | Path | None = None,
    root: str | Path | None = None,
) -> Embedding:  # fmt: skip
    """What a network saw in each photo, as a vector: to be laid out as a map, and to find neighbours in.

    Photos are read and passed on in batches, so that of each only its vector stays in memory.  A broken file ends nothing: it
    is among `left_out`.  Ctrl-C ends with what is done, and a remark says so.

    model: a network whose layers can be read; or a run that is stored (`open_run`), whose features are taken as they are, in
        the precision of float16: nothing runs.
    photos: images as a method takes them; or a set: a folder, also of class folders, a table of paths and labels, a ZIP
        archive, a pattern, an address, as for `explain_dataset`.  None for a run.
    layer: where the features are read, by default the last that still has space; also one without, such as a linear layer, or
        what a transformer makes of its class token.
    weighted_by: a method, such as "grad-cam", by whose map of the photo's prediction each place of the layer is weighed: what
        the network looked at; of a run one of its methods.
    pooling: "mean" over space, "max" of each channel, or "flat", all that the layer emits.
    truth: what the photos show, where the set does not say it: a table, or "folders".  root: where the paths in a table begin.
    Returns features (n, d), float32, with what is known of each photo: path, truth, prediction, score, probability.
    Raises NeedsGradients for a model of scores alone, NoSuchName for an unknown layer, BadParameter, BadImage where no photo
    can be read, NotApplicable where a method cannot be asked of the model.
    """
    if isinstance(model, DatasetRun):
        if photos is not None or truth is not None or root is not None:
            raise BadParameter("A run has photos and truth of its own: embed(run) takes no others.")
        return of_run(model, layer, weighted_by, pooling)
    if photos is None:
        raise BadParameter("embed(model, photos): say which photos. Of a run that is stored: embed(seewhy.open_run(folder)).")
    return embedded(model, photos, layer, weighted_by, pooling, truth, root)


def of_run(run: DatasetRun, layer: str | None = None, weighted_by: Any = None, pooling: str = "mean") -> Embedding:
    """The embedding that a stored run holds.  Raises BadParameter for what it does not hold."""
    method, info = _method_of(run, weighted_by), run.info
    if pooling != "mean":
        raise BadParameter(
            f"pooling={quoted(pooling)}: a run holds means over space. Embed its photos: embed(model, photos, ...)."
        )
    at = layer_of(run)
    if layer not in (None, at):
        raise BadParameter(
            f"layer={quoted(layer)}: the run has features of {printable(at, 200)}. At another layer, the network has to see "
            "the photos again: embed(model, photos, layer=...)."
        )
    vectors, known, left = list[np.ndarray](), list[PhotoRecord](), list[LeftOutPhoto]()
    for photo in shown(run.photos(), len(run), "reading the run"):
        vector = photo.embedding if method is None else _seen(photo, method)
        if vector is None or (vectors and len(vector) != len(vectors[0])) or not np.isfinite(vector).all():
            left.append(LeftOutPhoto(photo.item, photo.path, printable(photo.error or WITHOUT, 500)))
        else:
            vectors.append(vector)
            known.append(_known(photo, method))
    if not vectors:
        raise BadParameter(f"{printable(run.folder)} has no features of any photo{f'. The first: {left[0]}' if left else ''}.")
    facts = EmbeddingFacts(
        ModelFacts(info.model, info.weights, info.versions, info.recipe, info.weights_sha256, info.conditions), at, "mean",
        method or "", next((each["params"] for each in info.methods if each["name"] == method), {}), info.labels, info.prepare,
        info.data, info.count,
    )  # fmt: skip
    remarks = [*info.remarks]
    if run.missing:
        remarks.append(f"the run has {len(run):,} of {info.count:,} photos so far")
    return Embedding(np.stack(vectors), EmbeddedPhotos.of(known, info.labels), facts, tuple(left), tuple(remarks))


def layer_of(run: DatasetRun) -> str:
    """The layer that the features of a run are of: the one it explained, as the first of its maps says."""
    from pyarrow import compute  # here, for it comes with an extra

    if run.info.layer is not None:
        return run.info.layer
    rows = run.table(["source", "made_by"], where=compute.field("source").is_valid()).slice(0, 1).to_pylist()
    return source_of_row(rows[0]).layer if rows else "its default layer"


def _method_of(run: DatasetRun, weighted_by: Any) -> str | None:
    """The name of the method whose maps weigh; None of plain means."""
    if weighted_by is None:
        return None
    name = str(weighted_by.name if isinstance(weighted_by, Method) else weighted_by).replace("_", "-")
    names = [*run.info.method_names]
    if name not in names:
        raise NoSuchName("method of the run", name, closest(name, names), f"It has maps by {', '.join(names)}.")
    return name


def _seen(photo: PhotoRow, method: str) -> NDArray[np.float32] | None:
    """What the network looked at for its answer, by that method."""
    return next((one.seen for one in photo.maps if one.target == "top" and one.method == method), None)


def _known(photo: PhotoRow, method: str | None) -> PhotoRecord:
    said, shown_map = photo.predicted, photo.map(method=method)
    evidence = {} if shown_map is None else shown_map.evidence
    measures = {name: value for name in MEASURES if (value := evidence.get(name)) is not None}
    if said is None:
        return PhotoRecord(photo.item, photo.path, photo.truth, measures=measures)
    score = shown_map.score if shown_map is not None and shown_map.index == said.index else None
    true = photo.true_probability
    return PhotoRecord(
        photo.item, photo.path, photo.truth, NONE if said.index is None else said.index,
        float("nan") if score is None else score, said.probability, float("nan") if true is None else true, measures,
    )  # fmt: skip
