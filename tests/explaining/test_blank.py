"""Why a map is zero: of the layer that a score does not rest on, what that is, and which it rests on."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy.errors import NotApplicable
from seewhy.explaining.blank import UNMOVED, zero_because
from seewhy.models.model import ATTENTION, INPUT
from support import networks
from support.onnx_graphs import drawn, node
from support.onnx_graphs import model as graph_of
from support.recorder import LATE, Recorder, case


@pytest.mark.parametrize(
    ("model", "layers", "shared", "read", "layer", "why"),
    [
        (Recorder(), [None], (), "", INPUT, UNMOVED),
        (Recorder(g=0), [None], ("gradients",), "trace", "late", r"does not rest on late: .* is the network trained\?"),
        (Recorder(g=0), ["early"], ("gradients",), "trace", "early", r"does not rest on early: .* is the network trained\?"),
        (Recorder(g=0, resting=(INPUT,)), ["early"], ("gradients",), "trace", "early", "rests on the image by another layer"),
        (Recorder(g=0, resting=("late",)), ["early"], ("gradients",), "trace", "early", "on early: .* rests on late, last"),
        (Recorder(g=0, resting=("early",)), ["early"], ("gradients",), "trace", "early", "what follows early is saturated"),
        (
            Recorder(g=0),
            [None],
            ("pixels",),
            "trace",
            INPUT,
            "not rest on the image: .* as a score that other inputs make",
        ),
        (Recorder(g=0, resting=(INPUT,)), [None], ("pixels",), "trace", INPUT, "what follows input is saturated"),
        (Recorder(resting=(INPUT,)), [None], ("pixels",), "trace", INPUT, "nothing of the score comes back to the image"),
        (Recorder(), [None], ("gradients",), "trace", "late", "the evidence cancels out"),
        (Recorder(), [None], (), "activations", "late", "does not rest on late"),
        (Recorder(resting=("late",)), [None], (), "activations", "late", "the evidence cancels out"),
        (Recorder(a=0 * LATE), [None], ("gradients",), "trace", "late", "late is silent"),
        (Recorder(resting=("late",)), [None], (), "head", "late", "gives the target no weight"),
        (Recorder(), [None], (), "activations", ATTENTION, "no attention weight raises the score"),
    ],
)
def test_an_empty_map_is_explained_by_what_the_passes_left(
    model: Any, layers: Any, shared: Any, read: str, layer: str, why: str
) -> None:
    made = case(model, layers, shared)
    getattr(made, read or "x")
    assert re.search(why, zero_because(made, layer, 0, 0))


def conv(i: int, o: int) -> nn.Module:
    return nn.Conv2d(i, o, 3, padding=1)


class Heads(nn.Module):
    """Two heads of their own layers, whose classes are given as one row, or as a dict."""

    def __init__(self, joined: bool) -> None:
        super().__init__()
        self.stem, self.left, self.right, self.l, self.r = conv(3, 6), conv(6, 8), conv(6, 8), nn.Linear(8, 2), nn.Linear(8, 3)
        self.joined = joined

    def forward(self, x):
        x = self.stem(x).relu()
        both = [head(layer(x).relu().mean((2, 3))) for layer, head in ((self.left, self.l), (self.right, self.r))]
        return torch.cat(both, 1) if self.joined else {"left": both[0], "right": both[1]}


class Experts(nn.Module):
    """One expert of three runs for each image, or all do and the others count nothing; which depends on the image."""

    def __init__(self, blended: bool) -> None:
        super().__init__()
        self.stem, self.gate, self.experts = conv(3, 6), nn.Linear(6, 3), nn.ModuleList(conv(6, 8) for _ in range(3))
        self.fc, self.blended = nn.Linear(8, 4), blended

    def forward(self, x):
        x = self.stem(x).relu()
        gates = self.gate(x.mean((2, 3)))
        best = gates.topk(1, 1)
        weights = (
            torch.zeros_like(gates).scatter(1, best.indices, best.values.exp())
            if self.blended
            else F.one_hot(gates.argmax(1), 3).to(x)
        )
        maps = sum(w[:, None, None, None] * expert(x).relu() for w, expert in zip(weights.unbind(1), self.experts, strict=True))
        return self.fc(maps.mean((2, 3)))


class Exits(nn.Module):
    """An early exit, whose classes are asked for, and the layers behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.first, self.late, self.second = conv(3, 6), nn.Linear(6, 3), conv(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.early(x).relu()
        return self.first(x.mean((2, 3))), self.second(self.late(x).relu().mean((2, 3)))


class Streams(nn.Module):
    """The image, a second picture, and a number; the last class is of the number alone."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.other, self.age, self.older = conv(3, 6), conv(1, 6), nn.Linear(1, 6), nn.Linear(1, 1)
        self.fc = nn.Linear(12, 3)

    def forward(self, image, other, age):
        pooled = [layer(x).relu().mean((2, 3)) for layer, x in ((self.seen, image), (self.other, other))]
        return torch.cat([self.fc(torch.cat(pooled, 1)) + self.age(age)[:, :3], self.older(age)], 1)


def streams() -> Any:
    network = Streams().double()
    beside = {"other": torch.ones(1, 1, 8, 8).double(), "age": torch.ones(1, 1).double()}
    return seewhy.wrap(network, inputs={"image": seewhy.IMAGE, **beside})


def expert_of(model: Any, x: Any, chosen: bool) -> str:
    """The name of an expert that counts for this image, or of one that does not."""
    with torch.no_grad():
        gates = model.network.gate(model.network.stem(torch.tensor(x)).relu().mean((2, 3)))[0]
    return f"experts.{int(gates.argmax() if chosen else gates.argmin())}"


X = networks.images(1, 8, 8)
# by name: the model, the target, a layer that it does not rest on, and one that it does
BESIDE: dict[str, tuple[Any, int, Any, Any]] = {
    "heads in a row, the first": (lambda: seewhy.wrap(Heads(True).double()), 1, "right", "left"),
    "heads in a row, the last": (lambda: seewhy.wrap(Heads(True).double()), 4, "left", "right"),
    "heads in a dict": (lambda: seewhy.wrap(Heads(False).double(), output="right"), 1, "left", "right"),
    "experts, one of which counts": (lambda: seewhy.wrap(Experts(False).double()), 2, False, True),
    "experts, blended": (lambda: seewhy.wrap(Experts(True).double()), 2, False, True),
    "an early exit": (lambda: seewhy.wrap(Exits().double(), output=0), 0, "late", "early"),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_a_layer_that_the_score_does_not_rest_on_is_said_to_be_that_and_the_right_one_named(name):
    torch.manual_seed(0)
    make, target, beside, rests = BESIDE[name]
    model = make()
    beside, rests = (at if isinstance(at, str) else expert_of(model, X, at) for at in (beside, rests))
    said = rf"^(zero gradient: )?this score does not rest on {beside}: no other values in its cells .* It rests on {rests}, the"
    for method in ("grad-cam", "layer-cam", "ablation-cam", "recipro-cam", "excitation-backprop"):
        (made,) = seewhy.explain(model, X, method, target, beside)
        notes = made.source.warnings
        assert abs(made.values).max() < 1e-15  # all but rounding, as of experts that a batch of others computes otherwise
        assert any(re.search(said, note) for note in notes) or (made.values.any() and UNMOVED in notes), (method, notes)
        assert "trained" not in " ".join(made.source.warnings)
    with pytest.raises(NotApplicable, match=said):
        seewhy.cam(model, X, target=target, layer=beside)
    (made,) = seewhy.hires_cam(model, X, target=target, layer=rests, signed=True)
    assert made.values.any()
    assert not made.source.warnings


def test_of_two_targets_each_has_its_own_reason():
    torch.manual_seed(0)
    model = seewhy.wrap(Heads(True).double())
    one, two = seewhy.explain(model, X, seewhy.hires_cam.using(signed=True), [0, 3], "right")
    assert "does not rest on right" in " ".join(one.source.warnings)
    assert two.values.any()
    assert not two.source.warnings


def test_what_the_image_plays_no_part_in_is_said_to_be_that():
    torch.manual_seed(0)
    model = streams()
    for layer in ("other", "age"):
        for method in (seewhy.grad_cam, seewhy.ablation_cam, seewhy.cam, seewhy.eigen_cam):
            with pytest.raises(NotApplicable, match=rf"Layer {layer} .*: it does not see the image\. The default is seen"):
                method(model, X, target=0, layer=layer)
    for method in (seewhy.gradient, seewhy.guided_backprop, seewhy.lrp):
        (made,) = method(model, X, target=3)
        assert "this score does not rest on the image: no other image changes it, as a score that other inputs" in " ".join(
            made.source.warnings
        )
    (made,) = seewhy.grad_cam(model, X, target=3)
    assert "does not rest on seen: no other values in its cells change it, as a score that other inputs make" in " ".join(
        made.source.warnings
    )


def test_a_layer_behind_which_all_is_dead_is_saturated_and_not_beside_the_score():
    """Other values, large ones, get through the ReLU; no small change does."""
    network = networks.pooled()
    with torch.no_grad():
        network.conv2.bias -= 30
    for layer in ("conv1", "conv2"):
        (made,) = seewhy.grad_cam(seewhy.wrap(network), X, target=0, layer=layer)
        assert f"zero gradient: what follows {layer} is saturated" in " ".join(made.source.warnings)
    with torch.no_grad():
        network.fc.weight.zero_()
    (made,) = seewhy.grad_cam(seewhy.wrap(network), X, target=0, layer="conv2")
    assert np.allclose(made.values, 0)
    assert "is the network trained?" in " ".join(made.source.warnings)


def test_of_a_graph_that_gives_no_gradients_the_layer_is_told_by_its_own_name_too():
    """A layer is named as its node, and read as what that gives; the default is the same for all scores."""
    convolved = [
        node("Conv", ["image", "w"], ["a"], "stem"),
        node("Conv", ["a", "l"], ["b"], "left"),
        node("Conv", ["a", "r"], ["c"], "right"),
    ]
    pooled = [node("GlobalAveragePool", [each], [f"{each}p"]) for each in "bc"]
    ends = [node("Concat", ["bp", "cp"], ["d"], axis=1), node("Flatten", ["d"], ["scores"])]
    constants = {"w": drawn(6, 3, 3, 3), "l": drawn(2, 6, 3, 3), "r": drawn(3, 6, 3, 3)}
    model = seewhy.wrap(graph_of([*convolved, *pooled, *ends], constants=constants), name="made")
    x = drawn(1, 3, 12, 16)
    for target, layer, said in (
        (4, "left", r"does not rest on b: no other values in its cells change it\. It rests on c, the last"),
        (0, "right", r"does not rest on c: no other values in its cells change it\. It rests on the image by another layer"),
    ):
        (made,) = seewhy.ablation_cam(model, x, target=target, layer=layer)
        assert re.search(said, " ".join(made.source.warnings))
        with pytest.raises(NotApplicable, match=said):
            seewhy.cam(model, x, target=target, layer=layer)
