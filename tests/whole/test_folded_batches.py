"""Networks of several pictures of a case (frames, views, a bag): which rows are which is known, whatever their order."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seewhy
from seewhy import BadParameter, Clip, ClipFit, Unit
from support.ask import asked, values

T, C, SIDES = 4, 3, (16, 24)
METHODS = (
    "grad-cam", "hires-cam", "layer-cam", "eigen-cam", "gradient", "guided-grad-cam", "smooth(grad-cam)", "score-cam",
    "ablation-cam", "recipro-cam", "occlusion", "integrated-gradients", "full-grad",
)  # fmt: skip


class Backbone(nn.Module):
    """A network of images, whose features are read by what comes behind."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.features = nn.Sequential(nn.Conv2d(C, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU())
        self.head = nn.Linear(8, 5)

    def seen(self, rows: Tensor) -> Tensor:
        return self.features(rows).mean((2, 3))


class Segments(Backbone):
    """TSN: frames among the channels (n, t * c, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.seen(x.reshape(-1, C, *x.shape[2:]))).unflatten(0, (len(x), -1)).mean(1)


class Views(Backbone):
    """MVCNN: the maximum over views (n, v, c, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.head(maps.amax(1).mean((2, 3)))


class Recurrent(Backbone):
    """An image network and a GRU over frames (n, t, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.time(self.seen(x.flatten(0, 1)).unflatten(0, x.shape[:2]))[0][:, -1])


class Clips(Backbone):
    """The mean over frames (n, c, t, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2).flatten(0, 1)
        return self.head(self.seen(rows).unflatten(0, (len(x), -1)).mean(1))


class Bag(Backbone):
    """Attention over the instances of one bag (1, k, c, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        seen = self.seen(x[0])
        return self.head((self.attend(seen).softmax(0) * seen).sum(0, keepdim=True))


class Ensemble(Backbone):
    """The mean of what is said of an image three times: all images behind one another."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.seen(x.repeat(3, 1, 1, 1))).unflatten(0, (3, -1)).mean(0)


class Experts(Ensemble):
    """The same, image by image."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.seen(x.repeat_interleave(3, 0))).unflatten(0, (-1, 3)).mean(1)


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).random(shape)


def wrapped(kind: type[nn.Module], **options: Any) -> Any:
    return seewhy.wrap(kind().double().eval(), **options)


FRAMES_FIRST = {"views": Views, "recurrent": Recurrent}
PARTS = {  # the network, the shape of its batch, and how many parts of each image it sees
    "segments": (Segments, (2, T * C, *SIDES), T),
    "ensemble": (Ensemble, (2, C, *SIDES), 3),
    "experts": (Experts, (2, C, *SIDES), 3),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", FRAMES_FIRST)
def test_a_map_of_all_frames_and_a_batch_equals_its_singles(network, method):
    model, x = wrapped(FRAMES_FIRST[network]), images(2, T, C, *SIDES)
    together = asked(method)(model, x, target=1)
    alone = [asked(method)(model, x[i : i + 1], target=1)[0] for i in range(2)]
    assert together[0].full().shape == (T, *SIDES)
    np.testing.assert_allclose(values(together), values(alone), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_frames_first_and_channels_first_are_explained_alike(method):
    class FramesFirst(Clips):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.transpose(1, 2))

    x = images(2, C, T, *SIDES)
    clips, frames = (
        asked(method)(wrapped(kind), each, target=1) for kind, each in ((Clips, x), (FramesFirst, x.swapaxes(1, 2)))
    )
    np.testing.assert_allclose(values(frames), values(clips), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", PARTS)
def test_a_map_of_each_part_and_a_batch_equals_its_singles(network, method):
    kind, shape, parts = PARTS[network]
    model, x = wrapped(kind), images(*shape)
    together = asked(method)(model, x, target=1)
    alone = [each for i in range(2) for each in asked(method)(wrapped(kind), x[i : i + 1], target=1)]
    in_order = sorted(together, key=lambda each: each.place)
    np.testing.assert_allclose(values(in_order), values(alone), atol=1e-9)
    if together[0].source.layer != "input":
        assert [each.source.layer for each in alone[:parts]] == [f"features#{k + 1}" for k in range(parts)]
        for k, each in enumerate(alone[:parts]):
            told = [note for note in each.warnings if "parts of each image" in note]
            assert told == [f"features emits {parts} parts of each image (views, crops or the like): this is part {k + 1}"]


@pytest.mark.parametrize("network", PARTS)
def test_each_part_is_that_of_its_own_frame(network):
    kind, shape, parts = PARTS[network]
    net, x = kind().double().eval(), images(*shape)
    emitted = seewhy.wrap(net).activations(x, ["features"])[0]
    rows = x.reshape(2, parts, C, *SIDES) if kind is Segments else np.stack([x] * parts, 1)
    for k in range(parts):
        truth = net.features(torch.as_tensor(rows[:, k])).detach()
        np.testing.assert_allclose(emitted[f"features#{k + 1}"], truth, atol=1e-12)


@pytest.mark.parametrize("k", [1, C, T])
@pytest.mark.parametrize("method", METHODS)
def test_a_bag_is_explained_instance_by_instance_though_the_network_takes_one_bag_at_a_time(method, k):
    (heatmap,) = asked(method)(wrapped(Bag), images(1, k, C, *SIDES), target=1)
    assert heatmap.full().shape == (k, *SIDES)
    assert np.isfinite(heatmap.values).all()


def test_hidden_pixels_of_a_bag_change_the_score_as_they_do_by_hand():
    net, x = Bag().double().eval(), images(1, T, C, *SIDES)
    (heatmap,) = seewhy.ablation_cam(seewhy.wrap(net), x, target=1, layer="features")
    a = net.features(torch.as_tensor(x[0])).detach()

    def score(features: Tensor) -> float:
        seen = features.mean((2, 3))
        return net.head((net.attend(seen).softmax(0) * seen).sum(0))[1].item()

    keeps = [a * (torch.arange(a.shape[1]) != c).double().reshape(1, -1, 1, 1) for c in range(a.shape[1])]
    weights = torch.tensor([(score(a) - score(each)) / abs(score(a)) for each in keeps])
    truth = (weights.reshape(1, -1, 1, 1).double() * a).sum(1).relu()
    np.testing.assert_allclose(heatmap.values, truth.detach(), atol=1e-6)


@pytest.mark.parametrize("network", FRAMES_FIRST)
def test_units_and_layers_of_frames(network):
    model, x = wrapped(FRAMES_FIRST[network]), images(2, T, C, *SIDES)
    (first, _) = seewhy.gradient(model, x, target=Unit("features", 2))
    assert first.full().shape == (T, *SIDES)
    assert first.values.any()


def test_clips_reach_a_network_of_frames_as_it_takes_them():
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (*SIDES, 3), np.uint8)) for _ in range(T)]
    net = Recurrent().eval()
    fit = ClipFit(lambda photo: np.asarray(photo, np.float32).transpose(2, 0, 1) / 255, T)
    x = np.stack([np.asarray(frame, np.float32).transpose(2, 0, 1) / 255 for frame in frames])[None]
    (of_clip,) = seewhy.grad_cam(seewhy.wrap(net, prepare=fit), Clip(tuple(frames)), target=1)
    (of_batch,) = seewhy.grad_cam(seewhy.wrap(net), x, target=1)
    np.testing.assert_allclose(of_clip.values, of_batch.values, atol=1e-6)
    assert of_batch.values.any()


def test_where_the_channels_lie_can_be_said():
    x = images(2, C, *SIDES)

    class Last(Backbone):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.seen(x.movedim(-1, 1)))

    last = seewhy.wrap(Last().double().eval(), channels=-1)
    first = seewhy.wrap(nn.Sequential(Last().features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), Last().head).double().eval())
    maps = seewhy.hires_cam(last, np.moveaxis(x, 1, -1), target=1, layer="features")
    truth = seewhy.hires_cam(first, x, target=1, layer="0")
    np.testing.assert_allclose(values(maps), values(truth), atol=1e-9)


def test_what_cannot_be_told_is_asked_for():
    linear = nn.Linear(C * C * 16, 5).double()
    network = nn.Sequential(nn.Flatten(), linear).eval()
    x = images(2, C, C, 4, 4)
    with pytest.raises(BadParameter, match=r"wrap\(channels=1\)"):
        seewhy.gradient(seewhy.wrap(network), x)
    for channels in (1, 2):
        (first, _) = seewhy.gradient(seewhy.wrap(network, channels=channels), x, target=1)
        truth = linear.weight[1].detach().reshape(C, C, 4, 4).abs().amax(channels - 1)
        np.testing.assert_allclose(first.values, truth, atol=1e-12)


@pytest.mark.parametrize("channels", [0, True, "last", 1.0])
def test_no_other_word_for_the_channels(channels):
    with pytest.raises(BadParameter, match="channels="):
        wrapped(Clips, channels=channels)
