"""Maps of full size beside a run."""

import builtins

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.dataset.full_maps import MAPS, full_map, keep_full

zarr = pytest.importorskip("zarr")
pytest.importorskip("pyarrow")
VALUES = np.random.default_rng(0).normal(size=(70, 80)).astype(np.float32)


def test_a_map_comes_back_bit_for_bit_and_is_replaced_where_it_is_made_again(tmp_path):
    for values in (VALUES, -VALUES):
        keep_full(tmp_path, 17, "smooth(gradient)", "top", values)
        assert np.array_equal(full_map(tmp_path, 17, "smooth(gradient)", "top"), values)
    assert np.array_equal(zarr.open_group(tmp_path / MAPS)["17/smooth(gradient)/top"][:], -VALUES)


def test_a_map_that_is_not_there_is_told(tmp_path):
    with pytest.raises(seewhy.BadRecord, match="does not have the map of photo 3 by gradient"):
        full_map(tmp_path, 3, "gradient", "top")


def test_where_no_map_can_be_written_it_is_said(tmp_path):
    (tmp_path / MAPS).write_text("a file")
    with pytest.raises(seewhy.NotWritten, match=MAPS):
        keep_full(tmp_path, 3, "gradient", "top", VALUES)


def test_without_zarr_the_error_names_the_extra_before_anything_is_done(tmp_path, monkeypatch, red_model):
    real = builtins.__import__

    def none(name, *more):
        if name == "zarr":
            raise ModuleNotFoundError(name)
        return real(name, *more)

    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    monkeypatch.setattr(builtins, "__import__", none)
    with pytest.raises(seewhy.MissingExtra, match=r"\[maps\]"):
        seewhy.explain_dataset(red_model, tmp_path, tmp_path / "run", full_maps=True)
    assert not (tmp_path / "run").exists()


def test_a_run_gives_maps_of_pixels_back_as_they_were_where_that_was_asked_for(tmp_path):
    photos, model = tmp_path / "set", seewhy.load("demo/honest")
    photos.mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (9, 9, 3), np.uint8).repeat(12, 0).repeat(12, 1)
        Image.fromarray(pixels).save(photos / f"{i}.png")
    (tmp_path / "truth.csv").write_text("path,label\n0.png,3\n1.png,4\n")
    asked = {"methods": ["gradient", "grad-cam"], "truth": tmp_path / "truth.csv"}
    run = seewhy.explain_dataset(model, photos, tmp_path / "run", full_maps=True, **asked)
    assert run.info.full_maps
    for target, index in (("top", seewhy.Top()), ("true", 3)):
        back = run.heatmap(0, target, "gradient")
        made = seewhy.gradient(model, str(photos / "0.png"), target=index)[0]
        assert back.values.shape == made.values.shape
        assert np.allclose(back.values, made.values, atol=abs(made.values).max() * 1e-4)
        assert back.warnings == made.warnings
    assert run.heatmap(0, method="grad-cam").values.shape == (12, 12)
    assert sorted(path.name for path in (tmp_path / "run" / MAPS / "0").iterdir() if path.is_dir()) == ["gradient"]
    coarse = seewhy.explain_dataset(model, photos, tmp_path / "coarse", **asked)
    assert coarse.heatmap(0, method="gradient").values.shape == (32, 32)
    with pytest.raises(seewhy.BadParameter, match="full-size maps"):
        seewhy.explain_dataset(model, photos, tmp_path / "coarse", full_maps=True, **asked)
