"""Masks: which file is of which photo, what in it is the object, what does not count, and on which grid it lies."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import Volume
from seewhy.errors import BadImage, BadParameter
from seewhy.truth.marked import MarkedBox, PhotoBoxes
from seewhy.truth.masks import drawn_mask, find_masks, is_label_file, masks_in_labels, read_mask
from seewhy.truth.shapes import outlined, points_of
from support.real import DATA, needs_data


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def mask_of(picture, size=None, name="mask.png", **options):
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
    picture.save(name, **options)
    return read_mask(Path(name), Image.new("RGB", size or picture.size))


LEVELS = np.array([[0, 1, 2], [255, 0, 255]], np.uint8)


def test_a_mask_of_two_levels_is_the_object_whatever_they_are():
    for level in (1, 128, 255):
        found = mask_of((LEVELS > 0).astype(np.uint8) * level)
        assert found.inside.tolist() == (LEVELS > 0).tolist()
        assert found.ignored is None
    assert mask_of(Image.fromarray(LEVELS > 0)).inside.tolist() == (LEVELS > 0).tolist()


def test_in_a_label_map_255_counts_nowhere():
    for picture in (Image.fromarray(LEVELS), paletted(LEVELS)):
        found = mask_of(picture)
        assert found.inside.tolist() == [[False, True, True], [False, False, False]]
        assert found.ignored.tolist() == (LEVELS == 255).tolist()


def paletted(levels):
    picture = Image.fromarray(levels, "L")
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    return picture


def test_palettes_are_read_by_their_indices_not_by_their_colours():
    assert mask_of(paletted(np.array([[0, 3], [4, 0]], np.uint8))).inside.tolist() == [[False, True], [True, False]]


def test_soft_edges_are_cut_in_the_middle():
    ramp = np.concatenate([np.arange(0, 255, 5), np.full(60, 255)]).astype(np.uint8)[None]
    found = mask_of(ramp)
    assert found.ignored is None
    assert found.inside.tolist() == (ramp >= 128).tolist()


def test_of_colours_what_is_not_black_and_of_a_cutout_what_is_not_clear():
    colours = np.zeros((2, 2, 3), np.uint8)
    colours[0, 1, 2] = 9
    assert mask_of(colours).inside.tolist() == [[False, True], [False, False]]
    clear = np.dstack([colours, np.array([[0, 0], [255, 255]], np.uint8)])
    assert mask_of(clear).inside.tolist() == [[False, False], [True, True]]
    opaque = np.dstack([colours, np.full((2, 2), 255, np.uint8)])
    assert mask_of(opaque).inside.tolist() == [[False, True], [False, False]]


def test_deep_label_maps_keep_their_numbers():
    assert mask_of(np.array([[0, 256], [1000, 0]], np.uint16)).inside.tolist() == [[False, True], [True, False]]


def test_a_mask_that_says_how_it_is_turned_is_turned():
    exif = Image.Exif()
    exif[274] = 6
    found = mask_of(np.array([[1, 0, 0], [0, 0, 0]], np.uint8), size=(2, 3), exif=exif)
    assert found.inside.tolist() == [[False, True], [False, False], [False, False]]


def test_masks_of_another_size_and_files_that_are_none_are_refused():
    with pytest.raises(BadParameter, match="different sizes, 3 x 2 and 6 x 4 pixels"):
        mask_of(LEVELS, size=(6, 4))
    Path("mask.png").write_text("no picture")
    with pytest.raises(BadImage, match=r"mask.png is not an image"):
        read_mask(Path("mask.png"), Image.new("RGB", (3, 2)))


def test_masks_are_found_by_the_names_of_photos():
    for name in ("a.png", "b_mask.png", "c-seg.tif", "d.nii.gz", "deep/e.label.png", "notes.txt", ".hidden.png"):
        Path("masks", name).parent.mkdir(parents=True, exist_ok=True)
        Path("masks", name).touch()
    found = find_masks(Path("masks"))
    assert {name: path.name for name, path in found.items()} == {
        "a": "a.png", "b": "b_mask.png", "c": "c-seg.tif", "d": "d.nii.gz", str(Path("deep", "e")): "e.label.png",
    }  # fmt: skip
    assert find_masks(Path("masks/a.png")) == {"": Path("masks/a.png")}
    Path("masks/b.png").touch()
    with pytest.raises(BadParameter, match=r"two masks of b: b.png and b_mask.png"):
        find_masks(Path("masks"))
    with pytest.raises(BadParameter, match="none is not there"):
        find_masks(Path("none"))
    Path("empty").mkdir()
    with pytest.raises(BadParameter, match="The folder empty holds no masks"):
        find_masks(Path("empty"))


def nifti(values, affine, name="mask.nii.gz"):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(np.asarray(values, np.float32), affine), name)
    return Path(name)


AFFINE = np.array([[2.0, 0, 0, -10], [0, 3, 0, 5], [0, 0, 4, 7], [0, 0, 0, 1]])


def test_a_mask_of_a_volume_lies_on_its_grid_also_where_its_axes_run_otherwise():
    marks = np.random.default_rng(0).integers(0, 3, (3, 4, 5))
    scan = Volume(np.zeros((3, 4, 5), np.float32), AFFINE, "scan.nii.gz")
    assert read_mask(nifti(marks, AFFINE), scan).inside.tolist() == (marks > 0).tolist()
    turned = AFFINE @ np.array([[0, -1, 0, 2], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])  # i <- 2 - j, j <- k, k <- i
    stored = np.transpose(marks[::-1], (2, 0, 1))
    assert read_mask(nifti(stored, turned), scan).inside.tolist() == (marks > 0).tolist()


@pytest.mark.parametrize("change", ["shape", "shift", "spacing"])
def test_a_mask_on_another_grid_is_refused(change):
    scan = Volume(np.zeros((3, 4, 5), np.float32), AFFINE, "scan.nii.gz")
    affine = AFFINE.copy()
    affine[0, 3] += 1 if change == "shift" else 0
    affine[0, 0] *= 1.1 if change == "spacing" else 1
    file = nifti(np.ones((3, 4, 6 if change == "shape" else 5)), affine)
    with pytest.raises(BadParameter, match=r"lies on another grid than scan.nii.gz: 3x4x. voxels of .* mm, RAS, and the scan"):
        read_mask(file, scan)


def test_a_volume_is_no_mask_of_a_photo():
    with pytest.raises(BadParameter, match="is a volume, and the photo is none"):
        read_mask(nifti(np.ones((2, 2, 2)), AFFINE), Image.new("RGB", (2, 2)))


@needs_data
def test_real_masks_have_objects_and_crowds():
    masks = find_masks(DATA / "loc-coco" / "masks")
    assert len(masks) == 68
    photos = {name: seewhy.read(DATA / "loc-coco" / "images" / f"{name}.jpg").pixels for name in [*masks][:9]}
    assert all(read_mask(masks[name], photo).inside.any() for name, photo in photos.items())


LOW = outlined([points_of([0, 0, 2, 0, 2, 1, 0, 1])])  # the first two pixels of the first row


def test_masks_of_a_file_of_labels_are_all_its_objects():
    photo = PhotoBoxes((MarkedBox((0, 0, 2, 1), "cat", LOW), MarkedBox((2, 1, 3, 2), "dog")), (3, 2))
    mask = drawn_mask(photo, Image.new("RGB", (3, 2)))
    assert mask.inside.tolist() == [[True, True, False], [False, False, True]]
    assert mask.ignored is None
    assert not drawn_mask(PhotoBoxes(()), Image.new("RGB", (3, 2))).inside.any()


def test_crowds_are_not_counted_where_no_object_is():
    crowd = outlined([points_of([1, 0, 3, 0, 3, 1, 1, 1])])
    mask = drawn_mask(PhotoBoxes((MarkedBox((0, 0, 2, 1), "cat", LOW),), crowds=(crowd,)), Image.new("RGB", (3, 1)))
    assert mask.inside.tolist() == [[True, True, False]]
    assert mask.ignored is not None
    assert mask.ignored.tolist() == [[False, False, True]]


def test_masks_that_do_not_fit_the_photo():
    photo = PhotoBoxes((MarkedBox((0, 0, 2, 1), "cat", LOW),), (3, 2))
    with pytest.raises(BadParameter, match="drawn on 3 x 2 pixels, and the photo has 2 x 3"):
        drawn_mask(photo, Image.new("RGB", (2, 3)))
    with pytest.raises(BadParameter, match="lie on photos"):
        drawn_mask(photo, Volume(np.zeros((2, 2, 2), np.float32), np.eye(4)))

    def broken(size):
        raise ValueError("the run lengths fill 3 pixels of 4")

    with pytest.raises(BadParameter, match="its mask cannot be drawn: the run lengths fill 3 pixels"):
        drawn_mask(PhotoBoxes((MarkedBox((0, 0, 2, 1), None, broken),)), Image.new("RGB", (2, 2)))


def test_a_file_of_boxes_alone_is_none_of_masks():
    assert [is_label_file(Path(name)) for name in ("a.JSON", "a.xml", "a.png", "a")] == [True, True, False, False]
    Path("a.json").write_text('[{"file": "a.jpg", "boxes": [[1, 2, 3, 4]]}]')
    with pytest.raises(BadParameter, match=r"holds boxes, and no masks: .*--boxes a.json"):
        masks_in_labels(Path("a.json"))
    square = '<polygon label="x" points="0,0;2,0;2,2"/>'
    Path("a.xml").write_text(f'<annotations><image name="a.jpg" width="3" height="2">{square}</image></annotations>')
    assert list(masks_in_labels(Path("a.xml"))) == ["a.jpg"]
