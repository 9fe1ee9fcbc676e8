"""Regions and points of dense outputs: a segmenter whose gradients are known by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seewhy import (
    BadNetwork,
    BadParameter,
    Contrast,
    Heatmap,
    NoSuchName,
    NotApplicable,
    PerImage,
    Point,
    Region,
    augment,
    explain,
    grad_cam,
    gradient,
    hires_cam,
    occlusion,
    top_units,
    wrap,
)
from seewhy.errors import NotHere
from seewhy.targets.parse import as_targets
from support.ask import close
from support.segmenters import LABELS, Segmenter, blurred, image


@pytest.mark.parametrize("form", ["tensor", "out", "tuple"])
def test_the_gradient_of_a_region_is_the_one_by_hand(form):
    x, mask = image(), np.zeros((12, 16), bool)
    mask[1:4, 2:7] = True
    found = gradient(wrap(Segmenter(form), labels=LABELS), x, target=Region("cat", mask))[0]
    assert found.channels is not None
    np.testing.assert_allclose(found.channels[1], blurred(mask), rtol=1e-6)
    assert not found.channels[[0, 2]].any()
    score = F.avg_pool2d(torch.from_numpy(x), 3, 1, 1)[0, 1].numpy()[mask].mean()
    assert found.source.score == pytest.approx(score, rel=1e-9)
    assert (found.source.index, found.source.label, found.source.scores) == (1, "cat", "logits")


def test_the_predicted_region_is_where_the_class_wins():
    x = image()
    scores = F.avg_pool2d(torch.from_numpy(x), 3, 1, 1)[0].numpy()
    found = gradient(wrap(Segmenter(), labels=LABELS), x, target="region:dog")[0]
    assert found.channels is not None
    np.testing.assert_allclose(found.channels[2], blurred(scores.argmax(0) == 2), rtol=1e-6)
    assert found.source.target == "region:2"


def test_a_class_that_is_predicted_nowhere_is_answered_with_those_that_are():
    x = image()
    x[0, 1] = -1
    with pytest.raises(NotApplicable, match="predicts cat nowhere in this image; there is: ground, dog"):
        gradient(wrap(Segmenter(), labels=LABELS), x, target=Region("cat"))


def test_a_point_of_the_photo_is_read_where_the_network_saw_it():
    photo = np.zeros((60, 100, 3), np.uint8)
    model = wrap(Segmenter(), prepare={"size": 30, "crop": (20, 40), "mean": 0, "std": 1}, labels=LABELS)
    # scaled by half to 30 x 50, cropped by 5 on every side: the pixel (y=41, x=73) lies at 20.75 - 5, 36.75 - 5
    found = gradient(model, photo, target=Point(41, 73, "dog"))[0]
    assert found.channels is not None
    want = np.zeros((20, 40), bool)
    want[15, 31] = True
    np.testing.assert_allclose(found.channels[2], blurred(want), rtol=1e-6)
    peak = np.unravel_index(found.full().argmax(), (60, 100))
    assert abs(peak[0] - 41) <= 4
    assert abs(peak[1] - 73) <= 4
    with pytest.raises(NotHere, match="the point lies outside"):
        gradient(model, photo, target=Point(41, 3, "dog"))


def test_a_point_without_a_class_asks_for_the_one_predicted_there():
    maps = gradient(wrap(Segmenter(), labels=LABELS), image(), target=[Point(4, 6), Point(9, 12), Point(0, 0)])
    assert [m.source.label for m in maps] == ["cat", "dog", "ground"]
    assert [m.source.target for m in maps] == ["point:4,6:1", "point:9,12:2", "point:0,0:0"]


def test_a_mask_of_the_photo_is_brought_to_the_output():
    photo, mask = np.zeros((60, 100, 3), np.uint8), np.zeros((60, 100), bool)
    mask[20:31, 30:50] = True  # at half the size, less 5: rows 5 to 10.5, columns 10 to 20
    model = wrap(Segmenter(), prepare={"size": 30, "crop": (20, 40), "mean": 0, "std": 1}, labels=LABELS)
    found = gradient(model, photo, target=Region(1, mask))[0]
    want = np.zeros((20, 40), bool)
    want[5:10, 10:20] = True
    assert found.channels is not None
    np.testing.assert_allclose(found.channels[1], blurred(want), rtol=1e-6)


def test_a_mask_of_the_photo_is_the_photos_also_where_the_output_has_its_size():
    photo, mask = np.zeros((60, 100, 3), np.uint8), np.zeros((60, 100), bool)
    mask[30:40, 50:60] = True
    model = wrap(Segmenter(), prepare={"size": 120, "crop": (60, 100), "mean": 0, "std": 1}, labels=LABELS)
    found = gradient(model, photo, target=Region(1, mask))[0]
    want = np.zeros((60, 100), bool)  # twice as large, cropped by 30 above and 50 on the left
    want[30:50, 50:70] = True
    assert found.channels is not None
    np.testing.assert_allclose(found.channels[1], blurred(want), rtol=1e-6)


def test_the_region_stays_as_it_was_on_the_untouched_image():
    x = image()
    scores = F.avg_pool2d(torch.from_numpy(x), 3, 1, 1)[0].numpy()
    region = scores.argmax(0) == 1
    found = occlusion(wrap(Segmenter()), x, target=Region(1), window=4, stride=4, fill=0.0)[0]
    hidden = x.copy()
    hidden[..., 4:8, 4:8] = 0  # the cat is no cat there any more
    after = F.avg_pool2d(torch.from_numpy(hidden), 3, 1, 1)[0].numpy()
    assert (after.argmax(0) != 1)[region].any()
    drop = scores[1][region].mean() - after[1][region].mean()
    np.testing.assert_allclose(found.values[4:8, 4:8], drop, rtol=1e-5)


def test_a_batch_equals_its_images_and_each_may_have_its_own():
    x = np.concatenate([image(), image()[..., ::-1], image()])
    model = wrap(Segmenter(), labels=LABELS)
    together = grad_cam(model, x, target=[Region("cat"), Point(9, 3, 2)], layer="features")
    for i in range(3):
        for t, alone in enumerate(grad_cam(model, x[i : i + 1], target=[Region("cat"), Point(9, 3, 2)], layer="features")):
            close(together[2 * i + t].values, alone.values, rel=1e-5)
    own = grad_cam(model, x, target=PerImage([Region("cat"), "region:dog", Point(0, 0)]), layer="features")
    assert [m.source.label for m in own] == ["cat", "dog", "ground"]
    close(own[0].values, together[0].values, rel=1e-5)


def test_what_moves_the_image_is_refused_a_place_in_it():
    mask = np.zeros((12, 16), bool)
    mask[2:5, 1:4] = True
    for target in (Region(1, mask), Point(3, 2, 1)):
        with pytest.raises(NotApplicable, match=r"mirrors and resizes the image, and .* stays at its place"):
            augment(gradient)(wrap(Segmenter()), image(), target=target, scales=(1,))


def test_hires_cam_of_the_features_adds_up_to_the_score():
    x = image()
    found = hires_cam(wrap(Segmenter()), x, target=Region(2), layer="features", signed=True)[0]
    assert found.values.sum() == pytest.approx(found.source.score, rel=1e-5)


def test_the_default_layer_is_the_last_of_the_widest_maps():
    found = grad_cam(wrap(Segmenter(), labels=LABELS), image(), target=Region("cat"))[0]
    assert found.source.layer == "features"
    assert found.source.layer_why.startswith("the last of the widest maps (6 channels, 12x16 cells)")


def test_what_cannot_be_asked_is_told():
    model, x = wrap(Segmenter(), labels=LABELS), image()
    with pytest.raises(NoSuchName, match="No class 'cow'"):
        gradient(model, x, target="region:cow")
    with pytest.raises(BadParameter, match=r"The mask is \(3, 3\); give it as .* \(12, 16\)"):
        gradient(model, x, target=Region(1, np.ones((3, 3))))
    with pytest.raises(BadParameter, match="covers no cell"):
        gradient(model, x, target=Region(1, np.zeros((12, 16))))
    with pytest.raises(BadParameter, match="the output has channels 0 to 2"):
        gradient(wrap(Segmenter()), x, target=Region(7))
    with pytest.raises(BadParameter, match=r"3 channels; name the class such as Region\('ground'\)"):
        gradient(model, x, target=Region())
    with pytest.raises(BadParameter, match="write point:Y,X"):
        gradient(model, x, target="point:a")
    with pytest.raises(NotApplicable, match="lies in a dense output"):
        gradient(wrap(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()), x, target=Region(1))
    with pytest.raises(BadNetwork, match=r"a Region, here target=\"region:ground\""):
        gradient(model, x)
    with pytest.raises(BadParameter, match="reads the whole output"):
        top_units(model, x, target=Region(1))
    with pytest.raises(BadParameter):
        gradient(model, x, target=Contrast(1, (Region(1),)))  # type: ignore[arg-type]


def test_a_target_prints_as_what_makes_it_again():
    for text in ("region:cat", "point:3,4.5", "point:3,4:dog"):
        (target,) = as_targets(text, LABELS)
        assert str(target) == text.replace("cat", "1").replace("dog", "2")


def test_the_source_of_a_saved_map_keeps_the_region(tmp_path):
    found = explain(wrap(Segmenter(), labels=LABELS), image(), ["grad-cam"], target=Region("cat"))[0]
    assert Heatmap.source_of(found.save(tmp_path / "map.png")).target == "region:1"
    assert found.source.caption == "grad-cam for cat (1) where it is predicted at features"
    point = explain(wrap(Segmenter(), labels=LABELS), image(), ["hires-cam"], target=Point(4, 6))[0]
    assert point.source.caption == "hires-cam for cat (1) at the point (4, 6) at features"


def test_grad_cam_says_that_it_marks_what_looks_alike_anywhere():
    """Its weights are means over the whole map; those of hires-cam lie where the gradient does."""
    x = image()
    x[0, 1, 8:11, 1:5] += 3  # another cat
    mean, kept = explain(wrap(Segmenter(), labels=LABELS), x, ["grad-cam", "hires-cam"], target=Point(3, 5), layer="features")
    assert mean.values[9, 2] > 0.5 * mean.values.max()
    assert kept.values[9, 2] == 0
    assert any("marks what looks alike anywhere; hires-cam, layer-cam do not" in warning for warning in mean.warnings)
    assert kept.warnings == ()


def test_a_part_of_a_layer_that_emits_tokens_is_no_default():
    """The convolution in a block of SegFormer is wider than what the block hands on."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.back = nn.Conv2d(6, 24, 3, padding=1), nn.Conv2d(24, 6, 1)

        def forward(self, tokens):  # (n, 192, 6)
            a = tokens.transpose(1, 2).unflatten(2, (12, 16))
            return tokens + self.back(self.wide(a).relu()).flatten(2).transpose(1, 2)

    class Former(Segmenter):
        def __init__(self) -> None:
            super().__init__()
            self.block, self.norm = Block().double(), nn.BatchNorm2d(6).double()

        def forward(self, x):
            tokens = self.block(self.features(x).flatten(2).transpose(1, 2))
            return self.classes(self.norm(tokens.transpose(1, 2).unflatten(2, (12, 16))))

    found = grad_cam(wrap(Former().eval(), labels=LABELS), image(), target=Point(4, 6))[0]
    assert found.source.layer == "norm"


def test_it_costs_one_forward_more_than_a_class_would():
    """That which pins it; several aims of a kind share it, and the pass that is read."""
    network, passes = Segmenter(), []
    network.features.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    model, x = wrap(network, labels=LABELS), image()
    explain(model, x, ["grad-cam", "layer-cam"], target=Region("cat"), layer="features")  # looks at the layers once
    passes.clear()
    explain(model, x, ["grad-cam", "layer-cam"], target=[Region("cat"), Region("dog")], layer="features")
    assert passes == [1, 1]


def test_the_source_tells_masks_apart():
    one, other = np.zeros((2, 12, 16), bool)
    one[2, 3] = other[3, 2] = True
    assert Region(1, one) == Region(1, one.copy()) == Region(1, torch.as_tensor(one)) != Region(1, other)
    assert len({Region(1, one), Region(1, one.copy()), Region(1, other), Region(1)}) == 3
    told = [m.source.target for m in gradient(wrap(Segmenter()), image(), target=[Region(1, one), Region(1, other)])]
    assert told == [str(Region(1, one)), str(Region(1, other))]
    assert told[0] != told[1]
    assert told[0].startswith("region:1 in the mask array (12, 16) sha256:")
