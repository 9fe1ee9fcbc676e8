"""The Source that a file carries, read from files of anybody."""

import gzip
import io
import json
import struct
import zipfile
import zlib
from dataclasses import asdict
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seewhy import Heatmap, Source
from seewhy.errors import BadImage
from support.files.strangers import PHOTO, STRANGERS, saved

SOURCE = Source(
    "a.jpg", "m", None, "grad-cam", {"a": (1, 2)}, "l", "top 1", 3, "cat", "logits", 1.5, 0.5, None, 0.1, {"x": "1"}
)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(text: bytes, packed: bool = False, before: bytes = b"", keyword: bytes = b"seewhy") -> bytes:
    content = keyword + (b"\0\1\0\0\0" + zlib.compress(text) if packed else b"\0\0\0\0\0" + text)
    return b"\x89PNG\r\n\x1a\n" + before + chunk(b"iTXt", content) + chunk(b"IEND", b"")


def npz(array: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("source.npy", array)
    return file.getvalue()


def npy(shape: str, kind: str, content: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header) + 1) + header + b"\n" + content


def nifti(text: bytes, size: int | None = None) -> bytes:
    length = 8 + len(text) if size is None else size
    head = struct.pack("<i", 348) + bytes(104) + struct.pack("<f", 352 + 8 + len(text)) + bytes(348 - 112)
    return head + b"\1\0\0\0" + struct.pack("<ii", length, 6) + text


GOOD = SOURCE.to_json().encode()
READ = {
    "plain.png": png(GOOD),
    "packed.png": png(GOOD, packed=True),
    "behind.png": png(GOOD, before=chunk(b"IHDR", bytes(13)) + chunk(b"iTXt", b"other\0\0\0\0\0text")),
    "a.npz": npz(npy("()", f"<U{len(GOOD)}", GOOD.decode().encode("utf-32-le"))),
    "a.nii": nifti(b"seewhy " + GOOD),
    "a.nii.gz": gzip.compress(nifti(b"seewhy " + GOOD + b"\0\0\0")),
}


@pytest.mark.parametrize("name", READ)
def test_what_the_writers_of_these_formats_may_write_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(READ[name])
    assert Heatmap.source_of(tmp_path / name) == SOURCE


def but(**other: object) -> bytes:
    return json.dumps({**asdict(SOURCE), **other}).encode()


LACKING = json.dumps({key: value for key, value in asdict(SOURCE).items() if key != "model"}).encode()
HOSTILE = {  # what makes each file, as some are large
    "deep.png": (lambda: png(b"[" * 100_000), "nested deeper"),
    "deeper.png": (lambda: png(b'{"a":' * 3000, packed=True), "nested deeper"),
    "bomb.png": (lambda: png(b" " * 2**26, packed=True), "no Source as"),
    "long.png": (lambda: png(b'"' + b"x" * 2**25 + b'"'), "carries no Source"),
    "digits.png": (lambda: png(b"9" * 5000), "no Source as"),
    "list.png": (lambda: png(b"[1]"), "it is a list"),
    "lists.png": (lambda: png(but(image=["a"])), "'image' is a tuple"),
    "bool.png": (lambda: png(but(index=True)), "'index' is a bool"),
    "number.png": (lambda: png(but(method=5)), "'method' is a int"),
    "warnings.png": (lambda: png(but(warnings="no")), "'warnings' is a str"),
    "warning.png": (lambda: png(but(warnings=[1])), "'warnings' is a tuple"),
    "measured.png": (lambda: png(but(measured={"forwards": "many"})), "'measured' is a dict"),
    "predicted.png": (lambda: png(but(predicted=[1])), "Predicted is a tuple"),
    "predict.png": (lambda: png(but(predicted={"index": 1})), "lacks 'label'"),
    "lacking.png": (lambda: png(LACKING), "lacks 'model'"),
    "bytes.png": (lambda: png(but(not_utf8={"index": "a"})), "'index' is a str"),
    "damaged.png": (lambda: png(GOOD).replace(b"grad-cam", b"grad_cam"), "damaged"),
    "cut.png": (lambda: png(GOOD)[:300], "cannot be read"),
    "words.png": (lambda: b"\x89PNG\r\n\x1a\n" + chunk(b"iTXt", b"seewhy\0\0\0no"), "cannot be read"),
    "chunks.png": (lambda: b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"") * 5000, "carries no Source"),
    "vast.png": (lambda: b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 2**32 - 1, b"iTXt"), "carries no Source"),
    "claims.npz": (lambda: npz(npy("(100000000000,)", "<f8")), "no text"),
    "claim.npz": (lambda: npz(npy("()", "<U10000000000")), "no text|cannot be read"),
    "object.npz": (lambda: npz(npy("()", "|O", b"cos\nsystem\n")), "no text"),
    "huge.npz": (lambda: npz(npy("()", "<U5", bytes(2**27))), "no text"),
    "version.npz": (lambda: npz(b"\x93NUMPY\x09\0"), "version"),
    "header.npz": (lambda: npz(b"\x93NUMPY\1\0\xff\xff" + b"(" * 65535), "cannot be read"),
    "none.npz": (lambda: npz(b""), "cannot be read"),
    "size.nii": (lambda: nifti(b"seewhy " + GOOD, size=-5), "carries no Source"),
    "sizes.nii": (lambda: nifti(b"seewhy " + GOOD, size=2**31 - 1)[:400], "no Source"),
    "zero.nii": (lambda: bytes(1000), "cannot be read"),
    "bomb.nii.gz": (lambda: gzip.compress(nifti(b"seewhy " + b" " * 2**26)), "no Source"),
    "cut.nii.gz": (lambda: gzip.compress(nifti(b"seewhy " + GOOD))[:200], "cannot be read"),
    "offset.nii": (
        lambda: struct.pack("<i", 348) + bytes(104) + struct.pack("<f", float("nan")) + bytes(300),
        "carries no Source",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_a_bad_image_at_once(tmp_path, name):
    content, said = HOSTILE[name]
    (tmp_path / name).write_bytes(content())
    start = process_time()
    with pytest.raises(BadImage, match=rf"{name}.*({said})"):
        Heatmap.source_of(tmp_path / name)
    assert process_time() - start < 1


def test_what_is_no_file_is_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero", tmp_path, "nowhere.npz"):
        with pytest.raises(BadImage, match=r"cannot be read: it is (no file|not there)"):
            Heatmap.source_of(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*READ]), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4), st.integers(0, 9))
def test_a_damaged_file_gives_a_source_or_a_bad_image(tmp_path, name, changes, cut):
    content = bytearray(READ[name])
    for at, value in changes:
        content[at % len(content)] = value
    (tmp_path / name).write_bytes(content[: len(content) - cut * len(content) // 10])
    try:
        found = Heatmap.source_of(tmp_path / name)
    except BadImage:
        return
    assert str(found).isprintable()


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_strangers_file_is_a_bad_image_that_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(STRANGERS[name])
    with pytest.raises(BadImage, match=name.replace(".", r"\.")):
        Heatmap.source_of(tmp_path / name)


@pytest.mark.parametrize("name", ["nowhere.png", "nowhere.npz", "."])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(BadImage, match="cannot be read"):
        Heatmap.source_of(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"II*\0", b"II*\0\x08\0\0\0", saved(PHOTO.save, "TIFF")])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tiff_without_a_source_is_said(tmp_path, content):
    pytest.importorskip("rasterio")
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(BadImage, match=r"a\.tif"):
        Heatmap.source_of(tmp_path / "a.tif")
