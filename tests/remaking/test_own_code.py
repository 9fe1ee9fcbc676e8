"""The SHA-256 of seewhy's own code: of names and bytes, in the order of the names."""

from hashlib import sha256
from pathlib import Path

import seewhy
from seewhy.remaking.own_code import own_code_sha256


def test_it_is_over_names_lengths_and_bytes(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.py").write_bytes(b"1\r\n2\n")
    (tmp_path / "b.py").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"no code")
    assert own_code_sha256(tmp_path) == sha256(b"b.py\x000\x00inner/a.py\x004\x001\n2\n").hexdigest()


def test_without_files_it_is_empty(tmp_path):
    assert own_code_sha256(tmp_path / "seewhy.zip") == ""


def test_it_is_that_of_the_whole_package(tmp_path):
    package = Path(seewhy.__file__).parent
    for file in package.rglob("*.py"):
        copy = tmp_path / file.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    assert own_code_sha256(tmp_path) == own_code_sha256()
    own_code_sha256.cache_clear()
    with (tmp_path / "__init__.py").open("a") as file:
        file.write(" ")
    assert own_code_sha256(tmp_path) != own_code_sha256()
