"""What leads around an edited layer is computed once for all edits of an image, and is the same."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy.exporting.forms import form_of
from seewhy.models.torch.exporting import graph as graphs
from support import networks
from support.ask import close

X = networks.images(3).astype(np.float32)


class Around(nn.Module):
    """A stem that all else rests on, and a layer with a way around it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.layer = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.Conv2d(6, 6, 1)
        self.behind, self.fc = nn.Conv2d(6, 6, 1), nn.Linear(6, 5)

    def body(self, x: Tensor) -> Tensor:
        return self.behind(F.gelu(self.layer(x)))

    def head(self, x: Tensor) -> Tensor:
        return self.fc(F.softplus(x).mean((2, 3)))


class Residual(Around):
    def forward(self, x):
        x = F.relu(self.stem(x))
        return self.head(x + self.body(x))


class Dense(Around):
    """Joined, as in DenseNet; and gated by what the whole image gives, as in squeeze and excitation."""

    def forward(self, x):
        x = F.relu(self.stem(x))
        joined = torch.cat([x, self.body(x)], 1).reshape(len(x), 2, 6, *x.shape[2:])
        return self.head(joined[:, 0] * joined[:, 1] * x.mean((2, 3), keepdim=True).sigmoid())


class Windowed(Around):
    """What leads around is cut into windows, which stand among the images."""

    def forward(self, x):
        x = F.relu(self.stem(x))
        n, c, h, w = x.shape
        windows = x.reshape(n, c, 2, h // 2, 2, w // 2).permute(0, 2, 4, 1, 3, 5).reshape(n * 4, c, h // 2, w // 2)
        windows = windows.softmax(1)
        edited = self.body(x).reshape(n, c, 2, h // 2, 2, w // 2).permute(0, 2, 4, 1, 3, 5).reshape(n * 4, c, h // 2, w // 2)
        joined = (windows * edited).reshape(n, 2, 2, c, h // 2, w // 2).permute(0, 3, 1, 4, 2, 5).reshape(n, c, h, w)
        return self.head(joined)


def convolutions(program):
    return sum("conv2d" in str(node.target) for node in program.graph.nodes)


@pytest.mark.parametrize("kind", [Residual, Dense, Windowed])
def test_what_leads_around_the_layer_runs_once(kind):
    model = seewhy.wrap(networks.made(kind, 3))
    expected = [each.values for each in seewhy.recipro_cam(model, X, layer="layer")]
    ready = model.for_graph()
    found = ready.graph(X, "layer", form_of(seewhy.recipro_cam), seewhy.Top())
    assert found.reused > 0
    assert convolutions(found.program) == 4  # the stem, the layer, and twice what lies behind it
    for rows in ([1], [0, 1, 2]):
        scores, maps = (part.detach().numpy() for part in found.program.module()(torch.tensor(X[rows])))
        close(scores, model.answer(X[rows]).scores, rel=1e-4)
        close(maps, np.stack([expected[i] for i in rows]), rel=1e-3)


def test_nothing_is_left_of_the_second_run_before_a_layer_that_all_goes_through():
    ready = seewhy.wrap(networks.pooled()).for_graph()
    found = ready.graph(X, "conv2", form_of(seewhy.recipro_cam), seewhy.Top())
    assert (found.reused, convolutions(found.program)) == (0, 2)


def test_of_one_image_at_a_time_it_is_right_without():
    """There no size tells which values have a row for each image."""

    class Fixed(Residual):
        def forward(self, x):
            return super().forward(x).reshape(int(x.shape[0]), 5)

    model = seewhy.wrap(networks.made(Fixed, 3))
    found = model.for_graph().graph(X, "layer", form_of(seewhy.recipro_cam), seewhy.Top())
    assert found.single
    _, maps = found.program.module()(torch.tensor(X[:1]))
    close(maps.detach().numpy()[0], seewhy.recipro_cam(model, X[:1], layer="layer")[0].values, rel=1e-3)
    assert graphs.TorchGraph is type(found)
