"""`Heatmap.boxes` and `Heatmap.mask`: on photos, prepared arrays, volumes, clips, signals and scenes of every kind."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import Volume
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.places import Cells, Grid
from seewhy.maps import finding
from seewhy.maps.finding import evident

pytest.importorskip("skimage")
BLOB = [[0, 0, 0, 0], [0, 5, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def edges_by_hand(full, cut):
    """The box around all that lies above: a plain loop."""
    inside = [(x, y) for y in range(full.shape[0]) for x in range(full.shape[1]) if full[y, x] > cut]
    xs, ys = zip(*inside, strict=True)
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def test_on_a_photo_a_box_lies_where_the_map_is_strong(made_heatmap):
    heatmap = made_heatmap(BLOB, size=(40, 20))
    found = heatmap.boxes()
    (box,) = found
    full = heatmap.full()
    assert box.edges == edges_by_hand(full, 0.15 * full.max()) == (6, 3, 24, 12)
    assert (box.label, box.index, box.probability, box.confidence) == ("tabby, tabby cat", 281, 0.75, 0.75)
    assert (box.size_mm, box.corners_mm, box.crs, box.corners_map) == (None,) * 4
    assert (found.mask == (full > found.cut)).all()
    assert found.cut == pytest.approx(0.15 * full.max())


def test_each_threshold_has_its_box(made_heatmap):
    heatmap = made_heatmap(BLOB, size=(40, 20))
    full = heatmap.full()
    for how, cut in (
        ({"threshold": 0.6}, 0.6 * full.max()),
        ({"preset": "cam"}, 0.2 * full.max()),
        ({"of": "quantile", "threshold": 0.9}, np.quantile(full, 0.9)),
    ):
        assert heatmap.boxes(**how)[0].edges == edges_by_hand(full, cut)


def test_the_mask_keeps_all_regions_by_default(made_heatmap):
    heatmap = made_heatmap([[9, 0, 0, 3], [0, 0, 0, 0]], size=(80, 40))
    full = heatmap.full()
    assert (heatmap.mask() == (full > 0.15 * full.max())).all()
    assert (heatmap.mask(0.5) == (full > 0.5 * full.max())).all()
    largest = heatmap.mask(components="largest")
    assert (largest == heatmap.boxes().mask).all()
    assert largest[:, :30].any()
    assert not largest[:, 60:].any()
    assert (heatmap.mask(least=0.2) == heatmap.boxes(components="all", least=0.2).mask).all()


@pytest.mark.parametrize("measured", [{}, {"mean_score": 0.5}])
@pytest.mark.parametrize("how", [{}, {"threshold": 0.6, "of": "quantile"}, {"of": "otsu"}, {"preset": "cam"}])
def test_a_mask_without_regions_is_that_of_all_regions(made_heatmap, monkeypatch, measured, how):
    """The mask of a map with thousands of specks takes no look at each of them."""
    heatmap = made_heatmap(np.random.default_rng(0).normal(size=(12, 16)), box=(5, 0, 35, 30), measured=measured)
    regions = heatmap.boxes(components="all", least=0, **how).mask
    assert 0 < regions.sum() < regions.size
    monkeypatch.setattr(finding, "find", None)
    assert (heatmap.mask(**how) == regions).all()


def test_what_was_cropped_away_holds_no_object(made_heatmap):
    heatmap = made_heatmap([[1, 1], [1, 9]], size=(40, 30), box=(5, 0, 35, 30))
    assert heatmap.boxes(0)[0].edges == (5, 0, 35, 30)
    assert heatmap.boxes(0)[0].evidence == 1


def test_a_mirrored_map_lies_where_its_pixels_came_from(made_heatmap):
    left = made_heatmap([[9, 0, 0, 0]], size=(40, 10)).boxes()[0]
    right = made_heatmap([[9, 0, 0, 0]], size=(40, 10), box=(40, 0, 0, 10)).boxes()[0]
    assert right.spans[1] == tuple(40 - edge for edge in reversed(left.spans[1]))
    assert right.spans[0] == left.spans[0]


def test_a_padded_photo_is_searched_where_it_is(made_heatmap):
    """The network saw it within a black margin, on which the map has its maximum."""
    heatmap = made_heatmap([[0, 0, 0, 9], [0, 0, 0, 0], [0, 6, 0, 0], [0, 0, 0, 0]], size=(40, 20), box=(0, -10, 40, 30))
    found = heatmap.boxes(0.8)
    assert found.cut == pytest.approx(0.8 * heatmap.full().max())
    assert found.cut < 0.8 * 6
    assert found[0].edges == edges_by_hand(heatmap.full(), found.cut)
    assert found[0].score == 1


def test_cells_lie_where_the_network_saw_them(made_heatmap):
    even = made_heatmap(BLOB, size=(64, 64))
    shifted = replace(even, cells=Cells((11.5, 11.5), (16, 16), (64, 64)))
    shift = 11.5 - 7.5
    assert shifted.boxes(0.5)[0].edges == tuple(edge + shift for edge in even.boxes(0.5)[0].edges)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros((3, 3)), "no value of the map is positive"),
        ([[-1, -2]], "no value of the map is positive"),
        (np.full((3, 3), 0.1), "the map is the same everywhere"),
        ([[7]], "the map is the same everywhere"),
        ([[np.nan, 1]], "the map holds values that are not finite"),
    ],
)
def test_a_map_that_shows_nothing_has_no_box_and_says_why(made_heatmap, values, why):
    heatmap = made_heatmap(values, size=(37, 23))
    assert (len(heatmap.boxes()), heatmap.boxes().why) == (0, why)
    assert not heatmap.mask().any()
    assert heatmap.mask().shape == (23, 37)


@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, 7.7e-5])
@pytest.mark.parametrize("mean_score", [False, True])
def test_rounding_makes_no_object_of_a_flat_map(made_heatmap, value, mean_score):
    """Between equal cells the interpolated values differ in their last bit."""
    measured = {"mean_score": 0.5} if mean_score else {}
    heatmap = made_heatmap(np.full((3, 4), value), size=(101, 67), box=(3.3, 0, 90.7, 67), measured=measured)
    assert heatmap.boxes().why == "the map is the same everywhere"


def test_mean_scores_count_from_the_least_and_the_cut_is_the_maps_own(made_heatmap):
    values = np.array([[10, 10, 10, 10], [10, 14, 10, 10.1]])
    heatmap = made_heatmap(values, size=(40, 20), measured={"mean_score": 10.5})
    found, full = heatmap.boxes(0.5), heatmap.full()
    assert found.cut == pytest.approx(10 + 0.5 * (full.max() - 10), rel=1e-6)
    assert (found.mask == (full > found.cut)).all()
    assert found[0].edges == edges_by_hand(full, found.cut)
    assert made_heatmap(values, size=(40, 20)).mask(0.5).all()  # of other methods zero says nothing


def test_of_a_signed_map_what_speaks_against_the_class_is_no_object(made_heatmap):
    heatmap = made_heatmap([[-90, 0, 0, 4], [0, 0, 0, 0]], size=(40, 20), params={"signed": True})
    assert heatmap.boxes()[0].edges == edges_by_hand(heatmap.full(), 0.15 * heatmap.full().max())


def test_a_prepared_array_has_boxes_in_its_own_pixels(made_heatmap):
    heatmap = made_heatmap(BLOB, photo=None, box=(0, 0, 40, 20))
    assert heatmap.boxes()[0].edges == (6, 3, 24, 12)


OBLIQUE = np.array([[0, -2.0, 0.6, 10], [1.5, 0.2, 0, -20], [0, 0.3, 3.0, 5], [0, 0, 0, 1]])


def lesion(made_heatmap, affine, **volume):
    """A volume in which the voxels (1..2, 2..3, 4) are strong."""
    values = np.zeros((4, 5, 6), np.float32)
    values[1:3, 2:4, 4] = 3
    scan = Volume(np.zeros((4, 5, 6), np.float32), affine, **volume)
    return replace(made_heatmap(np.ones((2, 2)), photo=scan), values=values, box=Grid.whole((4, 5, 6)))


def test_of_a_volume_boxes_are_in_voxels_and_mm(made_heatmap):
    (box,) = lesion(made_heatmap, OBLIQUE).boxes()
    assert box.spans == ((1, 3), (2, 4), (4, 5))
    assert box.edges == (1, 2, 4, 3, 4, 5)
    assert box.area == 4
    lengths = np.sqrt([1.5**2, 2**2 + 0.2**2 + 0.3**2, 0.6**2 + 3**2])
    assert box.size_mm == pytest.approx(lengths * (2, 2, 1))
    corners = []  # voxel centres lie at whole numbers, so the box reaches half a voxel beyond them
    for i, j, k in product((0.5, 2.5), (1.5, 3.5), (3.5, 4.5)):
        corners.append((-2 * j + 0.6 * k + 10, 1.5 * i + 0.2 * j - 20, 0.3 * j + 3 * k + 5))
    least, greatest = np.min(corners, 0), np.max(corners, 0)
    assert box.corners_mm == (pytest.approx(tuple(least)), pytest.approx(tuple(greatest)))


def test_where_the_file_does_not_say_how_the_patient_lies_there_is_no_place_in_the_scanner(made_heatmap):
    (box,) = lesion(made_heatmap, np.diag([2.0, 2, 3, 1]), notes=("scan.nii does not say how the patient lies",)).boxes()
    assert box.size_mm == (4, 4, 3)
    assert box.corners_mm is None


def test_of_a_volume_seen_along_other_axes_boxes_are_on_its_own_grid(made_heatmap):
    """The network saw the middle of it, coarser, with axes turned and one running backwards."""
    heatmap = lesion(made_heatmap, np.eye(4))
    values = np.zeros((3, 2, 4), np.float32)
    values[0, 1, 2] = 1
    where = Grid((2, 0, 1), (4.0, 1.0, 0.0), (-1.0, 1.0, 1.0), (3, 2, 4), (4, 5, 6))  # k from 4 down, i from 1, j from 0
    (box,) = replace(heatmap, values=values, box=where).boxes(0.9)
    assert box.spans == ((2, 3), (2, 3), (4, 5))


def test_of_a_clip_a_box_has_frames(made_heatmap):
    clip = seewhy.read_clip([Image.new("RGB", (8, 6)) for _ in range(4)])
    values = np.zeros((4, 6, 8), np.float32)
    values[1:3, 2, 5:7] = 1
    heatmap = replace(made_heatmap(np.ones((2, 2))), values=values, box=Grid.whole((4, 6, 8)), image=clip)
    (box,) = heatmap.boxes()
    assert box.edges == (1, 2, 5, 3, 3, 7)  # frames, y, x
    assert (heatmap.mask() == (values > 0)).all()


def test_of_a_signal_a_box_is_a_stretch_of_it(made_heatmap):
    values = np.array([0, 0, 1, 3, 2, 0, 0, 1], np.float32)
    heatmap = replace(made_heatmap(np.ones((2, 2))), values=values, box=Grid.whole((8,)), image=np.zeros((1, 8), np.float32))
    assert [box.edges for box in heatmap.boxes(components="all", least=0)] == [(2, 5), (7, 8)]


def test_a_map_that_lies_on_nothing_is_refused(made_heatmap):
    heatmap = replace(made_heatmap(np.ones((2, 2))), values=np.ones((2, 2, 2), np.float32))
    with pytest.raises(NotApplicable, match="cannot lie on a photo"):
        heatmap.boxes()


def test_of_an_upright_photo_boxes_are_upright(tmp_path, red_model):
    """A phone's photo is stored on its side; its boxes lie on the photo as it is looked at."""
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[..., 1] = 160
    pixels[8:24, 88:112] = (255, 0, 0)
    upright = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter to the right when it is shown
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "phone.png", exif=exif)
    whole = {"size": (64, 128), "crop": None}
    model = seewhy.wrap(red_model.network, prepare={**whole, "mean": 0.0, "std": 1.0}, labels=["red", "not", "neither"])
    plain, turned = (seewhy.grad_cam(model, photo, target="red")[0] for photo in (upright, tmp_path / "phone.png"))
    assert turned.size == (128, 64)
    assert turned.boxes(0.5)[0].edges == plain.boxes(0.5)[0].edges == (88, 8, 112, 24)


def test_of_a_scene_boxes_are_also_on_the_earth(tmp_path, made_heatmap):
    rasterio = pytest.importorskip("rasterio")
    transform = rasterio.Affine(0.5, 0.1, 1000, -0.2, -0.5, 2000)  # turned a little
    with rasterio.open(
        tmp_path / "scene.tif", "w", "GTiff", height=20, width=40, count=1, dtype="uint8", crs="EPSG:32632", transform=transform
    ) as file:
        file.write(np.zeros((1, 20, 40), np.uint8))
    heatmap = made_heatmap(BLOB, size=(40, 20), image=str(tmp_path / "scene.tif"))
    (box,) = heatmap.boxes()
    assert box.edges == (6, 3, 24, 12)
    assert box.crs == "EPSG:32632"
    by_hand = [(0.5 * x + 0.1 * y + 1000, -0.2 * x - 0.5 * y + 2000) for x, y in ((6, 3), (24, 3), (24, 12), (6, 12))]
    np.testing.assert_allclose(box.corners_map, by_hand)
    (tmp_path / "scene.tif").unlink()
    assert heatmap.boxes()[0].corners_map is None


def test_the_evidence_is_that_of_the_whole_image(made_heatmap):
    heatmap = made_heatmap(np.random.default_rng(0).normal(size=(5, 5)))
    np.testing.assert_array_equal(evident(seewhy.maps.heatmap.overlay_of(heatmap), heatmap.source), heatmap.full())


def test_of_a_real_map_of_tiles_boxes_are_in_the_whole_photo():
    pytest.importorskip("torch")
    pixels = np.random.default_rng(0).integers(0, 256, (130, 250, 3), np.uint8)
    (heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), Image.fromarray(pixels), tile=96)
    found = heatmap.boxes(components="all")
    assert heatmap.full().shape == found.mask.shape == (130, 250)
    assert (found.mask <= (heatmap.full() > found.cut)).all()
    assert {*np.unique(found.regions)} == {*range(len(found) + 1)}


def patch(shape):
    """A bright block in the dark, and a map that reaches beyond it."""
    inside = tuple(slice(side // 4, side - side // 3) for side in shape)
    pixels, places = np.zeros(shape, np.uint8), np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    pixels[inside] = 200
    return pixels, np.exp(-sum((place + 0.1) ** 2 for place in places) / 0.3).astype(np.float32)


@pytest.mark.parametrize("refine", [
    "guided", "crf", ("superpixels", {"segments": 12}), ("random-walker", {"sure": 0.6}), "grabcut",
])  # fmt: skip
def test_masks_and_boxes_of_a_photo_are_brought_to_its_edges(made_heatmap, refine):
    name = refine if isinstance(refine, str) else refine[0]
    if name == "grabcut":
        pytest.importorskip("cv2")
    pixels, values = patch((36, 48))
    grey = Image.fromarray(pixels)
    heatmap = made_heatmap(values, size=(48, 36), photo=grey)
    (raw,), found = heatmap.boxes(0.3), heatmap.boxes(0.3, refine=refine)
    assert raw.edges != (12, 9, 32, 24)
    assert found[0].edges == (12, 9, 32, 24)
    assert found.how.startswith(f"above 30 % of the maximum, the largest region, refined by {name} (")
    assert (heatmap.mask(0.3, refine=refine) == (pixels > 0)).all()
    np.testing.assert_array_equal(heatmap.values, values)


def test_masks_of_volumes_and_clips_are_brought_to_their_edges(made_heatmap):
    pixels, values = patch((12, 20, 24))
    clip = seewhy.read_clip([Image.fromarray(frame).convert("RGB") for frame in pixels])
    for image in (clip, Volume(pixels.astype(np.float32) * 5 - 1000, np.eye(4))):
        heatmap = replace(made_heatmap(np.ones((2, 2))), values=values, box=Grid.whole(values.shape), image=image)
        raw, refined = ((heatmap.mask(0.3, refine=refine) == (pixels > 0)).mean() for refine in (None, True))
        assert refined > 0.99 > 0.98 > raw
        with pytest.raises(NotApplicable, match="grabcut refines masks of photos alone"):
            heatmap.mask(refine="grabcut")


def test_without_an_image_there_are_no_edges(made_heatmap):
    with pytest.raises(BadParameter, match="the network was given an array"):
        made_heatmap(BLOB, photo=None, box=(0, 0, 40, 20)).mask(refine=True)
    signal = replace(made_heatmap(np.ones((2, 2))), values=np.arange(8, dtype=np.float32), box=Grid.whole((8,)), image=None)
    with pytest.raises(NotApplicable, match="a signal has none"):
        signal.mask(refine=True)
