"""The class of each pixel of a photo, on the photo's own grid, and the files that it is written to."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NotApplicable
from seewhy.localize.labels.label_map import colours
from seewhy.localize.sec.predicting import segmented, write_masks
from seewhy.pictures.label_map import VOID


class Reddest(nn.Module):
    """Scores of pixels: 0 is background, 1 is what is red, 2 what is green."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.see.weight[:, :, 0, 0] = 20 * torch.tensor([[0.0, 0, 0], [1, -1, -1], [-1, 1, -1]])
            self.see.bias[:] = torch.tensor([5.0, 0, 0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.see(x)


PLAIN = {"size": None, "crop": None, "mean": 0.0, "std": 1.0}


def model(**prepare):
    return seewhy.wrap(Reddest(), labels=["background", "rose", "leaf"], prepare={**PLAIN, **prepare})


def photo(width: int = 40, height: int = 24):
    """Red at its left fifth, green at its right quarter, black between."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 5, 0] = 255
    pixels[:, -width // 4 :, 1] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("crf", [False, True])
def test_each_pixel_has_its_class(crf):
    found = next(segmented(model(), [photo()], crf))
    truth = np.zeros((24, 40), int)
    truth[:, :8], truth[:, 30:] = 1, 2
    wrong = (found.label_map != truth).mean()
    assert wrong == 0 if not crf else wrong < 0.03  # at the edges
    if not crf:
        assert found.shares == pytest.approx({"background": 0.55, "rose": 0.2, "leaf": 0.25})
        assert found.scores["rose"] == pytest.approx(np.exp(20) / (np.exp(20) + np.exp(5) + np.exp(-20)), rel=1e-5)


def test_a_network_that_sees_it_smaller_answers_on_the_photos_grid():
    found = next(segmented(model(size=12), [photo()], False))
    assert found.label_map.shape == (24, 40)
    assert (found.label_map[:, 1:6] == 1).all()
    assert (found.label_map[:, 33:] == 2).all()


class FromLeft(Reddest):
    """Sees only the left half of what it is given, and holds every class for equally probable in the right."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = super().forward(x)
        right = torch.arange(x.shape[3]) >= x.shape[3] // 2
        return torch.where(right, 0.0, scores)


def test_before_the_crf_the_mirror_image_counts_as_much():
    """Red is seen in one of the two: 1/3 and 1 are on average 2/3."""
    red = np.zeros((24, 40, 3), np.uint8)
    red[:, -8:, 0] = 255  # in the right half, where the network is blind
    blind = seewhy.wrap(FromLeft(), labels=["background", "rose", "leaf"], prepare=PLAIN)
    assert (next(segmented(blind, [Image.fromarray(red)], False)).label_map == 0).all()
    found = next(segmented(blind, [Image.fromarray(red)]))
    assert (found.label_map == 1).mean() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("crf", [False, True])
def test_a_network_that_is_told_the_classes_gives_no_others(crf):
    found = next(segmented(model(), [photo()], crf, among=[0, 2]))
    assert set(np.unique(found.label_map)) == {0, 2}
    assert [*found.shares] == ["background", "leaf"]
    assert (found.label_map[:, 31:] == 2).all()
    assert (found.label_map[:, :29] == 0).all()


def test_what_the_network_did_not_see_is_left_out():
    found = next(segmented(model(size=24, crop=24), [photo()], False))
    assert (found.label_map[:, :7] == VOID).all()
    assert (found.label_map[:, 33:] == VOID).all()
    assert (found.label_map[:, 9:29] == 0).all()


def test_a_large_photo_is_told_apart_less_finely(monkeypatch):
    fine = next(segmented(model(), [photo()], False)).label_map
    monkeypatch.setattr("seewhy.localize.sec.predicting.LARGEST", 3 * 24 * 40 // 4)
    coarse = next(segmented(model(), [photo()], False)).label_map
    assert (coarse != fine).mean() < 0.06
    np.testing.assert_array_equal(coarse[::2, ::2].repeat(2, 0).repeat(2, 1), coarse)


def test_other_models_are_refused():
    honest = seewhy.load("demo/honest")
    with pytest.raises(NotApplicable, match=r"demo/honest does not give scores \(n, k, h, w\)"):
        next(segmented(honest, [photo()]))
    with pytest.raises(NotApplicable, match="is no segmenter on torch"):
        next(segmented(seewhy.wrap(lambda x: x.reshape(len(x), -1)[:, :2], takes="float"), [photo()]))
    with pytest.raises(BadParameter, match="Give photos"):
        next(segmented(model(), np.zeros((1, 3, 8, 8), np.float32)))


def test_masks_are_written_with_the_palette(tmp_path):
    found, taken = next(segmented(model(), [photo()], False))._replace(name="a/rose.jpg"), set()
    paths = [write_masks(found, model().labels, tmp_path, taken) for _ in range(2)]
    assert [path.name for path in paths] == ["rose_mask.png", "rose_2_mask.png"]
    with Image.open(paths[0]) as mask:
        assert mask.mode == "P"
        np.testing.assert_array_equal(np.asarray(mask), found.label_map)
        np.testing.assert_array_equal(np.array(mask.getpalette()).reshape(-1, 3)[:3], colours()[:3])
    with Image.open(tmp_path / "rose_segmented.png") as picture:
        assert picture.height > 24  # with its legend
