"""What an explanation costs, counted: forwards, backwards, bytes kept for the backward pass.  Counts are never noisy."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import Top
from seewhy.methods.making.method import lookup

COUNT = {"body": 0, "head": 0}  # calls of the parts of networks made by `deep`
METHODS_AT_ONCE = ["grad-cam", "hires-cam", "layer-cam", "grad-cam-pp", "xgrad-cam"]


def deep(width: int = 16, depth: int = 6) -> nn.Sequential:
    """Many convolutions before a small tail."""
    torch.manual_seed(0)
    body = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
    for _ in range(depth):
        body += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 12)]
    network = nn.Sequential(nn.Sequential(*body, nn.MaxPool2d(4)), *head).eval()
    for part, place in (("body", 0), ("head", -1)):  # from the beginning: a hook that comes later is an edit of the network
        network[place].register_forward_hook(lambda *_, part=part: COUNT.update({part: COUNT[part] + 1}))
    return network


@contextmanager
def counted(monkeypatch):
    """Calls of the network's parts, backward passes, and bytes saved for backward, while the block runs."""
    found = {"body": 0, "head": 0, "backward": 0, "bytes": 0}
    before = dict(COUNT)
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
    found.update({part: COUNT[part] - before[part] for part in COUNT})


@pytest.fixture
def asked():
    network = deep()
    model, x = seewhy.wrap(network), np.random.default_rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32)
    model.layers(x)  # the one look through the network, kept for every later call
    return model, x


def test_grad_cam_is_one_forward_and_one_tail(asked, monkeypatch):
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.grad_cam(model, x)
    assert (found["body"], found["head"], found["backward"]) == (1, 1, 1)


def test_ten_classes_are_one_forward_and_one_batched_tail(asked, monkeypatch):
    model, x = asked
    with counted(monkeypatch) as found:
        maps = seewhy.grad_cam(model, x, target=list(range(10)))
    assert (found["body"], found["head"], found["backward"]) == (1, 1, 1)
    alone = [seewhy.grad_cam(model, x, target=c) for c in range(10)]
    for m in maps:
        np.testing.assert_allclose(m.values, alone[m.source.index][m.place].values, rtol=1e-4, atol=1e-7)


def test_five_methods_share_one_trace(asked, monkeypatch):
    model, x = asked
    with counted(monkeypatch) as found:
        maps = seewhy.explain(model, x, ["eigen-cam", *METHODS_AT_ONCE, "random-map"], target=[Top(), 3])
    assert (found["body"], found["head"], found["backward"]) == (1, 1, 1)
    for name in METHODS_AT_ONCE:
        alone = seewhy.METHODS[name](model, x, target=[Top(), 3])
        for a, b in zip(maps.where(method=name), alone, strict=True):
            np.testing.assert_array_equal(a.values, b.values)


def test_eigen_cam_stops_at_the_layer(asked, monkeypatch):
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.eigen_cam(model, x)
    assert (found["body"], found["head"], found["backward"], found["bytes"]) == (1, 0, 0, 0)


def test_cam_needs_no_backward(asked, monkeypatch):
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.cam(model, x)
    assert (found["body"], found["head"], found["backward"], found["bytes"]) == (1, 1, 0, 0)


def test_the_graph_begins_at_the_layer(asked, monkeypatch):
    """What the layers before the tap would keep for backward is not kept."""
    model, x = asked
    with counted(monkeypatch) as plain:
        model.network(torch.as_tensor(x)).sum()
    with counted(monkeypatch) as found:
        seewhy.grad_cam(model, x, layer="0")
    assert 0 < found["bytes"] < plain["bytes"] / 100
    with counted(monkeypatch) as middle:
        seewhy.grad_cam(model, x, layer="0.10")
    assert found["bytes"] < middle["bytes"] < plain["bytes"]


def test_the_first_call_looks_and_explains_in_one_pass(monkeypatch):
    network = deep()
    model, x = seewhy.wrap(network), np.zeros((1, 3, 32, 32), np.float32) + 1
    with counted(monkeypatch) as first:
        seewhy.grad_cam(model, x)
    with counted(monkeypatch) as second:
        seewhy.grad_cam(model, x)
    assert first["body"] == 1
    assert second["body"] == 1


@pytest.mark.parametrize("name", ["gradient", "input-x-gradient", "guided-backprop", "deconvnet", "lrp", "excitation-backprop"])
def test_one_way_back_is_one_forward_and_one_backward(asked, monkeypatch, name):
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.METHODS[name](model, x)
    assert (found["body"], found["head"], found["backward"]) == (1, 1, 1)


def test_targets_go_back_as_many_at_once_as_copies_may_run(asked, monkeypatch):
    """Ten classes of four images, eight copies at a time: five passes back, from one forward."""
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.gradient(model, x, target=list(range(10)))
    assert (found["body"], found["backward"]) == (1, 5)


def test_methods_with_one_way_back_share_it(asked, monkeypatch):
    """The plain, the guided and the deconvnet's: three."""
    model, x = asked
    names = ["gradient", "guided-backprop", "grad-cam", "guided-grad-cam", "input-x-gradient", "deconvnet", "layer-cam",
             "product(deconvnet, hires-cam)", "product(guided-backprop, layer-cam)"]  # fmt: skip
    with counted(monkeypatch) as found:
        maps = seewhy.explain(model, x, names)
    assert (found["body"], found["head"], found["backward"]) == (3, 3, 3)
    for name in names:
        for m, alone in zip(maps.where(method=name), seewhy.explain(model, x, name), strict=True):
            np.testing.assert_allclose(m.values, alone.values, rtol=1e-4, atol=1e-6 * abs(alone.values).max())


def quick(name):
    """With six copies of each image."""
    method = lookup(name)
    return method.using(**{key: 6 for key in ("samples", "steps") if key in method.defaults})


RUNS = {  # of four images, eight copies at a time: forwards of the body, of the head, and backwards
    "smooth-grad": (1 + 3, 1 + 3, 3),
    "smooth(grad-cam)": (1 + 3, 1 + 3, 3),
    "smooth(eigen-cam)": (1 + 3, 1, 0),
    "integrated-gradients": (2 + 3, 2 + 3, 3),
    "augment(grad-cam)": (1 + 3, 1 + 3, 3),
    "full-grad": (1, 1, 1),
}


@pytest.mark.parametrize(("name", "runs"), RUNS.items())
def test_copies_share_passes(asked, monkeypatch, name, runs):
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.explain(model, x, quick(name))
    assert (found["body"], found["head"], found["backward"]) == runs


def test_what_the_network_says_is_asked_once(asked, monkeypatch):
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.explain(model, x, [quick("smooth-grad"), quick("var-grad")])
    assert found["body"] == 1 + 3 + 3
    with counted(monkeypatch) as found:
        seewhy.explain(model, x, ["grad-cam", "gradient", quick("smooth-grad")])
    assert found["body"] == 1 + 3


@pytest.mark.parametrize("name", [*RUNS, "var-grad", "augment(gradient)", "smooth(guided-backprop)"])
def test_no_pass_takes_more_images_than_batch_size(name):
    network, seen = deep(), []
    network.register_forward_pre_hook(lambda _module, args: seen.append(len(args[0])))
    x = np.random.default_rng(1).standard_normal((5, 3, 32, 32)).astype(np.float32)
    few = seewhy.explain(seewhy.wrap(network, batch_size=3), x, quick(name), target=1)
    assert max(seen) == 3
    for m, other in zip(few, seewhy.explain(seewhy.wrap(network, batch_size=16), x, quick(name), target=1), strict=True):
        np.testing.assert_allclose(m.values, other.values, rtol=1e-4, atol=1e-5 * abs(other.values).max())


@pytest.mark.parametrize("name", [*RUNS, "gradient"])
def test_where_memory_runs_out_fewer_go_at_once(name):
    network, x = deep(), np.random.default_rng(1).standard_normal((2, 3, 32, 32)).astype(np.float32)
    whole = seewhy.explain(seewhy.wrap(network), x, quick(name), target=1)

    def small(_module, args):
        if len(args[0]) > 1:
            raise torch.OutOfMemoryError("no more")

    network.register_forward_pre_hook(small)
    for m, other in zip(seewhy.explain(seewhy.wrap(network), x, quick(name), target=1), whole, strict=True):
        np.testing.assert_allclose(m.values, other.values, rtol=1e-4, atol=1e-5 * abs(other.values).max())


@pytest.mark.parametrize("name", ["gradient", "guided-backprop", "lrp", "full-grad"])
def test_weights_get_no_gradients(asked, monkeypatch, name):
    """As good as nothing is kept for them: a frozen network costs the same."""
    model, x = asked
    with counted(monkeypatch) as found:
        seewhy.METHODS[name](model, x)
    assert all(p.grad is None and p.requires_grad for p in model.network.parameters())
    model.network.requires_grad_(False)
    with counted(monkeypatch) as frozen:
        seewhy.METHODS[name](model, x)
    assert 0 < frozen["bytes"] <= found["bytes"] < 1.005 * frozen["bytes"]


def test_a_unit_runs_the_network_up_to_its_layer(asked, monkeypatch):
    model, x = asked
    seewhy.gradient(model, x, target=seewhy.Unit("0.4", 1))
    with counted(monkeypatch) as found:
        seewhy.gradient(model, x, target=[seewhy.Unit("0.4", 1), seewhy.Unit("0.4", 7)])
    assert (found["body"], found["head"], found["backward"]) == (0, 0, 1)
