"""How the command line calls its files: visible, bounded, of one spelling, whatever photos and targets are called."""

import os
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seewhy.cli.filenames import LONGEST, RESERVED, joined, others, spelled, stem

ENDINGS = 35  # bytes that an ending, a number and a model take at most: "-9999.projection.png"


@pytest.mark.parametrize(
    ("photo", "called"),
    [
        ("photos/cat.jpg", "cat"),
        ("scan.nii.gz", "scan"),
        ("SCAN.NII.GZ", "SCAN"),
        (".png", "png"),
        ("..png", "photo-cdb4ee2a"),
        ("-rf.png", "rf"),
        ("--out=x.png", "out-x"),
        ("🐈.png", "🐈"),
        ("👩🏽‍🚀 on the moon.png", "👩🏽-🚀-on-the-moon"),
        ("हिन्दी.png", "हिन्दी"),
        ("cafe\u0301.png", "café"),
        ("\u202egnp.exe.png", "gnp-exe"),
        ("a\nb\x1b[31mc.png", "a-b-31mc"),
        ("NUL.png", "NUL_"),
        ("com¹.png", "com¹_"),
        ("console.png", "console"),
        ("a:b*c?d|e<f>g.png", "a-b-c-d-e-f-g"),
        (os.fsdecode(b"caf\xe9.png"), "caf"),
        ("\ufe0f\u0301.png", "photo-b3474169"),
    ],
)
def test_a_photo_gives_a_name_that_is_seen(made_source, photo, called):
    name = stem(made_source(image=photo, target="top 1", label="tabby, tabby cat"))
    assert name == f"{called}.top-1-tabby.layer4.grad-cam"


def test_twins_of_one_spelling_are_of_one_name():
    assert spelled(normalize("NFD", "Ångström é")) == spelled(normalize("NFC", "Ångström é")) == "Ångström-é"


@given(st.lists(st.text(max_size=400), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_texts_give_a_name_that_every_system_takes(parts):
    parts[0] = parts[0] or "x"
    name = joined(parts)
    assert 0 < len(name.encode()) <= LONGEST
    assert LONGEST + ENDINGS < 255
    assert name[0] not in ".-"
    assert name.isprintable() or not name.isascii()
    assert not {*name} & {*'<>:"/\\|?*\0\n '}
    assert name.partition(".")[0].upper() not in RESERVED
    assert normalize("NFC", name) == name or any(ord(c) > 0x10000 for c in name)


def test_a_long_name_is_cut_where_it_is_long_and_told_apart(made_source):
    long = made_source(image="x" * 250 + ".png", target="text:" + "großer Hund, " * 40, label=None)
    name = stem(long)
    photo, target, layer, method = name.split(".")
    assert photo.startswith("x" * 40)
    assert target.startswith("text-großer-Hund")
    assert (layer, method) == ("layer4", "grad-cam")
    assert LONGEST - 3 <= len(name.encode()) <= LONGEST
    assert stem(replace(long, image="x" * 249 + "y.png")) != name
    assert stem(replace(long, params={"signed": True, "x": "y" * 300})).split(".")[3] == "grad-cam"


@pytest.mark.parametrize("letter", ["x", "ж", "🐈"])
def test_a_photo_with_the_longest_name_can_be_written(tmp_path, made_heatmap, letter):
    photo = letter * (251 // len(letter.encode()))
    name = stem(made_heatmap([[0, 1]], image=f"{photo}.png").source)
    for other in (name, next(others(name, "m" * 300))):
        path = tmp_path / f"{other}-9999.projection.png"
        made_heatmap([[0, 1]]).save(path)
        assert path.is_file()
        assert len(path.name.encode()) < 255


def test_more_names_are_of_the_model_then_of_numbers():
    names = others("cat.grad-cam", "timm/resnet18")
    assert [next(names) for _ in range(3)] == ["cat.grad-cam.of-timm-resnet18", "cat.grad-cam-2", "cat.grad-cam-3"]
    assert next(others("cat.grad-cam", None)) == "cat.grad-cam-2"
    one, other = (next(others("cat", f"/models/{'deep/' * 50}{end}")) for end in "ab")
    assert one != other
    assert Path(one).name == one
