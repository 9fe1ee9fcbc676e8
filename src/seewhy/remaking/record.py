"""The evidence record of a map: all that an auditor needs to make it again and to see that nothing was changed.

It is one JSON object in its canonical form (RFC 8785), with a digest of itself; docs/record.md tells of every field, and
`record.schema.json` beside this file says the same to programs.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from seewhy import __version__
from seewhy.atomic import replacing
from seewhy.errors import BadImage, BadParameter, BadRecord
from seewhy.images.digest import image_sha256
from seewhy.images.photo import read
from seewhy.json_text import canonical, json_of
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.made_here import RECORD
from seewhy.maps.png_text import with_text
from seewhy.maps.record import recorded
from seewhy.maps.source import Source
from seewhy.maps.stored_source import LONGEST, record_in, source_of, why_no_file
from seewhy.printable import printable, quoted

from .checks import Check
from .own_code import own_code_sha256
from .signing import signature_of, signer_words

SCHEMA, VERSION = "seewhy-record", 1
FIELDS = {"schema", "code", "file", "source", "checks"}  # of the body, which the digest is of
ENDING = ".record.json"
AT_ONCE = 2**20  # bytes


@dataclass(frozen=True)
class EvidenceRecord:
    """What is recorded of one map.

    body: all that the digest is of, as JSON has it.  signature: by whom, and over what the digest is of and the digest itself
    (docs/record.md); None of one that nobody signed.
    """

    body: Mapping[str, Any]
    signature: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return f"record of {self.source}, {len(self.checks)} checks, {'' if self.signature else 'not '}signed"

    @cached_property
    def source(self) -> Source:
        """All that the map says of itself, with the hashes of weights and pixels, its own, and its coarse values."""
        return Source.from_json(json.dumps(self.body["source"]))

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """What came of the checks on the map."""
        return tuple(map(Check.of, self.body["checks"]))

    @property
    def digest(self) -> str:
        """The SHA-256 of the body in its canonical form, as 64 digits."""
        return sha256(canonical(self.body).encode()).hexdigest()

    @property
    def signed_bytes(self) -> bytes:
        """What a signature is over: the canonical form of all but the signature."""
        return canonical({**self.body, "digest": self.digest}).encode()

    def sign(self, key: str | Path) -> "EvidenceRecord":
        """The record, signed.  key: the PEM file of an Ed25519 private key (openssl genpkey -algorithm ed25519 -out key.pem).

        Raises BadParameter for a file that holds no such key; MissingExtra without `pip install 'seewhy[sign]'`.
        """
        return replace(self, signature=signature_of(self.signed_bytes, key))

    def signer(self, key: str | Path | None = None) -> str:
        """By whom it was signed, in words, "" where nobody did.  key: the PEM file of the public key that has to be it.

        Raises BadRecord where its signature does not hold; with a key also where it is not signed, or by another.
        """
        return signer_words(self.signed_bytes, self.signature, key)

    def to_json(self) -> str:
        """The text of its file: one line, the same bytes for two equal records."""
        signed = {"signature": self.signature} if self.signature else {}
        return canonical({**self.body, "digest": self.digest, **signed}) + "\n"

    def save(self, path: str | Path, over: bool = True) -> Path:
        """Write it into a .json file, or into the PNG of its map, which was saved before and then carries it.

        over: take the place of a .json file that is there.
        Raises BadParameter for other endings and for the PNG of another map, BadImage where that is none; NotWritten.
        """
        path = Path(path)
        if path.suffix.lower() not in (".json", ".png"):
            raise BadParameter(
                f"A record is saved as .json, such as map{ENDING}, or into the PNG of its map, not as {quoted(path.name)}."
            )
        content, drawn = self.to_json().encode(), path.suffix.lower() == ".png"
        if drawn:
            if not same_source(source_of(path), self.source):
                raise BadParameter(f"{path} shows another map than this record is of: {printable(self.source, 300)}.")
            content = with_text(path.read_bytes(), RECORD, content)
        with replacing(path, over or drawn, f"the record of {self.source.image}") as beside:
            beside.write_bytes(content)
        return path

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "The record") -> "EvidenceRecord":
        """The record that `to_json` wrote, checked: nothing in it was changed since.  name: of its file, for errors.

        Raises BadRecord for what is damaged, cut off or changed, for what a later seewhy wrote, and for what is no record.
        """
        content = _content(text, name)
        signature = content.pop("signature", None)
        digest = content.pop("digest", None)
        record = cls(content, signature)
        try:
            found, written = record.digest, record.to_json()
        except ValueError as error:  # what JSON as Python reads it may hold, and canonical JSON does not
            raise BadRecord(f"{name} was changed since it was written: {error}.") from None
        if digest != found:
            raise BadRecord(f"{name} was changed since it was written: its digest is not that of what it says.")
        if written != (text.decode() if isinstance(text, bytes) else text):
            raise BadRecord(
                f"{name} was written anew by another program: what it says holds, yet not in the form that a record has. "
                "Keep the file as seewhy wrote it."
            )
        try:
            _check_kinds(content, signature)
            _ = record.source, record.checks
        except (ValueError, TypeError) as error:
            raise BadRecord(f"{name} is no record as seewhy writes it: {printable(error, 500)}.") from None
        return record

    @classmethod
    def read(cls, path: str | Path) -> "EvidenceRecord":
        """The record in a .json file, or in the PNG of a map that carries one.  Raises BadRecord, also where there is none."""
        path = Path(path)
        if not path.is_file():  # nothing waits for a pipe
            raise BadRecord(f"{path} cannot be read: {why_no_file(path)}.")
        if path.suffix.lower() == ".png":
            text = record_in(path)
            if not text:
                raise BadRecord(f"{path} carries no record: heatmap.record().save(path) puts one into it.")
            return cls.from_json(text, f"The record in {path}")
        try:
            with path.open("rb") as file:
                return cls.from_json(file.read(LONGEST + 1), str(path))
        except OSError as error:
            raise BadRecord(f"{path} cannot be read: {error.strerror or error}.") from None


def record_of_map(heatmap: Heatmap, checks: Iterable[Check] = ()) -> EvidenceRecord:
    """The record of a map; see `Heatmap.record`."""
    body = {
        "schema": f"{SCHEMA}/{VERSION}",
        "code": {"version": __version__, "sha256": own_code_sha256()},
        "file": _file_of(heatmap),
        "source": json.loads(recorded(heatmap).source.to_json()),
        "checks": [check.facts for check in checks],
    }
    try:
        return EvidenceRecord(json.loads(canonical(body)))
    except ValueError as error:
        raise BadParameter(f"The record of {printable(heatmap.source, 300)} cannot be written: {error}.") from None


def file_facts(path: Path) -> dict[str, Any]:
    """The SHA-256 and the length of a file."""
    total, length = sha256(), 0
    with path.open("rb") as file:
        while part := file.read(AT_ONCE):
            total.update(part)
            length += len(part)
    return {"sha256": total.hexdigest(), "bytes": length}


def _file_of(heatmap: Heatmap) -> dict[str, Any] | None:
    """What is known of the file that was explained; None of an image in memory, of a folder of slices, and where it has gone.

    Raises BadImage where the file is that of a photo, and holds other pixels by now.
    """
    source = heatmap.source
    path = Path(source.image)
    try:
        if not source.image or not path.is_file():
            return None
        facts = file_facts(path)
    except (OSError, ValueError):
        return None
    plain = isinstance(heatmap.image, Image.Image) and not source.tile
    if plain and _pixels_of(path, facts["sha256"]) != source.image_sha256:
        raise BadImage(
            f"The pixels in {path} are not those that were explained: one of both was changed since. Explain the file again, "
            "then record that map."
        )
    return facts


@lru_cache(8)
def _pixels_of(path: Path, _file_sha256: str) -> str:
    """The SHA-256 of the pixels in a photo's file, which has these bytes: of several maps of one photo, it is decoded once."""
    return image_sha256(read(path).pixels)


def _content(text: str | bytes, name: str) -> dict[str, Any]:
    """What the text of a record says, before anything of it is believed."""
    if len(text) > LONGEST:
        raise BadRecord(f"{name} is longer than a record may be: {LONGEST:,} bytes.")
    try:
        content = json_of(text.decode() if isinstance(text, bytes) else text)
    except ValueError as error:
        raise BadRecord(f"{name} is cut off or damaged, for it is no JSON: {printable(error, 200)}.") from None
    schema = content.get("schema") if isinstance(content, dict) else None
    known = re.fullmatch(rf"{SCHEMA}/([1-9][0-9]{{0,5}})", schema) if isinstance(schema, str) else None
    if known is None:
        raise BadRecord(
            f'{name} is no evidence record: those begin with "schema": "{SCHEMA}/{VERSION}", as seewhy writes them.'
        )
    if int(known[1]) != VERSION:
        raise BadRecord(
            f"{name} is of the schema {schema}, which a later seewhy writes; this one, {__version__}, reads "
            f"{SCHEMA}/{VERSION}. Update seewhy: pip install --upgrade seewhy."
        )
    return content


def _check_kinds(content: Mapping[str, Any], signature: Any) -> None:
    """Raise ValueError, in words, where fields are lacking, of no use, or of another kind than the schema has them."""
    if odd := sorted({*content} ^ FIELDS):
        raise ValueError(f"fields that are lacking or of no use: {', '.join(odd)}")
    code = {"version": r".{1,100}", "sha256": r"([0-9a-f]{64})?"}
    kinds: list[tuple[str, Any, dict[str, str]]] = [("code", content["code"], code)]
    if content["file"] is not None:
        kinds.append(("file", content["file"], {"sha256": r"[0-9a-f]{64}", "bytes": r"[0-9]{1,20}"}))
    if signature is not None:
        hexadecimal = {"public_key": r"[0-9a-f]{64}", "value": r"[0-9a-f]{128}"}
        kinds.append(("signature", signature, {"algorithm": "Ed25519", **hexadecimal}))
    for name, value, patterns in kinds:
        if not isinstance(value, dict) or {*value} != {*patterns}:
            raise ValueError(f"its {name!r} has the fields {', '.join(patterns)}, and no others")
        for key, pattern in patterns.items():
            kind = int if key == "bytes" else str
            if type(value[key]) is not kind or not re.fullmatch(pattern, str(value[key])):
                raise ValueError(f"the {key!r} of its {name!r} is not of the form {pattern}")
    if not isinstance(content["checks"], list):
        raise ValueError("its 'checks' are a list")


def same_source(one: Source, other: Source) -> bool:
    """Do they say the same, number by number, as records write them?"""
    return canonical(json.loads(one.to_json())) == canonical(json.loads(other.to_json()))
