"""How a contrast is read from a text, where labels may hold the very signs that stand between its parts."""

import pytest

from seewhy import Contrast
from seewhy.errors import BadParameter
from seewhy.targets.contrast_text import contrast_of

LABELS = ["a", "b", "c", "a-vs-b", "b+c", "d+e+f", "b:0.6", "look-alikes", "1:0.6", "7"]
READ = {
    "0-vs-1": Contrast(0, 1),
    " 0 -vs- 1 + 2 : 0.6 ": Contrast(0, [1, 2], 0.6),
    "0-vs-1:0.6": Contrast(0, 1, 0.6),  # though there is a label 1:0.6
    "0-vs-1:-2.5e-3": Contrast(0, 1, -0.0025),
    "0-vs-1:.5": Contrast(0, 1, 0.5),
    "0-vs-look-alikes": Contrast(0),
    "0-vs-5 look-alikes:2": Contrast(0, strength=2, look_alikes=5),
    '0-vs-"look-alikes"': Contrast(0, "look-alikes"),
    "a-vs-c": Contrast("a", "c"),
    "a-vs-b-vs-c": Contrast("a-vs-b", "c"),  # "b-vs-c" is no label
    "c-vs-a-vs-b": Contrast("c", "a-vs-b"),
    "a-vs-b+c": Contrast("a", "b+c"),  # a label
    "a-vs-b+a-vs-b": None,  # a-vs-b is a label, so that it is both a rather than b+..., and a-vs-b+a rather than b
    "b-vs-d+e+f+a:0.5": Contrast("b", ["d+e+f", "a"], 0.5),
    'a-vs-"b"+"c"': Contrast("a", ["b", "c"]),
    '"a-vs-b"-vs-c': Contrast("a-vs-b", "c"),
    '"a"-vs-"b:0.6":0.6': Contrast("a", "b:0.6", 0.6),
    "a-vs-b:0.6": Contrast("a", "b:0.6"),
    'a-vs-"b":0.6': Contrast("a", "b", 0.6),
    '"say \\"hi\\""-vs-"\\\\"': Contrast('say "hi"', "\\"),
    "x-vs-y": Contrast("x", "y"),  # no classes: class_index says so
    "x-vs-y+z:0.5": Contrast("x", ["y", "z"], 0.5),
}


@pytest.mark.parametrize("text", [text for text, contrast in READ.items() if contrast])
def test_a_text_is_cut_where_both_sides_are_classes(text):
    assert contrast_of(text, LABELS) == READ[text]


def test_without_labels_it_is_cut_at_the_first_sign():
    assert contrast_of("a-vs-b-vs-c+d:0.5", None) == Contrast("a", ["b-vs-c", "d"], 0.5)


def test_a_text_with_two_meanings_says_both():
    labels = ["a", "a-vs-b", "b-vs-c", "c"]
    with pytest.raises(
        BadParameter, match="'a' rather than 'b-vs-c' or 'a-vs-b' rather than 'c': put the names in double quotes"
    ):
        contrast_of("a-vs-b-vs-c", labels)
    assert contrast_of('"a"-vs-b-vs-c', labels) == Contrast("a", "b-vs-c")
    assert contrast_of('"a-vs-b"-vs-"c"', labels) == Contrast("a-vs-b", "c")


@pytest.mark.parametrize(
    ("text", "said"),
    [("a-vs-", "a class is missing"), ("-vs-b", "a class is missing"), ("a-vs-b+", "a class is missing"), ("-vs-", "A-vs-B"),
     ("a-vs-c:0.6.1", "'0.6.1' is no strength"), ("a-vs-c:1e", "'1e' is no strength"), ("a-vs-c:6%", "'6%' is no strength"),
     ("a-vs-:0.6", "a class is missing"), ("0-vs-0", "contrasted with itself"), ("0-vs-1+1", "named twice"),
     ("0-vs-0 look-alikes", "look_alikes=0"), ('a-vs-"\\q"', "write .* for a backslash"), ("0-vs-1:1e999", "strength is inf")],
)  # fmt: skip
def test_what_is_no_contrast_is_told_where_it_ends(text, said):
    with pytest.raises(BadParameter, match=said):
        contrast_of(text, LABELS)
