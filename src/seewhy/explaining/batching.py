"""Puts images into batches, and collects the heatmaps made and the images that failed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from seewhy.errors import BadImage, BadParameter, Misuse, NoService, NotHere, SeewhyError
from seewhy.images.inputs import PreparedBatch
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Heatmaps, Refused
from seewhy.maps.source import ModelFacts
from seewhy.prepare.batch import Batch, ReadyPhoto, full, joined, prepared
from seewhy.printable import printable, quoted, words_of

ON_ERROR = ("raise", "skip")


class Collector:
    """Collects the maps that are made, and the images that are left out because none can be made of them.

    on_error: "raise" ends the work at the first image of which no map can be made; `partial` of the error has the maps made
        before.  "skip" leaves that image out, and goes on.
    distinct: of targets that are the same in an image, as its answer and what it shows, only the first gets a map.
    recording: do Sources keep numbers of the values, by which a map is held against another?
    What of the question is refused, a method or a target, is left out of all images; "raise" says so once the others are done.
    """

    distinct, recording = False, True

    def __init__(self, on_error: str, count: int) -> None:
        if not isinstance(on_error, str) or on_error not in ON_ERROR:
            raise BadParameter(f"on_error={quoted(on_error)} is neither 'raise' nor 'skip'.")
        if not count:
            raise BadImage("No images were given. Give a path, a PIL image, a uint8 array (h, w, 3), or a list of these.")
        self.skips, self.count = on_error == "skip", count
        self.maps: list[Heatmap] = []
        self.failed: list[Failed] = []
        self.refused: dict[tuple[str, str], Refused] = {}

    def fail(self, error: Exception, place: int, name: str, maps: Sequence[Heatmap] = ()) -> None:
        """Leave the image at that place out, or raise the error.  maps: those of this image made before."""
        if self.count > 1 and of_an_image(error):
            error.add_note(f"seewhy: this was image {place} of {self.count}, {printable(name, 300)}")
        if not self.skips or not of_an_image(error):
            self.end(error, maps)
        _keep(error, maps)
        self.failed.append(Failed(place, name, _without_frames(error)))

    def facts_of(self, model: Any) -> ModelFacts:
        """What the Sources of maps say of the model."""
        return ModelFacts.of(model)

    def saw(self, place: int, batch: Batch, groups: Sequence[Any]) -> None:
        """What the passes over a batch left, before it is released, for who wants more of it than maps.

        place: of its first image; groups: of targets (`findings.TargetGroup`).
        """

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Keep what of the question is refused, once."""
        for each in refused:
            self.refused.setdefault((each.method, each.target), each._replace(error=_without_frames(each.error)))

    def delivered(self, maps: Heatmaps) -> Heatmaps:
        """The maps, with what was refused; unless that is to be skipped, the error of the first that was, with the maps."""
        if not self.refused:
            return maps
        if self.skips:
            return replace(maps, refused=(*self.refused.values(),))
        first, *others = self.refused.values()
        for each in others:
            first.error.add_note(f"seewhy: also refused: {each.method or each.target}: {words_of(each.error)}")
        if maps:
            first.error.add_note(f"seewhy: `partial` of this error has the {len(maps)} maps of all else that was asked for")
        _keep(first.error, maps, (*self.refused.values(),))
        raise first.error

    def end(self, error: Exception, maps: Sequence[Heatmap] = ()) -> NoReturn:
        """Raise the error, with all maps made so far, and these, as its `partial`."""
        _keep(error, (*self.maps, *maps))
        raise error

    @property
    def heatmaps(self) -> Heatmaps:
        return Heatmaps(tuple(self.maps), tuple(self.failed))


def _without_frames(error: Exception) -> Exception:
    """The error and its causes without their tracebacks, whose frames would keep all activations in memory."""
    inner: BaseException | None = error
    while inner is not None and inner.__traceback__ is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    return error


def _keep(error: Exception, maps: Sequence[Heatmap], refused: tuple[Refused, ...] = ()) -> None:
    with suppress(AttributeError):  # errors of other libraries may take no new attribute
        error.partial = Heatmaps(tuple(maps), refused=refused) if maps else None  # type: ignore[attr-defined]


def of_an_image(error: BaseException) -> bool:
    """Does the error concern this image alone?  A misuse, such as an unknown parameter, or a service that is gone concerns
    every image.
    """
    return not isinstance(error, Misuse | NoService) or isinstance(error, NotHere)


def batched(model: Any, images: PreparedBatch | list[Any], whole: bool, collector: Collector) -> Iterator[tuple[int, Batch]]:
    """Batches of neighbouring images as the network takes them, each with the place of its first image.

    An image that cannot be read or prepared ends its batch: those before it are explained first, and those behind it are
    read as if it were not there.
    """
    together = partial(model.at_once, whole=whole)
    if isinstance(images, PreparedBatch):
        size = together(images.x.shape[2:])
        for start in range(0, len(images.x), size):
            yield from _prepared(model, PreparedBatch(images.x[start : start + size], start), whole, collector)
        return
    waiting: list[ReadyPhoto] = []
    for place, image in enumerate(images):
        try:
            each = next(prepared([image], model.prepare, model.name, place))
        except Exception as error:  # noqa: BLE001 - whatever a decoder or a preparer raises, it is of this image alone
            yield from _joined(waiting, place - len(waiting), collector)
            waiting = []
            collector.fail(error, place, name_at(image, place))
            continue
        if waiting and each.ready.x.shape != waiting[0].ready.x.shape:
            yield from _joined(waiting, place - len(waiting), collector)
            waiting = []
        waiting.append(each)
        if full(waiting, together):
            yield from _joined(waiting, place + 1 - len(waiting), collector)
            waiting = []
    yield from _joined(waiting, len(images) - len(waiting), collector)


def name_at(image: Any, place: int) -> str:
    """The name of an image: its path, or the name it carries, or its place."""
    if isinstance(image, str | Path):
        return str(image)
    return str(getattr(image, "name", "") or getattr(image, "filename", "") or f"image {place}")


def _joined(waiting: list[ReadyPhoto], place: int, collector: Collector) -> Iterator[tuple[int, Batch]]:
    """The batch of these images; where they make none, each of them alone, so that only the bad one fails."""
    try:
        batch = joined(waiting) if waiting else None
    except Exception as error:  # noqa: BLE001 - a preparer may be anybody's
        if not of_an_image(error):
            collector.end(error)
        if len(waiting) == 1:
            collector.fail(error, place, waiting[0].photo.name)
            return
        for i, one in enumerate(waiting):
            yield from _joined([one], place + i, collector)
        return
    if batch is not None:
        yield place, batch


def _prepared(
    model: Any, images: PreparedBatch, whole: bool, collector: Collector, why: SeewhyError | None = None
) -> Iterator[tuple[int, Batch]]:
    """Batches of prepared images; where a batch is refused, each of its images alone.

    why: the error with which the larger batch was refused that these images are from.
    """
    try:
        batches = [*model.batches(images, whole)]
    except SeewhyError as error:
        if not of_an_image(error) or len(images.x) == 1:
            collector.fail(error if collector.skips else why or error, images.first, name_at(None, images.first))
            return
        for i in range(len(images.x)):
            yield from _prepared(model, PreparedBatch(images.x[i : i + 1], images.first + i), whole, collector, error)
        return
    place = images.first
    for batch in batches:
        yield place, batch
        place += len(batch.x)
