"""What an audit found, as one record: sentences, JSON, CSV, pictures."""

import csv
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from seewhy.atomic import replacing
from seewhy.comparison.table import cell
from seewhy.errors import NoSuchName, closest
from seewhy.json_text import as_json
from seewhy.maps.heatmaps import Failed
from seewhy.maps.saving import sheet_png
from seewhy.metrics.regional.report import EvidenceReport
from seewhy.printable import printable

from .alike import AlikePlace
from .dependence import FactDependence
from .picture import audit_picture
from .suspects import Suspicion
from .verdicts import ORDER, ClassVerdict, class_verdicts, whole_verdict

COLUMNS = ("class", "photos", "verdict", "kind", "where", "share", "others", "area", "p", "same", "planted", "follows",
           "follows_low", "follows_high", "random", "elsewhere", "rise", "rise_low", "rise_high", "resaved",
           "says")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Audit:
    """Where a model may be right for the wrong reason, class by class.

    by: "truth" where a photo's class is what it truly shows, "prediction" where that is not known.
    photos: how many were explained, of `listed`; passes: how many images the network looked at.
    evidence: the shares of regions and the regions that were found; dependences: of all facts and classes; alike: places where
        pixels are alike; suspicions: what is told from chance of these, with what came of pasting it.
    failed: photos of which there is no map; interrupted: a person ended it, and what is known is told; notes: for the reader.
    """

    model: str
    method: str
    by: str
    photos: int
    listed: int
    passes: int
    evidence: EvidenceReport
    dependences: tuple[FactDependence, ...] = field(repr=False)
    alike: tuple[AlikePlace, ...] = field(repr=False)
    suspicions: tuple[Suspicion, ...] = field(repr=False)
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @cached_property
    def classes(self) -> tuple[ClassVerdict, ...]:
        """The verdict on each class, the worst first."""
        return class_verdicts(self.evidence.classes, self.suspicions)

    @property
    def verdict(self) -> str:
        """The worst verdict of all classes: shortcut, follows, suspect, data, clear or few."""
        found = {each.verdict for each in self.classes}
        return next(kind for kind in (*ORDER[:5], "few") if kind in found or kind == "few")

    @property
    def says(self) -> tuple[str, ...]:
        """One sentence on the whole, then a line for each class of which something is suspected."""
        whole = whole_verdict([each for each in self.classes if each.explained in self.evidence.classes], self.photos)
        return whole, *(str(each) for each in self.classes if each.suspicions)

    def __str__(self) -> str:
        return "\n".join(self.says)

    def __repr__(self) -> str:
        return f"<Audit of {self.model} over {self.photos} photos: {self.verdict}>"

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON, but for the pictures."""
        names = ("model", "method", "by", "photos", "listed", "passes", "verdict", "interrupted", "notes")
        return {
            **{name: getattr(self, name) for name in names}, "says": list(self.says),
            "classes": [each.facts for each in self.classes], "evidence": self.evidence.facts,
            "facts_of_photos": [each.facts for each in self.dependences], "alike": [each.facts for each in self.alike],
            "failed": [{"image": left.name, "error": str(left.error)} for left in self.failed],
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def to_csv(self) -> str:
        """A row for each suspicion, and for each class without any; numbers with all their digits."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*COLUMNS], lineterminator="\n")
        writer.writeheader()
        for each in self.classes:
            head = {"class": each.explained, "photos": each.photos}
            rows = [{**head, **_row(suspicion)} for suspicion in each.suspicions]
            for row in rows or [{**head, "verdict": each.verdict, "says": str(each)}]:
                writer.writerow({key: cell(value) if isinstance(value, str) else value for key, value in row.items()})
        return text.getvalue()

    def picture(self, explained: str) -> Image.Image:
        """What is suspected of a class: its mean map beside that of all others with the places outlined, photos that show them,
        and photos of other classes with it pasted on and what they are taken for then: RGB, over a caption.

        Raises NoSuchName for a class of which nothing can be shown.
        """
        if explained not in self.shown:
            there_are = f"Something is suspected of: {printable(', '.join(self.shown), 300) or 'none'}."
            raise NoSuchName("class", explained, closest(explained, [*self.shown]), there_are)
        own = [each for each in self.suspicions if each.explained == explained]
        return audit_picture(explained, self.evidence, own)

    @property
    def shown(self) -> tuple[str, ...]:
        """The classes of which there is a picture: something is suspected at a place of the frame."""
        return tuple(dict.fromkeys(
            each.explained for each in self.suspicions
            if each.explained in self.evidence.mean_maps and (each.boxes or each.planted)
        ))  # fmt: skip

    def save_picture(self, explained: str, path: str | Path) -> Path:
        """Write the `picture` of a class as .png, which says what it is.  Raises as that, and NotWritten where that fails."""
        with replacing(Path(path)) as beside:
            beside.write_bytes(sheet_png(self.picture(explained)))
        return Path(path)


def _row(suspicion: Suspicion) -> dict[str, Any]:
    """A suspicion as a row of CSV."""
    own = {name: getattr(suspicion, name) for name in ("verdict", "kind", "where", "share", "others", "area", "p")}
    own["says"] = str(suspicion)
    if suspicion.mark is not None:
        own["same"] = suspicion.mark.same
    if (saved := suspicion.resaved) is not None:
        low, high = saved.moved.interval
        own |= {
            "resaved": saved.photos, "follows": saved.moved.part, "follows_low": low, "follows_high": high,
            "random": saved.control.part, "rise": saved.rise, "rise_low": saved.low, "rise_high": saved.high,
        }  # fmt: skip
    if (part := suspicion.planted) is not None:
        low, high = part.follows.interval
        own |= {
            "planted": part.photos, "follows": part.follows.part, "follows_low": low, "follows_high": high,
            "random": part.random.part, "elsewhere": None if part.elsewhere is None else part.elsewhere.part,
            "rise": part.rise, "rise_low": part.low, "rise_high": part.high,
        }  # fmt: skip
    return own
