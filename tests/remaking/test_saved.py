"""Files of every kind that seewhy writes are verified; what was changed in one of them afterwards is found."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import seewhy
from seewhy.errors import BadImage, BadParameter
from seewhy.maps.made_here import CHUNK, DRAWN
from seewhy.maps.saving import sheet_png
from support.files.scans import AFFINES, Sees, scan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("maps")


@pytest.fixture(scope="module")
def photo(folder):
    small = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(small).resize((150, 130), Image.Resampling.BICUBIC).save(folder / "cat.png")
    return folder / "cat.png"


@pytest.fixture(scope="module")
def maps(photo):
    model = seewhy.load("demo/honest")
    methods = ["grad-cam", "gradient", seewhy.lime.using(samples=60, segments="grid:4")]
    return {found.source.method: found for found in seewhy.explain(model, photo, methods)}


PICTURES = {
    "grad-cam": [{}, {"legend": True}, {"alpha": 0.3, "colours": "viridis", "legend": True}, {"scale": (-1.0, 9.0)}],
    "gradient": [{}, *({"picture": kind, "legend": True} for kind in ("colour", "grey", "positive", "negative", "signed")),
                 {"picture": "grey", "clip": 90.0}],
    "lime": [{"picture": "regions", "n": 3, "positive": None}, {"picture": "boundaries", "colour": (0, 255, 255)},
             {"picture": "error"}],
}  # fmt: skip


@pytest.mark.parametrize(("method", "how"), [(method, how) for method, hows in PICTURES.items() for how in hows])
def test_a_picture_of_every_kind(maps, tmp_path, method, how):
    remade = seewhy.verify(maps[method].save(tmp_path / "map.png", **how))
    assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())


@pytest.mark.parametrize("method", PICTURES)
def test_the_numbers_in_an_npz(maps, tmp_path, method):
    remade = seewhy.verify(maps[method].save(tmp_path / "map.npz"))
    assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())


def test_a_picture_shown_in_a_notebook(maps, tmp_path):
    (tmp_path / "map.png").write_bytes(maps["grad-cam"]._repr_png_())
    assert seewhy.verify(tmp_path / "map.png").same == "bit for bit"


def rewritten(path: Path, pixels=None, **texts) -> Path:
    """The PNG file again, with other pixels or texts."""
    with Image.open(path) as file:
        file.load()
        picture, kept = file.copy(), dict(file.text)
    note = PngInfo()
    for name, text in {**kept, **texts}.items():
        note.add_itxt(name, text)
    (picture if pixels is None else Image.fromarray(pixels)).save(path, pnginfo=note)
    return path


def test_pixels_that_were_painted_over(maps, tmp_path):
    path = maps["grad-cam"].save(tmp_path / "map.png")
    with Image.open(path) as file:
        pixels = np.array(file)
    assert seewhy.verify(rewritten(path, pixels)).same == "bit for bit"
    pixels[20:40, 30:50] = (255, 0, 0)
    remade = seewhy.verify(rewritten(path, pixels))
    assert remade.same == "different"
    (fault,) = remade.faults
    assert fault.startswith("2.05 % of its pixels are not those that are drawn of this map, most at (")
    (fault,) = seewhy.verify(rewritten(path, pixels[10:])).faults
    assert fault == "its picture is 150x120 pixels large, and 150x130 drawn again"


def test_a_picture_of_another_map_under_this_source(maps, tmp_path):
    other = maps["gradient"].save(tmp_path / "other.png")
    with Image.open(other) as file:
        path = rewritten(maps["grad-cam"].save(tmp_path / "map.png"), np.array(file))
    assert "pixels are not those that are drawn of this map" in seewhy.verify(path).faults[0]


@pytest.mark.parametrize("text", ["", "{}", '{"picture": "no such", "look": {}}', '{"picture": "grey", "look": {"a": 1}}', "["])
def test_what_says_how_it_was_drawn_may_be_broken(maps, tmp_path, text):
    path = rewritten(maps["grad-cam"].save(tmp_path / "map.png"), **{DRAWN: text})
    remade = seewhy.verify(path)
    assert remade.same == "different"
    assert "does not say how its picture was drawn" in remade.faults[0] or "cannot be drawn again" in remade.faults[0]


@pytest.mark.parametrize("ending", [".png", ".npz"])
def test_a_text_that_was_edited(maps, tmp_path, ending):
    found = maps["grad-cam"]
    edited = replace(found, source=replace(found.source, probability=0.42))
    remade = seewhy.verify(edited.save(tmp_path / f"map{ending}"))
    assert remade.same == "different"
    assert remade.faults[0].startswith("probability: 0.42 as saved, ")


def test_values_that_were_edited(maps, tmp_path):
    found = maps["grad-cam"]
    values = found.values.copy()
    values[3, 4] += 0.2 * values.max()
    remade = seewhy.verify(replace(found, values=values).save(tmp_path / "map.npz"))
    assert remade.same == "different"
    assert remade.faults[0].startswith("values differ by up to ")
    assert remade.faults[-1] == "the file's values are not those that its Source tells of"
    slightly = found.values * np.float32(1 + 1e-6)
    remade = seewhy.verify(replace(found, values=slightly).save(tmp_path / "map.npz"))
    assert remade.faults == ("the file's values are not those that its Source tells of",)


def test_a_map_to_rounding_has_the_picture_to_rounding(maps, tmp_path):
    """Values a millionth larger, as another number of threads may give them."""
    from seewhy.maps.record import recorded

    found = maps["grad-cam"]
    near = recorded(replace(found, values=found.values * np.float32(1 + 1e-6)))
    for ending in (".png", ".npz"):
        remade = seewhy.verify(near.save(tmp_path / f"map{ending}"))
        assert (remade.same, remade.faults) == ("to rounding", ())
        assert remade.largest == pytest.approx(1e-6, rel=0.2)


def test_files_without_a_source(tmp_path, photo, maps):
    with pytest.raises(BadParameter, match=r"map.npy: an .npy file holds values alone.*Save as .npz, .png"):
        seewhy.verify(maps["grad-cam"].save(tmp_path / "map.npy"))
    with pytest.raises(BadImage, match="carries no Source"):
        seewhy.verify(photo)
    with pytest.raises(BadImage, match="is not there"):
        seewhy.verify(tmp_path / "gone.png")


def test_an_npz_whose_values_cannot_be_read(maps, tmp_path):
    path = maps["grad-cam"].save(tmp_path / "map.npz")
    content = io.BytesIO()
    np.save(content, np.zeros((2, 2), dtype="U3"))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "other.npz", "w") as new:
        for name in old.namelist():
            new.writestr(name, content.getvalue() if name == "values.npy" else old.read(name))
    with pytest.raises(BadImage, match="holds no values as seewhy writes them"):
        seewhy.verify(tmp_path / "other.npz")


@pytest.fixture(scope="module")
def volume(folder):
    nibabel.save(nibabel.Nifti1Image(scan(AFFINES["all of it"]), AFFINES["all of it"]), folder / "scan.nii.gz")
    model = seewhy.wrap(Sees(), prepare={"spacing": 2.0, "window": (0, 900)}, labels=["lesion", "none"])
    (found,) = seewhy.grad_cam(model, folder / "scan.nii.gz", layer="see")
    return model, found


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".npz", ".png"])
def test_the_map_of_a_volume(volume, tmp_path, ending):
    model, found = volume
    remade = seewhy.verify(found.save(tmp_path / f"map{ending}"), model)
    assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())


def test_voxels_that_were_edited_or_moved(volume, tmp_path):
    model, found = volume
    saved = nibabel.load(found.save(tmp_path / "map.nii"))
    values, header = np.asarray(saved.dataobj).copy(), saved.header
    place = np.unravel_index(values.argmax(), values.shape)
    values[place] = 0
    nibabel.save(nibabel.Nifti1Image(values, saved.affine, header), tmp_path / "edited.nii")
    remade = seewhy.verify(tmp_path / "edited.nii", model)
    assert remade.same == "different"
    assert remade.where == place
    moved = saved.affine.copy()
    moved[:3, 3] += (3, 0, -4)
    nibabel.save(nibabel.Nifti1Image(np.asarray(saved.dataobj), moved), tmp_path / "moved.nii")
    with pytest.raises(BadImage, match="carries no Source"):
        seewhy.verify(tmp_path / "moved.nii", model)
    nibabel.save(nibabel.Nifti1Image(np.asarray(saved.dataobj), moved, header), tmp_path / "moved.nii")
    remade = seewhy.verify(tmp_path / "moved.nii", model)
    assert (remade.same, remade.largest) == ("different", 0)
    assert remade.faults == ("it lies elsewhere than the map made again, by up to 5 mm",)
    nibabel.save(nibabel.Nifti1Image(np.asarray(saved.dataobj)[1:], saved.affine, header), tmp_path / "cut.nii")
    (fault,) = seewhy.verify(tmp_path / "cut.nii", model).faults
    assert fault.startswith("the map had another shape than ")


@pytest.mark.parametrize("given", [lambda maps: maps["grad-cam"], lambda maps: None, lambda maps: b"map.png"])
def test_what_is_no_path(maps, given):
    with pytest.raises(BadParameter, match=r"takes the path of a file.*of a map in memory: heatmap.source.again\(\)"):
        seewhy.verify(given(maps))


def test_a_source_alone_in_a_png(maps, tmp_path):
    """As an earlier seewhy drew it, or another program kept it: the values are the same, and the picture is not known."""
    path = maps["grad-cam"].save(tmp_path / "map.png")
    with Image.open(path) as file:
        note = PngInfo()
        note.add_itxt(CHUNK, file.text[CHUNK])
        file.save(tmp_path / "bare.png", pnginfo=note)
    assert seewhy.verify(tmp_path / "bare.png").faults == (
        "the file does not say how its picture was drawn, so nobody knows whether it is of this map",
    )


@pytest.mark.parametrize("ending", [".svg", ".pdf"])
def test_a_picture_for_papers(maps, tmp_path, ending):
    if ending == ".pdf":
        pytest.importorskip("reportlab")
    remade = seewhy.verify(maps["gradient"].save(tmp_path / f"map{ending}", legend=True))
    assert (remade.same, remade.faults) == ("bit for bit", ())
    assert remade.differences == ("the picture itself was not compared: only that of a PNG is",)


def test_a_sheet_is_no_map(maps, tmp_path):
    (tmp_path / "sheet.png").write_bytes(sheet_png(Image.new("RGB", (9, 9))))
    with pytest.raises(BadParameter, match="shows many maps, and is none of them"):
        seewhy.verify(tmp_path / "sheet.png")
