"""Many targets: the maps are those of all targets at once, after as few forward passes, without room for all gradients."""

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import seewhy
from seewhy.errors import NoSuchName
from seewhy.explaining import parts
from seewhy.explaining.parts import TOGETHER, in_parts, outcomes
from seewhy.methods.making import reading
from seewhy.methods.making.method import lookup
from seewhy.models.model import INPUT, Trace
from seewhy.models.rule import guided
from seewhy.targets.target import Class
from support import ask, networks

MANY = 2 * TOGETHER + 5
X = networks.images(2)


def wide(classes: int = MANY, body: Any = networks.pooled) -> nn.Module:
    """A network of many classes, the third of which depends on nothing."""
    torch.manual_seed(3)
    made = body()
    made[-1] = nn.Linear(8, classes)
    nn.init.zeros_(made[-1].weight[2])
    return made.double().eval()


def explained(methods: Any, x: Any = X, network: nn.Module | None = None, **options: Any) -> tuple[Any, list[int]]:
    """The maps, and of how many images each forward pass was, behind the first look."""
    network, passes = network or wide(), []
    model = seewhy.wrap(network)
    model.layers(x)
    network.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    return seewhy.explain(model, x, methods, **{"target": list(range(MANY)), **options}), passes


@pytest.fixture
def at_once(monkeypatch):
    """Explain all targets at once."""

    def explained_at_once(*args: Any, **options: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(parts, "TOGETHER", 10**6)
            patched.setattr(reading, "TOGETHER", 10**6)
            return explained(*args, **options)

    return explained_at_once


READERS = {
    "one": ["grad-cam"],
    "five": ["grad-cam", "layer-cam", "grad-cam-pp", "hires-cam", "xgrad-cam"],
    "principal": ["eigen-grad-cam", "eigen-cam"],
    "twice": ["shapley-cam"],
    "head": ["cam"],
    "image": ["gradient", "grad-cam", "input-x-gradient"],
    "rules": ["guided-backprop", "lrp", "excitation-backprop"],
    "made of others": ["product(guided-backprop, grad-cam)", "smooth(grad-cam)", "libra(grad-cam)"],
    "beside scores": ["occlusion", "grad-cam", "random-map"],
    "passes of its own": ["full-grad"],
}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", READERS)
def test_the_maps_are_those_of_all_targets_at_once(name, n, at_once):
    methods = [lookup(each).using(samples=2) if each.startswith("smooth") else each for each in READERS[name]]
    some, passes = explained(methods, X[:n])
    together, expected = at_once(methods, X[:n])
    assert len(some) == n * MANY * len(methods)
    for m, other in zip(some, together, strict=True):
        np.testing.assert_array_equal(m.values, other.values)
        assert m.source.warnings == other.source.warnings
        assert (m.source.score, m.source.measured, m.source.label) == (
            other.source.score,
            other.source.measured,
            other.source.label,
        )
    if name != "passes of its own":
        assert passes == expected, "a forward pass of its own for some of the targets"


def test_a_target_that_nothing_comes_back_from_is_said():
    maps, _ = explained(["grad-cam"])
    silent = [m for m in maps if m.source.index == 2]
    assert len(silent) == len(X)
    assert all("zero gradient" in " ".join(m.source.warnings) for m in silent)
    assert not any("zero gradient" in " ".join(m.source.warnings) for m in maps if m.source.index != 2)


@pytest.mark.parametrize("name", ["transformer-relevance", "le-grad"])
def test_attention_of_many_targets(name, at_once):
    def network() -> nn.Module:
        torch.manual_seed(5)
        made = networks.tokens()
        made.fc = nn.Linear(made.fc.in_features, MANY)
        return made.double().eval()

    some, together = explained([name], network=network())[0], at_once([name], network=network())[0]
    np.testing.assert_array_equal(ask.values(some), ask.values(together))


def live_bytes() -> int:
    """Of all tensors with memory of their own, each storage once."""
    tensors = [each for each in gc.get_objects() if type(each) in (torch.Tensor, nn.Parameter)]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


@pytest.mark.parametrize(("name", "layer"), [("grad-cam-pp", None), ("layer-cam", "act1")])
def test_more_targets_hold_no_more_gradients(name, layer):
    method, peaks = lookup(name), []
    for count in (2 * TOGETHER, 6 * TOGETHER):
        held: list[int] = []

        def watched(case: Any, held: list[int] = held, **params: Any) -> Any:
            result = method.run(case, **params)
            held.append(live_bytes())
            return result

        network = wide(6 * TOGETHER)
        before = live_bytes()
        explained([replace(method, run=watched)], X[:1], network, target=list(range(count)), layer=layer)
        peaks.append(max(held) - before)
        assert len(held) == count / TOGETHER
    assert 0 < peaks[1] < 1.1 * peaks[0]


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = wide()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body[-1](checkpoint(self.body[:-1], x, use_reentrant=False))


def test_a_checkpointed_network_runs_again_for_each_part(at_once):
    some, together = (run(["gradient"], X[:1], Checkpointed())[0] for run in (explained, at_once))
    np.testing.assert_allclose(ask.values(some), ask.values(together), rtol=1e-6)


def test_a_target_that_does_not_exist_is_refused_with_the_maps_of_all_others():
    network = wide()
    with pytest.raises(NoSuchName) as raised:
        explained(["grad-cam"], network=network, target=[*range(MANY), 10**6])
    alone = explained(["grad-cam"], network=network)[0]
    assert len(raised.value.partial) == len(alone) == MANY * len(X)
    np.testing.assert_allclose(ask.values(raised.value.partial), ask.values(alone), rtol=1e-6)


def test_a_trace_goes_on_over_the_same_pass():
    network, x, targets = wide(), X, [Class(k) for k in range(7)]
    model = seewhy.wrap(network, scores="probability")  # which is not linear behind the layer
    for rule, twice, layers in ((None, False, ["act1", INPUT]), (None, True, ["act1"]), (guided, False, ["act1"])):
        whole = model.trace(x, targets, layers, rule, twice)
        first = model.trace(x, targets, layers, rule, twice, 3)
        passes = []
        handle = network.register_forward_pre_hook(lambda *_, passes=passes: passes.append(1))
        traces: list[Trace] = [first, first.further(3), first.further(6)]
        handle.remove()
        assert not passes
        np.testing.assert_array_equal(first.weights, whole.weights)
        for layer in layers:
            rows = [np.asarray(trace.evidence[layer].g) for trace in traces]
            assert [len(row) for row in rows] == [3, 3, 1]
            ask.close(np.concatenate(rows), np.asarray(whole.evidence[layer].g))
        if twice:
            v = whole.evidence["act1"].a
            ask.close(np.asarray(traces[1].evidence["act1"].hessian(1, v)), np.asarray(whole.evidence["act1"].hessian(4, v)))
    with pytest.raises(seewhy.BadParameter, match="few="):
        whole.further(3)


def test_a_method_that_reads_all_targets_keeps_the_evidence_whole():
    together = lookup("product(occlusion, grad-cam)")
    case = ask.case(wide(), X, range(MANY), ["act1"])
    assert not in_parts([together, lookup("grad-cam")], case)
    assert case.trace.evidence["act1"].g.shape[0] == MANY


def test_few_targets_are_one_part():
    case = ask.case(wide(), X, range(TOGETHER), ["act1"])
    assert not in_parts([lookup("grad-cam")], case)
    (outcome,) = outcomes([lookup("grad-cam")], case)
    assert outcome.cores["act1"].shape[:2] == (TOGETHER, len(X))


def test_the_case_knows_what_the_parts_found():
    case = ask.case(wide(), X, range(MANY), ["act1"])
    (outcome,) = outcomes([lookup("grad-cam")], case)
    answer, weights = case.answered
    np.testing.assert_array_equal(weights, np.stack([np.eye(MANY)[[k] * len(X)] for k in range(MANY)]))
    assert answer.scores.shape == (len(X), MANY)
    assert case.trace.evidence["act1"].g.shape == (MANY, len(X))
    assert case.trace.evidence["act1"].g[2].any() == outcome.cores["act1"][2].any() == False  # noqa: E712
    assert case.layers == ["act1"]
