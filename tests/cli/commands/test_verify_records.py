"""Evidence records, as a person writes them by `seewhy explain --record` and verifies them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import app as command


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(small).resize((60, 50), Image.Resampling.BICUBIC).save("cat.png")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command.main, [*map(str, arguments)])


def explained(*more):
    return run("explain", "cat.png", "--model", "demo/honest", "--out", "out", "--no-sheet", "--json", *more)


def drawn(*more) -> list[str]:
    done = explained(*more)
    assert done.exit_code == 0, done.output
    return [file for line in done.stdout.splitlines() for file in json.loads(line)["files"]]


def key(name: str) -> tuple[str, str]:
    """The files of a new pair of keys."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    made, pem = ed25519.Ed25519PrivateKey.generate(), serialization.Encoding.PEM
    plain, public = serialization.NoEncryption(), serialization.PublicFormat.SubjectPublicKeyInfo
    Path(f"{name}.pem").write_bytes(made.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    Path(f"{name}.pub.pem").write_bytes(made.public_key().public_bytes(pem, public))
    return f"{name}.pem", f"{name}.pub.pem"


def test_each_map_has_its_record_beside_it_and_in_its_pictures(here):
    asked = ("--method", "grad-cam", "--method", "gradient", "--picture", "overlay", "--picture", "grey", "--record")
    files = drawn(*asked)
    assert [file.partition(".top-1")[2].partition(".")[2] for file in files] == [
        "body.grad-cam.png", "body.grad-cam.record.json", "input.gradient.png", "input.gradient.grey.png",
        "input.gradient.record.json",
    ]  # fmt: skip
    done = run("verify", *files)
    assert done.output.splitlines() == [f"{file}: the same, bit for bit" for file in files]
    assert done.exit_code == 0
    one, *others = (seewhy.EvidenceRecord.read(file).digest for file in files if "gradient" in file)
    assert {*others} == {one}
    kept = {file: Path(file).read_bytes() for file in files}
    assert (
        drawn("--method", "grad-cam", "--method", "gradient", "--picture", "overlay", "--picture", "grey", "--record") == files
    )
    assert {file: Path(file).read_bytes() for file in files} == kept  # the same run writes the same bytes


def test_a_record_alone_keeps_the_name_from_other_maps(here):
    *_, record = drawn("--record")
    for file in (here / "out").glob("*.png"):
        file.unlink()
    Image.new("RGB", (60, 50), "red").save("cat.png")
    (png,) = drawn("--target", json.loads(Path(record).read_text())["source"]["index"])
    again = drawn("--target", "top", "--record")
    assert not {png, *again} & {record}
    assert Path(record).exists()


def test_a_record_that_was_edited_is_no_map_at_all(here):
    _, record = drawn("--record")
    text = Path(record).read_text()
    Path("edited.record.json").write_text(text.replace('"index":', '"index":1', 1))
    done = run("verify", "edited.record.json")
    assert done.exit_code == 1
    assert done.output == (
        "seewhy: edited.record.json was changed since it was written: its digest is not that of what it says.\n"
    )


def test_records_are_signed_and_whose_key_it_was_is_said(here):
    (mine, public), (_, other) = key("mine"), key("other")
    png, record = drawn("--record", "--sign", mine)
    done = run("verify", png, record, "--key", public)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert [lines[0], lines[2]] == [f"{file}: the same, bit for bit" for file in (png, record)]
    assert lines[1] == lines[3]
    assert lines[1].startswith("    signed by the key SHA256:")
    assert lines[1].endswith(", that in mine.pub.pem, which holds")
    assert json.loads(run("verify", record, "--json").stdout)["signed"].endswith("give its public key")
    done = run("verify", record, "--key", other)
    assert (done.exit_code, " and not by the key " in done.output) == (1, True)
    assert f"{record}: It was signed by the key SHA256:" in done.output
    (unsigned,) = [file for file in drawn("--record", "--method", "gradient") if file.endswith(".json")]
    done = run("verify", unsigned, "--key", public)
    assert (done.exit_code, "It is not signed: nobody stands for it" in done.output) == (1, True)
    (plain,) = drawn("--method", "hires-cam")
    done = run("verify", plain, "--key", public)
    assert (done.exit_code, "carries no record, which alone is signed" in done.output) == (2, True)


def test_a_key_that_is_of_no_use_is_misuse_before_anything_is_explained(here):
    mine, public = key("mine")
    for more, words in (
        (["--sign", mine], "--sign signs evidence records, and none are written: add --record."),
        (["--record", "--sign", public], "mine.pub.pem holds no Ed25519 private key in PEM"),
        (["--record", "--sign", "gone.pem"], "The key gone.pem cannot be read: No such file or directory."),
    ):
        done = explained(*more)
        assert (done.exit_code, words in done.output) == (2, True), done.output
    assert not Path("out").exists()


def test_what_else_is_other_is_said_by_its_place(here):
    _, record = drawn("--record")
    done = run("verify", record, "--model", "demo/flat")
    assert done.exit_code == 1
    assert done.output.splitlines()[0] == f"{record}: different (weights, score, map)"
    Image.open("cat.png").transpose(Image.Transpose.ROTATE_180).save("other.png")
    done = run("verify", record, "--image", "other.png")
    assert done.exit_code == 1
    assert done.output.startswith(f"{record}: different (photo, ")
    assert "    note: the photo's file is not the one that was recorded (" in done.output


def test_a_check_that_nobody_can_run_again_is_exit_code_1(here):
    (found,) = seewhy.grad_cam(seewhy.load("demo/honest"), "cat.png")
    found.record([seewhy.Check("certified", "green", "All is well.")]).save("map.record.json")
    done = run("verify", "map.record.json")
    assert done.exit_code == 1
    assert done.output.splitlines()[0] == "map.record.json: the same, bit for bit; not run again: check certified"


def test_the_check_of_a_contrast_is_recorded_and_run_again(here):
    png, record, *of_both = drawn("--target", "key-vs-star", "--check", "--record")
    assert len(of_both) == 4  # the maps of key and of star, each with its record
    (check,) = seewhy.EvidenceRecord.read(record).checks
    assert check.name == "contrast"
    for file in (png, record):
        done = run("verify", file)
        assert done.exit_code == 0, done.output
        lines = done.output.splitlines()
        assert lines == [f"{file}: the same, bit for bit", f"    check {check}"]


def test_another_processor_is_the_same_at_least_to_rounding(here):
    """In a process in which torch runs as on the oldest one, whose sums are made in another order."""
    _, record = drawn("--record")
    verify = [sys.executable, "-m", "seewhy", "verify", "--json", record]
    old = {**os.environ, "ATEN_CPU_CAPABILITY": "default", "DNNL_MAX_CPU_ISA": "SSE41"}
    ran = subprocess.run(verify, env=old, capture_output=True, text=True, check=False)
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["parts"]) == (0, [])
    here_is = seewhy.EvidenceRecord.read(record).source.host["processor"]
    if here_is != "DEFAULT":
        assert f"host processor: '{here_is}' as saved, 'DEFAULT' made again" in said["differences"]
        assert said["largest"] < 1e-4


def test_the_checks_of_a_verdict_are_recorded_and_run_again(here):
    """In the table of what is run again, each stands by its name before its module was imported."""
    found = seewhy.trust(seewhy.load("demo/honest"), "cat.png", checks=["deletion", "disagreement", "completeness"])
    found.heatmap.record(found.checks).save("map.record.json")
    done = run("verify", "map.record.json")
    assert done.output.splitlines() == [
        "map.record.json: the same, bit for bit",
        *(f"    check {each}" for each in found.checks),
    ]
    assert done.exit_code == 0
