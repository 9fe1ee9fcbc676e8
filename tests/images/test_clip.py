"""Clips: every frame, in order, upright and on white; what is no clip is one clear error that names it."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadImage
from seewhy.images.clip import Clip, read_clip


def film(count=5, size=(24, 16)):
    """Frames with a white square that wanders right over greys that differ."""
    frames = []
    for t in range(count):
        pixels = np.full((size[1], size[0], 3), 20 * t, np.uint8)
        pixels[4:8, 3 * t : 3 * t + 4] = 255
        frames.append(Image.fromarray(pixels))
    return frames


def stored(path, frames, **how):
    frames[0].save(path, save_all=True, append_images=frames[1:], **how)
    return path


def same(clip, frames):
    assert [f.mode for f in clip.frames] == ["RGB"] * len(frames)
    assert len(clip) == len(frames)
    for found, meant in zip(clip.frames, frames, strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(meant))


@pytest.mark.parametrize(("name", "how"), [("a.gif", {}), ("a.webp", {"lossless": True}), ("a.png", {}), ("a.tif", {})])
def test_every_frame_of_an_animation_is_read(tmp_path, name, how):
    path = stored(tmp_path / name, film(), **how)
    clip = read_clip(str(path))
    same(clip, film())
    assert clip.name == str(path)
    assert clip.notes == ()
    assert clip.size == (24, 16)


def test_an_open_animation_stays_where_it_was(tmp_path):
    with Image.open(stored(tmp_path / "a.gif", film())) as opened:
        opened.seek(3)
        same(read_clip(opened), film())
        assert opened.tell() == 3


@pytest.mark.parametrize(
    ("name", "how"), [("a.webp", {"lossless": True, "kmin": 1, "kmax": 1}), ("a.png", {}), ("a.gif", {"disposal": 2})]
)
def test_transparency_lies_on_white(tmp_path, name, how):
    frames = []
    for t in range(3):
        pixels = np.zeros((8, 8, 4), np.uint8)
        pixels[2:4, 2 * t : 2 * t + 2] = (200, 0, 0, 255)
        frames.append(Image.fromarray(pixels))
    clip = read_clip(stored(tmp_path / name, frames, **how))
    for t, frame in enumerate(clip.frames):
        pixels = np.asarray(frame)
        assert (pixels[5:] == 255).all()
        assert pixels[2:4, 2 * t : 2 * t + 2].tolist() == [[[200, 0, 0]] * 2] * 2
        assert (np.delete(pixels[2], (2 * t, 2 * t + 1), 0) == 255).all(), "nothing is left of the frames before"


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for t, frame in enumerate(film(12)):
        frame.save(tmp_path / f"frame{t}.png")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "below").mkdir()
    same(read_clip(tmp_path), film(12))


def test_a_clip_of_pictures_one_by_one(tmp_path):
    frames = film()
    frames[0].save(tmp_path / "0.png")
    same(
        read_clip([tmp_path / "0.png", str(tmp_path / "0.png"), frames[2], np.asarray(frames[3])]),
        [frames[0], *frames[:1], *frames[2:4]],
    )
    same(read_clip(tuple(frames)), frames)
    same(read_clip(frame for frame in frames), frames)
    same(read_clip(np.stack([np.asarray(f) for f in frames])), frames)
    clip = read_clip(frames, "walk")
    assert clip.name == "walk"
    assert read_clip(clip) is clip


def test_frames_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    film(1)[0].save(tmp_path / "turned.png", exif=exif)
    assert read_clip([tmp_path / "turned.png"] * 2).size == (16, 24)


def test_a_single_frame_is_a_clip_and_said_to_be_one(tmp_path):
    film(1)[0].save(tmp_path / "one.png")
    for given in (tmp_path / "one.png", [film(1)[0]], film(1)[0]):
        clip = read_clip(given)
        assert len(clip) == 1
        assert "single frame" in clip.notes[0]


def test_notes_of_frames_are_kept_and_named(tmp_path):
    stored(tmp_path / "moves.gif", film(3))
    clip = read_clip([tmp_path / "moves.gif", film(1)[0]])
    assert clip.notes == (f"{tmp_path / 'moves.gif'}: animated (3 frames): the first frame is explained",)


def test_mixed_sizes_are_told_with_both_names(tmp_path):
    for t, size in enumerate(((24, 16), (24, 16), (16, 24))):
        film(1, size)[0].save(tmp_path / f"f{t}.png")
    with pytest.raises(BadImage, match=r"not of one size: .*f2\.png is 16x24, .*f0\.png 24x16"):
        read_clip(tmp_path)
    with pytest.raises(BadImage, match=r"frame 1 is 16x24, .*frame 0 24x16"):
        read_clip([film(1)[0], film(1, (16, 24))[0]])
    with pytest.raises(BadImage, match="frame 1 is 16x24, frame 0 24x16"):
        Clip((film(1)[0], film(1, (16, 24))[0]))


def cut(path):
    stored(path, [Image.effect_noise((64, 64), 80).convert("RGB") for _ in range(6)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])


BROKEN = {
    "missing.gif": (lambda p: None, "not there"),
    "empty": (lambda p: p.mkdir(), "without pictures. Give"),
    "text.gif": (lambda p: p.write_text("I am a letter."), "not an image"),
    "film.mp4": (lambda p: p.write_bytes(b"\0\0\0\x18ftypmp42"), "ffmpeg"),
    "half.gif": (cut, "cannot be read"),
    "half.webp": (cut, "cannot be read"),
    "half.png": (cut, "cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_clip_is_named(tmp_path, name):
    make, said = BROKEN[name]
    make(tmp_path / name)
    with pytest.raises(BadImage) as caught:
        read_clip(tmp_path / name)
    assert name in str(caught.value)
    assert said in str(caught.value)


def test_a_folder_of_other_things_and_a_broken_frame(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(BadImage, match="without pictures, only 1 other file"):
        read_clip(tmp_path)
    film(1)[0].save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(BadImage, match=r"1\.png is not an image"):
        read_clip(tmp_path)


@pytest.mark.parametrize("given", [[], (), None, 3, b"GIF89a", np.zeros((4, 4, 3), np.uint8), np.zeros((2, 4, 4, 3))], ids=repr)
def test_what_cannot_be_a_clip_is_refused(given):
    with pytest.raises(BadImage):
        read_clip(given)
    with pytest.raises(BadImage, match="no frames"):
        Clip(())


def test_too_large_a_clip_is_refused_before_its_frames_are_kept(tmp_path, monkeypatch):
    path = stored(tmp_path / "a.gif", film(9))
    for given in (path, film(9)):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 16 * 9 // 4 - 1)
        with pytest.raises(BadImage, match="too large: 9 frames of 24x16 pixels"):
            read_clip(given)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 16 * 9 // 4)
        assert len(read_clip(given)) == 9
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
        assert len(read_clip(given)) == 9
