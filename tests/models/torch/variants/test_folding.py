"""BatchNorms folded into convolutions, while other threads run networks of their own."""

import threading

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from seewhy.models.torch.variants.folding import folded
from support.threads import WAIT, Dropping, together

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def network():
    torch.manual_seed(0)
    made = Dropping()
    with torch.no_grad():
        made.train()(X)
    return made.eval()


def test_it_gives_what_the_network_gives_and_has_no_batchnorm():
    made = network()
    quick = folded(made)
    assert_close(quick(X), made(X))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in _run(quick))
    assert any(isinstance(module, nn.BatchNorm2d) for module in made.modules())


def _run(graph):
    return [graph.get_submodule(node.target) for node in graph.graph.nodes if node.op == "call_module"]


def test_a_network_whose_way_depends_on_the_image_cannot_be_traced():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(torch.fx.proxy.TraceError):
        folded(Branching())
    assert_close(network()(X), network()(X))  # modules are called as before


def test_while_one_thread_traces_others_run_and_trace_their_own():
    call, attribute = nn.Module.__call__, nn.Module.__getattr__
    made, amid, ran = network(), threading.Event(), threading.Event()

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            amid.set()
            assert ran.wait(WAIT)
            return self.inner(x)

    def run():
        assert amid.wait(WAIT)
        out = made(X)
        ran.set()
        return out

    quick, out = together(lambda: folded(Slow()), run)
    assert_close(out, made(X))
    assert_close(quick(X), made(X))
    for other in together(*[lambda: folded(made)] * 4):
        assert_close(other(X), made(X))
    assert (nn.Module.__call__, nn.Module.__getattr__) == (call, attribute)
