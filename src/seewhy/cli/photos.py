"""The photos of one run of `seewhy explain`: the files that are written of each, and what is said of it.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from .effects import Explained
from .failures import Failures
from .filenames import of_model, stem
from .folder import OutFolder
from .pipeline import Stages, run_through
from .question import PhotoMaps, Question, explain_photo
from .sheet import SheetRows
from .writing import NUMBERS, Outputs, PhotoResult, print_json, print_text

if TYPE_CHECKING:
    from concurrent.futures import Future
    from threading import Event

    from seewhy.errors import SeewhyError
    from seewhy.maps.heatmaps import Refused


class Job(NamedTuple):
    """What is done with each photo."""

    question: Question
    outputs: Outputs
    as_json: bool
    folder: OutFolder
    sheet: SheetRows | None
    explained: Explained
    of: str = ""  # of several models, which this is, for the names of its files


class Written(NamedTuple):
    """What came of a photo, the error that ended it early, and what of the question was refused."""

    result: PhotoResult
    failure: "SeewhyError | None"
    refused: "tuple[Refused, ...]"


def explain_all(job: Job, files: list[str], failures: Failures, stop: "Event") -> dict[str, str]:
    """Explain photo by photo, and say of each what came of it; the layers that seewhy chose, each with the reason."""
    layers: dict[str, str] = {}
    stages = Stages(
        job.question.model,
        job.question.tile,
        lambda file, photo: explain_photo(job.question, file, photo),
        lambda found: found.image,
        lambda file, found: write_photo(job, file, found),
        lambda file, outcome: tell_photo(job, file, outcome, failures, layers),
    )
    run_through(stages, files, failures, stop)
    return layers


def write_photo(job: Job, file: str, found: PhotoMaps) -> Written:
    """Draw the maps of one photo and write their files."""
    from seewhy.errors import NotWritten

    written, failure, truth = list[Any](), found.failure, job.question.truth
    for heatmap, check in zip(found.maps, found.checks or [None] * len(found.maps), strict=True):
        source, writers = heatmap.source, job.outputs.writers(heatmap, [check] if check else [])
        name = of_model(stem(source), job.of) if job.of else stem(source)
        try:
            paths = job.folder.put(name, source, writers)
        except NotWritten as error:
            if not written:
                raise
            failure = failure or error  # what was written before is said
            break
        written.append((heatmap, [path for ending, path in paths.items() if ending != NUMBERS]))
    evidence = truth.evidence_of(file, [heatmap for heatmap, _ in written])
    result = PhotoResult(found.name, found.predicted, written, found.chosen_layers, found.known, evidence, found.checks)
    result = result._replace(row=job.sheet.row_of(result, truth, job.of)) if job.sheet else result
    return Written(result, failure, found.refused)


def tell_photo(job: Job, file: str, outcome: "Future[Written]", failures: Failures, layers: dict[str, str]) -> None:
    """Say what came of one photo, once its files are written."""
    result, failure, refused = None, None, ()
    with failures.of(file):
        result, failure, refused = outcome.result()
    if result is not None:  # what goes wrong with saying it is not the photo's fault
        layers.update(result.chosen_layers)
        if job.sheet and result.row is not None:
            job.sheet.add(file, result.row)
        job.explained.add(heatmap for heatmap, _ in result.written)
        failures.well()
        failures.refuse(refused)
        job.question.truth.count(file, result.known, [heatmap for heatmap, _ in result.written], result.evidence)
        (print_json if job.as_json else print_text)(result)
    if failure is not None:
        with failures.of(file):
            raise failure
