"""The SHA-256 of the code of seewhy itself: a version number says what the code is called, this what it is."""

from functools import cache
from hashlib import sha256
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def own_code_sha256(package: Path = PACKAGE) -> str:
    """64 digits, over all of its files of Python: their names below the package and their bytes, in the order of the names.

    "" where they do not lie on the disk, as inside of a zip file.
    """
    total = sha256()
    files = sorted((file.relative_to(package).as_posix(), file) for file in package.rglob("*.py"))
    for name, file in files:
        content = file.read_bytes().replace(b"\r\n", b"\n")  # as a checkout on Windows may have them
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest() if files else ""
