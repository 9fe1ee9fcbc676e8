"""Text of strangers on lines that a person reads."""

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seewhy.printable import in_percent, printable, quoted

LEGITIMATE = [
    "tabby, tabby cat", "naïve ねこ", "قطة سيامية", "חתול", "बिल्ली", "แมว", "ﷺ", "مادة \u06dd", r"C:\photos\x1b.png",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f469\u200d\U0001f52c", "\u2764\ufe0f", "e\u0301",
]  # fmt: skip
HOSTILE = {
    "\x1b[2Jcat": r"\x1b[2Jcat",
    "\x9b31mred": r"\x9b31mred",
    "\x1b]0;owned\x07": r"\x1b]0;owned\x07",
    "\x9d8;;http://x\x9ccat": r"\x9d8;;http://x\x9ccat",
    "cat\u202egnp.exe": r"cat\u202egnp.exe",
    "\u2066a\u2069\u200e\u061c": r"\u2066a\u2069\u200e\u061c",
    "a\nb\r\nc\td\u2028e\x85f": "a b c d e f",
    "caf\udce9.png": r"caf\udce9.png",
    "a\x00b\x7fc\x08": r"a\x00b\x7fc\x08",
    "cat\U000e0041\U000e007f": r"cat\U000e0041\U000e007f",
    "\ufeffcat\u200b\u2060\xad": r"\ufeffcat\u200b\u2060\xad",
    "\u3164": r"\u3164",
}


@pytest.mark.parametrize("text", LEGITIMATE)
def test_letters_of_all_scripts_are_as_they_are(text):
    assert printable(text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_obeyed_or_not_seen_is_written_out(text):
    assert printable(text) == HOSTILE[text]


def test_marks_heaped_on_one_letter_are_written_out_from_the_ninth_on():
    assert printable("a" + "\u0301" * 10 + "b\u0301") == "a" + "\u0301" * 8 + r"\u0301\u0301" + "b\u0301"


def test_columns_keep_their_spaces_and_no_other_white_space():
    assert printable("  a   b\n\tc\u2003", spaces=True) == "  a   b  c "


def test_of_a_megabyte_both_ends_are_shown_at_once():
    start = process_time()
    said = printable("begin" + "x" * 10**6 + "end")
    assert process_time() - start < 0.05
    assert said.startswith("beginxxx")
    assert said.endswith("xxxend")
    assert "1000008 characters, cut" in said
    assert len(said) <= 2000
    assert len(printable("\x1b" * 10**6)) <= 2000
    assert len(quoted("\x1b" * 10**6)) <= 200
    assert printable("x" * 100, 20) == "x" * 17 + "..."


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(categories=None), max_size=60), st.booleans(), st.integers(1, 100))
def test_any_text_is_one_line_of_bounded_length_and_the_same_twice(text, spaces, most):
    said = printable(text, most, spaces)
    assert len(said) <= max(most, 3)
    assert printable(said, most, spaces) == said
    assert said.splitlines() in ([said], [])
    said.encode("utf-8")
    assert not set(said) & {chr(i) for i in [*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]}


def test_shares_in_percent():
    shares = {0: "0.0 %", 0.8462: "84.6 %", 1: "100.0 %", 0.001: "0.1 %", 0.00048: "0.048 %", float("nan"): "nan %"}
    assert {share: in_percent(share) for share in shares} == shares
    assert [in_percent(share, 0) for share in (0.0004, 0.5, 0.996)] == ["0 %", "50 %", "100 %"]
