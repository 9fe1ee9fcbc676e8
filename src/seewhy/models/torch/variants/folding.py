"""A network with its BatchNorms folded into the convolutions before them, by torch.fx."""

from collections.abc import Callable
from functools import cache
from threading import get_ident
from typing import Any
from warnings import catch_warnings, simplefilter

from torch import nn
from torch.fx import GraphModule, Tracer

from seewhy.models.torch.passes.process import Alone

TRACING = Alone()  # while torch.fx traces a network, it changes how every module of the process is called


def folded(network: nn.Module) -> nn.Module:
    """A copy whose BatchNorms are folded; raises whatever torch.fx does where it cannot trace the network."""
    with TRACING:
        tracer = ThreadTracer()
        graph = tracer.trace(network)
    return _fuse()(GraphModule(tracer.root, graph, type(network).__name__), no_trace=True)


class ThreadTracer(Tracer):
    """Traces what this thread runs; modules that other threads run meanwhile run as they would."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        return super().call_module(m, forward, args, kwargs) if get_ident() == self.thread else forward(*args, **kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: Any) -> Any:
        return super().getattr(attr, attr_val, parameter_proxy_cache) if get_ident() == self.thread else attr_val


@cache
def _fuse() -> Callable[..., nn.Module]:
    with catch_warnings():
        simplefilter("ignore", DeprecationWarning)  # torch 2.10, as it imports it, uses what it says will go
        from torch.fx.experimental.optimization import fuse  # here, for what it warns of when imported
    return fuse
