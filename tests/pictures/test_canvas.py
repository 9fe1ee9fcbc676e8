"""A map over what it lies on: its size, its views, its colours; and why some maps cannot be drawn."""

import numpy as np
import pytest
from PIL import Image

from seewhy import Clip, Extent, Volume
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.images.places import Cells, Grid
from seewhy.pictures import canvas
from seewhy.pictures.canvas import VIEWS, DrawingOptions, Overlay, drawn, full, magnified, magnified_size, remark, strip, views
from seewhy.pictures.render import Look
from seewhy.pictures.stretching import stretch
from seewhy.pictures.volumes import frames, montage, signal

PHOTO = Image.new("RGB", (40, 30), (100, 100, 100))
SCAN = Volume(np.random.default_rng(0).normal(size=(8, 6, 4)).astype(np.float32), np.diag([-1.0, 2, 3, 1]))
FILM = Clip([PHOTO] * 5)
NOISE = np.random.default_rng(1)
ON = {
    "photo": Overlay(NOISE.random((3, 4)), PHOTO, Extent(0, 0, 40, 30)),
    "array": Overlay(NOISE.random((3, 4)), None, Extent(0, 0, 40.2, 29.8)),
    "volume": Overlay(NOISE.random((8, 6, 4)), SCAN, Grid.whole((8, 6, 4))),
    "array of a volume": Overlay(NOISE.random((8, 6, 4)), None, Grid.whole((8, 6, 4))),
    "clip": Overlay(NOISE.random((5, 30, 40)), FILM, Grid.whole((5, 30, 40))),
    "signal": Overlay(NOISE.random(20), NOISE.random((2, 20)), Grid.whole((20,))),
}
HOT = Look("inferno", 0, 1, 0.5)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("photo", (40, 30)),
        ("array", (40, 30)),
        ("volume", (8, 6, 4)),
        ("array of a volume", (8, 6, 4)),
        ("clip", (5, 30, 40)),
        ("signal", (20,)),
    ],
)
def test_the_size_is_that_of_what_was_given(name, size):
    assert ON[name].size == size


@pytest.mark.parametrize("name", ON)
def test_full_is_on_the_grid_of_what_was_given(name):
    shown = ON[name]
    values = full(shown)
    if isinstance(shown.box, Grid):
        np.testing.assert_allclose(values, shown.values, rtol=1e-6)  # as many cells as voxels, frames or samples
    else:
        np.testing.assert_array_equal(values, stretch(shown.values, shown.box, (40, 30)))


def test_full_puts_cells_where_they_lie():
    values = np.zeros((3, 3))
    values[1, 1] = 1
    box = Extent(0, 0, 40, 30)
    placed = full(Overlay(values, PHOTO, box, Cells((2.0, 3.0), (10.0, 12.0), (30, 40))))
    assert np.unravel_index(placed.argmax(), placed.shape) == (12, 15)
    even = full(Overlay(values, PHOTO, box))
    assert np.argwhere(even == even.max()).mean(0).tolist() == [14.5, 19.5]


def test_only_the_map_of_a_volume_has_views():
    assert {name: views(shown) for name, shown in ON.items() if views(shown)} == {"volume": VIEWS, "array of a volume": VIEWS}


def test_where_no_affine_says_how_the_axes_run_the_legend_does():
    assert [name for name, shown in ON.items() if "as if its axes ran to R, A, S" in remark(shown)] == ["array of a volume"]


@pytest.mark.parametrize(("name", "named"), [("photo", "a photo"), ("clip", "a clip"), ("signal", "a prepared array")])
def test_a_view_that_it_does_not_have_is_said(name, named):
    with pytest.raises(BadParameter, match=f"view='axial': {named} has no such view; volumes have panel"):
        drawn(ON[name], HOT, DrawingOptions(view="axial"))
    assert drawn(ON[name], HOT, DrawingOptions(view="panel")).tobytes() == drawn(ON[name], HOT, DrawingOptions()).tobytes()


def test_an_unknown_view_is_named_with_the_closest():
    with pytest.raises(NoSuchName, match=r"'axail'\. Closest: axial"):
        drawn(ON["volume"], HOT, DrawingOptions(view="axail"))


@pytest.mark.parametrize(
    ("values", "image", "box", "said"),
    [
        (np.ones((2, 3, 4)), PHOTO, Extent(0, 0, 40, 30), r"\(2, 3, 4\), which cannot lie on a photo"),
        (np.ones((3, 4)), SCAN, Extent(0, 0, 40, 30), "cannot lie on a volume"),
        (np.ones((3, 4)), SCAN, Grid.whole((8, 6, 4)), "cannot lie on a volume"),
        (np.ones((3, 4)), FILM, Grid.whole((5, 30, 40)), "cannot lie on a clip"),
        (np.ones(5), None, Extent(0, 0, 40, 30), "cannot lie on a prepared array"),
    ],
)
def test_a_map_of_other_dimensions_than_its_image_is_refused(values, image, box, said):
    for draw in (full, lambda shown: drawn(shown, HOT, DrawingOptions())):
        with pytest.raises(NotApplicable, match=said):
            draw(Overlay(values, image, box))


def test_a_volume_is_shown_in_ras_whatever_way_its_axes_run():
    picture = drawn(ON["volume"], HOT, DrawingOptions(view="coronal", window=(-1, 1), count=2))
    turned = ON["volume"].values[::-1].astype(np.float32)
    affine = np.diag([1.0, 2, 3, 1])
    affine[0, 3] = -7  # the file's last voxel along its first axis lies furthest to the left
    by_hand = montage(turned, SCAN.channels[0][::-1], HOT, "coronal", 2, (-1, 1), (1, 2, 3), affine)
    assert picture.tobytes() == by_hand.tobytes()


def test_clips_and_signals_are_drawn_as_such():
    shown = ON["clip"]
    assert drawn(shown, HOT, DrawingOptions(count=3)).tobytes() == frames(full(shown), FILM.frames, HOT, 3).tobytes()
    shown = ON["signal"]
    assert drawn(shown, HOT, DrawingOptions()).tobytes() == signal(full(shown), shown.image, HOT).tobytes()


def test_what_stands_below_is_as_wide_as_the_picture():
    widths = []

    def below(width):
        widths.append(width)
        return Image.new("RGB", (width + 10, 7), "red")

    for name in ON:
        alone, both = drawn(ON[name], HOT, DrawingOptions()), drawn(ON[name], HOT, DrawingOptions(), below)
        assert widths[-1] == alone.width
        assert both.size == (alone.width + 10, alone.height + 7)
        assert both.crop((5, 0, 5 + alone.width, alone.height)).tobytes() == alone.tobytes()


VALUES = np.array([[0.5, 1.0], [2.0, 100.0]])


@pytest.mark.parametrize(
    ("options", "percent", "low", "high"),
    [
        ({}, 100, 0, 100),
        ({"clip": 50}, 100, 0, 1.5),
        ({}, 50, 0, 1.5),
        ({"scale": (0.25, 3)}, 50, 0.25, 3),
        ({"scale": (0.25, 3), "clip": 50}, 100, 0.25, 3),
    ],
)
def test_colours_span_what_was_asked_for_or_end_at_a_percentile(options, percent, low, high):
    look, said = DrawingOptions(**options).look(VALUES, percent, signed=False, from_least=False)
    assert (look.low, look.high, look.colours, look.alpha) == (low, high, "inferno", 0.7)
    assert said == ("; colours end at the 50th percentile, largest value 100" if high == 1.5 else "")


def test_signed_colours_are_centred_and_means_begin_at_the_least():
    look, _ = DrawingOptions(alpha=0.2).look(VALUES, 100, signed=True, from_least=False)
    assert look == Look("blue-red", -100, 100, 0.2)
    assert DrawingOptions().look(VALUES, 100, signed=True, from_least=True)[0] == Look("inferno", 0.5, 100, 0.7, True)
    assert DrawingOptions(colours="jet").look(VALUES, 100, signed=False, from_least=True)[0] == Look("jet", 0.5, 100, 0.7, True)
    assert DrawingOptions().look(np.ones((2, 2)), 100, signed=False, from_least=True)[0] == Look("inferno", 0, 1, 0.7, True)


def test_a_strip_has_one_scale_for_all_and_makes_each_map_when_it_is_shown(monkeypatch):
    maps = [Overlay(np.full((2, 2), value, np.float32), PHOTO, Extent(0, 0, 40, 30)) for value in (0.5, 2.0, 1.0)]
    look = Look("inferno", 0, 2, 0.7)
    expected = frames([full(m) for m in maps], [PHOTO] * 3, look, 2)
    assert strip(maps, DrawingOptions(alpha=0.7, count=2), signed=False, caption="cats").tobytes() == expected.tobytes()
    signed = strip(maps, DrawingOptions(alpha=0.7, count=2), signed=True, caption="cats")
    assert signed.tobytes() == frames([full(m) for m in maps], [PHOTO] * 3, Look("blue-red", -2, 2, 0.7), 2).tobytes()
    made, real = [], canvas.full
    monkeypatch.setattr(canvas, "full", lambda shown: made.append(shown) or real(shown))
    strip(maps * 5, DrawingOptions(count=1), signed=False, caption="")
    assert len(made) <= 17, "all once to find the strongest, then those that are shown"


def test_a_strip_tells_its_caption_only_with_a_legend(written):
    maps = [ON["photo"]] * 2
    strip(maps, DrawingOptions(), signed=False, caption="cats")
    assert "cats" not in [text for text, *_ in written]
    strip(maps, DrawingOptions(legend=True), signed=False, caption="cats")
    assert "cats" in [text for text, *_ in written]


def test_a_magnified_map_lies_on_the_photo_brought_to_the_finer_grid():
    photo = Image.effect_noise((40, 30), 60).convert("RGB")
    shown = Overlay(ON["photo"].values, photo, Extent(4, 0, 34, 30), Cells((2.0, 3.0), (10.0, 12.0), (30, 30)))
    twice = magnified(shown, 2)
    assert twice.size == (80, 60)
    assert twice.image.tobytes() == photo.resize((80, 60), Image.Resampling.LANCZOS).tobytes()
    coarse, fine = full(shown), full(twice)
    blocks = fine.reshape(30, 2, 40, 2).mean((1, 3))
    assert abs(blocks[:, 5:33] - coarse[:, 5:33]).max() < 0.05, "the same places"
    assert len(np.unique(fine[20:40, 20:60])) > 2 * len(np.unique(coarse[10:20, 10:30])), "and not the same pixels, doubled"


def test_magnified_once_is_the_map_itself_and_an_array_is_magnified_too():
    assert magnified(ON["photo"], 1) is ON["photo"]
    assert magnified(ON["array"], 3).size == (121, 89)
    assert magnified(ON["photo"], 0.5).size == (20, 15)
    assert magnified(ON["photo"], 1.25).size == (50, 38)


@pytest.mark.parametrize("name", ["volume", "clip", "signal", "array of a volume"])
def test_only_pictures_of_photos_are_magnified(name):
    assert magnified(ON[name], 1) is ON[name]
    with pytest.raises(NotApplicable, match="Only pictures of photos are drawn larger; that of a"):
        magnified(ON[name], 2)


@pytest.mark.parametrize("times", [0, -1, float("nan"), float("inf"), "2", None, True])
def test_a_size_that_cannot_be_is_misuse(times):
    with pytest.raises(BadParameter, match="give a number above 0"):
        magnified_size((40, 30), times)


def test_no_picture_is_drawn_larger_than_a_photo_may_be(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 30 * 9)
    assert magnified_size((40, 30), 3) == (120, 90)
    with pytest.raises(BadParameter, match=r"40 x 30 pixels has 160 x 120, more than the 10800 .* Give 3 or less"):
        magnified_size((40, 30), 4)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert magnified_size((40, 30), 0.5) == (20, 15), "smaller than the photo was"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert magnified_size((40, 30), 100) == (4000, 3000)
