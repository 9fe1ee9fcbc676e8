"""The photos to train on: what labels.csv says, what the classifier sees, and the maps of each class."""

import shutil

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image
from torch.nn import functional

import seewhy
from seewhy.errors import BadParameter
from seewhy.localize.sec.cues import by_cells
from seewhy.localize.sec.photos import as_bytes, class_maps, labelled_files, training_photos
from seewhy.pictures.label_map import VOID
from seewhy.prepare.fit import Fit


def never(file, error):
    raise AssertionError((file, error))


def test_prepared_pixels_are_the_bytes_they_were():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8))
    for fit in (Fit(None, None), Fit(None, None, 0.5, 0.25, bgr=True)):
        np.testing.assert_array_equal(as_bytes(fit(photo), fit), np.asarray(photo))


def test_labels_csv_names_the_classes(honest, scenes_folder):
    known = labelled_files(scenes_folder, honest.labels)
    assert [honest.labels[index] for index in known.classes] == known.names
    assert known.present.sum(1).tolist() == [1, 2] * 5
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


def test_maps_are_the_cam_over_scales_and_mirror_images(honest, scenes_folder):
    """By hand, in torch: the head's weights over the body's maps of the scene, at its own size and twice it, and mirrored."""
    known = labelled_files(scenes_folder, honest.labels)
    x = next(iter(honest.batches([known.files[1]]))).x
    classes = [index for index, there in zip(known.classes, known.present[1], strict=True) if there]
    plain, several = class_maps(honest, x, classes, ()), class_maps(honest, x, classes)
    head = honest.network.head.weight[classes]

    def by_hand(images):
        with torch.no_grad():
            return torch.einsum("nchw,kc->nkhw", honest.network.body(images), head)[0]

    once = by_hand(torch.from_numpy(x)).clamp_min(0).numpy()
    assert np.corrcoef(by_cells(plain, (12, 12), 1).ravel(), once.ravel())[0, 1] > 0.9  # cells are drawn where they look
    twice = functional.interpolate(torch.from_numpy(x), scale_factor=2, mode="bilinear")
    maps = []
    for images in (torch.from_numpy(x), twice):
        for mirrored in (False, True):
            found = by_hand(images.flip(3) if mirrored else images)
            found = found.flip(2) if mirrored else found
            maps.append(functional.interpolate(found[None], size=(96, 96), mode="bilinear")[0])
    mean = torch.stack(maps).mean(0).clamp_min(0).numpy()
    assert np.corrcoef(several.ravel(), (mean / mean.max((1, 2), keepdims=True)).ravel())[0, 1] > 0.97
    assert several.max((1, 2)) == pytest.approx([1, 1], rel=1e-4)
    assert several.min() >= 0


def test_seeds_are_numbered_by_the_classes_of_all_photos(small_photos, honest, scenes_folder):
    known = labelled_files(scenes_folder, honest.labels)
    for labels, there in zip(small_photos.seeds, known.present, strict=True):
        assert set(np.unique(labels)) <= {0, VOID, *(np.flatnonzero(there) + 1)}
        assert (labels == 0).mean() > 0.3
        assert ((labels > 0) & (labels < VOID)).any()


def test_a_second_run_reads_what_the_first_kept(honest, scenes_folder, tmp_path, monkeypatch):
    known = labelled_files(scenes_folder, honest.labels)
    few = known._replace(files=known.files[:2], present=known.present[:2])
    cache = tmp_path / "seeds.npz"
    first = training_photos(honest, few, (6, 6), 0.25, 0.15, cache, never)
    monkeypatch.setattr("seewhy.localize.sec.photos.class_maps", lambda *_: pytest.fail("made again"))
    again = training_photos(honest, few, (6, 6), 0.25, 0.15, cache, never)
    assert again.files == first.files
    for one, other in zip(first[1:], again[1:], strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.undo()
    assert training_photos(honest, few, (4, 4), 0.25, 0.15, cache, never).seeds.shape[1:] == (
        4,
        4,
    )  # another grid is another thing
    cache.write_bytes(cache.read_bytes()[:1000])  # as of a full disk
    assert training_photos(honest, few, (4, 4), 0.25, 0.15, cache, never).seeds.shape[1:] == (4, 4)


def test_a_broken_photo_is_told_and_left_out(honest, scenes_folder, tmp_path):
    for name in ("scene_0000.png", "scene_0001.png", "labels.csv"):
        shutil.copy(scenes_folder / name, tmp_path)
    (tmp_path / "scene_0000.png").write_bytes(b"no picture")
    told = []
    known = labelled_files(tmp_path, honest.labels)
    photos = training_photos(honest, known, (4, 4), 0.25, 0.15, tmp_path / "seeds.npz", lambda file, error: told.append(file))
    assert [file.endswith("scene_0001.png") for file in photos.files] == [True]
    assert told == [str(tmp_path / "scene_0000.png")]
    (tmp_path / "scene_0001.png").write_bytes(b"no picture")
    with pytest.raises(BadParameter, match="None of the 2 photos can be read"):
        training_photos(
            honest, labelled_files(tmp_path, honest.labels), (4, 4), 0.25, 0.15, tmp_path / "x.npz", lambda *_: None
        )
