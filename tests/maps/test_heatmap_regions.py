"""Maps of superpixels as heatmaps: the numbers behind the picture, the pictures on the photo, and what is refused."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.methods.making.method import lookup
from support import ask

pytest.importorskip("skimage")

YELLOW, GREY, GREEN, RED = (255, 255, 0), (128, 128, 128), (0, 160, 0), (255, 0, 0)
GRID = np.arange(64).reshape(8, 8).repeat(8, 0).repeat(8, 1)  # (64, 64), as the red model sees


@pytest.fixture(scope="module")
def found(red_model):
    """A red square in the wide photo; the network sees its middle half, from column 100 on, at 64 x 64."""
    pixels = np.empty((200, 400, 3), np.uint8)
    pixels[:] = GREEN
    pixels[50:75, 125:150] = RED  # of the crop the cell of row 2, column 1
    run = seewhy.lime.using(segments="grid:8", samples=300, hide="black")
    return run(red_model, Image.fromarray(pixels), target=[0, 1])


def is_(picture, colour):
    return (np.asarray(picture) == colour).all(-1)


def test_the_heaviest_region_is_where_the_red_is(found):
    red, other = found
    assert red.regions.weights.argmax() == 2 * 8 + 1
    assert other.regions.weights.argmin() == 2 * 8 + 1
    assert np.array_equal(red.regions.segments, GRID)
    assert np.array_equal(red.values > 0.9 * red.values.max(), GRID == 17)
    np.testing.assert_allclose(red.values, red.regions.weights[GRID], rtol=1e-6)
    np.testing.assert_allclose(red.error, red.regions.errors[GRID], rtol=1e-6)


def test_pictures_are_what_the_network_saw_at_the_photos_own_resolution(found):
    heatmap = found[0]
    assert heatmap.image.size == (400, 200)
    assert tuple(heatmap.box) == (100, 0, 300, 200)
    drawn = heatmap.top_regions(1, hide_rest=True)
    assert drawn.size == (200, 200)
    inside = np.zeros((200, 200), bool)
    inside[50:75, 25:50] = True
    assert (is_(drawn, GREY) == ~inside).all()
    assert (is_(drawn, RED) | is_(drawn, YELLOW))[inside].all()
    assert is_(drawn, RED)[52:73, 27:48].all(), "the lines are one pixel wide"
    assert is_(drawn, YELLOW)[50, 25:50].all()
    assert is_(heatmap.boundaries(), YELLOW)[:, 25].all()
    assert is_(heatmap.boundaries(), YELLOW).sum() == 2 * 7 * 200 - 49
    assert np.array_equal(np.asarray(heatmap.image)[50:75, 125:150], np.full((25, 25, 3), RED)), "the photo is left alone"


def test_what_speaks_for_and_against(found):
    red, other = found
    assert is_(other.top_regions(1, positive=False), YELLOW)[50, 25:50].all()
    tinted = np.asarray(other.top_regions(1, positive=None))
    assert tinted[60, 35].tolist() == [255, 0, 0]
    both = np.asarray(red.top_regions(1, positive=None))
    assert both[60, 35].tolist() == [153, 255, 0]
    assert both[10, 10].tolist() == list(GREEN)
    bare = red.image.crop((100, 0, 300, 200))
    assert red.top_regions(3, least=10 * red.values.max()).tobytes() == bare.tobytes(), "nothing weighs so much"
    assert len(np.unique(np.flatnonzero(red.regions.top(1)))) == 64
    with pytest.raises(seewhy.BadParameter, match="whole number"):
        red.top_regions(0)


def test_edges_of_a_box_between_pixels_are_rounded(red_model, noise):
    """A photo of 151 x 101: the crop is 25.2 to 126.2 across."""
    (heatmap,) = seewhy.kernel_shap(red_model, noise((151, 101)), target=0, segments="grid:4", samples=40)
    left, top, right, bottom = map(round, heatmap.box)
    assert heatmap.boundaries().size == (right - left, bottom - top)
    crop = np.asarray(heatmap.image.crop((left, top, right, bottom)))
    drawn = np.asarray(heatmap.boundaries())
    kept = ~is_(drawn, YELLOW)
    assert np.array_equal(drawn[kept], crop[kept])
    assert kept.mean() > 0.9


def test_prepared_arrays_are_drawn_on_white(red_model):
    x = np.zeros((1, 3, 64, 64), np.float32)
    x[:, 0, 8:16, 24:32] = 1
    (heatmap,) = seewhy.lime(red_model, x, target=0, segments=GRID, samples=300, hide=0.0)
    assert heatmap.image is None
    drawn = heatmap.top_regions(1, hide_rest=True)
    assert drawn.size == (64, 64)
    assert (~is_(drawn, GREY) == (GRID == 11)).all()
    assert is_(drawn, (255, 255, 255))[10:14, 26:30].all()
    assert is_(heatmap.boundaries(), YELLOW)[8].all()


@pytest.mark.parametrize("kind", ["regions", "boundaries"])
def test_pictures_carry_their_source(found, tmp_path, kind):
    heatmap = found[0]
    assert heatmap.pictures == ("overlay", "regions", "boundaries", "error")
    path = heatmap.save(tmp_path / "a.png", picture=kind)
    drawn = heatmap.top_regions() if kind == "regions" else heatmap.boundaries()
    with Image.open(path) as png:
        assert png.convert("RGB").tobytes() == drawn.tobytes()
    source = seewhy.Heatmap.source_of(path)
    assert source == heatmap.source
    assert source.params["segments"] == "grid:8"
    assert source.measured["r2"] == heatmap.regions.r2


def test_what_is_drawn_may_be_asked_for_while_saving(found, tmp_path):
    path = found[1].save(tmp_path / "a.png", picture="regions", n=1, positive=False, hide_rest=True)
    with Image.open(path) as png:
        assert png.convert("RGB").tobytes() == found[1].top_regions(1, False, True).tobytes()


@pytest.mark.parametrize(
    ("method", "params"),
    [("lime", {"samples": 100}), ("kernel-shap", {"samples": 200}), ("sobol", {"samples": 4})],
)
def test_numbers_are_saved_with_their_errors_and_regions(red_model, noise, tmp_path, method, params):
    (heatmap,) = seewhy.METHODS[method](red_model, noise((70, 64)), target=0, segments="grid:4", **params)
    with np.load(heatmap.save(tmp_path / "a.npz")) as kept:
        assert np.array_equal(kept["values"], heatmap.values)
        assert np.array_equal(kept["error"], heatmap.error)
        assert np.array_equal(kept["segments"], heatmap.regions.segments)
        assert np.array_equal(kept["region_weights"], heatmap.regions.weights)
        assert np.array_equal(kept["region_errors"], heatmap.regions.errors)
        assert np.array_equal(kept["region_weights"][kept["segments"]].astype(np.float32), kept["values"])
    assert seewhy.Heatmap.source_of(tmp_path / "a.npz") == heatmap.source


def test_sobol_has_no_surrogate_and_still_regions(red_model, red_dot):
    (heatmap,) = seewhy.sobol(red_model, red_dot((64, 64), 20, 28), target=0, segments="grid:4", samples=8)
    made = heatmap.regions
    assert (made.intercept, made.local_prediction, made.r2) == (None, None, None)
    assert made.samples == 8 * 18
    assert made.top(1)[28, 20]
    assert heatmap.top_regions(1).size == (64, 64)


def test_segments_given_as_an_array_are_named_by_their_content(red_model, noise):
    maps = [seewhy.lime(red_model, noise((64, 64)), target=0, segments=s, samples=20)[0] for s in (GRID, GRID.T)]
    said = [m.source.params["segments"] for m in maps]
    assert said[0].startswith("array (64, 64) sha256:")
    assert said[0] != said[1]


@pytest.mark.parametrize("method", ["grad-cam", "occlusion", "gradient"])
def test_other_methods_have_no_regions_and_say_which_do(red_model, noise, tmp_path, method):
    (heatmap,) = seewhy.METHODS[method](red_model, noise((64, 64)), target=0)
    assert heatmap.regions is None
    assert not {"regions", "boundaries"} & {*heatmap.pictures}
    for draw in (heatmap.top_regions, heatmap.boundaries):
        with pytest.raises(seewhy.NotApplicable, match=f"{method} judged no regions. lime, kernel-shap and sobol do"):
            draw()
    with pytest.raises(seewhy.NotApplicable, match="judged no regions"):
        heatmap.save(tmp_path / "a.png", picture="regions")
    with np.load(heatmap.save(tmp_path / "a.npz")) as kept:
        assert "segments" not in kept
    assert not (tmp_path / "a.png").exists()


def test_pixels_of_single_colours_are_no_picture_of_regions(found):
    with pytest.raises(seewhy.NotApplicable, match="lime has no attribution of single pixels"):
        found[0].picture("grey")


def test_combined_methods_keep_no_regions(red_model, noise):
    """What a mean over flips weighs is no one cut of the picture."""
    (heatmap,) = lookup("augment(lime)")(red_model, noise((64, 64)), target=0)
    assert heatmap.regions is None
    assert heatmap.pictures == ("overlay",)


def weighed(*space):
    """A function that weighs every pixel: additive over any segments.  And the weights."""
    weights = np.random.default_rng(2).normal(size=space)
    return seewhy.wrap(lambda x: (x.sum(1) * weights).reshape(len(x), -1).sum(1, keepdims=True), takes="float"), weights


def patches(n, channels, *space):
    """Even cells with a little noise: (n, channels, *space)."""
    x = np.random.default_rng(n + channels).random((n, channels, *(side // 12 for side in space)))
    for axis in range(2, x.ndim):
        x = x.repeat(12, axis)
    return x + np.random.default_rng(0).normal(0, 0.02, x.shape)


@pytest.mark.parametrize(
    ("channels", "how"),
    [(1, "slic"), (1, "quickshift"), (1, "felzenszwalb"), (1, "grid:3"), (3, "slic"), (5, "slic"), (5, "grid:2x3")],
)
@pytest.mark.parametrize("method", ["lime", "kernel-shap"])
def test_images_of_any_number_of_channels(method, channels, how):
    (net, weights), x = weighed(48, 60), patches(1, channels, 48, 60)
    few = {"alpha": 0} if method == "lime" else {}
    (m,) = seewhy.METHODS[method](net, x, target=0, segments=how, samples=400, hide="zero", **few)
    segments = m.regions.segments
    assert segments.shape == m.values.shape == (48, 60)
    expected = [(weights * x[0].sum(0))[segments == i].sum() for i in range(segments.max() + 1)]
    assert len(expected) == len(m.regions.weights) > 1
    ask.close(m.regions.weights, expected, 1e-8)


def test_volumes_are_explained_by_segments_of_their_own():
    (net, weights), x = weighed(24, 24, 36), patches(1, 1, 24, 24, 36)
    labels = np.arange(12).reshape(2, 2, 3).repeat(12, 0).repeat(12, 1).repeat(12, 2) - 4
    (m,) = seewhy.lime(net, x, target=0, segments=labels, samples=100, alpha=0, hide="zero")
    ask.close(m.regions.weights, [(weights * x[0, 0])[labels == i - 4].sum() for i in range(12)])
    assert m.values.shape == (24, 24, 36)
    with pytest.raises(seewhy.NotApplicable, match="3 dimensions"):
        m.top_regions()


def test_a_cut_that_takes_no_five_channels_says_which_does():
    with pytest.raises(seewhy.BadParameter, match='"slic" takes any number'):
        seewhy.lime(weighed(48, 60)[0], patches(1, 5, 48, 60), segments="quickshift")


def test_grey_photos_are_cut_and_explained_as_their_rgb(red_model, noise):
    grey, red = noise((64, 64)).convert("L"), Image.new("RGB", (64, 64), RED)
    one, other = (seewhy.lime(red_model, p, target=0, samples=50, hide=red)[0] for p in (grey, grey.convert("RGB")))
    ask.close(one.values, other.values, rel=1e-5)


def test_each_image_of_a_batch_has_its_own_segments_and_map():
    (net, _), x = weighed(48, 60), patches(3, 3, 48, 60)
    together = seewhy.lime(net, x, samples=60)
    for m, one in zip(together, x, strict=True):
        (alone,) = seewhy.lime(net, one[None], samples=60)
        assert np.array_equal(m.regions.segments, alone.regions.segments)
        np.testing.assert_allclose(m.values, alone.values, rtol=1e-6, atol=1e-9)
    assert not np.array_equal(together[0].regions.segments, together[2].regions.segments)
