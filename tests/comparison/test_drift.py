"""Two models on the same photos."""

import copy
import warnings

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import BadImage, BadParameter, NotApplicable, NotHere
from support.real import DATA, needs_data, rows
from support.real import model as real_model


@pytest.fixture(scope="module")
def other_model(red_network, red_model):
    """The same network, whose labels stand in another order, behind a background class that never wins."""
    network = copy.deepcopy(red_network)
    weights = red_network.weigh.weight.detach()
    network.weigh = torch.nn.Linear(1, 4, bias=True)
    with torch.no_grad():
        network.weigh.weight.copy_(torch.stack([weights[0] * 0, weights[2], weights[1], weights[0]]))
        network.weigh.bias.copy_(torch.tensor([-9.0, 0, 0, 0]))
    labels = ["background", "neither", "not red", "red"]
    return seewhy.wrap(network.eval(), prepare=red_model.prepare, labels=labels, name="other")


@pytest.fixture
def photos(red_dot):
    return [red_dot((90, 70), x, 30, half=10) for x in (30, 45, 60)]


def test_a_model_beside_itself_has_not_moved(red_model, photos):
    found = seewhy.drift(red_model, red_model, photos)
    assert len(found) == 3
    assert (found.method, found.a, found.b, found.target) == ("grad-cam", "red", "red", "top 1")
    for photo in found:
        assert (photo.same_top1, photo.spearman, photo.energy_shift, photo.centre_shift) == (True, 1, 0, 0)
        assert (photo.score_change, photo.probability_change, photo.top5_overlap) == (0, 0, None)
        assert photo.notes == ()
    assert found.summary["top1_agreement"] == 1
    assert found.breaches(1, 0, True) == []


def test_classes_are_matched_by_label(red_model, other_model, photos):
    found = seewhy.drift(red_model, other_model, photos)
    assert [(p.a.source.label, p.b.source.label, p.b.source.index) for p in found] == [("red", "red", 3)] * 3
    assert all(p.same_top1 and p.spearman == pytest.approx(1) and p.energy_shift < 1e-6 for p in found)
    assert found.notes == ()
    back = seewhy.drift(other_model, red_model, photos)
    assert back.notes == ("red lacks 1 of the 4 classes of other",)
    with pytest.raises(NotHere, match=r"image 0: red has no class background \(0\) of other"):
        seewhy.drift(other_model, red_model, photos, target="background")


def test_a_prediction_that_turned_over_is_told_and_the_same_class_explained(red_network, red_model, photos):
    turned = copy.deepcopy(red_network)
    with torch.no_grad():
        turned.weigh.weight.neg_()
        turned.weigh.weight[0] += 0.5
    b = seewhy.wrap(turned, prepare=red_model.prepare, labels=red_model.labels, name="turned")
    found = seewhy.drift(red_model, b, photos)
    for photo in found:
        assert photo.same_top1 is False
        assert (photo.predicted_a.label, photo.predicted_b.label) == ("red", "not red")
        assert photo.a.source.label == photo.b.source.label == "red"
        assert photo.score_change < 0
        assert photo.flat == "b"  # all evidence for red is negative there
        assert photo.spearman is None
    assert found.summary["top1_agreement"] == 0
    assert found.summary["without_spearman"] == 3
    assert found.breaches(same_top1=True)[0][1] == ["predicted red, then not red"]


def test_the_worst_photo_comes_first(red_network, red_model, red_dot):
    """B does not see the right half, so the map of a photo that is red there moves, or goes."""
    half = torch.nn.Sequential(Left(), *copy.deepcopy(red_network)).eval()
    b = seewhy.wrap(half, prepare=red_model.prepare, labels=red_model.labels, name="half")
    given = [red_dot((64, 64), 16, 32), red_dot((64, 64), 32, 32), red_dot((64, 64), 20, 30)]
    found = seewhy.drift(red_model, b, given, layer=("cells", "3"), target="red")
    assert found[0].place == 1
    assert found[0].energy_shift > 0.2
    assert found[0].centre_shift > 1
    assert max(photo.energy_shift for photo in found[1:]) < 1e-6
    assert found.summary["max_energy_shift"] == found[0].energy_shift
    assert [photo.place for photo, _ in found.breaches(max_energy_shift=0.1)] == [1]


class Left(torch.nn.Module):
    """The left half of the image; the rest black."""

    def forward(self, x):
        keep = torch.arange(x.shape[-1]) < x.shape[-1] // 2
        return x * keep


def test_each_model_prepares_photos_by_itself(red_network, red_model, red_dot):
    """B sees the whole photo, not the middle, and larger: on the photo both look at the same place."""
    wide = seewhy.wrap(red_network, prepare={"size": (96, 192), "mean": 0.0, "std": 1.0}, labels=red_model.labels, name="wide")
    (photo,) = seewhy.drift(red_model, wide, red_dot((160, 80), 100, 40, half=12))
    assert photo.notes == ("compared on the 50 % of what either network sees of it that both see",)
    assert photo.spearman > 0.8
    assert photo.energy_shift < 0.1
    assert photo.centre_shift < 1.5


def test_a_prepared_batch_is_compared_image_by_image(red_model):
    x = np.random.default_rng(0).random((3, 3, 64, 64), np.float32)
    found = seewhy.drift(red_model, red_model, x, target=0)
    assert sorted((photo.place, photo.image) for photo in found) == [(i, f"image {i}") for i in range(3)]
    assert found[0].picture().mode == "RGB"


def test_a_bad_file_ends_no_batch(red_model, photos, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    found = seewhy.drift(red_model, red_model, [photos[0], bad, photos[1]], on_error="skip")
    assert [photo.place for photo in found] == [0, 2]
    assert [(left.place, left.name) for left in found.failed] == [(1, str(bad))]
    assert found.summary["failed"] == 1
    assert found.facts["failed"][0]["image"] == str(bad)
    with pytest.raises(BadImage, match=r"bad.png"):
        seewhy.drift(red_model, red_model, [photos[0], bad, photos[1]])


def test_a_method_that_one_cannot_do_names_what_both_can(red_model, photos):
    scores = seewhy.wrap(lambda x: x.mean((1, 2)), name="f", prepare={"size": 64, "crop": 64})
    with pytest.raises(NotApplicable, match=r"grad-cam cannot be compared: .*f gives scores only.* Both can do occlusion, "):
        seewhy.drift(red_model, scores, photos, method="grad-cam")


def test_different_scores_are_told(red_network, red_model, photos):
    chances = seewhy.wrap(red_network, prepare=red_model.prepare, labels=red_model.labels, scores="probability", name="p")
    found = seewhy.drift(red_model, chances, photos[:1])
    assert found[0].score_change is None
    assert found[0].probability_change == pytest.approx(0, abs=1e-6)
    assert found.notes[0].startswith("A explains logits, B probability: ")


def test_class_counts_that_do_not_fit_are_refused(red_model, other_model, photos):
    unnamed = copy.copy(other_model)
    unnamed.labels = None
    with pytest.raises(BadParameter, match="red gives 3 scores and other 4"):
        seewhy.drift(red_model, unnamed, photos, on_error="skip")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"layer": ["a", "b", "c"]}, "give one name for both models, or two"),
        ({"target": [0, 1]}, "2 targets were given"),
        ({"method": "grad-cat"}, "No method 'grad-cat'"),
        ({"layer": "cels"}, "No layer 'cels'"),
        ({"on_error": "ignore"}, "neither 'raise' nor 'skip'"),
    ],
)
def test_what_cannot_be_asked_is_refused(how, words, red_model, photos):
    with pytest.raises(seewhy.Misuse, match=words):
        seewhy.drift(red_model, red_model, photos, **how)


def test_a_method_with_settings_and_several_kinds_of_methods(red_model, other_model, photos):
    for method in ("hires-cam", "gradient", seewhy.occlusion.using(window=8, stride=8), "eigen-cam"):
        found = seewhy.drift(red_model, other_model, photos[:1], method=method)
        assert found[0].spearman == pytest.approx(1, abs=1e-4)
        assert found[0].energy_shift < 1e-4


def hidden(red_network):
    """The same network with one more linear layer, which changes nothing, before its last."""
    network = copy.deepcopy(red_network)
    same = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(same.weight)
    network.weigh = torch.nn.Sequential(same, network.weigh)
    return network


class Detached(torch.nn.Module):
    """A layer behind numpy: its numbers, without a way back."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return torch.from_numpy(self.layer(x).detach().numpy())


def int8(network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's, which names what will quantise one day
        return torch.ao.quantization.quantize_dynamic(network, {torch.nn.Linear}, dtype=torch.qint8)


def detached(network):
    network = copy.deepcopy(network)
    network.weigh = Detached(network.weigh)
    return network


@pytest.mark.parametrize(
    "cut", [int8, lambda network: int8(hidden(network)), detached], ids=["int8", "int8 in two layers", "numpy"]
)
def test_a_network_without_a_way_back_is_compared_by_what_it_can_do(cut, red_network, red_model, photos):
    """No gradient comes back from its scores: auto takes ReciproCAM, and what needs gradients is refused with what works."""
    other = seewhy.wrap(cut(red_network), prepare=red_model.prepare, labels=red_model.labels, name="cut")
    found = seewhy.drift(red_model, other, photos, target="red")
    assert found.method == "recipro-cam"
    assert "; no grad-cam, cut: no gradient reaches " in found.method_why
    assert found.summary["min_spearman"] > 0.9
    assert found.summary["max_energy_shift"] < 0.05
    with pytest.raises(
        NotApplicable,
        match=r"^grad-cam cannot be compared: No graph leads from the scores of cut back to .* it is cut in weigh.*"
        r"Both can do recipro-cam, occlusion, ",
    ):
        seewhy.drift(red_model, other, photos[:1], method="grad-cam", target="red")


def test_what_the_doctor_says_of_a_cut_network_is_what_comes_of_it(red_network, red_model, photos):
    """The methods that it calls possible give a map that is not empty, and the others none at all."""
    model = seewhy.wrap(int8(red_network), prepare=red_model.prepare, labels=red_model.labels)
    for verdict in seewhy.doctor(model, photos[0]).methods:
        if verdict.method not in (
            "cam",
            "grad-cam",
            "layer-cam",
            "gradient",
            "full-grad",
            "recipro-cam",
            "score-cam",
            "occlusion",
        ):
            continue
        try:
            (m,) = seewhy.METHODS[verdict.method](model, photos[0], target="red")
        except seewhy.errors.SeewhyError:
            assert not verdict.works, verdict
        else:
            assert verdict.works, verdict
            assert m.values.any(), verdict


@needs_data
def test_half_precision_of_a_real_network_hardly_moves_and_random_weights_do():
    photos = [DATA / "imagenet-sample" / row["file"] for row in rows("imagenet-sample")[:2]]
    model = real_model("timm/mobilenetv2_100")
    network = copy.deepcopy(model.network).bfloat16().float()
    half = seewhy.wrap(network, prepare=model.prepare, labels=model.labels, name="bfloat16 weights")
    found = seewhy.drift(model, half, photos)
    assert found.summary["min_spearman"] > 0.9
    assert found.summary["max_energy_shift"] < 0.1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained = seewhy.load("timm/mobilenetv2_100", "random", options={"pad_type": "same"}, prepare=model.prepare)
    far = seewhy.drift(model, untrained, photos)
    assert far.summary["mean_energy_shift"] > 0.3
    assert far.notes == ()
