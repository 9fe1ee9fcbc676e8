"""A run as a data set of FiftyOne: by a stand-in with its names and calls, and its own samples where it is installed.

(A real data set needs MongoDB's server, which tests do not start.)
"""

from os.path import abspath
from types import SimpleNamespace

import numpy as np
import pytest

from seewhy.dataset.sharing.fiftyone_export import to_fiftyone
from seewhy.errors import BadParameter


class Dataset:
    known: dict = {}  # noqa: RUF012

    def __init__(self, name):
        self.name, self.samples, self.info, self.persistent = name, [], {}, False
        Dataset.known[name] = self

    def add_samples(self, samples):
        self.samples += samples


class Sample(dict):
    def __init__(self, filepath):
        super().__init__(filepath=filepath)


def label(**fields):
    return SimpleNamespace(**fields)


@pytest.fixture
def fiftyone():
    Dataset.known = {}
    return SimpleNamespace(
        Dataset=Dataset, Sample=Sample, Classification=label, Heatmap=label, dataset_exists=lambda name: name in Dataset.known
    )


def check(dataset, run):
    photos = [photo for photo in run.photos() if photo.error is None]
    assert len(dataset.samples) == len(photos)
    for sample, photo in zip(dataset.samples, photos, strict=True):
        assert sample["filepath"] == abspath(photo.path)
        assert sample["prediction"].label == photo.predicted.label
        assert sample["prediction"].confidence == pytest.approx(photo.predicted.probability)
        assert sample["truth"].label == photo.truth_labels[0]
        assert sample["right"] is photo.right
        assert sample["evidence_border"] == pytest.approx(photo.map().evidence["border"])
        heatmap = sample["top_map"]
        assert np.asarray(heatmap.map).shape == (64, 64)
        assert list(heatmap.range) == [0.0, 1.0]
    assert dataset.persistent
    (left,) = dataset.info["left_out"]
    assert left.count("broken.png") == 1
    assert "is not an image" in left


def test_a_sample_for_each_photo_with_heatmaps_of_its_own_type(shared_run, fiftyone):
    check(to_fiftyone(shared_run, "x", module=fiftyone), shared_run)
    with pytest.raises(BadParameter, match="already"):
        to_fiftyone(shared_run, "x", module=fiftyone)
    assert len(to_fiftyone(shared_run, "y", 2, fiftyone).samples) == 2


def test_its_own_samples_take_all_of_it(shared_run, fiftyone):
    real = pytest.importorskip("fiftyone")
    fiftyone.Sample, fiftyone.Classification, fiftyone.Heatmap = real.Sample, real.Classification, real.Heatmap
    check(to_fiftyone(shared_run, "x", module=fiftyone), shared_run)
