"""Scores in the JSON that a service answers with: wherever they lie, however they are written, and where that is not clear."""

import numpy as np
import pytest

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.zoo.service.answers import as_rows, described, parsed, path_of, rows, table

SHOWN = "http://host/x"


def found(value, images=1, output=None):
    return rows(value, images, path_of(output), SHOWN)


TWO = [0.25, 0.75]
NAMED = {"cat": 0.25, "dog": 0.75}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TWO, TWO), ([TWO], TWO), ([[TWO]], TWO), ({"scores": TWO}, TWO), ({"a": {"b": [TWO]}, "time": 3, "id": "x"}, TWO),
        ({"labels": ["cat", "dog"], "probabilities": TWO}, TWO), ([{"probs": TWO}], TWO), (0.5, [0.5]), ([0.5], [0.5]),
        (NAMED, NAMED), ({"result": NAMED, "ok": True}, NAMED), ([NAMED], NAMED), ({"score": 0.5}, {"score": 0.5}),
        ([{"label": "cat", "score": 0.25}, {"label": "dog", "score": 0.75}], NAMED),
        ([[{"label": "cat", "score": 0.25}, {"label": "dog", "score": 0.75}]], NAMED),
        ({"out": [{"class_name": "cat", "probability": 0.25, "id": 1}, {"class_name": "dog", "probability": 0.75}]}, NAMED),
        ([["cat", 0.25], ["dog", 0.75]], NAMED), ([1, 2, 3], [1, 2, 3]),
    ],
)  # fmt: skip
def test_the_scores_of_one_image_are_found(value, expected):
    assert found(value) == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([TWO, TWO], [TWO, TWO]), ({"predictions": [TWO, TWO]}, [TWO, TWO]), ([NAMED, NAMED], [NAMED, NAMED]),
        ([0.1, 0.2], [[0.1], [0.2]]), ([[{"label": "a", "score": 1}, {"label": "b", "score": 2}]] * 2, [{"a": 1, "b": 2}] * 2),
    ],
)  # fmt: skip
def test_the_scores_of_two_images_are_found(value, expected):
    assert found(value, 2) == expected


def test_the_way_to_them_can_be_said():
    value = {"outputs": [{"data": [1, 2]}, {"data": [3, 4]}], "a.b": {"7": [5, 6]}}
    with pytest.raises(BadNetwork, match=r"scores at outputs\.0\.data, outputs\.1\.data, a\.b\.7\. Say which: output="):
        found(value)
    assert found(value, output="outputs.1.data") == [[3, 4]]
    assert found(value, output=["a.b", 7]) == [[5, 6]]
    assert found([1, 2], output=1) == [[2]]


@pytest.mark.parametrize(
    ("output", "words"),
    [("b", r"no b; there is an object with a\."), ("a.c", r"no a\.c; at a there is an object with b\."), ("a.b.5", "list of 2"),
     ("a.b.x", r"no a\.b\.x"), ("a", "at a the answer has an object with b, and no scores of 1 image")],
)  # fmt: skip
def test_a_way_that_does_not_lead_to_scores_is_told_with_what_is_there(output, words):
    with pytest.raises(BadNetwork, match=words):
        found({"a": {"b": ["x", "y"]}}, output=output)


@pytest.mark.parametrize(
    ("value", "images"),
    [({}, 1), ([], 1), ("cat", 1), (None, 1), (True, 1), ({"label": "cat"}, 1), ([TWO], 2), ([TWO, TWO, TWO], 2),
     ({"a": "b"}, 1), ([{"label": "a"}], 1), ([True, False], 1), ([["cat"]], 1)],
)  # fmt: skip
def test_what_holds_no_scores_of_so_many_images_is_told(value, images):
    with pytest.raises(BadNetwork, match=f"no scores of {images} image"):
        found(value, images)


def test_the_same_label_twice_is_no_set_of_scores():
    assert as_rows([{"label": "a", "score": 1}, {"label": "a", "score": 2}], 1) is None


@pytest.mark.parametrize("output", ["", "a..b", 1.5, [None], {"a": 1}])
def test_what_is_no_way_is_refused(output):
    with pytest.raises(BadParameter, match="output="):
        path_of(output)


def test_no_json_is_told_in_words():
    for body, words in [(b"", "nothing"), (b"<html><title>Login</title>", "a web page: Login"), (b"cat: 1", "'cat: 1'"),
                        (b"[" * 10**5, "nested deeper"), (b"\x80\x81", "no JSON")]:  # fmt: skip
        with pytest.raises(BadNetwork, match=words):
            parsed(body, SHOWN)
    assert parsed(b"[1]", SHOWN) == [1]


def test_labels_have_an_order_and_answers_have_none():
    np.testing.assert_array_equal(table([{"b": 2, "a": 1}, {"a": 3, "b": 4}], ["a", "b"], None, SHOWN), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(table([{"b": 2}, {"a": 3}], ["a", "b"], 0, SHOWN), [[0, 2], [3, 0]])


def test_the_top_few_alone_are_an_error():
    for row in ({"a": 1}, {"a": 1, "c": 2}, {"a": 1, "b": 1, "c": 2}):
        with pytest.raises(BadNetwork, match=r"the top few alone cannot be explained.*set_max_result_classes"):
            table([row], ["a", "b"], None, SHOWN)
    with pytest.raises(BadNetwork, match="the top few alone"):
        table([{"a": 1, "c": 2}], ["a", "b"], 0, SHOWN)  # a stranger is one, whatever counts for what is missing
    with pytest.raises(BadNetwork, match="give all of them, labels="):
        table([{"a": 1}], None, None, SHOWN)


def test_images_of_one_request_have_as_many_scores():
    with pytest.raises(BadNetwork, match="gave 1, 2 scores"):
        table([[1], [1, 2]], None, None, SHOWN)


def test_values_are_described_within_bounds():
    assert described({"a": 1}) == "an object with a"
    assert described({"error": "no GPU", "code": 3}) == "an object with error, code ('no GPU')"
    assert described([[1]]) == "a list of 1, the first a list of 1, the first 1"
    assert len(described("x" * 10**6)) < 100
    assert len(described({str(i): i for i in range(10**4)})) < 200
