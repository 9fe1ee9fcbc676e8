"""Hide it: does the answer change?"""

from itertools import count

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binom
from torch import nn

import seewhy
from seewhy.dataset.failures.hiding import (
    HiddenChecks,
    HiddenEvidence,
    answers,
    blurred,
    hidden_checks,
    moved,
    on_pixels,
    strongest,
    to_check,
)
from seewhy.dataset.failures.reasons import PiledPlace, WrongReasons
from seewhy.images.places import Extent
from seewhy.maps.source import Predicted
from seewhy.metrics.regional.frames import SIDE
from seewhy.metrics.regional.search import EvidencePile
from support.answered import answered, shown


@pytest.fixture(scope="module")
def model():
    """Is there a spot that is more red than green and blue, or not?"""
    see, weigh = nn.Conv2d(3, 1, 1), nn.Linear(1, 2)
    with torch.no_grad():
        see.weight.copy_(torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1))
        see.bias.zero_()
        weigh.weight.copy_(torch.tensor([[1e4], [0.0]]))
        weigh.bias.copy_(torch.tensor([0.0, 1.0]))
    network = nn.Sequential(see, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), weigh).eval()
    return seewhy.wrap(network, prepare={"size": 64, "crop": 64, "mean": 0.0, "std": 1.0}, labels=["red", "grey"], name="spot")


@pytest.fixture
def photo(tmp_path):
    """A grey photo with a red spot at the left upper corner, and a map that has its evidence there."""
    pixels = np.full((64, 64, 3), 128, np.uint8)
    pixels[4:16, 4:16] = 255, 0, 0
    Image.fromarray(pixels).save(tmp_path / "spot.png")
    values = np.zeros((8, 8))
    values[:3, :3] = 1
    maps = [shown(values, box=Extent(0, 0, 64, 64))]
    numbers = count()
    return lambda truth=1, **given: answered(
        next(numbers), truth, 0, 0.9,
        **{"predicted": Predicted(0, "red", 0.9), "path": str(tmp_path / "spot.png"), "size": (64, 64), "maps": maps, **given},
    )  # fmt: skip


def test_without_its_evidence_the_answer_changes(model, photo):
    (found,) = hidden_checks(model, [photo()])
    assert (found.before.label, found.without.label, found.random.label) == ("red", "grey", "red")
    assert found.changed
    assert not found.changed_by_chance
    assert found.right  # grey is the true class
    assert found.what == "evidence"
    assert 0.1 < found.area <= 0.2


def test_a_place_is_hidden_instead(model, photo):
    pile = EvidencePile("red", ((0, 0, 0.5, 0.5),), 5, 0.9, 0.8, 1, 0.25, 0.2, 0.01, 0.01)
    here = photo(truth=0)
    (found,) = hidden_checks(model, [here], [PiledPlace(pile, (here,))])
    assert (found.what, found.area, found.without.label) == ("place", 0.25, "grey")
    assert not found.right


def test_photos_that_cannot_be_asked_again_say_why(model, photo):
    gone, changed, bare = photo(path="gone.png"), photo(predicted=Predicted(1, "grey", 0.9)), photo(maps=[])
    said = dict(hidden_checks(model, [gone, changed, bare]))
    assert "gone.png" in said[gone]
    assert "now takes it for red" in said[changed]
    assert "no map" in said[bare]


def test_mcnemars_test_is_the_binomial_one():
    red, grey = Predicted(0, "red", 0.9), Predicted(1, "grey", 0.8)
    ways = {"own": (grey, red), "chance": (red, grey), "both": (grey, grey), "none": (red, red)}
    found = [
        HiddenEvidence(i, "evidence", 0.2, red, *ways[way], False)
        for i, way in enumerate(["own"] * 9 + ["chance"] * 2 + ["both"] * 5 + ["none"])
    ]
    assert HiddenChecks.p(found) == pytest.approx(2 * binom.cdf(2, 11, 0.5))
    assert HiddenChecks.p(found[11:]) == 1
    assert HiddenChecks(True, tuple(found)).of(3) is found[3]
    assert HiddenChecks().of(3) is None


def test_the_strongest_fifth_is_chosen_and_no_place_without_evidence():
    evidence = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    chosen = strongest(evidence)
    assert chosen.mean() == pytest.approx(0.2, abs=1e-3)
    assert evidence[chosen].min() > evidence[~chosen].max()
    few = np.zeros((SIDE, SIDE), np.float32)
    few[5, 7] = 1
    assert np.argwhere(strongest(few)).tolist() == [[5, 7]]


def test_the_same_shape_moves_by_a_quarter_at_least():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:10, :20] = True
    for seed in range(20):
        other = moved(mask, np.random.default_rng(seed))
        assert other.sum() == mask.sum()
        assert not (other & mask).any()


def test_masks_lie_where_the_network_saw_the_photo():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, : SIDE // 2] = True
    found = on_pixels(mask, Extent(20, 0, 60, 30), (80, 30))
    assert found[:, 20:40].all()
    assert found.sum() == 20 * 30


def test_only_what_is_hidden_is_blurred():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    hidden = np.zeros((32, 32), bool)
    hidden[:, 16:] = True
    before, after = np.asarray(image, float), np.asarray(blurred(image, hidden), float)
    assert np.array_equal(before[:, :16], after[:, :16])
    assert after[:, 16:].std() < before[:, 16:].std() / 3


def test_suspicious_right_ones_are_asked_first_then_the_surest_mistakes():
    right, wrong = answered(0, 0, 0, 0.9), [answered(1, 0, 1, 0.4), answered(2, 0, 1, 0.8)]
    found = to_check(wrong, WrongReasons(None, (right,), (), 0))
    assert [photo.item for photo in found] == [0, 2, 1]


def test_a_model_without_classes_is_refused(model):
    class Silent:
        labels = None
        batches = staticmethod(model.batches)

        def answer(self, x):
            return model.answer(x)._replace(probabilities=None)

    with pytest.raises(seewhy.SeewhyError, match="no classes"):
        answers(Silent(), [Image.new("RGB", (64, 64))])
