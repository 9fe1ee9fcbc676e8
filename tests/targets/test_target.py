"""Which score is explained: as an index, a label, a rank, a contrast, one for each image, or any function."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import seewhy
from seewhy import AnyOf, Box, Class, Contrast, PerImage, Point, Region, Similar, Text, Top, Unit, grad_cam
from seewhy.errors import BadParameter, NoSuchName, NotFinite
from seewhy.targets.parse import as_targets
from seewhy.targets.target import weighted

SCORES = np.array([[3.0, 1.0, 2.0, 0.0], [-1.0, 5.0, -2.0, 4.0]])
LABELS = [
    "tabby, tabby cat",
    "tiger cat",
    "Egyptian cat",
    "French bulldog",
    "tiger",
    "tiger shark, Galeocerdo cuvieri",
    "crane",
    "crane",
]


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        (Class(2), [[0, 0, 1, 0], [0, 0, 1, 0]]),
        (Class(np.int64(3)), [[0, 0, 0, 1], [0, 0, 0, 1]]),
        (Top(np.int64(4)), [[0, 0, 0, 1], [0, 0, 1, 0]]),
        (Contrast(0, 1), [[1, -1, 0, 0], [1, -1, 0, 0]]),
        (Top(), [[1, 0, 0, 0], [0, 1, 0, 0]]),
        (Top(2), [[0, 0, 1, 0], [0, 0, 0, 1]]),
        (Top(4), [[0, 0, 0, 1], [0, 0, 1, 0]]),
        (Contrast(0, 1, strength=0.5), [[1, -0.5, 0, 0], [1, -0.5, 0, 0]]),
        (Contrast(0, [1, 3], strength=1), [[1, -0.5, 0, -0.5], [1, -0.5, 0, -0.5]]),
        (Contrast(0, strength=1, look_alikes=2), [[1, -0.5, -0.5, 0], [1, 0, -0.5, -0.5]]),  # nearest: 2 and 1; -2 and 4
        (Contrast(1, strength=0.6, look_alikes=3), [[-0.2, 1, -0.2, -0.2], [-0.2, 1, -0.2, -0.2]]),
        (Contrast(1, strength=1, look_alikes=99), [[-1 / 3, 1, -1 / 3, -1 / 3]] * 2),
    ],
    ids=str,
)
def test_weights_by_hand(target, rows):
    np.testing.assert_allclose(target(SCORES), rows, atol=1e-12)


def test_ties_go_to_the_lower_index_always():
    tied = np.array([[1.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert [Top(rank)(tied).argmax(1).tolist() for rank in (1, 2, 3, 4)] == [[1, 0], [2, 1], [3, 2], [0, 3]]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 10**6))
def test_the_ranks_name_every_class_once_from_the_highest(n, k, seed):
    scores = np.random.default_rng(seed).normal(size=(n, k)).round(1)
    ranked = np.stack([Top(rank)(scores) for rank in range(1, k + 1)])
    assert (ranked.sum(0) == 1).all()
    assert (np.diff((ranked * scores).sum(-1), axis=0) <= 0).all()


@pytest.mark.parametrize(
    "target", [Class(4), Class(-1), Class(-5), Contrast(0, 4), Contrast(9), Contrast(-1, 0), Contrast(0, [1, -1])], ids=str
)
def test_an_index_out_of_range_is_told_the_range(target):
    with pytest.raises(NoSuchName, match="0 to 3"):
        target(SCORES)


def test_a_rank_out_of_range_is_told_the_range():
    with pytest.raises(BadParameter, match=r"Top\(5\).*4 scores"):
        Top(5)(SCORES)


UNFIT = {
    "float": lambda: 1.5,
    "None": lambda: None,
    "bool": lambda: True,
    "dict": lambda: {"a": 1},
    "a class": lambda: Top,
    "no targets": lambda: [],
    "a list in a list": lambda: [[0, 1]],
    "PerImage in PerImage": lambda: PerImage([PerImage([0])]),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_target_is_misuse(red_model, red_dot, name):
    with pytest.raises(BadParameter):
        grad_cam(red_model, red_dot((64, 64), 20, 20), target=UNFIT[name]())


NAN = float("nan")
REFUSED = [  # what nobody can mean is refused where it is written, and not when a network has run
    (lambda: Class(1.5), "1.5 is no class"), (lambda: Class(None), "None is no class"), (lambda: Class(True),
    "True is no class"),
    (lambda: Class(np.bool_(True)), "is no class"), (lambda: Class(1.0), "1.0 is no class"), (lambda: Class([1]),
    "is no class"),
    (lambda: Top(1.5), "counts from 1"), (lambda: Top(True), "counts from 1"), (lambda: Top("2"), "counts from 1"),
    (lambda: Top(0), "counts from 1"), (lambda: Top(-1), "counts from 1"), (lambda: Top(None), "counts from 1"),
    (lambda: Top(NAN), "counts"),
    (lambda: Contrast(0, 1, strength="0.6"), "strength is '0.6'; give a number"), (lambda: Contrast(0, 1, strength=True),
    "give a number"),
    (lambda: Contrast(0, 1, strength=NAN), "strength is nan"), (lambda: Contrast(0, 1, strength=float("inf")),
    "strength is inf"),
    (lambda: Contrast(0, 1, strength=None), "give a number"), (lambda: Contrast(0, 1, strength=1j), "give a number"),
    (lambda: Contrast(0, 1, strength=np.bool_(True)), "give a number"), (lambda: Contrast(0, 1, strength=[0.6]),
    "give a number"),
    (lambda: Contrast(0, (2, 2)), "named twice"), (lambda: Contrast(0, ["a", "b", "a"]), "named twice"),
    (lambda: Contrast(0, np.array([2, 2])), "named twice"), (lambda: Contrast(0, 0), "contrasted with itself"),
    (lambda: Contrast(0, (1, 0)), "contrasted with itself"), (lambda: Contrast("a", "a"), "contrasted with itself"),
    (lambda: Contrast(np.int64(3), [3]), "contrasted with itself"), (lambda: Contrast(0, look_alikes=0), "look_alikes=0"),
    (lambda: Contrast(0, look_alikes=-1), "look_alikes=-1"), (lambda: Contrast(0, look_alikes=True), "look_alikes=True"),
    (lambda: Contrast(0, look_alikes=1.5), "look_alikes=1.5"), (lambda: Contrast(0, look_alikes="3"), "look_alikes='3'"),
    (lambda: Contrast(0, 1, look_alikes=0), "look_alikes=0"), (lambda: Contrast(0, None), "against: None is no class"),
    (lambda: Contrast(0, [True]), "against: True is no class"), (lambda: Contrast(0, 1.5), "against: 1.5 is no class"),
    (lambda: Contrast(1.5), "of: 1.5 is no class"), (lambda: Contrast([0, 1], 2), "of: .* is no class"),
    (lambda: Contrast(0, {"a": [1]}.values()), "is no class"), (lambda: Contrast(0, range(1, 1003)), "1,000 are the most"),
    (lambda: Unit("a", 1.0), "no whole number"), (lambda: Unit("a", True), "no whole number"), (lambda: Unit("a", "1"),
    "no whole number"),
    (lambda: Unit("", 1), "no name of a layer"), (lambda: Unit(3, 1), "no name of a layer"), (lambda: Unit(None, 1),
    "no name of a layer"),
    (lambda: Unit("a", 1, (True, 2)), "cell"), (lambda: Unit("a", 1, 3), "cell"), (lambda: Unit("a", 1, "1,2"), "cell"),
    (lambda: PerImage("cat"), "give a list"), (lambda: PerImage(3), "give a list"), (lambda: PerImage(None), "give a list"),
    (lambda: Region(1.5), "Region: 1.5 is no class"), (lambda: Region(True), "is no class"), (lambda: Region(["cat"]),
    "is no class"),
    (lambda: Point("3", 4), "give a row and a column"), (lambda: Point(True, 4), "give a row"), (lambda: Point(NAN, 4),
    "give a row"),
    (lambda: Point(None, 4), "give a row"), (lambda: Point(1, float("inf")), "give a row"), (lambda: Point(1, 2, 1.5),
    "is no class"),
    (lambda: Point(1, 1 + 1j), "give a row"), (lambda: Box(1.5), "Box: 1.5 is no class"), (lambda: Box(True), "is no class"),
    (lambda: Box("a", "1"), "neither 0, 1, 2"), (lambda: Box("a", True), "neither 0, 1, 2"), (lambda: Box("a", 1.0),
    "neither 0, 1, 2"),
    (lambda: Box("a", "1234"), "neither 0, 1, 2"), (lambda: Box("a", (True, 2, 3, 4)), "neither 0, 1, 2"),
    (lambda: Similar(""), "give a photo"), (lambda: Similar(None), "give a photo"), (lambda: Similar(3), "give a photo"),
    (lambda: Similar(True), "give a photo"), (lambda: Similar({"to": 1}), "give a photo"), (lambda: Similar(b"a.jpg"),
    "give a photo"),
    (lambda: Text(""), "give texts"), (lambda: Text("  "), "give texts"), (lambda: Text(3), "give texts"), (lambda: Text("a",
    None), "give texts"),
    (lambda: Text("a", 3), "give texts"), (lambda: Text("a", ["b", "b"]), "named twice"), (lambda: Text("a", "a"),
    "against itself"),
    (lambda: Text(["a"]), "give texts"), (lambda: Text("a", b"b"), "give texts"), (lambda: Text("a", template=None), "has no"),
    (lambda: AnyOf([]), "whole word"), (lambda: AnyOf(""), "whole word"), (lambda: AnyOf(" "), "whole word"),
    (lambda: AnyOf(True), "whole word"),
    (lambda: AnyOf([True, 2]), "whole word"), (lambda: AnyOf([""]), "whole word"), (lambda: AnyOf([1.0]), "whole word"),
    (lambda: AnyOf(None), "whole word"), (lambda: AnyOf(np.array([0.5])), "whole word"), (lambda: AnyOf("x" * 10_001),
    "whole word"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_a_target_that_nobody_can_mean_is_refused_at_once(make, said):
    with pytest.raises(BadParameter, match=said):
        make()


def test_numbers_of_numpy_are_pythons_own_and_what_says_nothing_is_dropped():
    assert Class(np.int64(3)) == Class(3)
    assert type(Class(np.uint8(3)).index) is int
    assert Contrast(np.int64(1), np.array([2, 3]), np.float32(0.5)) == Contrast(1, (2, 3), 0.5)
    assert Contrast(1, 2, look_alikes=7) == Contrast(1, [2])
    assert Point(np.float32(1.5), np.int64(2)) == Point(1.5, 2)
    assert Unit("a", np.int64(1), np.array([1, 2])) == Unit("a", 1, (1, 2))
    assert AnyOf([1, np.int64(1), "a", "a"]) == AnyOf([1, "a"])
    assert len({Contrast(1, 2), Contrast(1, (2,)), Contrast(1, [2], 1)}) == 1


@pytest.mark.parametrize("against", ["TABBY", ["tiger cat", "tabby cat"], [1, "tabby"], "tabby, tabby cat"])
def test_a_class_by_another_of_its_names_is_no_other_class(against):
    with pytest.raises(BadParameter, match="contrasted with itself"):
        as_targets(Contrast("tabby", against), LABELS)
    with pytest.raises(BadParameter, match="named twice"):
        as_targets(Contrast("tiger", ["tabby", "tabby cat", 2]), LABELS)


@pytest.mark.parametrize("of", range(5))
@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_look_alikes_are_the_classes_with_the_nearest_scores(of, count):
    """|y_d - y_c| sorted, as in the authors' code and torchcam; by hand, one image after the other."""
    scores = np.array([[2.0, 2.5, -1.0, 9.0, 1.9], [0.0, 0.0, 0.0, 1.0, -1.0], [5.0, 4.0, 3.0, 2.0, 1.0]])
    weights = Contrast(of, strength=0.6, look_alikes=count)(scores)
    for row, found in zip(scores.tolist(), weights, strict=True):
        others = sorted((d for d in range(5) if d != of), key=lambda d, row=row: (abs(row[d] - row[of]), d))[:count]
        expected = np.zeros(5)
        expected[of], expected[others] = 1, -0.6 / len(others)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    if of == 3:  # the highest of the first image: then these are the highest others
        assert {*np.flatnonzero(weights[0] < 0)} == {*np.argsort(-scores[0])[1 : count + 1]}


def test_a_model_of_one_score_has_nothing_to_contrast():
    model = seewhy.wrap(nn.Sequential(nn.Conv2d(3, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    with pytest.raises(BadParameter, match=r"one score|1 score|no other"):
        grad_cam(model, np.ones((1, 3, 8, 8), np.float32), target=Contrast(0))


CALLABLES = {
    "no rows": lambda scores: np.zeros(3),
    "too few": lambda scores: np.zeros((1, 2)),
    "nothing": lambda scores: None,
    "nan": lambda scores: np.full_like(scores, np.nan),
    "words": lambda scores: "red",
}


@pytest.mark.parametrize("name", CALLABLES)
def test_a_callable_that_gives_no_weights_is_misuse(red_model, red_dot, name):
    with pytest.raises(BadParameter, match=r"weights|target"):
        grad_cam(red_model, red_dot((64, 64), 20, 20), target=CALLABLES[name])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_explain_no_class(bad):
    scores = np.array([[1.0, 2.0, 3.0], [1.0, bad, 3.0]])
    assert weighted([Top()], scores[:1]).tolist() == [[[0, 0, 1]]]
    for target in (Top(), Class(0), Contrast(0, 2)):
        with pytest.raises(NotFinite, match="NaN or infinity, so that no class can be explained"):
            weighted([target], scores)


def test_a_class_that_a_network_leaves_out_is_not_explained_and_the_others_are():
    scores = np.array([[1.0, -np.inf, 3.0]])
    assert weighted([Top(), Class(0)], scores).tolist() == [[[0, 0, 1]], [[1, 0, 0]]]
    for target in (Class(1), Top(3), Contrast(0, 1)):
        with pytest.raises(NotFinite):
            weighted([target], scores)


def test_any_callable_is_a_target(red_model, red_dot):
    photos = [red_dot((64, 64), 20, 20), red_dot((64, 64), 40, 40)]
    asked = []

    def half_red(scores):
        asked.append(scores.copy())
        return np.array([[0.5, 0, 0]] * len(scores))

    halves, whole = grad_cam(red_model, photos, target=[half_red]), grad_cam(red_model, photos, target=0)
    assert asked[0].shape == (2, 3)
    for half, one in zip(halves, whole, strict=True):
        np.testing.assert_allclose(half.values, one.values / 2, rtol=1e-6)
        assert half.source.score == pytest.approx(one.source.score / 2)
        assert half.source.index is None
        assert half.source.probability is None


def test_each_image_may_have_a_target_of_its_own(red_network, red_dot):
    photos = [red_dot((64, 64), 10 + 9 * i, 20) for i in range(5)]
    fit = {"size": 64, "crop": 64, "mean": 0.0, "std": 1.0}
    model = seewhy.wrap(red_network, prepare=fit, labels=["red", "not red", "neither"], batch_size=2)
    own = [0, "not red", Top(1), Contrast("red", "not red"), lambda s: np.tile([0.0, 0, 1], (len(s), 1))]
    together = grad_cam(model, photos, target=[PerImage(own), 0], signed=True)
    for place, (photo, target) in enumerate(zip(photos, own, strict=True)):
        (alone,) = grad_cam(model, photo, target=target, signed=True)
        mine, plain = together.where(image=place)
        np.testing.assert_allclose(mine.values, alone.values, atol=1e-6)
        assert (mine.source.index, mine.source.label, mine.source.target) == (
            alone.source.index,
            alone.source.label,
            alone.source.target,
        )
        assert mine.source.score == pytest.approx(alone.source.score)
        assert plain.source.index == 0


@pytest.mark.parametrize("count", [1, 3])
def test_per_image_is_checked_for_its_length(red_model, red_dot, count):
    with pytest.raises(BadParameter, match=f"{count} targets for 2 images"):
        grad_cam(red_model, [red_dot((64, 64), 20, 20)] * 2, target=PerImage([0] * count))
    with pytest.raises(BadParameter, match=f"{count} targets for 2 images"):
        grad_cam(red_model, np.zeros((2, 3, 16, 16), np.float32), target=PerImage([0] * count))


def test_targets_are_written_down_as_they_were_asked(red_model, red_dot):
    asked = [0, "not red", Top(3), Contrast("red", ["not red", "neither"]), Contrast(0, strength=0.6), "red-vs-2:0.25"]
    maps = grad_cam(red_model, red_dot((64, 64), 20, 20), target=asked)
    assert [m.source.target for m in maps] == ["0", "1", "top 3", "0-vs-1+2", "0-vs-3 look-alikes:0.6", "0-vs-2:0.25"]
    assert [m.source.label for m in maps] == [
        "red", "not red", "not red", "red rather than not red, neither", "red rather than its 3 look-alikes (strength 0.6)",
        "red rather than neither (strength 0.25)",
    ]  # fmt: skip
    assert [m.source.index for m in maps] == [0, 1, 1, None, None, None]
    assert "red rather than neither (strength 0.25)" in maps[-1].source.caption


def test_one_target_and_a_list_of_one_are_the_same():
    assert as_targets("tiger", LABELS) == as_targets(["tiger"], LABELS) == as_targets((Class("tiger"),), LABELS) == [Class(4)]


def test_a_contrast_is_the_difference_of_its_maps(red_model, red_dot):
    photo = red_dot((64, 64), 20, 20)
    one, other, both = grad_cam(red_model, photo, target=[0, 1, Contrast(0, 1, strength=0.25)], signed=True)
    np.testing.assert_allclose(both.values, one.values - 0.25 * other.values, atol=1e-6)
    assert both.source.score == pytest.approx(one.source.score - 0.25 * other.source.score)


@pytest.mark.parametrize("kind", ["log-probability", "probability"])
def test_other_scores_are_softmax_of_the_logits(red_network, red_dot, kind):
    fit = {"size": 64, "crop": 64, "mean": 0.0, "std": 1.0}
    photo = red_dot((64, 64), 20, 20, half=12)
    logits, other = (
        grad_cam(seewhy.wrap(red_network, prepare=fit, scores=s), photo, target=[0, 1, 2], signed=True)
        for s in ("logits", kind)
    )
    p = torch.tensor([m.source.score for m in logits], dtype=torch.float64).softmax(0).numpy()
    for i, (raw, heatmap) in enumerate(zip(logits, other, strict=True)):
        assert heatmap.source.scores == kind
        assert heatmap.source.score == pytest.approx(np.log(p[i]) if kind == "log-probability" else p[i], rel=1e-5)
        assert heatmap.source.probability == pytest.approx(raw.source.probability) == pytest.approx(p[i], rel=1e-5)
        slope = (np.eye(3)[i] - p) * (1 if kind == "log-probability" else p[i])
        np.testing.assert_allclose(heatmap.values, sum(s * m.values for s, m in zip(slope, logits, strict=True)), atol=1e-6)


def test_scores_are_one_of_three(red_network):
    with pytest.raises(BadParameter, match=r"'odds'.*logits, log-probability, probability"):
        seewhy.wrap(red_network, scores="odds")
