"""Maps of concepts lie where the photo has them, on new photos as on those they were found in."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, NotApplicable
from support import odd_numbers, planted_patches
from support.planted_patches import amounts, images, model

OF = amounts(6)


@pytest.fixture(scope="module")
def found():
    return seewhy.concepts(model(), images(OF), "act", count=3, samples=2)


@pytest.fixture(scope="module")
def honest():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module", name="of_scenes")
def scenes_concepts():
    return planted_patches.of_scenes()


def test_new_photos_are_told_by_the_same_concepts(found):
    """A strength of 2 in the place of 1 is twice as much of the same concept."""
    once, twice = found.transform(model(), images(OF[:2])), found.transform(model(), images(2 * OF[:2]))
    assert [(m.place, m.source.method) for m in once] == [(i, f"concept {k}") for i in range(2) for k in (1, 2, 3)]
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_allclose(two.values, 2 * one.values, atol=1e-6)
    for i in range(2):
        maps = np.stack([m.values for m in once[3 * i : 3 * i + 3]])
        np.testing.assert_allclose(maps, found.photos[i].maps, atol=1e-6)
        np.testing.assert_array_equal(maps.argmax(0), found.photos[i].maps.argmax(0))


def test_a_map_knows_what_it_is_and_is_saved_with_that(found, tmp_path):
    (m, *_) = found.transform(model(), images(OF[:1]))
    assert m.source.params["count"] == 3
    assert m.source.layer == "act"
    assert m.source.weights_sha256 == found.model.weights_sha256
    assert m.source.caption == "concept 1 at act"
    assert seewhy.Heatmap.source_of(m.save(tmp_path / "map.npz")) == m.source


def test_it_lies_on_the_whole_photo_or_on_what_the_network_saw_of_it(honest, of_scenes):
    """A photo twice as wide as high: the network sees a square in its middle."""
    scene = seewhy.demo.scenes(5, 3)[0].image
    wide = Image.new("RGB", (192, 96), "white")
    wide.paste(scene, (48, 0))
    maps = of_scenes.transform(honest, wide)
    box = maps[0].box
    assert (box.left + box.right) / 2 == pytest.approx(96)
    assert maps[0].overlay().size == (192, 96)
    stored = of_scenes.heatmap(0, 1)
    assert tuple(stored.box) == (0, 0, *stored.image.size)
    assert stored.cells == of_scenes.photos[0].cells
    np.testing.assert_array_equal(stored.values, of_scenes.photos[0].maps[0])
    assert stored.source.image == of_scenes.photos[0].name


def test_a_broken_photo_is_told_beside_the_maps(honest, of_scenes, tmp_path):
    seewhy.demo.scenes(1, 3)[0].image.save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no photo")
    maps = of_scenes.transform(honest, tmp_path)
    assert len(maps) == 2
    assert [(each.place, each.name.endswith("b.png")) for each in maps.failed] == [(1, True)]


def test_concepts_of_other_weights_are_refused(found):
    other = model()
    other.network.head.weight.data += 1
    with pytest.raises(BadParameter, match="with other weights, and mean nothing in"):
        found.transform(other, images(OF[:1]))


def test_a_layer_that_emits_other_channels_now_is_refused(found):
    with pytest.raises(NotApplicable, match="act emits 4 channels here, and the concepts are of 5"):
        replace(found, bank=np.eye(3, 5)).transform(model(), images(OF[:1]))


def test_of_an_array_the_map_lies_on_its_numbers(found):
    stored = found.heatmap(2, 3)
    assert stored.image is None
    assert tuple(stored.box) == (0, 0, 8, 8)
    assert stored.full().shape == (8, 8)


def test_a_photo_without_finite_numbers_is_told_beside_the_maps():
    net = odd_numbers.model()
    found = seewhy.concepts(net, odd_numbers.images(6), "odd", count=2, samples=2)
    x = odd_numbers.images(3, dark=(1,), seed=1)
    maps = found.transform(net, x)
    np.testing.assert_array_equal([m.place for m in maps], [0, 0, 2, 2])
    assert [(left.place, left.name) for left in maps.failed] == [(1, "image 1")]
    np.testing.assert_allclose(maps[2].values, found.transform(net, x[2:])[0].values, rtol=1e-5)
