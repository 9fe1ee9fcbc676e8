"""Ground truth on the command line: what is asked because of it, and what is said of each photo.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .inputs import kind_of
from .printing import say

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap
    from seewhy.truth.accuracy import Judgement
    from seewhy.truth.evidence import EvidenceShare
    from seewhy.truth.given import GivenTruth, GroundTruth

TRUTH = "truth"  # the target that stands for what a photo truly shows
EMPTY = "its mask marks nothing"

TRUTH_OPTIONS = (
    click.option(
        "--truth",
        metavar="FILE|folders",
        help="What the photos show: a table (CSV) of files and labels, or `folders`, where each photo lies in one named by its "
        "label. Wrong answers are marked, explained for the answer and the truth, and come first on the sheet.",
    ),
    click.option(
        "--boxes",
        type=click.Path(path_type=Path, exists=True),
        metavar="FILE",
        help="Where the objects are: a table (file,x0,y0,x1,y1,label), COCO's JSON, or a folder of VOC's XML; how much of the "
        "evidence lies there is said.",
    ),
    click.option(
        "--masks",
        type=click.Path(path_type=Path, exists=True),
        metavar="FOLDER",
        help="The same by masks: pictures, or volumes on the scan's grid, named like the images.",
    ),
)


def truth_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --truth, --boxes and --masks."""
    for option in reversed(TRUTH_OPTIONS):
        command = option(command)
    return command


class FoundEvidence(NamedTuple):
    """How much of one map's evidence lies on the object, or why that is not known."""

    words: str  # "the box of tabby"
    share: "EvidenceShare | None"
    remark: str = ""

    def __str__(self) -> str:
        return f"in {self.words}: {self.share}" if self.share is not None else self.remark

    @property
    def facts(self) -> dict[str, Any]:
        """For JSON."""
        share = self.share
        if share is None:
            return {"in": self.words, "error": self.remark}
        return {"in": self.words, **{name: getattr(share, name) for name in ("share", "area", "ratio", "hit", "seen")}}


class KnownPhoto(NamedTuple):
    """What is known of one photo beforehand, and how the answer compares with it."""

    classes: tuple[int, ...] = ()  # empty where none is known
    judgement: "Judgement | None" = None
    targets: tuple[str, ...] = ()  # of maps that were made because these are its classes
    words: str = ""  # what follows the answer on the photo's line
    facts: Mapping[str, Any] = {}  # for JSON

    @property
    def wrong(self) -> bool:
        """Is the answer known to be wrong?"""
        return self.judgement is not None and not self.judgement.right


class TruthAsked:
    """What is asked and said of the photos of one run because of what is known of them.

    given: by --truth, --boxes and --masks; named: is `truth` among the targets?  alone: are there no others?
    usual: did the person leave the targets to seewhy, so that wrong answers are explained for the truth, too?
    """

    def __init__(self, given: "GivenTruth", targets: Sequence[str], usual: bool) -> None:
        self.given, self.usual = given, usual
        self.named, self.alone = TRUTH in targets, {*targets} == {TRUTH}
        self.known: GroundTruth | None = None
        self.labels: Any = None
        self.judged: list[Judgement] = []
        self.without: list[str] = []  # photos whose classes are not known
        self.evidence: dict[str, list[EvidenceShare]] = defaultdict(list)  # by what the maps are of
        self.unmarked: list[str] = []  # photos whose object is not known
        self.nothing: list[str] = []  # photos whose mask marks nothing
        self.answers: dict[str, int] = {}  # what the model took each photo for, by the index of the class
        self.kind = "photos"  # what they are, in a word
        self.told = 0  # photos with maps

    @classmethod
    def read(
        cls, truth: str | None, boxes: Path | None, masks: Path | None, targets: Sequence[str], usual: bool
    ) -> "TruthAsked":  # fmt: skip
        """Read the files.  Raises BadParameter where one is not what it should be, or `truth` is a target without --truth."""
        from seewhy.errors import BadParameter
        from seewhy.truth.given import GivenTruth

        if TRUTH in targets and truth is None:
            raise BadParameter(
                "The target truth is what --truth says of each photo: give --truth labels.csv, or --truth folders."
            )
        return cls(GivenTruth.read(truth, boxes, masks), targets, usual)

    @property
    def labelled(self) -> bool:
        """Was --truth given?"""
        return self.given.folders or self.given.entries is not None

    @property
    def marked(self) -> bool:
        """Were --boxes or --masks given?"""
        return self.given.boxes is not None or self.given.masks is not None

    def match(self, photos: Sequence[str], labels: Any) -> None:
        """Find out what concerns which photo and which class.  Raises BadParameter where labels are not the model's."""
        self.known, self.labels = self.given.of(photos, labels), labels
        self.kind = "photos" if kind_of(photos) == "photos" else "images"
        for remark in self.known.remarks:
            say(f"seewhy: {remark}", err=True)

    def classes(self, file: str) -> tuple[int, ...]:
        """The classes that a photo truly shows; empty where they are not known."""
        return self.known.classes.get(file, ()) if self.known else ()

    def targets(self, file: str, targets: Sequence[Any]) -> list[Any]:
        """What is explained of a photo: the targets asked for, and where `truth` is among them, its classes."""
        from seewhy.api import Top

        own = [*targets, *(self.classes(file) if self.named else ())]
        return own or [Top()]  # where nothing but an unknown truth is asked for, the answer

    def judge(self, file: str, predicted: Any, ranked: Callable[[Sequence[int]], int | None]) -> KnownPhoto:
        """The answer beside the truth.  ranked: the rank of the likeliest of some classes; asked of wrong answers."""
        from seewhy.truth.accuracy import Judgement

        if not self.labelled:
            return KnownPhoto()
        if predicted is not None:
            self.answers[file] = predicted.index
        classes, judgement, targets = self.classes(file), None, list[int]()
        if classes and predicted is not None:
            right = predicted.index in classes
            judgement = Judgement(classes, predicted.index, None if right else ranked(classes))
            targets = [*classes] if self.named or (self.usual and not right) else []
        words, facts = _words(classes, judgement, self.labels), _facts(classes, judgement, self.labels)
        return KnownPhoto(classes, judgement, tuple(map(str, targets)), words, facts)

    def further(self, photo: KnownPhoto) -> list[int]:
        """The classes that are explained only now that the answer turned out to be wrong."""
        return [*photo.classes] if self.usual and photo.wrong else []

    def evidence_of(self, file: str, maps: "Sequence[Heatmap]") -> list[list[FoundEvidence]]:
        """Of each map of a photo, how much of its evidence lies in the photo's boxes and mask."""
        if not self.marked or self.known is None or not maps:
            return []
        found: list[list[FoundEvidence]] = [[] for _ in maps]
        known, image = self.known, maps[0].image
        mask = _tried("the mask", lambda: known.mask_mark(file, image))
        for heatmap, shares in zip(maps, found, strict=True):
            explained = heatmap.source.classes or [heatmap.source.index]
            boxes = _tried("the boxes", lambda explained=explained: known.box_mark(file, image, explained))
            for mark in (boxes, mask):
                if isinstance(mark, FoundEvidence):
                    shares.append(mark)
                elif mark is not None and mark.empty:
                    shares.append(FoundEvidence(mark.words, None, EMPTY))
                elif mark is not None:
                    share = _tried(mark.words, lambda m=mark, h=heatmap: h.evidence_in(m.boxes, m.mask))
                    shares.append(share if isinstance(share, FoundEvidence) else FoundEvidence(mark.words, share))
        return found

    def count_answer(self, file: str, photo: KnownPhoto) -> None:
        """Keep the answer to a photo for the summary."""
        self.told += 1
        if photo.judgement is not None:
            self.judged.append(photo.judgement)
        elif self.labelled and not photo.classes:
            self.without.append(file)

    def count(self, file: str, photo: KnownPhoto, maps: "Sequence[Heatmap]", evidence: Sequence[list[FoundEvidence]]) -> None:
        """Keep what came of a photo for the summary."""
        from seewhy.maps.source import layer_words

        self.count_answer(file, photo)
        for heatmap, shares in zip(maps, evidence or [[]] * len(maps), strict=True):
            source = heatmap.source
            target = TRUTH if source.target in photo.targets else source.target
            target = f"class {target}" if target.isdecimal() else target
            for each in shares:
                if each.share is not None:
                    kind = "masks" if each.words == "the mask" else "boxes"
                    self.evidence[f"{kind}, {source.method} for {target} at {layer_words(source.layer)}"].append(each.share)
        found = [each for shares in evidence for each in shares]
        if self.marked and not any(each.share for each in found):
            (self.nothing if any(each.remark == EMPTY for each in found) else self.unmarked).append(file)


def _tried(words: str, work: Callable[[], Any]) -> Any:
    """What the work gives; what it cannot do on this photo becomes a remark, and the photo's maps are not lost."""
    from seewhy.errors import BadImage, Misuse

    try:
        return work()
    except (Misuse, BadImage) as error:
        return FoundEvidence(words, None, f"{words}: {error}")


def _words(classes: Sequence[int], judgement: "Judgement | None", labels: Any) -> str:
    """What follows the answer on a photo's line."""
    from seewhy.truth.labels import named_classes

    if not classes:
        return "; no truth known"
    if judgement is not None and judgement.right:
        return "; right"
    rank = f", ranked {judgement.rank}" if judgement is not None and judgement.rank else ""
    return f"; truth {named_classes(classes, labels)}{rank}"


def _facts(classes: Sequence[int], judgement: "Judgement | None", labels: Any) -> dict[str, Any]:
    """What is known of a photo, for JSON."""
    from seewhy.targets.target import name_of

    return {
        "truth": [{"index": index, "label": name_of(labels, index)} for index in classes],
        "right": None if judgement is None else judgement.right,
        "truth_rank": None if judgement is None else 1 if judgement.right else judgement.rank,
    }
