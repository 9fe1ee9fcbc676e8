"""Images on their way to the network, batch by batch, and what becomes of those of which no map can be made."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from seewhy.errors import BadImage, BadParameter, Misuse, NotHere, SeewhyError
from seewhy.images.inputs import PreparedBatch
from seewhy.images.photo import Underlay
from seewhy.maps.heatmap import Failed, Heatmap, Heatmaps
from seewhy.prepare.batch import Batch, at_once, opened
from seewhy.printable import printable, quoted

ON_ERROR = ("raise", "skip")


class Kept:
    """The maps made so far, and the images left out.

    on_error: "raise" ends the work at the first image of which there is no map; the error's `partial` has what was made
        before.  "skip" leaves that image out, and goes on.
    """

    def __init__(self, on_error: str, count: int) -> None:
        if on_error not in ON_ERROR:
            raise BadParameter(f"on_error={quoted(on_error)} is neither 'raise' nor 'skip'.")
        if not count:
            raise BadImage("No images were given. Give a path, a PIL image, a uint8 array (h, w, 3), or a list of these.")
        self.skips, self.count = on_error == "skip", count
        self.maps: list[Heatmap] = []
        self.failed: list[Failed] = []

    def fail(self, error: Exception, place: int, name: str, found: Sequence[Heatmap] = ()) -> None:
        """There is no map of the image there, but for those of some methods that were through."""
        if self.count > 1 and of_an_image(error):
            error.add_note(f"seewhy: this was image {place} of {self.count}, {printable(name, 300)}")
        if not self.skips or not of_an_image(error):
            self.end(error, found)
        _keep(error, found)
        self.failed.append(Failed(place, name, _without_frames(error)))

    def end(self, error: Exception, found: Sequence[Heatmap] = ()) -> NoReturn:
        """Raise the error with all that there is."""
        _keep(error, (*self.maps, *found))
        raise error

    @property
    def heatmaps(self) -> Heatmaps:
        return Heatmaps(tuple(self.maps), tuple(self.failed))


def _without_frames(error: Exception) -> Exception:
    """The error, and what it came of, without the frames of the calls: these hold all that was in the network's memory."""
    inner: BaseException | None = error
    while inner is not None and inner.__traceback__ is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    return error


def _keep(error: Exception, maps: Sequence[Heatmap]) -> None:
    with suppress(AttributeError):  # of other libraries' errors that take nothing
        error.partial = Heatmaps(tuple(maps)) if maps else None  # type: ignore[attr-defined]


def of_an_image(error: BaseException) -> bool:
    """May the same be asked of other images?  Not where the question is wrong."""
    return not isinstance(error, Misuse) or isinstance(error, NotHere)


def batched(model: Any, images: PreparedBatch | list[Any], whole: bool, kept: Kept) -> Iterator[tuple[int, Batch]]:
    """Images next to each other as the network eats them, with the place of the first.

    One that cannot be read or prepared ends its batch: those before it are explained first, and those behind it are read as
    if it were not there.
    """
    size = model.copies if whole else model.batch_size
    if isinstance(images, PreparedBatch):
        for start in range(0, len(images.x), size):
            yield from _prepared(model, PreparedBatch(images.x[start : start + size], start), whole, kept)
        return
    waiting: list[Any] = []
    for place, image in enumerate(images):
        try:
            photo = opened_at(model, image, place)
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises, it is of this image alone
            yield from _ready(model, waiting, place - len(waiting), whole, kept)
            waiting = []
            kept.fail(error, place, named(image, place))
            continue
        waiting.append(photo)
        if len(waiting) >= at_once(size, getattr(photo, "pixels", photo)):
            yield from _ready(model, waiting, place + 1 - len(waiting), whole, kept)
            waiting = []
    yield from _ready(model, waiting, len(images) - len(waiting), whole, kept)


def opened_at(model: Any, image: Any, place: int) -> Any:
    """One image, read; called by its place where it has no name of its own."""
    found = next(opened([image], model.prepare, model.name, place))
    return found.pixels if isinstance(found, Underlay) else found


def named(image: Any, place: int) -> str:
    if isinstance(image, str | Path):
        return str(image)
    return str(getattr(image, "name", "") or getattr(image, "filename", "") or f"image {place}")


def _ready(model: Any, photos: list[Any], place: int, whole: bool, kept: Kept) -> Iterator[tuple[int, Batch]]:
    """The batches of photos that are read; where one cannot be prepared, each of those left by itself."""
    done = 0
    try:
        for batch in model.batches(photos, whole) if photos else ():
            yield place + done, batch
            done += len(batch.x)
    except Exception as error:  # noqa: BLE001 - a preparer may be anybody's
        left = photos[done:]
        if not of_an_image(error):
            kept.end(error)
        if len(left) == 1:
            kept.fail(error, place + done, named(left[0], place + done))
            return
        for i, photo in enumerate(left):
            yield from _ready(model, [photo], place + done + i, whole, kept)


def _prepared(
    model: Any, images: PreparedBatch, whole: bool, kept: Kept, why: SeewhyError | None = None
) -> Iterator[tuple[int, Batch]]:
    """why: what was wrong with the batch that they are of."""
    try:
        batches = [*model.batches(images, whole)]
    except SeewhyError as error:
        if not of_an_image(error) or len(images.x) == 1:
            kept.fail(error if kept.skips else why or error, images.first, named(None, images.first))
            return
        for i in range(len(images.x)):
            yield from _prepared(model, PreparedBatch(images.x[i : i + 1], images.first + i), whole, kept, error)
        return
    place = images.first
    for batch in batches:
        yield place, batch
        place += len(batch.x)
