"""Pictures of a volume's map: its greys are those of `prepare`, its colours end at the value that is said to be strongest."""

import re
from dataclasses import replace

import numpy as np
import pytest

from seewhy import Volume, read_volume
from seewhy.images.places import Grid
from support.files.scans import AFFINES, LESION, mm, volume


@pytest.fixture
def lesion(made_heatmap):
    """The map of 3 x 3 x 3 cells over 8 x 8 x 8 voxels of which none lies at a cell's centre; in the middle cell is 9."""
    cells = np.zeros((3, 3, 3), np.float32)
    cells[1, 1, 1] = 9
    scan = Volume(np.linspace(-1000, 1000, 512, dtype=np.float32).reshape(8, 8, 8), np.diag([2.0, 2.0, 2.0, 1]))
    flat = made_heatmap(cells[0], photo=scan)
    grid = Grid((0, 1, 2), (0, 0, 0), (1, 1, 1), (8, 8, 8), (8, 8, 8))
    return replace(flat, values=cells, box=grid)


@pytest.mark.parametrize("view", ["panel", "axial", "projection"])
def test_the_colours_end_at_the_strongest_value_that_is_drawn(lesion, written, view):
    lesion.overlay(view=view, legend=True)
    strongest = lesion.full().max()
    assert strongest < 8.5  # drawn out, none of the voxels has the cell's own value
    said = [text for text, *_ in written]
    assert f"{strongest:.3g}" in said  # at the end of the colour bar
    assert "9" not in said
    assert view != "panel" or any(text.startswith(f"strongest value {strongest:.3g} at ") for text in said)


def test_black_and_white_are_those_of_prepare_unless_others_are_asked_for(lesion, written):
    prepared = replace(lesion, source=replace(lesion.source, prepare={"window": (-100, 400)}))
    for heatmap, asked, ends in (
        (prepared, None, (-100, 400)),
        (prepared, (0, 80), (0, 80)),
        (lesion, None, np.percentile(lesion.image.values, (1, 99))),
    ):
        written.clear()
        picture = np.asarray(heatmap.overlay(view="axial", window=asked, legend=True))
        assert re.search(
            rf"black {ends[0]:.4g}, white {ends[1]:.4g}$", " ".join(text for text, *_ in written[-9:]).split(" 0 ")[0]
        )
        same = np.asarray(lesion.overlay(view="axial", window=tuple(ends), legend=True))
        assert (picture == same).all()


@pytest.mark.parametrize("name", AFFINES)
def test_the_strongest_voxel_is_named_in_the_scanners_coordinates(made_heatmap, written, name):
    """Whatever way the axes of the file run."""
    scanned = volume(AFFINES[name])
    flat = made_heatmap(np.zeros((2, 2)), photo=scanned)
    replace(flat, values=scanned.values, box=Grid.whole(scanned.shape)).overlay()
    (line,) = [text for text, *_ in written if text.startswith("strongest value")]
    found = dict(re.findall(r"\b([RLAPSI]) (\d+\.\d)", line))
    signs = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    place = np.zeros(3)
    for letter, size in found.items():
        axis, sign = signs[letter]
        place[axis] = sign * float(size)
    np.testing.assert_allclose(place, mm(AFFINES[name], LESION), atol=0.051)


@pytest.mark.parametrize("codes", [0, 1])
def test_a_guess_of_left_and_right_is_told_in_the_picture_itself(tmp_path, made_heatmap, written, codes):
    nibabel = pytest.importorskip("nibabel")
    affine = AFFINES["plain"] if codes else None  # without one, nibabel writes both codes as 0
    nibabel.save(nibabel.Nifti1Image(volume(AFFINES["plain"]).values, affine), tmp_path / "scan.nii")
    scanned = read_volume(tmp_path / "scan.nii")
    flat = made_heatmap(np.zeros((2, 2)), photo=scanned)
    replace(flat, values=scanned.values, box=Grid.whole(scanned.shape)).overlay(legend=True)
    said = " ".join(text for text, *_ in written)
    assert ("LEFT AND RIGHT ARE A GUESS" in said) == (not codes)
    assert ("scanner's coordinates" in said) == bool(codes)
