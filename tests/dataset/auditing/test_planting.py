"""Parts pasted onto photos: where they land, and whether a network whose rule is known follows them."""

from dataclasses import replace

import numpy as np
import pytest

from seewhy.dataset.auditing.planting import Donor, answers, elsewhere, pasted, planted_part
from seewhy.images.places import Extent

ALL = Extent(0, 0, 64, 64)
CORNER = (0.0, 0.0, 0.25, 0.25)


def green(size=(64, 64)):
    photo = np.zeros((*size, 3), np.uint8)
    photo[..., 1] = 160
    return photo


def red_corner():
    photo = green()
    photo[:16, :16] = (255, 0, 0)
    return photo


def test_a_part_lands_at_the_same_place_of_what_is_seen():
    small = green((32, 48))  # of 48 x 32 pixels the middle 32 x 32 is seen
    out = pasted((small, Extent(8, 0, 40, 32)), (red_corner(), ALL), [CORNER])
    red = (out == (255, 0, 0)).all(2)
    assert red[:8, 8:16].all()
    assert red.sum() == 64
    assert (small == green((32, 48))).all()  # the photo itself is left as it is
    moved = pasted((green(), ALL), (red_corner(), ALL), [CORNER], [(0.5, 0.5, 0.75, 0.75)])
    assert (moved[32:48, 32:48] == (255, 0, 0)).all()
    assert (moved[:16, :16] == (0, 160, 0)).all()


def test_elsewhere_is_another_place_of_that_size():
    rng = np.random.default_rng(0)
    for _ in range(20):
        left, top, right, bottom = elsewhere(CORNER, rng)
        assert (right - left, bottom - top) == (pytest.approx(0.25), pytest.approx(0.25))
        assert left >= 0.25 or top >= 0.25
        assert right <= 1
        assert bottom <= 1


def test_answers_are_those_of_the_model(red_model):
    photos = [green(), red_corner()]
    scores = answers(red_model, photos)
    assert scores[1, 0] == pytest.approx(255 / 255 / 16)  # a sixteenth of the photo is red
    assert scores[0].tolist() == [0, 0, 0]


def names(index):
    return ["red", "not red", "neither"][index]


def test_the_answer_of_a_network_that_sees_red_follows_a_red_corner(red_model):
    shifted = _Shifted(red_model)
    recipients = [(green(), ALL)] * 8
    part = planted_part(shifted, 0, "red", [Donor((red_corner(), ALL), (CORNER,))], recipients, recipients, names)
    assert part.photos == 8
    assert (part.follows.part, part.random.part, part.elsewhere.part) == (8, 0, 8)  # it sees red wherever it is
    assert part.rise == pytest.approx(1 / 16)
    assert part.low <= part.rise <= part.high
    assert part.p == pytest.approx(2 / 2**8)
    assert part.shown[0][1] == "neither"
    assert part.shown[1][1] == "red"
    assert np.asarray(part.shown[1][0])[0, 0].tolist() == [255, 0, 0]
    sure = replace(part, adjusted=part.p)
    assert sure.verdict == "follows"
    assert "8 become red (100 %" in str(sure)
    assert sure.facts["follows"]["count"] == 8


def test_a_part_that_says_nothing_to_the_network_is_not_followed(red_model):
    shifted = _Shifted(red_model)
    blue = green()
    blue[:16, :16] = (0, 0, 255)
    recipients = [(green(), ALL)] * 8
    part = planted_part(shifted, 0, "red", [Donor((blue, ALL), (CORNER,))], recipients, recipients, names)
    part = replace(part, adjusted=part.p)
    assert (part.follows.part, part.rise, part.p, part.verdict) == (0, 0, 1, "stays")
    assert "does not follow" in str(part)


def test_several_boxes_are_pasted_together_and_nowhere_else(red_model):
    shifted = _Shifted(red_model)
    photo = red_corner()
    photo[-16:, -16:] = (255, 0, 0)
    boxes = (CORNER, (0.75, 0.75, 1.0, 1.0))
    recipients = [(green(), ALL)] * 6
    part = planted_part(shifted, 0, "red", [Donor((photo, ALL), boxes)], recipients, recipients, names)
    assert part.elsewhere is None
    assert part.rise == pytest.approx(2 / 16)
    assert len(part.shown) == 3


def test_too_few_photos_of_other_classes_tell_nothing(red_model):
    donor = Donor((red_corner(), ALL), (CORNER,))
    five = [(green(), ALL)] * 5
    assert planted_part(_Shifted(red_model), 0, "red", [donor], five, five, names) is None
    red = [(red_corner(), ALL)] * 9  # taken for the class already
    assert planted_part(_Shifted(red_model), 0, "red", [donor], red, red, names) is None


class _Shifted:
    """The network that sees red, with the class "neither" at a score of 0.01: what is not red is that."""

    def __init__(self, model):
        self.model = model
        self.batches = model.batches

    def answer(self, x):
        found = self.model.answer(x)
        return found._replace(scores=np.asarray(found.scores) + np.array((0, 0, 0.01)))
