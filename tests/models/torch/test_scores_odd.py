"""Scores in boxes, one number per image, many labels at once, probabilities already: all read right, or asked about."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from support import networks
from support.ask import asked, values

X = networks.images(2, *networks.SIDES, seed=11)


class Gives(nn.Module):
    """`pooled`, its scores in some container."""

    def __init__(self, pack) -> None:
        super().__init__()
        self.body, self.pack = networks.pooled(), pack

    def forward(self, x):
        return self.pack(self.body(x))


def by_hand(of, network: nn.Module | None = None) -> np.ndarray:
    """The signed HiResCAM sum_c a dy/da at act2, y = of(logits) (n,), by autograd alone."""
    network = network or networks.pooled()
    a = network[:4](torch.as_tensor(X)).detach().requires_grad_()  # type: ignore[index]
    (g,) = torch.autograd.grad(of(network[4:](a)).sum(), a)  # type: ignore[index]
    return (a * g).sum(1).detach().numpy()


def hires(model: Any, target: Any = 1, layer: str = "body.act2") -> Any:
    return seewhy.hires_cam(model, X, target=target, layer=layer, signed=True)


def same(maps: Any, expected: np.ndarray) -> None:
    assert expected.any()
    np.testing.assert_allclose(values(maps), expected, rtol=1e-5, atol=1e-7 * abs(expected).max())


def logits() -> np.ndarray:
    with torch.no_grad():
        return networks.pooled()(torch.as_tensor(X)).numpy()


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x)))


@dataclass
class Boxed:
    scores: Tensor
    features: Any = None


@dataclass
class Two:
    first: Tensor
    second: Tensor


Named = namedtuple("Named", ["logits", "aux_logits"])


PACKS = {
    "a dict": lambda s: {"scores": s},
    "a dict with features": lambda s: {"features": s[:, :, None, None], "out": s, "loss": s.sum()},
    "logits among matrices": lambda s: {"embedding": -s, "logits": s},
    "a tuple": lambda s: (s, -s),
    "a list": lambda s: [s, -s],
    "a dataclass": lambda s: Boxed(s),
    "a dataclass with more": lambda s: Boxed(s, (s, s)),
    "a named tuple": lambda s: Named(s, None),
    "a named tuple of two": lambda s: Named(s, -s),
    "an attribute": lambda s: SimpleNamespace(logits=s, loss=None),
    "an ordered dict": lambda s: OrderedDict(hidden=None, prediction=s),
    "a tuple in a dict": lambda s: {"logits": s, "attentions": (s, s)},
    "1x1 of space": lambda s: s[:, :, None, None],
    "a tuple of one": lambda s: (s,),
}


@pytest.mark.parametrize("pack", PACKS)
def test_the_scores_are_found(pack):
    maps = hires(seewhy.wrap(Gives(PACKS[pack])))
    same(maps, by_hand(lambda s: s[:, 1]))
    np.testing.assert_allclose([m.source.score for m in maps], logits()[:, 1])


ASKED = {
    "a key": ({"out": "b"}, lambda s: {"a": -s, "b": s}),
    "a field": ({"out": "second"}, lambda s: Two(-s, s)),
    "an attribute": ({"out": "found"}, lambda s: SimpleNamespace(found=s, logits=-s)),
    "a place": ({"out": 1}, lambda s: (-s, s)),
    "a place from behind": ({"out": -1}, lambda s: [-s, 3 * s, s]),
    "a key that is a number": ({"out": 7}, lambda s: {7: s, 8: -s}),
    "a field of a named tuple": ({"out": "aux_logits"}, lambda s: Named(-s, s)),
    "a function": ({"out": lambda out: out["deep"]["down"][0]}, lambda s: {"deep": {"down": [s, -s]}}),
    "a mean over time": ({"out": lambda out: out.mean(1)}, lambda s: torch.stack([s, 3 * s, -s], 1)),
    "against the usual": ({"out": "hidden"}, lambda s: {"logits": -s, "hidden": s}),
}


@pytest.mark.parametrize("way", ASKED)
def test_the_scores_are_where_one_says(way):
    (option, pack) = ASKED[way]
    same(hires(seewhy.wrap(Gives(pack), output=option["out"])), by_hand(lambda s: s[:, 1]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_hugging_face_outputs():
    pytest.importorskip("transformers")
    from transformers.modeling_outputs import ImageClassifierOutput, SemanticSegmenterOutput

    network = Gives(lambda s: ImageClassifierOutput(loss=s.sum(), logits=s, hidden_states=(s, s)))
    same(hires(seewhy.wrap(network)), by_hand(lambda s: s[:, 1]))
    same(hires(seewhy.wrap(network, output=lambda out: out.hidden_states[1] * 2)), by_hand(lambda s: 2 * s[:, 1]))
    dense = Gives(lambda s: SemanticSegmenterOutput(logits=s[:, :, None, None] * torch.linspace(0, 1, 6).reshape(2, 3)))
    with pytest.raises(seewhy.BadNetwork, match=r"logits: \(2, 5, 2, 3\) for 2 images.*output=lambda"):
        hires(seewhy.wrap(dense))
    same(hires(seewhy.wrap(dense, output=lambda out: out.logits[..., 1, 2])), by_hand(lambda s: s[:, 1]))


UNCLEAR = {
    "two matrices": (lambda s: {"a": s, "b": s}, None, seewhy.BadNetwork, r"dict with a: \(1, 5\), b: \(1, 5\).*wrap\(output="),
    "two fields": (lambda s: Two(s, s), None, seewhy.BadNetwork, r"Two with first: .*second: .*wrap\(output="),
    "two numbers": (lambda s: {"age": s[:, 0], "height": s[:, 1]}, None, seewhy.BadNetwork, "age: .*height: .*output="),
    "a loss first": (lambda s: (s.sum(), s), None, seewhy.BadNetwork, r"tuple with 0: \(\), 1: \(2, 5\) for 2 images"),
    "labels first": (lambda s: (s.argmax(1), s), None, seewhy.BadNetwork, r"tuple with 0: .*1: .*int64 numbers have no grad"),
    "labels alone": (lambda s: s.argmax(1), None, seewhy.BadNetwork, r"one whole number \(int64\) .* labels=\["),
    "deeper": (lambda s: {"out": {"logits": s}}, None, seewhy.BadNetwork, r"dict with out: dict.*wrap\(output="),
    "nothing": (lambda s: (), None, seewhy.BadNetwork, r"gives tuple\."),
    "no such key": (lambda s: {"a": s}, "b", seewhy.BadParameter, r"output='b': .*dict with a: .*wrap\(output="),
    "no such place": (lambda s: (s,), 3, seewhy.BadParameter, r"output=3: .*tuple with 0: "),
    "no such field": (lambda s: Two(s, s), "third", seewhy.BadParameter, "output='third': .*first: "),
    "a key of a tensor": (lambda s: s, "logits", seewhy.BadParameter, r"one tensor \(1, 5\)\. Leave output= out"),
    "no key at all": (lambda s: {"a": s}, ["a"], seewhy.BadParameter, r"output=\['a'\]: .*dict with a"),
    "a function that fails": (lambda s: s, lambda out: out["a"], seewhy.BadParameter, r"failed on .*\(1, 5\): "),
    "a function of another": (lambda s: {}, lambda out: out["a"], seewhy.BadParameter, "failed on .*dict: KeyError"),
    "a function without a result": (lambda s: {"a": s}, lambda out: None, seewhy.BadNetwork, "output= makes NoneType"),
}  # fmt: skip


@pytest.mark.parametrize("way", UNCLEAR)
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
def test_what_is_unclear_is_asked(way):
    pack, output, error, words = UNCLEAR[way]
    shown = words.replace("(1,", "([12],")
    with pytest.raises(error, match=shown):
        hires(seewhy.wrap(Gives(pack), output=output))


def test_a_binary_logit_is_explained_with_its_probability():
    model = seewhy.wrap(Gives(lambda s: s[:, 1:2]))
    maps = hires(model, target=0)
    same(maps, by_hand(lambda s: s[:, 1]))
    np.testing.assert_allclose([m.source.probability for m in maps], sigmoid(logits()[:, 1]))
    np.testing.assert_allclose([m.source.predicted.probability for m in maps], sigmoid(logits()[:, 1]))
    for scores, of in (("probability", torch.sigmoid), ("log-probability", nn.functional.logsigmoid)):
        other = hires(seewhy.wrap(Gives(lambda s: s[:, 1:2]), scores=scores), target=0)
        same(other, by_hand(lambda s, of=of: of(s[:, 1])))
        np.testing.assert_allclose([m.source.probability for m in other], sigmoid(logits()[:, 1]))


@pytest.mark.parametrize("pack", [lambda s: s[:, 1], lambda s: s[:, 1:2].squeeze(), lambda s: {"y": s[:, 1]}])
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", ["hires-cam", "gradient", "occlusion"])
def test_a_regression_has_a_score_and_no_probability(pack, n, name):
    method = asked(name)
    layer = "body.act2" if method.layered else None
    maps = method(seewhy.wrap(Gives(pack)), X[:n], layer=layer)
    expected = method(seewhy.wrap(Gives(lambda s: s)), X[:n], target=1, layer=layer)
    np.testing.assert_allclose(values(maps), values(expected), rtol=1e-6)
    np.testing.assert_allclose([m.source.score for m in maps], logits()[:n, 1])
    assert [(m.source.probability, m.source.predicted) for m in maps] == [(None, None)] * n


def test_a_regression_of_several_numbers():
    maps = hires(seewhy.wrap(Gives(lambda s: s), task="regression"), target=3)
    same(maps, by_hand(lambda s: s[:, 3]))
    assert all(m.source.probability is None and m.source.predicted is None for m in maps)
    between = seewhy.wrap(Gives(lambda s: s.sigmoid()), task="regression")  # a share from 0 to 1, and no probability
    (m, _) = hires(between, target=3)
    assert (m.source.probability, m.warnings) == (None, ())


@pytest.mark.parametrize("scores", ["probability", "log-probability"])
def test_a_regression_cannot_be_explained_as_a_probability(scores):
    with pytest.raises(seewhy.BadParameter, match="regression has no prob"):
        seewhy.wrap(Gives(lambda s: s), task="regression", scores=scores)


def test_many_labels_have_a_probability_each():
    model = seewhy.wrap(Gives(lambda s: s), task="multi-label")
    maps = seewhy.hires_cam(model, X, target=[1, 3], layer="body.act2", signed=True)
    expected = sigmoid(logits()[:, [1, 3]]).ravel()
    np.testing.assert_allclose([m.source.probability for m in maps], expected)
    assert not any(m.warnings for m in maps)
    for scores, of in (("probability", torch.sigmoid), ("log-probability", nn.functional.logsigmoid)):
        model = seewhy.wrap(Gives(lambda s: s), task="multi-label", scores=scores)
        same(hires(model), by_hand(lambda s, of=of: of(s[:, 1])))


SIGMOIDS = {
    "a method of it": lambda s: s.sigmoid(),
    "in place": lambda s: s.clone().sigmoid_(),
    "a module": nn.Sigmoid(),
    "in a dict": lambda s: {"out": s.sigmoid()},
    "turned round": lambda s: s.sigmoid().T.contiguous().T,
    "cut": lambda s: torch.cat([s, s], 1).sigmoid()[:, :5],
    "picked": lambda s: s.sigmoid()[:, [0, 1, 2, 3, 4]],
    "permuted": lambda s: s[:, :, None].sigmoid().permute(0, 2, 1)[:, 0],
    "clamped": lambda s: s.sigmoid().clamp(1e-7, 1 - 1e-7),
    "of heads": lambda s: torch.cat([one.sigmoid() for one in s.split(1, 1)], 1),
    "stacked": lambda s: torch.stack([one.sigmoid() for one in s.unbind(1)], 1),
}


@pytest.mark.parametrize("way", SIGMOIDS)
@pytest.mark.parametrize(("name", "task"), [("hires-cam", None), ("occlusion", None), ("occlusion", "multi-label")])
def test_a_sigmoid_inside_is_seen_and_said(way, name, task):
    """Also by methods that record no graph; and frozen, inside no_grad."""
    network, method = Gives(SIGMOIDS[way]).requires_grad_(False), asked(name)
    method = method.using(signed=True) if method.rectified else method
    with torch.no_grad():
        maps = method(seewhy.wrap(network, task=task), X, target=1, layer="body.act2" if method.layered else None)
    chance = sigmoid(logits()[:, 1])
    np.testing.assert_allclose([m.source.probability for m in maps], chance)
    np.testing.assert_allclose([m.source.score for m in maps], chance)
    assert all("already ends in a sigmoid" in " ".join(m.warnings) for m in maps)
    if name == "hires-cam":
        same(maps, by_hand(lambda s: s[:, 1].sigmoid()))


NO_SIGMOIDS = {
    "logits between 0 and 1": lambda s: s.clamp(0, 1),
    "a gate before": lambda s: (s * s.sigmoid()).abs() / 10,
    "one head of several": lambda s: torch.cat([s[:, :4].sigmoid(), s[:, 4:].clamp(0, 1)], 1),
    "halved": lambda s: s.sigmoid() / 2,
}


@pytest.mark.parametrize("way", NO_SIGMOIDS)
def test_what_is_no_sigmoid_is_not_called_one(way):
    for name in ("grad-cam", "occlusion"):
        method = asked(name)
        maps = method(seewhy.wrap(Gives(NO_SIGMOIDS[way])), X, target=1, layer="body.act2" if method.layered else None)
        assert not any("sigmoid" in w for m in maps for w in m.warnings)
        raw = NO_SIGMOIDS[way](torch.as_tensor(logits())).softmax(1)[:, 1]
        np.testing.assert_allclose([m.source.probability for m in maps], raw)


@pytest.mark.parametrize("name", ["hires-cam", "occlusion", "rise", "ablation-cam", "gradient", "lime"])
@pytest.mark.parametrize("inside", ["softmax", "log_softmax"])
def test_a_softmax_inside_is_seen_and_said(inside, name):
    network, method = Gives(lambda s: getattr(s, inside)(1)).requires_grad_(False), asked(name)
    with torch.no_grad():
        maps = method(seewhy.wrap(network), X, target=1, layer="body.act2" if method.layered else None)
    chance = torch.as_tensor(logits()).softmax(1)[:, 1].numpy()
    np.testing.assert_allclose([m.source.probability for m in maps], chance)
    np.testing.assert_allclose([m.source.score for m in maps], np.log(chance) if inside == "log_softmax" else chance)
    said = {"softmax": "already ends in a softmax", "log_softmax": "already ends in a log-softmax"}[inside]
    assert all(said in " ".join(m.warnings) for m in maps)


@pytest.mark.parametrize("scores", ["probability", "log-probability"])
@pytest.mark.parametrize("name", ["hires-cam", "occlusion", "gradient", "ablation-cam", "integrated-gradients"])
@pytest.mark.parametrize(
    ("pack", "task"),
    [(lambda s: s.softmax(1), None), (lambda s: s.log_softmax(1), None), (lambda s: s.sigmoid(), "multi-label"),
     (lambda s: s[:, 1:2].sigmoid(), None)],
    ids=["softmax", "log-softmax", "sigmoids", "one sigmoid"],
)  # fmt: skip
def test_what_is_inside_is_not_taken_twice(pack, task, name, scores):
    """Asked for probabilities, a network with its softmax inside and one without have the same maps."""
    method, plain = asked(name), Gives((lambda s: s[:, 1:2]) if pack(torch.eye(5)).shape[1] == 1 else lambda s: s)
    layer = "body.act2" if method.layered else None
    target = 0 if pack(torch.eye(5)).shape[1] == 1 else 1
    inside, outside = (
        method(seewhy.wrap(network, scores=scores, task=task), X, target=target, layer=layer)
        for network in (Gives(pack), plain)
    )
    np.testing.assert_allclose(values(inside), values(outside), rtol=1e-4, atol=1e-7 * abs(values(outside)).max())
    for one, other in zip(inside, outside, strict=True):
        assert one.source.score == pytest.approx(other.source.score)
        assert one.source.probability == pytest.approx(other.source.probability)
        assert not any("already ends" in w for w in one.warnings)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("inside", ["softmax", "sigmoid"])
def test_what_is_inside_is_seen_in_half_precision(kind, inside):
    network = Gives(lambda s: s.softmax(1) if inside == "softmax" else s.sigmoid()).to(kind)
    for m in seewhy.grad_cam(seewhy.wrap(network), X.astype(np.float32), target=1, layer="body.act2"):
        assert any(f"ends in a {inside}" in w for w in m.warnings)
        assert m.source.probability == m.source.score


def test_any_callable_is_a_target():
    """Why the mean of two classes rather than of the others, weighted by what was said."""

    def target(scores):
        weights = -scores / 10
        weights[:, [1, 3]] = 0.5
        return weights

    maps = hires(seewhy.wrap(Gives(lambda s: s)), target=target)
    weights = torch.as_tensor(target(logits()))
    same(maps, by_hand(lambda s: (s * weights).sum(1)))
    np.testing.assert_allclose([m.source.score for m in maps], (logits() * weights.numpy()).sum(1))
    assert all(m.source.index is None and m.source.probability is None for m in maps)


def test_a_task_has_a_name():
    with pytest.raises(seewhy.BadParameter, match="single-label, multi-label, regression"):
        seewhy.wrap(networks.pooled(), task="multilabel")
    with pytest.raises(seewhy.BadParameter, match="let the function itself"):
        seewhy.wrap(lambda x: x, output="logits")
