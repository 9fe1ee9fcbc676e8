"""An evidence record, verified: its map is made again and its checks are run again, and all is held against the record."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from seewhy.errors import SeewhyError
from seewhy.printable import printable, words_of

from .checks import NUMBERS, Check, run_again
from .own_code import own_code_sha256
from .question import image_of
from .record import EvidenceRecord, file_facts
from .remade import ROUNDING, Remade, again, model_of

LEAST = 1e-3  # of the numbers of a check, against which the size of a difference is told


def record_again(
    record: EvidenceRecord, model: Any = None, image: Any = None, target: Any = None, trust: bool = False,
    params: Mapping[str, Any] = {}, key: str | Path | None = None,
) -> Remade:  # fmt: skip
    """Make the map of a record again, run its checks again, and say how all of it compares; arguments as of `Source.again`.

    key: as of `EvidenceRecord.signer`.  No code of a record runs: a check is one that this seewhy knows by its name.
    """
    source, signer = record.source, record.signer(key)
    given = image_of(source) if image is None else image
    asked = model_of(source, trust) if model is None else model
    remade = again(source, asked, given, target, trust, params)
    notes = [*_other_file(record, given), *_other_code(record)]
    if not (source.weights_sha256 or remade.heatmap.source.weights_sha256):
        notes.append(f"nobody can tell which weights: {printable(source.model, 200)} is a function or a service, known by name")
    found = [_compared(check, asked, given, remade) for check in record.checks]
    faults = [fault for each in found for fault in each.faults]
    rounded = remade.same == "bit for bit" and any(each.notes and each.now for each in found)
    return replace(
        remade,
        same="to rounding" if rounded else remade.same,
        differences=(*remade.differences, *notes, *(note for each in found for note in each.notes)),
        checks=tuple(each.now for each in found if each.now),
        signed=signer,
        unchecked=tuple(check.name for check, each in zip(record.checks, found, strict=True) if each.now is None),
    ).with_faults(faults)


class CheckAgain(NamedTuple):
    """A check that was run again; None as `now` where it could not be.  faults, notes: how it differs, in words."""

    now: Check | None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _compared(old: Check, model: Any, image: Any, remade: Remade) -> CheckAgain:
    name = f"check {printable(old.name, 100)}"
    try:
        new = run_again(old.name, model, image, remade.heatmap, old.settings)
    except Exception as error:  # noqa: BLE001 - settings that a stranger wrote may be of any kind
        why = words_of(error) if isinstance(error, SeewhyError) else f"{type(error).__name__}: {words_of(error)}"
        return CheckAgain(None, notes=(f"{name} was not run again: {why.rstrip('.')}",))
    words = [
        f"{each} {getattr(old, each) or 'none'} as recorded, {getattr(new, each) or 'none'} now"
        for each in ("status", "better")
        if getattr(old, each) != getattr(new, each)
    ]
    pairs = {each: (getattr(old, each), getattr(new, each)) for each in NUMBERS}
    moved = {each: pair for each, pair in pairs.items() if pair[0] != pair[1]}
    near = ROUNDING * max([LEAST, *(abs(number) for number, _ in pairs.values() if number is not None)])
    far = any(a is None or b is None or abs(a - b) > near for a, b in moved.values())
    said = "; ".join([*words, *(f"{each} {_number(a)} as recorded, {_number(b)} now" for each, (a, b) in moved.items())])
    if words or far:
        return CheckAgain(new, (f"{name}: {said}",))
    return CheckAgain(new, (), (f"{name} is the same to rounding: {said}",) if moved else ())


def _number(number: float | None) -> str:
    return "none" if number is None else f"{number:.8g}"


def _other_file(record: EvidenceRecord, image: Any) -> list[str]:
    """What is other about the file of the photo, whose pixels may be the same all the same."""
    known = record.body["file"]
    if known is None or not isinstance(image, str | PurePath) or not Path(image).is_file():
        return []
    now = file_facts(Path(image))
    if now == known:
        return []
    was, found = (f"{each['bytes']:,} bytes, SHA-256 {each['sha256'][:16]}..." for each in (known, now))
    return [f"the photo's file is not the one that was recorded ({was} as recorded, {found} now); what counts are its pixels"]


def _other_code(record: EvidenceRecord) -> list[str]:
    """What is other about the code of seewhy, where the version does not tell it."""
    code, now = record.body["code"], own_code_sha256()
    if record.source.versions.get("seewhy") != code["version"]:
        return [f"the record was written by seewhy {printable(code['version'], 40)}, and the map made by another"]
    if now in (code["sha256"], "") or not code["sha256"]:
        return []
    return [f"the code of seewhy is not that of the record (SHA-256 {code['sha256'][:16]}... as recorded, {now[:16]}... now)"]
