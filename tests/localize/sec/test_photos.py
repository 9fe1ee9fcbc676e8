"""The photos to train on: what labels.csv says, what the classifier sees, and the maps of each class."""

import shutil

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image

import seewhy
from seewhy.errors import BadParameter
from seewhy.localize.sec.photos import as_bytes, by_cells, labelled_files, training_photos
from seewhy.prepare.fit import Fit


def never(file, error):
    raise AssertionError((file, error))


def test_means_over_cells_that_divide_the_image_and_that_do_not():
    values = np.random.default_rng(0).random((6, 8))
    np.testing.assert_allclose(by_cells(values, (3, 4)), values.reshape(3, 2, 4, 2).mean((1, 3)))
    np.testing.assert_allclose(by_cells(values, (1, 1)), [[values.mean()]])
    uneven = by_cells(np.array([[1.0, 2.0, 6.0]]), (1, 2))  # the middle pixel is shared
    np.testing.assert_allclose(uneven, [[(1 + 0.5 * 2) / 1.5, (0.5 * 2 + 6) / 1.5]])
    np.testing.assert_allclose(by_cells(np.full((5, 7, 3), 2.5), (2, 3)), np.full((2, 3, 3), 2.5))


def test_prepared_pixels_are_the_bytes_they_were():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8))
    for fit in (Fit(None, None), Fit(None, None, 0.5, 0.25, bgr=True)):
        np.testing.assert_array_equal(as_bytes(fit(photo), fit), np.asarray(photo))


def test_labels_csv_names_the_classes(honest, scenes_folder):
    known = labelled_files(scenes_folder, honest.labels)
    assert [honest.labels[index] for index in known.classes] == known.names
    assert known.present.sum(1).tolist() == [1, 2] * 4
    assert known.present.any(0).all()
    assert known.missing == []


def test_a_table_that_says_nothing_is_an_error(honest, tmp_path):
    with pytest.raises(BadParameter, match=r"has no labels\.csv\. Write one: a first line file,label"):
        labelled_files(tmp_path, honest.labels)
    (tmp_path / "labels.csv").write_text("file,label\nlost.png,bird\ngone.png,car\n")
    with pytest.raises(BadParameter, match=r"names no photo that is there: it has lost\.png, gone\.png"):
        labelled_files(tmp_path, honest.labels)
    seewhy.demo.scene(0, 5).image.save(tmp_path / "lost.png")
    assert labelled_files(tmp_path, honest.labels).missing == ["gone.png"]
    (tmp_path / "labels.csv").write_text("file,label\nlost.png,dragon\n")
    with pytest.raises(BadParameter, match="not the model's: 'dragon'"):
        labelled_files(tmp_path, honest.labels)


def test_maps_are_the_cam_over_scales_and_mirror_images(honest, scenes_folder, tmp_path):
    """By hand, in torch: the head's weights over the body's maps, of the scene and its mirror image at both sizes."""
    known = labelled_files(scenes_folder, honest.labels)
    few = known._replace(files=known.files[:2], present=known.present[:2])
    photos = training_photos(honest, few, (24, 24), tmp_path / "seeds.npz", never)
    body, head = honest.network.body, honest.network.head.weight
    for place in range(2):
        x = torch.from_numpy((photos.pixels[place].transpose(2, 0, 1) / np.float32(255) - np.float32(0.5)) / np.float32(0.25))
        for k, index in enumerate(known.classes):
            if not few.present[place, k]:
                assert not photos.maps[place, k].any()
                continue
            with torch.no_grad():
                plain = (head[index][:, None, None] * body(x[None])[0]).sum(0).numpy()
            coarse = photos.maps[place, k].astype(float).reshape(12, 2, 12, 2).mean((1, 3))
            assert np.corrcoef(coarse.ravel(), plain.clip(0).ravel())[0, 1] > 0.9
            assert 0.5 < photos.maps[place, k].max() <= 1


def test_a_second_run_reads_what_the_first_kept(honest, scenes_folder, tmp_path, monkeypatch):
    known = labelled_files(scenes_folder, honest.labels)
    few = known._replace(files=known.files[:2], present=known.present[:2])
    cache = tmp_path / "seeds.npz"
    first = training_photos(honest, few, (6, 6), cache, never)
    monkeypatch.setattr("seewhy.localize.sec.photos._maps", lambda *_: pytest.fail("made again"))
    again = training_photos(honest, few, (6, 6), cache, never)
    assert again.files == first.files
    for one, other in zip(first[1:], again[1:], strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.undo()
    assert training_photos(honest, few, (4, 4), cache, never).maps.shape[2:] == (4, 4)  # another grid is another thing
    cache.write_bytes(cache.read_bytes()[:1000])  # as of a full disk
    assert training_photos(honest, few, (4, 4), cache, never).maps.shape[2:] == (4, 4)


def test_a_broken_photo_is_told_and_left_out(honest, scenes_folder, tmp_path):
    for name in ("scene_0000.png", "scene_0001.png", "labels.csv"):
        shutil.copy(scenes_folder / name, tmp_path)
    (tmp_path / "scene_0000.png").write_bytes(b"no picture")
    told = []
    known = labelled_files(tmp_path, honest.labels)
    photos = training_photos(honest, known, (4, 4), tmp_path / "seeds.npz", lambda file, error: told.append(file))
    assert [file.endswith("scene_0001.png") for file in photos.files] == [True]
    assert told == [str(tmp_path / "scene_0000.png")]
    (tmp_path / "scene_0001.png").write_bytes(b"no picture")
    with pytest.raises(BadParameter, match="None of the 2 photos can be read"):
        training_photos(honest, labelled_files(tmp_path, honest.labels), (4, 4), tmp_path / "x.npz", lambda *_: None)
