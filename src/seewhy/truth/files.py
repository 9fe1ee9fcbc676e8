"""Which entry of a file of ground truth belongs to which photo: by path, else by the end of the path, else by name."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from seewhy.errors import BadParameter
from seewhy.printable import quoted


def matched(keys: Iterable[str], photos: Sequence[str], folder: Path, source: str) -> dict[str, str]:
    """For each photo that has one, its entry.

    keys: files as the ground truth names them, with or without folders and suffix; folder: that paths among them begin in,
    where not in the folder that is worked in; source: what the keys were read from, for errors.
    Raises BadParameter where an entry could be of several photos.
    """
    known, found = [*dict.fromkeys(keys)], dict[str, str]()
    for base in (folder, Path()):
        by_path = {os.path.abspath(os.path.join(base, _slashes(key))): key for key in known}
        _take(found, {photo: by_path.get(os.path.abspath(photo)) for photo in photos}, source)
    by_name = defaultdict[str, list[str]](list)
    for key in known:
        by_name[_parts(key)[-1]].append(key)
    alike = {photo: [key for name in dict.fromkeys(_names(photo)) for key in by_name.get(name, ())] for photo in photos}
    for choose in (_deepest, _single):
        taken = {*found.values()}
        left = {photo: [key for key in several if key not in taken] for photo, several in alike.items()}
        _take(found, {photo: choose(photo, several) for photo, several in left.items()}, source)
    return {photo: found[photo] for photo in photos if photo in found}


def _take(found: dict[str, str], more: Mapping[str, str | None], source: str) -> None:
    """Add the entries of photos that have none yet; no entry is taken twice."""
    taken, photos = {*found.values()}, defaultdict[str, list[str]](list)
    for photo, key in more.items():
        if key is not None and key not in taken and photo not in found:
            photos[key].append(photo)
    for key, several in photos.items():
        if len(several) > 1:
            raise BadParameter(
                f"{source} has an entry {quoted(key)}, which could be of {len(several)} photos, {several[0]} and {several[1]}: "
                "write it with the folder that the photo lies in."
            )
        found[several[0]] = key


def _deepest(photo: str, keys: Sequence[str]) -> str | None:
    """Of entries with the photo's name the one with the most folders, all of them the photo's."""
    given = _parts(os.path.abspath(photo))[:-1]
    within = [key for key in keys if given[len(given) - len(_parts(key)) + 1 :] == _parts(key)[:-1]]
    return max(within, key=lambda key: len(_parts(key)), default=None)


def _single(_photo: str, keys: Sequence[str]) -> str | None:
    """The only entry with the photo's name."""
    return keys[0] if len(keys) == 1 else None


def stem_of(name: str) -> str:
    """The name of a file without its suffix: scan of scan.nii.gz."""
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else PurePosixPath(name).stem


def _names(photo: str) -> tuple[str, str]:
    name = Path(os.path.abspath(photo)).name
    return name, stem_of(name)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in _slashes(path).split("/") if part not in ("", ".")) or ("",)


def _slashes(path: str) -> str:
    return path.strip().replace("\\", "/")
