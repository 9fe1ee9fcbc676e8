"""What was suspected, pasted onto photos of other classes: does the answer follow?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.images.places import Extent
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.metrics.regional.chance import LEVEL, sign_flips
from seewhy.metrics.regional.frames import Shares, on_photo
from seewhy.printable import in_percent
from seewhy.truth.accuracy import Portion

DONORS, RECIPIENTS, FEWEST = 4, 24, 6  # photos that a part is cut from, and pasted onto; fewer of these tell nothing
PASSES = 4  # of each recipient: as it is, with the part, with a part of another class, with the part elsewhere
HALF = 0.5  # of the recipients whose answer has to follow
TRIES = 40  # places elsewhere that are drawn, of which the one that overlaps least is taken

SeenPhoto = tuple[NDArray[np.uint8], Extent]  # pixels (h, w, 3), and the part of them that the network sees


class Donor(NamedTuple):
    """A photo that parts are cut from: its pixels, and where the parts lie, in shares of what the network saw."""

    seen: SeenPhoto
    boxes: tuple[Shares, ...]


@dataclass(frozen=True)
class PlantedPart:
    """What came of pasting a part of a class's photos onto photos of other classes.

    photos: of other classes, which were not taken for the class.
    follows: of how many the answer became the class with the part; random: with what another photo, of another class than
        this one, has at the same place; elsewhere: with the part at another place, None where there is no other.
    rise: by how much more the class's score rose with the part than with the other photo's, the mean over photos; low, high:
        its 95 % interval; p: how often chance gives as much, on either side; adjusted: for all parts that were pasted (Holm).
    shown: a photo, and the same with the part, with the other photo's, and with the part elsewhere, each with its answer.
    """

    explained: str
    photos: int
    follows: Portion
    random: Portion
    elsewhere: Portion | None
    rise: float
    low: float
    high: float
    p: float
    adjusted: float = 1.0
    shown: tuple[tuple[Image.Image, str], ...] = field(default=(), repr=False, compare=False)

    @property
    def verdict(self) -> str:
        """follows: at least half of the answers, and more than by another part; rises: the score alone; stays."""
        if self.adjusted > LEVEL or self.rise <= 0:
            return "stays"
        return "follows" if self.follows.share >= HALF and self.follows.interval[0] > self.random.share else "rises"

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON, but for the pictures."""
        numbers = {name: getattr(self, name) for name in ("photos", "rise", "low", "high", "p", "adjusted", "verdict")}
        shares = {name: portion_facts(getattr(self, name)) for name in ("follows", "random", "elsewhere")}
        return {**numbers, **shares}

    def __str__(self) -> str:
        said = {"follows": "the answer follows", "rises": "the score rises, the answer seldom follows",
                "stays": "the answer does not follow"}[self.verdict]  # fmt: skip
        part, low, high = self.follows, *self.follows.interval
        else_ = "" if self.elsewhere is None else f", at another place on {self.elsewhere.part}"
        return (
            f"pasted onto {self.photos} photos of other classes, {said}: {part.part} become {self.explained} "
            f"({in_percent(part.share, 0)}, {in_percent(low, 0)} to {in_percent(high, 0)}), with the same place of another "
            f"class's photo {self.random.part}{else_}; "
            f"the score rises by {self.rise:.3g} ({self.low:.3g} to {self.high:.3g}) more"
        )


def portion_facts(portion: Portion | None) -> dict[str, Any] | None:
    """A share with its interval, for JSON."""
    if portion is None:
        return None
    low, high = portion.interval
    return {"count": portion.part, "of": portion.of, "share": portion.share, "low": low, "high": high}


def planted_part(
    model: Any, index: int, explained: str, donors: Sequence[Donor], others: Sequence[SeenPhoto],
    recipients: Sequence[SeenPhoto], name: Callable[[int], str], seed: int = 0,
) -> PlantedPart | None:  # fmt: skip
    """Paste parts of the donors onto the recipients, and see whether the answer becomes the class of that index.

    index: of the donors' class; others: photos of other classes than that, of which the same place is cut for comparison.
    name: of a class, for pictures.  None where fewer than 6 recipients are taken for anything else than the class.
    """
    rng = np.random.default_rng(seed)
    taken = answers(model, [pixels for pixels, _ in recipients])
    kept = [place for place, scores in enumerate(taken) if scores.argmax() != index]
    if len(kept) < FEWEST or not donors or not others:
        return None
    rows, shown = list[NDArray[np.float64]](), tuple[tuple[Image.Image, str], ...]()
    moved = bool(len(donors[0].boxes) == 1)
    for number, place in enumerate(kept):
        donor, other = donors[number % len(donors)], others[number % len(others)]
        to = recipients[place]
        changed = [pasted(to, donor.seen, donor.boxes), pasted(to, other, donor.boxes)]
        if moved:
            changed.append(pasted(to, donor.seen, donor.boxes, [elsewhere(donor.boxes[0], rng)]))
        scores = answers(model, changed)
        best = scores.argmax(1)
        rows.append(np.concatenate([best == index, [taken[place][index]], scores[:, index]]))
        if not shown or (best[0] == index and shown[1][1] != name(index)):
            images = [Image.fromarray(pixels) for pixels in (to[0], *changed)]
            shown = tuple(zip(images, [name(int(i)) for i in (taken[place].argmax(), *best)], strict=True))
    table, ways = np.array(rows, np.float64), 3 if moved else 2
    return _part(explained, table[:, :ways], table[:, ways + 1 :], shown, seed)


def _part(explained: str, became: Floats, scores: Floats, shown: Any, seed: int) -> PlantedPart:
    count = len(became)
    gains = scores[:, 0] - scores[:, 1]
    low, high = middle(resampled(gains[:, None], seed)[:, 0] / count, count)
    portions = [Portion(int(column.sum()), count) for column in became.T]
    return PlantedPart(
        explained, count, portions[0], portions[1], portions[2] if len(portions) > 2 else None,
        float(gains.mean()), low, high, sign_flips(gains, seed=seed), shown=shown,
    )  # fmt: skip


def pasted(
    to: SeenPhoto, source: SeenPhoto, boxes: Sequence[Shares], at: Sequence[Shares] | None = None
) -> NDArray[np.uint8]:  # fmt: skip
    """A copy of a photo with parts of another one, at the same places of what the network sees, or at others.

    boxes: of the parts in the source; at: in the photo, by default the same.
    """
    out = to[0].copy()
    for box, place in zip(boxes, at or boxes, strict=True):
        left, top, right, bottom = _pixels(on_photo(place, to[1]), to[0])
        cut = Image.fromarray(source[0]).crop(_pixels(on_photo(box, source[1]), source[0]))
        out[top:bottom, left:right] = np.asarray(cut.resize((right - left, bottom - top), Image.Resampling.BILINEAR))
    return out


def _pixels(where: Extent, photo: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Edges in whole pixels within a photo, at least one of them."""
    height, width = photo.shape[:2]
    left, top = (min(max(0, round(edge)), most - 1) for edge, most in ((where.left, width), (where.top, height)))
    right, bottom = min(max(left + 1, round(where.right)), width), min(max(top + 1, round(where.bottom)), height)
    return left, top, right, bottom


def elsewhere(box: Shares, rng: np.random.Generator) -> Shares:
    """A box of the same size at another place: of those that are drawn, one that overlaps it least."""
    wide, high = box[2] - box[0], box[3] - box[1]
    lefts, tops = rng.uniform(0, 1 - wide, TRIES), rng.uniform(0, 1 - high, TRIES)
    overlap = np.maximum(0, wide - abs(lefts - box[0])) * np.maximum(0, high - abs(tops - box[1]))
    at = int(overlap.argmin())
    return float(lefts[at]), float(tops[at]), float(lefts[at] + wide), float(tops[at] + high)


def answers(model: Any, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """The scores of photos (h, w, 3), which may be of several sizes: (n, k)."""
    return np.concatenate([np.asarray(batch, np.float64) for batch in _answers(model, photos)])


def _answers(model: Any, photos: Sequence[NDArray[np.uint8]]) -> Iterator[Any]:
    for batch in model.batches([*photos]):
        yield model.answer(batch.x).scores
