"""A text in a PNG that was written before: read by others, the pixels as they were, one of each name."""

import io

import numpy as np
import pytest
from PIL import Image

from seewhy.maps.png_text import with_text
from seewhy.maps.saving import png


def made(made_source) -> bytes:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8))
    return png(picture, made_source(), "{}")


def test_pillow_reads_the_text_and_the_same_pixels(made_source):
    before = made(made_source)
    after = with_text(before, "seewhy-record", "é {}".encode())
    old, new = (Image.open(io.BytesIO(each)) for each in (before, after))
    assert np.array_equal(np.asarray(old), np.asarray(new))
    assert new.text == {**old.text, "seewhy-record": "é {}"}
    assert [*new.text][-1] == "seewhy-record"


def test_a_text_takes_the_place_of_that_of_its_name_alone(made_source):
    once = with_text(made(made_source), "seewhy-record", b"first, and longer")
    twice = with_text(once, "seewhy-record", b"second")
    assert twice == with_text(made(made_source), "seewhy-record", b"second")
    assert "seewhy" in Image.open(io.BytesIO(twice)).text


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_png_gets_none(content):
    with pytest.raises(ValueError, match="no PNG"):
        with_text(content, "seewhy-record", b"")
