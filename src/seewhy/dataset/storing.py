"""What is missing of a run is explained, part by part, and stored."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import chain, islice, tee
from typing import Any

from seewhy.errors import BadImage, BadNetwork, InSpace
from seewhy.photo_sets.ahead import ReadPhoto
from seewhy.photo_sets.items import Listing

from .chunks import NewRows, RunSettings, explained_rows, photos_of
from .first_pass import no_scores
from .rows import failed_row
from .store import Gap, PartWork, rows_table, write_part

SURE = 8  # photos, all of which fail where the network cannot be asked at all


def works_of(listing: Listing, missing: Iterable[Gap]) -> Iterator[PartWork]:
    """What is to be done, with what is known of its photos."""
    for gap in missing:
        items = [listing[i] for i in gap.items]
        yield PartWork(gap.path, items, listing.known_of(items))


def stored_parts(
    model: Any, works: Iterable[PartWork], settings: RunSettings, fresh: bool = False
) -> Generator[int, None, None]:
    """Explain and store part by part, and give the number of photos each time when some are done.

    However it ends, what is done is stored before.  Photos are read ahead across parts, and parts written in a thread beside
    the network.  fresh: nothing of the run is stored yet, so that a network that fails on all of the first part ends it; one
    that gives no scores of whole photos, or cannot run at all, does so at its first photos.
    """
    waiting, (works, ahead) = deque[Future[None]](), tee(works)
    items = chain.from_iterable(work.items for work in ahead if not work.error)
    with closing(photos_of(model, items, settings)) as photos, ThreadPoolExecutor(1, "seewhy writes") as writer:
        for place, work in enumerate(works):
            rows: NewRows = []
            try:
                for some in _explained(model, photos, replace(settings, marks=work.marks), work):
                    rows += some
                    if fresh and not place:
                        _check_kind(model, rows)
                    yield len({row["item"] for row in some})
                if fresh and not place:
                    _check_first(model, rows)
            finally:
                waiting.append(writer.submit(_write, work, rows))
            while len(waiting) > 1:
                waiting.popleft().result()
        while waiting:
            waiting.popleft().result()


def _explained(model: Any, photos: Iterator[ReadPhoto], settings: RunSettings, work: PartWork) -> Iterator[NewRows]:
    """The rows of one part."""
    if work.error:
        return iter([[failed_row(ReadPhoto(item, {}), model.labels, BadImage(work.error)) for item in work.items]])
    return explained_rows(model, islice(photos, len(work.items)), settings)


def _write(work: PartWork, rows: NewRows) -> None:
    if rows:
        write_part(work.path, rows_table(rows))


def _check_kind(model: Any, rows: NewRows) -> None:
    """Raise NotApplicable where the network gives no scores of whole photos, BadNetwork where it cannot run on the first
    SURE; the rows are dropped.
    """
    errors = [row["error"] for row in rows if row.get("error") and not row["error"].startswith("BadImage")]
    if errors and errors[0].startswith(InSpace.__name__):
        rows.clear()
        raise no_scores(model)
    if len(rows) >= SURE and sum(error.startswith(BadNetwork.__name__) for error in errors) == len(rows):
        _check_first(model, rows)


def _check_first(model: Any, rows: NewRows) -> None:
    """Raise BadNetwork where the network fails on every photo, before that is done for a whole set; the rows are dropped."""
    errors = [row["error"] for row in rows if row.get("error") and not row["error"].startswith("BadImage")]
    if len(rows) >= SURE and len(errors) == len(rows):
        rows.clear()
        raise BadNetwork(f"{model.name} failed on each of the first {len(errors)} photos. {errors[0]}")
