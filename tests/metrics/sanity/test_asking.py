"""The same question to a network and to changed copies of it: targets stay settled, maps come in the same order."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.metrics.sanity.asking import SameQuestion, Settled, by_key, chosen_methods
from support.small import small_network

X = np.random.default_rng(0).standard_normal((4, 3, 10, 10)).astype(np.float32)


def network(seed=0):
    return small_network(classes=6, seed=seed)


@pytest.fixture(scope="module")
def models():
    return [seewhy.wrap(network(seed)) for seed in (0, 1)]


def test_methods_are_compared_before_their_relu_unless_it_is_asked_for():
    found = chosen_methods(["grad-cam", seewhy.grad_cam.using(signed=False), "gradient", "smooth(grad-cam)"])
    assert [m.settings.get("signed") for m in found] == [True, False, None, True]
    assert len(chosen_methods(["gradient", seewhy.gradient, "grad-cam", "grad_cam"])) == 2  # each once
    with pytest.raises(seewhy.BadParameter, match="names none"):
        chosen_methods([])


def test_the_class_stays_the_one_that_the_first_network_settled_on(models):
    question = SameQuestion(models[0], X, "gradient", seewhy.Top(2), None)
    second = np.argsort(-models[0].answer(X).scores, 1)[:, 1]
    assert [m.source.index for m in question.of(models[1])] == second.tolist()
    assert [str(each) for each in question.targets.targets] == ["top 2"] * 4
    expected = [seewhy.gradient(models[1], X[i : i + 1], int(second[i]))[0].values for i in range(4)]
    np.testing.assert_allclose([m.values for m in question.of(models[1])], expected, rtol=1e-4, atol=1e-7)


def test_a_contrast_keeps_its_rivals(models):
    question = SameQuestion(models[0], X[:1], "gradient", seewhy.Contrast(2, look_alikes=2), None)
    scores = models[0].answer(X[:1]).scores[0]
    rivals = [i for i in np.argsort(abs(scores - scores[2])) if i != 2][:2]
    expected = np.zeros(6)
    expected[2], expected[rivals] = 1, -0.5
    np.testing.assert_array_equal(question.targets.targets[0].weights, expected)
    assert Settled("x", expected)(np.zeros((3, 6))).shape == (3, 6)


def test_targets_that_name_all_they_need_stay_as_they_are(models):
    unit = seewhy.Unit("2", 1)
    assert SameQuestion(models[0], X[:1], "gradient", unit, None).targets.targets == (unit,)


def test_the_layer_that_was_chosen_is_asked_for_again(models):
    question = SameQuestion(models[0], X, ["grad-cam", "gradient", "layer-cam"], seewhy.Top(), None)
    assert question.layer == [question.maps[0].source.layer] == ["3"]
    others = question.of(models[1])
    same = [(m.place, m.source.method, m.source.layer) for m in question.maps]
    assert same == [(m.place, m.source.method, m.source.layer) for m in others]
    assert {*question.keys} == {("grad-cam", "3"), ("layer-cam", "3"), ("gradient", "input")}
    assert [len(each) for each in by_key(question.keys, others).values()] == [4, 4, 4]


def test_one_method_with_two_settings_is_told_apart(models):
    blurred = [seewhy.smooth_grad.using(samples=2), seewhy.smooth_grad.using(samples=3)]
    question = SameQuestion(models[0], X[:2], blurred, 0, None)
    assert len({*question.keys}) == 2
    assert "samples=3" in question.keys[1][0]


def test_a_method_that_is_refused_is_left_out_where_that_is_asked_for():
    torch.manual_seed(0)
    model = seewhy.wrap(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3)).eval())
    question = SameQuestion(model, X, ["cam", "gradient"], 0, None, "skip")
    assert [left.method for left in question.refused] == ["cam"]
    assert {key[0] for key in question.keys} == {"gradient"}
    assert len(question.of(model)) == 4
    for on_error in ("skip", "raise"):
        with pytest.raises(seewhy.NotApplicable):
            SameQuestion(model, X, "cam", 0, None, on_error)


def test_several_targets_and_bad_photos_are_said(models):
    with pytest.raises(seewhy.BadParameter, match="2 targets were given"):
        SameQuestion(models[0], X, "gradient", [0, 1], None)
    model = seewhy.wrap(network(), prepare={"size": 10, "crop": 10})
    photos = [Image.new("RGB", (12, 12), "red"), b"no photo", Image.new("RGB", (12, 12), "blue")]
    question = SameQuestion(model, photos, "gradient", seewhy.Top(), None, "skip")
    assert [left.place for left in question.failed] == [1]
    assert len(question.of(model)) == len(question.maps) == len(question.names) == 2
    with pytest.raises(seewhy.BadImage):
        SameQuestion(model, photos, "gradient", seewhy.Top(), None)
