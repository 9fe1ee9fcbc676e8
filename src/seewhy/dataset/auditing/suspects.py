"""What is suspected of a class, and in words what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seewhy.metrics.regional.chance import LEVEL
from seewhy.metrics.regional.frames import Shares
from seewhy.metrics.regional.report import EvidenceReport
from seewhy.metrics.regional.search import TIMES
from seewhy.metrics.regional.shares import ALL
from seewhy.metrics.regional.within import frame_boxes
from seewhy.printable import in_percent

from .alike import AlikePlace
from .audit_photos import AuditPhoto
from .dependence import FactDependence
from .facts import RIM, words_of_fact
from .marks import SharedMark, central
from .planting import PlantedPart
from .resaving import ResavedPhotos

FAMILIES = 4  # kinds of checks: regions that are named, regions that are found, pixels that are alike, facts of files and rims
LEAST = 1.25  # of a region's area: less evidence there is of no use, however sure it is
RIM_BOXES = frame_boxes(f"border:{RIM}")


@dataclass(frozen=True)
class Suspicion:
    """Something that may give a class away.

    kind: "place" (evidence piles up there), "region" (more than its area, and than others have), "alike" (the pixels are alike
        and evidence lies there), "background" (the rim tells the class), "file" (the file does).
    where: the place or the fact, in words; why: the finding, in words.
    boxes: in shares of what the network saw; share, others, area: of the evidence there, in maps of other classes, of the area.
    p: adjusted for everything that was asked.  mark: whether the same thing lies there; planted: what came of pasting it;
        resaved: what came of saving photos anew, where their files tell the class; fact: of file or rim, by its name.
    """

    explained: str
    kind: str
    where: str
    why: str
    p: float
    boxes: tuple[Shares, ...] = ()
    share: float | None = None
    others: float | None = None
    area: float | None = None
    mark: SharedMark | None = None
    planted: PlantedPart | None = field(default=None, repr=False)
    resaved: ResavedPhotos | None = field(default=None, repr=False)
    fact: str = ""

    @property
    def verdict(self) -> str:
        """shortcut: the answer follows what is no object; follows: the answer follows what may be the object; suspect: it does
        not follow, or that was not tried; data: the data gives the class away, and nothing shows that the model uses it.

        Where photos of the class were saved as others are, the answer may leave the class because the object is not seen as
        well any more: suspect.
        """
        if self.resaved is not None and self.resaved.verdict == "follows":
            return "shortcut" if self.resaved.saving.toward else "suspect"
        follows = self.planted is not None and self.planted.verdict == "follows"
        if not follows:
            return "data" if self.kind in ("background", "file") else "suspect"
        no_object = self.kind in ("background", "alike") or (self.mark is not None and self.mark.same)
        return "shortcut" if no_object and not central(self.boxes) else "follows"

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        names = ("explained", "kind", "where", "why", "verdict", "p", "share", "others", "area")
        return {
            **{name: getattr(self, name) for name in names}, "boxes": [list(box) for box in self.boxes],
            "mark": None if self.mark is None else self.mark.facts,
            "planted": None if self.planted is None else self.planted.facts,
            "resaved": None if self.resaved is None else self.resaved.facts,
        }  # fmt: skip

    def __str__(self) -> str:
        said = [self.why]
        if self.mark is not None:
            said.append(str(self.mark))
        if self.planted is not None:
            said.append(str(self.planted))
        elif self.resaved is not None:
            said.append(str(self.resaved))
        elif self.kind not in ("file",):
            said.append("it was not pasted onto other photos")
        if self.verdict == "follows":
            said.append("it may be the object itself: look at the picture")
        return "; ".join(said)


class Checks(NamedTuple):
    """What the checks gave, before anything is pasted."""

    evidence: EvidenceReport
    dependences: tuple[FactDependence, ...]
    alike: tuple[AlikePlace, ...]


def suspicions(checks: Checks, photos: Sequence[AuditPhoto]) -> list[Suspicion]:
    """What is worth a trial, by class: places, regions, pixels that are alike, rims, files that are told from chance among the
    checks of their own kind.  `told` says which of these are, after their trial, told from chance among all that was asked.
    """
    return [*_places(checks.evidence), *_alike(checks.alike, photos), *_regions(checks.evidence), *_facts(checks.dependences)]


def told(suspicion: Suspicion) -> bool:
    """Is it to be told?  By its p of all checks, or because the answer followed when it was pasted, which is a test of its
    own.
    """
    return suspicion.p <= LEVEL or suspicion.verdict in ("shortcut", "follows")


def _places(report: EvidenceReport) -> list[Suspicion]:
    return [
        Suspicion(
            pile.explained, "place", pile.place,
            f"{in_percent(pile.share, 0)} ({in_percent(pile.low, 0)} to {in_percent(pile.high, 0)}) of the evidence lies at "
            f"{pile.place}, which are {in_percent(pile.area, 0)} of the area; "
            f"{in_percent(pile.others, 0)} in maps of other classes",
            of_all_kinds(pile.adjusted), pile.boxes, pile.share, pile.others, pile.area,
        )
        for pile in report.piles or ()
    ]  # fmt: skip


def _regions(report: EvidenceReport) -> list[Suspicion]:
    found = list[Suspicion]()
    for row in report.rows:
        beyond = row.others is None or row.share >= TIMES * row.others
        if row.truth or row.verdict != "more" or row.adjusted is None or not beyond:
            continue
        if row.share < LEAST * row.area or (row.explained == ALL and len(report.classes) < 2):
            continue
        span = "" if row.low is None or row.high is None else f" ({in_percent(row.low, 0)} to {in_percent(row.high, 0)})"
        others = "" if row.others is None else f"; {in_percent(row.others, 0)} in maps of other classes"
        share, area = in_percent(row.share, 0), in_percent(row.area, 0)
        why = f"{share}{span} of the evidence lies in {row.within}, which is {area} of the area{others}"
        boxes = frame_boxes(row.within)
        found.append(
            Suspicion(
                row.explained, "region", row.within, why, of_all_kinds(row.adjusted), boxes, row.share, row.others, row.area
            )
        )
    return found


def _alike(places: Sequence[AlikePlace], photos: Sequence[AuditPhoto]) -> list[Suspicion]:
    """The places of alike pixels in which the class's maps have at least TIMES the evidence of the area."""
    found = list[Suspicion]()
    for place in places:
        shares, others = (
            [place.share_of(photo.evidence.cells) for photo in photos
             if photo.evidence.cells is not None and (photo.explained == place.explained) is own]
            for own in (True, False)
        )  # fmt: skip
        area = float(place.cells.mean())
        share, rest = (sum(some) / len(some) if some else 0.0 for some in (shares, others))
        if share >= TIMES * area:
            why = f"{place}; {in_percent(share, 0)} of the evidence lies there, {in_percent(area, 0)} of the area"
            found.append(
                Suspicion(place.explained, "alike", place.place, why, of_all_kinds(place.p), (place.box,), share, rest, area)
            )
    return found


def _facts(dependences: Sequence[FactDependence]) -> list[Suspicion]:
    """The facts that tell a class; of its rim, the one that does best, for they are pasted as one."""
    found, rims = list[Suspicion](), set[str]()
    for fact in dependences:
        if not fact.tells or (fact.background and fact.explained in rims):
            continue
        if fact.background:
            rims.add(fact.explained)
        kind = "background" if fact.background else "file"
        boxes = RIM_BOXES if fact.background else ()
        p = of_all_kinds(fact.p)
        found.append(Suspicion(fact.explained, kind, words_of_fact(fact.fact), str(fact), p, boxes, fact=fact.fact))
    return found


def of_all_kinds(adjusted: float) -> float:
    """A p that is adjusted for the checks of its own kind, adjusted for all kinds of checks, too (Bonferroni)."""
    return min(1.0, adjusted * FAMILIES)
