"""The photos of one run of `seewhy explain`: each is read, explained, written and told, in the order in which they were named.

While the network works on a photo, the next is decoded in a second thread, and the maps of the one before are drawn and
written in a third.  These two touch nothing but the photo and the files: networks run, and lines are printed, in the main
thread alone.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .effects import Explained
from .failures import Failures
from .filenames import of_model, stem
from .folder import OutFolder
from .sheet import SheetRows
from .truth import KnownPhoto, TruthAsked
from .writing import NUMBERS, Outputs, PhotoResult, print_json, print_text

if TYPE_CHECKING:
    from concurrent.futures import Future
    from threading import Event

    from seewhy.errors import SeewhyError
    from seewhy.maps.heatmap import Heatmap

WAITING = 2  # photos whose maps may wait to be written
SMALL = 2**26  # bytes of pixels: larger images are written before the next is read, so that few are in memory at once
TIFF = (".tif", ".tiff")  # read and written in the main thread, for their readers change warnings and stderr of all threads


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
    truth: TruthAsked
    sheet: SheetRows | None
    explained: Explained
    of: str = ""  # of several models, which this is, for the names of its files


class PhotoMaps(NamedTuple):
    """What was found out of one photo, before anything is written."""

    name: str
    predicted: Any
    maps: "list[Heatmap]"
    failure: "SeewhyError | None"  # the error that ended it early, where a part was done before
    known: KnownPhoto


Submit = Callable[..., "Future[Any]"]  # has a function called with arguments, here or in a thread
Written = tuple[PhotoResult, "SeewhyError | None"]  # what came of a photo, and the error that ended it early


def explain_all(job: Job, files: list[str], failures: Failures, stop: "Event") -> dict[str, str]:
    """Explain photo by photo, and say of each what came of it; the layers that seewhy chose, each with the reason."""
    from concurrent.futures import ThreadPoolExecutor

    from seewhy.progress import shown

    layers: dict[str, str] = {}
    waiting: deque[tuple[str, Future[Written]]] = deque()  # photos that are not told yet, in their order

    def tell_written(most: int) -> None:
        """Tell of photos whose files are written, until one is not; wait for that while more than `most` are not told."""
        while waiting and not failures.ended and (len(waiting) > most or waiting[0][1].done()):
            tell_photo(job, *waiting.popleft(), failures, layers)

    reader, writer = ThreadPoolExecutor(1, "seewhy reads"), ThreadPoolExecutor(1, "seewhy writes")  # idle, they have no thread
    photos = _photos(job, files, lambda: reader.submit if _beside(failures) else None)
    few = len(files) < 4  # of few, each has its own bar
    try:
        for file, photo in photos if few else shown(photos, len(files), "explaining", wait=False):
            waiting.append((file, _explained(job, file, photo, writer.submit if _beside(failures) else at_once)))
            tell_written(WAITING if _beside(failures) else 0)
            if stop.is_set() or failures.ended:
                break
        tell_written(0)
    finally:
        reader.shutdown(cancel_futures=True)
        writer.shutdown(cancel_futures=True)
    return layers


def _beside(failures: Failures) -> bool:
    """May other photos be read and written while one is explained?  Not before one went well: so long, errors may be the
    command's, which then ends there.
    """
    return failures.done > 0 and not click.get_current_context().find_root().params.get("debug")


def at_once(work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
    """What came of the work, done here and now."""
    from concurrent.futures import Future

    outcome: Future[Any] = Future()
    try:
        outcome.set_result(work(*arguments))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised again by `result`
        outcome.set_exception(error)
    return outcome


def _photos(
    job: Job, files: list[str], beside: "Callable[[], Submit | None]"
) -> "Iterator[tuple[str, Future[Any]]]":  # fmt: skip
    """Each file with its photo.  beside: where it gives a thread's `submit`, that thread decodes the photo that follows."""
    following = None
    for file, next_file in zip(files, [*files[1:], None], strict=True):
        photo = following or at_once(read_photo, job, file)
        submit, following = beside(), None
        if next_file is not None and submit is not None and (photo.exception() is not None or _small(photo.result())):
            following = _decoded_ahead(job, next_file, submit)
        yield file, photo


def _decoded_ahead(job: Job, file: str, submit: "Submit") -> "Future[Any] | None":
    """A photo that a thread decodes, its file opened here; None of what has to be read in the main thread, in its turn."""
    from seewhy.prepare.batch import opened_photo

    if file.lower().endswith(TIFF):
        return None
    opened = at_once(opened_photo, file, job.model.prepare, job.model.name)
    if opened.exception() is not None:
        return opened
    decode = opened.result()
    return None if decode is None else submit(decode)


def _explained(job: Job, file: str, photo: "Future[Any]", write: "Submit") -> "Future[Written]":
    """Explain one photo, and have its files written."""
    found = at_once(lambda: explain_photo(job, file, photo.result()))
    if found.exception() is not None:
        return found
    maps = found.result()
    light = _small(maps.maps[0].image) and not file.lower().endswith(TIFF)
    return (write if light else at_once)(write_photo, job, file, maps)


def _small(photo: Any) -> bool:
    """Is it a photo, and one of which several may be in memory at once?"""
    from PIL import Image

    pixels = getattr(photo, "pixels", photo)
    return isinstance(pixels, Image.Image) and 3 * pixels.width * pixels.height <= SMALL


def read_photo(job: Job, file: str) -> Any:
    """The photo, volume or clip in a file; of a large scene that is explained by tiles, its name alone."""
    from seewhy.images.photo import Underlay
    from seewhy.prepare.batch import opened

    by_windows = job.tile is not None and file.lower().endswith(TIFF)
    return Underlay(file, file) if by_windows else next(opened([file], job.model.prepare, job.model.name))


def explain_photo(job: Job, file: str, photo: Any) -> PhotoMaps:
    """Explain one photo; where its answer is wrong, also for the truth."""
    from seewhy.images.photo import Underlay

    model = job.model
    image = photo.pixels if isinstance(photo, Underlay) else photo
    maps, failure = _maps(job, image, job.truth.targets(file, job.targets))
    if failure is not None and not maps:
        raise failure
    predicted = maps[0].source.predicted or predict(model, image)
    known = job.truth.judge(file, predicted, lambda classes: None if job.tile else rank(model, image, classes))
    if failure is None and (classes := job.truth.further(known)):
        more, failure = _maps(job, image, classes)
        maps += more
    return PhotoMaps(photo.name, predicted, maps, failure, known)


def _maps(job: Job, image: Any, targets: Sequence[Any]) -> "tuple[list[Heatmap], SeewhyError | None]":
    """The maps of one image for some targets, and the error that ended them early."""
    from seewhy.api import explain
    from seewhy.errors import SeewhyError

    try:
        return [*explain(job.model, image, job.methods, targets, job.layers, job.tile, job.overlap)], None
    except SeewhyError as error:
        return [*(error.partial or ())], error


def write_photo(job: Job, file: str, found: PhotoMaps) -> Written:
    """Draw the maps of one photo and write their files."""
    from seewhy.errors import NotWritten

    written, failure = list[Any](), found.failure
    for heatmap in found.maps:
        source, writers = heatmap.source, job.outputs.writers(heatmap)
        name = of_model(stem(source), job.of) if job.of else stem(source)
        try:
            paths = job.folder.put(name, source, writers)
        except NotWritten as error:
            if not written:
                raise
            failure = failure or error  # what was written before is said
            break
        written.append((heatmap, [path for ending, path in paths.items() if ending != NUMBERS]))
    chosen = {heatmap.source.layer: heatmap.source.layer_why for heatmap in found.maps if heatmap.source.layer_why}
    evidence = job.truth.evidence_of(file, [heatmap for heatmap, _ in written])
    result = PhotoResult(found.name, found.predicted, written, chosen, found.known, evidence)
    return (result._replace(row=job.sheet.row_of(result, job.truth, job.of)) if job.sheet else result), failure


def tell_photo(job: Job, file: str, outcome: "Future[Written]", failures: Failures, layers: dict[str, str]) -> None:
    """Say what came of one photo, once its files are written."""
    result, failure = None, None
    with failures.of(file):
        result, failure = outcome.result()
    if result is not None:  # what goes wrong with saying it is not the photo's fault
        layers.update(result.chosen_layers)
        if job.sheet and result.row is not None:
            job.sheet.add(file, result.row)
        job.explained.add(heatmap for heatmap, _ in result.written)
        failures.well()
        job.truth.count(file, result.known, [heatmap for heatmap, _ in result.written], result.evidence)
        (print_json if job.as_json else print_text)(result)
    if failure is not None:
        with failures.of(file):
            raise failure


def predict(model: Any, photo: Any) -> Any:
    from seewhy.errors import InSpace
    from seewhy.maps.source import Predicted

    (batch,) = model.batches(photo)
    try:
        probabilities = model.answer(batch.x).probabilities
    except InSpace:
        return None
    return None if probabilities is None else Predicted.of(probabilities[0], model.labels)  # None of a regression, or units


def rank(model: Any, photo: Any, classes: Sequence[int]) -> int:
    """The rank of the likeliest of some classes, none of which is the answer: 2 where it is the runner-up."""
    from seewhy.arrays import numbers
    from seewhy.errors import NoSuchName

    (batch,) = model.batches(photo)
    scores = numbers(model.answer(batch.x).scores)[0]
    if beyond := [index for index in classes if index >= len(scores)]:
        raise NoSuchName("class", beyond[0], [], f"The model's classes are 0 to {len(scores) - 1}, which --truth goes beyond.")
    return max(2, 1 + int((scores > scores[[*classes]].max()).sum()))
