"""Pictures for papers, SVG and PDF: the pixels of the map, and below them its legend, whose text is text.

Both carry the Source, in forms that are found without a parser of theirs, and have the same bytes whenever they are made.
"""

import io
import re
from base64 import b64decode, b64encode
from html import escape, unescape

from PIL import Image

from seewhy.errors import MissingExtra
from seewhy.pictures.legend import Legend
from seewhy.pictures.lettering import Letters

from .made_here import PDF, SVG
from .source import Source

ANCHORS = {"l": "start", "m": "middle", "r": "end"}
POINTS = 0.75  # of a pixel on paper, of which an inch has 96
FINE = 4  # times larger the colour bar is drawn


def svg(picture: Image.Image, legend: Legend | None, source: Source) -> bytes:
    """The picture and its legend as an SVG file."""
    width, height, left = _laid_out(picture, legend)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{escape(str(source))}</title>",
        f"{SVG.decode()}{escape(source.to_json(), quote=False)}</metadata>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _embedded(picture, (left, 0, left + picture.width, picture.height)),
    ]
    if legend and legend.look:
        bar = legend.bar[0], legend.bar[1] + picture.height, legend.bar[2], legend.bar[3] + picture.height
        parts.append(_embedded(_bar(legend), bar))
    for mark in legend.texts if legend else ():
        letters = legend.letters  # type: ignore[union-attr]
        drawn = letters.shown(mark.text) == mark.text.replace("\u00a0", " ")
        wide = f' textLength="{letters.width(mark.text):.2f}" lengthAdjust="spacingAndGlyphs"' if drawn else ""
        place = f'x="{mark.x:g}" y="{picture.height + mark.y + letters.ascent:g}" text-anchor="{ANCHORS[mark.anchor[0]]}"'
        font = f'font-family="Aileron, Helvetica, Arial, DejaVu Sans, sans-serif" font-size="{letters.size}"'
        parts.append(f"<text {place} {font}{wide}>{escape(mark.text)}</text>")
    return "\n".join([*parts, "</svg>", ""]).encode()


def source_in_svg(content: bytes) -> str:
    """The text of the Source.  Raises KeyError without it."""
    start, end = content.find(SVG), content.find(b"</metadata>")
    if not 0 <= start < end:
        raise KeyError(SVG)
    return unescape(content[start + len(SVG) : end].decode())


def pdf(picture: Image.Image, legend: Legend | None, source: Source) -> bytes:
    """The picture and its legend as a PDF file of one page.  Raises MissingExtra without reportlab."""
    try:
        from reportlab.lib.utils import ImageReader  # here, for it is an extra, and takes a while to import
        from reportlab.pdfgen.canvas import Canvas
    except ImportError:
        raise MissingExtra("reportlab", "pdf") from None
    width, height, left = _laid_out(picture, legend)
    page = Canvas("", (width * POINTS, height * POINTS), pageCompression=1, invariant=1)
    page.setTitle(source.caption)
    page.setAuthor("")
    page.setCreator("seewhy")
    page.setSubject(str(source))
    page.setKeywords(PDF.decode()[1:] + b64encode(source.to_json().encode()).decode())
    page.scale(POINTS, POINTS)
    page.drawImage(ImageReader(picture.convert("RGB")), left, height - picture.height, picture.width, picture.height)
    if legend:
        top = height - picture.height
        if legend.look:
            x, y, right, bottom = legend.bar
            page.drawImage(ImageReader(_bar(legend)), x, top - bottom, right - x, bottom - y)
        letters, font = _pdf_font(legend.letters)
        for mark in legend.texts:
            shown, length = letters.shown(mark.text), letters.width(mark.text)
            line = page.beginText(mark.x - length * {"l": 0, "m": 0.5, "r": 1}[mark.anchor[0]], top - mark.y - letters.ascent)
            line.setFont(font, letters.size)
            line.setHorizScale(100 * length / (page.stringWidth(shown, font, letters.size) or 1))
            line.textOut(shown)
            page.drawText(line)
    return page.getpdfdata()


def source_in_pdf(content: bytes) -> str:
    """The text of the Source.  Raises KeyError without it."""
    found = re.search(re.escape(PDF) + rb"([A-Za-z0-9+/=\s\\]+)\)", content)
    if not found:
        raise KeyError(PDF)
    return b64decode(re.sub(rb"[\s\\]", b"", found[1])).decode()


def _laid_out(picture: Image.Image, legend: Legend | None) -> tuple[int, int, int]:
    """Width and height of the page, and how far from its left edge the picture stands."""
    width = legend.width if legend else picture.width
    return width, picture.height + (legend.height if legend else 0), (width - picture.width) // 2


def _bar(legend: Legend) -> Image.Image:
    left, top, right, bottom = legend.bar
    return legend.coloured((FINE * (right - left), FINE * (bottom - top)))


def _embedded(picture: Image.Image, box: tuple[int, int, int, int]) -> str:
    """An element of SVG that holds the picture, exact to the pixel."""
    file = io.BytesIO()
    picture.convert("RGB").save(file, "PNG")
    left, top, right, bottom = box
    place = f'x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"'
    return f'<image {place} preserveAspectRatio="none" href="data:image/png;base64,{b64encode(file.getvalue()).decode()}"/>'


def _pdf_font(letters: Letters) -> tuple[Letters, str]:
    """The letters, and the name of their font in a PDF: Helvetica, much like Pillow's own, or a font that is embedded."""
    from reportlab.pdfbase import pdfmetrics  # here, as above
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    if letters.file is not None:
        try:
            pdfmetrics.registerFont(TTFont(letters.file, letters.path))
            return letters, letters.file
        except TTFError:  # fonts of PostScript outlines are not embedded
            letters = Letters(letters.size)
    return letters, "Helvetica"
