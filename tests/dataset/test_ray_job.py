"""What a worker does: it loads the same model, sees the same files, or says which machine does not."""

import json
import os
import pickle
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.dataset import ray_job
from seewhy.dataset.ray_job import job_of, loadable
from seewhy.dataset.running import begun, info_of, run_settings
from seewhy.dataset.store import gaps
from seewhy.dataset.storing import works_of
from seewhy.errors import BadParameter, BadWeights
from seewhy.photo_sets.listing import list_items

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Five photos; the last is broken."""
    folder = tmp_path_factory.mktemp("set")
    for i in range(4):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 24, 3), np.uint8)).save(folder / f"{i}.png")
    (folder / "4.png").write_bytes(b"broken")
    return folder


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """The table of a run in this process."""
    model = seewhy.load("demo/honest")
    return seewhy.explain_dataset(model, photos, tmp_path_factory.mktemp("whole") / "run", target="top", workers=1).table()


def without_threads(made_by):
    """What made a map, but for how many threads the network had, which a worker may have more of."""
    made = json.loads(made_by)
    return {**made, "host": {**made["host"], "threads": None}}


@pytest.fixture
def job(photos, tmp_path):
    model = seewhy.load("demo/honest")
    listing, settings = list_items(photos, model.labels), run_settings(model, "grad-cam", "top", None, 1)
    info = begun(tmp_path / "run", info_of(model, listing, settings))
    return job_of(model, settings, tmp_path / "run", listing, True), [
        *works_of(listing, gaps(tmp_path / "run", info.count, info.chunk))
    ]


def test_what_is_sent_gives_the_same_rows(job, whole, tmp_path):
    sent, works = pickle.loads(pickle.dumps(job))
    storing = sent()
    assert sum(storing(works)) == 5
    assert seewhy.open_run(tmp_path / "run").table().equals(whole)
    assert len(pickle.dumps(sent)) < 10_000  # no weights


def test_where_something_is_not_as_it_was_the_machine_is_named(job, tmp_path):
    job, _ = job
    with pytest.raises(BadParameter, match=r"has seewhy .*, and the run is of 0\.0: install the same everywhere"):
        replace(job, version="0.0")()
    with pytest.raises(BadParameter, match=r"does not see /nowhere/a\.jpg: .*s3://bucket/photos"):
        replace(job, photos=["/nowhere/a.jpg"])()
    with pytest.raises(BadWeights, match=r"loads other weights by .*demo/honest"):
        replace(job, weights_sha256="0" * 64)()
    with pytest.raises(BadParameter, match=r"does not see the run in /nowhere: on several machines it has to lie"):
        replace(job, folder="/nowhere")()
    (tmp_path / "run" / "run.json").write_text("{}")  # another run of that path
    with pytest.raises(BadParameter, match="does not see the run"):
        job()


def test_on_a_gpu_the_model_goes_there_unless_it_was_said_otherwise(job, monkeypatch):
    job, _ = job
    given = []

    def load(**recipe):
        given.append(recipe)
        return seewhy.load("demo/honest")

    monkeypatch.setattr(ray_job, "load", load)
    job()
    replace(job, gpu=True)()
    replace(job, gpu=True, recipe={"spec": "demo/honest", "device": "cpu"})()
    assert [recipe.get("device") for recipe in given] == [None, "cuda", "cpu"]
    assert [recipe["trust"] for recipe in given] == [False] * 3


def test_relative_paths_begin_where_the_command_was_given(job, monkeypatch, tmp_path):
    job, _ = job
    monkeypatch.chdir(tmp_path)  # given back at the end
    replace(job, cwd=str(tmp_path / "run"))()
    assert os.getcwd() == str(tmp_path / "run")
    replace(job, cwd="/nowhere")()
    assert os.getcwd() == str(tmp_path / "run")


def test_a_model_that_was_wrapped_cannot_be_loaded_anew(photos, tmp_path):
    model = seewhy.wrap(lambda x: np.zeros((len(x), 2)), prepare={"size": 8, "crop": 8}, takes="uint8", name="own")
    with pytest.raises(BadParameter, match=r"of own it is not known how: give what seewhy\.load made"):
        loadable(model)
    with pytest.raises(BadParameter, match="it is not known how"):
        seewhy.explain_dataset(model, photos, tmp_path / "run", ray="local")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray does not wait for the programs that it starts
def test_a_run_on_ray_is_the_run_in_one_process(photos, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as many as here, where the cluster hands it on
    model = seewhy.load("demo/honest")
    found = seewhy.explain_dataset(model, photos, tmp_path / "run", target="top", workers=1, ray="local")
    assert found.table().drop(["made_by"]).equals(whole.drop(["made_by"]))
    for there, here in zip(*(table["made_by"].to_pylist()[:4] for table in (found.table(), whole)), strict=True):
        assert without_threads(there) == without_threads(here)
    assert seewhy.explain_dataset(model, photos, tmp_path / "run", target="top", ray="never asked").missing == []
