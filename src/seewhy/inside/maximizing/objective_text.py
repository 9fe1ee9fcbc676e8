"""Objectives as a person writes them: targets, `layer:NAME`, `diversity:NAME`, `direction:NAME:FILE`, and sums of them.

What is no word of these is read as a target (docs/target_grammar.md); a label of the model goes before all else.
"""

import re
from typing import Any

import numpy as np

from seewhy.archives import DAMAGED
from seewhy.errors import BadParameter
from seewhy.printable import quoted
from seewhy.targets.class_names import classes_named
from seewhy.targets.grammar import NUMBER, QUOTED, literal, pieces, unreadable
from seewhy.targets.parse import read
from seewhy.targets.sums import Direction, Diversity, WeightedSum, WholeLayer
from seewhy.targets.target import Labels

SIGN = re.compile(r"\s+([-+])\s+")  # between terms; a name with such a thing in it stands in quotes
WEIGHT = re.compile(rf"\s*({NUMBER})\s*\*\s*")
ONE_LAYER = {"layer": WholeLayer, "diversity": Diversity}
DIRECTION = "direction:LAYER:FILE or direction:LAYER:FILE:Y,X, the file a .npy with a number for each channel."


def parsed(text: str, labels: Labels) -> Any:
    """The target or the sum that a text writes down, as in "unit:conv:3 + 0.5*layer:conv".

    Raises BadParameter, with the place where the text makes no sense any more.
    """
    if classes_named(text.strip(), labels):
        return _one(read(text, labels), text)
    terms = []
    for sign, term in _terms(text):
        weight = WEIGHT.match(term)
        factor, rest = float(weight[1]) if weight else 1.0, term[weight.end() :] if weight else term
        if not rest.strip():
            raise BadParameter(f"{quoted(text)} lacks a term: give a class, unit:LAYER:CHANNEL, or a sum, '2*unit:conv:3 + 1'.")
        terms.append((factor * sign, _term(rest, labels)))
    return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else WeightedSum(tuple(terms))


def _terms(text: str) -> list[tuple[int, str]]:
    """The terms between signs that stand in white space, outside of double quotes; each with its sign."""
    hidden = re.sub(QUOTED, lambda token: "x" * len(token[0]), text)
    found, start, sign = [], 0, 1
    for match in SIGN.finditer(hidden):
        found.append((sign, text[start : match.start()]))
        start, sign = match.end(), -1 if match[1] == "-" else 1
    return [*found, (sign, text[start:])]


def _term(text: str, labels: Labels) -> Any:
    if text.strip().startswith("-") and not re.fullmatch(r"\s*-[0-9]+\s*", text):
        return _term(text.strip()[1:], labels) * -1
    word, colon, rest = text.strip().partition(":")
    word = word.strip().lower()
    if colon and word in ONE_LAYER:
        layer, *more = pieces(rest, ":")
        if more or not literal(layer):
            raise unreadable(text, ":".join(more), f"{word}:LAYER, a name with a colon in double quotes.")
        return ONE_LAYER[word](literal(layer))
    if colon and word == "direction":
        return _direction(text, rest)
    return _one(read(text, labels), text)


def _direction(text: str, rest: str) -> Direction:
    layer, *more = pieces(rest, ":")
    if len(more) not in (1, 2) or not literal(layer):
        raise unreadable(text, ":".join(more[2:]), DIRECTION)
    file, at = literal(more[0]), None
    if len(more) == 2:
        if not re.fullmatch(r"\s*[0-9]{1,9}(\s*,\s*[0-9]{1,9}){0,2}\s*", more[1]):
            raise unreadable(text, more[1], DIRECTION)
        at = tuple(map(int, more[1].split(",")))
    try:
        vector = np.load(file, allow_pickle=False)
    except DAMAGED as error:
        raise BadParameter(f"{quoted(file)} cannot be read as a vector ({error}): write {DIRECTION}") from None
    return Direction(literal(layer), vector, at=at)


def _one(found: list[Any], text: str) -> Any:
    if len(found) > 1:
        raise BadParameter(f"{quoted(text)} is {len(found)} targets; an image is made for one: write a sum of them.")
    return found[0]
