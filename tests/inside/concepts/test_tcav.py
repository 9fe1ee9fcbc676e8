"""TCAV: concepts that a network uses are told, with their sign, and others are not."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.demo.scenes import scenes
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName
from seewhy.images.digest import image_sha256
from seewhy.inside.concepts.tcav_chance import drawn
from seewhy.inside.concepts.tcav_classifiers import separations
from seewhy.progress import stoppable
from support.concept_networks import images, model

QUICK = {"runs": 3, "random_concepts": 99}
RANDOM, PHOTOS = images(60, 1), images(4, 2)


def asked(target, concepts=None, photos=PHOTOS, random=RANDOM, **how):
    return seewhy.tcav(model(), concepts or {"pattern": images(12, 3, 0.6)}, photos, target, "mix", random, **{**QUICK, **how})


def test_a_concept_that_a_linear_network_weighs_is_told_with_its_sign():
    for target, verdict, score in (("with", "raises", 1.0), ("against", "lowers", 0.0)):
        (found,) = asked(target).scores
        assert (found.verdict, found.score, found.significant) == (verdict, score, True)
        assert abs(found.alignment) > 0.6
        assert found.accuracy > 0.8
        assert found.p == 2 / 100
    beside = asked("beside").of("pattern")
    assert not beside.significant
    assert abs(beside.alignment) < 0.2


def test_a_concept_of_random_images_is_not_told():
    found = asked("with", {f"nothing {k}": images(12, 100 + k) for k in range(4)})
    assert [each.verdict for each in found.scores] == [""] * 4
    assert all("no better than chance" in each.warnings[-1] for each in found.scores if each.accuracy_interval[0] <= 0.5)
    assert sum(each.accuracy_interval[0] <= 0.5 for each in found.scores) >= 3


@pytest.mark.parametrize("flatten", [False, True])
def test_all_numbers_by_scikit_learn_on_the_activations_themselves(flatten):
    """The paper's steps, slow and plain: fit, multiply with gradients, count; the same examples in each run."""
    linear = pytest.importorskip("sklearn.linear_model")
    concept = images(5, 3, 0.3)
    found = asked("with", {"pattern": concept}, flatten=flatten, seed=4)
    ordered = np.stack(sorted(concept, key=image_sha256) + sorted(RANDOM, key=image_sha256))
    a = model().activations(ordered, ["mix"])[0]["mix"].numpy()
    g = model().trace(PHOTOS, [seewhy.Class(0)], ["mix"]).evidence["mix"].g[0].numpy()
    a, g = (a.reshape(65, -1), g.reshape(4, -1)) if flatten else (a.mean((2, 3)), g.sum((2, 3)))
    scores, cosines, vectors, biases = [], [], [], []
    for run in drawn(np.arange(5, 65), 5, 3, 4):
        x, y = a[[*range(5), *run]], np.repeat([1.0, -1.0], 5)
        fitted = linear.Ridge(alpha=0.1 * ((x - x.mean(0)) ** 2).sum(1).mean(), solver="svd").fit(x, y)
        slopes = g @ fitted.coef_
        scores.append((slopes > 0).mean())
        cosines.append((slopes / np.linalg.norm(g, axis=1) / np.linalg.norm(fitted.coef_)).mean())
        vectors.append(fitted.coef_)
        biases.append(fitted.intercept_)
    (one,) = found.scores
    assert one.score == np.mean(scores)
    assert one.score_range == (min(scores), max(scores))
    assert one.alignment == pytest.approx(np.mean(cosines), rel=1e-9)
    vector = found.vectors["pattern", "mix"]
    np.testing.assert_allclose(vector.weights.ravel(), np.mean(vectors, 0), atol=1e-10)
    assert vector.bias == pytest.approx(np.mean(biases), abs=1e-9)


def test_the_order_of_concepts_examples_and_photos_plays_no_part():
    concepts = {"pattern": images(8, 3, 0.3), "nothing": images(8, 4)}
    first = asked("with", concepts)
    turned = {name: concepts[name][::-1] for name in reversed(concepts)}
    other = asked("with", turned, PHOTOS[::-1], RANDOM[::-1])
    assert [each.concept for each in other.scores] == ["nothing", "pattern"]
    for each in first.scores:
        again = other.of(each.concept)
        assert (each.p, each.p_adjusted, each.score, each.accuracy) == (again.p, again.p_adjusted, again.score, again.accuracy)
        assert each.alignment == pytest.approx(again.alignment, rel=1e-9)


def test_a_seed_decides_all_that_is_drawn():
    assert asked("with", seed=1).facts == asked("with", seed=1).facts
    assert asked("with", seed=1).of("pattern").alignment != asked("with", seed=2).of("pattern").alignment


def test_p_is_adjusted_for_all_concepts_and_layers():
    concepts = {"pattern": images(8, 3, 0.6), "nothing": images(8, 4)}
    found = seewhy.tcav(model(), concepts, PHOTOS, 0, ["mix", "flat"], RANDOM, **QUICK)
    assert [(each.concept, each.layer) for each in found.scores] == [
        ("pattern", "mix"), ("pattern", "flat"), ("nothing", "mix"), ("nothing", "flat")
    ]  # fmt: skip
    assert found.of("pattern", "mix").p_adjusted == 4 * found.of("pattern", "mix").p == 0.08
    assert found.of("pattern", "mix").alignment == pytest.approx(found.of("pattern", "flat").alignment)  # what is pooled
    assert any("give random_concepts=160 or more" in note for note in found.notes)
    with pytest.raises(BadParameter, match="name one of mix, flat"):
        found.of("pattern")


def test_without_random_images_concepts_are_held_against_each_other():
    found = asked("with", {"pattern": images(20, 3, 0.6), "nothing": images(20, 4)}, random=None)
    assert [each.verdict for each in found.scores] == ["raises", "lowers"]
    assert found.scores[0].examples == 10  # of half of the others a random concept is drawn
    assert any("10 of 20 examples are used" in warning for warning in found.scores[0].warnings)


def test_a_photo_in_both_sets_is_left_out_of_the_random_one():
    concept = images(8, 3, 0.6)
    both = asked("with", {"pattern": concept}, random=np.concatenate([RANDOM, concept[:3]]))
    assert any("3 of its examples are among the random ones" in warning for warning in both.of("pattern").warnings)
    alone = asked("with", {"pattern": concept}).of("pattern")
    assert both.of("pattern").alignment == pytest.approx(alone.alignment)


def test_what_cannot_be_asked_is_said():
    with pytest.raises(BadParameter, match=r"Of the concept 'pattern' there is 1 image.*give more"):
        asked("with", {"pattern": np.repeat(images(1, 0), 9, 0)})
    with pytest.raises(BadParameter, match="held against 5 random images"):
        asked("with", random=RANDOM[:5])
    with pytest.raises(BadParameter, match="has nothing to be held against"):
        asked("with", random=None)
    with pytest.raises(BadParameter, match="is not there"):
        seewhy.tcav(seewhy.load("demo/honest"), {"a": "no/such/folder"}, "no", 0, random="none")
    with pytest.raises(BadParameter, match="a name -> its examples"):
        asked("with", ["folder"])
    with pytest.raises(BadParameter, match="random_concepts is a whole number from 39"):
        asked("with", random_concepts=10)
    with pytest.raises(BadParameter, match="ridge=0 is a number above 0"):
        asked("with", ridge=0)
    with pytest.raises(BadParameter, match="one target"):
        asked("top:2")
    with pytest.raises(NoSuchName, match="mixx"):
        seewhy.tcav(model(), {"a": RANDOM[:9]}, PHOTOS, 0, "mixx", RANDOM, **QUICK)
    with pytest.raises(NeedsGradients, match="tcav reads"):
        seewhy.tcav(seewhy.wrap(lambda x: x.mean((2, 3))), {"a": RANDOM}, PHOTOS, 0, None, RANDOM)


def test_a_broken_file_ends_nothing(tmp_path):
    demo, pixels = seewhy.load("demo/honest"), np.random.default_rng(0)
    for k in range(14):
        Image.fromarray(pixels.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / f"{k:02}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    photos = [tmp_path / f"{k:02}.png" for k in range(14)]
    found = seewhy.tcav(demo, {"a": photos[:5]}, photos[5], 0, None, tmp_path, runs=2, random_concepts=39)
    assert [left.name for left in found.failed] == [str(tmp_path / "broken.png")]
    assert found.random == 14
    assert found.scores[0].layer == demo.default(np.zeros((1, 3, 96, 96), np.float32))[0]


def test_the_stamp_is_told_in_the_network_that_cheats_and_not_in_the_honest_one():
    stamped = [scene.image for scene in scenes(24, seed=5, shortcut="mark", marked="all")]
    birds = [scene.image for scene in scenes(8, seed=7, kinds=["bird"])]
    others = [scene.image for scene in scenes(72, seed=6)]
    found = {
        name: seewhy.tcav(seewhy.load(f"demo/{name}"), {"stamp": stamped}, birds, "bird", "body.5", others, **QUICK).of("stamp")
        for name in ("shortcut", "honest")
    }
    assert found["shortcut"].verdict == "raises"
    assert found["shortcut"].alignment > 0.5
    assert found["honest"].verdict == ""
    assert abs(found["honest"].alignment) < 0.25


def test_who_ends_it_keeps_the_layers_that_are_done(monkeypatch):
    """Asked for once the first layer is done; and before there is anything to keep."""
    real, asked_for = separations, []

    def stopping(*given):
        asked_for.append(True)
        return real(*given)

    monkeypatch.setattr("seewhy.inside.concepts.tcav.separations", stopping)
    monkeypatch.setattr("seewhy.inside.concepts.tcav.stop_asked", lambda: bool(asked_for))
    found = seewhy.tcav(model(), {"pattern": images(8, 3, 0.6)}, PHOTOS, 0, ["mix", "flat"], RANDOM, **QUICK)
    assert found.interrupted
    assert [each.layer for each in found.scores] == ["mix"]
    with stoppable() as stop:
        stop.set()
        with pytest.raises(KeyboardInterrupt):
            asked("with")
