"""What an explanation costs, counted: forwards, backwards, bytes kept for the backward pass.  Counts are never noisy."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import Top

METHODS_AT_ONCE = ["grad-cam", "hires-cam", "layer-cam", "grad-cam-pp", "xgrad-cam"]


def deep(width: int = 16, depth: int = 6) -> nn.Sequential:
    """Many convolutions before a small tail."""
    torch.manual_seed(0)
    body = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
    for _ in range(depth):
        body += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 12)]
    return nn.Sequential(nn.Sequential(*body, nn.MaxPool2d(4)), *head).eval()


@contextmanager
def counted(network: nn.Module, monkeypatch):
    """Calls of the network's parts, backward passes, and bytes saved for backward, while the block runs."""
    found = {"body": 0, "head": 0, "backward": 0, "bytes": 0}
    handles = [
        network[0].register_forward_hook(lambda *_: found.update(body=found["body"] + 1)),
        network[-1].register_forward_hook(lambda *_: found.update(head=found["head"] + 1)),
    ]
    real = torch.autograd.grad

    def grad(*args, **kwargs):
        found["backward"] += 1
        return real(*args, **kwargs)

    def pack(tensor):
        found["bytes"] += tensor.numel() * tensor.element_size()
        return tensor

    with monkeypatch.context() as patch, torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        patch.setattr(torch.autograd, "grad", grad)
        yield found
    for handle in handles:
        handle.remove()


@pytest.fixture
def asked():
    network = deep()
    model, x = seewhy.wrap(network), np.random.default_rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32)
    model.layers(x)  # the one look through the network, kept for every later call
    return network, model, x


def test_grad_cam_is_one_forward_and_one_tail(asked, monkeypatch):
    network, model, x = asked
    with counted(network, monkeypatch) as found:
        seewhy.grad_cam(model, x)
    assert (found["body"], found["head"], found["backward"]) == (1, 1, 1)


def test_ten_classes_are_one_forward_and_one_batched_tail(asked, monkeypatch):
    network, model, x = asked
    with counted(network, monkeypatch) as found:
        maps = seewhy.grad_cam(model, x, target=list(range(10)))
    assert (found["body"], found["head"], found["backward"]) == (1, 1, 1)
    alone = [seewhy.grad_cam(model, x, target=c) for c in range(10)]
    for m in maps:
        np.testing.assert_allclose(m.values, alone[m.source.index][m.place].values, rtol=1e-4, atol=1e-7)


def test_five_methods_share_one_trace(asked, monkeypatch):
    network, model, x = asked
    with counted(network, monkeypatch) as found:
        maps = seewhy.explain(model, x, ["eigen-cam", *METHODS_AT_ONCE, "random-map"], target=[Top(), 3])
    assert (found["body"], found["head"], found["backward"]) == (1, 1, 1)
    for name in METHODS_AT_ONCE:
        alone = seewhy.METHODS[name](model, x, target=[Top(), 3])
        for a, b in zip(maps.where(method=name), alone, strict=True):
            np.testing.assert_array_equal(a.values, b.values)


def test_eigen_cam_stops_at_the_layer(asked, monkeypatch):
    network, model, x = asked
    with counted(network, monkeypatch) as found:
        seewhy.eigen_cam(model, x)
    assert (found["body"], found["head"], found["backward"], found["bytes"]) == (1, 0, 0, 0)


def test_cam_needs_no_backward(asked, monkeypatch):
    network, model, x = asked
    with counted(network, monkeypatch) as found:
        seewhy.cam(model, x)
    assert (found["body"], found["head"], found["backward"], found["bytes"]) == (1, 1, 0, 0)


def test_the_graph_begins_at_the_layer(asked, monkeypatch):
    """What the layers before the tap would keep for backward is not kept."""
    network, model, x = asked
    with counted(network, monkeypatch) as plain:
        network(torch.as_tensor(x)).sum()
    with counted(network, monkeypatch) as found:
        seewhy.grad_cam(model, x, layer="0")
    assert 0 < found["bytes"] < plain["bytes"] / 100
    with counted(network, monkeypatch) as middle:
        seewhy.grad_cam(model, x, layer="0.10")
    assert found["bytes"] < middle["bytes"] < plain["bytes"]


def test_the_second_call_looks_through_the_network_no_more(monkeypatch):
    network = deep()
    model, x = seewhy.wrap(network), np.zeros((1, 3, 32, 32), np.float32) + 1
    with counted(network, monkeypatch) as first:
        seewhy.grad_cam(model, x)
    with counted(network, monkeypatch) as second:
        seewhy.grad_cam(model, x)
    assert first["body"] == 2
    assert second["body"] == 1
