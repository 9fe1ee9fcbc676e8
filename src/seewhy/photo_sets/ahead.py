"""Photos read and decoded ahead, in threads beside the network."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import Any, NamedTuple

from seewhy.errors import Misuse
from seewhy.images.digest import image_sha256
from seewhy.images.photo import OpenedFile, Photo, opened_bytes
from seewhy.prepare.batch import ReadyPhoto, prepared
from seewhy.prepare.fit import Fit

from .items import Item
from .photo_facts import photo_facts
from .reading import read_bytes

MAIN = ("TIFF",)  # formats decoded in the main thread, for their readers change warnings and stderr of all threads


class ReadPhoto(NamedTuple):
    """What was read of an item.

    facts: the columns of its file and of how it looks, as far as they are known.
    photo, pixels_sha256, ready: what was decoded, the digest of its pixels, and the photo as the network takes it; of a broken
        one they are not there, and `error` says why.
    """

    item: Item
    facts: dict[str, Any]
    photo: Photo | None = None
    ready: ReadyPhoto | None = None
    pixels_sha256: str = ""
    error: Exception | None = None


class _File(NamedTuple):
    content: bytes
    sha256: str


def read_ahead(items: Iterable[Item], prepare: Any, model: str, workers: int, ahead: int) -> Generator[ReadPhoto, None, None]:
    """What was read of the items, in their order; broken ones among them.

    prepare: of the model of that name; workers: threads; ahead: so many photos are read before they are asked for.
    Files are opened, and prepared by a stranger's callable, in the caller's thread: both change what belongs to the process.
    """
    beside = isinstance(prepare, Fit)  # which may run in several threads
    finish = (lambda photo: _prepared(photo, prepare, model)) if beside else (lambda photo: photo)
    reading: deque[tuple[Item, Future[_File]]] = deque()
    decoding: deque[Future[ReadPhoto]] = deque()
    waiting = iter(items)
    with ThreadPoolExecutor(max(1, workers), "seewhy reads") as pool:
        try:
            while True:
                while len(reading) + len(decoding) < 2 * ahead and (item := next(waiting, None)) is not None:
                    reading.append((item, pool.submit(_read, item)))
                while reading and len(decoding) < ahead and (not decoding or reading[0][1].done()):
                    decoding.append(_decoded(*reading.popleft(), pool, finish))
                if not decoding:
                    return
                photo = decoding.popleft().result()
                yield photo if beside else _prepared(photo, prepare, model)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def together(model: Any, photos: Iterable[ReadPhoto], whole: bool) -> Iterator[list[ReadPhoto]]:
    """Neighbouring photos that share a pass of the model; a broken one stands alone.

    whole: the pass keeps what a gradient needs, so fewer go together.
    """
    waiting, most = list[ReadPhoto](), 1
    for photo in photos:
        alike = photo.ready is not None and (not waiting or photo.ready.ready.x.shape == _shape(waiting[0]))
        if waiting and not alike:
            yield waiting
            waiting = []
        waiting.append(photo)
        if len(waiting) == 1 and photo.ready is not None:
            most = model.at_once(_shape(photo)[1:], whole)
        if photo.ready is None or len(waiting) >= most:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _shape(photo: ReadPhoto) -> tuple[int, ...]:
    return () if photo.ready is None else photo.ready.ready.x.shape


def _read(item: Item) -> _File:
    content = read_bytes(item.path)
    return _File(content, sha256(content).hexdigest())


def _decoded(
    item: Item, file: Future[_File], pool: ThreadPoolExecutor, finish: Callable[[ReadPhoto], ReadPhoto]
) -> Future[ReadPhoto]:
    """The photo, decoded in another thread where it may be."""
    facts: dict[str, Any] = {}
    try:
        content, facts["sha256"] = file.result()
        facts["file_bytes"] = len(content)
        opened = opened_bytes(content, item.path)
        facts["format"] = opened.format
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, it is of this photo alone
        return _done(ReadPhoto(item, facts, error=error))
    if opened.format in MAIN:
        return _done(finish(_looked_at(item, facts, opened)))
    return pool.submit(lambda: finish(_looked_at(item, facts, opened)))


def _looked_at(item: Item, facts: dict[str, Any], opened: OpenedFile) -> ReadPhoto:
    try:
        photo = opened.decode()
        width, height = photo.pixels.size
        facts |= {"width": width, "height": height, "photo": photo_facts(photo.pixels, opened.quantization)}
        return ReadPhoto(item, facts, photo, pixels_sha256=image_sha256(photo.pixels))
    except Exception as error:  # noqa: BLE001 - as above
        return ReadPhoto(item, facts, error=error)


def _prepared(photo: ReadPhoto, prepare: Any, model: str) -> ReadPhoto:
    """The photo as the network takes it.  Raises Misuse where `prepare` takes no photos."""
    if photo.photo is None:
        return photo
    try:
        return photo._replace(ready=next(prepared([photo.photo], prepare, model, photo.item.number)))
    except Misuse:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a preparer raises, it is of this photo alone
        return photo._replace(error=error)


def _done(photo: ReadPhoto) -> Future[ReadPhoto]:
    future: Future[ReadPhoto] = Future()
    future.set_result(photo)
    return future
