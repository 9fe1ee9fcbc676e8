"""JSON that the strictest reader takes, and strangers' JSON within bounds."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from time import process_time
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seewhy.json_text import as_json, canonical, json_of, plain, whole_text, with_bytes
from support.strict_json import strict


def test_numbers_that_json_does_not_have_are_null_and_numpys_are_numbers():
    facts = {"a": float("nan"), "b": np.float32("inf"), "c": np.int64(3), "d": np.array([1.5, -np.inf]), "e": np.bool_(True),
             "f": (1, 2), 3: Path("x"), "g": None}  # fmt: skip
    assert strict(as_json(facts)) == {
        "a": None,
        "b": None,
        "c": 3,
        "d": [1.5, None],
        "e": True,
        "f": [1, 2],
        "3": "x",
        "g": None,
    }


def test_a_name_that_is_not_utf8_is_text_and_its_bytes_are_beside_it():
    facts = {"file": "caf\udce9 50%.png", "files": ["a.png", "\udcff"], "more": {"layer": "ok"}}
    said = strict(as_json(facts))
    assert said["file"] == "caf\ufffd 50%.png"
    assert said["not_utf8"] == {"file": "caf%E9%2050%25.png", "files.1": "%FF"}
    assert unquote_to_bytes(said["not_utf8"]["file"]) == b"caf\xe9 50%.png"
    assert with_bytes(said)["file"] == facts["file"]


def test_halves_of_surrogate_pairs_that_are_no_bytes_are_replaced():
    assert strict(as_json({"label": "a\ud800b", "\ud83d": 1})) == {"label": "a\ufffdb", "\ufffd": 1}
    assert whole_text("\ud83d\ude00") == "\N{GRINNING FACE}"


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(categories=None), max_size=5),
        st.recursive(
            st.none() | st.floats() | st.integers() | st.text(st.characters(categories=None), max_size=9),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_anything_is_one_line_of_strict_json(facts):
    assert strict(as_json(facts)) is not None


BEYOND = {
    "lists": "[" * 100_000,
    "objects": '{"a":' * 3000,
    "closed": "[" * 65 + "]" * 65,
    "between": "[" * 900 + "]" * 900,
    "digits": "9" * 5000,
    "broken": '{"a"',
    "nothing": "",
    "bytes": b"\xff\xfe\xff",
}


@pytest.mark.parametrize("name", BEYOND)
def test_json_beyond_the_bounds_is_a_value_error_at_once(name):
    start = process_time()
    with pytest.raises(ValueError, match=r".+"):
        json_of(BEYOND[name])
    assert process_time() - start < 0.5


def test_json_within_the_bounds_is_read():
    deep: object = []
    for _ in range(63):
        deep = [deep]
    assert json_of(json.dumps(deep)) == deep
    with pytest.raises(ValueError, match=r"101 characters.*100 are read"):
        json_of("1" * 101, longest=100)


def test_plain_leaves_nothing_that_json_cannot_say():
    json.dumps(plain({"x": np.zeros((2, 2)), "y": [np.float64("nan"), {1, 2}]}), allow_nan=False)


def test_a_source_comes_back_with_the_bytes_of_its_names():
    from seewhy import Source

    source = Source("caf\udce9.png", "m", None, "grad-cam", {}, "l", "t", None, None, "logits", None, None, None, 0.1, {})
    text = source.to_json()
    assert strict(text)["image"] == "caf\ufffd.png"
    assert Source.from_json(text) == source
    assert Source.from_json(replace(source, image="a.png").to_json()).image == "a.png"


BITS = {  # RFC 8785, appendix B: the bits of a number, and its text
    "0000000000000000": "0", "8000000000000000": "0", "0000000000000001": "5e-324", "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308", "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992", "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000", "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23", "44b52d02c7e14af7": "1.0000000000000001e+23", "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000", "444b1ae4d6e2ef50": "1e+21", "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001", "41b3de4355555553": "333333333.3333332", "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333", "41b3de4355555556": "333333333.3333334", "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333", "43143ff3c1cb0959": "1424953923781206.2",
}  # fmt: skip


@pytest.mark.parametrize("bits", BITS)
def test_canonical_numbers_are_those_of_the_rfc(bits):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number) == BITS[bits]
    assert float(BITS[bits]) == number


def test_canonical_text_is_that_of_the_rfc():
    """The examples of RFC 8785, sections 3.2.2 and 3.2.3."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    keys = ("\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6")
    assert [*json.loads(canonical(dict.fromkeys(keys)))] == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def test_a_whole_number_has_all_its_digits():
    assert canonical({"seed": 2**64 - 1}) == '{"seed":18446744073709551615}'


@pytest.mark.parametrize("value", [float("nan"), [float("-inf")], {"a": "\ud800"}, {"\udcff": 1}, {1: 2}])
def test_what_has_no_canonical_text_is_refused(value):
    with pytest.raises(ValueError, match=r"JSON has no|surrogate|texts as keys"):
        canonical(value)


def as_floats(value):
    """The value with all of its numbers as floats, as a reader in JavaScript has them."""
    return json.loads(json.dumps(value), parse_int=float)


one = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**64), 2**64)
whole = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


def boxed(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(whole, inner, max_size=3)


@given(st.recursive(one | whole, boxed, max_leaves=6))
@settings(max_examples=60, deadline=None)
def test_canonical_text_says_the_same_and_is_the_same_again(value):
    text = canonical(value)
    assert json.loads(text, parse_int=float) == as_floats(value)
    assert canonical(json.loads(text)) == text
