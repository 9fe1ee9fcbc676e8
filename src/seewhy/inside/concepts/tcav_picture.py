"""TCAV as one picture: a row for each concept at each layer, its score and its alignment over those of random concepts."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from PIL import Image, ImageDraw

from seewhy.pictures.lettering import Letters
from seewhy.printable import printable

INK, SOFT, LINE, BAND = "#1d1d22", "#63636e", "#dddde4", "#e4e4ec"
RAISES, LOWERS, UNTOLD = "#b2182b", "#2166ac", "#8a8a96"
WIDTH, EDGE, ROW = 940, 20, 30  # pixels: of all, around it, a row
SCORES, COSINES, WORDS = (220, 500), (560, 800), 832  # where the panels begin and end, and the numbers at the right begin
FINER = 4  # dots are drawn this many times larger, then reduced
LEGEND = (
    "Left: the share of photos whose score rises along the concept, and a line from the least to the greatest of the runs. "
    "Right: the mean cosine between the concept and the gradients of the photos' scores, which the test is of. Grey: 95 % of "
    "concepts of random examples. Red raises the score, blue lowers it; a hollow dot is not told from them (p above 0.05)."
)


class MeasureBar(NamedTuple):
    """A number, between which 95 % of those of random concepts lie, and where there are several, the least and the greatest."""

    value: float
    usual: tuple[float, float]
    between: tuple[float, float] | None = None


class ConceptBar(NamedTuple):
    """What a row shows."""

    concept: str
    layer: str
    score: MeasureBar
    alignment: MeasureBar
    p: float
    verdict: str


class PanelAxis(NamedTuple):
    """Which numbers lie where between two columns of pixels."""

    span: tuple[int, int]
    ends: tuple[float, float]
    ticks: tuple[float, ...]
    middle: float
    title: str

    def x(self, value: float) -> float:
        """The column of pixels that a number lies at."""
        return self.span[0] + (value - self.ends[0]) / (self.ends[1] - self.ends[0]) * (self.span[1] - self.span[0])


def tcav_picture(bars: Sequence[ConceptBar], heading: str, below: str) -> Image.Image:
    """The rows, layer by layer, under a heading: RGB.  below: what stands below all, in small letters."""
    layers = [each.layer for each in bars]
    groups = [
        (at, [*rows]) for at, rows in groupby(sorted(bars, key=lambda bar: layers.index(bar.layer)), lambda bar: bar.layer)
    ]
    title, small = Letters.of(heading, 18), Letters.of(below, 12)
    heads = title.wrapped(heading, WIDTH - 2 * EDGE)
    notes = [line for text in (LEGEND, below) for line in small.wrapped(printable(text), WIDTH - 2 * EDGE)]
    top = EDGE + len(heads) * title.line + 8
    bottom = top + sum(ROW + ROW * len(rows) for _, rows in groups)
    out = Image.new("RGB", (WIDTH, bottom + 48 + len(notes) * small.line + EDGE), "white")
    for place, line in enumerate(heads):
        title.write(out, (EDGE, EDGE + place * title.line), line, INK)
    axes = (PanelAxis(SCORES, (0, 1), (0, 0.25, 0.5, 0.75, 1), 0.5, "TCAV score"), _cosines(bars))
    for axis in axes:
        _grid(out, axis, top + ROW - 6, bottom)
    y = top
    for layer, rows in groups:
        words = Letters.of(layer, 13)
        words.write(out, (EDGE, y + ROW // 2), words.fitted(f"at {printable(layer)}", SCORES[0] - EDGE - 10), SOFT, "lm")
        for bar in rows:
            y += ROW
            _row(out, bar, y + ROW // 2, axes)
        y += ROW
    for place, line in enumerate(notes):
        small.write(out, (EDGE, bottom + 48 + place * small.line), line, SOFT)
    return out


def _cosines(bars: Sequence[ConceptBar]) -> PanelAxis:
    """An axis for all alignments, as far to one side as to the other."""
    most = max((abs(number) for bar in bars for number in (bar.alignment.value, *bar.alignment.usual)), default=1.0)
    end = next(end for end in (0.05, 0.1, 0.2, 0.5, 1.0, 1.1) if end >= most or end > 1)
    return PanelAxis(COSINES, (-end, end), (-end, -end / 2, 0, end / 2, end), 0, "alignment (cosine)")


def _grid(out: Image.Image, axis: PanelAxis, top: int, bottom: int) -> None:
    draw, letters = ImageDraw.Draw(out), Letters(12)
    for tick in axis.ticks:
        x = round(axis.x(tick))
        draw.line([(x, top), (x, bottom)], UNTOLD if tick == axis.middle else LINE, 1)
        letters.write(out, (x, bottom + 6), f"{tick:g}", SOFT, "ma")
    letters.write(out, (sum(axis.span) // 2, bottom + 24), axis.title, SOFT, "ma")


def _row(out: Image.Image, bar: ConceptBar, y: int, axes: tuple[PanelAxis, PanelAxis]) -> None:
    """The name, in each panel the band of random concepts and the dot, and p."""
    ink = {"raises": RAISES, "lowers": LOWERS}.get(bar.verdict, UNTOLD)
    name = Letters.of(bar.concept, 14)
    name.write(out, (EDGE + 12, y), name.fitted(printable(bar.concept), SCORES[0] - EDGE - 24), INK, "lm")
    draw = ImageDraw.Draw(out)
    for axis, measure in zip(axes, (bar.score, bar.alignment), strict=True):
        draw.rectangle([axis.x(measure.usual[0]) - 1, y - 9, axis.x(measure.usual[1]) + 1, y + 9], fill=BAND)
        if measure.between:
            draw.line([(axis.x(end), y) for end in measure.between], ink, 2)
        _dot(out, axis.x(measure.value), y, ink, hollow=not bar.verdict)
    Letters(13).write(out, (WORDS, y), f"p {bar.p:.2g}", INK if bar.verdict else SOFT, "lm")


def _dot(out: Image.Image, x: float, y: int, ink: str, hollow: bool) -> None:
    side = 16
    large = Image.new("L", (side * FINER, side * FINER))
    ends = [FINER, FINER, (side - 1) * FINER, (side - 1) * FINER]
    ImageDraw.Draw(large).ellipse(ends, 255)
    at = (round(x) - side // 2, y - side // 2)
    out.paste(ink, at, large.reduce(FINER))
    if hollow:
        inner = Image.new("L", large.size)
        ImageDraw.Draw(inner).ellipse([3 * FINER, 3 * FINER, (side - 3) * FINER, (side - 3) * FINER], 255)
        out.paste("white", at, inner.reduce(FINER))
