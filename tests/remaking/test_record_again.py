"""A record is verified: the map is made again, its checks are run again, and what is other is said by its place."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, BadRecord, NotApplicable
from seewhy.remaking import checks
from seewhy.remaking.checks import Check, runs_again
from seewhy.remaking.record import EvidenceRecord
from seewhy.remaking.record_again import record_again
from support import networks


@pytest.fixture(scope="module")
def heatmap(honest, photo):
    return seewhy.grad_cam(honest, photo)[0]


def stored(heatmap, *results) -> EvidenceRecord:
    """The record as a file gives it back."""
    return EvidenceRecord.from_json(heatmap.record(results).to_json())


def hidden(model, image, heatmap, settings) -> Check:
    """How far the explained score falls where the left part of the photo is black: a small check of our own."""
    photo = np.array(Image.open(image) if isinstance(image, str | Path) else image)
    photo[:, : int(settings["share"] * photo.shape[1])] = 0
    (batch,) = model.batches(Image.fromarray(photo))
    fallen = heatmap.source.score - float(model.answer(batch.x).scores[0][heatmap.source.index])
    status = "green" if fallen > settings.get("least", 0) else "red"
    return Check("hidden", status, "The score falls.", fallen, better="higher", forwards=1, settings=settings)


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    monkeypatch.setattr(checks, "RUNS_AGAIN", {})
    runs_again("hidden", hidden)


def test_the_same_on_the_same_machine_with_its_checks(heatmap, honest, photo):
    check = hidden(honest, photo, heatmap, {"share": 0.5})
    remade = record_again(stored(heatmap, check))
    assert (remade.same, remade.faults, remade.differences, remade.parts) == ("bit for bit", (), (), ())
    assert remade.checks == (check,)
    assert (remade.unchecked, remade.signed) == ((), "")
    assert remade.verdict == "the same, bit for bit"
    assert remade.facts["checks"] == [check.facts]


@pytest.mark.parametrize(
    ("change", "same", "said"),
    [
        ({}, "bit for bit", ""),
        ({"value": 1 + 1e-5}, "to rounding", "check hidden is the same to rounding: value .* as recorded, .* now"),
        ({"value": 1.1}, "different", "check hidden: value .* as recorded, .* now"),
        ({"status": "red"}, "different", "check hidden: status red as recorded, green now"),
        ({"low": 0.0}, "different", "check hidden: low 0 as recorded, none now"),
        ({"better": ""}, "different", "check hidden: better none as recorded, higher now"),
    ],
    ids=["same", "rounding", "value", "status", "interval", "direction"],
)
def test_a_check_that_comes_out_otherwise(heatmap, honest, photo, change, same, said):
    check = hidden(honest, photo, heatmap, {"share": 0.5})
    change = {**change, **({"value": check.value * change["value"]} if "value" in change else {})}
    remade = record_again(stored(heatmap, replace(check, **change)), honest)
    assert remade.same == same
    if same == "different":
        assert remade.parts == ("check hidden",)
        assert remade.verdict == "different (check hidden)"
    words = (*remade.faults, *remade.differences)
    assert len(words) == bool(said)
    if said:
        assert re.fullmatch(said, words[0])


def fails(model, image, heatmap, settings):
    raise NotApplicable("It has no meaning here.") if settings.get("ours") else KeyError("seed")


def test_a_check_that_cannot_be_run_again_is_said_and_is_no_pass(heatmap, honest):
    runs_again("fails", fails)
    some = [Check(name, "green", "Fine.", settings=settings) for name, settings in
            (("fails", {}), ("fails", {"ours": 1}), ("os:system", {"command": "true"}))]  # fmt: skip
    remade = record_again(stored(heatmap, *some), honest)
    assert (remade.same, remade.faults, remade.checks) == ("bit for bit", (), ())
    assert remade.unchecked == ("fails", "fails", "os:system")
    assert remade.verdict == "the same, bit for bit; not run again: check fails, check fails, check os:system"
    assert remade.differences == (
        "check fails was not run again: KeyError: 'seed'",
        "check fails was not run again: It has no meaning here",
        "check os:system was not run again: No check that can be run again is called 'os:system'. There are: fails, hidden. "
        "One of your own is made known by seewhy.metrics.checks.runs_again",
    )


def test_other_weights_are_said(heatmap):
    remade = record_again(stored(heatmap), seewhy.load("demo/flat"))
    assert remade.same == "different"
    assert remade.parts[0] == "weights"
    assert {"weights", "map", "score"} <= {*remade.parts}
    edited = seewhy.load("demo/honest")
    with torch.no_grad():
        [*edited.network.parameters()][-1][0] += 1e-6  # of another class: neither its score nor the map is touched
    remade = record_again(stored(heatmap), edited)
    assert (remade.parts, remade.largest) == (("weights",), 0)


def test_another_photo_is_said(heatmap, honest, photo, tmp_path):
    Image.open(photo).transpose(Image.Transpose.ROTATE_180).save(tmp_path / "cat.png")
    remade = record_again(stored(heatmap), honest, tmp_path / "cat.png")
    assert remade.parts[0] == "photo"
    assert any(note.startswith("the photo's file is not the one that was recorded (") for note in remade.differences)


def test_the_same_pixels_in_another_file_are_a_note(heatmap, honest, photo, tmp_path):
    Image.open(photo).save(tmp_path / "cat.png", compress_level=0)
    remade = record_again(stored(heatmap), honest, tmp_path / "cat.png")
    assert (remade.same, remade.faults) == ("bit for bit", ())
    (note,) = remade.differences
    assert note.startswith(f"the photo's file is not the one that was recorded ({photo.stat().st_size:,} bytes, SHA-256 ")
    assert note.endswith("what counts are its pixels")
    shutil.copy(photo, tmp_path / "copy.png")
    assert record_again(stored(heatmap), honest, tmp_path / "copy.png").differences == ()


def test_another_version_and_another_code_are_notes(heatmap, honest):
    other = replace(heatmap, source=replace(heatmap.source, versions={**heatmap.source.versions, "seewhy": "0.0.1"}))
    remade = record_again(stored(other), honest)
    assert remade.same == "bit for bit"
    assert remade.differences == (
        f"versions seewhy: '0.0.1' as saved, '{seewhy.__version__}' made again",
        f"the record was written by seewhy {seewhy.__version__}, and the map made by another",
    )
    body = stored(heatmap).body
    remade = record_again(EvidenceRecord({**body, "code": {**body["code"], "sha256": "0" * 64}}), honest)
    assert remade.differences[0].startswith("the code of seewhy is not that of the record (SHA-256 0000000000000000... as ")
    assert record_again(EvidenceRecord({**body, "code": {**body["code"], "sha256": ""}}), honest).differences == ()


def test_another_setting_another_score_and_other_values_are_said(heatmap, honest):
    source = heatmap.source
    for facts, part in (
        ({"label": "cat"}, "setting"), ({"geometry": "plain"}, "setting"), ({"score": source.score + 1}, "score"),
        ({"measured": {"gap": 1.0}}, "score"), ({"image_size": (1, 2)}, "photo"), ({"image_sha256": "0" * 64}, "photo"),
        ({"weights_sha256": "0" * 64}, "weights"), ({"prepare": {**source.prepare, "crop": 95}}, "setting"),
    ):  # fmt: skip
        record = stored(heatmap)
        body = {**record.body, "source": json.loads(replace(record.source, **facts).to_json())}
        assert record_again(EvidenceRecord(body), honest).parts == (part,)
    moved = replace(heatmap, values=heatmap.values[::-1].copy())
    assert record_again(stored(moved), honest).parts == ("map",)


def brightness(kind):
    """Two scores of how bright and how dark an image is, in numbers of that kind, which round otherwise."""

    def scores(images):
        x = images.astype(kind)
        bright = (np.sqrt(x + 0.1) * np.linspace(0.1, 1, x.shape[-2], dtype=kind)[:, None]).reshape(len(x), -1).mean(1)
        return np.stack([bright, 1 / (1 + bright)], 1)

    return scores


def test_another_machine_is_the_same_to_rounding_and_how_far_is_said():
    """A function has no weights: which it was, its name alone tells."""
    here, there = (seewhy.wrap(brightness(kind), takes="float", name="brightness") for kind in (np.float32, np.float64))
    x = np.random.default_rng(0).uniform(size=(1, 3, 16, 16)).astype(np.float32)
    (found,) = seewhy.occlusion(here, x, window=4, stride=4)
    remade = record_again(stored(found), there, x)
    assert (remade.same, remade.faults) == ("to rounding", ())
    far = abs(remade.heatmap.values.astype(float) - found.values).max() / abs(found.values).max()
    assert remade.largest == pytest.approx(far)
    assert far > 0
    assert remade.verdict.startswith("the same to rounding (values differ by up to ")
    assert remade.differences[-1] == "nobody can tell which weights: brightness is a function or a service, known by name"


def test_other_threads_are_the_same_at_least_to_rounding(honest, heatmap):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        remade = record_again(stored(heatmap), honest)
    finally:
        torch.set_num_threads(threads)
    assert remade.same in ("bit for bit", "to rounding")
    assert remade.faults == ()
    assert f"host threads: {threads} as saved, {threads + 1} made again" in remade.differences


def test_each_map_of_a_batch_has_its_own_record():
    model, x = seewhy.wrap(networks.pooled().double()), networks.images(3)
    for found in seewhy.grad_cam(model, x):
        remade = record_again(stored(found), model, x[found.place : found.place + 1])
        assert remade.same in ("bit for bit", "to rounding")
        assert remade.faults == ()
        other = record_again(stored(found), model, x[(found.place + 1) % 3][None])
        assert other.parts[0] == "photo"


def test_a_volume():
    volume = seewhy.Volume(np.random.default_rng(0).normal(size=(8, 9, 10)).astype(np.float32), np.diag([1.0, 2.0, 3.0, 1.0]))
    model = seewhy.wrap(lambda x: x.reshape(len(x), -1)[:, :2] + 1, takes="float", prepare=seewhy.VolumeFit())
    (found,) = seewhy.occlusion(model, volume, window=5, stride=4)
    assert record_again(stored(found), model, volume).same == "bit for bit"
    moved = seewhy.Volume(volume.values, np.diag([1.0, 2.0, 4.0, 1.0]))
    assert record_again(stored(found), model, moved).parts[0] == "photo"


def test_an_onnx_file(tmp_path, monkeypatch, photo):
    pytest.importorskip("onnxruntime")
    from support.onnx_graphs import exported

    monkeypatch.chdir(tmp_path)
    exported(networks.pooled().float(), networks.images(1, 32, 32).astype(np.float32), tmp_path / "net.onnx")
    model = seewhy.load("net.onnx", prepare={"size": 32, "crop": 32, "mean": 0.5, "std": 0.5})
    (found,) = seewhy.occlusion(model, photo, window=16, stride=16)
    record = stored(found)
    assert len(record.source.weights_sha256) == 64
    assert record_again(record).same == "bit for bit"
    network = networks.pooled(seed=1).float()
    exported(network, networks.images(1, 32, 32).astype(np.float32), tmp_path / "net.onnx")
    assert record_again(record).parts[0] == "weights"


def test_files_of_records_are_verified_by_the_same_name(heatmap, tmp_path):
    record = heatmap.record()
    assert seewhy.verify(record.save(tmp_path / "map.record.json")).same == "bit for bit"
    png = heatmap.save(tmp_path / "map.png")
    with pytest.raises(BadParameter, match="carries no record, which alone is signed"):
        seewhy.verify(png, key="public.pem")
    record.save(png)
    assert seewhy.verify(png).same == "bit for bit"
    text = record.to_json().replace('"kept":"whole"', '"kept":"parts"')
    (tmp_path / "map.record.json").write_text(text)
    with pytest.raises(BadRecord, match=r"map\.record\.json was changed since it was written"):
        seewhy.verify(tmp_path / "map.record.json")


def test_a_record_in_the_picture_of_another_map_is_refused(heatmap, tmp_path, monkeypatch):
    other = replace(heatmap, source=replace(heatmap.source, score=1.0))
    png = heatmap.save(tmp_path / "map.png")
    monkeypatch.setattr("seewhy.remaking.record.same_source", lambda *_sources: True)  # as by a person who put it there
    other.record().save(png)
    with pytest.raises(BadRecord, match="the record in it is not of this map"):
        seewhy.verify(png)


def test_what_a_record_names_is_not_run(heatmap, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text("open('ran', 'w')")
    evil = replace(heatmap, source=replace(heatmap.source, recipe={"spec": "nets.py:net"}))
    with pytest.raises(BadParameter, match=r"Making this map again runs Python, 'nets\.py:net', as the map itself names it"):
        record_again(stored(evil))
    assert not Path("ran").exists()
