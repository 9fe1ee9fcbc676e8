"""The numbers of each criterion, slow and plain, on a function whose evidence is known and on the demo's networks."""

import numpy as np
import pytest

import seewhy
from seewhy import demo
from seewhy.errors import NotApplicable
from seewhy.metrics.sanity.randomised import randomised
from seewhy.metrics.subject import subjects
from seewhy.metrics.verdict.criteria import heads, measured_on, places, removal
from seewhy.truth.given import GivenTruth, GroundTruth

X = np.random.default_rng(0).random((1, 1, 8, 8)).astype(np.float32)
X[..., :4, :4] += 1
SHARES = (0.05, 0.1, 0.2, 0.4)


def quadrant(x):
    """One score: the sum of the upper left quadrant."""
    return x[:, :, :4, :4].sum((1, 2, 3))[:, None]


@pytest.fixture(scope="module")
def subject():
    model = seewhy.wrap(quadrant, name="quadrant", takes="float")
    return next(subjects(model, X, [np.zeros((8, 8))], 0))[0]


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module")
def photo():
    return demo.scenes(1, 31, pair=True)[0].image


def plainly(subject, values, fill):
    """The mean loss where the highest places are filled, and the mean score where all others are, over the shares."""
    image, other, taken, kept = X[0, 0].astype(np.float64), subject.fill(fill)[0].astype(np.float64), [], []
    order = sorted(range(64), key=lambda place: -values.ravel()[place])
    for share in SHARES:
        top = np.zeros(64, bool)
        top[order[: max(1, round(share * 64))]] = True
        top = top.reshape(8, 8)
        taken.append(quadrant(image[None, None])[0, 0] - quadrant(np.where(top, other, image)[None, None])[0, 0])
        kept.append(quadrant(np.where(top, image, other)[None, None])[0, 0])
    return np.array([np.mean(taken), np.mean(kept)])


@pytest.mark.parametrize(("seed", "fill"), [(0, "mean"), (1, "blur"), (2, "mean")])
def test_removal_by_hand(subject, seed, fill):
    """The fill and both other places are drawn from the seed: first which fill, then where, and how it is mirrored."""
    values, rng = np.random.default_rng(seed).random((8, 8)), np.random.default_rng(seed)
    assert ("blur", "mean")[rng.integers(2)] == fill
    others = []
    for _ in range(2):
        other = np.roll(values, (rng.integers(1, 8), rng.integers(1, 8)), (0, 1))
        others.append(plainly(subject, np.flip(other, [axis for axis in (0, 1) if rng.random() < 0.5]), fill))
    expected = plainly(subject, values, fill) - (others[0] + others[1]) / 2
    assert removal(subject, values, seed) == pytest.approx(tuple(expected), rel=1e-4, abs=1e-5)


def test_the_evidence_itself_is_above_chance_and_its_opposite_below(subject):
    evidence = np.zeros((8, 8))
    evidence[:4, :4] = X[0, 0, :4, :4]
    taken, kept = removal(subject, evidence, 0)
    against, without = removal(subject, (evidence == 0).astype(float), 0)
    assert taken > 0 > against
    assert kept > 0 > without


def test_the_head_is_that_of_the_sanity_check_from_0_on(honest, photo):
    methods = [seewhy.grad_cam, seewhy.gradient]
    found = heads(honest, photo, methods, seewhy.Top(), None, 5)
    alike = randomised(honest, photo, methods, "head", draws=1, seed=5).rows
    assert found["grad-cam"] == max(0, alike[0].similarity.spearman.mean)
    assert found["gradient"] == alike[1].similarity.absolute.mean  # of pixels: of absolute values


def test_places_by_hand(honest, tmp_path):
    scene = demo.scenes(1, 31, pair=True)[0]
    file = tmp_path / "scene.png"
    scene.image.save(file)
    (heatmap,) = seewhy.grad_cam(honest, str(file))
    y, x = np.unravel_index(heatmap.full().argmax(), heatmap.full().shape)
    x0, y0, x1, y1 = max(0, x - 10), max(0, y - 10), x + 10, y + 10
    table = tmp_path / "boxes.csv"
    table.write_text(f"file,x0,y0,x1,y1,label\nscene.png,{x0},{y0},{x1},{y1},{heatmap.source.label}\n")
    truth = GivenTruth.read(None, table).of([str(file)], honest.labels)
    positive = heatmap.full().clip(0)
    inside = np.zeros(positive.shape, bool)
    inside[y0:y1, x0:x1] = True
    found = places(str(file), {"grad-cam": heatmap}, truth)
    assert found["grad-cam", "pointing"] == 1
    assert found["grad-cam", "energy"] == pytest.approx(positive[inside].sum() / positive.sum() - inside.mean(), rel=1e-4)
    assert places("another.png", {"grad-cam": heatmap}, truth) == {}


def test_what_cannot_be_counted_is_missing_with_the_reason():
    model = seewhy.wrap(quadrant, name="quadrant", takes="float")
    occlusion = seewhy.occlusion.using(window=2, stride=2)
    maps = {"occlusion": occlusion(model, X, target=0)[0]}
    found, why = measured_on(model, X, "image 0", maps, [occlusion], 0, None, GroundTruth(), 0)
    assert {criterion for _, criterion in found} == {"deletion", "insertion", "stability"}
    assert [*why] == ["head"]
    assert "quadrant" in why["head"]
    with pytest.raises(NotApplicable, match="quadrant"):
        heads(model, X, [occlusion], 0, None, 0)


def test_each_criterion_where_it_is_defined(honest, photo):
    methods = [seewhy.grad_cam, seewhy.integrated_gradients.using(steps=5)]
    maps = {method.name: method(honest, photo)[0] for method in methods}
    found, why = measured_on(honest, photo, "scene", maps, methods, seewhy.Top(), None, GroundTruth(), 0)
    assert why == {}
    common = {"deletion", "insertion", "head", "stability"}
    assert {criterion for method, criterion in found if method == "grad-cam"} == {*common, "disagreement"}
    assert {criterion for method, criterion in found if method == "integrated-gradients"} == {*common, "completeness"}
