"""What the tags of a TIFF say of its numbers, its bands and its pages."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from seewhy.images.tiff_tags import all_tags, bands, first_tags, is_tiff, notes

GREY, COLOURED = Image.new("L", (5, 3)), Image.new("RGB", (5, 3))


def file_of(*pages: Image.Image, **tags: int) -> bytes:
    held = io.BytesIO()
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info[int(tag[1:])] = value
    pages[0].save(held, "TIFF", save_all=len(pages) > 1, append_images=pages[1:], tiffinfo=info)
    return held.getvalue()


def test_the_tags_of_a_photo_say_what_was_written():
    tags = first_tags(file_of(COLOURED, t274=6))
    assert (tags.size, tags.bits, tags.kinds, tags.orientation, tags.page, tags.pages) == ((5, 3), (8,) * 3, (1,) * 3, 6, 0, 1)
    assert tags.roles == ("red", "green", "blue")
    assert tags.visible_bands == (0, 1, 2)
    assert tags.simple
    assert not tags.earth
    assert notes(tags) == ()
    assert str(tags) == "3 bands of 8 bit, unsigned (red, green, blue)"


def test_pages_are_counted_without_smaller_copies_and_masks(tmp_path):
    tags = all_tags(file_of(GREY, COLOURED, GREY))
    assert [(page.page, page.pages, page.roles[0]) for page in tags] == [(0, 3, "gray"), (1, 3, "red"), (2, 3, "gray")]
    assert notes(tags[0]) == ("several pictures in one file (3 frames): the first frame is explained",)
    preview = replace(tags[0], kind=1, pages=1)
    assert preview.beside
    assert notes(preview) == ("its first picture is a preview: a smaller copy of another one in the file",)


@pytest.mark.parametrize(
    ("roles", "seen"),
    [
        (("gray",), (0,)),
        (("alpha", "gray"), (1, 0)),
        (("blue", "green", "red", "alpha"), (2, 1, 0, 3)),
        (("undefined", "undefined", "undefined"), (0, 1, 2)),
        (("undefined", "gray"), (1,)),
        (("undefined",) * 5, None),
        ((), None),
    ],
)
def test_bands_that_a_person_sees(roles, seen):
    assert bands(roles) == seen


def test_bands_that_are_left_out_are_noted():
    tags = replace(first_tags(file_of(COLOURED)), roles=("red", "green", "blue", "undefined", "undefined"))
    assert notes(tags) == ("of its 5 bands (red, green, blue, undefined, undefined) 3 are seen: 1, 2, 3",)


def test_what_is_no_tiff_or_broken_has_no_tags(tmp_path):
    path = tmp_path / "a.png"
    COLOURED.save(path)
    assert not is_tiff(path)
    assert all_tags(path) == []
    broken = file_of(GREY)[:20]
    assert is_tiff(broken)
    assert first_tags(broken) is None


def test_numbers_are_scaled_by_what_the_tags_say():
    encoding = first_tags(file_of(Image.fromarray(np.zeros((2, 2), np.uint16)), t280=10, t281=900, t262=0)).facts
    assert (encoding.bits, encoding.low, encoding.high) == (16, 10, 900)
