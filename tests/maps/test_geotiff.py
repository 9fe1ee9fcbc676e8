"""GeoTIFF: scenes read by windows, maps that lie where the scene lies on the earth."""

import builtins
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

import seewhy
from seewhy.cli.app import main
from seewhy.errors import install
from seewhy.explaining.tiles import scene as scenes
from seewhy.maps import geotiff as geo
from support.files.pictures import tiff

rasterio = pytest.importorskip("rasterio")
TURNED = (0.5, 0.1, 412_000.0, 0.08, -0.4, 5_650_000.0)  # a pixel of 0.5 x 0.4 m, sheared and turned
RED = {"size": None, "crop": None, "mean": 0, "std": 1}

NET = """
from torch import nn
head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
net = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 4, 1), nn.ReLU(), *head).eval()
"""


class Red(nn.Module):
    """How much red there is, and how much green; a cell of `pool` is 4 x 4 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x * torch.ones_like(x, requires_grad=True))[:, :2].sum((2, 3))


def at(transform: Any, column: float, row: float) -> tuple[float, float]:
    """Where on the earth an edge of a pixel lies."""
    return (
        transform.a * column + transform.b * row + transform.c,
        transform.d * column + transform.e * row + transform.f,
    )


def written(path: Path, bands: Any, **more: Any) -> Path:
    known = {"crs": "EPSG:32632", "transform": rasterio.Affine(*TURNED), **more}
    count, height, width = bands.shape
    shape: dict[str, Any] = {"height": height, "width": width, "count": count, "dtype": bands.dtype}
    with rasterio.open(path, "w", "GTiff", tiled=True, blockxsize=32, blockysize=32, **shape, **known) as file:
        file.write(bands)
    return path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Green, with one red place: rows 100 to 103, columns 140 to 143."""
    bands = np.zeros((3, 128, 192), np.uint8)
    bands[1] = 90
    bands[:, 100:104, 140:144] = np.array([250, 0, 0])[:, None, None]
    return written(tmp_path / "scene.tif", bands)


def explained(scene: Any, **cut: Any) -> seewhy.Heatmap:
    return seewhy.explain(seewhy.wrap(Red(), prepare=RED), scene, "hires-cam", 0, "pool", **cut)[0]


def test_the_map_lies_where_the_scene_lies(scene: Path, tmp_path: Path) -> None:
    found = explained(str(scene), tile=64)
    assert found.values.shape == (32, 48)
    path = geo.save_geotiff(found, tmp_path / "map.tif")
    with rasterio.open(path) as file, rasterio.open(scene) as source:
        assert file.crs == source.crs
        values = file.read(1)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, found.values)
        row, column = np.unravel_index(values.argmax(), values.shape)
        assert at(file.transform, column + 0.5, row + 0.5) == pytest.approx(at(source.transform, 142, 102), abs=1e-6)
        assert at(file.transform, 0, 0) == pytest.approx(at(source.transform, 0, 0), abs=1e-6)
        assert at(file.transform, 48, 32) == pytest.approx(at(source.transform, 192, 128), abs=1e-6)
        assert seewhy.Source.from_json(file.tags()[geo.TAG]).layer == "pool"
        assert "hires-cam" in file.descriptions[0]


def test_windows_show_what_the_whole_shows(scene: Path) -> None:
    by_windows = explained(str(scene), tile=64, overlap=32)
    with rasterio.open(scene) as file:
        pixels = np.moveaxis(file.read(), 0, -1)
    whole = explained(pixels)
    np.testing.assert_allclose(by_windows.values, whole.values, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(by_windows.image), pixels)


def test_a_map_of_a_crop_lies_there(scene: Path, tmp_path: Path) -> None:
    """The network sees the middle 48 of each tile of 64 pixels: the map begins 8 pixels in."""
    model = seewhy.wrap(Red(), prepare={**RED, "crop": 48})
    (found,) = seewhy.explain(model, str(scene), "hires-cam", 0, "pool", tile=64)
    with rasterio.open(geo.save_geotiff(found, tmp_path / "map.tif")) as file:
        assert at(file.transform, 0, 0) == pytest.approx(at(rasterio.Affine(*TURNED), 8, 8), abs=1e-6)
        assert at(file.transform, 1, 1) == pytest.approx(at(rasterio.Affine(*TURNED), 12, 12), abs=1e-6)


def test_a_prepared_array_of_another_resolution_is_put_on_the_scene(scene: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 96)).astype(np.float32)
    (found,) = seewhy.explain(seewhy.wrap(Red()), x, "hires-cam", 0, "pool", tile=32)
    with rasterio.open(geo.save_geotiff(found, tmp_path / "map.tif", like=scene)) as file:
        assert file.shape == (16, 24)
        assert at(file.transform, 24, 16) == pytest.approx(at(rasterio.Affine(*TURNED), 192, 128), abs=1e-6)


def test_only_windows_are_read(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    own = scenes.RasterScene.part
    monkeypatch.setattr(scenes.RasterScene, "part", lambda scene, start, sides: read.append(sides) or own(scene, start, sides))
    monkeypatch.setattr(scenes, "MOST_PIXELS", 0)
    assert explained(str(scene), tile=64).image is None
    assert {*read} == {(64, 64)}


def test_grey_and_alpha_are_read_as_photos_are(tmp_path: Path) -> None:
    grey = written(tmp_path / "grey.tif", np.full((1, 64, 64), 100, np.uint8))
    assert np.asarray(explained(str(grey), tile=32).image).tolist() == np.full((64, 64, 3), 100).tolist()
    bands = np.full((4, 64, 64), 100, np.uint8)
    bands[3] = np.where(np.arange(64) < 32, 0, 255)
    clear = written(tmp_path / "clear.tif", bands, photometric="RGB", alpha="yes")
    shown = np.asarray(explained(str(clear), tile=32).image)
    assert (shown[:, :32] == 255).all()
    assert (shown[:, 32:] == 100).all()


def test_other_bands_are_refused_with_advice(tmp_path: Path) -> None:
    many = written(tmp_path / "many.tif", np.zeros((5, 64, 64), np.uint16))
    with pytest.raises(seewhy.BadImage, match=r"5 bands of 16 bit.*gdal_translate .*save_geotiff"):
        explained(str(many), tile=32)


def test_a_tiff_without_georeference_is_explained_and_not_put_on_the_earth(tmp_path: Path) -> None:
    plain = tmp_path / "plain.tif"
    Image.fromarray(np.full((64, 64, 3), 100, np.uint8)).save(plain)
    found = explained(str(plain), tile=32)
    with pytest.raises(seewhy.BadImage, match="has no georeference"):
        geo.save_geotiff(found, tmp_path / "map.tif")


def test_the_command_line_writes_the_map_beside_the_picture(scene: Path, tmp_path: Path) -> None:
    """Of a scene that lies on the earth; of another TIFF, and of a photo, the picture alone."""
    with rasterio.open(scene) as file:
        pixels = np.moveaxis(file.read(), 0, -1)
    for name in ("plain.tif", "photo.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "nets.py").write_text(NET)
    files = [str(scene), str(tmp_path / "plain.tif"), str(tmp_path / "photo.png")]
    model = ["--model", f"{tmp_path / 'nets.py'}:net", "--prepare", "size=none", "--prepare", "crop=none"]
    for tile in ([], ["--tile", "64"]):
        out = tmp_path / f"out{len(tile)}"
        ran = CliRunner().invoke(main, ["explain", *files, *model, *tile, "--out", str(out)])
        assert ran.exit_code == 0, ran.output
        assert len([*out.glob("*.grad-cam.png")]) == 3
        assert sorted(path.name for path in out.iterdir() if "grad-cam" not in path.name) == ["index.html", "sheet.png"]
        (path,) = out.glob("*.tif")
        assert path.name in ran.output
        with rasterio.open(path) as file:
            assert file.crs == "EPSG:32632"
            assert at(file.transform, 24, 16) == pytest.approx(at(rasterio.Affine(*TURNED), 96, 64), abs=1e-6)


def test_the_map_of_a_scene_is_made_again_and_is_no_scene_itself(scene: Path, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NET)
    folder = tmp_path / "scenes"
    folder.mkdir()
    scene.rename(folder / "scene.tif")
    model = ["--model", f"{tmp_path / 'nets.py'}:net", "--prepare", "size=none", "--prepare", "crop=none", "--scores", "logits"]
    for turn in range(2):
        torch.manual_seed(0)  # the network draws its weights where it is loaded
        ran = CliRunner().invoke(main, ["explain", str(folder), *model, "--out", str(folder)])
        assert ran.exit_code == 0, ran.output
        endings = sorted(path.name.rpartition(".")[2] for path in folder.iterdir())
        assert endings == ["html", "png", "png", "tif", "tif"]  # also of the sheet
        assert ("not explained, as seewhy made them: 3 files" in ran.stderr) == (turn > 0)
    (map_,) = (path for path in folder.glob("*.tif") if path.name != "scene.tif")
    assert seewhy.Heatmap.source_of(map_).image == str(folder / "scene.tif")


def test_broken_and_missing_files_are_named(scene: Path, tmp_path: Path, made_heatmap: Any) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(scene.read_bytes()[:300])
    for path in (broken, tmp_path / "none.tif"):
        with pytest.raises(seewhy.BadImage, match=path.name):
            explained(str(path), tile=32)


@pytest.mark.parametrize("name", ["image 0", "cat.jpg", "a" * 5000, "a\0b"])
def test_a_map_of_no_file_asks_for_the_scene(scene: Path, tmp_path: Path, made_heatmap: Any, name: str) -> None:
    heatmap = made_heatmap(np.ones((15, 20)), image=name)
    with pytest.raises(seewhy.BadImage, match=r"is no file here, so nobody knows where its map lies on the earth\. Give like="):
        geo.save_geotiff(heatmap, tmp_path / "map.tif")
    assert geo.save_geotiff(replace(heatmap, image=None, box=seewhy.Extent(0, 0, 20, 15)), tmp_path / "map.tif", like=scene)


def test_without_rasterio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, made_heatmap: Any, tmp_path: Path) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("rasterio"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(seewhy.MissingExtra, match=re.escape(f"Install it with: {install('geo')}")):
        geo.save_geotiff(made_heatmap(np.ones((3, 4))), tmp_path / "map.tif")


def both(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same file, read whole and by windows."""
    from seewhy.explaining.tiles.opening import large_images

    (whole,) = large_images([path], None)
    return np.asarray(seewhy.read(path).pixels), np.asarray(whole.part((0, 0), whole.space).pixels)


COLOURS = np.random.default_rng(0).integers(0, 256, (5, 32, 48), dtype=np.uint8)
KINDS: dict[str, Any] = {
    "bgr": (COLOURS[:3], "blue green red", {}, (2, 1, 0)),
    "bgr and infrared": (COLOURS[:4], "blue green red undefined", {}, (2, 1, 0)),
    "alpha first": (COLOURS[:4], "alpha red green blue", {}, (1, 2, 3)),
    "colours last": (COLOURS, "gray undefined red green blue", {}, (2, 3, 4)),
    "planes": (COLOURS[:3], "red green blue", {"interleave": "band", "compress": "deflate"}, (0, 1, 2)),
    "deep": (COLOURS[:3].astype(np.uint16) * 257, "green red blue", {"compress": "lzw"}, (1, 0, 2)),
    "floats": (COLOURS[:3].astype(np.float32) / 255, "red green blue", {"compress": "lzw", "predictor": 3}, (0, 1, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_bands_are_what_the_file_says_by_windows_and_whole(tmp_path: Path, kind: str) -> None:
    from rasterio.enums import ColorInterp

    bands, names, how, places = KINDS[kind]
    path, (count, height, width) = tmp_path / "scene.tif", bands.shape
    known: dict[str, Any] = {"crs": "EPSG:32632", "transform": rasterio.Affine(*TURNED), "photometric": "MINISBLACK", **how}
    shape: dict[str, Any] = {"height": height, "width": width, "count": count, "dtype": bands.dtype}
    with rasterio.open(path, "w", "GTiff", **shape, **known) as file:
        file.colorinterp = [ColorInterp[name] for name in names.split()]
        file.write(bands)
    whole, windows = both(path)
    np.testing.assert_array_equal(whole, windows)
    meant = np.moveaxis(COLOURS[list(places)], 0, -1).astype(float)
    if "alpha" in names:
        alpha = COLOURS[0][..., None] / 255
        meant = meant * alpha + 255 * (1 - alpha)
    assert abs(whole - meant).max() <= 1


@pytest.mark.parametrize("nbits", [1, 4, 12])
def test_few_bits_are_bright_by_windows_too(tmp_path: Path, nbits: int) -> None:
    values = np.random.default_rng(0).integers(0, 2**nbits, (1, 32, 48)).astype(np.uint16 if nbits > 8 else np.uint8)
    whole, windows = both(written(tmp_path / "few.tif", values, nbits=nbits))
    np.testing.assert_array_equal(whole, windows)
    assert abs(whole[..., 0] - values[0] / (2**nbits - 1) * 255).max() <= 0.51


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_map_of_a_scene_with_an_orientation_lies_right_or_is_refused(tmp_path: Path, orientation: int) -> None:
    """GIS programs lay the rows as they are stored; so does the photo of a scene, whatever its Orientation tag says."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :, 1] = 90
    pixels[8:12, 40:44] = (250, 0, 0)
    place = {33550: ("d", [2.0, 2.0, 0.0]), 33922: ("d", [0.0, 0, 0, 500.0, 900.0, 0]), 274: ("H", [orientation])}
    (tmp_path / "scene.tif").write_bytes(tiff(pixels, tags=place))
    for cut in ({}, {"tile": 32}):
        found = explained(str(tmp_path / "scene.tif"), **cut)
        assert any("Orientation" in warning for warning in found.warnings)
        with rasterio.open(geo.save_geotiff(found, tmp_path / "map.tif")) as file:
            row, column = np.unravel_index(file.read(1).argmax(), file.shape)
            assert at(file.transform, column + 0.5, row + 0.5) == pytest.approx((500 + 2 * 42, 900 - 2 * 10))
    with Image.open(tmp_path / "scene.tif") as opened:
        opened.load()  # now Pillow has turned it
        turned = explained(opened)
    with pytest.raises(seewhy.BadImage, match="turned by its Orientation tag"):
        geo.save_geotiff(turned, tmp_path / "map.tif", like=tmp_path / "scene.tif")
    assert not geo.lies(turned) or turned.source.image != str(tmp_path / "scene.tif")


def test_a_file_whose_parts_have_no_place_is_not_read_as_black(tmp_path: Path) -> None:
    (tmp_path / "odd.tif").write_bytes(tiff(np.full((16, 16), 200, np.uint8), tags={273: ("f", [8.0])}))
    for cut in ({}, {"tile": 8}):
        with pytest.raises(seewhy.BadImage, match=r"odd\.tif"):
            explained(str(tmp_path / "odd.tif"), **cut)


def test_parts_that_are_left_out_hold_nothing(tmp_path: Path) -> None:
    values = np.full((1, 64, 64), 200, np.uint8)
    values[:, :32] = 0
    path = written(tmp_path / "sparse.tif", values, sparse_ok=True)
    whole, windows = both(path)
    np.testing.assert_array_equal(whole, windows)
    np.testing.assert_array_equal(whole[..., 0], values[0])
