"""Frames of animated files: composed as browsers compose them, upright, by the policy that photos have."""

import io
import struct
import time

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seewhy import read, read_clip
from seewhy.errors import BadImage
from support.files.pictures import apng, gif

SIZE = (12, 9)  # width, height
PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)


def part(rng: np.random.Generator, whole: bool) -> tuple[int, int, int, int]:
    """(h, w, left, top)"""
    if whole:
        return SIZE[1], SIZE[0], 0, 0
    width, height = int(rng.integers(1, SIZE[0] + 1)), int(rng.integers(1, SIZE[1] + 1))
    return height, width, int(rng.integers(0, SIZE[0] - width + 1)), int(rng.integers(0, SIZE[1] - height + 1))


def over(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Porter and Duff 1984: what a half-transparent picture on another shows.  Of (h, w, 4), from 0 to 255."""
    a, b = above[..., 3:] / 255, below[..., 3:] / 255
    both = a + b * (1 - a)
    colour = (above[..., :3] * a + below[..., :3] * b * (1 - a)) / np.maximum(both, 1e-9)
    return np.concatenate([colour, both * 255], -1)


def on_white(canvas: np.ndarray) -> np.ndarray:
    return over(np.full_like(canvas, 255.0), canvas)[..., :3]


def shown(parts: list) -> list[np.ndarray]:
    """(pixels, left, top, after, blend) of each part; after: 0 stay, 1 clear, 2 as before."""
    canvas, found = np.zeros((SIZE[1], SIZE[0], 4)), []
    for pixels, left, top, after, blend in parts:
        before, where = canvas.copy(), np.s_[top : top + pixels.shape[0], left : left + pixels.shape[1]]
        canvas[where] = over(canvas[where], pixels.astype(float)) if blend else pixels
        found.append(on_white(canvas))
        if after == 1:
            canvas[where] = 0
        canvas = before if after == 2 else canvas
    return found


def same(clip, expected: list[np.ndarray], most: float) -> None:
    assert len(clip) == len(expected)
    for frame, meant in zip(clip.frames, expected, strict=True):
        assert abs(np.asarray(frame) - meant).max() <= most


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=2, max_size=4))
def test_an_animated_png_is_composed_as_its_standard_says(tmp_path_factory, seed, ways):
    rng, parts = np.random.default_rng(seed), []
    for place, (after, blend) in enumerate(ways):
        height, width, left, top = part(rng, whole=place == 0)
        pixels = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
        pixels[..., 3] = rng.choice([0, 90, 255], (height, width))
        parts.append((pixels, left, top, after, blend))
    file = tmp_path_factory.mktemp("apng") / "a.png"
    file.write_bytes(apng(parts, SIZE))
    same(read_clip(file), shown(parts), 2)
    assert abs(np.asarray(read(file).pixels) - shown(parts)[0]).max() <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=2, max_size=4),
)
def test_an_animated_gif_is_composed_as_browsers_do(tmp_path_factory, seed, whole, ways):
    rng, stored, parts = np.random.default_rng(seed), [], []
    for place, (disposal, transparent, own) in enumerate(ways):
        height, width, left, top = part(rng, whole=place == 0 and whole)
        indices = rng.integers(0, 8, (height, width))
        palette = rng.integers(0, 256, (256, 3), dtype=np.uint8) if own else PALETTE
        clear = 3 if transparent else None
        stored.append((indices, left, top, disposal, clear, palette if own else None))
        pixels = np.dstack([palette[indices], np.where(indices == clear, 0, 255)])
        parts.append((pixels, left, top, {2: 1, 3: 2}.get(disposal, 0), 1))
    file = tmp_path_factory.mktemp("gif") / "a.gif"
    file.write_bytes(gif(stored, SIZE, PALETTE, background=5))
    same(read_clip(file), shown(parts), 0)
    assert abs(np.asarray(read(file).pixels) - shown(parts)[0]).max() == 0


def walking(count: int = 3) -> list[Image.Image]:
    frames = [Image.new("RGB", (16, 8), (40 * t, 0, 90)) for t in range(count)]
    for t, frame in enumerate(frames):
        frame.putpixel((t, 0), (255, 255, 255))
    return frames


@pytest.mark.parametrize("suffix", [".webp", ".png", ".tif"])
def test_a_turned_animation_is_turned_upright(tmp_path, suffix):
    exif, frames, file = Image.Exif(), walking(), tmp_path / f"turned{suffix}"
    exif[0x0112] = 6  # to be turned by a quarter to the right
    how = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    frames[0].save(file, save_all=True, append_images=frames[1:], exif=exif, **how)
    clip = read_clip(file)
    assert clip.size == read(file).pixels.size == (8, 16)
    turned = frames if suffix != ".tif" else frames[:1]  # Pillow writes the tag to the first page alone
    for found, frame in zip(clip.frames, turned, strict=suffix != ".tif"):
        np.testing.assert_array_equal(np.asarray(found), np.rot90(np.asarray(frame), -1))


def webp(frames: list[tuple[np.ndarray, int, int, int, int]]) -> bytes:
    """An animated WebP, lossless: pixels (h, w, 4), left and top (even), whether it is cleared, whether it replaces."""
    body = b"VP8X" + struct.pack("<I", 10) + b"\x12\0\0\0" + b"".join(struct.pack("<I", side - 1)[:3] for side in SIZE)
    body += b"ANIM" + struct.pack("<IIH", 6, 0xFF112233, 0)
    for pixels, left, top, cleared, replaces in frames:
        still = io.BytesIO()
        Image.fromarray(pixels).save(still, "WEBP", lossless=True, exact=True)
        data = still.getvalue()[12:]
        data = data[data.index(b"VP8L") :]
        head = b"".join(struct.pack("<I", n)[:3] for n in (left // 2, top // 2, pixels.shape[1] - 1, pixels.shape[0] - 1, 40))
        data = head + bytes([replaces << 1 | cleared]) + data
        body += b"ANMF" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def test_an_animated_webp_is_composed_as_its_standard_says(tmp_path):
    rng = np.random.default_rng(1)
    for _ in range(8):
        parts = []
        for place in range(3):
            height, width, left, top = part(rng, whole=place == 0)
            pixels = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
            pixels[..., 3] = rng.choice([0, 255], (height, width))
            parts.append((pixels, left // 2 * 2, top // 2 * 2, int(rng.integers(0, 2)), int(rng.integers(0, 2))))
        (tmp_path / "a.webp").write_bytes(webp([(*one[:4], 1 - one[4]) for one in parts]))
        same(read_clip(tmp_path / "a.webp"), shown(parts), 1)


def test_pages_of_a_tiff_are_read_by_the_policy_of_photos(tmp_path):
    """Deep pages, a smaller copy among them, which is none of the frames."""
    deep = np.random.default_rng(0).integers(0, 65536, (2, 8, 16, 3), dtype=np.uint16)
    pages = [deep[0], deep[1]]
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for page in pages:
            file.write(page, photometric="rgb", planarconfig="contig")
            file.write(page[::2, ::2], photometric="rgb", subfiletype=1)
    clip = read_clip(tmp_path / "pages.tif")
    same(clip, [page / 65535 * 255 for page in pages], 0.51)
    assert any("16-bit" in note for note in clip.notes)
    assert "several pictures in one file (2 frames)" in read(tmp_path / "pages.tif").notes[0]


def test_the_first_picture_of_a_file_of_pages_is_not_said_to_be_one_of_several_if_others_are_its_copies(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        page = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        file.write(page, photometric="rgb")
        file.write(page[::2, ::2], photometric="rgb", subfiletype=1)
    assert read(tmp_path / "pyramid.tif").notes == ()
    assert len(read_clip(tmp_path / "pyramid.tif")) == 1


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["gif", "png"])
def test_a_file_that_ends_too_early_is_no_clip(tmp_path, kind, cut):
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (SIZE[1], SIZE[0], 4), dtype=np.uint8) for _ in range(3)]
    whole = (apng([(one, 0, 0, 0, 0) for one in pixels], SIZE) if kind == "png"
             else gif([(one[..., 0], 0, 0, 0, None, None) for one in pixels], SIZE, PALETTE))  # fmt: skip
    file = tmp_path / f"cut.{kind}"
    file.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(BadImage, match=f"cut.{kind}"):
        read_clip(file)


def test_many_pages_take_no_longer_each(tmp_path):
    """A page is found behind the one before, not from the beginning again: 800 of them would take a minute."""
    pages = np.random.default_rng(0).integers(0, 65536, (800, 4, 5, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "many.tif", pages, photometric="rgb", metadata=None)
    started = time.process_time()
    clip = read_clip(tmp_path / "many.tif")
    assert len(clip) == 800
    assert abs(np.asarray(clip.frames[777]) - pages[777] / 65535 * 255).max() <= 0.51
    assert time.process_time() - started < 20


def test_a_name_is_said_once(tmp_path):
    with pytest.raises(BadImage) as caught:
        read_clip(tmp_path / b"\xff.png".decode("utf-8", "surrogateescape"))
    assert str(caught.value).count(".png") == 1
