"""Where the evidence of many photos lies, as one record: a table, JSON, CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.comparison.table import cell
from seewhy.errors import NoSuchName, closest
from seewhy.json_text import as_json
from seewhy.maps.heatmaps import Failed
from seewhy.maps.saving import sheet_png
from seewhy.printable import in_percent, printable

from .photos import MeanMap
from .picture import evidence_picture
from .search import FEWEST, EvidencePile
from .shares import RegionShare

NOTE = (
    "evidence is the positive part of each map; MORE or less than its area: p, adjusted for all tests (Holm), is 0.05 at most"
)


@dataclass(frozen=True, eq=False)
class EvidenceReport:
    """Where the evidence of a model's maps of many photos lies.

    model, method, target: what was asked.  rows: the share in each region that was named, of each class and cell of the
    confusion matrix; piles: the regions where evidence piles up, None where nobody searched.
    classes: the class that the maps explain -> of how many photos; mean_maps: the same -> the mean of their maps over the part
        that the network saw, (128, 128), summing to 1.
    searched: the classes with enough photos, where a search was asked for.
    failed: photos that could not be explained; notes: what is to be known of the whole.
    """

    model: str
    method: str
    target: str
    photos: int
    rows: tuple[RegionShare, ...]
    piles: tuple[EvidencePile, ...] | None
    classes: Mapping[str, int]
    mean_maps: Mapping[str, NDArray[np.float64]] = field(repr=False)
    searched: tuple[str, ...] = ()
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON, but for the mean maps."""
        failed = [left.facts for left in self.failed]
        head = {name: getattr(self, name) for name in ("model", "method", "target", "photos", "classes", "searched", "notes")}
        found = None if self.piles is None else [pile.facts for pile in self.piles]
        return {**head, "regions": [row.facts for row in self.rows], "search": found, "failed": failed}

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def to_csv(self) -> str:
        """A row for each class or cell in each region, one for each region that was found; numbers with all their digits."""
        rows = [row.facts for row in self.rows]
        for pile in self.piles or ():
            facts = {name: value for name, value in pile.facts.items() if name not in ("boxes", "examples")}
            rows.append({"within": f"found: {pile.place}", **facts, "times": pile.share / pile.area, "verdict": "more"})
        text = io.StringIO()
        writer = csv.DictWriter(text, [*dict.fromkeys(key for row in rows for key in row)] or ["within"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: cell(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows)
        return text.getvalue()

    def table(self, most: int | None = None) -> Iterator[tuple[str, ...]]:
        """A head, then the rows in words, of each region `most` at the most."""
        yield "region", "class", "photos", "evidence", "95 % interval", "area", "times", "others", "adjusted p", ""
        told = dict[str, int]()
        for row in self.rows:
            told[row.within] = told.get(row.within, 0) + 1
            if most is None or told[row.within] <= most:
                yield _words(row)

    def __str__(self) -> str:
        lines = ["  ".join(row).rstrip() for row in self.table()] if self.rows else []
        return "\n".join([*lines, *self.found()])

    def found(self) -> list[str]:
        """What the search found, in sentences; none where nobody searched."""
        if self.piles is None:
            return []
        if not self.searched:
            return [f"nothing was searched: no class has {FEWEST} photos with evidence, beside as many of all other classes"]
        kinds = f"{len(self.searched)} class{'es' * (len(self.searched) != 1)}"
        nothing = f"searched {kinds}: no region was found where the evidence of one piles up beyond that of the others"
        return [f"found: {pile}" for pile in self.piles] or [nothing]

    def picture(self, explained: str) -> Image.Image:
        """The mean map of a class beside that of all others on one scale, and photos that show it, with the regions outlined in
        which its evidence piles up or, of those that were named, is more than the area: RGB, over a caption.

        Raises NoSuchName for a class of which there is no map with evidence.
        """
        if explained not in self.mean_maps:
            there_are = f"There are: {printable(', '.join(self.mean_maps), 300)}."
            raise NoSuchName("class", explained, closest(explained, [*self.mean_maps]), there_are)
        piles = [pile for pile in self.piles or () if pile.explained == explained]
        rows = [row for row in self.rows if row.explained == explained and row.verdict == "more" and not row.truth]
        return evidence_picture(explained, self.mean_maps, self.classes, piles, rows)

    def save_picture(self, explained: str, path: str | Path) -> Path:
        """Write the `picture` of a class as .png, which says what it is.  Raises as that, and NotWritten where that fails."""
        with replacing(Path(path)) as beside:
            beside.write_bytes(sheet_png(self.picture(explained)))
        return Path(path)

    @property
    def suspects(self) -> tuple[str, ...]:
        """The classes whose evidence piles up somewhere, or is more than the area in a region that was named."""
        rows = [
            row.explained for row in self.rows if row.verdict == "more" and row.explained in self.mean_maps and not row.truth
        ]
        return tuple(dict.fromkeys([*(pile.explained for pile in self.piles or ()), *rows]))

    def __repr__(self) -> str:
        found = "" if self.piles is None else f", {len(self.piles)} regions found"
        return f"<EvidenceReport of {self.photos} photos, {self.method} of {self.model}: {len(self.rows)} shares{found}>"


def means_of(means: Mapping[str, MeanMap]) -> dict[str, NDArray[np.float64]]:
    """The mean maps of the classes that have any evidence."""
    return {name: mean.values for name, mean in means.items() if mean.count}


def _words(row: RegionShare) -> tuple[str, ...]:
    span = "-" if row.low is None or row.high is None else f"{in_percent(row.low)} to {in_percent(row.high)}"
    times = "-" if row.times is None else f"x {row.times:.3g}"
    others = "-" if row.others is None else in_percent(row.others)
    sure = "-" if row.adjusted is None else f"{row.adjusted:.2g}"
    said = {"few": "too few photos to tell", "unsure": "", "more": "MORE", "less": "less"}[row.verdict]
    return row.within, row.who, str(row.photos), in_percent(row.share), span, in_percent(row.area), times, others, sure, said
