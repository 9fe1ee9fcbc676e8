"""A run over a set: what is stored stays, nothing is done twice, nothing is lost."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import seewhy
from seewhy.dataset import chunks, running
from seewhy.dataset.info import FILE, read_info
from seewhy.dataset.store import ROWS, parts
from seewhy.photo_sets.listing import list_items
from seewhy.progress import stoppable

pytest.importorskip("pyarrow")
HALVES = """
import sys, time
from pathlib import Path
import numpy as np
import seewhy
from seewhy.dataset import running

def light(x, wait=0.0):
    time.sleep(wait)
    grey = x.mean((1, 2, 3)) / 255
    return np.stack([grey, 1 - grey], 1)

def model(wait=0.0):
    function = lambda x: light(x, wait)
    return seewhy.wrap(function, prepare={"size": 8, "crop": 8}, takes="uint8", labels=["light", "dark"], name="light")

running.chunk_for = lambda count: 16
OCCLUSION = seewhy.occlusion.using(window=4, stride=4)
"""
made: dict = {}
with pytest.MonkeyPatch.context() as undone:
    undone.setattr(running, "chunk_for", running.chunk_for)
    exec(HALVES, made)


@pytest.fixture(autouse=True, scope="module")
def short_parts():
    """Parts of 16 photos, that there are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "chunk_for", lambda count: 16)
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory, short_parts) -> Path:
    """40 photos in folders named by what they show, the first of each wrongly; the last of each is broken."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("set")
    for name, low in (("dark", 0), ("light", 100)):
        (folder / name).mkdir()
        for i in range(20):
            pixels = np.random.default_rng(i).integers(
                *((low, low + 156) if i else (100 - low, 256 - low)), (12, 12, 3), np.uint8
            )
            Image.fromarray(pixels).save(folder / name / f"{i:03d}.png")
        (folder / name / "019.png").write_bytes(b"broken")
    return folder


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """The table of a run that nothing came between."""
    return explain(photos, tmp_path_factory.mktemp("whole") / "run").table()


def explain(photos, to, **other):
    return seewhy.explain_dataset(made["model"](), photos, to, made["OCCLUSION"], **other)


def test_a_run_has_rows_of_all_photos_broken_ones_among_them(photos, whole, tmp_path):
    run = explain(photos, tmp_path / "run")
    assert (len(run), run.missing, run.info.count, run.info.chunk) == (40, [], 40, 16)
    assert run.table().equals(whole)
    assert [error[:1] for error in run.errors()] == [(19,), (39,)]
    assert all("is not an image that Pillow can read" in error.error for error in run.errors())
    table = run.table(["path", "truth_labels", "predicted_label", "right", "target"]).to_pylist()
    assert all(row["right"] == (row["truth_labels"] == [row["predicted_label"]]) for row in table if row["target"])
    assert {row["target"] for row in table} == {"top", "true", None}
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [ROWS, FILE, "run.lock"]


def test_a_run_that_is_done_is_not_done_again(photos, whole, tmp_path, monkeypatch):
    explain(photos, tmp_path / "run")
    monkeypatch.setattr(chunks, "explain_batch", lambda *_: pytest.fail("a photo was explained again"))
    assert explain(photos, str(tmp_path / "run")).table().equals(whole)


def test_what_is_missing_alone_is_done(photos, whole, tmp_path, monkeypatch):
    explain(photos, tmp_path / "run")
    parts(tmp_path / "run")[1].path.unlink()
    seen = []
    real = chunks.explain_batch
    monkeypatch.setattr(chunks, "explain_batch", lambda m, batch, *more: (seen.extend(batch.names), real(m, batch, *more)))
    assert explain(photos, tmp_path / "run").table().equals(whole)
    items = list_items(photos, ["light", "dark"])
    assert seen == [item.path for item in items[16:32] if not item.path.endswith("019.png")]


@pytest.mark.parametrize("how", ["stop", "interrupt", "error"])
def test_what_was_done_when_it_ended_early_is_stored_and_it_goes_on(photos, whole, tmp_path, monkeypatch, how):
    real, count = chunks.explain_batch, [0]

    def ends(*arguments):
        count[0] += 1
        if count[0] == 4:
            if how == "stop":
                signal.raise_signal(signal.SIGINT)
            else:
                raise KeyboardInterrupt if how == "interrupt" else RuntimeError("a bug")
        return real(*arguments)

    monkeypatch.setattr(chunks, "explain_batch", ends)
    if how == "stop":
        with stoppable():
            first = explain(photos, tmp_path / "run")
    else:
        with pytest.raises(KeyboardInterrupt if how == "interrupt" else RuntimeError):
            explain(photos, tmp_path / "run")
        first = seewhy.open_run(tmp_path / "run")
    assert 0 < len(first) < 40
    assert first.missing == list(range(len(first), 40))
    assert first.table().equals(whole.slice(0, len(first.table())))
    done = len(first)
    monkeypatch.setattr(chunks, "explain_batch", real)
    assert explain(photos, tmp_path / "run").table().equals(whole)
    assert sum(part.piece for part in parts(tmp_path / "run")) == (done % 16 > 0)


def test_a_run_that_was_killed_goes_on_and_nothing_is_lost_or_doubled(photos, whole, tmp_path):
    code = f"{HALVES}\nseewhy.explain_dataset(model(0.001), sys.argv[1], sys.argv[2], OCCLUSION)"
    run = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", code, str(photos), str(run)])
    deadline = time.monotonic() + 60
    while not parts(run) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    killed = seewhy.open_run(run)
    assert len(killed) in (16, 32)
    assert killed.table().equals(whole.slice(0, len(killed.table())))
    assert explain(photos, run).table().equals(whole)
    assert [part[:2] for part in parts(run)] == [(0, 0), (1, 0), (2, 0)]


def test_on_a_full_disk_what_was_stored_stays_and_it_goes_on_elsewhere(photos, whole, tmp_path, full_disk):
    with pytest.raises(seewhy.NotWritten, match="No space left on device"):
        explain(photos, full_disk / "run")
    stored = seewhy.open_run(full_disk / "run")
    assert 0 < len(stored) < 40
    assert stored.table().equals(whole.slice(0, len(stored.table())))
    shutil.copytree(full_disk / "run", tmp_path / "moved")
    assert explain(photos, tmp_path / "moved").table().equals(whole)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"target": "top"}, r"the targets \('top, true', now 'top'\)"),
        ({"layer": "cells"}, r"the layer"),
        ({"truth": "none"}, "the photos or their labels"),
    ],
    ids=["target", "layer", "truth"],
)
def test_a_run_of_other_settings_is_refused_and_stays(photos, whole, tmp_path, other, why):
    explain(photos, tmp_path / "run")
    with pytest.raises(seewhy.BadParameter, match=rf"has a run that differs in .*{why}.*Give another folder"):
        explain(photos, tmp_path / "run", **other)
    assert seewhy.open_run(tmp_path / "run").table().equals(whole)


def test_another_photo_in_the_set_makes_it_another_run(photos, tmp_path):
    copy = shutil.copytree(photos, tmp_path / "set")
    explain(copy, tmp_path / "run")
    shutil.copy(copy / "dark" / "000.png", copy / "dark" / "new.png")
    with pytest.raises(seewhy.BadParameter, match=r"the number of photos \('40', now '41'\)"):
        explain(copy, tmp_path / "run")


def test_a_folder_with_rows_of_something_else_is_left_alone(photos, tmp_path):
    (tmp_path / "run" / ROWS).mkdir(parents=True)
    with pytest.raises(seewhy.BadParameter, match="it is no run"):
        explain(photos, tmp_path / "run")
    assert not (tmp_path / "run" / FILE).exists()


def test_what_the_run_is_stands_beside_it(photos, tmp_path):
    info = explain(photos, tmp_path / "run", target="true").info
    assert info == read_info(tmp_path / "run")
    assert (info.model, info.labels, info.targets, info.method_names) == ("light", ("light", "dark"), ("true",), ("occlusion",))
    assert info.methods[0]["params"]["window"] == 4
    assert info.data == str(photos)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"methods": []}, "name one method or several"),
        ({"methods": ["occlusion", "occlusion"]}, "each once"),
        ({"methods": "occlusio"}, "No method 'occlusio'"),
        ({"target": "281"}, "a run explains 'top', the class each photo is taken for, 'true', or both"),
        ({"target": ()}, "a run explains 'top'"),
        ({"layer": ["a", "b"]}, "maps of one layer"),
        ({"workers": 0}, "workers"),
        ({"methods": "grad-cam"}, "grad-cam reads gradients; light gives scores only"),
    ],
    ids=["none", "twice", "unknown", "a class", "no target", "layers", "workers", "unsuited"],
)
def test_what_cannot_be_asked_is_refused_before_a_photo_is_read(photos, tmp_path, other, why):
    question = {"methods": made["OCCLUSION"], **other}
    with pytest.raises(seewhy.Misuse, match=why):
        seewhy.explain_dataset(made["model"](), photos, tmp_path / "run", **question)
    assert not (tmp_path / "run").exists()


def test_the_paths_in_a_table_may_begin_elsewhere(photos, tmp_path):
    name = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))[0]
    (tmp_path / "labels.csv").write_text(f"file,label\n{name},dark\n")
    run = seewhy.explain_dataset(
        made["model"](), tmp_path / "labels.csv", tmp_path / "run", made["OCCLUSION"], root=photos, workers=1
    )
    assert run.photo(0).path == str(photos / name)


def test_the_true_class_alone_is_refused_where_no_truth_is_known(photos, tmp_path):
    with pytest.raises(seewhy.BadParameter, match=r'target="true": what the photos show is not known.* Give truth='):
        seewhy.explain_dataset(made["model"](), photos, tmp_path / "run", made["OCCLUSION"], target="true", truth="none")
    assert not (tmp_path / "run").exists()


def test_a_model_that_takes_no_photos_is_refused(photos, tmp_path, red_network):
    model = seewhy.wrap(red_network)
    with pytest.raises(seewhy.NotApplicable, match="takes prepared arrays, and a run is over photos"):
        seewhy.explain_dataset(model, photos, tmp_path / "run", "grad-cam")


def test_a_network_that_fails_ends_the_run_before_any_photo_is_read(photos, tmp_path, monkeypatch):
    def broken(x):
        raise RuntimeError("no such thing")

    read = []
    monkeypatch.setattr("seewhy.dataset.storing.photos_of", lambda *given: read.append(given))
    model = seewhy.wrap(broken, prepare={"size": 8, "crop": 8}, takes="uint8", labels=["a", "b"], name="broken")
    with pytest.raises(seewhy.BadNetwork, match=r"no such thing\. Noise of the shape .* was tried, and no photo was read"):
        seewhy.explain_dataset(model, photos, tmp_path / "run", made["OCCLUSION"], truth="none")
    assert not read
    assert not (tmp_path / "run").exists()


def test_a_network_whose_photos_keep_their_sizes_ends_the_run_at_the_first_of_them(photos, tmp_path):
    def broken(x):
        raise RuntimeError("no such thing")

    model = seewhy.wrap(broken, prepare={"size": None, "crop": None}, takes="uint8", labels=["a", "b"], name="broken")
    with pytest.raises(seewhy.BadNetwork, match=r"broken failed on each of the first (8|9|1\d) photos\. BadNetwork: "):
        seewhy.explain_dataset(model, photos, tmp_path / "run", made["OCCLUSION"], truth="none")
    assert parts(tmp_path / "run") == []


def test_what_failed_is_done_again_on_request_alone_and_nothing_is_doubled(photos, whole, tmp_path, monkeypatch):
    mine, seen, real = shutil.copytree(photos, tmp_path / "set"), [], chunks.explain_batch
    before = explain(mine, tmp_path / "run").table()
    good = (mine / "dark" / "018.png").read_bytes()
    (mine / "dark" / "019.png").write_bytes(good)
    monkeypatch.setattr(chunks, "explain_batch", lambda m, batch, *more: (seen.extend(batch.names), real(m, batch, *more)))
    assert explain(mine, tmp_path / "run").table().equals(before)
    assert seen == []
    run = explain(mine, tmp_path / "run", retry=True)
    assert [error.item for error in run.errors()] == [39]
    assert seen == [str(mine / "dark" / "019.png")]
    items, rows = run.table("item")["item"].to_pylist(), run.table().to_pylist()
    assert (len(run), items) == (40, sorted(items))
    assert [row for row in rows if row["item"] not in (19, 39)] == [
        row for row in before.to_pylist() if row["item"] not in (19, 39)
    ]
    again, beside = ([row for row in rows if row["item"] == item] for item in (19, 18))
    assert [(row["target"], row["map"], row["error"]) for row in again] == [(row["target"], row["map"], None) for row in beside]


def test_stopped_while_it_does_again_what_failed_it_goes_on_without_being_told(photos, whole, tmp_path, monkeypatch):
    explain(photos, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(running, "gaps", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            explain(photos, tmp_path / "run", retry=True)
    stopped = seewhy.open_run(tmp_path / "run")
    assert (stopped.missing, stopped.errors()) == ([19, 39], [])
    assert explain(photos, tmp_path / "run").table().equals(whole)


def test_progress_tells_of_the_photos_that_are_missing(photos, tmp_path, monkeypatch):
    told = []

    def shown(things, total, what, size=len):
        told.append((total, what))
        for thing in things:
            told.append(size(thing))
            yield thing

    explain(photos, tmp_path / "run")
    parts(tmp_path / "run")[0].path.unlink()
    monkeypatch.setattr(running, "shown", shown)
    explain(photos, tmp_path / "run")
    assert told[0] == (16, "explaining")
    assert sum(told[1:]) == 16
