"""Memory that runs out while the doctor looks stops only what rests on that look."""

import pytest
import torch
from torch import nn

from seewhy import METHODS
from seewhy.models.torch import examine
from support import networks
from support.hazards import seen


class Hungry(torch.autograd.Function):
    """The identity; memory runs out where its way back is differentiated."""

    @staticmethod
    def forward(_ctx, x):
        return x.clone()

    @staticmethod
    def backward(_ctx, g):
        return Short.apply(g)


class Short(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, g):
        return g.clone()

    @staticmethod
    def backward(_ctx, _g):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


class Squared(nn.Module):
    def __init__(self, passed) -> None:
        super().__init__()
        self.passed = passed

    def forward(self, x):
        return self.passed(x) ** 2


def verdicts(network):
    return {verdict.method: verdict for verdict in seen(network).methods}


def judged_otherwise(before, after):
    """The methods that memory stops, all others being judged as before."""
    stopped = {name for name, verdict in after.items() if "memory ran out" in verdict.why}
    assert {name: v for name, v in after.items() if name not in stopped} == {
        n: v for n, v in before.items() if n not in stopped
    }
    return stopped


def test_memory_that_runs_out_for_second_derivatives_stops_the_methods_that_read_them_alone():
    before, after = (verdicts(nn.Sequential(*networks.pooled(), Squared(same))) for same in (lambda x: x, Hungry.apply))
    twice = {name for name in METHODS if "second derivative" in METHODS[name].requires}
    assert twice
    assert {name for name, verdict in after.items() if "memory ran out" in verdict.why} == twice
    for name in ("grad-cam", "gradient", "occlusion", "eigen-cam"):
        assert after[name].works == before[name].works is True, name


@pytest.mark.parametrize("error", [MemoryError("no more"), torch.OutOfMemoryError("CUDA out of memory.")])
@pytest.mark.parametrize(("attempt", "need"), [("_attended", "attention"), ("_products", "products")])
def test_memory_that_runs_out_in_a_look_that_can_be_done_without_stops_what_rests_on_it_alone(
    monkeypatch, error, attempt, need
):
    def short(*_args):
        raise error

    vit = networks.tokens()
    before = verdicts(vit)
    monkeypatch.setattr(f"seewhy.models.torch.examination.{attempt}", short)
    stopped = judged_otherwise(before, verdicts(vit))
    assert stopped <= {name for name in METHODS if need in METHODS[name].requires}
    assert stopped or not any(before[name].works for name in METHODS if need in METHODS[name].requires)


@pytest.mark.parametrize("fits", [0, 1])
def test_memory_that_runs_out_by_the_rules_of_relevance_is_no_matter_of_two_images(monkeypatch, fits):
    by_relevance = examine._by_relevance

    def short(runner, x, *rest):
        if len(x) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return by_relevance(runner, x, *rest)

    before = seen(networks.pooled())
    monkeypatch.setattr(examine, "_by_relevance", short)
    after = seen(networks.pooled())
    assert after.hazards == before.hazards
    stopped = judged_otherwise(*({verdict.method: verdict for verdict in report.methods} for report in (before, after)))
    assert stopped == (set() if fits else {n for n in METHODS if {"relevance", "excitation"} & {*METHODS[n].requires}})


def test_an_error_of_another_kind_in_such_a_look_is_raised(monkeypatch):
    def broken(*_args):
        raise RuntimeError("a mistake of our own")

    monkeypatch.setattr("seewhy.models.torch.examination._attended", broken)
    with pytest.raises(RuntimeError, match="a mistake of our own"):
        seen(networks.pooled())
