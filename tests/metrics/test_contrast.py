"""Why this class and not that one, and whether that holds."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, NotApplicable
from seewhy.metrics.contrast import contrast, contrast_check, contrast_of_map, moved, strongest
from seewhy.metrics.subject import subjects
from seewhy.remaking.checks import run_again


@pytest.fixture(scope="module")
def both(square):
    """A red square at the upper left of a green photo, a blue one at the lower right."""
    photo = square("red", 4, 4)
    photo.paste((0, 0, 255), (20, 20, 28, 28))
    return photo


def weights(values):
    """A map of 8 x 8 cells' mass in the red square, in the blue one, and elsewhere."""
    red, blue = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    red[1:3, 1:3] = blue[5:7, 5:7] = True
    return values[red].sum(), values[blue].sum(), abs(values[~(red | blue)]).sum()


def test_the_evidence_of_each_class_and_of_their_difference_lies_where_it_was_put(colour_model, both):
    answer = contrast(colour_model, both, "red", "blue")
    red, blue, rest = weights(answer.of.values)
    assert (red > 0, blue, rest) == (True, 0, 0)
    red, blue, rest = weights(answer.against.values)
    assert (red, blue > 0, rest) == (0, True, 0)
    red, blue, rest = weights(answer.difference.values)
    assert (red > 0, blue < 0, rest) == (True, True, 0)
    assert [heatmap.source.target for heatmap in answer.maps] == ["0", "1", "0-vs-1"]
    assert answer.check.status == "green"
    assert "red rather than blue" in str(answer)


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_the_numbers_of_the_check_by_hand(colour_model, both, fill):
    heatmap = seewhy.grad_cam(colour_model, both, target="red-vs-blue")[0]
    check = contrast_check(colour_model, both, heatmap, area=0.05, fill=fill, seed=7)
    x = np.asarray(both).transpose(2, 0, 1) / 255
    (found,) = [(subject.x, strongest(subject, heatmap, 0.05), subject.rng("contrast")) for subject, _ in
                subjects(colour_model, both, [heatmap], seed=7)]  # fmt: skip
    np.testing.assert_allclose(found[0], x, atol=1e-6)
    masks = [found[1], *moved(found[1], 39, found[2])]
    assert found[1].sum() == round(0.05 * 32 * 32)
    assert found[1][4:12, 4:12].sum() == found[1].sum()  # in the red square alone
    below = np.zeros_like(x) if fill == "zero" else np.broadcast_to(x.mean((1, 2), keepdims=True), x.shape)

    def lead(image):
        """The score of red minus that of blue: means of 4 x 4 blocks of the one channel minus the others, where positive."""
        blocks = image.reshape(3, 8, 4, 8, 4).sum((2, 4)) / 16
        return (np.maximum(blocks[0] - blocks[1] - blocks[2], 0) - np.maximum(blocks[2] - blocks[0] - blocks[1], 0)).mean()

    drops = np.array([lead(x) - lead(np.where(mask, below, x)) for mask in masks])
    assert check.value == pytest.approx(drops[0] - drops[1:].mean(), abs=1e-6)
    error = drops[1:].std() / np.sqrt(39)
    assert check.low == pytest.approx(check.value - 1.96 * error, abs=0.4 * error)
    assert check.high == pytest.approx(check.value + 1.96 * error, abs=0.4 * error)
    as_much = int((drops[1:] >= drops[0] - 1e-6).sum())
    assert f"and {as_much or 'none'} of them as much" in check.says
    assert f"from {lead(x):.3g} to {lead(x) - drops[0]:.3g}" in check.says
    assert (check.control, check.better, check.forwards) == (0, "higher", 40)
    assert check.status == ("green" if as_much <= 1 else "amber")


def test_a_map_that_points_elsewhere_fails(colour_model, both):
    heatmap = seewhy.grad_cam.using(signed=True)(colour_model, both, target="red-vs-blue")[0]
    turned = replace(heatmap, values=-heatmap.values)  # points at the blue square, where evidence lies against red
    check = contrast_check(colour_model, both, turned, fill="zero")
    assert check.status == "red"
    assert "raises red against blue" in check.says
    aside = replace(heatmap, values=np.roll(heatmap.values, 4, 1))  # at the green ground
    assert contrast_check(colour_model, both, aside, fill="zero").status == "red"


def test_a_map_that_is_right_but_no_more_than_many_places_is_doubtful(colour_model):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[..., 1], pixels[:, :16] = 128, (255, 0, 0)
    photo = Image.fromarray(pixels)
    heatmap = seewhy.grad_cam(colour_model, photo, target="red-vs-blue")[0]
    cells = np.zeros((8, 8), np.float32)
    cells[3:5, 1:3] = 1
    check = contrast_check(colour_model, photo, replace(heatmap, values=cells), area=0.05, fill="zero")
    assert check.status == "amber"
    assert check.value > 0


@pytest.mark.parametrize("values", [np.zeros((8, 8)), -np.ones((8, 8)), np.ones((8, 8))])
def test_where_nothing_speaks_for_the_class_nothing_can_be_found_out(colour_model, both, values):
    heatmap = seewhy.grad_cam(colour_model, both, target="red-vs-blue")[0]
    check = contrast_check(colour_model, both, replace(heatmap, values=values.astype(np.float32)))
    assert (check.status, check.value, check.forwards) == ("grey", None, 0)
    assert "Nothing in the map speaks for red rather than blue" in check.says


def test_copies_of_a_mask_have_its_shape_at_other_places():
    mask = np.zeros((5, 6), bool)
    mask[1, 1:4] = mask[2, 1] = True
    copies = moved(mask, 60, np.random.default_rng(0))
    every = {
        np.roll(np.flip(mask, flips), by, (0, 1)).tobytes()
        for flips in ((), (0,), (1,), (0, 1))
        for by in product(range(5), range(6))
    }
    assert {copy.tobytes() for copy in copies} <= every
    assert len({copy.tobytes() for copy in copies}) > 20
    assert all(2 * (copy & mask).sum() <= mask.sum() for copy in copies)
    assert mask.tobytes() not in {copy.tobytes() for copy in copies}


def test_the_check_is_the_same_again_under_its_seed_and_of_one_of_many(colour_model, both, square):
    maps = seewhy.grad_cam(colour_model, [square("red", 0, 0), both], target="red-vs-blue")
    check = contrast_check(colour_model, both, maps[1], seed=3)
    assert check == contrast_check(colour_model, both, seewhy.grad_cam(colour_model, both, target="red-vs-blue")[0], seed=3)
    assert check == run_again("contrast", colour_model, both, maps[1], check.settings)
    assert check != contrast_check(colour_model, both, maps[1], seed=4)


def test_a_function_is_asked_as_well(both):
    def scores(x):
        return np.stack([x[:, 0].mean((1, 2)), x[:, 2].mean((1, 2))], 1)

    prepare = {"size": 32, "crop": 32, "mean": 0.0, "std": 1.0}
    model = seewhy.wrap(scores, takes="float", prepare=prepare, labels=["red", "blue"])
    answer = contrast(model, both, 0, 1, method=seewhy.occlusion.using(window=8, stride=8), fill="zero", area=0.06)
    assert answer.check.status == "green"
    assert answer.check.says.startswith("Hiding the 6.")


def test_the_contrast_of_a_map_is_read_from_its_source(colour_model, both):
    target = seewhy.Contrast("red", look_alikes=1, strength=0.5)
    heatmap = seewhy.grad_cam(colour_model, both, target=target)[0]
    assert contrast_of_map(heatmap, colour_model.labels) == seewhy.Contrast(0, look_alikes=1, strength=0.5)
    assert "red rather than its 1 look-alikes" in contrast_check(colour_model, both, heatmap).says
    assert contrast_of_map(seewhy.grad_cam(colour_model, both, target="red")[0], colour_model.labels) is None


def test_what_cannot_be_checked_is_refused(colour_model, both):
    heatmap = seewhy.grad_cam(colour_model, both, target="red-vs-blue")[0]
    with pytest.raises(NotApplicable, match="Contrast"):
        contrast_check(colour_model, both, seewhy.grad_cam(colour_model, both)[0])
    for wrong in ({"area": 0}, {"area": 0.6}, {"placements": 5}, {"placements": True}, {"placements": 10**9}):
        with pytest.raises(BadParameter, match="from 19 to 1,000"):
            contrast_check(colour_model, both, heatmap, **wrong)
    with pytest.raises(BadParameter, match="2 are given"):
        contrast(colour_model, [both, both], "red", "blue")
    with pytest.raises(BadParameter, match="cannot be contrasted with itself"):
        contrast(colour_model, both, "red", "red")
