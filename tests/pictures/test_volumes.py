"""Pictures of volumes: what is planted at a voxel comes out at the pixel, and at the patient's side, where it belongs."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.pictures import volumes as views
from seewhy.pictures.render import Look

SHAPE, SPACING = (10, 14, 6), (2.0, 1.0, 3.0)
AXES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}  # across, down, through
BLUE = Look("blue-red", -1, 1, 1)
HOT = Look("inferno", 0, 1, 1)


def planted(voxel, value=-1.0, shape=SHAPE):
    values = np.zeros(shape, np.float32)
    values[voxel] = value
    return values


def blue(picture):
    """Where a picture is blue: no letter, line or background is."""
    pixels = np.asarray(picture).astype(int)
    return (pixels[..., 2] > pixels[..., 0] + 25) & (pixels[..., 2] > pixels[..., 1])


def middle(where):
    """(x, y) of the middle of marked pixels, the first pixel's at 0.5."""
    y, x = np.nonzero(where)
    return x.mean() + 0.5, y.mean() + 0.5


def box(picture, grey=128):
    """left, top, right, bottom of a field of plain grey, as edges; grey in headings is scarce."""
    pixels = np.asarray(picture).astype(int)
    found = (abs(pixels - grey) <= 1).all(-1)
    (x,), (y,) = (np.nonzero(counts > 0.3 * counts.max()) for counts in (found.sum(0), found.sum(1)))
    return x[0], y[0], x[-1] + 1, y[-1] + 1


@pytest.mark.parametrize("voxel", [(2, 3, 1), (7, 3, 4), (2, 10, 4), (6, 11, 2)], ids=str)
@pytest.mark.parametrize("plane", AXES)
@pytest.mark.parametrize("kind", ["montage", "projection"])
def test_a_voxel_comes_out_at_its_pixel_and_pixels_are_isotropic(kind, plane, voxel):
    background = np.ones(SHAPE)
    if kind == "montage":
        picture = views.montage(planted(voxel), background, BLUE, plane, 1, (0, 2), SPACING)
    else:
        picture = views.projection(planted(voxel), background, BLUE, plane, (0, 1), SPACING)
    left, top, right, bottom = box(picture, 128 if kind == "montage" else 255)
    across, down, _ = AXES[plane]
    mm = [SHAPE[axis] * SPACING[axis] for axis in (across, down)]
    assert (right - left) / (bottom - top) == pytest.approx(mm[0] / mm[1], rel=0.02)
    scale = (right - left) / mm[0]
    x, y = middle(blue(picture))
    assert x - left == pytest.approx(scale * (SHAPE[across] - voxel[across] - 0.5) * SPACING[across], abs=1)
    assert y - top == pytest.approx(scale * (SHAPE[down] - voxel[down] - 0.5) * SPACING[down], abs=1)


SIDES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}  # in RAS+: axis, direction
OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))


@pytest.mark.parametrize(
    ("plane", "letter"),
    [*((p, s) for p, sides in {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}.items() for s in sides)],
)
def test_the_patients_sides_are_where_the_letters_say(written, plane, letter):
    axis, direction = SIDES[letter]
    voxel = [5, 5, 5]
    voxel[axis] += 4 * direction
    picture = views.montage(planted(tuple(voxel), shape=(11, 11, 11)), None, BLUE, plane, 1)
    places = {text: np.array(xy, float) for text, *xy in written if text in SIDES}
    assert set(places) == {"axial": {*"RLAP"}, "coronal": {*"RLSI"}, "sagittal": {*"APSI"}}[plane]
    toward = places[letter] - places[OPPOSITE[letter]]
    pixels = np.asarray(picture).astype(int)
    white = (pixels.min(-1) > 240) & (np.arange(len(pixels)) > 60)[:, None]  # zero; not the headings
    x, y = middle(blue(picture))
    from_middle = np.array([x, y]) - middle(white | blue(picture))
    along = int(abs(toward).argmax())
    assert from_middle[along] * np.sign(toward[along]) > 0.2 * abs(toward[along])
    assert abs(from_middle[1 - along]) < 0.1 * abs(toward[along])


def test_every_slice_has_the_one_scale():
    values = np.zeros((12, 12, 5), np.float32)
    values[2:9, 2:9, 1], values[2:9, 2:9, 3] = 1.0, 0.5
    pixels = np.asarray(views.montage(values, np.zeros(values.shape), HOT, count=5)).reshape(-1, 3)
    full, half = HOT.paint(np.array([1.0, 0.5]))
    assert (pixels == full).all(1).sum() > 1000
    assert (pixels == half).all(1).sum() > 1000
    alone = np.asarray(views.montage(values * (values < 1), np.zeros(values.shape), HOT, count=5)).reshape(-1, 3)
    assert (alone == half).all(1).sum() == pytest.approx((pixels == half).all(1).sum(), rel=0.001), "but for edges"
    assert not (alone == full).all(1).any()


def test_nothing_is_painted_away_from_the_evidence():
    background = np.random.default_rng(1).random((20, 20, 20))
    zero, one = (np.asarray(views.projection(v, background, BLUE)).astype(int) for v in
                 (np.zeros((20, 20, 20)), planted((4, 15, 10), shape=(20, 20, 20))))  # fmt: skip
    changed = (zero != one).any(-1)
    x, _ = middle(changed)
    assert 0 < changed.sum() < 4.2 / 400 * changed.size, "a voxel, and half of each beside it"
    assert x == pytest.approx(one.shape[1] * 15.5 / 20, abs=2)


def test_black_and_white_are_the_ends_of_the_window():
    steps = np.array([-500.0, 0, 100, 150, 200, 900])
    background = np.broadcast_to(steps[:, None, None], (6, 6, 1))
    pixels = np.asarray(views.montage(np.zeros((6, 6, 1)), background, HOT, window=(0, 200)))
    row = pixels[pixels.shape[0] // 3]
    runs = row[np.flatnonzero(np.diff(row.astype(int).sum(-1), prepend=-1))][:, 0].tolist()
    assert [r for r in runs if r] == [255, 191, 128], "the patient's right lies on the left, so the last comes first"


@pytest.mark.parametrize("window", [(1, 1), (2, 1), (0, float("nan")), 3, (1, 2, 3), "ab"])
def test_a_window_that_cannot_be_is_misuse(window):
    with pytest.raises(BadParameter, match="window="):
        views.montage(np.zeros((3, 3, 3)), np.zeros((3, 3, 3)), HOT, window=window)


def numbers(written, plane="axial"):
    return [int(text.split()[1]) for text, *_ in written if text.startswith(plane) and "·" in text]


@pytest.mark.parametrize(
    ("first", "last", "peak", "count", "expected"),
    [
        (10, 21, 13, 12, [*range(10, 22)]), (10, 30, 14, 5, [10, 14, 20, 25, 30]), (20, 22, 21, 7, [*range(18, 25)]),
        (0, 1, 0, 5, [*range(5)]), (39, 39, 39, 4, [36, 37, 38, 39]), (5, 5, 5, 1, [5]), (0, 39, 31, 1, [31]),
    ],
)  # fmt: skip
def test_slices_are_spread_over_those_with_evidence_and_hold_the_strongest(written, first, last, peak, count, expected):
    values = np.zeros((4, 4, 40))
    values[1, 1, first : last + 1] = 0.4
    values[2, 1, :] = 0.01
    values[1, 2, peak] = -0.9
    views.montage(values, None, Look("blue-red", -1, 1, 1), count=count, spacing=(1, 1, 2.5))
    assert numbers(written) == expected
    labels = [text for text, *_ in written if "·" in text]
    assert labels == [f"axial {n} · {2.5 * n:g} mm" for n in expected]


def test_slices_of_an_empty_map_are_spread_over_all(written):
    views.montage(np.zeros((9, 9, 23)), np.ones((9, 9, 23)), HOT, "sagittal", 3)
    assert numbers(written, "sagittal") == [0, 4, 8]


def test_three_projections_are_one_picture_of_one_scale():
    values = np.zeros((40, 50, 30))
    values[18:22, 23:27, 13:17] = -1  # a cube of 8 mm in the middle
    picture = views.projections(values, np.ones(values.shape), BLUE, (0, 2), (2, 2, 2))
    assert picture.width <= 1600
    marked, third = blue(picture), picture.width // 3
    sizes = []
    for column in range(3):
        here = marked[:, column * third : (column + 1) * third]
        sizes += [np.ptp(np.flatnonzero(here.any(axis))) for axis in (0, 1)]
    assert min(sizes) > 20
    assert max(sizes) - min(sizes) <= 2


def test_the_panel_crosses_out_the_strongest_voxel_in_three_planes(written):
    voxel = (7, 3, 4)
    picture = views.panel(planted(voxel), np.ones(SHAPE), BLUE, (0, 2), SPACING)
    pixels = np.asarray(picture).astype(int)
    assert picture.width <= 1600
    green = (pixels == (90, 220, 120)).all(-1)
    third = picture.width // 3
    for column, plane in enumerate(AXES):
        across = slice(column * third, (column + 1) * third)
        here, marked = green[: len(green) // 3, across], blue(picture)[: len(green) // 3, across]
        x, y = middle(marked)
        assert abs(here.sum(0).argmax() + 0.5 - x) <= 1, plane
        assert abs(here.sum(1).argmax() + 0.5 - y) <= 1, plane
    said = " ".join(text for text, *_ in written)
    assert "strongest value -1: axial 4, coronal 3, sagittal 7" in said
    assert "axial 4 · 12 mm" in said
    assert "coronal 3 · 3 mm" in said
    assert "sagittal 7 · 14 mm" in said


@pytest.mark.parametrize("kind", ["montage", "projection", "panel"])
def test_nan_and_infinity_are_drawn_as_nothing(written, kind):
    values = np.zeros((8, 8, 8), np.float32)
    background = np.random.default_rng(0).random((8, 8, 8))
    zero = getattr(views, kind)(values, background, HOT)
    for bad in (np.nan, np.inf, -np.inf):
        assert getattr(views, kind)(np.full((8, 8, 8), bad), background, HOT).tobytes() == zero.tobytes()
    assert kind != "panel" or any("zero everywhere" in text for text, *_ in written)
    values[2, 2, 2] = 1
    some = values.copy()
    some[5, 5, 5] = np.nan
    assert getattr(views, kind)(some, background, HOT).tobytes() == getattr(views, kind)(values, background, HOT).tobytes()


@pytest.mark.parametrize("shape", [(9, 9, 1), (9, 1, 9), (1, 9, 9), (1, 1, 9), (1, 1, 1), (200, 1, 1), (3, 2, 250)], ids=str)
def test_flat_and_thin_volumes(shape):
    for values in (np.zeros(shape), planted((0, 0, 0), 1.0, shape)):
        for plane in AXES:
            for kind in ("montage", "projection"):
                picture = getattr(views, kind)(values, np.ones(shape), HOT, plane, window=(0, 2), spacing=(1, 1, 5))
                assert picture.width <= 1600
                assert (np.asarray(picture) == 128).any()
        assert views.panel(values, np.ones(shape), HOT, (0, 2), (1, 1, 5)).width <= 1600


def test_what_was_given_stays_as_it_was():
    values, background = planted((2, 2, 2)), np.random.default_rng(0).random(SHAPE)
    values[1, 1, 1] = np.nan
    before = values.tobytes(), background.tobytes()
    views.panel(values, background, BLUE)
    views.montage(values, background, BLUE)
    assert (values.tobytes(), background.tobytes()) == before


def test_integers_and_planes_without_a_background_are_drawn():
    volume = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    assert views.panel(volume, volume.astype(np.int16), Look("inferno", 0, 119, 0.5)).width <= 1600
    pixels = np.asarray(views.projection(np.ones((4, 4, 4)), None, HOT)).reshape(-1, 3)
    assert ((pixels == HOT.paint(np.array([1.0]))).all(1)).mean() > 0.8, "the colours alone, opaque"


def test_what_cannot_be_drawn_is_said():
    cube = np.zeros((3, 3, 3))
    with pytest.raises(NoSuchName, match=r"plane 'axail'. Closest: axial.*axial, coronal, sagittal"):
        views.montage(cube, cube, HOT, "axail")
    with pytest.raises(BadParameter, match=r"background is \(3, 3, 4\), the map \(3, 3, 3\)"):
        views.panel(cube, np.zeros((3, 3, 4)), HOT)
    for bad in (np.zeros((3, 3)), np.zeros((0, 3, 3))):
        with pytest.raises(BadParameter, match="takes 3 dimensions"):
            views.projection(bad, None, HOT)
    for spacing in ((1, 1), (1, 0, 1), (1, 1, float("inf")), "a"):
        with pytest.raises(BadParameter, match="spacing="):
            views.panel(cube, cube, HOT, spacing=spacing)
    for count in (0, True, 1.5, None):
        with pytest.raises(BadParameter, match="count="):
            views.montage(cube, cube, HOT, count=count)


def test_the_panel_says_where_in_the_scanner_the_strongest_voxel_lies(written):
    affine = np.diag([2.0, 1, 3, 1])
    affine[:3, 3] = (-9, 4, -7)
    views.panel(planted((7, 3, 4)), np.ones(SHAPE), BLUE, (0, 2), SPACING, affine)
    said = [text for text, *_ in written]
    assert (
        "strongest value -1 at R 5.0, A 7.0, S 5.0 mm: axial 4, coronal 3, sagittal 7; mm in the scanner's coordinates" in said
    )
    assert {"axial 4 · S 5.0 mm", "coronal 3 · A 7.0 mm", "sagittal 7 · R 5.0 mm"} < {*said}


def test_a_volume_of_unknown_spacing_has_no_ruler_and_no_mm(written):
    for draw in (views.panel, views.montage, views.projections):
        draw(planted((7, 3, 4)), np.ones(SHAPE), BLUE, window=(0, 2), spacing=None)
    views.curve(planted((7, 3, 4)), spacing=None)
    assert written
    assert not [text for text, *_ in written if "mm" in text]
