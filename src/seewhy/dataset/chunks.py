"""Some photos explained: from items to rows, by one model.  It holds no state, so that any worker can do it."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seewhy.errors import BadImage, Misuse
from seewhy.explaining.engine import explain_batch
from seewhy.inside.embeddings.looking import Looking
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.source import ModelFacts
from seewhy.methods.making.method import Method
from seewhy.photo_sets.ahead import ReadPhoto, read_ahead, together
from seewhy.photo_sets.items import Item
from seewhy.prepare.batch import joined
from seewhy.prepare.fit import Fit
from seewhy.targets.target import Class, Labels, PerImage, Top
from seewhy.truth.given import GroundTruth

from .full_maps import keep_full
from .photo_rows import TOP
from .rows import BestTrue, failed_row, photo_rows_of
from .store import rows_table

if TYPE_CHECKING:
    import pyarrow

WAITING = 4  # batches whose rows may wait to be made
UNKNOWN = Top()  # is explained in the place of a true class that is not known, so that the batch stays whole

NewRows = list[dict[str, Any]]


@dataclass(frozen=True)
class RunSettings:
    """How the photos of a run are explained.

    methods: with their settings; targets: "top", "true", or both; layer: None for the model's default.
    workers: threads that read and decode photos; marks: where the objects are.
    full_maps: the folder of the run, where maps of full size are stored beside its rows; "" where they are not.
    """

    methods: tuple[Method[Any], ...]
    targets: tuple[str, ...] = (TOP,)
    layer: str | None = None
    workers: int = 1
    marks: GroundTruth = field(default_factory=GroundTruth, repr=False)
    full_maps: str = ""


def explain_chunk(model: Any, items: Sequence[Item], settings: RunSettings) -> "pyarrow.Table":
    """The rows of these photos, as they are stored; broken files are rows with an `error`.

    Raises Misuse where the settings do not suit the model.
    """
    photos = photos_of(model, items, settings)
    return rows_table(row for rows in explained_rows(model, photos, settings) for row in rows)


def photos_of(model: Any, items: Iterable[Item], settings: RunSettings) -> Generator[ReadPhoto, None, None]:
    """The photos, read and prepared ahead of the network."""
    side = model.prepare.crop if isinstance(model.prepare, Fit) and model.prepare.crop else 224
    sides = (side, side) if isinstance(side, int) else side
    return read_ahead(items, model.prepare, model.name, settings.workers, model.at_once(sides) + settings.workers)


def explained_rows(model: Any, photos: Iterable[ReadPhoto], settings: RunSettings) -> Iterator[NewRows]:
    """The rows of the photos, some photos after the other in their order; made of the maps in a thread beside the network."""
    waiting: deque[Future[NewRows]] = deque()
    with model.unchanged(), ThreadPoolExecutor(1, "seewhy tells") as pool:
        try:
            facts = ModelFacts.of(model)
            for batch in together(model, photos, any(method.whole for method in settings.methods)):
                waiting.append(pool.submit(_explained(model, batch, settings, facts)))
                while waiting and (len(waiting) > WAITING or waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _explained(model: Any, photos: Sequence[ReadPhoto], settings: RunSettings, facts: ModelFacts) -> Callable[[], NewRows]:
    """What makes the rows of photos that share a pass, which was made; it may be called in another thread."""
    labels, ready = model.labels, [photo.ready for photo in photos if photo.ready is not None]
    if len(ready) < len(photos):
        return lambda: [failed_row(photo, labels, photo.error or BadImage(photo.item.path)) for photo in photos]
    try:
        batch = joined(ready)
    except Misuse:
        raise
    except Exception as error:  # noqa: BLE001 - as of numbers that are not finite, which a stranger's preparer gave
        if len(photos) > 1:
            each = [_explained(model, [photo], settings, facts) for photo in photos]
            return lambda: [row for make in each for row in make()]
        broken = error  # the name of the exception does not outlive its block
        return lambda: [failed_row(photos[0], labels, broken)]
    batch = batch._replace(sha256=[photo.pixels_sha256 for photo in photos])
    found = Looking(len(photos), facts)
    explain_batch(model, batch, 0, settings.methods, _targets(photos, settings), [settings.layer], found)
    for refused in found.refused.values():
        raise refused.error
    return lambda: _rows(photos, found, settings, labels)


def _targets(photos: Sequence[ReadPhoto], settings: RunSettings) -> list[Any]:
    return [Top() if target == TOP else PerImage([_true(photo.item) for photo in photos]) for target in settings.targets]


def _true(item: Item) -> Any:
    """The target of what a photo truly shows."""
    if len(item.truth) > 1:
        return BestTrue(item.truth)
    return Class(item.truth[0]) if item.truth else UNKNOWN


def _rows(photos: Sequence[ReadPhoto], found: Looking, settings: RunSettings, labels: Labels) -> NewRows:
    """The rows of photos that shared a pass."""
    failed, rows = {each.place: each.error for each in found.failed}, list[dict[str, Any]]()
    for place, photo in enumerate(photos):
        if place in failed:
            rows.append(failed_row(photo, labels, failed[place]))
            continue
        maps = [heatmap for heatmap in found.maps if heatmap.place == place]
        made = photo_rows_of(photo, found.answers[place], maps, settings.targets, labels, settings.marks)
        rows += made
        if settings.full_maps:
            _keep_full(settings.full_maps, made, maps)
    return rows


def _keep_full(folder: str, rows: NewRows, maps: Sequence[Heatmap]) -> None:
    """Store the maps of a photo whose rows have them coarse."""
    by_question = {(heatmap.source.method, heatmap.source.index): heatmap.values for heatmap in reversed(maps)}
    for row in rows:
        if row.get("map_coarse"):
            keep_full(Path(folder), row["item"], row["method"], row["target"], by_question[row["method"], row["index"]])
