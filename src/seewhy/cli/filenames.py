"""Names of files: from the photo, target, layer, method and parameters; the same on every operating system.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category, normalize

if TYPE_CHECKING:
    from seewhy.maps.source import Source

LONGEST = 180  # bytes of a name without its ending; file systems take 255 bytes with it, some only 143
MODEL = 40  # bytes at most of the model's name in it
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))}  # devices in Windows


def stem(source: "Source") -> str:
    """The name of a map's files without their ending: cat.top-1-tabby.layer4.grad-cam"""
    target, label = source.target, source.label or ""
    redundant = (
        label in ("", target) or bool(source.classes) or f":{label}:" in target.replace('"', "") or target.startswith("unit:")
    )
    what = target if redundant else f"{target} {label.split(',')[0]}"
    return joined([called(Path(source.image)), what, source.layer, source.method, *changed(source)])


def joined(parts: Sequence[str]) -> str:
    """One name from several texts, with dots between them.  It is never hidden or too long, and never the name of a device."""
    parts = [part for part in parts if part]
    words = [spelled(part) or f"{'photo' if place == 0 else 'any'}-{_hash(part)}" for place, part in enumerate(parts)]
    words[0] = f"{words[0]}_" if normalize("NFKC", words[0]).upper() in RESERVED else words[0]
    sizes, least = [len(word.encode()) for word in words], LONGEST // len(words) - 1
    while (over := sum(sizes) + len(sizes) - 1 - LONGEST) > 0:
        longest = sizes.index(max(sizes))
        words[longest] = _cut(words[longest], parts[longest], max(least, sizes[longest] - over))
        sizes[longest] = len(words[longest].encode())
    return ".".join(words)


def spelled(text: str) -> str:
    """The letters, digits and emoji of a text, with dashes in place of all else, in one Unicode form."""
    safe = "".join(c if c.isalnum() or c in "_-#" or _shown(c) else " " for c in normalize("NFC", text))
    words = "-".join(safe.split()).strip("-")
    return words if any(category(c)[0] != "M" for c in words) else ""


def _shown(character: str) -> bool:
    """Is it a picture, such as an emoji with its colour, or a mark over or beside a letter?"""
    return not character.isascii() and category(character) in ("So", "Sk", "Mn", "Mc", "Me")


def _cut(words: str, of: str, most: int) -> str:
    """The beginning of the words, and a hash that differs from those of other texts that begin alike."""
    return f"{words.encode()[: most - 9].decode(errors='ignore').rstrip('-')}-{_hash(of)}"


def _hash(text: str) -> str:
    from hashlib import sha256  # only here: its import would slow down the start

    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def called(file: Path) -> str:
    """The name of a file or folder without its suffix: scan of scan.nii.gz."""
    file = file if file.name else file.resolve()
    return file.name[: -len(".nii.gz")] if file.name.lower().endswith(".nii.gz") else file.stem


def changed(source: Any) -> list[str]:
    """The parameters that differ from their defaults, so that runs with other parameters get other files."""
    from seewhy.methods.making.method import lookup

    usual = lookup(source.method).described
    said = " ".join(f"{key} {value}" for key, value in source.params.items() if value != usual.get(key))
    return [said] if said else []


def of_model(name: str, model: str) -> str:
    """The name for a map of that model, where there are such maps of several."""
    words = spelled(model)
    return f"{name}.of-{_cut(words, model, MODEL) if len(words.encode()) > MODEL else words}"


def others(name: str, model: str | None) -> Iterator[str]:
    """Further names for a name that is taken.  model: the map's model, if the files with that name are of another model."""
    if model is not None:
        yield of_model(name, model)
    place = 2
    while True:
        yield f"{name}-{place}"
        place += 1
