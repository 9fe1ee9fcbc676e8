"""Scores that concepts may be important for: which photos tell of them, and that they are what is explained elsewhere."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter
from seewhy.inside.concepts.asked_classes import asked_classes, taken_for
from support import networks

LABELS = ["cat", "dog", "fox", "hen", "owl"]


@pytest.fixture(scope="module")
def model():
    return seewhy.wrap(networks.pooled(), labels=LABELS)


def test_photos_that_tell_of_a_score(model):
    for target, classes in (
        ("dog", (1,)),
        (2, (2,)),
        (seewhy.AnyOf([0, 2]), (0, 2)),
        (seewhy.Contrast(1, [0]), (1,)),
        (None, ()),
    ):
        (asked,) = asked_classes(model, target, every=False)
        assert asked.classes == classes
        assert [asked.tells(c) for c in range(3)] == [not classes or c in classes for c in range(3)]
        assert asked_classes(model, target, every=True)[0].classes == ()
    assert [each.words for each in asked_classes(model, ["dog", 0], False)] == ["dog", "cat"]
    assert asked_classes(model, None, False)[0].words == "what each photo is taken for"


@pytest.mark.parametrize("target", [1, seewhy.Top(2), seewhy.Contrast(1, [0]), seewhy.AnyOf([0, 2])], ids=str)
def test_a_score_is_the_one_that_methods_explain_and_has_its_gradient(model, target):
    x = networks.images(1)
    (asked,) = asked_classes(model, target, every=False)
    answer = model.answer(x)
    assert asked.scores(model, answer)(answer.scores)[0] == pytest.approx(
        seewhy.gradient(model, x, target=target)[0].source.score
    )
    evidence = model.trace(x, [asked.traced(model, answer)], ["input"]).evidence["input"]
    along = np.random.default_rng(0).normal(size=x.shape)
    step = 1e-5
    ends = [asked.scores(model, answer)(model.answer(x + sign * step * along).scores)[0] for sign in (1, -1)]
    slope = float((np.asarray(evidence.g[0]) * along).sum())
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=1e-4)


def test_the_class_that_an_image_is_taken_for(model):
    answer = model.answer(networks.images(3))
    assert [*taken_for(answer)] == [*answer.probabilities.argmax(1)]


@pytest.mark.parametrize(
    "target", [seewhy.Unit("conv1", 0), seewhy.Region("cat"), seewhy.PerImage([1, 2])], ids=["unit", "region", "each"]
)
def test_what_is_no_score_of_classes_is_refused(model, target):
    with pytest.raises(BadParameter, match="important for scores of classes"):
        asked_classes(model, target, every=False)
