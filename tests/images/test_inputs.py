"""What a person may give as images: pictures still to be read, or a prepared batch."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import grad_cam, read
from seewhy.images.clip import Clip
from seewhy.images.inputs import PreparedBatch, is_clip, sort_out
from support.ask import close


def test_a_list_may_mix_every_kind(tmp_path, red_model):
    Image.new("RGB", (70, 70), "red").save(tmp_path / "file.png")
    kinds = [tmp_path / "file.png", str(tmp_path / "file.png"), Image.new("RGB", (70, 70), "red"),
             np.broadcast_to(np.array([255, 0, 0], np.uint8), (70, 70, 3)), np.zeros((70, 70), np.uint8),
             read(tmp_path / "file.png")]  # fmt: skip
    maps = grad_cam(red_model, kinds, target="red")
    assert [m.source.image for m in maps] == [str(tmp_path / "file.png")] * 2 + ["image 2", "image 3", "image 4"] + [
        str(tmp_path / "file.png")
    ]
    assert [m.source.score for m in maps] == [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    assert len(grad_cam(red_model, tuple(kinds))) == len(grad_cam(red_model, (k for k in kinds))) == 6


def test_a_uint8_batch_is_its_pictures_one_by_one(red_model):
    batch = np.zeros((3, 64, 64, 3), np.uint8)
    batch[1, :32] = (255, 0, 0)
    maps = grad_cam(red_model, batch, target="red")
    assert [m.source.image for m in maps] == ["image 0", "image 1", "image 2"]
    close(maps[1].values, grad_cam(red_model, batch[1], target="red")[0].values, rel=1e-5)
    assert [m.values.any() for m in maps] == [False, True, False]


def test_floats_of_four_axes_are_taken_as_prepared(red_model):
    torch = pytest.importorskip("torch")
    x = np.zeros((2, 3, 64, 64), np.float32)
    x[0, 0, :4, :4] = 1
    for batch in (x, torch.from_numpy(x), x.astype(np.float64), torch.from_numpy(x).requires_grad_(), x.astype(np.float16)):
        maps = grad_cam(red_model, batch, target="red")
        assert [m.image for m in maps] == [None, None]
        assert maps[0].values[0, 0] == maps[0].values.max() > 0
        assert tuple(maps[0].box) == (0, 0, 64, 64)


def test_half_precision_batches_do_not_overflow_in_the_check(red_model):
    torch = pytest.importorskip("torch")
    x = np.full((1, 3, 256, 256), 0.9, np.float16)  # its sum is beyond what float16 holds, none of its pixels is
    for batch in (x, torch.from_numpy(x)):
        assert len(grad_cam(red_model, batch)) == 1


def test_what_is_prepared_stays_prepared():
    x = PreparedBatch(np.zeros((1, 3, 4, 4), np.float32))
    assert sort_out(x) is x


def test_one_image_of_any_kind_is_a_list_of_one():
    photo = Image.new("RGB", (2, 2))
    volume = seewhy.Volume(np.zeros((2, 2, 2)), np.eye(4))
    clip = Clip((photo,))
    for image in ("a.png", Path("a.png"), b"GIF89a", photo, volume, clip, np.zeros((4, 5, 3), np.uint8)):
        assert [*map(id, sort_out(image))] == [id(image)]
    assert is_clip(clip)
    assert not is_clip(photo)


def test_floats_are_told_by_their_axes():
    signal = np.zeros((2, 3, 40))
    assert sort_out(signal, signals=True).x is signal
    assert sort_out(signal, signals=lambda: True).x is signal
    sort_out(signal[None], signals=lambda: pytest.fail("of four axes there is nothing to ask"))
    for wrong, said in (
        (signal, r"float array \(2, 3, 40\) is no prepared batch \(n, c, h, w\)"),
        (np.zeros((0, 3, 4, 4)), r"batch \(0, 3, 4, 4\) is empty"),
        ([signal, signal], "Stack it"),
        ([], "No images were given"),
        (3, "int is no image"),
    ):
        with pytest.raises(seewhy.BadImage, match=said):
            sort_out(wrong)
