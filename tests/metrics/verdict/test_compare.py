"""Methods compared on networks of which it is known whom to believe."""

import json
import signal

import numpy as np
import pytest

import seewhy
from seewhy import demo
from seewhy.errors import BadImage, BadParameter, NeedsGradients
from seewhy.metrics.verdict.compare import STEPS, USUAL, Comparing, compare
from seewhy.progress import stoppable

KNOWN = ["grad-cam", "guided-backprop", "eigen-cam"]
OCCLUSION = seewhy.occlusion.using(window=4, stride=4)


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module")
def found(honest):
    photos = [scene.image for scene in demo.scenes(8, 31, pair=True)]
    before = honest.weights_sha256()
    found = compare(honest, photos, KNOWN, seed=1)
    assert honest.weights_sha256() == before
    return found


def corner(x):
    """Two scores: the sum of the upper left corner, and its opposite."""
    left = x[:, :, :8, :8].sum((1, 2, 3))
    return np.stack([left, -left], 1)


@pytest.fixture(scope="module")
def function():
    return seewhy.wrap(corner, name="corner", takes="float", prepare={"size": 16, "crop": 16})


def photos(count=3):
    return [np.random.default_rng(i).integers(0, 256, (16, 16, 3), dtype=np.uint8) for i in range(count)]


def test_grad_cam_is_trusted_and_the_blind_are_avoided(found):
    status = {each.method: each.status for each in found.verdicts}
    assert status == {
        "grad-cam": "trust", "guided-backprop": "avoid", "eigen-cam": "avoid", "random-map": "control", "centre": "control",
    }  # fmt: skip
    assert found.says[0].startswith("For demo/honest at body, by 8 photos: trust grad-cam")
    assert [row.method for row in found.rankings["deletion"]][-1] == "random-map"
    assert [row.method for row in found.rankings["stability"]][-1] == "random-map"
    heads = {row.method: row.mean for row in found.rankings["head"]}
    assert heads["grad-cam"] < 0.5
    assert min(heads["eigen-cam"], heads["random-map"], heads["centre"]) == pytest.approx(1)


def test_all_is_counted_on_every_photo(found):
    for name in ("deletion", "insertion", "head", "stability", "seconds"):
        assert all(np.isfinite(of).all() for of in found.values[name].values())
    assert len({photo.name for photo in found.photos}) == found.total == 8
    assert [photo.place for photo in found.photos] != sorted(photo.place for photo in found.photos)


def test_in_grids_right_maps_have_more_than_chance_and_controls_have_chance(found):
    means = {row.method: row.mean for row in found.rankings["grid"]}
    assert means["grad-cam"] > 0.5
    assert means["centre"] == pytest.approx(0.25)
    assert means["random-map"] == pytest.approx(0.25, abs=0.05)
    values = {photo.place: photo.values["grad-cam", "grid"] for photo in found.photos if ("grad-cam", "grid") in photo.values}
    assert [values[place] for place in found.grids] == [max(values.values()), min(values.values())]
    assert next(iter(found.grids.values())).drawn("grad-cam", 120).size == (120, 120)


def test_it_is_the_same_under_a_seed_and_a_photo_counts_alike_among_others(honest, found):
    image = demo.scenes(8, 31, pair=True)[found.photos[0].place].image
    alone = compare(honest, [image], KNOWN, seed=1)
    of_time = {key for key in alone.photos[0].values if key[1] == "seconds"}
    assert not any(criterion == "grid" for _, criterion in alone.photos[0].values)  # it takes others
    for key in alone.photos[0].values.keys() - of_time:
        assert alone.photos[0].values[key] == pytest.approx(found.photos[0].values[key], abs=1e-6)
    assert {each.status for each in alone.verdicts if each.method == "grad-cam"} == {"unknown"}


def test_the_usual_methods_are_those_that_work(function):
    comparing = Comparing(function, photos())
    advised = seewhy.doctor(function, photos()[0]).method
    assert [method.name for method in comparing.methods] == [*USUAL, advised, "random-map", "centre"]
    assert next(m for m in comparing.methods if m.name == "integrated-gradients").settings["steps"] == STEPS


def test_what_a_model_refuses_is_listed_with_the_reason(function):
    found = compare(function, photos(), [OCCLUSION, "grad-cam"])
    assert [left.method for left in found.refused] == ["grad-cam"]
    assert "grad-cam" not in found.methods
    assert "head" not in found.rankings
    assert any(note.startswith("head: ") and note.endswith("(3 of 3 photos)") for note in found.notes)
    with pytest.raises(NeedsGradients):
        compare(function, photos(), ["grad-cam"])


def test_a_bad_photo_is_left_out_and_named(function, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    found = compare(function, [*photos(2), str(broken)], [OCCLUSION])
    assert [(left.place, left.name) for left in found.failed] == [(2, str(broken))]
    assert len(found.photos) == 2
    with pytest.raises(BadImage):
        compare(function, [str(broken)], [OCCLUSION])


def test_when_the_time_is_over_it_ends_with_the_photos_done(function):
    found = compare(function, photos(), [OCCLUSION], budget=1e-6)
    assert len(found.photos) == 1
    assert "after 1 of 3 photos" in found.ended
    assert found.says[-1] == found.ended


def test_ctrl_c_keeps_what_is_done(function):
    comparing = Comparing(function, photos(), [OCCLUSION])
    with stoppable():
        for _ in comparing.read():
            signal.raise_signal(signal.SIGINT)
    found = comparing.outcome()
    assert len(found.photos) == 1
    assert found.ended == "It was stopped after 1 of 3 photos."


def test_an_interrupt_in_python_gives_back_what_is_done():
    """The network raises what Ctrl-C raises, in the midst of the second photo; of the first nothing is lost."""
    calls = {"left": None}

    def interrupted(x):
        if calls["left"] is not None:
            calls["left"] -= len(x)
            if calls["left"] < 0:
                calls["left"] = None  # a person presses it once
                raise KeyboardInterrupt
        return corner(x)

    model = seewhy.wrap(interrupted, name="corner", takes="float", prepare={"size": 16, "crop": 16})
    whole = compare(model, photos(), [OCCLUSION])
    calls["left"] = 3
    with pytest.raises(KeyboardInterrupt):
        compare(model, photos(), [OCCLUSION])
    comparing = Comparing(model, photos(), [OCCLUSION])
    calls["left"] = 10**6
    next(comparing.read())  # how many images the first photo takes
    calls["left"] = 10**6 - calls["left"] + 5
    found = compare(model, photos(), [OCCLUSION])
    assert calls["left"] is None
    assert [photo.place for photo in found.photos] == [whole.photos[0].place]
    assert found.says[-1] == found.ended == "It was stopped after 1 of 3 photos."
    for (method, criterion), value in whole.photos[0].values.items():
        assert criterion == "seconds" or found.photos[0].values[method, criterion] == value
    comparing = Comparing(model, photos(), [OCCLUSION])
    next(comparing.read())
    calls["left"] = 0  # again, while pictures are made
    found = comparing.outcome()
    assert (len(found.photos), dict(found.examples)) == (1, {})


def test_known_classes_are_explained(function):
    found = compare(function, photos(), [OCCLUSION], labels=[1, 0, 1])
    assert {photo.place: photo.explained for photo in found.photos} == {0: "class 1", 1: "class 0", 2: "class 1"}


def test_what_cannot_be_compared_is_refused(function):
    for words, said in (
        ({"methods": [OCCLUSION, "occlusion"]}, "twice"),
        ({"methods": ["random-map"]}, "name a method"),
        ({"methods": [OCCLUSION], "target": [0, 1]}, "one target"),
        ({"methods": [OCCLUSION], "budget": 0}, "above 0"),
    ):
        with pytest.raises(BadParameter, match=said):
            compare(function, photos(), **words)


def test_as_json_and_csv(found):
    facts = json.loads(found.to_json())
    assert facts["photos"] == 8
    assert facts["criteria"]["deletion"]["methods"][0]["method"] == found.rankings["deletion"][0].method
    head, *rows = found.to_csv().splitlines()
    assert head == "photo,explained,method,criterion,value"
    assert len(rows) == sum(len(photo.values) for photo in found.photos)
    photo = found.photos[0]
    assert f"{photo.name},{photo.explained},grad-cam,deletion,{photo.values['grad-cam', 'deletion']!r}" in rows
