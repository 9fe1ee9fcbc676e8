"""Planted marks on the demo's backbone, and on a hand-made one that sees nothing of them."""

import json

import numpy as np
import pytest
import torch

import seewhy
from seewhy import demo
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.metrics import planted

METHODS = ["grad-cam", "hires-cam", "gradient"]


@pytest.fixture(scope="module")
def photos():
    return [scene.image for scene in demo.scenes(36, 31, pair=True)]


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module")
def found(honest, photos):
    before = honest.weights_sha256()
    found = planted(honest, photos, METHODS)
    assert honest.weights_sha256() == before
    return found


def test_the_head_rests_on_the_marks_and_on_nothing_else(found):
    assert found.planted
    assert found.marked.share >= 0.9
    assert found.bare.share == 0.5  # each photo stands for both kinds, so nobody can do better
    assert (found.fitted, len(found.photos), found.marked.of) == (18, 18, 36)
    assert found.area == pytest.approx(0.3**2, abs=0.01)


def test_methods_that_look_at_the_score_find_them(found):
    rows = {row.method: row for row in found.rankings["beyond"]}
    assert rows["grad-cam"].to_random.settled
    assert rows["grad-cam"].mean > 0.2 > rows["centre"].mean
    assert rows["random-map"].mean == pytest.approx(0, abs=0.03)
    assert np.allclose(found.values["mass"]["grad-cam"], found.values["mass"]["hires-cam"], atol=1e-4)  # before pooling
    assert np.allclose(found.values["mass"]["gradient"] - found.values["beyond"]["gradient"], found.area, atol=0.02)


def test_it_is_said(found):
    assert found.says[0].startswith("Marks planted in demo/honest: a head fitted to 18 photos")
    said = next(line for line in found.says if line.startswith("grad-cam"))
    assert "grad-cam finds it" in said
    assert f"{100 * found.values['mass']['grad-cam'].mean():.1f} % of its evidence lies on the mark" in said
    assert not any(line.startswith(("centre", "random-map")) for line in found.says)
    assert json.loads(found.to_json())["right_without"] == 0.5


def test_a_photo_by_hand(found):
    """The number of the first photo is the mean, over both marks, of the evidence in the square where the photo has it."""
    both = [each for each in found.examples if each.source.method == "grad-cam"]
    assert [each.source.target for each in both] == ["0", "1"]
    assert min(each.source.probability for each in both) > 0.5
    ys, xs = np.nonzero((np.asarray(both[0].image) != np.asarray(both[1].image)).any(-1))  # where the marks lie
    inside = np.zeros(both[0].full().shape, bool)
    inside[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    full = [each.full().clip(0) for each in both]
    shares = [each[inside].sum() / each.sum() for each in full]
    assert found.values["mass"]["grad-cam"][0] == pytest.approx(np.mean(shares), rel=1e-3)
    hits = [inside.ravel()[each.argmax()] for each in full]
    assert found.values["pointing"]["grad-cam"][0] >= np.mean(hits)


@pytest.mark.parametrize("what", ["backgrounds", "patches"])
def test_backgrounds_and_patches_are_found_by_methods_that_look_at_the_score(honest, photos, what):
    """The proof first: with it the head is right, without it by chance.  EigenCAM, which looks at no class, marks the object
    within a background rather than the background.
    """
    truth = planted(honest, photos, ["grad-cam", "eigen-cam"], what=what)
    assert truth.marked.share >= 0.9
    assert truth.bare.share == 0.5
    rows = {row.method: row for row in truth.rankings["beyond"]}
    assert rows["grad-cam"].to_random.settled
    assert rows["grad-cam"].mean > 0.1
    assert rows["random-map"].mean == pytest.approx(0, abs=0.03)
    assert (rows["eigen-cam"].mean < 0) == (what == "backgrounds")
    said = next(line for line in truth.says if line.startswith("eigen-cam"))
    assert said.startswith(f"eigen-cam {'has less there than a random map' if what == 'backgrounds' else 'finds it'}")
    assert f"of its evidence lies on the {truth.noun}" in said
    assert truth.facts["what"] == what


def test_backgrounds_are_planted_around_the_boxes_of_objects(honest, photos, tmp_path):
    paths, rows = [], ["file,x0,y0,x1,y1"]
    for i, photo in enumerate(photos[:13]):
        photo.save(tmp_path / f"{i}.png")
        paths.append(str(tmp_path / f"{i}.png"))
        rows += [f"{i}.png,{10 + i},12,30,40", f"{i}.png,20,12,44,40"] if i else ["0.png,0,0,96,96"]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("\n".join(rows))
    truth = planted(honest, paths, ["grad-cam"], what="backgrounds", boxes=boxes)
    assert [left.name for left in truth.failed] == [paths[0]]
    assert "fills the photo" in str(truth.failed[0].error)
    held = [int(name.split("/")[-1].split(".")[0]) for name in truth.photos]
    areas = [1 - (44 - (10 + i)) * (40 - 12) / 96**2 for i in held]
    assert truth.planted
    assert truth.area == pytest.approx(np.mean(areas), abs=0.01)


class Blind(torch.nn.Module):
    """A network that sees the mean brightness of the lower right corner's pixel alone."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(1, 3)

    def forward(self, x):
        return self.head(x[:, :1, -1, -1])


def test_where_the_marks_cannot_be_seen_nothing_is_planted(photos):
    model = seewhy.wrap(Blind().eval(), name="blind", prepare={"size": 64, "crop": 64})
    found = planted(model, photos[:14], ["gradient"])
    assert not found.planted
    assert found.rankings == {}
    assert found.says[0].startswith("No marks could be planted in blind")


def test_what_cannot_be_planted_is_refused(honest, photos):
    with pytest.raises(BadParameter, match="12 are needed"):
        planted(honest, photos[:3], METHODS)
    function = seewhy.wrap(lambda x: x.mean((1, 2, 3))[:, None], name="mean", takes="float", prepare={"size": 32, "crop": 32})
    with pytest.raises(NotApplicable, match="mean"):
        planted(function, photos, ["occlusion"])
    with pytest.raises(NoSuchName, match=r"There are: marks, backgrounds, patches\."):
        planted(honest, photos, METHODS, what="trees")
    with pytest.raises(NotApplicable, match="no prepared batch"):
        planted(honest, np.zeros((12, 3, 32, 32), np.float32), METHODS)
    bend = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.ReLU())
    bent = seewhy.wrap(bend.eval(), name="bent", prepare={"size": 64, "crop": 64})
    with pytest.raises(NotApplicable, match="one linear layer"):
        planted(bent, photos[:12], ["gradient"])
