"""Class sensitivity, input invariance and label randomisation: by hand, by formula, and with controls."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy import metrics
from seewhy.comparison.measures import spearman
from seewhy.errors import NotApplicable
from seewhy.metrics.sanity.comparisons import MapChange
from seewhy.metrics.sanity.probe import fitted_head

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 3, 10, 10)).astype(np.float32)


class Linear(nn.Module):
    """Scores that are linear in the image: the gradient of class k is row k of the weights."""

    def __init__(self, classes=4):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(300, classes)

    def forward(self, x):
        return self.fc(x.flatten(1))


def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(6, 4)).eval()


def test_class_sensitivity_compares_the_likeliest_class_with_the_least_likely():
    own = Linear()
    model = seewhy.wrap(own)
    found = metrics.class_sensitivity(model, X, seewhy.gradient.using(reduce="sum"))
    scores, w = model.answer(X).scores, own.fc.weight.detach().numpy().reshape(4, 3, 10, 10).sum(1)
    expected = [spearman(w[row.argmax()], w[row.argmin()]) for row in scores]
    assert found.of("gradient").spearman.values == pytest.approx(expected, abs=1e-6)
    assert found.facts == {"classes": 4}
    assert found.model == model.name


def test_two_opposite_classes_have_opposite_maps_and_blind_methods_the_same():
    own = Linear(2)
    with torch.no_grad():
        own.fc.weight[1] = -own.fc.weight[0]
    found = metrics.class_sensitivity(seewhy.wrap(own), X, seewhy.gradient.using(reduce="sum"))
    assert found.of("gradient").spearman.values == pytest.approx([-1] * 5)
    assert found.of("gradient").absolute.values == pytest.approx([1] * 5)
    blind = metrics.class_sensitivity(seewhy.wrap(network()), X, ["eigen-cam", "random-map"])
    assert blind.of("eigen_cam").spearman.values == pytest.approx([1] * 5)
    assert blind.of("random-map").spearman.values == pytest.approx([1] * 5)


def test_class_sensitivity_can_be_asked_of_any_model_with_two_scores():
    def service(images):
        red = images[..., 0].astype(float)
        return np.stack([red[:, :4].mean((1, 2)), red[:, 4:].mean((1, 2)), -red.mean((1, 2)) - 1], 1)

    photo = RNG.integers(0, 256, (8, 8, 3), np.uint8)
    occlusion = seewhy.occlusion.using(window=2, stride=2)
    found = metrics.class_sensitivity(seewhy.wrap(service), photo, occlusion).of("occlusion")
    assert -1 <= found.spearman.mean < 0.2
    with pytest.raises(seewhy.NotApplicable, match="one score"):
        metrics.class_sensitivity(seewhy.wrap(Linear(1)), X, "gradient")


def test_gradients_are_invariant_to_a_shift_and_products_with_the_input_are_not():
    own = Linear()
    model, shift = seewhy.wrap(own), np.array([0.5, -2.0, 3.0])
    found = metrics.input_invariance(model, X, ["gradient", "input-x-gradient"], shift=shift)
    assert found.of("gradient").spearman.values == pytest.approx([1] * 5)
    w, classes = own.fc.weight.detach().numpy().reshape(4, 3, 10, 10), model.answer(X).scores.argmax(1)
    expected = [
        spearman((x * w[k]).sum(0), ((x + shift[:, None, None]) * w[k]).sum(0)) for x, k in zip(X, classes, strict=True)
    ]
    assert found.of("input-x-gradient").spearman.values == pytest.approx(expected, abs=1e-3)
    assert found.facts["shift"] == shift.tolist()
    assert found.facts["scores_differ_by"] < 1e-5


def test_maps_of_a_layer_inside_are_invariant_and_maps_of_noise_about_the_image_are_not():
    found = metrics.input_invariance(seewhy.wrap(network()), X, ["grad-cam", "random-map"], layer="1", shift=0.7)
    assert found.of("grad-cam").spearman.values == pytest.approx([1] * 5, abs=1e-3)
    assert abs(found.of("random-map").spearman.mean) < 0.3
    assert found.controls["grad-cam", "1"].spearman.mean == pytest.approx(0, abs=0.2)


def test_a_shift_that_cannot_be_is_said():
    model = seewhy.wrap(network())
    with pytest.raises(seewhy.BadParameter, match="one for each of the 3 channels"):
        metrics.input_invariance(model, X, shift=[1.0, 2.0])
    with pytest.raises(seewhy.BadParameter, match="finite"):
        metrics.input_invariance(model, X, shift=np.inf)
    sizes = [RNG.integers(0, 256, (h, 20, 3), np.uint8) for h in (20, 30)]
    whole = seewhy.wrap(network(), prepare={"size": 20, "crop": None})
    first, second = (Image.fromarray(sizes[0]) for _ in range(2))
    first.filename, second.filename = "one.png", "two.png"
    assert metrics.input_invariance(whole, [first, second], "gradient").images == ("one.png", "two.png")
    with pytest.raises(seewhy.BadParameter, match="several sizes"):
        metrics.input_invariance(whole, sizes)


def test_label_randomisation_compares_heads_fitted_to_true_and_to_dealt_labels():
    pytest.importorskip("scipy")
    own, labels = network(), np.array([0, 1, 2, 3, 1])
    before = {name: value.clone() for name, value in own.state_dict().items()}
    model = seewhy.wrap(own)
    found = metrics.label_randomised(model, X, labels, ["grad-cam", "eigen-cam"], layer="1", seed=3)
    with torch.no_grad():
        a = own[:2](torch.as_tensor(X)).double().numpy()
    dealt = np.random.default_rng(3).permutation(labels)
    true, random = (fitted_head(a.mean((2, 3)), each, 4) for each in (labels, dealt))
    maps = [[np.tensordot(head.weight[k], a[i], 1) for i, k in enumerate(labels)] for head in (true, random)]
    expected = [spearman(p, q) for p, q in zip(*maps, strict=True)]
    assert found.of("grad-cam").spearman.values == pytest.approx(expected, abs=0.01)
    assert found.of("eigen-cam").spearman.values == pytest.approx([1] * 5)
    assert found.facts["right"] == true.right
    assert found.facts["right_of_random"] == random.right
    assert found.facts["labels_that_changed"] == (dealt != labels).mean()
    assert all(torch.equal(before[name], value) for name, value in own.state_dict().items())


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2, 3, 4], [0.0] * 5, [-1, 0, 0, 0, 0]], ids=str)
def test_labels_that_do_not_fit_are_said(labels):
    with pytest.raises(seewhy.BadParameter, match="a class number from 0 to 3 for each of the 5 images"):
        metrics.label_randomised(seewhy.wrap(network()), X, labels)


def test_a_change_is_read_by_method_and_as_json():
    found = metrics.class_sensitivity(seewhy.wrap(Linear()), X[:2], "gradient")
    assert isinstance(found, MapChange)
    told = json.loads(found.to_json())
    assert told["change"] == "least likely class"
    assert told["rows"][0]["spearman"]["values"] == [*found.of("gradient").spearman.values]
    assert told["rows"][0]["noise"]["spearman"]["mean"] == found.controls["gradient", "input"].spearman.mean
    with pytest.raises(seewhy.BadParameter, match="there are gradient"):
        found.of("grad-cam")


def test_a_shift_is_refused_in_words_before_a_network_with_channels_last():
    class Last(nn.Module):
        def forward(self, x):
            return x.mean((1, 2))

    model = seewhy.wrap(Last().eval(), channels=-1, prepare={"size": 8, "crop": 8, "mean": 0.5, "std": 0.5})
    photo = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    with pytest.raises(NotApplicable, match=r"before images \(n, c, \.\.\.\)"):
        metrics.input_invariance(model, photo, "gradient", target=1)
