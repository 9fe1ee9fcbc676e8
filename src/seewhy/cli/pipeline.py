"""Many photos, one after the other: each is read, explained, written and told, in the order in which they were named.

While the network works on a photo, the next is decoded in a second thread, and what came of the one before is written in a
third.  These two touch nothing but the photo and the files: networks run, and lines are printed, in the main thread alone.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .failures import Failures

if TYPE_CHECKING:
    from concurrent.futures import Future
    from threading import Event

WAITING = 2  # photos whose maps may wait to be written
SMALL = 2**26  # bytes of pixels: larger images are written before the next is read, so that few are in memory at once
TIFF = (".tif", ".tiff")  # read and written in the main thread, for their readers change warnings and stderr of all threads
Submit = Callable[..., "Future[Any]"]  # has a function called with arguments, here or in a thread


class Stages(NamedTuple):
    """What is done with each photo.

    model: what it is prepared for; tile: the side of the tiles that large scenes are explained by.
    explain: (file, photo) -> what was found, in the main thread; image: what was found -> the image that it is of.
    write: (file, what was found) -> what was written, beside the network where it may be, photo by photo in their order.
    tell: (file, what came of writing or of what was done before, which may be an error), in the main thread.
    """

    model: Any
    tile: int | None
    explain: Callable[[str, Any], Any]
    image: Callable[[Any], Any]
    write: Callable[[str, Any], Any]
    tell: "Callable[[str, Future[Any]], None]"


def run_through(stages: Stages, files: list[str], failures: Failures, stop: "Event", what: str = "explaining") -> None:
    """Take all files through the stages, until a person stops it or nothing can be written any more.  what: said by the bar."""
    from concurrent.futures import ThreadPoolExecutor

    from seewhy.progress import shown

    waiting: deque[tuple[str, Future[Any]]] = deque()  # photos that are not told yet, in their order

    def tell_written(most: int) -> None:
        """Tell of photos whose files are written, until one is not; wait for that while more than `most` are not told."""
        while waiting and not failures.ended and (len(waiting) > most or waiting[0][1].done()):
            stages.tell(*waiting.popleft())

    reader, writer = ThreadPoolExecutor(1, "seewhy reads"), ThreadPoolExecutor(1, "seewhy writes")  # idle, they have no thread
    photos = _photos(stages, files, lambda: reader.submit if _beside(failures) else None)
    few = len(files) < 4  # of few, each has its own bar
    try:
        for file, photo in photos if few else shown(photos, len(files), what, wait=False):
            found = at_once(lambda: stages.explain(file, photo.result()))  # noqa: B023 - called at once
            if found.exception() is None:
                beside = _beside(failures) and _light(file, stages.image(found.result()))
                if not beside:
                    tell_written(0)  # what is written here and now comes after what the thread still writes
                found = (writer.submit if beside else at_once)(stages.write, file, found.result())
            waiting.append((file, found))
            tell_written(WAITING if _beside(failures) else 0)
            if stop.is_set() or failures.ended:
                break
        tell_written(0)
    finally:
        reader.shutdown(cancel_futures=True)
        writer.shutdown(cancel_futures=True)


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
    stages: Stages, files: list[str], beside: "Callable[[], Submit | None]"
) -> "Iterator[tuple[str, Future[Any]]]":  # fmt: skip
    """Each file with its photo.  beside: where it gives a thread's `submit`, that thread decodes the photo that follows."""
    following = None
    for file, next_file in zip(files, [*files[1:], None], strict=True):
        photo = following or at_once(_read, stages, file)
        submit, following = beside(), None
        if next_file is not None and submit is not None and (photo.exception() is not None or _small(photo.result())):
            following = _decoded_ahead(stages, next_file, submit)
        yield file, photo


def _decoded_ahead(stages: Stages, file: str, submit: Submit) -> "Future[Any] | None":
    """A photo that a thread decodes, its file opened here; None of what has to be read in the main thread, in its turn."""
    from seewhy.prepare.batch import opened_photo

    if file.lower().endswith(TIFF):
        return None
    opened = at_once(opened_photo, file, stages.model.prepare, stages.model.name)
    if opened.exception() is not None:
        return opened
    decode = opened.result()
    return None if decode is None else submit(decode)


def _read(stages: Stages, file: str) -> Any:
    """The photo, volume or clip in a file; of a large scene that is explained by tiles, its name alone."""
    from seewhy.images.photo import Underlay
    from seewhy.prepare.batch import opened

    by_windows = stages.tile is not None and file.lower().endswith(TIFF)
    return Underlay(file, file) if by_windows else next(opened([file], stages.model.prepare, stages.model.name))


def _light(file: str, image: Any) -> bool:
    """May it be written beside the network?"""
    return _small(image) and not file.lower().endswith(TIFF)


def _small(photo: Any) -> bool:
    """Is it a photo, and one of which several may be in memory at once?"""
    from PIL import Image

    pixels = getattr(photo, "pixels", photo)
    return isinstance(pixels, Image.Image) and 3 * pixels.width * pixels.height <= SMALL
