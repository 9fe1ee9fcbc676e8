"""Records that are signed: by whom is told, and unsigned, changed and signed by another are three sentences."""

import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, BadRecord, MissingExtra
from seewhy.remaking.record import EvidenceRecord
from seewhy.remaking.signing import fingerprint
from support import networks

ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
PEM = serialization.Encoding.PEM


def private_pem(key, path, lock=None):
    locked = serialization.BestAvailableEncryption(lock) if lock else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked))
    return path


def public_pem(key, path):
    path.write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """mine.pem, mine.pub.pem, and those of another."""
    folder = tmp_path_factory.mktemp("keys")
    for seed, name in enumerate(("mine", "other")):
        key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        private_pem(key, folder / f"{name}.pem")
        public_pem(key, folder / f"{name}.pub.pem")
    return folder


@pytest.fixture(scope="module")
def record():
    return seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1))[0].record()


def test_a_record_that_is_signed_holds_and_comes_back(record, keys, tmp_path):
    signed = record.sign(keys / "mine.pem")
    assert signed.signature["algorithm"] == "Ed25519"
    assert (signed.body, signed.digest) == (record.body, record.digest)
    assert signed.sign(keys / "mine.pem") == signed  # Ed25519 draws nothing
    back = EvidenceRecord.read(signed.save(tmp_path / "map.json"))
    assert back == signed
    by = fingerprint(bytes.fromhex(signed.signature["public_key"]))
    assert back.signer(keys / "mine.pub.pem") == f"signed by the key {by}, that in {keys / 'mine.pub.pem'}, which holds"
    assert back.signer() == f"signed by the key {by}, which holds; whose key that is, nobody checked: give its public key"


def test_the_signature_is_that_of_the_rfc(record, keys):
    """As any other program checks it: over the file's object without "signature", in its canonical form."""
    signed = record.sign(keys / "mine.pem")
    content = signed.to_json().rstrip("\n").replace(
        f',"signature":{{"algorithm":"Ed25519","public_key":"{signed.signature["public_key"]}",'
        f'"value":"{signed.signature["value"]}"}}', ""
    )  # fmt: skip
    key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.signature["public_key"]))
    key.verify(bytes.fromhex(signed.signature["value"]), content.encode())


def test_the_fingerprint_is_that_of_openssl(keys):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\0" * 32).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert fingerprint(key.public_bytes_raw()) == f"SHA256:{sha256(der).hexdigest()}"


def test_unsigned_changed_and_signed_by_another_are_three_sentences(record, keys):
    mine, other = keys / "mine.pub.pem", keys / "other.pub.pem"
    assert record.signer() == ""
    with pytest.raises(BadRecord, match=r"^It is not signed: nobody stands for it, and not the key SHA256:.* in .*mine"):
        record.signer(mine)
    signed = record.sign(keys / "mine.pem")
    changed = EvidenceRecord({**record.body, "file": {"sha256": "0" * 64, "bytes": 1}}, signed.signature)
    again = EvidenceRecord.from_json(changed.to_json())  # whose digest fits: who changed it knew how
    for key in (None, mine, other):
        with pytest.raises(BadRecord, match=r"^Its signature does not hold: it was changed after it was signed by the key"):
            again.signer(key)
    with pytest.raises(BadRecord, match=r"^It was signed by the key SHA256:[0-9a-f]{64}, and not by the key SHA256:"):
        signed.signer(other)


def test_every_bit_of_a_signature_counts(record, keys):
    signed = record.sign(keys / "mine.pem")
    draw = np.random.default_rng(0)
    for name in ("public_key", "value"):
        for place in draw.choice(len(signed.signature[name]), 12, replace=False):
            digits = list(signed.signature[name])
            digits[place] = "0123456789abcdef"[int(digits[place], 16) ^ 1 << int(draw.integers(4))]
            odd = EvidenceRecord(record.body, {**signed.signature, name: "".join(digits)})
            with pytest.raises(BadRecord, match="signature does not hold"):
                odd.signer()


def test_what_is_no_key_is_said_with_how_one_is_made(record, keys, tmp_path):
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    (tmp_path / "text.pem").write_text("hello")
    private_pem(rsa.generate_private_key(65537, 1024), tmp_path / "rsa.pem")
    private_pem(ed25519.Ed25519PrivateKey.generate(), tmp_path / "locked.pem", b"secret")
    for path in (tmp_path / "text.pem", keys / "mine.pub.pem"):
        with pytest.raises(BadParameter, match=r"holds no Ed25519 private key in PEM.*openssl genpkey -algorithm ed25519"):
            record.sign(path)
    with pytest.raises(BadParameter, match="holds no Ed25519 private key in PEM, but RSAPrivateKey"):
        record.sign(tmp_path / "rsa.pem")
    with pytest.raises(BadParameter, match="is locked with a passphrase: openssl pkey -in"):
        record.sign(tmp_path / "locked.pem")
    with pytest.raises(BadParameter, match="cannot be read: No such file"):
        record.sign(tmp_path / "gone.pem")
    with pytest.raises(BadParameter, match=r"holds no Ed25519 public key in PEM.*-pubout"):
        record.signer(keys / "mine.pem")


def test_without_the_extra_it_is_named(record, keys, monkeypatch):
    signed = record.sign(keys / "mine.pem")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtra, match=r"cryptography, which signs records, is not installed.*\[sign\]"):
        record.sign(keys / "mine.pem")
    with pytest.raises(MissingExtra):
        signed.signer(keys / "mine.pub.pem")
    assert "which was not checked: cryptography, which signs records, is not installed" in signed.signer()
    assert EvidenceRecord.from_json(signed.to_json()) == signed


def test_what_openssl_makes_is_taken(record, tmp_path):
    make = "openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out public.pem"
    digest = "openssl pkey -pubin -in public.pem -outform DER | openssl dgst -sha256"
    if subprocess.run(make, shell=True, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("there is no openssl that makes Ed25519 keys")
    said = subprocess.run(digest, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    words = record.sign(tmp_path / "key.pem").signer(tmp_path / "public.pem")
    assert f"SHA256:{said.split()[-1]}," in words
