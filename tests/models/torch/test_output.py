"""How raw numbers become scores and probabilities, and what is said of them that are odd."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import seewhy
from seewhy.models.settings import Settings
from seewhy.models.torch.output import OutputReader
from seewhy.models.torch.runner import Runner
from support import networks

X = networks.images(2, *networks.SIDES, seed=11)
RAW = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2


@pytest.fixture
def network():
    return networks.pooled()


def reader(**settings) -> OutputReader:
    return OutputReader(Settings(**{"scores": "logits", **settings}))


def told(raw, **settings):
    """The answer that is read from raw numbers."""
    reads = reader(**settings)
    return reads.answer(raw, reads.scores(raw))


def test_a_binary_logit(network):
    model = seewhy.wrap(networks.Gives(network, lambda s: s[:, 1:2]))
    (m, _) = seewhy.grad_cam(model, X)
    np.testing.assert_array_equal(m.values, seewhy.grad_cam(seewhy.wrap(network), X, target=1)[0].values)
    assert m.source.probability == pytest.approx(1 / (1 + np.exp(-m.source.score)))


def test_a_network_that_ends_in_a_softmax_says_so(network):
    (m, _) = seewhy.grad_cam(seewhy.wrap(networks.Gives(network, lambda s: s.softmax(1))), X)
    assert any("ends in a softmax" in w for w in m.warnings)
    assert m.source.probability == pytest.approx(m.source.score)
    assert not seewhy.grad_cam(seewhy.wrap(network), X)[0].warnings


@pytest.mark.parametrize("scores", ["probability", "log-probability"])
def test_a_softmax_at_the_end_is_not_taken_twice(scores, network):
    (once, _) = seewhy.grad_cam(seewhy.wrap(network, scores=scores), X, target=1, signed=True)
    (twice, _) = seewhy.grad_cam(
        seewhy.wrap(networks.Gives(network, lambda s: s.softmax(1)), scores=scores), X, target=1, signed=True
    )
    np.testing.assert_allclose(twice.values, once.values, rtol=1e-5)
    assert twice.source.score == pytest.approx(once.source.score)
    assert not twice.warnings


def test_logits_are_explained_as_they_are_and_their_probabilities_are_a_softmax():
    answer = told(RAW)
    np.testing.assert_array_equal(answer.scores, RAW)
    np.testing.assert_allclose(answer.probabilities, RAW.softmax(1), rtol=1e-12)
    assert (answer.notes, answer.normalised) == ((), False)


KINDS = {  # the scores that are explained, of logits, by the task
    ("probability", None): RAW.softmax(1),
    ("log-probability", None): RAW.log_softmax(1),
    ("probability", "single-label"): RAW.softmax(1),
    ("probability", "multi-label"): RAW.sigmoid(),
    ("log-probability", "multi-label"): F.logsigmoid(RAW),
}


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_scores_of_each_kind(kind, task):
    answer = told(RAW, scores=kind, task=task)
    np.testing.assert_allclose(answer.scores, KINDS[kind, task], rtol=1e-12)
    np.testing.assert_allclose(answer.probabilities, RAW.sigmoid() if task == "multi-label" else RAW.softmax(1), rtol=1e-12)


def test_one_number_of_a_matrix_is_a_binary_logit():
    answer = told(RAW[:, :1], scores="log-probability")
    np.testing.assert_allclose(answer.scores, F.logsigmoid(RAW[:, :1]), rtol=1e-12)
    np.testing.assert_allclose(answer.probabilities, RAW[:, :1].sigmoid(), rtol=1e-12)


def test_one_number_alone_has_no_probability_unless_a_task_says_so():
    by = {}
    for task in (None, "single-label", "multi-label", "regression"):
        runner = Runner(networks.Gives(networks.pooled(), lambda s: s[:, 1]), Settings(task=task))
        with runner.ready(X) as x, torch.no_grad():
            raw, scores = runner.run(x)
            by[task] = runner.answer(raw, scores)
        assert runner.reader.single
    logit = networks.pooled()(torch.from_numpy(X))[:, 1:2].detach()
    for answer in by.values():
        np.testing.assert_allclose(answer.scores, logit, rtol=1e-12)
    assert (by[None].probabilities, by["regression"].probabilities) == (None, None)
    for task in ("single-label", "multi-label"):
        np.testing.assert_allclose(by[task].probabilities, logit.sigmoid(), rtol=1e-12)


def test_of_a_dict_the_logits_are_read():
    runner = Runner(networks.Gives(networks.pooled(), lambda s: {"other": s * 2, "logits": s}), Settings())
    with runner.ready(X) as x, torch.no_grad():
        assert torch.equal(runner.run(x)[1], networks.pooled()(x))
    assert runner.reader.rivals == ""


@pytest.mark.parametrize("kind", ["logits", "probability", "log-probability"])
def test_probabilities_are_known_as_such(kind):
    answer = told(RAW.softmax(1), scores=kind)
    expected = RAW.log_softmax(1) if kind == "log-probability" else RAW.softmax(1)
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-12)
    np.testing.assert_array_equal(answer.probabilities, RAW.softmax(1))
    assert answer.normalised
    assert ["softmax" in note for note in answer.notes] == ([True] if kind == "logits" else [])


def test_log_probabilities_are_told_and_give_their_probabilities():
    answer = told(RAW.log_softmax(1))
    assert [note for note in answer.notes if "log-softmax" in note]
    np.testing.assert_allclose(answer.probabilities, RAW.softmax(1), rtol=1e-12)


def test_a_regression_and_several_labels_are_never_taken_for_a_distribution():
    raw = RAW.softmax(1)
    assert told(raw, task="regression").probabilities is None
    assert not told(raw, task="regression").normalised
    np.testing.assert_allclose(told(raw, task="multi-label").probabilities, raw.sigmoid(), rtol=1e-12)


def test_a_sigmoid_is_told_from_the_graph_and_remembered():
    raw = RAW.clone().requires_grad_().sigmoid()
    reads = reader(scores="log-probability", task="multi-label")
    assert reads.unsure_of_sigmoid(raw.detach())
    assert not reads.normalised(raw.detach()), "without a graph nobody knows"
    np.testing.assert_allclose(reads.scores(raw).detach(), F.logsigmoid(RAW), rtol=1e-12)
    assert not reads.unsure_of_sigmoid(raw.detach())
    np.testing.assert_allclose(reads.scores(raw.detach()), F.logsigmoid(RAW), rtol=1e-12)
    logits = reader()
    logits.sigmoid = True
    assert "ends in a sigmoid" in logits.answer(raw.detach(), raw.detach()).notes[0]


def test_labels_that_do_not_fit_and_rival_parts_are_told():
    assert "3 labels for 4 scores" in told(RAW, labels=["a", "b", "c"]).notes[0]
    assert told(RAW, labels=["a", "b", "c", "d"]).notes == ()
    reads = reader()
    reads.rivals = "a tuple with (3, 4) and (3, 2)"
    assert (
        reads.answer(RAW, RAW).notes[0].startswith("the network gives a tuple with (3, 4) and (3, 2); the first is explained")
    )


def test_another_way_to_read_leaves_the_first_as_it_was():
    first = reader(scores="probability", labels=["a"])
    first.sigmoid = False
    other = first.changed(Settings(scores="activation"), as_is=True)
    np.testing.assert_array_equal(other.scores(RAW), RAW)
    answer = other.answer(RAW, RAW)
    assert (answer.probabilities, answer.notes) == (None, ())
    assert other.sigmoid is False  # the network is the same
    assert (first.as_is, first.settings.labels) == (False, ["a"])
    np.testing.assert_allclose(first.scores(RAW), RAW.softmax(1), rtol=1e-12)


def test_half_precision_is_read_as_single():
    half = RAW.bfloat16()
    scores = reader().scores(half)
    assert scores.dtype == torch.float32
    assert torch.equal(scores, half.float())


def test_dense_numbers_are_scores_of_every_cell():
    raw = torch.stack([RAW, RAW * -2], -1)[..., None]  # (3, 4, 2, 1)
    assert torch.equal(reader().dense_scores(raw), raw)
    for kind, task, expected in (
        ("probability", None, raw.softmax(1)),
        ("log-probability", None, raw.log_softmax(1)),
        ("probability", "multi-label", raw.sigmoid()),
    ):
        np.testing.assert_allclose(reader(scores=kind, task=task).dense_scores(raw), expected, rtol=1e-12)
    np.testing.assert_allclose(reader(scores="log-probability").dense_scores(raw.softmax(1)), raw.log_softmax(1), rtol=1e-12)
    ends = reader(scores="log-probability")
    ends.sigmoid = True
    np.testing.assert_allclose(ends.dense_scores(raw.sigmoid()), F.logsigmoid(raw), rtol=1e-12)
