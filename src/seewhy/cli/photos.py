"""The photos of one run of `seewhy explain`, one after the other: read, explained, drawn and written, told.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from .failures import Failures
from .filenames import stem
from .folder import OutFolder, print_of
from .writing import NUMBERS, Outputs, PhotoResult, print_json, print_text

if TYPE_CHECKING:
    from threading import Event

    from seewhy.errors import SeewhyError


class Job(NamedTuple):
    """What is done with each photo."""

    model: Any
    methods: list[Any]
    targets: list[Any]
    layers: list[str] | None
    tile: int | None
    overlap: int | None
    outputs: Outputs
    as_json: bool
    folder: OutFolder


def explain_all(job: Job, files: list[str], failures: Failures, stop: "Event") -> dict[str, str]:
    """Explain photo by photo, and say of each what came of it; the layers that seewhy chose, each with the reason."""
    from seewhy.progress import shown

    layers: dict[str, str] = {}
    few = len(files) < 4  # of few, each has its own bar
    for file in files if few else shown(files, len(files), "explaining", wait=False):
        result, failure = None, None
        with failures.of(file):
            result, failure = explain_file(job, file)
        if result is not None:  # what goes wrong with saying it is not the photo's fault
            layers.update(result.chosen_layers)
            failures.well()
            (print_json if job.as_json else print_text)(result)
        if failure is not None:
            with failures.of(file):
                raise failure
        if stop.is_set() or failures.ended:
            break
    return layers


def explain_file(job: Job, file: str) -> "tuple[PhotoResult, SeewhyError | None]":
    """Explain one photo and write its files; with them the error that ended it early, where a part was done before."""
    from seewhy.api import explain
    from seewhy.errors import NotWritten, SeewhyError
    from seewhy.images.photo import Underlay
    from seewhy.prepare.batch import opened

    model = job.model
    by_windows = job.tile is not None and file.lower().endswith((".tif", ".tiff"))
    photo = Underlay(file, file) if by_windows else next(opened([file], model.prepare, model.name))
    image = photo.pixels if isinstance(photo, Underlay) else photo
    failure = None
    try:
        maps = explain(model, image, job.methods, job.targets, job.layers, job.tile, job.overlap)
    except SeewhyError as error:
        if not error.partial:
            raise
        maps, failure = error.partial, error
    content, written = print_of(file), []
    for heatmap in maps:
        source, writers = heatmap.source, job.outputs.writers(heatmap)
        try:
            paths = job.folder.put(stem(source), source, content, writers)
        except NotWritten as error:
            if not written:
                raise
            failure = failure or error  # what was written before is said
            break
        written.append((heatmap, [path for ending, path in paths.items() if ending != NUMBERS]))
    layers = {heatmap.source.layer: heatmap.source.layer_why for heatmap in maps if heatmap.source.layer_why}
    return PhotoResult(photo.name, maps[0].source.predicted or predict(model, image), written, layers), failure


def predict(model: Any, photo: Any) -> Any:
    from seewhy.errors import InSpace
    from seewhy.maps.source import Predicted

    (batch,) = model.batches(photo)
    try:
        probabilities = model.answer(batch.x).probabilities
    except InSpace:
        return None
    return None if probabilities is None else Predicted.of(probabilities[0], model.labels)  # None of a regression, or units
