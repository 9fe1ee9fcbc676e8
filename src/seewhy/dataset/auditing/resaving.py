"""Does the model use how files were saved?  Photos are saved anew, in memory, as those of the other side are: does the answer
follow?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import sqrt
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.metrics.planted.marks import PhotoPixels
from seewhy.metrics.regional.chance import LEVEL, sign_flips
from seewhy.printable import in_percent
from seewhy.truth.accuracy import Portion

from .audit_photos import AuditPhoto
from .planting import FEWEST, HALF, answers, portion_facts

FileTrait = Literal["compression", "size"]
PASSES = 3  # of each photo: as it is, saved as the other side is, saved as its own side is
LOSSLESS = 100.0  # stands for the quality of files that are no JPEGs
LESS = 0.9  # of the pixels of the other side: more of them is the same size


class Saving(NamedTuple):
    """How photos are saved anew.

    toward: photos of other classes are saved as the class's are; else the class's as those of the others are.  What was lost by
        compression or size cannot be had back, so only the side that has more can become like the other.
    to, own: JPEG qualities, or numbers of pixels, of the side that is imitated, and of the photos that are saved anew.
    """

    change: FileTrait
    toward: bool
    to: float
    own: float

    def apply(self, pixels: PhotoPixels, level: float) -> PhotoPixels:
        """A photo at a quality, or with so many pixels at most."""
        return compressed(pixels, level) if self.change == "compression" else scaled(pixels, level)

    def __str__(self) -> str:
        return f"as JPEG of quality {self.to:.0f}" if self.change == "compression" else f"with {self.to:.0f} pixels each"


@dataclass(frozen=True)
class ResavedPhotos:
    """What came of saving photos anew as those of the other side are.

    photos: of other classes, not taken for the class; or of the class, taken for it, where `saving.toward` is False.
    moved: of how many the answer became the class, or left it; control: the same where they were saved anew as their own side
        is, so that saving itself is no reason.
    rise: by how much more the class's score rose, or fell, than in the control, the mean over photos; low, high: its 95 %
        interval; p: how often chance gives as much, on either side; adjusted: for all parts and savings that were tried (Holm).
    """

    explained: str
    saving: Saving
    photos: int
    moved: Portion
    control: Portion
    rise: float
    low: float
    high: float
    p: float
    adjusted: float = 1.0

    @property
    def verdict(self) -> str:
        """follows: at least half of the answers, and more than in the control; rises: the score alone; stays."""
        if self.adjusted > LEVEL or self.rise <= 0:
            return "stays"
        return "follows" if self.moved.share >= HALF and self.moved.interval[0] > self.control.share else "rises"

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        numbers = {name: getattr(self, name) for name in ("photos", "rise", "low", "high", "p", "adjusted", "verdict")}
        shares = {"moved": portion_facts(self.moved), "control": portion_facts(self.control)}
        return {**self.saving._asdict(), **numbers, **shares}

    def __str__(self) -> str:
        toward = self.saving.toward
        said = {"follows": "the answer follows", "rises": "the score alone does", "stays": "the answer does not follow"}
        moves, changes = (f"become {self.explained}", "rises") if toward else (f"are {self.explained} no more", "falls")
        low, high = (in_percent(edge, 0) for edge in self.moved.interval)
        return (
            f"with {self.photos} photos of {'other classes' if toward else 'the class'} saved {self.saving}, as those of "
            f"{'the class' if toward else 'other classes'} are, {said[self.verdict]}: {self.moved.part} {moves} "
            f"({in_percent(self.moved.share, 0)}, {low} to {high}), saved as their own are {self.control.part}; the score "
            f"{changes} by {self.rise:.3g} ({self.low:.3g} to {self.high:.3g}) more"
        )


def change_of(fact: str) -> FileTrait | None:
    """What has to be changed of photos to see whether a model uses a fact of their files; None of a fact that nothing makes."""
    if fact in ("jpeg_quality", "bytes_per_pixel", "file_bytes") or fact.startswith("format "):
        return "compression"
    return "size" if fact in ("width", "height") or fact.startswith("size ") else None


def saving_of(change: FileTrait, own: Sequence[AuditPhoto], rest: Sequence[AuditPhoto]) -> Saving | None:
    """How to find it out of a class, whose photos are `own`; None where both sides were saved alike."""
    kind = _quality if change == "compression" else _pixels
    mine, others = (float(np.median([kind(photo) for photo in some])) for some in (own, rest))
    if change == "size" and min(mine, others) > LESS * max(mine, others):
        return None
    if mine == others:
        return None
    return Saving(change, True, mine, others) if mine < others else Saving(change, False, others, mine)


def resaved_photos(
    model: Any, index: int, explained: str, saving: Saving, photos: Sequence[PhotoPixels], seed: int = 0
) -> ResavedPhotos | None:
    """Save photos anew as the other side's are, and as their own side's are, and hold the answers against each other.

    index: of the class; photos: of other classes, or of the class, as `saving.toward` says.  None where fewer than 6 of them
    could show anything: those that are not taken for the class, or are.
    """
    taken = answers(model, photos).argmax(1) == index
    kept = [pixels for pixels, is_class in zip(photos, taken, strict=True) if is_class != saving.toward]
    if len(kept) < FEWEST:
        return None
    scores = np.stack([answers(model, [saving.apply(pixels, level) for pixels in kept]) for level in (saving.to, saving.own)])
    moved = (scores.argmax(2) == index) == saving.toward  # (2, n)
    return _resaved(explained, saving, moved, scores[0, :, index] - scores[1, :, index], seed)


def _resaved(explained: str, saving: Saving, moved: NDArray[np.bool_], rises: Floats, seed: int) -> ResavedPhotos:
    gains = rises if saving.toward else -rises
    count = len(gains)
    low, high = middle(resampled(gains[:, None], seed)[:, 0] / count, count)
    treated, control = (Portion(int(row.sum()), count) for row in moved)
    p = sign_flips(gains, seed=seed)
    return ResavedPhotos(explained, saving, count, treated, control, float(gains.mean()), low, high, p)


def compressed(pixels: PhotoPixels, quality: float) -> PhotoPixels:
    """A photo as JPEG of that quality has it; as it is at LOSSLESS."""
    if quality >= LOSSLESS:
        return pixels
    with BytesIO() as file:
        Image.fromarray(pixels).save(file, "JPEG", quality=max(1, round(quality)))
        return np.asarray(Image.open(file))


def scaled(pixels: PhotoPixels, count: float) -> PhotoPixels:
    """A photo of about so many pixels, with the sides' own ratio; as it is where it has no more."""
    height, width = pixels.shape[:2]
    shrink = sqrt(count / (height * width))
    if shrink >= 1:
        return pixels
    sides = max(1, round(width * shrink)), max(1, round(height * shrink))
    return np.asarray(Image.fromarray(pixels).resize(sides, Image.Resampling.LANCZOS))


def _quality(photo: AuditPhoto) -> float:
    quality: float = photo.facts["jpeg_quality"]
    return LOSSLESS if np.isnan(quality) else quality


def _pixels(photo: AuditPhoto) -> float:
    return photo.facts["width"] * photo.facts["height"]
