"""A verdict from what came of the checks."""

import json
from dataclasses import replace

import numpy as np
import pytest

import seewhy
from seewhy import demo
from seewhy.errors import BadParameter, NoSuchName
from seewhy.metrics.checks import Check
from seewhy.metrics.verdict.trust import Trust, trust
from support.detectors import Blobs, scene
from support.segmenters import LABELS, Segmenter, image


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module")
def photo():
    return demo.scenes(1, 31, pair=True)[0].image


@pytest.fixture(scope="module")
def heatmap(honest, photo):
    return seewhy.grad_cam(honest, photo)[0]


VERDICTS = {  # head, deletion, stability -> the verdict
    ("green", "green", "green"): "green",
    ("green", "green", "grey"): "green",
    ("green", "grey", "green"): "green",
    ("green", "green", "amber"): "amber",
    ("green", "green", "red"): "amber",
    ("green", "amber", "green"): "amber",
    ("red", "green", "green"): "red",
    ("green", "red", "green"): "red",
    ("grey", "red", "grey"): "red",
    ("grey", "grey", "green"): "grey",
    ("grey", "grey", "grey"): "grey",
}


@pytest.mark.parametrize("statuses", VERDICTS, ids=" ".join)
def test_the_verdict(statuses, heatmap):
    checks = tuple(Check(name, status, "so") for name, status in zip(("head", "deletion", "stability"), statuses, strict=True))
    found = Trust(heatmap, checks, 0.0)
    assert found.status == VERDICTS[statuses]
    begins = {"green": "Trust this", "amber": "Read this", "red": "Do not trust", "grey": "Nothing can be said"}
    assert found.says.startswith(begins[found.status])
    for check in checks:
        assert (check.name in found.says) or (found.status, check.status) in (("red", "green"), ("amber", "green"),
                ("red", "amber"), ("grey", "green"), ("grey", "grey"))  # fmt: skip


def test_the_sentence_names_the_layer_as_captions_do(heatmap):
    numbered = replace(heatmap, source=replace(heatmap.source, layer="3"))
    found = Trust(numbered, (Check("head", "green", "so"),), 0.0)
    assert found.says == "Trust this grad-cam map at layer 3 as far as it was checked: it stood head."


def test_grad_cam_of_an_honest_network_is_trusted_and_noise_is_not(honest, photo):
    good, noise = trust(honest, photo), trust(honest, photo, "random-map", checks=["deletion", "head"])
    assert (good.status, noise.status) == ("green", "red")
    assert [check.name for check in good.checks] == ["head", "deletion", "disagreement", "stability", "completeness"]
    assert json.loads(good.to_json())["checks"][1]["status"] == "green"
    assert str(noise).endswith(noise.says)


def test_what_cannot_be_checked_is_grey_with_the_reason(photo):
    model = seewhy.wrap(lambda x: x[:, :, :4, :4].sum((1, 2, 3))[:, None], name="corner", takes="float")
    x = np.random.default_rng(0).random((1, 3, 16, 16)).astype(np.float32)
    found = trust(model, x, seewhy.occlusion.using(window=2, stride=2), target=0, checks=["head", "deletion"])
    head, deletion = found.checks
    assert (head.status, deletion.status) == ("grey", "green")
    assert "corner" in head.says
    assert "not known: head" in found.says


MASK = np.zeros((12, 16), bool)
MASK[3:6, 4:9] = True
PLACES = [seewhy.Region(1, MASK), seewhy.PerImage([seewhy.Region("cat", MASK)]), seewhy.Point(4, 5)]


@pytest.mark.parametrize("target", PLACES, ids=["region", "region of each image", "point"])
def test_a_place_of_a_segmenter_is_checked_as_a_class_is(target):
    """Class 1 is channel 1 about the mask: what is hidden there is all of its evidence, and the head has its weights."""
    model = seewhy.wrap(Segmenter(), labels=LABELS)
    found = trust(model, image(), "input-x-gradient", target=target, checks=["head", "deletion", "stability"])
    head, deletion, stability = found.checks
    assert deletion.status == "green"
    assert 0.5 < stability.value < 1
    assert head.value is not None
    assert found.heatmap.source.label == "cat"


def test_a_box_of_a_detector_is_checked_as_a_class_is():
    """The box's score is the mean of its cell alone, which the other cells hidden do not change."""
    model, method = seewhy.wrap(Blobs().eval()), seewhy.occlusion.using(window=4, stride=4, fill=0.0)
    found = trust(model, scene(), method, target=seewhy.Box(0), checks=["deletion", "stability"])
    assert found.checks[0].status == "green"
    assert found.checks[1].value > 0.5
    assert trust(model, scene(), method, target=found.heatmap.source.target, checks=["deletion"]).checks == found.checks[:1]


def test_what_does_not_apply_is_not_said_to_be_unknown(heatmap):
    checks = (Check("head", "green", "so"), Check("stability", "grey", "so"), Check("completeness", "none", "so"))
    found = Trust(heatmap, checks, 0.0)
    assert found.status == "green"
    assert found.says.endswith("it stood head; not known: stability.")
    assert [each["status"] for each in json.loads(found.to_json())["checks"]] == ["green", "grey", "none"]
    assert Trust(heatmap, (Check("head", "none", "so"), Check("deletion", "none", "so")), 0.0).status == "grey"


def test_it_is_the_same_under_a_seed_and_leaves_the_network_as_it_was(honest, photo):
    before = honest.weights_sha256()
    first, second = (trust(honest, photo, "gradient", seed=3) for _ in range(2))
    assert first.checks == second.checks
    assert honest.weights_sha256() == before


def test_one_map_is_judged(honest, photo):
    with pytest.raises(BadParameter, match="2 were asked for"):
        trust(honest, photo, target=[0, 1])
    with pytest.raises(NoSuchName, match="head, deletion"):
        trust(honest, photo, checks=["heads"])
