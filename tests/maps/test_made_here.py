"""seewhy knows the files that it wrote, from their headers alone, and takes no other file for its own."""

import os

import pytest
from PIL import PngImagePlugin

from seewhy.maps.made_here import CHUNK, chunks, made_here
from seewhy.maps.saving import png
from support.files.strangers import PHOTO, STRANGERS


@pytest.mark.parametrize("ending", [".png", ".PNG", ".nii", ".nii.gz", ".tif"])
def test_seewhys_own_maps_are_known_from_their_heads(tmp_path, of_any_format, ending):
    of_any_format(ending.lower()).save(tmp_path / f"map{ending}")
    assert made_here(tmp_path / f"map{ending}")
    assert not made_here(tmp_path / f"nowhere{ending}")
    whole = (tmp_path / f"map{ending}").read_bytes()
    for length in (0, 4, 8, 20, 40, len(whole) // 2):
        (tmp_path / f"cut{ending}").write_bytes(whole[:length])
        made_here(tmp_path / f"cut{ending}")  # true or not: it does not fail


@pytest.mark.parametrize("name", STRANGERS)
def test_a_strangers_file_is_not_seewhys(tmp_path, name):
    (tmp_path / name).write_bytes(STRANGERS[name])
    own = name in ("words.png", "list.png", "number.png", "part.png", "guess.png")  # with a chunk of ours
    assert made_here(tmp_path / name) is own


def test_a_photo_may_speak_of_seewhy(tmp_path):
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "seewhy\0 made it")
    note.add_itxt("Title", "seewhy")
    PHOTO.save(tmp_path / "photo.png", pnginfo=note)
    assert not made_here(tmp_path / "photo.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert not made_here(tmp_path / "pipe.png")


def test_the_chunks_before_the_pixels_are_read_with_the_file_at_their_contents(tmp_path, made_source):
    source = made_source()
    (tmp_path / "map.png").write_bytes(png(PHOTO, source))
    with (tmp_path / "map.png").open("rb") as file:
        contents = [(kind, file.read(length)) for length, kind in chunks(file)]
    assert [kind for kind, _ in contents] == [b"IHDR", b"iTXt"]
    assert contents[1][1] == CHUNK.encode() + b"\0\0\0\0\0" + source.to_json().encode()
