"""One image of which no map can be made among others: left out, or the error has what was made before."""

import gc
import weakref

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy import PerImage
from seewhy.explaining import batching
from seewhy.explaining.engine import explain_batch
from support import networks
from support.ask import values

SIDE = 24


def photo(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


class Mean(nn.Module):
    """Scores (n, 3), and how many images it was given in all."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.seen, self.fails = networks.pooled(), 0, None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        if self.fails is not None:
            self.fails(x)
        return self.body(x)


def model(**more):
    return seewhy.wrap(Mean(), prepare={"size": None, "crop": None}, **more)


@pytest.fixture
def files(tmp_path):
    """Six photos, the third and the sixth of which are none."""
    for i in range(6):
        photo(i).save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_text("no picture")
    (tmp_path / "5.png").unlink()
    return [str(tmp_path / f"{i}.png") for i in range(6)]


GOOD = [0, 1, 3, 4]


@pytest.mark.parametrize("most", [1, 2, 3, 32])
@pytest.mark.parametrize("method", ["grad-cam", "gradient", "occlusion"])
def test_photos_that_cannot_be_read_are_left_out_and_told(files, method, most):
    asked = seewhy.METHODS[method]
    maps = asked(model(batch_size=most), files, target=[0, 1], on_error="skip")
    assert [m.place for m in maps] == [place for place in GOOD for _ in range(2)]
    assert [m.source.image for m in maps][::2] == [files[i] for i in GOOD]
    assert [(one.place, one.name, type(one.error)) for one in maps.failed] == [
        (2, files[2], seewhy.BadImage), (5, files[5], seewhy.BadImage),
    ]  # fmt: skip
    assert "5.png is not there" in str(maps.failed[1].error)
    alone = [m for i in GOOD for m in asked(model(), files[i], target=[0, 1])]
    np.testing.assert_allclose(values(maps), values(alone), rtol=1e-5, atol=1e-6)
    assert "2 left out" in repr(maps)
    assert maps[:1].failed == maps.where(target=0).failed == maps.failed
    assert [one.place for one in maps.where(image=files[2]).failed] == [2] == [one.place for one in maps.where(image=2).failed]
    assert not maps.where(image=0).failed


@pytest.mark.parametrize("most", [1, 2, 32])
def test_the_error_has_all_maps_made_before_it(files, most):
    with pytest.raises(seewhy.BadImage, match=r"2\.png") as caught:
        seewhy.explain(model(batch_size=most), files, ["grad-cam", "hires-cam"])
    assert [(m.place, m.source.method) for m in caught.value.partial] == [
        (i, name) for i in (0, 1) for name in ("grad-cam", "hires-cam")
    ]
    assert caught.value.__notes__ == [f"seewhy: this was image 2 of 6, {files[2]}"]
    with pytest.raises(seewhy.BadImage, match="not there") as caught:
        seewhy.grad_cam(model(), files[5:])
    assert caught.value.partial is None
    assert not hasattr(caught.value, "__notes__")


def test_no_other_image_is_computed_twice(files):
    own = model()
    seewhy.grad_cam(own, files[0])  # which looks at the layers
    before = own.network.seen
    seewhy.grad_cam(own, files[:5], on_error="skip")
    assert own.network.seen - before == 4


def test_arrays_are_called_by_their_place():
    images = [np.asarray(photo(0)), np.zeros(5, np.uint8), np.asarray(photo(1)), None]
    maps = seewhy.grad_cam(model(), images, on_error="skip")
    assert [m.source.image for m in maps] == ["image 0", "image 2"]
    assert [(one.place, one.name) for one in maps.failed] == [(1, "image 1"), (3, "image 3")]
    assert str(maps.failed[0].error).startswith("image 1: an array (5,)")


def test_a_prepared_image_with_nan_is_left_out():
    x = networks.images(5, SIDE, SIDE)
    x[[1, 3]] = np.nan
    own = seewhy.wrap(Mean(), batch_size=3)
    maps = seewhy.grad_cam(own, x, target=PerImage([0, 1, 2, 0, 1]), on_error="skip")
    assert [(m.place, m.source.image, m.source.index) for m in maps] == [
        (0, "image 0", 0),
        (2, "image 2", 2),
        (4, "image 4", 1),
    ]
    assert [(one.place, str(one.error)[:8]) for one in maps.failed] == [(1, "image 1:"), (3, "image 3:")]
    (alone,) = seewhy.grad_cam(seewhy.wrap(own.network), x[4:], target=1)
    np.testing.assert_allclose(maps[2].values, alone.values, rtol=1e-5, atol=1e-7)
    with pytest.raises(seewhy.BadImage, match="image 3: the prepared") as caught:
        seewhy.grad_cam(own, np.delete(x, 1, 0)[[0, 1, 1, 2]])
    assert [m.place for m in caught.value.partial] == [0, 1, 2]


def test_targets_of_their_own_stay_with_their_images(files):
    maps = seewhy.grad_cam(model(), files, target=PerImage([0, 1, 2, 0, 1, 2]), on_error="skip")
    assert [(m.place, m.source.index) for m in maps] == [(0, 0), (1, 1), (3, 0), (4, 1)]


def test_an_image_that_the_network_fails_on_is_found_among_others():
    def fails(x: torch.Tensor) -> None:
        if (x.amax((1, 2, 3)) > 50).any():
            raise ValueError("too bright")

    x = networks.images(8, SIDE, SIDE)
    x[5] *= 1000
    own = seewhy.wrap(Mean())
    own.layers(x[:1])
    own.network.fails = fails
    maps = seewhy.grad_cam(own, x, target=0, on_error="skip")
    assert [m.place for m in maps] == [0, 1, 2, 3, 4, 6, 7]
    assert [(one.place, type(one.error)) for one in maps.failed] == [(5, seewhy.BadNetwork)]
    with pytest.raises(seewhy.BadNetwork, match="too bright") as caught:
        seewhy.grad_cam(own, x, target=0)
    assert caught.value.__notes__ == ["seewhy: this was image 5 of 8, image 5"]
    assert [m.place for m in caught.value.partial] == [0, 1, 2, 3, 4]


def test_a_preparer_that_fails_on_one_photo_costs_no_other():
    def prepare(photo: Image.Image) -> np.ndarray:
        if photo.getpixel((0, 0)) == (1, 2, 3):
            raise KeyError("lens")
        return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255

    odd = photo(1)
    odd.putpixel((0, 0), (1, 2, 3))
    own = seewhy.wrap(Mean(), prepare=prepare)
    images = [photo(0), odd, photo(2), photo(3)]
    maps = seewhy.grad_cam(own, images, target=0, on_error="skip")
    assert [m.place for m in maps] == [0, 2, 3]
    assert [(one.place, repr(one.error)) for one in maps.failed] == [(1, "KeyError('lens')")]
    with pytest.raises(KeyError, match="lens") as caught:
        seewhy.grad_cam(own, images, target=0)
    assert [m.place for m in caught.value.partial] == [0]


def test_out_of_memory_with_one_image_leaves_it_out():
    x = networks.images(3, SIDE, SIDE)
    x[1] *= 1000

    def fails(x: torch.Tensor) -> None:
        if (x.amax((1, 2, 3)) > 50).any():
            raise MemoryError("no room")

    own = seewhy.wrap(Mean())
    own.layers(x[:1])
    own.network.fails = fails
    maps = seewhy.grad_cam(own, x, target=0, on_error="skip")
    assert [m.place for m in maps] == [0, 2]
    assert "memory" in str(maps.failed[0].error)


def test_what_is_wrong_with_the_question_is_raised(files):
    for asked in ({"target": "no such label"}, {"target": 99}, {"layer": "nowhere"}, {"on_error": "ignore"}):
        with pytest.raises(seewhy.Misuse):
            seewhy.grad_cam(model(labels=["a", "b", "c"]), files, **{"on_error": "skip", **asked})
    with pytest.raises(seewhy.BadParameter, match="wrapped without `prepare`"):
        seewhy.grad_cam(seewhy.wrap(Mean()), files, on_error="skip")


def test_of_nothing_but_bad_images_there_are_no_maps(files):
    maps = seewhy.grad_cam(model(), [files[5], files[2]], on_error="skip")
    assert len(maps) == 0
    assert [one.place for one in maps.failed] == [0, 1]


@pytest.mark.parametrize("tile", [16, 64])
def test_large_images_by_tiles_are_left_out_alike(files, tile):
    maps = seewhy.grad_cam(model(), files, tile=tile, target=0, on_error="skip")
    assert [(m.place, m.source.image) for m in maps] == [(i, files[i]) for i in GOOD]
    assert [one.place for one in maps.failed] == [2, 5]
    with pytest.raises(seewhy.BadImage, match=r"2\.png") as caught:
        seewhy.grad_cam(model(), files, tile=tile, target=0)
    assert [m.place for m in caught.value.partial] == [0, 1]
    x = networks.images(3, SIDE, SIDE)
    x[1] = np.inf
    maps = seewhy.grad_cam(seewhy.wrap(Mean()), x, tile=tile, target=0, on_error="skip")
    assert [m.place for m in maps] == [0, 2]
    assert [one.place for one in maps.failed] == [1]


def test_an_error_that_is_kept_holds_nothing_of_the_network(files):
    own = seewhy.wrap(Mean(), prepare={"size": None, "crop": None})
    maps = seewhy.grad_cam(own, files, on_error="skip")
    watched = weakref.ref(own.network)
    del own
    gc.collect()
    assert watched() is None
    assert all(one.error.__traceback__ is None for one in maps.failed)


def test_a_network_that_fails_on_batches_alone_is_an_error_where_nothing_is_skipped():
    """One image at a time its output could be read as scores; of two it is no score of either."""

    class Flat(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)).flatten()[None]

    x = np.zeros((2, 3, 8, 8), np.float32)
    with pytest.raises(seewhy.BadNetwork, match="for 2 images"):
        seewhy.gradient(seewhy.wrap(Flat()), x)


def counted(**more):
    """A model of photos of 256 x 256, of which four go at once on a CPU; and how many images each of its passes had."""
    network, passes = networks.pooled(), []
    network.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    return seewhy.wrap(network, prepare={"size": None, "crop": None}, **more), passes


SHARED = [(method, None, [4, 4, 1]) for method in ("grad-cam", "gradient", "eigen-cam", "cam", "lrp")]


@pytest.mark.parametrize(("method", "most", "sizes"), [*SHARED, ("grad-cam", 6, [6, 3]), ("gradient", 6, [6, 3])])
def test_as_many_images_share_a_pass_as_suit_their_size(method, most, sizes):
    own, passes = counted(batch_size=most)
    large = [photo(i).resize((256, 256)) for i in range(9)]
    asked = seewhy.METHODS[method]
    asked(own, large[:1])  # which looks at the layers
    passes.clear()
    listed = asked(own, large)
    assert passes == sizes
    passes.clear()
    together = asked(own, np.stack([own.prepare(each) for each in large]))
    assert passes == sizes
    for m, other in zip(listed, together, strict=True):
        np.testing.assert_array_equal(m.values, other.values)


def test_no_more_photos_are_read_than_share_a_pass():
    own, passes = counted()
    read = []

    class Lazy(list):
        def __iter__(self):
            for i in range(len(self)):
                read.append(i)
                yield photo(i).resize((256, 256))

    collector = batching.Collector("raise", 9)
    seen = [(place, len(batch.x), len(read)) for place, batch in batching.batched(own, Lazy(range(9)), False, collector)]
    assert seen == [(0, 4, 4), (4, 4, 8), (8, 1, 9)]
    assert not passes


def test_of_targets_that_are_the_same_in_an_image_a_collector_can_ask_for_the_first_alone(red_model, red_dot):
    class Sparing(batching.Collector):
        distinct, recording = True, False

    (batch,) = red_model.batches([red_dot((64, 64), 20, 30), red_dot((64, 64), 50, 10)])
    targets = [seewhy.Top(), seewhy.PerImage([seewhy.Class(0), seewhy.Class(1)]), seewhy.Class(0)]
    usual, sparing = batching.Collector("raise", 2), Sparing("raise", 2)
    for collector in (usual, sparing):
        explain_batch(red_model, batch, 0, [seewhy.grad_cam], targets, [None], collector)
    assert [(each.place, each.source.index) for each in usual.maps] == [(0, 0), (0, 0), (0, 0), (1, 0), (1, 1), (1, 0)]
    assert [(each.place, each.source.index) for each in sparing.maps] == [(0, 0), (1, 0), (1, 1)]
    assert [bool(each.source.values) for each in (usual.maps[0], sparing.maps[0])] == [True, False]
