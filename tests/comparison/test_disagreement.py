"""Two maps of one question beside each other."""

from dataclasses import replace

import numpy as np
import pytest

import seewhy
from seewhy import demo
from seewhy.errors import BadParameter
from seewhy.methods.making.against_hires import NAME
from seewhy.objects.shift import PARTED


@pytest.fixture(scope="module")
def maps():
    photos = [scene.image for scene in demo.scenes(3, 11, pair=True)]
    model = seewhy.load("demo/flat")
    found = seewhy.explain(model, photos, ["grad-cam", "hires-cam"], target=[seewhy.Top(), seewhy.Class(3)])
    return found[::2], found[1::2]


def with_values(heatmap, values):
    return replace(heatmap, values=np.array(values, np.float32))


def test_by_hand(maps):
    """Shares 1/2 1/2 0 0 against 1/4 1/4 1/2 0: half of it lies elsewhere."""
    a = with_values(maps[0][0], [[2, 2], [0, -5]])
    b = with_values(maps[1][0], [[1, 1], [2, -1]])
    found = seewhy.disagreement(a, b)
    assert found.share == pytest.approx(0.5)
    assert found.where.values == pytest.approx(np.array([[0.25, 0.25], [-0.5, 0]]))
    assert found.doubtful is (found.share >= PARTED)
    assert found.where.values.sum() == pytest.approx(0)


def test_it_is_what_grad_cam_says_of_itself(maps):
    found = seewhy.disagreement(*maps)
    assert [each.share for each in found] == pytest.approx([m.source.measured[NAME] for m in maps[0]], abs=1e-4)
    doubted = [any("hires-cam has" in w for w in m.warnings) for m in maps[0]]
    assert [each.doubtful for each in found] == doubted
    assert {*doubted} == {True, False}
    for each, m in zip(found, maps[0], strict=True):
        assert m.source.image in str(each)
        assert ("no reason for doubt" in str(each)) is not each.doubtful


def test_the_threshold_is_that_of_grad_cam_and_hires_cam_alone(maps):
    back = seewhy.disagreement(maps[1][0], maps[0][0])
    assert (back.doubtful, back.threshold) == (None, None)
    assert back.share == pytest.approx(seewhy.disagreement(maps[0][0], maps[1][0]).share)
    assert "doubt" not in str(back)


def test_the_same_map_does_not_part(maps):
    found = seewhy.disagreement(maps[0][0], replace(maps[1][0], values=maps[0][0].values * 3))
    assert found.share == pytest.approx(0, abs=1e-7)
    assert found.where.values == pytest.approx(0, abs=1e-7)


def test_where_they_part_can_be_drawn(maps, tmp_path):
    where = seewhy.disagreement(maps[0][1], maps[1][1]).where
    where.save(tmp_path / "where.png")
    assert where.source.method == "disagreement(grad-cam, hires-cam)"
    assert seewhy.Source.from_json(where.source.to_json()).measured == where.source.measured


def test_only_maps_of_one_question_are_compared(maps):
    a, b = maps
    other = seewhy.hires_cam(seewhy.load("demo/shortcut"), a[0].image)[0]
    with pytest.raises(BadParameter, match="two questions: model 'demo/flat' and 'demo/shortcut'"):
        seewhy.disagreement(a[0], other)
    retrained = replace(b[0], source=replace(b[0].source, weights_sha256="0" * 64))
    with pytest.raises(BadParameter, match="two questions: weights sha256"):
        seewhy.disagreement(a[0], retrained)
    with pytest.raises(BadParameter, match="two questions: image"):
        seewhy.disagreement(a[0], b[2])
    with pytest.raises(BadParameter, match="two questions: target"):
        seewhy.disagreement(a[0], b[1])
    with pytest.raises(BadParameter, match="there are 6 and 5"):
        seewhy.disagreement(a, list(b)[:5])
    with pytest.raises(BadParameter, match="single map"):
        seewhy.disagreement(a, b[0])
    with pytest.raises(BadParameter, match="NaN"):
        seewhy.disagreement(with_values(a[0], np.full_like(a[0].values, np.nan)), b[0])
    with pytest.raises(BadParameter, match=r"\(2, 2\)"):
        seewhy.disagreement(with_values(a[0], [[1, 2], [3, 4]]), b[0])
