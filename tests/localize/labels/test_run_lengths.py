"""Run lengths, against pycocotools and by hand."""

import numpy as np
import pytest

from seewhy.localize.labels.run_lengths import coco_counts, mask_of_coco, mask_of_rows, run_lengths, within
from support.labelled import blobs

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools, in numpy 2

coco = pytest.importorskip("pycocotools.mask")
MASKS = {
    "empty": np.zeros((3, 4), bool),
    "full": np.ones((3, 4), bool),
    "one pixel": np.eye(1, dtype=bool),
    "first": np.arange(12).reshape(3, 4) == 0,
    "blobs": blobs(0),
    "long runs": np.kron(np.eye(2, dtype=bool), np.ones((300, 200), bool)),
    "noise": np.random.default_rng(1).random((40, 50)) < 0.5,
}


def test_lengths_by_hand():
    assert run_lengths(np.array([0, 0, 1, 1, 1, 0])) == [2, 3, 1]
    assert run_lengths(np.array([1, 0])) == [0, 1, 1]
    assert run_lengths(np.array([0, 0])) == [2]
    assert run_lengths(np.array([], bool)) == []


@pytest.mark.parametrize("name", MASKS)
def test_counts_are_those_of_pycocotools(name):
    mask = MASKS[name]
    counts = coco_counts(mask)
    assert counts == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert (mask_of_coco(counts, (mask.shape[0], mask.shape[1])) == mask).all()


def test_lengths_that_are_no_text_are_read_too():
    assert mask_of_coco([1, 2, 3], (2, 3)).tolist() == [[False, True, False], [True, False, False]]  # column by column
    assert mask_of_rows([1, 2, 3], (2, 3)).tolist() == [[False, True, True], [False, False, False]]


@pytest.mark.parametrize("counts", ["", "~~~", [1, 2], [7, -1], "é", "oooooooooooooooooooo"])
def test_lengths_that_do_not_fill_the_mask_are_refused(counts):
    with pytest.raises(ValueError, match="run lengths"):
        mask_of_coco(counts, (2, 3))


def test_a_part_within_its_image():
    assert within(np.ones((1, 2), bool), (slice(1, 2), slice(0, 2)), (2, 3)).tolist() == [[False] * 3, [True, True, False]]
