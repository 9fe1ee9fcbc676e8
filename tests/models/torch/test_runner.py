"""A runner gives what the network gives, in the kind of scores that is explained, and is never changed by another."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import BadNetwork, BadParameter, InSpace, NotApplicable
from seewhy.models.settings import Settings
from seewhy.models.torch.passes.units import End
from seewhy.models.torch.runner import Runner
from seewhy.targets.aim import Pinned
from support import networks

X = networks.images(2, *networks.SIDES, seed=11)


@pytest.fixture
def network():
    return networks.pooled()


@pytest.fixture
def runner(network):
    return Runner(network, Settings())


def ran(runner, x=X):
    """The raw numbers and the scores of a pass without a graph."""
    with runner.ready(x) as ready, torch.no_grad():
        return runner.run(ready)


def test_the_error_of_the_network_is_told():
    model = seewhy.wrap(networks.flat_head().double(), name="mine")
    with pytest.raises(seewhy.BadNetwork, match=r"mine failed on an input of shape \(1, 3, 50, 50\)"):
        seewhy.grad_cam(model, networks.images(1, 50, 50, seed=0))


def test_it_gives_the_numbers_of_the_network_and_their_scores(network):
    with torch.no_grad():
        logits = network(torch.tensor(X))
    for kind, expected in (("logits", logits), ("probability", logits.softmax(1)), ("log-probability", logits.log_softmax(1))):
        runner = Runner(network, Settings(scores=kind))
        raw, scores = ran(runner)
        assert torch.equal(raw, logits)
        np.testing.assert_allclose(scores, expected, rtol=1e-12)
        answer = runner.answer(raw, scores)
        np.testing.assert_allclose(answer.scores, expected, rtol=1e-12)
        np.testing.assert_allclose(answer.probabilities, logits.softmax(1), rtol=1e-12)


WRONG = [
    ({"task": "segmentation"}, r"task='segmentation': it is one of single-label, multi-label, regression"),
    ({"task": "regression", "scores": "probability"}, r"scores='probability': a regression has no probabilities"),
    ({"geometry": "round"}, r"geometry='round': it is one of receptive-field, plain"),
]


@pytest.mark.parametrize(("settings", "words"), WRONG)
def test_settings_that_cannot_be(settings, words, network):
    with pytest.raises(BadParameter, match=words):
        Runner(network, Settings(**settings))


def test_another_runner_leaves_the_first_as_it_was(runner):
    before = ran(runner)[1]
    with runner.ready(X) as x:
        survey = runner.survey(x)
    facts = {name: getattr(runner, name) for name in ("call", "settings", "reader", "learned", "end", "aims", "widest")}
    other = runner.changed(settings=Settings(scores="probability", name="other"), widest=True)
    np.testing.assert_allclose(ran(other)[1], before.softmax(1), rtol=1e-12)
    assert (other.name, other.widest) == ("other", True)
    assert {name: getattr(runner, name) for name in facts} == facts
    assert torch.equal(ran(runner)[1], before)
    assert runner.surveyed_before(X) is survey
    assert other.surveyed_before(X) is None, "another way to run may reach other layers"
    assert other.learned.sizes is runner.learned.sizes


def test_another_network_is_run_the_same_way(runner):
    other = networks.pooled(seed=1)
    with torch.no_grad():
        assert torch.equal(ran(runner.of_network(other))[0], other(torch.tensor(X)))


def test_an_output_in_space_is_answered_with_what_can_be_asked_of_it(network):
    runner = Runner(network[:4], Settings(name="mine"))
    with pytest.raises(InSpace, match=r"^mine .* Or make scores of it: The network gives"):
        ran(runner)


@pytest.mark.parametrize("output", ["second", 1, lambda out: out[1]])
def test_the_part_that_is_named_is_read(output, network):
    pack = (lambda s: {"first": s, "second": s * 3}) if output == "second" else (lambda s: (s, s * 3))
    runner = Runner(networks.Gives(network, pack), Settings(output=output))
    with torch.no_grad():
        expected = network(torch.tensor(X)) * 3
    assert torch.equal(ran(runner)[0], expected)
    with runner.ready(X) as x, torch.no_grad():
        assert torch.equal(runner.whole(x), expected)


@pytest.mark.parametrize("at", ["max", "sum", (2, 3)])
def test_of_units_the_numbers_are_those_of_the_layer(at, network, runner):
    with torch.no_grad():
        a = network[:4](torch.tensor(X))
    units = runner.changed(settings=Settings(scores="activation"), end=End("act2", at, runner))
    expected = {"max": a.amax((2, 3)), "sum": a.sum((2, 3))}.get(at, a[:, :, 2, 3])
    np.testing.assert_allclose(ran(units)[0], expected, rtol=1e-12)


def test_of_a_repeated_layer_the_last_call_gives_the_units():
    network, outputs = networks.reused(), []
    handle = network.act.register_forward_hook(lambda _module, _args, out: outputs.append(out.detach()))
    network(torch.tensor(X))
    handle.remove()
    runner = Runner(network, Settings())
    units = runner.changed(settings=Settings(scores="activation"), end=End("act", "sum", runner))
    np.testing.assert_allclose(ran(units)[0], outputs[-1].sum((2, 3)), rtol=1e-12)
    assert len(outputs) == 3


def test_aims_read_one_number_of_each_image(network, runner):
    aims = (Pinned(lambda out: out[:, 1] - out[:, 2], "logits", "a"), Pinned(lambda out: out.sum(1), "logits", "b"))
    with torch.no_grad():
        logits = network(torch.tensor(X))
    expected = torch.stack([logits[:, 1] - logits[:, 2], logits.sum(1)], 1)
    assert torch.equal(ran(runner.changed(aims=aims))[1], expected)
    wrong = runner.changed(aims=(Pinned(lambda out: out, "logits", "all"),))
    with pytest.raises(BadNetwork, match=r"^all: \(2, 5\) numbers were read for 2 images"):
        ran(wrong)


def test_a_sigmoid_is_looked_for_once_and_only_where_scores_lie_between_0_and_1(network):
    passes = []
    for behind, expected in ((torch.sigmoid, True), (lambda s: s / 1000 % 1, False), (lambda s: s, None)):
        runner = Runner(networks.Gives(network, behind), Settings(task="multi-label"))
        handle = runner.network.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
        with runner.ready(X) as x, torch.no_grad():
            raw = runner.raw(x)
            runner.look_for_sigmoid(x, raw)
            runner.look_for_sigmoid(x, raw)
        handle.remove()
        assert runner.reader.sigmoid is expected
        assert passes == [2] if expected is None else [2, 1]
        passes.clear()


def test_a_look_is_kept_until_the_network_has_other_modules(runner, network):
    assert runner.surveyed_before(X) is None
    with runner.ready(X) as x:
        survey = runner.survey(x)
        assert runner.survey(x) is survey
    assert runner.surveyed_before(X[:1]) is survey
    assert runner.surveyed_before(X[..., :-4]) is None  # of another size
    assert survey.layers["act2"].default
    network.act1 = nn.ReLU()
    assert runner.surveyed_before(X) is None


def test_calls_of_a_repeated_layer_are_read_one_by_one_once_they_are_known():
    relu = nn.ReLU()
    runner = Runner(nn.Sequential(nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 4, 3), relu, nn.Flatten()).double(), Settings())
    assert runner.each_call(["1", "2"], X) == ["1", "2"]
    with runner.ready(X) as x:
        runner.survey(x)
    assert runner.each_call(["1", "2"], X) == ["1#1", "1#2", "2"]
    assert runner.each_call(["1"], X[..., :-4]) == ["1"], "images of another size may go another way"


def test_cells_lie_where_a_pass_told_and_nowhere_of_a_plain_geometry(network, runner):
    model = seewhy.wrap(network)
    seewhy.grad_cam(model, X, target=1)
    grid, place = model.runner.cells("act2", X)
    assert grid == (6, 8)
    assert place is not None
    assert model.runner.changed(settings=Settings(geometry="plain")).cells("act2", X) is None
    assert runner.cells("act2", X) is None  # nothing ran


def test_a_layer_without_space_has_no_layout_and_the_default_is_named(runner, network):
    with runner.ready(X) as x, torch.no_grad():
        a = runner.network[:4](x)
        assert torch.equal(runner.layout("act2", a, x).turn(a), a)
        with pytest.raises(NotApplicable, match=r"Layer fc emits \(2, 5\).*there is no space to draw in.*The default is act2"):
            runner.layout("fc", runner.network(x), x)
