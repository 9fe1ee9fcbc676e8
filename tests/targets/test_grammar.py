"""A target written down reads back as itself, whatever labels a model has, and whether they are known or not."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seewhy import AnyOf, Class, Contrast, Point, Region, Top, Unit
from seewhy.errors import BadParameter, NoSuchName
from seewhy.targets.box import Box
from seewhy.targets.embedding import Similar, Text
from seewhy.targets.grammar import bare_or_quoted, holds_no_question, literal, number_text, operand, pieces, quote, unquoted
from seewhy.targets.parse import as_targets, read, short_text
from support.hostile import HOSTILE, labels, texts

FLOATS = st.floats(-1e9, 1e9) | st.sampled_from([0.1, 1e-7, 1e-300, 123456.7891, 1 / 3, 2.0, -0.0])
WHOLE = st.integers(0, 20)
CLASSES = WHOLE | texts()
FILLED = texts(1).filter(str.strip)
CORNERS = (
    st.tuples(FLOATS, FLOATS, FLOATS, FLOATS)
    .map(lambda e: (*sorted(e[:2]), *sorted(e[2:])))
    .map(lambda e: (e[0], e[2], e[1], e[3]))
)
TARGETS = st.one_of(
    st.builds(Class, CLASSES),
    st.builds(Top, st.integers(1, 2000)),
    st.lists(CLASSES, min_size=2, max_size=5, unique=True).flatmap(
        lambda c: st.builds(Contrast, st.just(c[0]), st.just(c[1:]), FLOATS)
    ),
    st.builds(Contrast, CLASSES, st.just(()), FLOATS, st.integers(1, 999)),
    st.builds(AnyOf, FILLED | st.lists(WHOLE | FILLED, min_size=1, max_size=4)),
    st.builds(Unit, FILLED, WHOLE, st.sampled_from(["max", "sum", (3,), (0, 7), (1, 2, 3)])),
    st.builds(Region, st.none() | CLASSES),
    st.builds(Point, FLOATS, FLOATS, st.none() | CLASSES),
    st.builds(Box, st.none() | CLASSES, WHOLE | CORNERS),
    st.builds(Similar, FILLED.filter(lambda text: text.strip())),
    st.lists(FILLED, min_size=1, max_size=4, unique=True).map(lambda t: Text(t[0], t[1:])),
)  # fmt: skip


def resolved(target, known):
    """What a model with these labels makes of a target; of one that it refuses, why."""
    try:
        return as_targets(target, known)
    except (BadParameter, NoSuchName) as error:
        return type(error)


@settings(max_examples=250, deadline=None)
@given(TARGETS, labels())
def test_what_str_writes_is_read_as_the_same_with_and_without_labels(target, known):
    text = str(target)
    assert read(text) == [target]
    assert resolved(text, None) == resolved(target, None)
    assert resolved(text, known) == resolved(target, known)
    assert str(read(text, known)[0]) == text or isinstance(read(text, known)[0], type(target)), (
        "or a number that is but a label"
    )


@settings(max_examples=120, deadline=None)
@given(TARGETS, labels())
def test_what_the_source_of_a_map_says_is_read_as_the_same(target, known):
    for each in resolved(target, known) if isinstance(resolved(target, known), list) else []:
        text = short_text(str(each), known)
        assert resolved(text, known) == [each] or isinstance(target, AnyOf)
        assert [*map(str, resolved(text, known))] == [str(each)]
        assert json.loads(json.dumps(text)) == text


@settings(max_examples=80, deadline=None)
@given(labels(), texts(), st.integers(0, 30))
def test_a_label_in_quotes_is_that_label_and_a_number_an_index(known, label, index):
    assert read(quote(label), known) == [Class(label)]
    if index < len(known):
        assert as_targets(str(index), known) == [Class(index)]


@pytest.mark.parametrize(
    ("text", "separator", "parts"),
    [("a|b", "|", ["a", "b"]), ("a", "|", ["a"]), ("", "|", [""]), ("|", "|", ["", ""]), ('"a|b"|c', "|", ['"a|b"', "c"]),
     ('a "x|y" b', "|", ['a "x', 'y" b']), ('"a|b" c|d', "|", ['"a', 'b" c', "d"]), ('"a\\"|b"|c', "|", ['"a\\"|b"', "c"]),
     ('"a-vs-b"-vs-c-vs-"d"', "-vs-", ['"a-vs-b"', "c", '"d"']), (' "a+b" + c ', "+", [' "a+b" ', " c "])],
)  # fmt: skip
def test_separators_within_quotes_are_none(text, separator, parts):
    assert pieces(text, separator) == parts


@settings(max_examples=200, deadline=None)
@given(st.lists(texts(), min_size=1, max_size=5), st.sampled_from(["|", "+", ":", "-vs-"]))
def test_quoted_pieces_come_back(words, separator):
    assert [unquoted(piece) for piece in pieces(separator.join(map(quote, words)), separator)] == words
    bare = [bare_or_quoted(word, separator[0]) for word in words]
    assert [literal(piece) for piece in pieces(separator.join(bare), separator)] == words


def test_operands_are_indices_or_names():
    assert [operand(text) for text in ("3", " 3 ", '"3"', "03", "-3", "3.0", "\u0663", "12345678901", " a b ", '" a "')] == [
        3, 3, "3", "03", "-3", "3.0", "\u0663", "12345678901", "a b", " a ",
    ]  # fmt: skip
    with pytest.raises(BadParameter, match=r"write .* for a backslash"):
        operand('"C:\\dir"')


@pytest.mark.parametrize("value", [0.6, 1.0, -0.5, 1e-7, 1e22, 1 / 3, 0.1 + 0.2, 123456789.125, 5e-324])
def test_a_number_comes_back_in_its_shortest_text(value):
    text = number_text(value)
    assert float(text) == value
    assert read(f"0-vs-1:{text}") == [Contrast(0, 1, value)]
    assert read(f"point:{abs(value) % 1e8!r},{text}" if abs(value) < 1e9 else "point:0,1")[0].y >= 0


def test_what_no_text_holds_is_told_from_names_that_look_so():
    array, path = Similar(np.ones(2)), "array (2,) sha256:0123456789abcdef"
    assert holds_no_question(str(array))
    assert not holds_no_question(str(Similar(path)))
    assert read(str(Similar(path))) == [Similar(path)]
    for text in (str(array), f"similar:{path}", str(Region("cat", np.ones((2, 2))))):
        with pytest.raises(BadParameter, match="known by its SHA-256 alone: give"):
            read(text)
    assert read(str(Region(f"cat in the mask {path}"))) == [Region(f"cat in the mask {path}")]


TODAY = {  # what people wrote before there were quotes
    "tabby": Class("tabby"), "281": Class(281), "top": Top(), "TOP": Top(), "top 3": Top(3), "cat-vs-dog": Contrast("cat",
    "dog"),
    "cat-vs-dog+fox:0.6": Contrast("cat", ["dog", "fox"], 0.6), "281-vs-3 look-alikes": Contrast(281), "any:cat": AnyOf("cat"),
    "any:281+tiger cat": AnyOf([281, "tiger cat"]), "unit:features.10:42": Unit("features.10", 42), "unit:a:1:2,3": Unit("a",
    1, (2, 3)),
    "region:cat": Region("cat"), "region:": Region(), "point:120,80": Point(120, 80), "point: 1.5 , 2 : cat": Point(1.5, 2,
    "cat"),
    "point:1e-3,2E2": Point(0.001, 200), "point:-1,+2": Point(-1, 2), "box:dog": Box("dog"), "box:dog:1": Box("dog", 1),
    "box::1": Box(None, 1), "box:dog:31.2,58.9,207.4,301.6": Box("dog", (31.2, 58.9, 207.4, 301.6)), "box:a:b:1": Box("a:b", 1),
    "box:traffic light: 1, 2, 3e0, 4": Box("traffic light", (1, 2, 3, 4)), "text:a photo of a cat": Text("a photo of a cat"),
    "text:cat-vs-dog": Text("cat-vs-dog"), "text:a dog | a cat": Text("a dog", "a cat"),
    "similar:a-vs-b.jpg": Similar("a-vs-b.jpg"),
    'text:a "big" dog': Text('a "big" dog'), 'text:"big" dogs': Text('"big" dogs'),
    "similar: C:\\x\\a.jpg ": Similar("C:\\x\\a.jpg"),
    "Region:cat": Region("cat"), "top hat": Class("top hat"), "  tabby  ": Class("tabby"),
}  # fmt: skip


@pytest.mark.parametrize("text", TODAY)
def test_what_people_write_is_read_as_it_always_was(text):
    assert read(text) == [TODAY[text]]
    assert read(f" {text}\n") == [TODAY[text]], "space around it means nothing"
    assert read(str(TODAY[text])) == [TODAY[text]]


@pytest.mark.parametrize("label", HOSTILE)
def test_a_label_that_looks_like_a_target_is_the_label_unless_str_writes_that_target(label):
    """By hand: of all these, the texts that `str` itself writes are numbers, top N, contrasts of numbers, a unit, a word,
    places and numbers of classes, and names that are in quotes.
    """
    written = {
        "1", "0", "2", "10", "top 1", "any:cat", "region:1", "unit:features.10:42", "box:1:0", "point:1,2", "0-vs-1",
        "0-vs-1:0.6",
        '"a"-vs-"b"', '""', '"cat"',
    }  # fmt: skip
    if not label.strip():
        return
    known = ["zero", label]  # 0 and 1 are indices of this model, and other numbers are labels before they are anything
    as_label = as_targets(quote(label), known) == [Class(1)]
    assert as_label == bool(label.replace(",", "").strip())
    if label not in written or label in ("2", "10"):
        assert read(label, known) in ([Class(label.strip())], [Class(label)])
    else:
        assert read(label, known) != [Class(label)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unit:body", "something is missing at its end; write unit:LAYER:CHANNEL"), ("unit::3", "write unit:LAYER"),
        ("unit:body:x:1", "nothing can be made of 'x:1'"), ("unit:body:1:middle", "nothing can be made of 'middle'"),
        ("unit:body:1:2:3", "nothing can be made of '2:3'"), ("point:1", "nothing can be made of '1'"),
        ("point:1,2,3", "nothing can be made of ',3'; write point:Y,X"), ("point:a,b", "nothing can be made of 'a,b'"),
        ("point:1,2:", "write point:Y,X"), ("box:cat:1,2,3",
        "neither 0, 1, 2.*nothing can be made of '1,2,3'; write box:LABEL"),
        ("text:a||b", "write text:TEXT"), ("text:", "write text:TEXT"), ("similar: ", "write similar:PATH"), ("any:a+",
        "write any:WORD"),
        ("top:x", "write top, or top:3"), ("top 0", "write top, or top:3"), ("top:0", "write top"), ("top 2:3", "write top"),
        ('"a\\qb"', "write .* for a backslash"), ('text:"\\x"', "write .* for a backslash"),
    ],
)  # fmt: skip
def test_a_wrong_target_says_how_far_it_makes_sense_and_what_to_write(text, said):
    with pytest.raises(BadParameter, match=said):
        read(text)


def test_one_target_of_many_classes_is_read_whole_and_soon():
    for target in (AnyOf(range(50_000)), Contrast(0, range(1, 1001)), Contrast("x", [f"class {i}" * 3 for i in range(1000)])):
        assert read(str(target), ["a", "b"]) == [target]
