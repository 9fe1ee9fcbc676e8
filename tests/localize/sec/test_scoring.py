"""Mean IoU by hand, beside another library's, and the table."""

import numpy as np
import pytest

pytest.importorskip("torch")

from PIL import Image

import seewhy
from seewhy.errors import BadParameter
from seewhy.localize.sec.photos import labelled_files
from seewhy.localize.sec.scoring import TOLD, confusion, ious, row, scored_rows, true_masks

TRUE = np.array([[0, 0, 1, 1], [2, 2, 255, 255]], np.uint8)
FOUND = np.array([[0, 1, 1, 255], [2, 0, 0, 1]], np.uint8)


def test_the_matrix_by_hand():
    expected = [[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0]]  # the last column: given to none; 255 of the truth is not counted
    assert confusion(FOUND, TRUE, 3).tolist() == expected
    np.testing.assert_allclose(ious(np.array(expected)), [1 / 3, 1 / 3, 1 / 2])


def test_a_class_that_nobody_has_is_left_out():
    found = row("x", confusion(FOUND, TRUE, 4)[None], ["background", "a", "b", "c"])
    assert found.iou == pytest.approx((1 / 3 + 1 / 3 + 1 / 2) / 3)
    assert "c" not in found.by_class
    assert found.low == found.high == pytest.approx(found.iou)  # one photo, resampled, is itself


def test_the_mean_is_of_all_photos_together_as_torchmetrics_has_it():
    torchmetrics = pytest.importorskip("torchmetrics.classification")
    import torch

    rng = np.random.default_rng(0)
    true, found = rng.integers(0, 4, (2, 5, 6, 7)).astype(np.uint8)
    true[rng.random(true.shape) < 0.2] = 255
    matrices = np.stack([confusion(f, t, 4) for f, t in zip(found, true, strict=True)])
    metric = torchmetrics.MulticlassJaccardIndex(4, average="macro", ignore_index=255)
    expected = metric(torch.from_numpy(found.astype(int)), torch.from_numpy(true.astype(int)))
    made = row("x", matrices, list("abcd"))
    assert made.iou == pytest.approx(float(expected))
    assert made.low < made.iou < made.high
    assert row("x", matrices, list("abcd")) == made  # the same photos are drawn again


def test_masks_that_do_not_fit(tmp_path):
    Image.fromarray(np.array([[0, 1], [2, 255]], np.uint8)).save(tmp_path / "a.png")
    assert next(true_masks(tmp_path, ["x/a.jpg"], 3)).tolist() == [[0, 1], [2, 255]]
    with pytest.raises(BadParameter, match=r"a\.png is no label map of 1 classes: each pixel is 0 for background, 1 to 1"):
        next(true_masks(tmp_path, ["a.jpg"], 2))
    with pytest.raises(BadParameter, match=r"has no mask of b\.jpg: name it b\.png"):
        next(true_masks(tmp_path, ["b.jpg"], 3))


def test_the_table_has_all_rows_in_order(trained, honest, scenes_folder):
    out, _, _ = trained
    known = labelled_files(scenes_folder, honest.labels)
    few = known._replace(files=known.files[:3], present=known.present[:3])
    rows = scored_rows(honest, seewhy.load(out), few, scenes_folder / "masks")
    assert [each.name for each in rows] == ["raw maps", "seeds", "refined seeds", "trained network", TOLD, "network alone"]
    assert all(0 <= each.low <= each.iou <= each.high <= 1 for each in rows)
    assert rows[2].iou > rows[0].iou  # by the CRF


def test_a_mask_of_another_size(trained, honest, scenes_folder, tmp_path):
    known = labelled_files(scenes_folder, honest.labels)
    for file in known.files:
        Image.new("L", (5, 4)).save(tmp_path / file.rpartition("/")[2])
    with pytest.raises(BadParameter, match="is 5 x 4 pixels, and the photo is not"):
        scored_rows(honest, seewhy.load(trained[0]), known, tmp_path)
