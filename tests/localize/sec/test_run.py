"""From a folder of photos to a folder that is a model."""

import pytest

import seewhy
from seewhy.errors import BadParameter, NotWritten
from seewhy.localize.sec.run import train_segmenter


def test_the_folder_is_an_ordinary_model(trained, honest, scenes_folder):
    out, done, known = trained
    model = seewhy.load(out)
    assert model.labels == ["background", *known.names]
    assert len(done.epochs) == 2
    photo = scenes_folder / "scene_0000.png"
    heatmap = seewhy.grad_cam(model, photo, target=seewhy.Point(40, 50, known.names[0]))[0]
    assert heatmap.source.recipe == {"spec": str(out)}
    assert heatmap.source.again().same == "bit for bit"


def test_the_classifier_stays_as_it_was(trained, honest):
    assert honest.weights_sha256() == seewhy.load("demo/honest").weights_sha256()


def test_a_folder_that_cannot_be_made(honest, scenes_folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten, match="cannot be made"):
        train_segmenter(honest, scenes_folder, tmp_path / "file" / "run")


def test_nothing_that_can_be_read(honest, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("file,label\na.png,bird\n")
    with pytest.raises(BadParameter, match="None of the 1 photos can be read"):
        train_segmenter(honest, tmp_path, tmp_path / "run")
