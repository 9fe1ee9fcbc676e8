"""The page of `seewhy compare`: one file with the numbers, the words, and the pictures behind them, that loads nothing.

What strangers may have written (names of files, labels) goes into it escaped, by a template that escapes all.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from PIL import Image

from seewhy import __version__
from seewhy.atomic import replacing
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.sheet_picture import short_names
from seewhy.metrics.planted.outcome import PlantedTruth
from seewhy.metrics.verdict.criteria import CRITERIA
from seewhy.metrics.verdict.outcome import NOTE, ORDER, MethodComparison, examples_of
from seewhy.metrics.verdict.ranking import MethodRank
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent, printable

SIDE = 168  # pixels of a picture
WORDS = 300  # characters of what a stranger wrote
GRID = "grid"  # the criterion whose pictures are of grids
ENDS = ("best", "worst")  # of the photos of a criterion


def page_of(found: MethodComparison, truths: Sequence[PlantedTruth] = ()) -> str:
    """The page as HTML."""
    pictures = {place: _pictures(maps) for place, maps in found.examples.items()}
    names = dict(zip(found.examples, short_names([_photo(found, place).name for place in found.examples]), strict=True))
    chosen = {name: [place for place in places if place in pictures] for name, places in examples_of(found).items()}
    methods = [each.method for each in sorted(found.verdicts, key=lambda each: ORDER.index(each.status))]

    def rows(places: Sequence[int], criterion: str = "") -> list[dict[str, Any]]:
        ends = ENDS if criterion and len(places) == len(ENDS) else [""] * len(places)
        return [
            {
                "end": end,
                "name": printable(names[place], WORDS),
                "explained": printable(_photo(found, place).explained, WORDS),
                "photo": pictures[place][""],
                "cells": [
                    (method, pictures[place].get(method), _number(found, place, method, criterion)) for method in methods
                ],
            }
            for end, place in zip(ends, places, strict=True)
        ]

    return _template().render(
        version=__version__,
        heading=printable(f"{found.model}{f' at {found.layer}' if found.layer else ''}: which method to trust", WORDS),
        counted=f"{len(found.photos)} of {found.total} photos, {found.seconds:.0f} seconds, seed {found.seed}",
        says=[printable(line) for line in found.says],
        verdicts=[(each.method, each.status, "; ".join(each.why), found.costs[each.method]) for each in sorted(
            found.verdicts, key=lambda each: ORDER.index(each.status))],
        criteria=[
            {
                "name": name,
                "better": CRITERIA[name].better,
                "says": CRITERIA[name].says[:1].upper() + CRITERIA[name].says[1:],
                "bars": _bars(ranks),
                "leader": next((rank.method for rank in ranks if rank.first), ""),
                "rows": _grids(found, methods) if name == GRID else rows(chosen.get(name, []), name),
            }
            for name, ranks in found.rankings.items()
        ],
        table=found.table(),
        note=NOTE,
        samples=rows(chosen["samples"]),
        methods=methods,
        planted=[
            {
                "what": truth.what,
                "noun": truth.noun,
                "says": [printable(line) for line in truth.says],
                "bars": _bars(truth.rankings["mass"]) if truth.planted else [],
                "area": in_percent(truth.area),
                "columns": len({each.source.method for each in truth.examples}),
                "pictures": [(each.source.method, Thumbnail.of(each.drawn(), SIDE)) for each in truth.examples],
            }
            for truth in truths
        ],
        refused=[(left.method, printable(str(left.error), WORDS)) for left in found.refused],
        failed=[(printable(left.name, WORDS), printable(str(left.error), WORDS)) for left in found.failed],
        notes=[printable(note, WORDS) for note in found.notes],
    )  # fmt: skip


def save_page(found: MethodComparison, path: Path, truths: Sequence[PlantedTruth] = ()) -> None:
    """Write the page.  Raises NotWritten."""
    page = page_of(found, truths)
    with replacing(path, of="the page of the comparison") as beside:
        beside.write_text(page, "utf-8", errors="replace")


def _photo(found: MethodComparison, place: int) -> Any:
    return next(photo for photo in found.photos if photo.place == place)


def _grids(found: MethodComparison, methods: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each grid that is shown, the one on which the leader does best first."""
    ends = ENDS if len(found.grids) == len(ENDS) else [""] * len(found.grids)
    rows = list[dict[str, Any]]()
    for end, (place, shown) in zip(ends, found.grids.items(), strict=True):
        source = next(iter(shown.maps.values())).source
        drawn = {method: Thumbnail.of(shown.drawn(method, SIDE), SIDE) for method in methods if method in shown.maps}
        rows.append(
            {
                "end": end,
                "name": printable(_photo(found, place).name, WORDS),
                "explained": printable(
                    source.label or (source.target if source.index is None else f"class {source.index}"), WORDS
                ),
                "photo": shown.photo and Thumbnail.of(shown.photo, SIDE),
                "cells": [(method, drawn.get(method), _number(found, place, method, GRID)) for method in methods],
            }
        )
    return rows


def _pictures(maps: Any) -> dict[str, Thumbnail | None]:
    """The picture of each method's map, and under "" the photo as it is, None of what is no photo."""
    drawn: dict[str, Thumbnail | None] = {method: Thumbnail.of(each.drawn(), SIDE) for method, each in maps.items()}
    return {"": _plain(next(iter(maps.values()))), **drawn}


def _plain(heatmap: Heatmap) -> Thumbnail | None:
    if heatmap.image is None:
        return None
    pixels = np.asarray(heatmap.image)
    return Thumbnail.of(Image.fromarray(pixels), SIDE) if pixels.dtype == np.uint8 and pixels.ndim in (2, 3) else None


def _number(found: MethodComparison, place: int, method: str, criterion: str) -> str:
    value = _photo(found, place).values.get((method, criterion))
    return "" if value is None else f"{value:.3f}"


def _bars(ranks: Sequence[MethodRank]) -> list[dict[str, Any]]:
    """A row for each method: its mean and interval as places on a common scale, in per cent, and what is told of the best."""
    low, high = min(0.0, *(rank.low for rank in ranks)), max(rank.high for rank in ranks)
    span = (high - low) or 1.0
    return [
        {
            "method": rank.method,
            "kind": "control" if rank.control else "first" if rank.first else "tied" if rank.tied else "told",
            "text": f"{rank.mean:.3f} ({rank.low:.3f} to {rank.high:.3f})",
            "photos": rank.photos,
            "left": f"{100 * (rank.low - low) / span:.2f}",
            "width": f"{100 * (rank.high - rank.low) / span:.2f}",
            "mean": f"{100 * (rank.mean - low) / span:.2f}",
            "zero": f"{-100 * low / span:.2f}",
            "told": _told(rank),
        }
        for rank in ranks
    ]


def _told(rank: MethodRank) -> str:
    """How a method stands to the best, in words."""
    if rank.first:
        return "the best"
    if rank.to_best is None:
        return ""
    by = rank.to_best
    said = f"{by.mean:+.3f} to the best ({by.low:+.3f} to {by.high:+.3f}), p {by.p:.2g}"
    if rank.control or by.settled:
        return said
    more = f"{by.further:,} more photos would settle it" if by.further else "no feasible number of photos would settle it"
    return f"tied: {said}; {more}"


def _template() -> Any:
    text = files("seewhy.report").joinpath("compared.html.j2").read_text("utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
