"""Outputs that decide: class ids, masks and one-hot maps and rows are explained by shares, and have no gradient."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy import BadNetwork, BadParameter, NotApplicable, Point, Region, Top, explain, occlusion, rise, wrap
from seewhy.errors import InSpace, NotHere
from seewhy.targets.decisions import decided_scores, decisions
from support.segmenters import LABELS, Segmenter, image

MASK = np.zeros((12, 16), bool)
MASK[1:6, 2:9] = True


class Deciding(nn.Module):
    """A network, and what decides behind it."""

    def __init__(self, network: nn.Module, last) -> None:
        super().__init__()
        self.network, self.last = network, last

    def forward(self, x):
        return self.last(self.network(x))


def one_hot(out):
    return F.one_hot(out.argmax(1), out.shape[1]).movedim(-1, 1)


WINNER = {  # which class wins at each place, in many forms
    "argmax": lambda out: out.argmax(1),
    "keepdim": lambda out: out.argmax(1, keepdim=True),
    "uint8": lambda out: out.argmax(1).byte(),
    "int32": lambda out: out.argmax(1).int(),
    "float": lambda out: out.argmax(1).float(),
    "half": lambda out: out.argmax(1).half(),
    "one-hot": one_hot,
    "one-hot floats": lambda out: one_hot(out).to(out.dtype),
    "one-hot bool": lambda out: one_hot(out).bool(),
    "one-hot 255": lambda out: (255 * one_hot(out)).byte(),
    "dict": lambda out: {"out": out.argmax(1), "aux": out},
    "tuple": lambda out: (out.argmax(1), out),
    "list": lambda out: [*out.argmax(1)],
}
CAT = {  # where the cat's score is above 1, alone or among others
    "bool map": lambda out: out[:, 1] > 1,
    "bool channel": lambda out: out[:, 1:2] > 1,
    "bool channels": lambda out: out > 1,
    "bytes": lambda out: (out > 1).byte(),
    "0 and 255": lambda out: (255 * (out > 1)).int(),
    "floats 0 and 1": lambda out: (out > 1).float(),
    "float channel": lambda out: (out[:, 1:2] > 1).double(),
}


def by_hand(decided, where, x):
    """The share of `where` that is decided for, in x and its drop where 4 x 4 pixels are hidden: loops alone."""
    share, drops = decided(x)[where].mean(), np.zeros((12, 16))
    for i in range(0, 12, 4):
        for j in range(0, 16, 4):
            hidden = x.copy()
            hidden[..., i : i + 4, j : j + 4] = 0
            drops[i : i + 4, j : j + 4] = share - decided(hidden)[where].mean()
    return share, drops


def scores(x):
    return F.avg_pool2d(torch.from_numpy(x), 3, 1, 1)[0].numpy()


@pytest.mark.parametrize("function", [False, True])
@pytest.mark.parametrize("form", [*WINNER, *CAT])
def test_the_share_of_a_region_is_the_one_by_hand(form, function):
    x, network = image(), Deciding(Segmenter(), {**WINNER, **CAT}[form])
    won = form in WINNER

    def decided(x):
        return scores(x).argmax(0) == 1 if won else scores(x)[1] > 1

    def call(x):
        with torch.no_grad():
            out = network(torch.from_numpy(x))
        return out[0] if isinstance(out, tuple) else out["out"] if isinstance(out, dict) else out

    model = wrap(call, takes="float", labels=LABELS) if function else wrap(network, labels=LABELS)
    for target, where in ((Region("cat", MASK), MASK), (Region("cat"), decided(x))):
        found = occlusion(model, x, target=target, window=4, stride=4, fill=0.0)[0]
        share, drops = by_hand(decided, where, x)
        assert share > 0
        assert np.ptp(drops) > 0
        assert found.source.score == pytest.approx(share, rel=1e-6)
        np.testing.assert_allclose(found.values, drops, atol=1e-6)
        assert (found.source.scores, found.source.index, found.source.label) == ("share", 1, "cat")
        assert found.source.warnings == ()
    point = occlusion(model, x, target=Point(3, 5, "cat"), window=4, stride=4, fill=0.0)[0]
    assert point.source.score == pytest.approx(1)
    if not function:
        cam = seewhy.score_cam(model, x, target=Region("cat", MASK))[0]
        assert cam.source.score == pytest.approx(by_hand(decided, MASK, x)[0])
        assert cam.values.any()


def test_a_soft_mask_weighs_shares():
    x, weights = image(), np.linspace(0, 1, 192).reshape(12, 16)
    found = rise(wrap(Deciding(Segmenter(), WINNER["argmax"])), x, target=Region(1, weights), masks=4)[0]
    assert found.source.score == pytest.approx((weights * (scores(x).argmax(0) == 1)).sum() / weights.sum())


GRADIENT = [
    name for name, method in seewhy.METHODS.items() if not {"layer gradient", "image", "head"}.isdisjoint(method.requires)
]


@pytest.mark.parametrize("name", GRADIENT)
def test_what_reads_gradients_is_refused_with_the_reason(name):
    model = wrap(Deciding(Segmenter(), WINNER["argmax"]), labels=LABELS)
    with pytest.raises(
        NotApplicable, match=rf"{name} reads gradients, and for region:1 .*class ids \(int64\).*no gradient.*occlusion"
    ):
        explain(model, image(), [name], Region("cat"))


def test_decisions_that_are_passed_straight_through_keep_their_gradient():
    """The forward is the share of cells above 1, the way back that of the scores' mean."""

    def straight(out):
        return (out > 1).float() + (out - out.detach())

    x = image()
    hard, soft = (explain(wrap(Deciding(Segmenter(), last), labels=LABELS), x, "gradient", target=Region("cat", MASK))[0]
                  for last in (straight, nn.Identity()))  # fmt: skip
    assert hard.source.scores == "share"
    assert hard.source.score == pytest.approx((scores(x)[1] > 1)[MASK].mean(), abs=1e-6)
    np.testing.assert_allclose(hard.values, soft.values, atol=1e-7)
    assert np.any(hard.values)


def test_a_mask_of_one_thing_needs_no_class():
    x = image()
    for form in ("bool map", "bool channel"):
        for target in (Region(None, MASK), Region(0, MASK)):
            found = occlusion(wrap(Deciding(Segmenter(), CAT[form])), x, target=target, window=4, stride=4, fill=0.0)[0]
            assert found.source.score == pytest.approx((scores(x)[1] > 1)[MASK].mean())
    found = occlusion(wrap(Deciding(Segmenter(), lambda out: (255 * (out[:, 1] > 1)).byte())), x, target=Region())[0]
    assert found.source.score == pytest.approx(1)
    labelled = wrap(Deciding(Segmenter(), CAT["bool map"]), labels=["nothing", "cat"])
    shares = [
        each.source.score for each in occlusion(labelled, x, target=[Region("cat", MASK), Region("nothing", MASK)], window=12)
    ]
    assert shares == pytest.approx([(scores(x)[1] > 1)[MASK].mean(), (scores(x)[1] <= 1)[MASK].mean()])


def test_a_point_without_a_class_asks_for_what_was_decided_there():
    for form in ("argmax", "uint8", "one-hot", "one-hot bool", "list"):
        found = occlusion(wrap(Deciding(Segmenter(), WINNER[form]), labels=LABELS), image(), target=[Point(4, 6), Point(9, 12)])
        assert [(each.source.label, each.source.target, each.source.score) for each in found] == [
            ("cat", "point:4,6:1", 1), ("dog", "point:9,12:2", 1),
        ]  # fmt: skip


def test_rounded_scores_are_scores():
    x = image()
    model = wrap(Deciding(Segmenter(), lambda out: (100 * out).round().int()))
    found = occlusion(model, x, target=Region(1, MASK), window=4, stride=4, fill=0.0)[0]
    assert found.source.score == pytest.approx((100 * scores(x)[1]).round()[MASK].mean())
    assert found.source.scores == "logits"
    with pytest.raises(NotApplicable, match=r"whole numbers \(int32\)"):
        seewhy.gradient(model, x, target=Region(1, MASK))


def test_class_ids_without_a_class_are_refused_and_a_class_that_is_nowhere_is_answered_with_those_that_are():
    model = wrap(Deciding(Segmenter(), WINNER["argmax"]), labels=[*LABELS, "fox"])
    with pytest.raises(BadParameter, match=r"whole numbers 0, 1, 2 \(int64\).*name one.*out.float\(\)"):
        occlusion(model, image(), target=Region(None, MASK))
    with pytest.raises(NotHere, match="predicts fox nowhere in this image; there is: ground, cat, dog"):
        occlusion(model, image(), target=Region("fox"))
    with pytest.raises(InSpace, match=r'class ids \(int64\).*region:ground"'):
        occlusion(model, image())


def test_what_is_read_of_decisions_does_not_depend_on_what_else_is_in_a_variant():
    first = np.array([[[[0, 255], [7, 7]]]], np.uint8)
    read = decisions(first, 300, None, "this")
    assert read is not None
    assert not read.read(first).any()
    ids = decisions(first, 7, None, "this")
    assert ids is not None
    np.testing.assert_array_equal(ids.read(np.array([[[[7, 0], [1, 7]]]])), [[[1, 0], [0, 1]]])
    assert ids.present == [0, 7, 255]
    assert decisions(first.astype(float) + 0.5, 7, None, "this") is None
    assert decisions(np.zeros((1, 2, 2, 2)), 1, None, "this") is None


class Pooled(Segmenter):
    """A classifier: the mean of each class over the image."""

    def forward(self, x):
        return super().forward(x).mean((2, 3))


CLASSES = 3
IMAGE = image()
IMAGE[:, 0] += IMAGE[:, 1].mean() - IMAGE[:, 0].mean() - 0.1  # the cat wins, by what a part of it adds
DECIDES = {
    "ids": lambda out: out.argmax(1),
    "ids in a column": lambda out: out.argmax(1, keepdim=True),
    "ids as bytes": lambda out: out.argmax(1).byte(),
    "one-hot": lambda out: F.one_hot(out.argmax(1), CLASSES),
    "one-hot bool": lambda out: F.one_hot(out.argmax(1), CLASSES).bool(),
}


@pytest.mark.parametrize("kind", [None, "probability", "log-probability"])
@pytest.mark.parametrize("function", [False, True])
@pytest.mark.parametrize("form", DECIDES)
def test_a_classifier_that_decides_is_explained_by_what_changes_the_decision(form, function, kind):
    network = Pooled()
    deciding = Deciding(network, DECIDES[form])

    def call(x):
        with torch.no_grad():
            return deciding(torch.from_numpy(x))

    labels = [f"class {i}" for i in range(CLASSES)]
    model = wrap(call, takes="float", labels=labels, scores=kind) if function else wrap(deciding, labels=labels, scores=kind)

    def winner(x):
        with torch.no_grad():
            return int(network(torch.from_numpy(x)).argmax())

    found = occlusion(model, IMAGE, target=Top(), window=4, stride=4, fill=0.0)[0]
    want = np.zeros((12, 16))
    for i in range(0, 12, 4):
        for j in range(0, 16, 4):
            hidden = IMAGE.copy()
            hidden[..., i : i + 4, j : j + 4] = 0
            want[i : i + 4, j : j + 4] = winner(hidden) != winner(IMAGE)
    assert np.ptp(want) == 1
    np.testing.assert_array_equal(found.values, want)
    assert (found.source.index, found.source.score, found.source.probability) == (winner(IMAGE), 1, 1)
    assert any("shows what changes the decision" in warning for warning in found.source.warnings)
    if not function:
        of_logits = ("lrp", "full-grad", "attn-lrp") if kind is None else ()
        for name in ("grad-cam", "gradient", "guided-backprop", "smooth-grad", "integrated-gradients", *of_logits):
            with pytest.raises(NotApplicable, match="change in steps and have no gradient; occlusion"):
                explain(model, IMAGE, [name])
        assert seewhy.eigen_cam(model, IMAGE)[0].values.any()


def test_how_many_classes_there_are_has_to_be_known():
    with pytest.raises(BadNetwork, match=r"one whole number \(int64\) for each image. Is it a class.*labels=.*regression"):
        occlusion(wrap(Deciding(Pooled(), DECIDES["ids"])), IMAGE)
    amount = occlusion(wrap(Deciding(Pooled(), DECIDES["ids"]), task="regression"), IMAGE)[0]
    assert amount.source.score == int(Pooled()(torch.from_numpy(IMAGE)).argmax())
    assert not any("decision" in warning for warning in amount.source.warnings)


def test_several_answers_of_yes_and_no_are_no_probabilities():
    model = wrap(Deciding(Pooled(), lambda out: out > out.min()))
    source = occlusion(model, IMAGE, target=1)[0].source
    assert source.predicted is None
    rows, words = decided_scores(np.array([[True, True], [False, True]]), None, "it")
    assert words == "yes or no (bool)"
    np.testing.assert_array_equal(rows, [[1, 1], [0, 1]])


def test_of_several_parts_whole_numbers_are_not_taken_for_the_scores():
    model = wrap(Deciding(Pooled(), lambda out: (out.argmax(1), out)), labels=["a"] * CLASSES)
    with pytest.raises(BadNetwork, match="Say which part holds the scores"):
        occlusion(model, IMAGE)
    chosen = wrap(Deciding(Pooled(), lambda out: (out.argmax(1), out)), output=1)
    assert seewhy.gradient(chosen, IMAGE)[0].values.any()


def test_units_of_a_network_that_decides_have_gradients():
    model = wrap(Deciding(Pooled(), DECIDES["one-hot"]))
    occlusion(model, IMAGE)
    assert seewhy.gradient(model, IMAGE, target=seewhy.Unit("network.features", 1))[0].values.any()
