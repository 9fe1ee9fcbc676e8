"""What is read of photos: all that is asked for, of those that tell, and broken ones beside them."""

from pathlib import Path

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NotApplicable
from seewhy.inside.concepts import gathering
from seewhy.inside.concepts.asked_classes import asked_classes
from seewhy.inside.concepts.crops import crop_places, cropped
from seewhy.inside.concepts.gathering import FEWEST, Gathering
from seewhy.progress import stoppable
from support import odd_numbers
from support.planted_patches import amounts, images, model


def gathered(net, photos, target=None, layer=None, crops=None, most=300, every=False, seed=0):
    return Gathering(net, layer, asked_classes(net, target, every), crops, most, seed).gathered(photos)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for i, scene in enumerate(seewhy.demo.scenes(7, 3)):
        scene.image.save(folder / f"{i}.png")
    (folder / "3b.png").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


def test_what_a_layer_emits_of_each_image():
    x = images(amounts(6))
    found = gathered(model(), x, layer="act")
    assert (found.layer, found.seen, found.broken, found.places, found.notes) == ("act", 6, (), [], ())
    for i, photo in enumerate(found.photos):
        np.testing.assert_array_equal(photo.x, x[i])
        np.testing.assert_allclose(photo.a, x[i, 0].reshape(4, 2, 4, 2).transpose(1, 3, 0, 2).reshape(4, 4, 4))
        assert (photo.number, photo.view, photo.crops) == (i, None, None)
        assert photo.predicted is not None
        assert photo.taken == photo.predicted.index


def test_those_alone_that_are_taken_for_the_class():
    net, x = model(), images(amounts(40))
    taken = net.answer(x).scores.argmax(1)
    assert 5 <= (taken == 0).sum() < 40
    assert [photo.number for photo in gathered(net, x, 0).photos] == [*np.flatnonzero(taken == 0)]
    assert len(gathered(net, x, 0, every=True).photos) == 40
    assert len(gathered(net, x, [0, 1]).photos) == 40


def test_crops_are_what_the_layer_emits_of_them_on_average():
    net, x = model(), images(amounts(5))
    found = gathered(net, x, layer="act", crops=0.5)
    assert found.places == crop_places(0.5, 2)
    crops = np.stack([cropped(x[2], place) for place in found.places])
    emitted = net.activations(crops, ["act"])[0]["act"].numpy()
    np.testing.assert_allclose(found.photos[2].crops, emitted.mean((2, 3)), atol=1e-12)


def test_a_broken_photo_ends_nothing_and_the_network_view_is_kept(honest, scenes):
    found = gathered(honest, scenes)
    assert [photo.number for photo in found.photos] == [0, 1, 2, 3, 5, 6, 7]
    assert [(each.number, Path(each.name).name) for each in found.broken] == [(4, "3b.png")]
    assert found.seen == 8
    assert {photo.view.size for photo in found.photos if photo.view} == {(96, 96)}
    assert all(photo.cells is not None for photo in found.photos)


def test_of_more_photos_some_are_drawn_by_the_seed(honest, scenes):
    found, again, other = (gathered(honest, scenes, most=5, seed=seed) for seed in (1, 1, 2))
    numbers = [photo.number for photo in found.photos]
    assert len(numbers) == 5
    assert numbers == [photo.number for photo in again.photos] != [photo.number for photo in other.photos]
    names = [Path(photo.name).name for photo in found.photos]
    assert names == [["0.png", "1.png", "2.png", "3.png", "3b.png", "4.png", "5.png", "6.png"][n] for n in numbers]
    assert all(each.number == 4 for each in found.broken)
    assert any("until there were 5" in note for note in found.notes)


def test_what_is_held_has_a_bound(monkeypatch):
    monkeypatch.setattr(gathering, "ROOM", 1)
    net = seewhy.wrap(model().network, batch_size=5)
    found = gathered(net, images(amounts(20)))
    assert len(found.photos) == 5
    assert "5 of 20 photos were looked at" in found.notes[0]


def test_who_asks_to_end_gets_what_is_done():
    net = seewhy.wrap(model().network, batch_size=5)
    with stoppable() as stop:
        stop.set()
        found = gathered(net, images(amounts(20)))
    assert len(found.photos) == 5
    assert found.notes == ("stopped early: 5 of 20 photos were looked at",)


def test_a_class_of_which_there_are_too_few_photos():
    net, x = model(), images(amounts(40))
    taken = net.answer(x).scores.argmax(1)
    few = np.concatenate([x[taken == 0][: FEWEST - 1], x[taken == 1][:10]])
    with pytest.raises(
        NotApplicable, match=r"4 of 14 photos are taken for first, and concepts take 5 at least: give more"
    ) as error:
        gathered(net, few, "first")
    assert "AnyOf('dog')" in str(error.value)
    assert "every=True" in str(error.value)
    assert "-t any:dog" in error.value.typed
    with pytest.raises(NotApplicable, match="There are 3 photos, and concepts take 5 at least"):
        gathered(net, x[:3])


def test_a_model_without_a_layer_of_space():
    from torch import nn

    flat = seewhy.wrap(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).double())
    with pytest.raises(BadParameter, match="has no layer that still has space"):
        gathered(flat, images(amounts(6)))


def test_a_photo_without_finite_numbers_ends_nothing():
    found = gathered(odd_numbers.model(), odd_numbers.images(7, dark=(0, 4)), layer="odd")
    assert [photo.number for photo in found.photos] == [1, 2, 3, 5, 6]
    assert [(left.number, left.name) for left in found.broken] == [(0, "image 0"), (4, "image 4")]
    assert "odd makes numbers that are not finite" in str(found.broken[0].error)


def test_a_photo_whose_scores_are_no_numbers_ends_nothing():
    found = gathered(odd_numbers.model(scores=True), odd_numbers.images(7, dark=(0, 4)), layer="odd")
    assert [photo.number for photo in found.photos] == [1, 2, 3, 5, 6]
    assert [(left.number, left.name) for left in found.broken] == [(0, "image 0"), (4, "image 4")]
    assert "hold NaN" in str(found.broken[0].error)
