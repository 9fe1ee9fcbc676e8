"""A folder with a file for each image, named like the image."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path, PurePosixPath

from seewhy.atomic import replacing, swept
from seewhy.errors import NotWritten
from seewhy.truth.files import stem_of

LONGEST = 200  # bytes of a name without its ending


class LabelFolder:
    """Puts files into a folder, and tells images of one name apart: the second cat.jpg of a run has its folder before its name,
    as in other/cat.txt, so that whoever matches files by the ends of their paths finds the right one.

    suffix: of the files; over: take the place of files that are there.
    """

    def __init__(self, folder: Path, suffix: str, over: bool = True) -> None:
        self.folder, self._suffix, self._over = folder, suffix, over
        self._owners, self._swept = dict[str, str](), False

    def put(self, image: str, content: bytes) -> Path:
        """Write the file of an image, and say where.  Raises NotWritten."""
        own, whole, folders = _parts(image)
        name = self._free(own, whole, folders)
        path = self.folder / f"{name}{self._suffix}"
        if _same(path, Path(image)):
            raise NotWritten(f"{path} is the image itself, and labels are not written over it. Give another folder.")
        self.write(path, content, f"the labels of {image}", self._over)
        self._owners[name.casefold()] = "/".join(folders)
        return path

    def _free(self, own: str, whole: str, folders: Sequence[str]) -> str:
        """The shortest name that no other image has: with as many folders as it takes; beside an image of the same folder, with
        the image's own suffix.
        """
        for start in range(len(folders), -1, -1):
            name = str(PurePosixPath(*folders[start:], own))
            owner = self._owners.get(name.casefold())
            if owner is None:
                return name
            longer = str(PurePosixPath(*folders[start:], whole))
            if owner == "/".join(folders) and longer.casefold() not in self._owners:
                return longer
        return next(name for name in map(f"{own}-{{}}".format, count(2)) if name.casefold() not in self._owners)

    def write(self, path: Path, content: bytes, of: str, over: bool = True) -> None:
        """Write any file in the folder.  Raises NotWritten."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritten(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
        if not self._swept:
            swept(self.folder)
            self._swept = True
        with replacing(path, over, of) as beside:
            beside.write_bytes(content)


def _parts(image: str) -> tuple[str, str, list[str]]:
    """The name of an image without its suffix and with it, and the folders that it lies in, none of which leads upwards."""
    parts = [part for part in image.replace("\\", "/").replace("\0", "").split("/") if part not in ("", ".", "..")] or ["image"]
    *folders, last = parts
    return _short(stem_of(last) or last), _short(last), [_short(part.replace(":", "")) or "folder" for part in folders]


def _short(name: str) -> str:
    """The name, or its beginning with a few digits that tell it apart from others that begin alike."""
    data = name.encode(errors="surrogateescape")
    if len(data) <= LONGEST:
        return name
    return data[:LONGEST].decode(errors="ignore") + "-" + sha256(data).hexdigest()[:8]


def _same(path: Path, image: Path) -> bool:
    try:
        return path.samefile(image)
    except (OSError, ValueError):  # one of them is not there
        return False
