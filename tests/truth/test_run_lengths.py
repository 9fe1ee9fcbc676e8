"""Run lengths, against pycocotools and by hand."""

import numpy as np
import pytest

from seewhy.truth.run_lengths import (
    coco_counts,
    label_studio_bytes,
    mask_of_coco,
    mask_of_label_studio,
    mask_of_rows,
    run_lengths,
    within,
)
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


def unpacked(data):
    """What rle-pack's decode does, bit by bit, on text."""
    bits, place = "".join(f"{byte:08b}" for byte in data), 0

    def read(count):
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    count, width = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values = []
    while len(values) < count:
        same, size = read(1), sizes[read(2)]
        length = read(size) + 1
        values += [read(width)] * length if same else [read(width) for _ in range(length)]
    return values


@pytest.mark.parametrize("name", MASKS)
def test_label_studio_unpacks_the_mask(name):
    mask = MASKS[name]
    data = label_studio_bytes(mask)
    assert unpacked(data) == np.repeat(mask.ravel() * 255, 4).tolist()
    assert (mask_of_label_studio([*data], (mask.shape[0], mask.shape[1])) == mask).all()


def test_single_values_of_label_studio_are_read():
    # 8 values of 8 bits; sizes 3, 4, 8, 16; no run: eight values, as its own encoder writes single ones
    bits = f"{8:032b}{7:05b}0010001101111111" + "0" + "00" + "111" + "00000000" * 3 + "11111111" + "00000000" * 4
    data = [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8)]
    assert mask_of_label_studio(data, (1, 2)).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("data", "words"), [([], "ends early"), ([0, 0, 0, 4] + [0] * 9, "1 pixels of 6"), ([255] * 40, "pixels")]
)
def test_a_brush_that_is_none(data, words):
    with pytest.raises(ValueError, match=words):
        mask_of_label_studio(data, (2, 3))


def test_the_mask_of_cvats_documentation():
    """A disc of 13 x 15 pixels: https://docs.cvat.ai/docs/other/xml_format/"""
    text = "3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, 1, 12, 2, 11, 3, 9, 5, 7, 7, 5, 3"
    lengths = [int(length) for length in text.split(",")]
    mask = mask_of_rows(lengths, (15, 13))
    assert mask.sum(1).tolist() == [5, 7, 9, 11, 11, 12, 12, 13, 13, 12, 12, 11, 9, 7, 5]
    assert run_lengths(mask.ravel()) == lengths
