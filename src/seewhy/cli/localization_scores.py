"""How well the boxes and maps of a run find the true objects that --boxes and --masks mark.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .finding_options import BoxRule
from .printing import printable
from .question import PhotoMaps
from .truth import EMPTY, TruthAsked

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap
    from seewhy.metrics.localization.boxes import BoxScoring
    from seewhy.metrics.localization.pixels import PixelScoring
    from seewhy.truth.given import ObjectMark

SPLIT = 10  # photos from which on half of them choose a threshold for the other half; of fewer it is the best one of theirs


class ScoredPhoto(NamedTuple):
    """What is to be said of one photo because its true objects are known, and these."""

    said: tuple[str, ...] = ()
    boxes: "ObjectMark | None" = None
    mask: "ObjectMark | None" = None


class LocalizationScores:
    """Scores of one map a photo: of the class that it is known to show, else one that its true boxes are of, else the first.

    truth: what is known of the photos; rule: by which boxes are found.
    """

    def __init__(self, truth: TruthAsked, rule: BoxRule) -> None:
        self.truth, self.rule = truth, rule
        self.of_boxes: BoxScoring | None = None
        self.of_masks: PixelScoring | None = None
        self.boxes, self.masks = 0, 0  # photos that were scored
        self.unknown = 0  # photos whose object is not known
        self.of_answers = True  # is each map that was scored that of the answer?

    def add(self, file: str, found: PhotoMaps) -> "ScoredPhoto":
        """Score one photo: what is to be said of it, and where its objects truly lie."""
        from seewhy.errors import BadImage, Misuse

        if not self.truth.marked:
            return ScoredPhoto()
        heatmap, said, marks, count = self._of_known(file, found), list[str](), list[Any](), self.boxes + self.masks
        for what, mark_of, score in (
            ("the true boxes", self._true_boxes, self._boxes),
            ("the true mask", self._true_mask, self._mask),
        ):
            mark = None
            try:
                if (mark := mark_of(file, heatmap)) is not None:
                    said += [EMPTY] if mark.empty else score(heatmap, mark, found)
            except (Misuse, BadImage) as error:
                mark = None
                said.append(f"! {what}: {printable(error)}")
            marks.append(mark)
        self.unknown += self.boxes + self.masks == count
        if found.predicted is not None and self.boxes + self.masks > count:
            self.of_answers &= heatmap.source.index == found.predicted.index
        return ScoredPhoto(tuple(said), *marks)

    def _of_known(self, file: str, found: PhotoMaps) -> "Heatmap":
        """The map of a class that the photo is known to show; else of one that its true boxes are of; else the first."""
        known = self.truth.known
        marked = known.boxes.get(file) if known else None
        of_boxes = {known.box_classes.get(box.label or "") for box in marked.boxes} - {None} if known and marked else set()
        for classes in (found.known.classes, of_boxes):
            if own := [heatmap for heatmap in found.maps if heatmap.source.index in classes]:
                return own[0]
        return found.maps[0]

    def _true_boxes(self, file: str, heatmap: "Heatmap") -> "ObjectMark | None":
        explained = [*heatmap.source.classes] or [heatmap.source.index]
        return self.truth.known.box_mark(file, heatmap.image, explained) if self.truth.known else None

    def _true_mask(self, file: str, heatmap: "Heatmap") -> "ObjectMark | None":
        return self.truth.known.mask_mark(file, heatmap.image) if self.truth.known else None

    def _boxes(self, heatmap: "Heatmap", mark: "ObjectMark", found: PhotoMaps) -> list[str]:
        from seewhy.metrics.localization.boxes import BoxScoring

        self.of_boxes = self.of_boxes or BoxScoring(how=self.rule.of_map)
        judgement = found.known.judgement
        rank = None if judgement is None else 1 if judgement.right else judgement.rank
        overlap = self.of_boxes.add(heatmap, mark.boxes or [], rank)
        self.boxes += 1
        return [f"IoU {overlap:.2f} with {mark.words}"]

    def _mask(self, heatmap: "Heatmap", mark: "ObjectMark", _found: PhotoMaps) -> list[str]:
        from seewhy.metrics.localization.pixels import PixelScoring

        self.of_masks = self.of_masks or PixelScoring()
        self.of_masks.add(heatmap, mark.mask)
        self.masks += 1
        return []

    def lines(self) -> Iterator[str]:
        """Every score on a line, with its interval, its controls, and what chose its threshold."""
        instead = "IoU 0.5 of the answer's box" if self.of_answers else "IoU 0.5 of the box of a class asked for"
        for scoring, count in ((self.of_boxes, self.boxes), (self.of_masks, self.masks)):
            if scoring is not None and count:
                for score in scoring.scores(chosen_on=0.5 if count >= SPLIT else None):
                    named = score.name if self.truth.labelled else score.name.replace("GT-known", instead)
                    yield str(replace(score, name=named))
        if self.unknown:
            yield f"not scored, as no true object is known or fits: {self.unknown} of {self.truth.told} {self.truth.kind}"
