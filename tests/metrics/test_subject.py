"""What a map is measured on: scores and probabilities of variants, maps on its grid, orders, and what was asked before."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadNetwork, BadParameter, NotApplicable
from seewhy.metrics.subject import subjects
from seewhy.remaking.question import Resolved
from support.counting import entering
from support.measuring import noting

WEIGHTS = np.arange(48.0).reshape(3, 1, 4, 4) / 48 - 0.5  # of three classes over images (1, 4, 4)


def linear(x):
    return np.einsum("nchw,kchw->nk", x.astype(np.float64), WEIGHTS)


def model_of(scores=None, function=linear, **other):
    return seewhy.wrap(function, takes="float", scores=scores, **other)


def images(n=2, seed=0):
    return np.random.default_rng(seed).random((n, 1, 4, 4)).astype(np.float32)


def softmax(row):
    return np.exp(row) / np.exp(row).sum()


def only(model, x, maps, **how):
    ((subject, which),) = list(subjects(model, x, maps, **how))
    assert which == [0]
    return subject


def test_scores_and_probabilities_of_variants():
    x, variants = images(1), images(5, 1)
    for kind, of in (
        ("logits", lambda row: row),
        ("log-probability", lambda row: np.log(softmax(row))),
        ("probability", softmax),
    ):
        for subject, _ in subjects(model_of(kind), x, [np.zeros((4, 4))], target=2):
            assert subject.reads == "probability"
            np.testing.assert_allclose(subject.scores(variants), [of(row)[2] for row in linear(variants)], rtol=1e-6)
            np.testing.assert_allclose(
                subject.probabilities(variants), [softmax(row)[2] for row in linear(variants)], rtol=1e-6
            )
            assert subject.score == pytest.approx(of(linear(x)[0])[2])
            assert subject.probability == pytest.approx(softmax(linear(x)[0])[2])
            assert subject.forwards == 10


def test_the_probability_of_one_logit_and_of_many_labels_is_that_of_a_sigmoid():
    torch = pytest.importorskip("torch")
    for classes, task in ((1, "single-label"), (3, "multi-label")):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, classes))
        x, variants = images(1), images(4, 1)
        for subject, _ in subjects(seewhy.wrap(network, task=task), x, [np.zeros((4, 4))], target=classes - 1):
            with torch.no_grad():
                logits = network(torch.as_tensor(variants))[:, classes - 1].numpy()
            np.testing.assert_allclose(subject.probabilities(variants), 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_what_is_no_class_has_scores_and_says_so():
    x, variants = images(1), images(3, 1)
    for subject, _ in subjects(model_of("logits"), x, [np.zeros((4, 4))], target=seewhy.Contrast(0, [2])):
        expected = linear(variants)[:, 0] - linear(variants)[:, 2]
        np.testing.assert_allclose(subject.probabilities(variants), expected, rtol=1e-6)
        np.testing.assert_allclose(subject.scores(variants), expected, rtol=1e-6)
        assert "no single class" in subject.reads
    for subject, _ in subjects(model_of(), x, [np.zeros((4, 4))]):
        assert subject.reads == "score (as given): it is not known what its probability is"
        assert subject.probability == subject.score == pytest.approx(linear(x)[0].max())
    for subject, _ in subjects(model_of("logits", labels=["cat", "a cat", "dog"]), x, [np.zeros((4, 4))], target="any:cat"):
        assert subject.score == pytest.approx(np.log(np.exp(linear(x)[0, :2]).sum()))
        assert "score" in subject.reads


def test_a_heatmap_is_measured_by_what_it_explains(red_model, red_dot):
    photos = [red_dot((64, 64), 20, 20), red_dot((80, 64), 50, 40)]
    maps = seewhy.explain(red_model, photos, ["grad-cam", "eigen-cam"], target=["top 1", "not red"])
    found = [(subject.place, subject.target, subject.score, which) for subject, which in subjects(red_model, photos, maps)]
    assert [(place, target) for place, target, _, _ in found] == [
        (0, "top 1"), (0, "top 1"), (0, "1"), (0, "1"), (1, "top 1"), (1, "top 1"), (1, "1"), (1, "1")
    ]  # fmt: skip
    assert sorted(number for *_, which in found for number in which) == list(range(8))
    for place, _, score, which in found:
        for number in which:
            assert maps[number].place == place
            assert maps[number].source.score in (None, pytest.approx(score))


def test_a_target_may_be_given_for_all_maps_or_for_each_image():
    x, maps = images(2), [np.zeros((4, 4))] * 2
    scores = [subject.score for subject, _ in subjects(model_of("logits"), x, maps, target=1)]
    np.testing.assert_allclose(scores, linear(x)[:, 1], rtol=1e-6)
    scores = [subject.score for subject, _ in subjects(model_of("logits"), x, maps, target=seewhy.PerImage([2, 0]))]
    np.testing.assert_allclose(scores, [linear(x)[0, 2], linear(x)[1, 0]], rtol=1e-6)


def test_a_top_class_stays_what_it_was():
    """The map of the class that was the top one, on a model for which another is."""
    x = images(1)
    (heatmap,) = seewhy.occlusion(model_of("logits"), x, window=2, stride=2)
    top = heatmap.source.index
    other = model_of("logits", lambda batch: linear(batch) * -1)
    assert linear(x)[0].argmin() != top
    subject = only(other, x, [heatmap])
    assert subject.score == pytest.approx(-linear(x)[0, top])
    assert subject.target == str(Resolved("top 1", top))


def test_a_map_on_the_grid_and_its_shares(made_heatmap):
    x = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    model = seewhy.wrap(lambda batch: batch.mean((2, 3)), takes="float")
    cells = np.array([[1.0, -2.0], [3.0, 4.0]])
    heatmap = made_heatmap(cells, (8, 8), photo=None, score=None, target="0")
    subject = only(model, x, [heatmap])
    shares = subject.shares(heatmap)
    assert shares.sum() == pytest.approx(cells.sum(), rel=1e-6)
    along = np.clip((np.arange(8) + 0.5) / 4 - 0.5, 0, 1)
    by_hand = [[(1 - v) * ((1 - u) * 1 + u * -2) + v * ((1 - u) * 3 + u * 4) for u in along] for v in along]
    np.testing.assert_allclose(subject.on_grid(heatmap), by_hand, rtol=1e-6)
    np.testing.assert_allclose(subject.on_grid(cells), by_hand, rtol=1e-6)
    fine = np.random.default_rng(1).standard_normal((8, 8))
    np.testing.assert_array_equal(subject.on_grid(fine), fine)
    np.testing.assert_allclose(subject.shares(fine), fine, rtol=1e-12)


def test_the_shares_of_pixels_are_the_sum_of_their_channels():
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    x = np.random.default_rng(0).random((1, 3, 4, 4)).astype(np.float32)
    model = seewhy.wrap(network)
    (heatmap,) = seewhy.gradient(model, x, target=1)
    subject = only(model, x, [heatmap])
    expected = network[1].weight[1].detach().numpy().reshape(3, 4, 4)
    np.testing.assert_allclose(subject.shares(heatmap), expected.sum(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(subject.on_grid(heatmap), abs(expected).max(0), rtol=1e-5)


def test_a_map_of_another_part_of_the_photo_is_laid_where_this_model_sees_it(red_network, red_dot, made_heatmap):
    """The model sees the middle 64 x 64 of 96 x 64; the map lies on the whole photo, rising from its left to its right."""
    model = seewhy.wrap(red_network, prepare={"size": 64, "crop": 64, "mean": 0.0, "std": 1.0})
    photo, rising = red_dot((96, 64), 50, 30), np.arange(96.0)[None].repeat(64, 0)
    whole = made_heatmap(rising, (96, 64), score=None, target="0")
    subject = only(model, [photo], [whole])
    np.testing.assert_allclose(subject.on_grid(whole), rising[:, 16:80], rtol=1e-5)
    with pytest.raises(NotApplicable, match="another part"):
        subject.shares(whole)


def test_a_photo_that_the_network_saw_turned():
    """Its map lies on the photo; on the grid that the network saw it is turned with the image."""

    def turned(photo):
        return np.asarray(photo, np.float32).transpose(2, 1, 0)

    torch = pytest.importorskip("torch")
    model = seewhy.wrap(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 16, 2)), prepare=turned)
    photo = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    (heatmap,) = seewhy.gradient(model, [photo], target=1)
    assert heatmap.values.shape == (16, 24)
    subject = only(model, [photo], [heatmap])
    assert subject.space == (24, 16)
    weights = model.trace(subject.x[None], [seewhy.Class(1)], ["input"]).evidence["input"].g[0, 0]
    np.testing.assert_allclose(subject.on_grid(heatmap), np.asarray(abs(weights)).max(0), rtol=1e-5)


def test_places_are_ordered_by_their_values_and_ties_by_the_seed():
    values = np.array([[3.0, 1.0, 2.0, 2.0], *np.zeros((3, 4))])
    subject = only(model_of(), images(1), [values])
    order = subject.order(values)
    assert order[0] == 0
    assert set(order[1:3]) == {2, 3}
    assert order[3] == 1
    assert sorted(order[4:]) == [*range(4, 16)]
    assert list(order[4:]) != [*range(4, 16)]
    np.testing.assert_array_equal(order, subject.order(np.exp(values)))  # a monotone rescaling changes nothing
    np.testing.assert_array_equal(order, only(model_of(), images(1), [values]).order(values))
    other = only(model_of(), images(1), [values], seed=1).order(values)
    assert list(other) != list(order)


def test_what_lies_where_something_is_hidden():
    x = images(1)
    subject = only(model_of(), x, [np.zeros((4, 4))])
    assert (subject.fill("zero") == 0).all()
    assert (subject.fill(0.25) == 0.25).all()
    np.testing.assert_allclose(subject.fill("mean"), np.full((1, 4, 4), x.mean()), rtol=1e-6)
    noise = subject.fill("noise")
    np.testing.assert_array_equal(noise, subject.fill("noise"))
    drawn = subject.rng("fill").standard_normal((1, 4, 4))
    np.testing.assert_allclose(noise[0], x.mean() + x.std() * drawn[0], rtol=1e-5)
    with pytest.raises(BadParameter, match="the fill"):
        subject.fill("purple")


def test_what_was_asked_before_is_not_asked_again():
    calls = []
    variants = images(6, 3)
    for subject, _ in subjects(model_of("logits", noting(linear, calls), batch_size=4), images(1), [np.zeros((4, 4))]):
        calls.clear()
        first = subject.asked(6, lambda of: variants[of.start : of.stop], key=("these", 1))
        assert calls == [4, 2]
        assert subject.asked(6, lambda of: variants[of.start : of.stop], key=("these", 1)) is first
        assert calls == [4, 2]
        subject.scores(variants)
        assert calls == [4, 2, 4, 2]
        assert subject.forwards == 12


def test_a_batch_equals_its_singles_and_only_images_with_maps_are_asked_for():
    x, variants = images(3), images(2, 5)
    maps = [np.zeros((4, 4))] * 3
    together = [subject.probabilities(variants) for subject, _ in subjects(model_of("logits"), x, maps)]
    for i in range(3):
        ((_, alone),) = [(w, s.probabilities(variants)) for s, w in subjects(model_of("logits"), x[i : i + 1], maps[:1])]
        np.testing.assert_array_equal(alone, together[i])
    maps = seewhy.occlusion(model_of("logits"), x, window=2, stride=2)
    assert [subject.place for subject, _ in subjects(model_of("logits"), x, [maps[2], maps[0]])] == [0, 2]


def test_volumes_and_signals():
    volume = np.random.default_rng(0).random((1, 1, 3, 4, 5)).astype(np.float32)
    model = seewhy.wrap(lambda batch: batch.mean((2, 3, 4)), takes="float")
    subject = only(model, volume, [np.zeros((3, 4, 5))])
    assert subject.space == (3, 4, 5)
    assert subject.on_grid(np.arange(8.0).reshape(2, 2, 2)).shape == (3, 4, 5)
    signal = np.random.default_rng(0).random((1, 2, 6)).astype(np.float32)
    model = seewhy.wrap(lambda batch: batch.mean(2), takes="float")
    subject = only(model, signal, [np.zeros(6)])
    assert subject.order(np.arange(6.0)).tolist() == [5, 4, 3, 2, 1, 0]


def test_what_fails_is_said():
    def fails(batch):
        if len(batch) and batch.min() < 0:
            raise RuntimeError("no negative numbers")
        return linear(batch)

    x = images(1)
    for subject, _ in subjects(model_of("logits", fails), x, [np.zeros((4, 4))]):
        with pytest.raises(BadNetwork, match="no negative numbers"):
            subject.scores(-images(40, 1))
        assert subject.scores(images(2, 1)).shape == (2,)
        with pytest.raises(BadParameter, match="cannot lie on the prepared image"):
            subject.on_grid(np.zeros(4))


def test_maps_and_images_have_to_belong_together(made_heatmap):
    x = images(1)
    for maps, how, said in (
        ([np.zeros((4, 4))] * 2, {}, "there are 1: give the images that were explained"),
        ([], {}, "no maps"),
        ([np.zeros((4, 4))], {"target": [0, 1]}, "2 targets are given"),
    ):
        with pytest.raises(BadParameter, match=said):
            list(subjects(model_of(), x, maps, **how))
    tiled = made_heatmap(np.zeros((4, 4)), photo=None, tile={"asked": {"tile": 4}})
    with pytest.raises(NotApplicable, match="joined from tiles"):
        list(subjects(model_of(), x, [tiled]))


def test_the_untouched_image_is_asked_for_once(red_model, red_network, red_dot):
    photo = red_dot((64, 64), 20, 20)
    maps = seewhy.grad_cam(red_model, [photo])
    with entering(red_network.see) as seen:
        for subject, _ in subjects(red_model, [photo], maps):
            assert subject.probability == pytest.approx(maps[0].source.probability, rel=1e-5)
            assert subject.reads == "probability"
    assert sum(seen) == 1


def test_a_faster_copy_gives_the_same_to_rounding_and_is_made_once_for_a_batch(monkeypatch):
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten()
        network = torch.nn.Sequential(*layers, torch.nn.Linear(64, 3)).eval()
    with torch.no_grad():
        network[1].running_mean += 0.2
        network[1].running_var *= 3
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model, x, variants, opened = seewhy.wrap(network), images(3), images(4, 1), []
    real = type(model).scoring
    monkeypatch.setattr(type(model), "scoring", lambda *args, **how: opened.append(args[3]) or real(*args, **how))
    maps = [np.zeros((4, 4))] * 3
    plain = [subject.scores(variants) for subject, _ in subjects(model, x, maps)]
    faster = [subject.scores(variants) for subject, _ in subjects(model, x, maps, fast=True)]
    np.testing.assert_allclose(faster, plain, rtol=1e-4, atol=1e-5)
    assert opened == [None, True]
    assert all((value == before[name]).all() for name, value in network.state_dict().items())
    with pytest.raises(BadParameter, match="fast="):
        list(subjects(model_of(), x, maps, fast=True))


def test_what_autocast_does_to_the_first_image_it_does_to_all():
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = seewhy.wrap(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)))
    x = np.repeat(images(1), 3, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = [(subject.score, float(subject.scores(x[:1])[0])) for subject, _ in subjects(model, x, [np.zeros((4, 4))] * 3)]
    assert len({score for pair in found for score in pair}) == 1
