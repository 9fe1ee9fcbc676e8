"""Images at the border to the network: batches of one shape, and where each image came from."""

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import grad_cam
from seewhy.errors import BadImage, BadParameter, NotApplicable, SeewhyError
from seewhy.images.clip import Clip
from seewhy.images.inputs import sort_out
from seewhy.images.places import Extent, Grid, Turned
from seewhy.prepare.batch import LOST, Batch, batches, blank, full, grey, in_frames, opened_photo, prepared, preparer
from seewhy.prepare.callable_fit import CallableFit
from seewhy.prepare.clip_fit import ClipFit
from seewhy.prepare.fit import Fit
from seewhy.prepare.volume_fit import VolumeFit
from support.files.scans import AFFINES, Sees, mm, peak_mm, scan, volume

PLAIN = Fit(size=None, crop=None, mean=0, std=1)


def model(block: int = 1, prepare=None, channels: int = 1):
    return seewhy.wrap(Sees(block, channels).double(), prepare=prepare, name="sees")


def test_a_prepared_batch_is_mapped_on_itself():
    x = np.zeros((2, 1, 10, 12, 8))
    x[0, 0, 2, 3, 4] = x[1, 0, 7, 8, 1] = 1
    maps = seewhy.grad_cam(model(), x, target=0, layer="see")
    assert [np.unravel_index(m.full().argmax(), m.size) for m in maps] == [(2, 3, 4), (7, 8, 1)]
    assert maps[0].image is None
    assert maps[0].overlay(legend=True).height >= maps[0].overlay().height
    with pytest.raises(NotApplicable, match="not a prepared array"):
        maps[0].save("map.nii")


def test_a_signal_is_kept_under_its_map():
    network = torch.nn.Sequential(torch.nn.Conv1d(2, 1, 1), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()).double()
    x = np.random.default_rng(0).normal(size=(2, 2, 40))
    maps = seewhy.occlusion(seewhy.wrap(network), x, target=0, window=5, stride=5)
    np.testing.assert_allclose(maps[1].image, x[1], atol=1e-6)
    assert maps[1].size == maps[1].full().shape == (40,)
    drawn = maps[1].overlay(legend=True)
    assert drawn.width == 1200
    assert drawn.height > maps[1].overlay().height


def test_several_volumes_of_different_size_keep_their_order(tmp_path):
    scans = [volume(AFFINES["plain"], voxel=(3, 4, 5)), volume(AFFINES["flipped"], shape=(10, 12, 14), voxel=(7, 2, 3))]
    scans.append(volume(AFFINES["rotated"], voxel=(18, 20, 9)))
    maps = seewhy.grad_cam(model(), scans, target=0, layer="see")
    for m, scanned, voxel in zip(maps, scans, [(3, 4, 5), (7, 2, 3), (18, 20, 9)], strict=True):
        assert m.image is scanned
        np.testing.assert_allclose(peak_mm(m.full(), scanned.affine), mm(scanned.affine, voxel), atol=1e-4)


def test_a_photo_to_a_network_of_volumes_and_the_other_way_round(red_model, red_dot, tmp_path):
    red_dot((20, 20), 5, 5).save(tmp_path / "a.png")
    ours = model(prepare={"axes": "kji"})
    for photo in (tmp_path / "a.png", red_dot((20, 20), 5, 5)):
        with pytest.raises(BadImage, match=r"no volume"):
            seewhy.grad_cam(ours, photo, layer="see")
    nibabel.save(nibabel.Nifti1Image(scan(AFFINES["plain"]), np.eye(4)), tmp_path / "a.nii")
    for scanned in (tmp_path / "a.nii", volume(AFFINES["plain"])):
        with pytest.raises(BadImage, match=r"is a volume; red takes photos.*wrap"):
            seewhy.grad_cam(red_model, scanned)
    with pytest.raises(BadParameter, match="it takes volumes"):
        seewhy.occlusion(ours, volume(AFFINES["plain"]), window=5, fill="black")


def test_photos_of_many_sizes_are_batched_by_shape_in_their_order(red_network, red_dot):
    model = seewhy.wrap(red_network, prepare={"size": 32, "crop": None, "mean": 0, "std": 1}, batch_size=2)
    photos = [red_dot((64, 64), 16, 16), red_dot((128, 64), 100, 32), red_dot((64, 64), 48, 48), red_dot((64, 64), 16, 48),
              red_dot((64, 64), 48, 16)]  # fmt: skip
    maps = grad_cam(model, photos, target=0)
    assert [m.place for m in maps] == [0, 1, 2, 3, 4]
    hot = [np.unravel_index(m.full().argmax(), m.full().shape) for m in maps]
    for (y, x), (at_x, at_y) in zip(hot, [(16, 16), (100, 32), (48, 48), (16, 48), (48, 16)], strict=True):
        assert abs(x - at_x) <= 8
        assert abs(y - at_y) <= 8


def test_a_prepare_that_gives_nan_names_the_photo(red_network, noise, tmp_path):
    noise((50, 40)).save(tmp_path / "cat.png")
    model = seewhy.wrap(red_network, prepare=lambda p: np.full((3, 8, 8), np.nan, np.float32))
    with pytest.raises(SeewhyError, match=r"cat\.png.*NaN"):
        grad_cam(model, tmp_path / "cat.png")


def test_wrap_without_prepare_says_so_when_given_a_photo(red_network, noise):
    model = seewhy.wrap(red_network, name="mine")
    with pytest.raises(BadParameter, match=r"mine was wrapped without `prepare`.*\(n, c, h, w\).*prepare="):
        grad_cam(model, noise((50, 40)))
    assert len(grad_cam(model, np.zeros((1, 3, 8, 8), np.float32))) == 1


def test_a_preparer_is_told_by_what_it_is_given():
    fit = preparer({"size": [8, 9], "crop": None})
    assert fit == Fit(size=(8, 9), crop=None)
    assert preparer({"crop": (4, 4, 4)}) == VolumeFit(crop=(4, 4, 4))
    assert preparer({"count": 3, "size": 8, "crop": None}) == ClipFit(Fit(size=8, crop=None), 3)
    assert isinstance(preparer(np.asarray), CallableFit)
    assert preparer(fit) is fit
    assert preparer(None) is None
    for wrong in (3, Fit, {"sice": 8}):
        with pytest.raises(BadParameter, match="`prepare`"):
            preparer(wrong)


def test_a_batch_knows_its_parts_and_what_the_network_saw(noise):
    photos = [noise((40, 30), seed=k) for k in range(3)]
    (batch,) = batches(photos, Fit(size=(15, 20), crop=10, mean=0, std=1), lambda _: 8, "mine")
    assert batch.names == ["image 0", "image 1", "image 2"]
    assert batch.boxes == [Extent(10, 4, 30, 24)] * 3  # the margin of 2.5 pixels is rounded to the even 2
    shown = batch.network_view(1)
    assert shown.size == (10, 10)
    assert np.array_equal(np.asarray(shown), np.asarray(photos[1].crop((10, 4, 30, 24)).resize((10, 10), 2)))
    part = batch.part(1, 3)
    assert part.names == ["image 1", "image 2"]
    assert np.array_equal(part.x, batch.x[1:])


def test_prepared_batches_come_in_parts_that_keep_their_places():
    x = np.arange(5 * 3 * 2 * 2, dtype=np.float32).reshape(5, 3, 2, 2)
    parts: list[Batch] = list(batches(x, None, lambda _: 2, "mine"))
    assert [part.names for part in parts] == [["image 0", "image 1"], ["image 2", "image 3"], ["image 4"]]
    assert np.array_equal(np.concatenate([part.x for part in parts]), x)
    assert parts[2].boxes == [Extent(0, 0, 2, 2)]
    assert parts[0].network_view(0) is None
    x[3, 0, 0, 0] = np.inf
    with pytest.raises(BadImage, match=r"^image 3: the prepared array holds NaN or infinity"):
        list(batches(x, None, lambda _: 2, "mine"))


def test_clips_are_frames_to_a_model_of_photos_and_lie_in_time_to_one_of_clips():
    clip = Clip(tuple(Image.new("RGB", (8, 6), (place, 0, 0)) for place in range(4)), "walk")
    names = [photo.name for photo in in_frames(sort_out(clip), PLAIN)]
    assert names == [f"walk, frame {place}" for place in range(4)]
    (batch,) = batches(clip, ClipFit(PLAIN, 2), lambda _: 8, "mine")
    assert batch.x.shape == (1, 3, 2, 6, 8)
    assert batch.boxes == [Grid((0, 1, 2), (0.5, 0.0, 0.0), (2.0, 1.0, 1.0), (2, 6, 8), (4, 6, 8))]


def quarter(photo):
    """Turned to the left."""
    return np.asarray(photo.transpose(Image.Transpose.ROTATE_90), np.float32).transpose(2, 0, 1) / 255


def test_a_turned_clip_lies_in_time_and_space():
    clip = Clip(tuple(Image.new("RGB", (8, 6), (0, place, 0)) for place in range(4)), "walk")
    (batch,) = batches(clip, ClipFit(quarter, 2), lambda _: 8, "mine")
    assert batch.x.shape == (1, 3, 2, 8, 6)
    axes, first, step, size, shape = batch.boxes[0]
    assert (axes, size, shape) == ((0, 2, 1), (2, 8, 6), (4, 6, 8))
    np.testing.assert_allclose((first, step), ((0.5, 7, 0), (2, -1, 1)), atol=0.01)


def test_what_the_network_saw_of_a_turned_photo_is_turned(noise):
    (batch,) = batches(noise((40, 30)), preparer(quarter), lambda _: 8, "mine")
    assert isinstance(batch.boxes[0], Turned)
    assert batch.known_box(0) is batch.boxes[0]
    np.testing.assert_array_equal(batch.network_view(0), noise((40, 30)).transpose(Image.Transpose.ROTATE_90))


def test_where_the_part_is_not_known_the_whole_photo_stands_for_it_and_is_not_said_to_be_seen(noise):
    (batch,) = batches(noise((40, 30)), preparer(lambda photo: quarter(photo.rotate(20))), lambda _: 8, "mine")
    assert batch.boxes == [Extent(0, 0, 40, 30)]
    assert batch.notes == [(LOST,)]
    assert batch.known_box(0) is None
    assert batch.network_view(0) is None


def test_a_grey_photo_of_any_size_is_prepared():
    np.testing.assert_allclose(blank(PLAIN, (5, 4), 51), np.full((3, 4, 5), 0.2), rtol=1e-6)
    assert blank(preparer(quarter), (5, 4), 51).shape == (3, 5, 4)


def test_images_of_one_shape_go_together_and_how_many_depends_on_it(noise):
    photos = [noise((side, side), seed=k) for k, side in enumerate([8, 8, 8, 8, 16, 16, 16, 8])]
    asked = []

    def together(space):
        asked.append(space)
        return 24 // space[0]

    parts = [*batches(photos, PLAIN, together, "mine")]
    assert [part.x.shape[::2] for part in parts] == [(3, 8), (1, 8), (1, 16), (1, 16), (1, 16), (1, 8)]
    assert {*asked} == {(8, 8), (16, 16)}


def test_fewer_volumes_than_photos_go_in_one_batch():
    (large,) = prepared([volume(AFFINES["plain"], shape=(16, 16, 16))], VolumeFit(), "mine")
    (photo,) = prepared([Image.new("RGB", (16, 16))], PLAIN, "mine")
    room, many = 2**28 // (16**3 * 4), 10**6

    def first_full(ready, most):
        return next(n for n in (1, 7, 8, room - 1, room, many) if full([ready] * n, lambda _: most))

    assert [first_full(photo, 8), first_full(photo, many)] == [8, many]
    assert [first_full(large, 8), first_full(large, many)] == [8, room]


def test_the_level_of_a_grey_photo_is_what_the_preparer_makes_of_it():
    np.testing.assert_allclose(grey(Fit(mean=0.5, std=0.25), 255), 2)
    np.testing.assert_allclose(grey(ClipFit(PLAIN), 51), 0.2, rtol=1e-6)
    assert grey(VolumeFit(), 0) is None
    assert grey(None, 0) is None


def test_a_photos_file_is_opened_for_a_model_of_photos_alone(tmp_path, noise):
    path = tmp_path / "photo.png"
    noise((9, 7)).save(path)
    decode = opened_photo(str(path), Fit(), "a model")
    assert decode is not None
    assert decode().pixels.tobytes() == noise((9, 7)).tobytes()
    assert opened_photo(str(path), VolumeFit(), "a model") is None
    assert opened_photo(str(path), ClipFit(Fit()), "a model") is None
    assert opened_photo(str(tmp_path / "scan.nii.gz"), None, "a model") is None
    with pytest.raises(BadImage, match="is a volume; a model takes photos"):
        opened_photo(str(tmp_path / "scan.nii.gz"), Fit(), "a model")
    with pytest.raises(BadParameter, match="was wrapped without `prepare`"):
        opened_photo(str(path), None, "a model")


@pytest.mark.parametrize(
    ("given", "crop"),
    [
        ({"size": 64}, 64),
        ({"size": (64, 300)}, (64, 300)),
        ({"size": 256}, 224),
        ({"size": 64, "crop": 96}, 96),
        ({"size": 64, "crop": None}, None),
        ({"size": None}, 224),
        ({"mean": 0.5}, 224),
    ],
)
def test_a_size_below_the_usual_crop_is_seen_whole(given, crop):
    """A photo in the middle of a frame of black is what nobody asks for by `size=64` alone."""
    assert preparer(given).crop == crop
