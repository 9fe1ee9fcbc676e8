"""What is marked on an image, brought to the pixels that a network sees: by counting overlaps pixel by pixel."""

from itertools import product

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import Extent
from seewhy.images.places import Grid, Turned
from seewhy.methods.making.marks import SeenGrid, from_file, part, placed
from seewhy.targets.aim import ImageView

VIEWS = {  # the sides of what the network sees, of the image, and where the first lies in the second
    "as it is": ((6, 8), (6, 8), Extent(0, 0, 8, 6)),
    "cropped": ((4, 5), (6, 8), Extent(2, 1, 7, 5)),
    "halved": ((3, 4), (6, 8), Extent(0, 0, 8, 6)),
    "enlarged": ((12, 24), (6, 8), Extent(0, 0, 8, 6)),
    "at odds": ((5, 7), (6, 8), Extent(0.3, 0.4, 7.6, 5.8)),
    "with a rim": ((6, 8), (6, 8), Extent(-2, -1.5, 10, 7.5)),
    "mirrored": ((6, 8), (6, 8), Extent(8, 0, 0, 6)),
    "turned": ((8, 6), (6, 8), Turned(Extent(0, 0, 8, 6))),
    "a volume": ((4, 5, 6), (4, 5, 6), Grid.whole((4, 5, 6))),
    "a volume, turned and coarser": ((3, 4, 5), (5, 8, 3), Grid((2, 1, 0), (2, 0.5, 0), (-1, 2, 1), (3, 4, 5), (5, 8, 3))),
    "a signal, cut": ((5,), (9,), Grid((0,), (2,), (1,), (5,), (9,))),
}


def seen(name):
    space, image, box = VIEWS[name]
    return ImageView(space, image[::-1] if len(image) == 2 else None, box, None), space, image, box


def edges(name):
    """Of each pixel that the network sees its lower and upper edges along the axes of the image."""
    _, space, image, box = seen(name)
    for pixel in np.ndindex(*space):
        low, high = [0.0] * len(image), [0.0] * len(image)
        for axis, k in enumerate(pixel):
            if isinstance(box, Grid):
                of, ends = box.axes[axis], [box.first[axis] + box.step[axis] * (k + d) + 0.5 for d in (-0.5, 0.5)]
            else:
                extent = box.extent if isinstance(box, Turned) else box
                of = 1 - axis if isinstance(box, Turned) else axis
                first, last = ((extent.top, extent.bottom), (extent.left, extent.right))[of]
                ends = [first + (last - first) * (k + d) / space[axis] for d in (0, 1)]
            low[of], high[of] = sorted(ends)
        yield pixel, low, high


def shares(name, inside):
    """Of each pixel that the network sees, how much of it a marked pixel of the image takes, along its shorter side."""
    _, space, _, _ = seen(name)
    found = np.zeros(space)
    for pixel, low, high in edges(name):
        for marked in map(tuple, np.argwhere(inside)):
            over = [min(h, m + 1) - max(lo, m) for lo, h, m in zip(low, high, marked, strict=True)]
            least = min(max(0, o) / (h - lo) for o, lo, h in zip(over, low, high, strict=True))
            found[pixel] = max(found[pixel], least)
    return found


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("seed", range(3))
def test_a_mask_marks_what_holds_any_of_it(name, seed):
    view, space, image, _ = seen(name)
    mask = np.random.default_rng(seed).random(image) < 0.15
    expected = shares(name, mask)
    if not (expected > 0.06).any():
        mask[tuple(side // 2 for side in image)] = True
        expected = shares(name, mask)
    sure = (expected > 0.06) | (expected < 0.04)  # about 0.05 of a pixel is where the line is drawn
    np.testing.assert_array_equal(part(mask, view, space, "within")[sure], (expected > 0.05)[sure])


@pytest.mark.parametrize("name", VIEWS)
def test_a_box_of_whole_pixels_is_the_mask_of_these(name):
    view, space, image, _ = seen(name)
    low, high = [side // 3 for side in image], [side // 3 + 2 for side in image]
    mask = np.zeros(image, bool)
    mask[tuple(map(slice, low, high))] = True
    box = [*low[::-1], *high[::-1]] if len(image) == 2 else [*low, *high]
    np.testing.assert_array_equal(part(box, view, space, "within"), part(mask, view, space, "within"))


@pytest.mark.parametrize("name", VIEWS)
def test_labels_are_those_at_the_centres(name):
    view, space, image, _ = seen(name)
    labels = np.arange(np.prod(image)).reshape(image)
    found = placed(labels, view, space)
    for pixel, low, high in edges(name):
        centre = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
        at = tuple(int(np.clip(np.floor(c), 0, side - 1)) for c, side in zip(centre, image, strict=True))
        assert found[pixel] == labels[at]


def test_what_is_given_as_the_network_sees_it_is_taken_so():
    view, space, _, _ = seen("cropped")
    mask = np.eye(*space) > 0
    np.testing.assert_array_equal(part(mask, view, space, "within"), mask)
    np.testing.assert_array_equal(placed(mask.astype(int), view, space), mask)
    np.testing.assert_array_equal(part(mask, None, space, "within"), mask)


def test_a_mask_of_every_frame_of_a_clip():
    view = ImageView((2, 4, 3), None, Grid.whole((2, 4, 3)), None)
    mask = np.eye(4, 3) > 0
    np.testing.assert_array_equal(part(mask, view, (2, 4, 3), "within"), [mask, mask])


def test_where_the_network_looks_is_not_always_known():
    with pytest.raises(seewhy.NotApplicable, match="cannot be measured"):
        part((0, 0, 2, 2), ImageView((4, 4), (8, 8), None, None), (4, 4), "within")


def saved(folder, kind, array):
    path = folder / f"mask.{kind}"
    if kind == "npy":
        np.save(path, array)
    elif kind == "nii":
        nibabel = pytest.importorskip("nibabel")
        nibabel.save(nibabel.Nifti1Image(array.astype(np.int16)[..., None], np.eye(4)), path)
    else:
        Image.fromarray(array.astype(np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize("kind", ["png", "tif", "npy", "nii"])
def test_a_file_holds_the_same_as_an_array(tmp_path, kind):
    labels = np.arange(24).reshape(4, 6) // 5
    found = from_file(saved(tmp_path, kind, labels), "within")
    assert found.dtype.kind in "iu"
    np.testing.assert_array_equal(found.reshape(4, 6), labels)
    if kind != "nii":
        np.testing.assert_array_equal(part(saved(tmp_path, kind, labels), None, (4, 6), "within"), labels > 0)


def test_files_that_hold_none(tmp_path):
    colour = tmp_path / "photo.png"
    Image.new("RGB", (4, 4)).save(colour)
    with pytest.raises(seewhy.BadParameter, match=r"is a picture of 3 channels: labels are one number"):
        from_file(str(colour), "within")
    for name, content in {
        "broken.png": b"\x89PNG",
        "broken.npy": b"\x93NUMPY",
        "pickle.npy": b"\x80\x04K\x01.",
        "x.nii": b"1",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(seewhy.BadParameter, match=name.replace(".", r"\.")):
            from_file(str(tmp_path / name), "within")


def test_the_grid_of_a_prepared_array_is_its_own():
    grid = SeenGrid.of(None, (3, 4))
    assert grid.shape == grid.space == (3, 4)
    for pixel in product(range(3), range(4)):
        alone = np.zeros((3, 4), bool)
        alone[pixel] = True
        np.testing.assert_array_equal(grid.touched(alone), alone)
