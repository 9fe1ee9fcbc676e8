"""Maps logged by trackers' own calls: stand-ins that write down what they are given, and the real ones where installed."""

from types import SimpleNamespace

import numpy as np
import pytest

import seewhy
from seewhy.dataset.sharing.trackers import log_maps, logger_of
from seewhy.demo import scenes
from seewhy.errors import BadParameter


@pytest.fixture(scope="module")
def maps():
    return seewhy.explain(seewhy.load("demo/honest"), [scene.image for scene in scenes(2, 3)], ["grad-cam", "layer-cam"])


class Writer:
    def __init__(self):
        self.said = []

    def add_image(self, key, picture, step, dataformats):
        self.said.append((key, np.asarray(picture), step, dataformats))


def test_a_function_is_given_each_map_under_a_name_of_its_own(maps):
    said = []
    names = log_maps(maps, lambda *given: said.append(given), 3)
    assert names == [key for key, *_ in said]
    assert len({*names}) == 4
    assert all(step == 3 for *_, step in said)
    assert (np.asarray(said[0][1]) == np.asarray(maps[0].overlay())).all()
    assert "grad-cam for " in said[0][2]
    assert log_maps(maps, lambda *given: None, 4) == names  # from step to step


def test_tensorboards_writer_and_loggers_of_lightning(maps):
    writer = Writer()
    log_maps(maps[:1], [writer, SimpleNamespace(experiment=writer)], 2, "epoch")
    assert len(writer.said) == 2
    key, picture, step, form = writer.said[0]
    assert (key.split("/")[0], key.split("/")[-1], step, form) == ("epoch", "grad-cam", 2, "HWC")
    assert picture.shape == (96, 96, 3)


def test_mlflow_as_a_module_and_as_a_client(maps):
    said = []
    module = SimpleNamespace(log_image=lambda picture, key, step: said.append(("module", key, step)))
    client = SimpleNamespace(log_image=lambda run, picture, key, step: said.append((run, key, step)), create_run=lambda: None)
    log_maps(maps[:1], module, 1)
    log_maps(maps[:1], client, 2, run_id="r1")
    log_maps(maps[:1], SimpleNamespace(experiment=client, run_id="r2"), 3)
    assert [(who, step) for who, _, step in said] == [("module", 1), ("r1", 2), ("r2", 3)]
    with pytest.raises(BadParameter, match="run_id"):
        logger_of(client)


def test_what_logs_nothing_is_refused():
    with pytest.raises(BadParameter, match="SummaryWriter"):
        logger_of(3)


def test_the_real_writer_of_tensorboard(maps, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        (name,) = log_maps(maps[:1], writer, 5)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (event,) = events.Images(name)
    assert (event.step, event.width, event.height) == (5, 96, 96)


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_the_real_mlflow(maps, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    experiment = mlflow.create_experiment("maps", artifact_location=(tmp_path / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        log_maps(maps[:1], mlflow, 1)
    with mlflow.start_run(experiment_id=experiment) as run:
        log_maps(maps[:1], mlflow.MlflowClient(), 1, run_id=run.info.run_id)
    assert len([*(tmp_path / "artifacts").rglob("images/*.png")]) == 2


def test_the_real_wandb_offline(maps, tmp_path):
    wandb = pytest.importorskip("wandb")
    with wandb.init(mode="offline", dir=str(tmp_path), project="maps") as run:
        log_maps(maps[:1], run, 1)
    assert len([*tmp_path.rglob("media/images/**/*.png")]) == 1
