"""Segmenters over a classifier's body: which maps they read, what they compute, and the folder they are kept in."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

import seewhy
from seewhy.errors import BadNetwork, BadParameter, BadWeights, NotApplicable
from seewhy.models.load import segmenter_over
from seewhy.models.zoo.segmenter import SETTINGS, WEIGHTS, ReadLayer, blank_segmenter, body_of, read_layers

LABELS = ["background", "bird", "car"]


def drawn(model: str = "demo/honest", seed: int = 0):
    return segmenter_over(seewhy.load(model), LABELS, seed)


def test_the_finest_maps_and_the_last_are_read():
    honest = seewhy.load("demo/honest")
    assert read_layers(honest.layers(), 96) == [ReadLayer("body.0", 24), ReadLayer("body.2", 32), ReadLayer("body.5", 64)]
    resnet = seewhy.load("torchvision/resnet18", weights="random")
    names = [layer.name for layer in read_layers(resnet.layers(), 224)]
    assert names == ["relu", "layer1", "layer2", "layer3", "layer4"]


def test_the_body_is_a_copy_that_gives_the_classifiers_own_maps():
    honest = seewhy.load("demo/honest")
    body = blank_segmenter(honest.network, [ReadLayer("body.2", 32), ReadLayer("body.5", 64)], 3).eval().body
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        fine, coarse = body(x)
        torch.testing.assert_close(fine, honest.network.body[:3](x))
        torch.testing.assert_close(coarse, honest.network.body(x))
        for weight in body.parameters():
            weight.zero_()
        assert honest.network.body(x).abs().max() > 0
    assert not any(name.startswith("head") for name, _ in body.named_parameters())


def test_the_scores_are_those_of_the_formula():
    network, _ = drawn()
    network.eval()
    x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        fine, *coarser = network.body(x)
        maps = network.laterals[0](fine)
        for lateral, coarse, by in zip(network.laterals[1:], coarser, (2, 4), strict=True):
            maps += functional.interpolate(lateral(coarse), scale_factor=by, mode="bilinear")
        mixed = network.mix[3](network.mix[2](network.mix[0](maps).relu())).relu()
        cells = torch.einsum("nchw,kc->nkhw", mixed, network.head.weight[:, :, 0, 0]) + network.head.bias[:, None, None]
        torch.testing.assert_close(network.cells(x), cells, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network(x), functional.interpolate(network.cells(x), scale_factor=2, mode="bilinear"))
    assert network.cells(x).shape[2:] == (48, 48)


def test_a_seed_draws_the_same_head_and_disturbs_nobody():
    honest = seewhy.load("demo/honest")
    before = torch.random.get_rng_state()
    first, second, third = (segmenter_over(honest, LABELS, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first.head.weight, second.head.weight)
    assert not torch.equal(first.head.weight, third.head.weight)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.fixture
def folder(tmp_path):
    network, settings = drawn()
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, tmp_path / WEIGHTS)
    (tmp_path / SETTINGS).write_text(json.dumps(settings), "utf-8")
    return tmp_path


def test_a_folder_is_loaded_as_an_ordinary_model(folder):
    model = seewhy.load(folder)
    network = drawn()[0].eval()
    x = np.random.default_rng(0).normal(size=(1, 3, 96, 96)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(model.network(torch.from_numpy(x)), network(torch.from_numpy(x)), rtol=1e-5, atol=1e-6)
    assert model.labels == LABELS
    assert model.weights.startswith(f"{WEIGHTS} sha256:")
    assert (model.prepare.size, model.prepare.crop) == (96, None)  # it sees whole photos
    assert model.origin.recipe == {"spec": str(folder)}


def test_a_region_and_a_point_of_it_are_explained_and_made_again(folder):
    model = seewhy.load(folder)
    photo = seewhy.demo.scene(0, 5).image
    mask = np.zeros((96, 96), bool)
    mask[30:60, 20:50] = True
    heatmap = seewhy.grad_cam(model, photo, target=seewhy.Region("car", mask))[0]
    x = torch.from_numpy(next(iter(model.batches([photo]))).x).requires_grad_()
    maps = model.network.body(x)
    scores = functional.interpolate(model.network.cells(x), size=(96, 96), mode="bilinear")
    assert heatmap.source.layer == "body.body.5"
    assert heatmap.source.score == pytest.approx(float(scores[0, 2][torch.from_numpy(mask)].mean().detach()), rel=1e-4)
    assert maps[-1].shape[2:] == heatmap.values.shape
    point = seewhy.grad_cam(model, photo, target=seewhy.Point(40, 30, "bird"))[0]
    assert point.source.score == pytest.approx(float(scores[0, 1, 40, 30].detach()), rel=1e-4)
    assert np.isfinite(point.values).all()


def test_what_is_no_segmenter_is_refused(folder, tmp_path_factory):
    settings = json.loads((folder / SETTINGS).read_text("utf-8"))

    def written(**changes):
        (folder / SETTINGS).write_text(json.dumps({**settings, **changes}), "utf-8")
        return folder

    with pytest.raises(BadWeights, match="this seewhy reads form 1"):
        seewhy.load(written(form=2))
    for spec in ("some/where.py:net", "hf/org/name", "torchvision/", "/etc/passwd", "timm"):
        with pytest.raises(BadWeights, match="stands on the classifier"):
            seewhy.load(written(classifier={"spec": spec}))
    with pytest.raises(BadWeights, match="not as `seewhy segment train` writes it"):
        seewhy.load(written(labels=None))
    with pytest.raises(BadWeights, match="does not fit"):
        seewhy.load(written(labels=["background", "bird"]))
    with pytest.raises(BadParameter, match="takes no options"):
        seewhy.load(written(), options={"a": 1})
    (written() / WEIGHTS).unlink()
    with pytest.raises(BadWeights, match=f"holds no {WEIGHTS}"):
        seewhy.load(folder)
    assert seewhy.load(folder, weights="random").untrained == "random weights"


def test_other_classifiers_are_refused_with_the_reason():
    with pytest.raises(BadParameter, match="cannot be made a segmenter that is found again by its name"):
        segmenter_over(seewhy.wrap(nn.Conv2d(3, 2, 1), prepare={"size": 8, "crop": 8, "mean": 0, "std": 1}), LABELS)
    with pytest.raises(NotApplicable, match="needs a classifier whose last layer gives maps"):
        segmenter_over(seewhy.load("timm/vit_tiny_patch16_224", weights="random"), LABELS)


class Branching(nn.Module):
    """Looks at its input's values, which torch.fx cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x) if x.sum() > 0 else x


def test_a_network_that_cannot_be_followed_is_named():
    with pytest.raises(BadNetwork, match=r"Branching cannot be made a segmenter: torch\.fx does not follow its forward"):
        body_of(Branching(), ["first"])
    with pytest.raises(BadNetwork, match="it does not run third"):
        body_of(nn.Sequential(nn.Conv2d(3, 3, 1)), ["third"])
