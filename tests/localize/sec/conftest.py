"""A folder of ten scenes with their classes, and a network that was trained on it for two passes."""

import pytest

pytest.importorskip("torch")

import seewhy
from seewhy.localize.sec.photos import labelled_files, training_photos
from seewhy.localize.sec.run import train_segmenter
from seewhy.localize.sec.scenes import write_scenes
from seewhy.localize.sec.trainer import Training

SHORT = Training(epochs=2, batch=3, held_out=0.25)


@pytest.fixture(scope="session")
def honest():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="session")
def scenes_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, 10, seed=7)  # each kind is in one of them at least
    return folder


@pytest.fixture(scope="session")
def trained(honest, scenes_folder, tmp_path_factory):
    """The folder of the segmenter, what came of its training, and what is known of the photos."""
    out = tmp_path_factory.mktemp("trained")
    return out, *train_segmenter(honest, scenes_folder, out, SHORT)


@pytest.fixture(scope="session")
def small_photos(honest, scenes_folder, tmp_path_factory):
    """The ten scenes with seeds on a grid of 12 x 12 cells, to which the network's 48 x 48 are averaged."""
    known, cache = labelled_files(scenes_folder, honest.labels), tmp_path_factory.mktemp("cache") / "seeds.npz"
    return training_photos(honest, known, (12, 12), 0.25, 0.15, cache, lambda *_: None)
