"""Real weights on real photos, where they are present: ../shared/data beside the checkout, or SEEWHY_DATA."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import seewhy
from support.ask import close
from support.real import DATA, NETS, inside, model, needs_data, rows

pytestmark = needs_data


GEOMETRIES = ("receptive-field", "plain")
SQUASHED = {"size": (224, 224), "crop": None}


@pytest.mark.parametrize("spec", NETS)
def test_the_networks_classify_as_the_data_says(spec):
    net, sample = model(spec), rows("imagenet-sample")
    truth = np.array([int(row["class_index"]) for row in sample])
    files = [DATA / "imagenet-sample" / row["file"] for row in sample]
    scores = np.concatenate([net.answer(batch.x).scores for batch in net.batches(files)])
    order = scores.argsort(1)[:, ::-1]
    top1, top5 = (order[:, 0] == truth).mean(), (order[:, :5] == truth[:, None]).any(1).mean()
    _, _, _, expected1, expected5 = NETS[spec]
    assert top1 == pytest.approx(expected1, abs=0.011)
    assert expected5 is None or top5 == pytest.approx(expected5, abs=0.006)


@pytest.mark.parametrize("spec", NETS)
def test_maps_are_as_ever_but_for_where_their_cells_are_drawn(spec):
    """Plain drawing is torch's bilinear; fields are centred at 32i + 31 behind "same" padding, at 16i + 15 in SqueezeNet."""
    photo = DATA / "imagenet-sample" / rows("imagenet-sample")[0]["file"]
    nets = [model(spec, geometry, **SQUASHED) for geometry in GEOMETRIES]
    found, plain = (seewhy.grad_cam(net, photo, signed=True)[0] for net in nets)
    close(found.values, plain.values, rel=1e-5)
    assert (found.source.geometry, plain.source.geometry) == GEOMETRIES
    assert plain.cells is None
    _, place = nets[0].cells(found.source.layer, next(nets[0].batches([photo])).x)
    assert place.first == ((31, 31) if spec.startswith("timm") else (15, 15))
    width, height = plain.size
    grown = torch.nn.functional.interpolate(torch.tensor(plain.values)[None, None], (height, width), mode="bilinear")[0, 0]
    np.testing.assert_allclose(plain.full(), grown.numpy(), atol=1e-5 * float(abs(grown).max()))
    assert abs(found.full() - plain.full()).max() > 0.05 * abs(plain.full()).max()


@pytest.mark.parametrize("spec", NETS)
def test_cells_look_where_their_gradient_has_its_energy(spec):
    """Of the middle cell, in the mean over photos: in the MobileNets 5 to 14 pixels from the middle of its field."""
    net = model(spec, **SQUASHED)
    files = [DATA / "imagenet-sample" / row["file"] for row in rows("imagenet-sample")[:12]]
    images = np.concatenate([batch.x for batch in net.batches(files)])
    found = seewhy.grad_cam(net, files[:1], signed=True)[0]
    _, place = net.cells(found.source.layer, images[:1])
    torch.manual_seed(0)
    kept: list[torch.Tensor] = []
    hook = net.network.get_submodule(found.source.layer).register_forward_hook(lambda _module, _args, out: kept.append(out))
    x = torch.as_tensor(images).clone().requires_grad_()
    net.network(x)
    hook.remove()
    half = kept[0].shape[2] // 2
    (g,) = torch.autograd.grad((kept[0][:, :, half, half] * torch.randn(kept[0].shape[:2])).sum(), x)
    share = g.square().sum(1)
    share = (share / share.sum((1, 2), keepdim=True)).mean(0)
    for axis in range(2):
        centre = float(share.sum(1 - axis) @ torch.arange(224.0))
        looks = found.cells.centres(axis, kept[0].shape[2])[half]
        field = place.first[axis] + place.stride[axis] * half
        assert abs(looks - centre) < 6
        assert abs(looks - centre) < abs(field - centre) + 1
        if spec.startswith("timm"):
            assert abs(field - centre) > 5


def test_mean_and_std_travel_with_the_file():
    file, options, *_ = NETS["timm/mobilenetv2_100"]
    net = seewhy.load("timm/mobilenetv2_100", DATA / f"{file}.safetensors", options=options)
    assert net.prepare.mean == (0.5, 0.5, 0.5)
    assert net.prepare.size == 256


@pytest.mark.parametrize("spec", NETS)
def test_maps_beat_the_controls_inside_the_boxes(spec):
    """Share of the map's energy inside the true object's boxes, over photos whose boxes fill less than a third."""
    small = [p for p in json.loads((DATA / "loc-imagenet-val" / "boxes.json").read_text()) if p["boxes_area_fraction"] < 1 / 3]
    assert len(small) > 50
    net = model(spec, **SQUASHED)
    methods = ["grad-cam", "hires-cam", "layer-cam", "random-map", "centre"]
    maps = seewhy.explain(
        net,
        [DATA / "loc-imagenet-val" / p["file"] for p in small],
        methods,
        target=seewhy.PerImage([p["class_index"] for p in small]),
    )
    energy = {name: [] for name in methods}
    for m in maps:
        full = m.full().clip(min=0)
        photo = small[m.place]
        assert m.source.target == str(photo["class_index"])
        mask = inside(photo["boxes"], m.size)
        energy[m.source.method].append(full[mask].sum() / (full.sum() or 1) - mask.mean())
    mean = {name: float(np.mean(shares)) for name, shares in energy.items()}
    for name in ("grad-cam", "hires-cam"):
        assert mean[name] > mean["centre"] + 0.02, mean
        assert mean[name] > mean["random-map"] + 0.1, mean
    assert mean["layer-cam"] > mean["random-map"] + 0.05, mean  # positive weights only: less of a class, more of the middle
    assert abs(mean["random-map"]) < 0.05, mean


def test_a_person_explains_dogs_from_the_command_line(tmp_path):
    dogs = sorted(map(str, (DATA / "imagenet-sample").glob("*dog*.jpg")))
    command = [sys.executable, "-m", "seewhy", "explain", *dogs, "--model", "timm/mobilenetv2_100", "--option", "pad_type=same",
               "--weights", str(DATA / "mobilenetv2_100_imagenet.safetensors"), "--method", "grad-cam", "--method", "hires-cam",
               "--target", "top:2", "--no-sheet", "--out", str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "French bulldog (245)" in done.stdout
    assert "African hunting dog (275)" in done.stdout
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) == len(dogs) * 2 * 2
    sources = [seewhy.Heatmap.source_of(p) for p in pictures]
    assert {s.method for s in sources} == {"grad-cam", "hires-cam"}
    assert all(s.weights.startswith("mobilenetv2_100_imagenet.safetensors sha256:") for s in sources)


def ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(abs(values).ravel(), kind="stable"), kind="stable").astype(float)


def test_the_caveats_are_true_of_these_very_methods():
    """With the classifier's weights drawn anew guided backprop and deconvnet stay what they were; Grad-CAM does not."""
    kept, drawn = model("torchvision/squeezenet1_1"), model("torchvision/squeezenet1_1")
    last = drawn.network.classifier[1]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        last.weight.normal_(std=float(last.weight.std()))
        last.bias.zero_()
    files = [DATA / "imagenet-sample" / row["file"] for row in rows("imagenet-sample")[5::50]]
    classes = seewhy.PerImage([m.source.index for m in seewhy.grad_cam(kept, files)])

    def likeness(method: str) -> float:
        pairs = zip(*(seewhy.METHODS[method](net, files, target=classes) for net in (kept, drawn)), strict=True)
        return float(np.mean([np.corrcoef(ranks(a.values), ranks(b.values))[0, 1] for a, b in pairs]))

    found = {name: likeness(name) for name in ("deconvnet", "guided-backprop", "gradient", "grad-cam")}
    assert found["deconvnet"] > 0.98
    assert found["guided-backprop"] > 0.8
    assert found["gradient"] < 0.7
    assert found["grad-cam"] < 0.6
