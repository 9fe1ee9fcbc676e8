"""Programs of torch's own operators, as exported networks are: they lie where the networks lie."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.places.marks import start
from seewhy.models.torch.places.operators import sliced
from support.following import Lies, lies, mark_of

aten: Any = torch.ops.aten
X = torch.zeros(2, 3, 8, 8)
WEIGHT = torch.ones(4, 3, 2, 2)


class Net(nn.Module):
    """Each of the calls whose operator takes other arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.rows = nn.Conv2d(3, 8, 2, 2), nn.BatchNorm2d(8), nn.LayerNorm(8)
        self.up, self.groups, self.mlp = nn.ConvTranspose2d(8, 8, 2, 2), nn.GroupNorm(2, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.stem(x)))[:, :, 1:]
        t = self.rows(y.flatten(2).mT)
        t = t + self.mlp(F.scaled_dot_product_attention(t, t, t).softmax(-1))
        y = self.groups(self.up(t.mT.unflatten(-1, y.shape[2:])))
        return F.interpolate(F.pad(y, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)


@pytest.mark.parametrize("decomposed", [False, True])
def test_an_exported_network_lies_where_it_lay(decomposed):
    net = Net().eval()
    program = torch.export.export(net, (X,), strict=False)
    program = program.run_decompositions() if decomposed else program
    with torch.no_grad():
        found, expected = mark_of(program.module(), X), mark_of(net, X)
    assert found.lost == ""
    assert lies(found) == lies(expected) is not None


CALLS: dict[str, tuple[Any, Lies]] = {
    "convolution": (
        lambda x: aten.convolution.default(x, WEIGHT, None, [2, 2], [0, 0], [1, 1], False, [0, 0], 1),
        Lies((2, 2), (0.5, 0.5), (2, 2)),
    ),
    "convolution, transposed": (
        lambda x: aten.convolution.default(x, WEIGHT.movedim(0, 1), None, [2, 2], [0, 0], [1, 1], True, [0, 0], 1),
        Lies((0.5, 0.5), (-0.25, -0.25), (1, 1)),
    ),
    "slice": (lambda x: aten.slice.Tensor(x, 2, 1, None, 2), Lies((2, 1), (1, 0), (1, 1))),
    "index": (lambda x: aten.index.Tensor(x, [None, None, torch.arange(7, -1, -1)]), Lies((-1, 1), (7, 0), (1, 1))),
    "nearest": (lambda x: aten.upsample_nearest2d.vec(x, None, [2.0, 2.0]), Lies((0.5, 0.5), (-0.25, -0.25), (1, 1))),
    "bilinear": (
        lambda x: aten.upsample_bilinear2d.vec(x, [15, 15], True, None), Lies((0.5, 0.5), (0, 0), (2, 2))
    ),
    "a mirrored border": (lambda x: aten.reflection_pad2d.default(x, [1, 1, 2, 2]), Lies((1, 1), (-2, -1), (1, 1))),
    "embedding": (
        lambda x: aten.embedding.default(torch.ones(3, 5), x.argmax(1)).movedim(-1, 1), Lies((1, 1), (0, 0), (1, 1))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_single_operators(name):
    call, expected = CALLS[name]
    found = lies(mark_of(call, X))
    assert found is not None
    assert found[1] == expected


def test_a_slice_may_leave_its_ends_open():
    image = start((2, 3, 8, 6))
    assert sliced(image, X) is image
    assert sliced(image, X, 2, 2).axes[0].first == 2
