"""Planes of a volume: turned as radiologists see them, windowed, projected, and measured in mm."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.pictures.planes import PLANES, GreyWindow, Plane, Stack, apart, finite
from seewhy.pictures.render import Look

SHAPE, SPACING = (10, 14, 6), (2.0, 1.0, 3.0)
AXES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}  # across, down, through
BLUE = Look("blue-red", -1, 1, 1)
HOT = Look("inferno", 0, 1, 1)


def test_the_radiological_convention():
    sides = {name: plane.letters for name, plane in PLANES.items()}
    assert sides == {"axial": (*"RLAP",), "coronal": (*"RLSI",), "sagittal": (*"APSI",)}


def test_a_flipped_volume_is_flipped_in_the_picture():
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    for axis, plane in ((0, "axial"), (0, "coronal"), (1, "sagittal")):
        mine, flipped = (
            Stack.of(v, None, HOT, None, SPACING).slice(PLANES[plane], 2).values for v in (values, np.flip(values, axis))
        )
        np.testing.assert_array_equal(flipped, mine[:, ::-1])


def test_the_window_is_what_was_asked_or_the_1st_to_99th_percentile():
    background = np.random.default_rng(2).normal(size=(30, 30, 30))
    assert GreyWindow.of(background, None) == pytest.approx(tuple(np.percentile(background, (1, 99))))
    assert GreyWindow.of(background, (40, 80)) == (40, 80)
    rare = np.zeros((30, 30, 30))
    rare[3, 3, 3] = 7
    assert GreyWindow.of(rare, None) == (0, 7), "else it would show nothing"
    assert GreyWindow.of(np.where(rare > 0, np.nan, background), None) == pytest.approx(
        tuple(np.percentile(background, (1, 99))), abs=0.01
    )
    assert GreyWindow.of(np.full((2, 2, 2), np.nan), None).grey(np.full(3, np.nan)).tolist() == [0, 0, 0]


def test_a_projection_is_the_furthest_from_zero_over_the_mean():
    draw = np.random.default_rng(3)
    values, background = draw.normal(size=SHAPE), draw.normal(size=SHAPE)
    stack = Stack.of(values, background, BLUE, (-1, 1), SPACING)
    for name, (across, down, through) in AXES.items():
        found = stack.projected(PLANES[name])
        for x in range(SHAPE[across]):
            for y in range(SHAPE[down]):
                at: list = [0, 0, 0]
                at[across], at[down], at[through] = SHAPE[across] - 1 - x, SHAPE[down] - 1 - y, slice(None)
                line = values[tuple(at)]
                assert found.values[y, x] == line[abs(line).argmax()]
                at[through] = 0
        means = ((background.clip(-1, 1) + 1) / 2).mean(through)
        np.testing.assert_allclose(found.grey, np.flip(means / means.max()).T, atol=1e-6)


def test_the_strongest_is_judged_by_the_look():
    values = np.full((3, 3, 3), 0.5)
    values[1, 2, 0], values[2, 1, 1] = 0.2, 0.6
    assert Stack.of(values, None, Look("inferno", 0.2, 0.6, 1), None, SPACING).peak == (2, 1, 1)
    values[0, 0, 2] = -0.7
    assert Stack.of(values, None, BLUE, None, SPACING).peak == (0, 0, 2)
    assert Stack.of(0 * values, None, BLUE, None, SPACING).peak is None


@pytest.mark.parametrize("plane", PLANES.values(), ids=str)
def test_a_voxels_place_is_where_its_value_is_drawn(plane):
    values = np.zeros(SHAPE)
    values[7, 3, 4] = 1
    section = Stack.of(values, None, HOT, None, SPACING).slice(plane, (7, 3, 4)[plane.axis]).values
    row, column = np.argwhere(section)[0]
    x, y = plane.place((7, 3, 4), SHAPE, (section.shape[1], section.shape[0]))
    assert (x, y) == pytest.approx((column + 0.5, row + 0.5))


def test_sizes_are_in_mm_and_at_a_scale_in_pixels():
    stack = Stack.of(np.zeros(SHAPE), None, HOT, None, SPACING)
    assert [stack.extent(plane) for plane in PLANES.values()] == [(20, 14), (20, 18), (14, 18)]
    assert stack.size(PLANES["axial"], 2.5) == (50, 35)
    assert stack.size(PLANES["axial"], 0.001) == (1, 1)
    assert stack.named(PLANES["axial"], 4) == "axial 4 · 12 mm"


def test_evidence_of_a_slice_is_its_strongest_value_as_a_share():
    values = np.zeros((3, 2, 4))
    values[0, 1, 2], values[2, 0, 2], values[1, 1, 0] = 0.25, -0.5, 9
    stack = Stack.of(values, None, BLUE, None, SPACING)
    assert stack.evidence(PLANES["axial"]).tolist() == [1, 0, 0.5, 0]
    assert stack.evidence(PLANES["sagittal"]).tolist() == [0.25, 1, 0.5]


def test_grey_is_linear_between_the_ends_of_the_window():
    assert GreyWindow(10, 20).grey(np.array([0.0, 10, 12.5, 20, 99, np.nan])).tolist() == [0, 0, 0.25, 1, 1, 0]
    assert not GreyWindow(5, 5).grey(np.array([4.0, 5, 6])).any()


def test_what_is_not_finite_is_zero_and_what_is_stays_the_same_array():
    assert finite([1.0, np.nan, np.inf, -np.inf], 1).tolist() == [1, 0, 0, 0]
    values = np.ones((2, 2), np.float32)
    assert finite(values, 2) is values
    assert finite(np.arange(3), 1).dtype == np.float32


def test_names_spacings_and_shapes_that_cannot_be_are_said():
    assert Plane.named("coronal") is PLANES["coronal"]
    with pytest.raises(NoSuchName, match="axial"):
        Plane.named("axail")
    assert apart([1, 2.5, 3]) == (1, 2.5, 3)
    assert apart(2) == (2, 2, 2)
    for spacing in ((1, 1), (1, 0, 1), (1, 1, float("nan")), None):
        with pytest.raises(BadParameter, match="spacing="):
            apart(spacing)
    for shape in ((2, 2), (0, 2, 2)):
        with pytest.raises(BadParameter, match="takes 3 dimensions"):
            finite(np.zeros(shape), 3)


def test_headings_count_mm_as_the_scanner_does():
    """An oblique volume, written out by hand: a slice lies where its middle does, or where the voxel does that is asked for."""
    affine = np.array([[2.0, 0.1, 0, -9], [-0.2, 1, 0, 4], [0, 0, 3, -7.25], [0, 0, 0, 1]])
    stack = Stack.of(np.zeros(SHAPE), None, HOT, None, SPACING, affine)
    x, y, z = affine[:3] @ (7, 3, 4, 1)
    assert (x, y, z) == pytest.approx((5.3, 5.6, 4.75))
    assert stack.coordinates((7, 3, 4)) == ("R 5.3", "A 5.6", "S 4.8")
    assert stack.coordinates((0, 0, 0)) == ("L 9.0", "A 4.0", "I 7.2")
    assert stack.named(PLANES["sagittal"], 7, (7, 3, 4)) == "sagittal 7 · R 5.3 mm"
    assert stack.named(PLANES["coronal"], 3) == f"coronal 3 · A {-0.2 * (SHAPE[0] - 1) / 2 + 3 + 4:.1f} mm"
    assert stack.units == "; mm in the scanner's coordinates"


def test_where_no_spacing_is_known_nothing_is_said_in_mm():
    stack = Stack.of(np.zeros(SHAPE), None, HOT, None, None)
    assert stack.named(PLANES["axial"], 4) == "axial 4"
    assert stack.units == ""
    assert stack.apart(PLANES["axial"]) is None
    assert stack.extent(PLANES["axial"]) == (10, 14)
