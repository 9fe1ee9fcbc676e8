"""Networks checkpointed for training: the very maps of the same network without checkpoints, and nothing is left behind."""

from functools import cache
from threading import Event, Thread

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import checkpoint as torchs
from torch.utils.checkpoint import checkpoint, checkpoint_sequential, create_selective_checkpoint_contexts

import seewhy
from seewhy.models.torch.passes.checkpoints import without_checkpoints
from support import networks

X = networks.images(2, 8, 8)


def nested(part, x):
    return checkpoint(lambda y: checkpoint(part[1:], part[:1](y), use_reentrant=False), x, use_reentrant=True)


def some_kept(part, x):
    contexts = lambda: create_selective_checkpoint_contexts([torch.ops.aten.convolution.default])  # noqa: E731
    return checkpoint(part, x, use_reentrant=False, context_fn=contexts)


WAYS = {
    "re-entrant": lambda part, x: checkpoint(part, x, use_reentrant=True),
    "not re-entrant": lambda part, x: checkpoint(part, x, use_reentrant=False),
    "by keyword": lambda part, x: checkpoint(lambda *, y: part(y), y=x, use_reentrant=False),
    "through the module": lambda part, x: torchs.checkpoint(part, x, use_reentrant=False, preserve_rng_state=False),
    "its function alone": lambda part, x: torchs.CheckpointFunction.apply(part, True, x),
    "in sequence": lambda part, x: checkpoint_sequential(part, 2, x, use_reentrant=False),
    "in sequence, re-entrant": lambda part, x: checkpoint_sequential(part, 2, x, use_reentrant=True),
    "nested": nested,
    "some results kept": some_kept,
    "to debug": lambda part, x: checkpoint(part, x, use_reentrant=False, debug=True),
}


class Convolved(nn.Module):
    def __init__(self, way) -> None:
        super().__init__()
        self.stem, self.fc, self.way = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 5), way
        self.part = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1))

    def forward(self, x):
        return self.fc(F.relu(self.way(self.part, F.relu(self.stem(x)))).mean((2, 3)))


class Attentive(nn.Module):
    def __init__(self, way) -> None:
        super().__init__()
        self.stem, self.way = nn.Conv2d(3, 8, 2, 2), way
        self.part = nn.Sequential(*(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2)))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.way(self.part, self.stem(x).flatten(2).mT).mean(1))


ASKED = {
    Convolved: (
        "gradient", "guided-backprop", "deconvnet", "lrp", "attn-lrp", "excitation-backprop", "full-grad", "libra(gradient)",
        "integrated-gradients", "grad-cam", "layer-cam", "shapley-cam",
    ),
    Attentive: ("attention-rollout", "transformer-relevance", "le-grad", "attn-lrp", "gradient", "grad-cam"),
}  # fmt: skip


@cache
def without(kind):
    """{(method, layer): its maps (n, h, w)}, of the network without checkpoints; layers inside of what is checkpointed, too."""
    plain = seewhy.wrap(networks.made(lambda: kind(lambda part, x: part(x)), 0))
    inside = "part.1" if kind is Attentive else "part.2"
    asked = [(method, None) for method in ASKED[kind]]
    asked += [(method, inside) for method in ASKED[kind] if "layer" in method or "grad-cam" in method]
    maps = {(method, layer): seewhy.explain(plain, X, methods=method, target=1, layer=layer) for method, layer in asked}
    return {asked: np.stack([heatmap.values for heatmap in found]) for asked, found in maps.items()}


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # said where it is built
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ASKED)
def test_the_very_maps_of_the_network_without(kind, way):
    """Layers inside of the checkpointed part, too."""
    if kind is Attentive and way == "some results kept":
        pytest.skip("that way keeps convolutions")
    network = networks.made(lambda: kind(WAYS[way]), 0)
    for (method, layer), expected in without(kind).items():
        found = seewhy.explain(seewhy.wrap(network), X, methods=method, target=1, layer=layer)
        assert expected.any()
        np.testing.assert_array_equal(np.stack([heatmap.values for heatmap in found]), expected, err_msg=method)


def backward_runs(network):
    """How often the checkpointed part runs in a step of training: once forward, once on the way back."""
    runs = []
    handle = network.part[0].register_forward_hook(lambda *_: runs.append(1))
    F.cross_entropy(network(torch.tensor(X, dtype=torch.float32, requires_grad=True)), torch.tensor([0, 1])).backward()
    handle.remove()
    return len(runs)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [True, False])
def test_another_thread_trains_meanwhile_and_keeps_its_checkpoints(reentrant):
    network = networks.made(lambda: Convolved(WAYS["re-entrant" if reentrant else "not re-entrant"]), 0).float()
    inside, done, runs = Event(), Event(), []

    def explaining():
        with without_checkpoints():
            inside.set()
            done.wait(20)

    thread = Thread(target=explaining)
    thread.start()
    assert inside.wait(20)
    try:
        runs.append(backward_runs(network))
    finally:
        done.set()
        thread.join()
    with without_checkpoints(), without_checkpoints():
        runs.append(backward_runs(network))
    assert [*runs, backward_runs(network)] == [2, 1, 2]


def test_nothing_is_left_behind():
    before = torchs._checkpoint_hook
    with without_checkpoints():
        assert torchs._checkpoint_hook is not before
    with pytest.raises(ZeroDivisionError), without_checkpoints():
        _ = 1 / 0
    assert torchs._checkpoint_hook is before
    assert "apply" not in vars(torchs.CheckpointFunction)
