"""JSON that the strictest reader takes, and strangers' JSON within bounds."""

import json
from dataclasses import replace
from pathlib import Path
from time import process_time
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seewhy.json_text import as_json, json_of, plain, whole_text, with_bytes
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
