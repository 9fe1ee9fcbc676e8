"""The picture of TCAV: dots where the numbers are, in the colour of the verdict."""

import numpy as np
import pytest

from seewhy.inside.concepts.tcav_picture import COSINES, LOWERS, RAISES, SCORES, ConceptBar, MeasureBar, tcav_picture


def rgb(colour):
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def columns(picture, colour):
    """The middles of what has that colour, left and right of the gap between the panels."""
    where = np.argwhere((np.asarray(picture) == rgb(colour)).all(2))[:, 1]
    gap = (SCORES[1] + COSINES[0]) / 2
    return [part.mean() for part in (where[where < gap], where[where > gap])]


def bar(score, alignment, verdict):
    return ConceptBar("stripes", "body", MeasureBar(score, (0.1, 0.9)), MeasureBar(alignment, (-0.1, 0.1)), 0.01, verdict)


@pytest.mark.parametrize(("verdict", "colour"), [("raises", RAISES), ("lowers", LOWERS)])
@pytest.mark.parametrize(("score", "alignment"), [(1.0, 0.5), (0.25, -0.3)])
def test_a_dot_lies_where_its_number_is(score, alignment, verdict, colour):
    left, right = columns(tcav_picture([bar(score, alignment, verdict)], "How", "below"), colour)
    assert left == pytest.approx(SCORES[0] + score * (SCORES[1] - SCORES[0]), abs=1)
    assert right == pytest.approx(COSINES[0] + (alignment + 0.5) * (COSINES[1] - COSINES[0]), abs=1)


def test_a_concept_that_is_not_told_has_a_hollow_dot():
    picture = tcav_picture([bar(0.5, 0.02, "")], "How", "below")
    pixels = np.asarray(picture)
    assert not (pixels == rgb(RAISES)).all(2).any()
    assert not (pixels == rgb(LOWERS)).all(2).any()


def test_each_layer_has_a_head_and_all_rows_fit():
    some = [bar(0.5, 0.9, "raises"), bar(0.5, 0.9, "raises")._replace(layer="head")]
    one, two = (tcav_picture(rows, "How", "below") for rows in (some[:1], some))
    assert two.height - one.height == 2 * 30
    assert two.width == one.width
