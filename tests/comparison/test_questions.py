"""The same question to both models."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.comparison.classes import match_classes
from seewhy.comparison.questions import Said, chosen, one_target, said_of, same_question, same_top, top_overlap
from seewhy.errors import NotApplicable, NotHere
from seewhy.maps.source import Predicted


def model(labels=("red", "not red", "neither"), name="f"):
    def mean(x):
        red = x.reshape(len(x), -1).mean(1)
        return np.stack([red * (i + 1) for i in range(len(labels))], 1)

    return seewhy.wrap(mean, prepare={"size": 8, "crop": 8}, labels=[*labels], name=name)


def said(*scores):
    e = np.array(scores, float)
    return Said(e, Predicted(int(e.argmax()), None, 0.9))


A, B = model(name="a"), model(("background", "neither", "red"), name="b")
CLASSES = match_classes(("a", "b"), (A.labels, B.labels), (3, 3))


def asked(target):
    return same_question(target, 0, (A, B), said(3, 1, 2), CLASSES, "cat.jpg")


def test_the_top_class_of_a_is_explained_on_both():
    assert asked(seewhy.Top()) == (seewhy.Class(0), seewhy.Class(2))
    assert asked(seewhy.Top(2)) == (seewhy.Class(2), seewhy.Class(1))


def test_a_class_by_label_or_number_of_a():
    assert asked("neither") == asked(2) == (seewhy.Class(2), seewhy.Class(1))
    assert asked(seewhy.PerImage(["red"])) == (seewhy.Class(0), seewhy.Class(2))


def test_a_contrast_keeps_its_rivals():
    assert asked(seewhy.Contrast("red", ["neither"])) == (seewhy.Contrast(0, (2,)), seewhy.Contrast(2, (1,)))
    look_alike = seewhy.Contrast("red", look_alikes=1)
    assert asked(look_alike) == (
        seewhy.Contrast(0, (2,), look_alikes=1),
        seewhy.Contrast(2, (1,), look_alikes=1),
    )


def test_a_class_that_b_has_not_is_said_of_that_photo():
    with pytest.raises(NotHere, match=r"cat.jpg: b has no class not red \(1\) of a"):
        asked("not red")


def test_places_are_asked_of_each_model_in_its_own_classes():
    a, b = same_question(seewhy.Region("red"), 0, (A, B), None, None, "cat.jpg")
    assert (a, b) == (seewhy.Region("red").known(A.labels), seewhy.Region("red").known(B.labels))
    assert a != b


@pytest.mark.parametrize(
    ("target", "theirs"),
    [
        ("region:0", seewhy.Region(2)), ("region:red", seewhy.Region(2)), ("region:2", seewhy.Region(1)), ("region:",
        seewhy.Region()),
        (seewhy.Point(1, 2, 0), seewhy.Point(1, 2, 2)), ("point:1,2", seewhy.Point(1, 2)), ("box:red:1", seewhy.Box(2, 1)),
        (seewhy.Box(0, (1, 2, 3, 4)), seewhy.Box(2, (1, 2, 3, 4))), ("box:", seewhy.Box()), (seewhy.PerImage(["region:0"]),
        seewhy.Region(2)),
    ],
)  # fmt: skip
def test_a_place_of_a_class_is_of_that_class_in_both_whatever_its_number(target, theirs):
    assert same_question(target, 0, (A, B), None, None, "cat.jpg")[1] == theirs
    plain = model(name="plain")
    plain.labels = None
    assert same_question("region:0", 0, (A, plain), None, None, "cat.jpg")[1] == seewhy.Region(0), "no labels tell another"
    for missing in ("region:1", "box:not red", seewhy.Point(1, 2, 1)):
        with pytest.raises(NotHere, match=r"b has no class not red \(1\) of a"):
            same_question(missing, 0, (A, B), None, None, "cat.jpg")


def test_several_targets_are_refused():
    with pytest.raises(NotApplicable, match="2 targets were given"):
        one_target([0, 1], A)


def test_top_classes_agree_by_label():
    assert same_top(said(3, 1, 2), said(0, 1, 2), CLASSES) is True
    assert same_top(said(3, 1, 2), said(0, 2, 1), CLASSES) is False
    assert same_top(said(1, 3, 2), said(2, 1, 0), CLASSES) is False  # a class that b lacks


def test_a_single_probability_agrees_by_its_side_of_one_half():
    def one(chance):
        return Said(np.zeros(1), Predicted(0, None, chance))

    single = match_classes(("a", "b"), (None, None), (1, 1))
    assert same_top(one(0.9), one(0.6), single) is True
    assert same_top(one(0.9), one(0.4), single) is False
    assert same_top(Said(np.ones(1), None), one(0.4), single) is None


def test_top_five_overlap_by_hand():
    many = match_classes(("a", "b"), (None, None), (8, 8))
    up, down = said(*range(8)), said(*range(8)[::-1])
    assert top_overlap(up, up, many) == 1
    assert top_overlap(up, down, many) == pytest.approx(2 / 5)  # 7 6 5 4 3 and 0 1 2 3 4
    assert top_overlap(said(1, 2, 3), said(1, 2, 3), CLASSES) is None


@pytest.fixture(scope="module")
def photo():
    return seewhy.read(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "noise")


def test_auto_is_grad_cam_where_both_give_gradients(red_model, photo):
    method, why = chosen("auto", (red_model, red_model), photo)
    assert method == seewhy.grad_cam
    assert why == "the first of grad-cam, recipro-cam, occlusion that both can do"


def test_auto_is_occlusion_where_one_gives_scores_alone(red_model, photo):
    method, why = chosen("auto", (red_model, A), photo)
    assert method == seewhy.occlusion
    assert "; no grad-cam, a: " in why


class Detached(torch.nn.Module):
    """A network whose gradients end at its head."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body.weigh(self.body.flat(self.body.pool(self.body.cells(self.body.act(self.body.see(x))))).detach())


def test_auto_is_recipro_cam_where_gradients_do_not_come_back(red_network, red_model, photo):
    broken = seewhy.wrap(Detached(red_network), prepare=red_model.prepare, labels=red_model.labels, name="broken")
    method, why = chosen("auto", (red_model, broken), photo)
    assert method.name in ("recipro-cam", "occlusion")
    assert "no grad-cam, broken: " in why


def test_what_a_model_says(red_model, photo):
    (batch,) = red_model.batches(photo)
    found = said_of(red_model, batch.x)
    assert found is not None
    assert found.order.tolist() == np.argsort(-red_model.answer(batch.x).scores[0], kind="stable").tolist()
