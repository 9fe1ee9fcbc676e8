"""Records that are signed with a person's key, by Ed25519 (RFC 8032), and told by the fingerprint of that key."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from seewhy.errors import BadParameter, BadRecord, MissingExtra
from seewhy.printable import printable

LONGEST = 2**16  # bytes of a key's file
MAKE = "openssl genpkey -algorithm ed25519 -out key.pem"
PUBLIC = "openssl pkey -in key.pem -pubout -out public.pem"


def signature_of(content: bytes, key: str | Path) -> dict[str, str]:
    """The signature of a record over this content.  key: the PEM file of an Ed25519 private key, which is only read.

    Raises BadParameter for a file that holds no such key, MissingExtra without cryptography.
    """
    private = _key(Path(key), private=True)
    public = private.public_key().public_bytes_raw().hex()
    return {"algorithm": "Ed25519", "public_key": public, "value": private.sign(content).hex()}


def signer_words(content: bytes, signature: Mapping[str, str] | None, key: str | Path | None = None) -> str:
    """By whom this content of a record was signed, in words; "" where it is not signed, and no key was given.

    key: the PEM file of the public key by which it has to be signed.
    Raises BadRecord, with a key, where the record is not signed, or is signed by another key; and in any case where its
    signature does not hold.  Without cryptography a signature is told, not checked; with a key that is MissingExtra.
    """
    wanted = None if key is None else _key(Path(key), private=False).public_bytes_raw()
    if signature is None:
        if wanted is not None:
            raise BadRecord(f"It is not signed: nobody stands for it, and not the key {fingerprint(wanted)} in {key}.")
        return ""
    public = bytes.fromhex(signature["public_key"])
    by = f"signed by the key {fingerprint(public)}"
    try:
        keys, exceptions = _cryptography()
    except MissingExtra as error:
        return f"{by}, which was not checked: {error}"
    try:
        keys.Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature["value"]), content)
    except (exceptions.InvalidSignature, ValueError):
        raise BadRecord(
            f"Its signature does not hold: it was changed after it was {by}, or was never signed by that."
        ) from None
    if wanted is None:
        return f"{by}, which holds; whose key that is, nobody checked: give its public key"
    if wanted != public:
        raise BadRecord(f"It was {by}, and not by the key {fingerprint(wanted)} in {key}.")
    return f"{by}, that in {key}, which holds"


def fingerprint(public: bytes) -> str:
    """Of a raw public key: what `openssl pkey -pubin -in public.pem -outform DER | openssl dgst -sha256` gives."""
    return f"SHA256:{sha256(bytes.fromhex('302a300506032b6570032100') + public).hexdigest()}"  # RFC 8410: the DER of such a key


def _key(path: Path, private: bool) -> Any:
    """The key in a PEM file."""
    keys, _ = _cryptography()
    from cryptography.hazmat.primitives import serialization  # here, for it is an extra

    what = f"no Ed25519 {'private' if private else 'public'} key in PEM"
    make = f"{MAKE}" if private else f"{PUBLIC}"
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST)
        if private:
            key: Any = serialization.load_pem_private_key(content, password=None)
        else:
            key = serialization.load_pem_public_key(content)
    except OSError as error:
        raise BadParameter(f"The key {path} cannot be read: {error.strerror or error}.") from None
    except TypeError:
        raise BadParameter(f"The key {path} is locked with a passphrase: openssl pkey -in {path} -out unlocked.pem") from None
    except Exception as error:  # noqa: BLE001 - cryptography raises several kinds on a stranger's file
        raise BadParameter(f"{path} holds {what} ({printable(error, 200)}). One is made by: {make}") from None
    if not isinstance(key, keys.Ed25519PrivateKey if private else keys.Ed25519PublicKey):
        raise BadParameter(f"{path} holds {what}, but {type(key).__name__.lstrip('_')}. One is made by: {make}")
    return key


def _cryptography() -> tuple[Any, Any]:
    """The modules of keys and of errors.  Raises MissingExtra."""
    try:
        from cryptography import exceptions  # here, for it is an extra
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtra("cryptography, which signs records,", "sign") from None
    return ed25519, exceptions
