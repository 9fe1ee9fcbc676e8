"""Methods that ask for scores on real weights and real photos, where they are present: they find the object."""

import json

import numpy as np
import pytest

import seewhy
from support.real import DATA, inside, model, needs_data

pytestmark = needs_data

METHODS = {
    "lime": {"samples": 100},
    "rise": {"masks": 500},
    "occlusion": {"window": 32, "stride": 16},
}


@pytest.fixture(scope="module")
def shares():
    """{method: (photos,)}: the share of the map's energy inside the true boxes, less the share of area."""
    pytest.importorskip("skimage")
    boxes = json.loads((DATA / "loc-imagenet-val" / "boxes.json").read_text())
    photos = [p for p in boxes if p["boxes_area_fraction"] < 1 / 3][::20][:3]
    chosen = [seewhy.METHODS[name].using(**params) for name, params in METHODS.items()]
    files = [DATA / "loc-imagenet-val" / p["file"] for p in photos]
    truth = seewhy.PerImage([p["class_index"] for p in photos])
    found = {name: [] for name in METHODS}
    for m in seewhy.explain(model("torchvision/squeezenet1_1", size=(144, 144), crop=None), files, chosen, truth):
        full = m.full()
        full = full - full.min() if m.source.method == "rise" else full.clip(min=0)  # a mean score has no zero of its own
        mask = inside(photos[m.place]["boxes"], m.size)
        found[m.source.method].append(full[mask].sum() / full.sum() - mask.mean())
    return {name: np.array(each) for name, each in found.items()}


@pytest.mark.parametrize("name", METHODS)
def test_more_of_the_map_lies_inside_the_true_boxes_than_of_the_area(shares, name):
    assert shares[name].mean() > 0.05, shares
    assert (shares[name] > 0).sum() >= 2, shares
