"""Results that are sequences of rows: taken by place, and by the name of their method."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from seewhy.errors import NoSuchName
from seewhy.metrics.rows import MethodRows


class Row(NamedTuple):
    method: str
    stage: int


@dataclass(frozen=True)
class Result(MethodRows[Row]):
    rows: tuple[Row, ...]


FOUND = Result((Row("grad-cam", 0), Row("gradient", 0), Row("grad-cam", 1)))


def test_rows_are_taken_as_of_any_sequence():
    assert (len(FOUND), FOUND[1], FOUND[1:]) == (3, FOUND.rows[1], FOUND.rows[1:])
    assert [*FOUND] == [*FOUND.rows]
    assert FOUND.index(Row("gradient", 0)) == 1


def test_rows_are_taken_by_their_method_in_either_spelling():
    assert FOUND.rows_of("grad-cam") == FOUND.rows_of("grad_cam") == (FOUND[0], FOUND[2])
    with pytest.raises(NoSuchName, match=r"(?s)gradcam.*There are: grad-cam, gradient\."):
        FOUND.rows_of("gradcam")
