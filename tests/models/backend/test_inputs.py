"""What a network is called with, and where its scores are."""

from types import SimpleNamespace

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.backend.inputs import caller, picked

X = np.ones((3, 2))


def test_the_images_alone_or_as_a_keyword():
    assert caller(None)(X) == ((X,), {})
    args, kwargs = caller("pixels")(X)
    assert (args, [*kwargs]) == ((), ["pixels"])


def test_images_go_where_they_are_said_to_and_rows_are_repeated():
    age, fixed = np.array([[7.0]]), seewhy.Fixed(np.array([[1.0]]))
    args, kwargs = caller({"image": seewhy.IMAGE, "more": [age, fixed, "text", 3]})(X)
    assert args == ()
    assert kwargs["image"] is X
    repeated, one, text, number = kwargs["more"]
    assert repeated.tolist() == [[7.0]] * 3
    assert (one.shape, text, number) == ((1, 1), "text", 3)
    assert caller((seewhy.IMAGE, 2))(X).args[1] == 2


def test_a_function_of_the_images_makes_the_arguments():
    assert caller(lambda x: {"image": x, "size": x.shape[1]})(X).kwargs["size"] == 2
    assert caller(lambda x: x * 2)(X).args[0][0, 0] == 2


@pytest.mark.parametrize("inputs", [{"image": 1}, (1, 2), 5, {"image": seewhy.IMAGE, "age": seewhy.PerImage([1, 2])}])
def test_what_cannot_be_called_is_refused(inputs):
    with pytest.raises(BadParameter, match=r"IMAGE|PerImage"):
        caller(inputs)


def test_the_scores_are_found_or_asked_for():
    scores, other = np.zeros((3, 5)), np.ones((3, 2))
    assert picked(scores, None, "net") is scores
    assert picked((scores,), None, "net") is scores
    assert picked({"logits": scores}, None, "net") is scores
    assert picked({"logits": scores, "aux": other}, "logits", "net") is scores
    assert picked(SimpleNamespace(logits=scores), "logits", "net") is scores
    assert picked((other, scores), 1, "net") is scores
    assert picked({"a": scores}, lambda output: output["a"], "net") is scores
    with pytest.raises(BadNetwork, match=r"a dict of 'a', 'b'.*output="):
        picked({"a": scores, "b": other}, None, "net")
    with pytest.raises(BadNetwork, match="nothing at output='c'"):
        picked({"a": scores}, "c", "net")
