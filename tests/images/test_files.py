"""Files of pictures on their way in: bounds, one error for whatever a decoder raises, and what decoders say beside."""

import os
import warnings
from pathlib import Path

import pytest
from PIL import Image

import seewhy
from seewhy.images import files
from seewhy.images.clip import read_clip
from seewhy.images.photo import read
from seewhy.images.volume_kinds import holds_volume


@pytest.mark.parametrize("reader", [read, read_clip, seewhy.read_volume])
@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_said_to_be_empty(reader, name):
    with pytest.raises(seewhy.BadImage, match=r"^The name of the image is empty\."):
        reader(name)
    assert not holds_volume(name)


def test_an_error_of_a_decoder_names_the_file_once():
    for error, said in (
        (KeyError("mode"), "a.png cannot be read: 'mode'"),
        (RuntimeError(), "a.png cannot be read: RuntimeError"),
        (MemoryError(), "a.png cannot be read: there is not enough memory for it. Make it smaller."),
        (seewhy.BadImage("holds nothing"), "a.png holds nothing"),
        (seewhy.BadImage("a.png is no file"), "a.png is no file"),
    ):
        with pytest.raises(seewhy.BadImage) as caught, files.guarded("a.png"):
            raise error
        assert str(caught.value) == said


def test_a_picture_may_have_so_many_pixels_and_must_have_one(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    files.check_size("a.png", (10, 10))
    files.check_size("a.gif", (10, 10), frames=4, most=4)
    with pytest.raises(seewhy.BadImage, match=r"a\.png is too large: 11x10 pixels.*--max-pixels 110 on"):
        files.check_size("a.png", (11, 10))
    with pytest.raises(seewhy.BadImage, match=r"5 frames of 10x10 pixels.*--max-pixels 125 on"):
        files.check_size("a.gif", (10, 10), frames=5, most=4)
    with pytest.raises(seewhy.BadImage, match="holds no pixels: it is 0x7"):
        files.check_size("a.png", (0, 7))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    files.check_size("a.png", (10**6, 10**6))


def test_what_pillow_warns_of_is_heard_and_what_others_warn_of_is_said_afterwards():
    with warnings.catch_warnings(record=True) as outside:
        warnings.simplefilter("always")
        with files.listening() as heard:
            warnings.warn_explicit("odd EXIF", UserWarning, f"{os.sep}PIL{os.sep}TiffImagePlugin.py", 1)
            warnings.warn_explicit("of another", UserWarning, "other.py", 1)
            assert heard == []
            assert outside == []
    assert heard == ["odd EXIF"]
    assert [str(warning.message) for warning in outside] == ["of another"]
    lines = ["a  b", "", "a b", "c\x1b", "d", "e"]
    assert files.decoder_notes(lines) == ("of its file: a b", r"of its file: c\x1b", "of its file: d")


def test_what_libtiff_writes_is_heard_and_the_rest_is_written_afterwards(capfd):
    with files.listening(tiff=True) as heard:
        os.write(2, b"TIFFReadDirectory: Warning, odd.\nsomebody else\n  going on\n")
        assert capfd.readouterr().err == ""
    assert heard == ["TIFFReadDirectory: Warning, odd.", "  going on"]
    assert capfd.readouterr().err == "somebody else\n"


def test_names_are_told_by_their_ends_and_packages_by_what_to_install():
    assert files.has_suffix(Path("d.nii/SCAN.NII.GZ"), (".nii.gz",))
    assert not files.has_suffix(Path("scan.nii/x"), (".nii",))
    assert files.need("math").pi > 3
    with pytest.raises(seewhy.MissingExtra, match=r"no_such_package is not installed.*pip install '.*\[medical\]'"):
        files.need("no_such_package")
