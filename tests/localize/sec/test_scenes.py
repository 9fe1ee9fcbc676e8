"""The demo's scenes as a folder: the masks are the drawn truth, the table names the kinds."""

import csv

import numpy as np
from PIL import Image

from seewhy.demo import KINDS, scene
from seewhy.demo.train import HELD_OUT
from seewhy.localize.sec.scenes import LEARNED, REPORTED, TUNED, with_truth
from seewhy.report.demo import SEED


def test_the_folder_holds_scenes_kinds_and_masks(scenes_folder):
    rows = [*csv.DictReader((scenes_folder / "labels.csv").read_text("utf-8").splitlines())]
    assert len(rows) == 10
    for place, row in enumerate(rows):
        drawn = scene(place, 7, pair=place % 2 == 1)
        np.testing.assert_array_equal(np.asarray(Image.open(scenes_folder / row["file"])), np.asarray(drawn.image))
        mask = np.asarray(Image.open(scenes_folder / "masks" / row["file"]))
        np.testing.assert_array_equal((mask == drawn.label + 1) | drawn.other_mask, drawn.mask | drawn.other_mask)
        names = {KINDS[number - 1] for number in np.unique(mask) if number}
        assert set(row["label"].split("|")) == names
        assert len(names) == 1 + place % 2


def test_where_two_objects_meet_the_second_is_in_front():
    drawn = scene(1, 7, pair=True)
    assert (with_truth(drawn).mask[drawn.other_mask] == drawn.other + 1).all()


def test_no_network_of_the_demo_was_trained_or_shown_on_these_scenes():
    assert REPORTED not in (LEARNED, *TUNED)
    assert not {LEARNED, REPORTED, *TUNED} & {1, 1 + HELD_OUT, *range(SEED, SEED + 4)}
