"""Texts that networks wrote: which tokens a word is made of."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NotHere
from seewhy.targets.written import Writing, WrittenText

TOKENS = ("A", " cat", "alog", " of", " a", " gir", "affe", " and", " a", " cat", ".", "</s>")


def text(named=True):
    count = len(TOKENS)
    marks = (False,) * (count - 1) + (True,)
    return WrittenText("".join(TOKENS[:-1]), TOKENS, np.ones(count), tuple(range(count)), 4, marks, (1,) * 5, Writing(), named)


@pytest.mark.parametrize(
    ("of", "at"),
    [("giraffe", (5, 6)), ("Giraffe", (5, 6)), ("cat", (9,)), ("catalog", (1, 2)), ("a giraffe", (4, 5, 6)), ("log", (2,)),
     (3, (3,)), (11, (11,)), ("A", (0,)), ("a", (4,)), (".", (10,))],
)  # fmt: skip
def test_the_tokens_of_a_word(of, at):
    assert text().place_of(of) == at


def test_their_words_and_facts():
    found = text()
    assert found.words((5, 6)) == "giraffe"
    assert found.facts((5, 6)) == {
        "text": "A catalog of a giraffe and a cat.", "tokens": [*TOKENS], "explained": [5, 6], "seed": None, "longest": 64,
    }  # fmt: skip
    assert str(found).startswith("'A catalog of a giraffe and a cat.': 0:A 1:cat 2:alog 3:of")


def test_what_is_not_there():
    with pytest.raises(NotHere, match=r"Token\('dog'\): there is no such word in what the network wrote. It wrote 'A catalog"):
        text().place_of("dog")
    with pytest.raises(NotHere, match="token 12: the network wrote 12 tokens"):
        text().place_of(12)
    with pytest.raises(BadParameter, match=r"Give wrap\(tokenizer=\)"):
        text(named=False).place_of("cat")
