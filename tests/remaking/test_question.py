"""How the parts of a question are read from a Source: classes as they were resolved, places and texts as they are written."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import Source
from seewhy.remaking.question import Resolved, asked_again
from support import networks
from support.detectors import KINDS, Blobs, scene
from support.segmenters import LABELS, Segmenter, image


def stored(heatmap) -> Source:
    return Source.from_json(heatmap.source.to_json())


def same(model, given, found, **more):
    remade = stored(found).again(model, given, **more)
    assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())
    return remade


def test_a_class_is_explained_as_it_was_resolved_under_the_words_of_the_question():
    scores = np.array([[1.0, 3.0, 2.0]])
    assert Resolved("top 1", 2)(scores).tolist() == [[0, 0, 1]]
    assert str(Resolved("top 1", 2)) == "top 1"


@pytest.mark.parametrize(("asked", "claimed", "fault"), [
    ("cat", "dog", "target: 'dog' as saved, which is class 1, and class 0 was explained"), (0, "2", "which is class 2"),
    (None, "cat", "which is class 0"), ("least", "top 1", "which is class"), ("least", "top 2", ""),
    ("cat", "a function of mine", ""), ("cat", "0", ""),
])  # fmt: skip
def test_a_target_that_names_another_class_than_was_explained_is_told(asked, claimed, fault):
    """Else a record that was changed could say of a map of cats that it is of dogs."""
    model, x = seewhy.wrap(networks.pooled(), labels=["cat", "dog", "bird", "fish", "ant"]), networks.images(1)
    order = np.argsort(model.answer(x).scores[0])
    target = {None: int(next(i for i in order[::-1] if i != 0)), "least": int(order[0])}.get(asked, asked)
    (found,) = seewhy.grad_cam(model, x, target=target)
    source = replace(stored(found), target=claimed)
    told = [each for each in source.again(model, x).faults if each.startswith("target: ")]
    assert (fault in told[0] and "was explained" in told[0]) if fault else not told


def test_no_answer_contradicts_top_1():
    """Also of several answers that are sure to the last digit, and of the one logit of two classes."""
    (a, b) = (torch.nn.Sequential(networks.pooled(), torch.nn.Linear(5, k)).double().eval() for k in (5, 1))
    with torch.no_grad():
        for net, bias in ((a, torch.arange(50, 55)), (b, torch.tensor([-3.0]))):
            net[1].weight.mul_(0.01), net[1].bias.copy_(bias)
    for net in (a, b):
        model = seewhy.wrap(net, task="multi-label") if net is a else seewhy.wrap(net)
        (found,) = seewhy.grad_cam(model, networks.images(1))
        same(model, networks.images(1), found)


@pytest.mark.parametrize("target", ["box:red", "box:red:1", "box:green", "box:red:3,3,9,9"])
def test_a_box_is_found_again_where_it_lay(target):
    model = seewhy.wrap(Blobs(), labels=KINDS, task="multi-label")
    for method in (seewhy.gradient, seewhy.occlusion.using(window=5, stride=3)):
        (found,) = method(model, scene(), target=target)
        remade = same(model, scene(), found)
        assert remade.heatmap.source.label == found.source.label


@pytest.mark.parametrize("target", ["region:dog", "point:3,4", "point:3,4:cat"])
def test_a_region_and_a_point(target):
    model, x = seewhy.wrap(Segmenter(), labels=LABELS), image()
    (found,) = seewhy.gradient(model, x, target=target)
    assert same(model, x, found).heatmap.source.target == found.source.target


def test_a_mask_is_asked_for_and_checked():
    model, x, mask = seewhy.wrap(Segmenter(), labels=LABELS), image(), np.zeros((12, 16), bool)
    mask[1:4, 2:7] = True
    (found,) = seewhy.gradient(model, x, target=seewhy.Region("cat", mask))
    with pytest.raises(seewhy.BadParameter, match="known by its SHA-256 alone: give target="):
        stored(found).again(model, x)
    same(model, x, found, target=seewhy.Region("cat", mask))
    other = stored(found).again(model, x, target=seewhy.Region("cat", ~mask))
    assert other.same == "different"


def test_an_image_of_an_embedding():
    encoder = seewhy.wrap(networks.pooled(), task="regression")
    x = networks.images(2)
    (found,) = seewhy.gradient(encoder, x[:1].astype(np.float32), target=seewhy.Similar([1.0, 2.0, 0.0, 0.0, 1.0]))
    with pytest.raises(seewhy.BadParameter, match="give target="):
        stored(found).again(encoder, x[:1].astype(np.float32))
    same(encoder, x[:1].astype(np.float32), found, target=seewhy.Similar([1.0, 2.0, 0.0, 0.0, 1.0]))


def test_each_image_of_several_has_its_own_target():
    model, x = seewhy.wrap(networks.pooled()), networks.images(3)
    for found in seewhy.occlusion(model, x, target=seewhy.PerImage([2, seewhy.Top(2), 0]), window=5, stride=3):
        remade = stored(found).again(model, x[found.place : found.place + 1])
        assert remade.same in ("bit for bit", "to rounding")
        assert remade.faults == ()


def test_several_images_are_not_one():
    model, x = seewhy.wrap(networks.pooled()), networks.images(2)
    (found,) = seewhy.grad_cam(model, x[:1])
    with pytest.raises(seewhy.BadParameter, match="these gave 2 maps"):
        stored(found).again(model, x)


def test_a_layer_that_is_not_there_is_said():
    (found,) = seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1))
    with pytest.raises(seewhy.BadParameter, match="cannot be made again"):
        stored(found).again(seewhy.wrap(networks.flat_head()), networks.images(1), target=1000)


def test_the_reason_for_the_layer_stays():
    model = seewhy.wrap(networks.pooled())
    (found,) = seewhy.grad_cam(model, networks.images(1))
    assert found.source.layer_why
    again = asked_again(stored(found), model, networks.images(1), None, {})
    assert again.source.layer_why == found.source.layer_why


def test_a_photo_that_was_given_in_memory_is_given_again(tmp_path):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))
    model = seewhy.load("demo/honest")
    (found,) = seewhy.grad_cam(model, photo)
    with pytest.raises(seewhy.BadImage, match="is no file here: give the image"):
        stored(found).again()
    assert stored(found).again(image=photo).same == "bit for bit"
    photo.save(tmp_path / "photo.png")
    assert stored(found).again(image=tmp_path / "photo.png").same == "bit for bit"


def test_what_a_stranger_wrote_in_place_of_tiles_and_fusions_is_no_traceback():
    model, x = seewhy.wrap(networks.pooled()), networks.images(1)
    (found,) = seewhy.grad_cam(model, x)
    assert replace(stored(found), tile={"asked": 5}).again(model, x).parts == ("setting",)
    with pytest.raises(seewhy.SeewhyError, match="'5'"):
        replace(stored(found), params={"signed": False, "fuse": 5}).again(model, x)
