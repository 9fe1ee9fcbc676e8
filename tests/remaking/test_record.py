"""The evidence record of a map: what it holds, that it comes back as it was, and that no change of it goes unnoticed."""

import json
import random
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadImage, BadParameter, BadRecord, NotWritten
from seewhy.json_text import canonical
from seewhy.maps.stored_source import LONGEST
from seewhy.remaking.checks import Better, Check, Status
from seewhy.remaking.own_code import own_code_sha256
from seewhy.remaking.record import EvidenceRecord
from support import networks

CHECK = Check("deletion", "green", "Hiding it lowers the score.", 0.25, 0.0, 1.0, 0.5, "lower", 7, {"seed": 2**64 - 1})


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "katze é.png"
    small = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(small).resize((150, 130), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="module")
def heatmap(photo):
    return seewhy.grad_cam(seewhy.load("demo/honest"), photo)[0]


@pytest.fixture(scope="module")
def record(heatmap):
    return heatmap.record([CHECK])


def edited(record, change, digest=True) -> str:
    """The text of the record with its body changed; with a digest that fits, as a person who knows how would."""
    content = json.loads(record.to_json())
    change(content)
    if digest:
        body = {key: value for key, value in content.items() if key not in ("digest", "signature")}
        content["digest"] = sha256(canonical(body).encode()).hexdigest()
    return canonical(content) + "\n"


def test_it_holds_hashes_of_file_pixels_weights_code_and_map(record, photo, heatmap):
    content = json.loads(record.to_json())
    assert content["file"] == {"sha256": sha256(photo.read_bytes()).hexdigest(), "bytes": photo.stat().st_size}
    assert content["code"] == {"version": seewhy.__version__, "sha256": own_code_sha256()}
    source = content["source"]
    assert source["image"] == str(photo)
    assert source["image_sha256"] == heatmap.source.image_sha256 != ""
    assert source["weights_sha256"] == heatmap.source.weights_sha256 != ""
    assert source["score"] == heatmap.source.score
    values = heatmap.values + np.float32(0)
    assert source["values"]["sha256"] == sha256(values.astype("<f4").tobytes()).hexdigest()
    assert content["checks"] == [CHECK.facts]
    assert "seconds" not in source


def test_its_digest_is_that_of_the_canonical_form_of_all_else(record):
    content = json.loads(record.to_json())
    digest = content.pop("digest")
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest == sha256(plain.encode()).hexdigest()  # there is no number that JavaScript writes otherwise than Python, but:
    assert (plain.count(".0,"), plain.count("e-0")) == (0, 0)


def test_it_comes_back_as_it_was(record, heatmap, tmp_path):
    path = record.save(tmp_path / "map.record.json")
    back = EvidenceRecord.read(path)
    assert back == record
    assert back.to_json() == record.to_json() == path.read_text("utf-8")
    assert (back.source, back.checks) == (heatmap.source, (CHECK,))
    assert str(back) == f"record of {heatmap.source}, 1 checks, not signed"
    assert heatmap.record([CHECK]).to_json() == record.to_json()


def test_a_png_carries_it_and_its_source_stays(record, heatmap, tmp_path):
    path = heatmap.save(tmp_path / "map.png", legend=True)
    pixels = np.asarray(Image.open(path))
    for _again in range(2):
        record.save(path)
        assert EvidenceRecord.read(path) == record
    assert seewhy.Heatmap.source_of(path) == heatmap.source
    assert np.array_equal(np.asarray(Image.open(path)), pixels)
    other = replace(heatmap, source=replace(heatmap.source, score=1.0)).save(tmp_path / "other.png")
    with pytest.raises(BadParameter, match="shows another map than this record is of"):
        record.save(other)
    with pytest.raises(BadRecord, match="carries no record"):
        EvidenceRecord.read(other)


def test_where_it_is_written(record, tmp_path):
    with pytest.raises(BadParameter, match=r"saved as \.json, such as map\.record\.json, or into the PNG"):
        record.save(tmp_path / "map.txt")
    path = record.save(tmp_path / "map.json")
    with pytest.raises(NotWritten):
        record.save(path, over=False)
    with pytest.raises(BadRecord, match="it is not there"):
        EvidenceRecord.read(tmp_path / "gone.json")
    with pytest.raises(BadRecord, match="it is no file, but a folder: give the files in it"):
        EvidenceRecord.read(tmp_path)


def test_every_bit_counts(record):
    """Of 150 places, among them each kind of field: no flipped bit goes unnoticed."""
    text, draw = record.to_json().encode(), random.Random(0)
    assert EvidenceRecord.from_json(text) == record
    places = {text.index(part) for part in (b"2,", b"e-", b'"schema', b"digest", b"true", b"null")}
    places |= {len(text) - 1, *draw.sample(range(len(text)), 150)}
    for place in places:
        flipped = bytearray(text)
        flipped[place] ^= 1 << draw.randrange(8)
        with pytest.raises(BadRecord):
            EvidenceRecord.from_json(bytes(flipped))


def test_every_bit_counts_of_a_record_in_a_png(record, heatmap, tmp_path):
    path = record.save(heatmap.save(tmp_path / "map.png"))
    content, draw = path.read_bytes(), random.Random(0)
    start = content.index(b"seewhy-record") - 8
    end = start + 12 + int.from_bytes(content[start : start + 4])
    for place in (*range(start, start + 25), *draw.sample(range(start, end), 60), *range(end - 4, end)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises((BadRecord, BadImage)):
            EvidenceRecord.read(path)


@pytest.mark.parametrize("share", [0, 0.1, 0.9, 0.999])
def test_what_is_cut_off_is_said(record, share):
    text = record.to_json()
    with pytest.raises(BadRecord, match=r"cut off or damaged|is no evidence record"):
        EvidenceRecord.from_json(text[: int(share * len(text))])


def change_score(content):
    content["source"]["score"] = 9.5


def test_what_was_edited_by_hand_is_said(record):
    with pytest.raises(BadRecord, match="was changed since it was written: its digest is not that of what it says"):
        EvidenceRecord.from_json(edited(record, change_score, digest=False), "a.json")
    assert EvidenceRecord.from_json(edited(record, change_score)).source.score == 9.5  # which a signature alone prevents


@pytest.mark.parametrize("how", [{"indent": 1}, {"separators": (", ", ":")}, {"ensure_ascii": True, "separators": (",", ":")}])
def test_what_another_program_wrote_anew_is_said(record, how):
    text = json.dumps(json.loads(record.to_json()), **{"ensure_ascii": False, "sort_keys": True, **how})
    with pytest.raises(BadRecord, match="was written anew by another program"):
        EvidenceRecord.from_json(text)


def test_a_key_that_stands_twice_is_noticed(record):
    text = record.to_json().replace('"score":', '"score":1,"score":', 1)
    with pytest.raises(BadRecord, match="written anew"):
        EvidenceRecord.from_json(text)


def test_a_later_schema_is_told_from_what_is_none(record):
    later = edited(record, lambda content: content.update(schema="seewhy-record/2", more=[1]))
    with pytest.raises(BadRecord, match=r"of the schema seewhy-record/2, which a later seewhy writes.*pip install --upgrade"):
        EvidenceRecord.from_json(later)
    for text in ("{}", "[]", "1", '{"schema":1}', '{"schema":"seewhy-record/0"}', '{"schema":"other/1"}'):
        with pytest.raises(BadRecord, match="is no evidence record"):
            EvidenceRecord.from_json(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("file"), "fields that are lacking or of no use: file"),
        (lambda content: content.update(code_to_run="import os"), "lacking or of no use: code_to_run"),
        (lambda content: content["file"].update(bytes="1"), "the 'bytes' of its 'file' is not of the form"),
        (lambda content: content["file"].update(path="/etc/passwd"), "its 'file' has the fields sha256, bytes, and no others"),
        (lambda content: content["code"].update(version=""), "the 'version' of its 'code'"),
        (lambda content: content.update(code=[]), "its 'code' has the fields"),
        (lambda content: content.update(checks={}), "its 'checks' are a list"),
        (lambda content: content["checks"][0].update(status="gold"), "has the status 'gold'"),
        (lambda content: content["checks"].append(3), "a check is a int"),
        (lambda content: content["source"].pop("method"), "it lacks 'method'"),
        (lambda content: content["source"].update(method=["a"]), "its 'method' is a"),
        (lambda content: content.update(source=None), "it is a NoneType"),
        (lambda content: content.update(signature={"algorithm": "none"}), "its 'signature' has the fields"),
        (lambda content: content.update(signature="me"), "its 'signature' has the fields"),
    ],
)  # fmt: skip
def test_what_has_another_form_is_said(record, change, words):
    with pytest.raises(BadRecord, match="is no record as seewhy writes it") as raised:
        EvidenceRecord.from_json(edited(record, change))
    assert words in str(raised.value)


def test_hostile_texts_end_in_one_printable_line(record):
    deep = "[" * 5000 + "]" * 5000
    texts = [
        deep, '{"schema":"seewhy-record/1","source":' + deep + "}", "9" * 5000, '{"schema":"seewhy-record/1","a":NaN}',
        '{"schema":"seewhy-record/1","a":1e999}', '{"schema":"seewhy-record/1","a":"\\ud800"}', b"\xff\xfe", b"\x00" * 99,
        " " * (LONGEST + 1), edited(record, lambda content: content.update({"\x1b[2J\u202e": 1})),
    ]  # fmt: skip
    for text in texts:
        with pytest.raises(BadRecord) as raised:
            EvidenceRecord.from_json(text, "hostile\n\x1b[2J.json")
        words = str(raised.value)
        assert words.isprintable()
        assert len(words) < 2000
    odd = EvidenceRecord.from_json(edited(record, lambda content: content["source"].update(method="\x1b[2J")))
    assert str(odd).isprintable()


def test_of_an_image_in_memory_there_is_no_file(heatmap):
    model, x = seewhy.wrap(networks.pooled()), networks.images(3)
    first, *others = (found.record() for found in seewhy.grad_cam(model, x))
    assert first.body["file"] is None
    assert first.source.image_sha256 != others[0].source.image_sha256 != ""
    assert len({record.digest for record in (first, *others)}) == 3
    for record in (first, *others):
        assert EvidenceRecord.from_json(record.to_json()) == record
    pixels = Image.open(heatmap.source.image)
    (found,) = seewhy.grad_cam(seewhy.load("demo/honest"), pixels.copy())
    assert found.record().body["file"] is None


def test_of_a_function_no_weights_are_known(photo):
    model = seewhy.wrap(lambda images: images.reshape(len(images), -1, 3).mean(1), name="brightness")
    (found,) = seewhy.occlusion(model, photo, window=60, stride=45)
    record = EvidenceRecord.from_json(found.record().to_json())
    assert (record.source.weights_sha256, record.source.model, record.source.recipe) == ("", "brightness", {})


def test_of_a_volume_all_axes_are_recorded():
    volume = seewhy.Volume(np.random.default_rng(0).normal(size=(8, 9, 10)).astype(np.float32), np.diag([1.0, 2.0, 3.0, 1.0]))
    model = seewhy.wrap(lambda volumes: volumes.reshape(len(volumes), -1)[:, :2], takes="float", prepare=seewhy.VolumeFit())
    (found,) = seewhy.occlusion(model, volume, window=5, stride=4)
    record = EvidenceRecord.from_json(found.record().to_json())
    assert record.source.image_size == found.size
    assert record.source.values["shape"] == found.values.shape
    assert record.body["file"] is None


def test_a_photo_that_was_changed_since_is_not_recorded_under_its_name(tmp_path):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "dot.png")
    (found,) = seewhy.grad_cam(seewhy.load("demo/honest"), tmp_path / "dot.png")
    before = found.record()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "dot.png", compress_level=0)
    assert found.record().body["file"] != before.body["file"]  # another file with the same pixels
    Image.new("RGB", (40, 30), "blue").save(tmp_path / "dot.png")
    with pytest.raises(BadImage, match=r"The pixels in .*dot\.png are not those that were explained"):
        found.record()
    (tmp_path / "dot.png").unlink()
    assert found.record().body["file"] is None


def test_values_that_were_changed_in_memory_are_those_that_are_recorded(heatmap):
    half = replace(heatmap, values=heatmap.values / 2)
    assert half.record().source.values["sha256"] != heatmap.record().source.values["sha256"]


def test_the_schema_says_what_seewhy_writes_and_refuses(record):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((files("seewhy.remaking") / "record.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    written = [record.to_json(), seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1))[0].record().to_json()]
    for text in written:
        assert [*validator.iter_errors(json.loads(text))] == []
    content = json.loads(record.to_json())
    for change in (
        {"file": {"sha256": "0" * 64}}, {"digest": "0"}, {"more": 1}, {"checks": [{**CHECK.facts, "status": "gold"}]},
        {"source": {}}, {"schema": "seewhy-record/2"}, {"signature": {"algorithm": "Ed25519"}}, {"code": {"version": "1"}},
    ):  # fmt: skip
        assert not validator.is_valid({**content, **change})


def test_the_package_brings_the_schema():
    path = Path(str(files("seewhy.remaking") / "record.schema.json"))
    assert json.loads(path.read_text("utf-8"))["title"] == "seewhy-record/1"


def test_the_schema_knows_every_outcome_of_a_check():
    schema = json.loads((files("seewhy.remaking") / "record.schema.json").read_text("utf-8"))
    known = schema["$defs"]["check"]["properties"]
    assert known["status"]["enum"] == [*get_args(Status)]
    assert known["better"]["enum"] == [*get_args(Better)]
