"""Photos of an audit: what is kept of each, and that a broken one ends nothing."""

import numpy as np
import pytest

import seewhy
from seewhy.dataset.auditing.audit_photos import AuditReader, ReadFile, seen_pixels
from seewhy.dataset.auditing.facts import VIEW
from seewhy.errors import BadImage
from seewhy.images.places import Extent
from seewhy.metrics.regional.frames import cell_shares, framed
from seewhy.metrics.regional.photos import EvidenceReader
from seewhy.photo_sets.items import Item
from seewhy.targets.target import Class, PerImage


@pytest.fixture
def items(red_dot, tmp_path):
    """Three photos and, in their midst, a broken file and one that is not there."""
    for name, x in (("0", 20), ("3", 40), ("4", 60)):
        red_dot((80, 64), x, 30).save(tmp_path / f"{name}.png")
    (tmp_path / "1.png").write_text("none")
    return [Item(place, str(tmp_path / f"{place}.png"), (place % 2,)) for place in range(5)]


def test_what_is_kept_is_that_of_the_photo_and_its_map(red_model, items):
    target = PerImage([Class(item.truth[0]) for item in items])
    reader = AuditReader(EvidenceReader(red_model, seewhy.grad_cam, target, "cells", [], {}), items)
    assert sum(reader.read()) == 5
    assert [photo.item.number for photo in reader.photos] == [0, 3, 4]
    assert [photo.explained for photo in reader.photos] == ["red", "not red", "red"]
    assert [photo.index for photo in reader.photos] == [0, 1, 0]
    assert [(left.place, type(left.error)) for left in reader.failed] == [(1, BadImage), (2, BadImage)]
    first = reader.photos[0]
    (alone,) = seewhy.grad_cam(red_model, items[0].path, target=0, layer="cells")
    assert first.evidence.cells == pytest.approx(cell_shares(framed(alone)), abs=1e-6)
    assert np.unravel_index(first.evidence.cells.argmax(), (8, 8)) == (3, 1)  # of the dot around (20, 30), seen at (12, 30)
    assert first.view.shape == (VIEW, VIEW, 3)  # of 80 x 64 pixels the middle 64 x 64
    assert (first.view == np.asarray(ReadFile(items[0]).pixels)[:, 8:72]).all()
    assert (first.facts["size"], first.facts["format"]) == ("80 x 64", "PNG")


def test_a_photo_can_be_read_again_with_where_it_is_seen(red_model, items):
    pixels, seen = seen_pixels(red_model, items[0])
    assert pixels.shape == (64, 80, 3)
    assert seen == Extent(8, 0, 72, 64)
    assert seen_pixels(red_model, items[1]) is None
    assert seen_pixels(red_model, items[2]) is None
