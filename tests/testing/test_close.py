"""An assertion that two models look at the same places."""

import copy
import subprocess
import sys

import pytest
import torch

import seewhy
import seewhy.testing
from seewhy.testing import assert_explanations_close


@pytest.fixture(scope="module")
def turned(red_network, red_model):
    """Says of red that it is not."""
    network = copy.deepcopy(red_network)
    with torch.no_grad():
        network.weigh.weight.neg_()
    return seewhy.wrap(network, prepare=red_model.prepare, labels=red_model.labels, name="turned")


@pytest.fixture
def photos(red_dot):
    return [red_dot((90, 70), x, 30, half=10) for x in (30, 45, 60)]


def test_a_model_is_close_to_itself(red_model, photos):
    found = assert_explanations_close(red_model, red_model, photos, min_spearman=1, max_energy_shift=0)
    assert isinstance(found, seewhy.Drift)
    assert found.summary["photos"] == 3


def test_what_moved_is_named_with_its_numbers(red_model, turned, photos):
    with pytest.raises(AssertionError) as caught:
        assert_explanations_close(red_model, turned, photos)
    head, *lines = str(caught.value).splitlines()
    assert head == "3 of 3 photos moved too far by grad-cam, from red to turned:"
    assert lines[0].startswith("  image ")
    assert (
        "predicted red, then not red; Spearman not defined, as the map of B is the same everywhere; energy shift 1.0000 > 0.1"
        in (lines[0])
    )


def test_bounds_can_be_left_out(red_model, turned, photos):
    with pytest.raises(AssertionError, match=r"predicted red, then not red$"):
        assert_explanations_close(red_model, turned, photos[:1], min_spearman=None, max_energy_shift=None)
    with pytest.raises(AssertionError, match="image 0: energy shift"):
        assert_explanations_close(red_model, turned, photos[:1], min_spearman=None, same_top1=False)
    with pytest.raises(seewhy.BadParameter, match="Nothing is asserted"):
        assert_explanations_close(red_model, turned, photos[:1], "grad-cam", 0, None, None, None, False)


def test_many_photos_are_counted_not_listed(red_model, turned, red_dot):
    many = [red_dot((70, 64), 20 + x, 30, half=10) for x in range(12)]
    with pytest.raises(AssertionError) as caught:
        assert_explanations_close(red_model, turned, many)
    assert str(caught.value).splitlines()[-1] == "  ... and 2 more"


def test_nothing_passes_where_nothing_can_be_compared(red_model, tmp_path):
    with pytest.raises(seewhy.BadImage):
        assert_explanations_close(red_model, red_model, [tmp_path / "none.png"])
    with pytest.raises(seewhy.BadImage):
        assert_explanations_close(red_model, red_model, [])


def test_names_are_known_and_others_told():
    assert dir(seewhy.testing) == ["GoldenMaps", "assert_explanation_golden", "assert_explanations_close"]
    with pytest.raises(AttributeError, match="It has GoldenMaps, assert_explanation_golden, assert_explanations_close"):
        seewhy.testing.assert_close  # noqa: B018


def test_it_works_without_torch_and_without_pytest():
    code = """
import sys
class Missing:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("torch", "pytest", "_pytest"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import numpy as np, seewhy
from seewhy.testing import assert_explanations_close, assert_explanation_golden
photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
def f(x): return np.stack([x[:, :16].mean((1, 2, 3)), x[:, 16:].mean((1, 2, 3))], 1)
model = seewhy.wrap(f, takes="uint8", prepare={"size": 32, "crop": 32}, name="f")
found = assert_explanations_close(model, model, [photo], seewhy.occlusion.using(window=8, stride=8))
assert found[0].spearman == 1
print("well")
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "well\n"
