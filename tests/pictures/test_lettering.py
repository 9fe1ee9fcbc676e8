"""Text in pictures: every letter apart from the next, in a font that has it."""

import numpy as np
import pytest
from PIL import Image

from seewhy.pictures import lettering
from seewhy.pictures.lettering import FONTS, Letters


def inked(letters: Letters, text: str, at=(10, 10), size=(400, 60), **how) -> np.ndarray:
    """How dark each pixel is: (h, w)."""
    picture = Image.new("RGB", size, "white")
    letters.write(picture, at, text, **how)
    return 255 - np.asarray(picture.convert("L")).astype(int)


def quantiles(ink: np.ndarray) -> np.ndarray:
    """The columns up to which one, two, ... 99 hundredths of the ink lie."""
    inked = np.cumsum(ink.sum(0).astype(float))
    return np.interp(np.linspace(0, inked[-1], 101)[1:-1], inked, np.arange(len(inked)))


@pytest.mark.parametrize("size", [11, 12, 13, 16])
def test_letters_lie_where_those_ten_times_as_large_do(size):
    """On average within 0.8 pixels; where Pillow puts them, at whole pixels, it is 1.2 to 1.4, and "at bn2" read "atbn2"."""
    text = "grad-cam for tabby (281) at bn2"
    away = quantiles(inked(Letters(size), text)) - quantiles(inked(Letters(10 * size), text, (100, 100), (4000, 600))) / 10
    assert abs(away - np.median(away)).mean() < 0.8


@pytest.mark.parametrize("size", [11, 12, 13, 14])
def test_words_stay_apart(size):
    letters = Letters(size)
    rows = inked(letters, "at bn2").sum(0)
    start = round(10 + letters.width("at"))
    gap = rows[start - 1 : start + round(letters.width(" ")) + 2]
    assert (gap < 60).sum() >= 2


def test_text_is_as_wide_as_said():
    for text in ("grad-cam for tabby (281)", "Schäferhund", "llll"):
        letters = Letters.of(text, 16)
        columns = np.flatnonzero(inked(letters, text).sum(0))
        assert columns[-1] - columns[0] == pytest.approx(letters.width(text), abs=5)


@pytest.mark.parametrize(
    ("anchor", "x", "y"), [("la", 0, 0), ("ma", 0.5, 0), ("ra", 1, 0), ("lm", 0, 0.5), ("mm", 0.5, 0.5), ("rd", 1, 1)]
)
def test_text_lies_at_its_anchor(anchor, x, y):
    ink = inked(Letters(20), "HHHH", (200, 30), anchor=anchor)
    rows, columns = np.flatnonzero(ink.sum(1)), np.flatnonzero(ink.sum(0))
    assert columns[0] + x * (columns[-1] - columns[0]) == pytest.approx(200, abs=3)
    assert rows[0] + y * (rows[-1] - rows[0]) == pytest.approx(30, abs=8)


def test_text_beyond_the_edge_is_cut_by_it():
    for at in ((-30, 10), (390, 10), (10, -8), (10, 55), (900, 900)):
        inked(Letters(16), "grad-cam", at)


def test_a_halo_surrounds_the_letters():
    picture = Image.new("RGB", (80, 40), "grey")
    Letters(16).write(picture, (10, 10), "R", "white", halo="black")
    pixels = np.asarray(picture).astype(int).sum(-1)
    white, black = pixels > 700, pixels < 60
    assert white.any()
    assert black.sum() > white.sum()
    rows, columns = np.nonzero(black)
    at = np.argwhere(white)
    assert (at.min(0) > (rows.min(), columns.min())).all()
    assert (at.max(0) < (rows.max(), columns.max())).all()


@pytest.fixture
def bare_system(monkeypatch):
    """A system without fonts."""
    monkeypatch.setattr(lettering, "FONTS", ())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tabby, tabby cat (281)", "tabby, tabby cat (281)"),
        ("Deutscher Schäferhund", "Deutscher Schaferhund"),
        ("Scha\u0308ferhund", "Schaferhund"),
        ("Straße", "Strasse"),
        ("虎斑猫 (281)", r"\u864e\u6591\u732b (281)"),
        ("🐈 cat", r"\U0001f408 cat"),
        ("caf\udce9.png", r"caf\udce9.png"),
        ("3 mm · 2", "3 mm · 2"),
        ("84.0\u00a0%", "84.0 %"),
    ],
)
def test_letters_that_no_font_has_are_written_in_those_there_are(bare_system, text, shown):
    letters = Letters.of(text, 13)
    assert letters.file is None
    assert letters.shown(text) == shown
    assert inked(letters, text).any()


def test_a_font_of_the_system_draws_what_pillows_own_lacks():
    text = "Schäferhund"
    if lettering._font("DejaVuSans.ttf", 20) is None:
        pytest.skip("DejaVu is not installed")
    letters = Letters.of(text, 13)
    assert letters.file == "DejaVuSans.ttf"
    assert letters.shown(text) == text
    assert not np.array_equal(inked(letters, text), inked(letters, "Schaferhund"))
    assert Letters.of("tabby", 13).file is None


def test_no_font_draws_half_of_a_surrogate_pair():
    for file in (None, *FONTS[:2]):
        letters = Letters(13, file)
        if letters._font is not None:
            assert inked(letters, "a\udce9").any()
            assert letters.width("a\udce9") == letters.width(r"a\udce9")


def test_the_first_font_with_most_of_the_letters_is_taken(monkeypatch):
    held = {"a.ttf": "äö", "b.ttf": "äöü", "c.ttf": "äöüé"}
    monkeypatch.setattr(lettering, "FONTS", ("none.ttf", *held))
    monkeypatch.setattr(lettering, "_font", lambda file, size: None if file == "none.ttf" else object())
    monkeypatch.setattr(lettering, "_has", lambda file, letter: letter in held.get(file, ""))
    assert [Letters.of(text, 9).file for text in ("plain", "ä", "äü", "äéx", "äü虎", "虎")] == [
        None, "a.ttf", "b.ttf", "c.ttf", "b.ttf", None,
    ]  # fmt: skip


def test_fonts_are_named_by_their_files():
    assert all(name.endswith((".ttf", ".ttc", ".otf")) for name in FONTS)


@pytest.mark.parametrize("width", [50, 120, 300])
def test_lines_are_no_wider_than_asked_and_lose_nothing(width):
    text = "grad-cam for cat at encoder.layers.encoder_layer_11.self_attention.out_projection"
    letters = Letters(11)
    lines = letters.wrapped(text, width)
    assert max(map(letters.width, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_number_is_not_parted_from_its_sign():
    lines = Letters(12).wrapped("grad-cam 84.0\u00a0%", Letters(12).width("grad-cam 84.0"))
    assert lines == ["grad-cam", "84.0\u00a0%"]


def test_what_does_not_fit_ends_in_dots():
    letters = Letters(12)
    assert letters.fitted("short", 100) == "short"
    cut = letters.fitted("a name that is far too long", 60)
    assert cut.endswith("...")
    assert letters.width(cut) <= 60


@pytest.mark.parametrize("anchor", ["la", "mm", "rd"])
def test_text_is_no_photo_whatever_the_bound_of_photos(monkeypatch, anchor):
    """A person may lower Pillow's bound; what is written into a picture comes out the same, to a level here and there."""
    letters = Letters(14)
    plain, bounded = (Image.new("RGB", (400, 40), "white") for _ in range(2))
    letters.write(plain, (200, 20), "grad-cam for tabby (281)", anchor=anchor)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    letters.write(bounded, (200, 20), "grad-cam for tabby (281)", anchor=anchor)
    off = abs(np.asarray(plain).astype(int) - np.asarray(bounded))
    assert np.asarray(plain).min() < 80
    assert off.mean() < 1.5
