"""Floats become pixels here alone: the colours mean what they say, and the photo stays where the map is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import seewhy
from seewhy import grad_cam
from seewhy.errors import BadParameter, Misuse, NoSuchName
from seewhy.pictures.render import COLOURS, Look

RAMP = np.linspace(0, 1, 5)[None]
KNOWN = {  # at 0, 1/4, 1/2, 3/4, 1
    "jet": [(0, 0, 128), (0, 128, 255), (125, 255, 122), (255, 148, 0), (128, 0, 0)],
    "viridis": [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)],
    "inferno": [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)],
}


def painted(values, colours=None, scale=None, alpha=1.0) -> np.ndarray:
    return Look.of(np.asarray(values), alpha, colours, scale).paint(np.asarray(values)).astype(int)


@pytest.mark.parametrize("colours", KNOWN)
def test_colours_are_those_known_by_that_name(colours):
    assert abs(painted(RAMP, colours)[0] - KNOWN[colours]).max() <= 4


@pytest.mark.parametrize("colours", KNOWN)
def test_colours_follow_matplotlibs_throughout(colours):
    colormaps = pytest.importorskip("matplotlib").colormaps
    ramp = np.linspace(0, 1, 256)
    assert abs(painted(ramp[None], colours)[0] - colormaps[colours](ramp)[:, :3] * 255).max() <= 6


@pytest.mark.parametrize("colours", ["inferno", "viridis"])
def test_even_colours_grow_lighter_throughout(colours):
    light = painted(np.linspace(0, 1, 200)[None], colours)[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > -0.75).all()
    assert light[-1] - light[0] > 180


@settings(max_examples=50, deadline=None)
@given(low=st.floats(-100, -0.01), high=st.floats(0.01, 100))
def test_in_a_signed_map_zero_is_white_red_speaks_for_and_blue_against(low, high):
    against, zero, speaks_for = painted([[low, 0.0, high]])[0]
    assert abs(zero - 247).max() <= 4
    assert speaks_for[0] >= speaks_for[2]
    assert against[2] >= against[0] - 1  # white itself leans to red by one level
    strongest = speaks_for if high >= -low else against
    assert strongest.sum() < 250, "the stronger side has the full colour"


@pytest.mark.parametrize(
    ("values", "colours"),
    [
        ([[0, 1]], "inferno"),
        ([[1, 2]], "inferno"),
        ([[-1, 1]], "blue-red"),
        ([[-1, 0]], "blue-red"),
        ([[-2, -1]], "blue-red"),
        ([[0, 0]], "inferno"),
    ],
)
def test_colours_are_chosen_by_sign(values, colours):
    assert Look.of(np.array(values, float), 0.5, None, None).colours == colours


def test_a_signed_method_is_drawn_around_zero(red_model, red_dot):
    photo = red_dot((64, 64), 16, 16)
    (heatmap,) = grad_cam(red_model, photo, target="not red", signed=True)
    assert heatmap.values.min() < 0
    at = np.asarray(heatmap.overlay(alpha=1)).astype(int)
    assert at[16, 16, 2] > at[16, 16, 0], "red speaks against `not red`: blue"
    assert abs(at[60, 60] - 247).max() <= 4


@pytest.mark.parametrize("value", [0, 5, -3])
@pytest.mark.parametrize("colours", [None, *COLOURS])
def test_a_constant_map_has_one_colour(made_heatmap, value, colours):
    picture = np.asarray(made_heatmap(np.full((3, 3), value)).overlay(alpha=1, colours=colours)).reshape(-1, 3)
    assert (picture == picture[0]).all()


def test_alpha_zero_is_the_photo_and_alpha_one_the_colours(made_heatmap, noise):
    photo = noise((40, 30))
    heatmap = made_heatmap(np.arange(12).reshape(3, 4), photo=photo)
    assert heatmap.overlay(alpha=0).tobytes() == photo.tobytes()
    assert np.array_equal(heatmap.overlay(alpha=1), painted(heatmap.full(), scale=(0, 11)))
    half = (np.asarray(photo).astype(int) + painted(heatmap.full(), scale=(0, 11))) / 2
    assert abs(np.asarray(heatmap.overlay(alpha=0.5)) - half).max() <= 1


def test_alpha_zero_is_the_photo_for_a_signed_map_too(made_heatmap, noise):
    photo = noise((40, 30))
    heatmap = made_heatmap([[-1, 1], [0.5, -2]], photo=photo)
    assert heatmap.overlay(alpha=0).tobytes() == photo.tobytes()


RAMPS = {"inferno": [[0, 1, 2, 4]], "blue-red": [[-4, -2, 0, 1, 4]], "viridis": [[-3, -2, -1]]}


@pytest.mark.parametrize("colours", RAMPS)
def test_by_value_the_photo_shows_in_proportion_to_what_a_value_does_not_say(made_heatmap, noise, colours):
    values = np.array(RAMPS[colours], float)
    heatmap = made_heatmap(
        np.repeat(np.repeat(values, 10, 0), 10, 1), (10 * values.size, 10), photo=noise((50, 10)).resize((10 * values.size, 10))
    )
    found = np.asarray(heatmap.overlay(alpha="value", colours=colours)).astype(float)
    photo, grey = (np.asarray(heatmap.image.convert(mode).convert("RGB")).astype(float) for mode in ("RGB", "L"))
    for place, value in enumerate(values[0]):
        some = np.s_[:, 10 * place : 10 * place + 10]
        if value == 0:
            assert np.array_equal(found[some], photo[some]), "where nothing speaks, the photo is as it was"
            continue
        opacity = 0.7 * abs(value) / abs(values).max()
        turned = min(1, 2 * opacity) if colours == "blue-red" else 0
        under = (1 - turned) * photo[some] + turned * grey[some]
        colour = Look.of(values, 1, colours, None).paint(np.array([value]))
        assert abs(found[some] - (1 - opacity) * under - opacity * colour).max() < 2.5


def test_by_value_is_how_maps_lie_on_photos_unless_said(made_heatmap, noise):
    heatmap = made_heatmap([[0, 1], [-1, 2]], photo=noise((40, 30)))
    assert heatmap.overlay().tobytes() == heatmap.overlay(alpha="value").tobytes() != heatmap.overlay(alpha=0.7).tobytes()


def test_beyond_the_range_of_the_colours_a_value_is_as_opaque_as_at_its_end(made_heatmap, noise):
    photo = noise((40, 30))
    end, beyond = (made_heatmap(np.full((2, 2), value), photo=photo).overlay(scale=(0, 1)).tobytes() for value in (1, 9))
    assert end == beyond
    below = made_heatmap(np.full((2, 2), -3), photo=photo).overlay(scale=(0, 1), colours="inferno")
    assert below.tobytes() == photo.tobytes()


@pytest.mark.parametrize("box", [(10, 0, 30, 30), (10.5, 0, 29.5, 30), (30, 30, 10, 0), (-5, -5, 20, 20)])
def test_what_the_network_did_not_see_is_pale_and_grey(made_heatmap, noise, box):
    photo = noise((40, 30))
    picture = np.asarray(made_heatmap(np.eye(3) + 1, photo=photo, box=box).overlay(alpha=1, colours="jet")).astype(int)
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    left, right = sorted(box[0::2])
    top, bottom = sorted(box[1::2])
    outside = (x < left - 1) | (x > right + 1) | (y < top - 1) | (y > bottom + 1)
    assert outside.any()
    assert (np.ptp(picture[outside], axis=-1) == 0).all()
    assert (picture[outside] > 100).all()
    inside = (x > left + 1) & (x < right - 1) & (y > top + 1) & (y < bottom - 1)
    assert (np.ptp(picture[inside], axis=-1) > 60).all()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 3), (1, 1)])
def test_the_hot_cell_has_the_hot_colour_and_no_other(made_heatmap, row, column):
    values = np.zeros((3, 4))
    values[row, column] = 7
    picture = np.asarray(made_heatmap(values, (80, 60)).overlay(alpha=1, colours="jet"))
    red = picture[..., 0] > 100
    assert red[row * 20 + 10, column * 20 + 10]
    assert tuple(picture[row * 20 + 10, column * 20 + 9]) > (100, 0, 0)
    where = np.argwhere(red)
    assert (abs(where - (row * 20 + 9.5, column * 20 + 9.5)) <= 20).all()


def test_one_scale_makes_maps_comparable(made_heatmap):
    maps = seewhy.Heatmaps((made_heatmap(np.full((2, 2), 1.0)), made_heatmap([[0, 2], [0, 2]])))
    weak, strong = (np.asarray(m.overlay(alpha=1, scale=maps.scale())) for m in maps)
    assert np.array_equal(weak[0, 0], painted([[0, 1, 2]])[0, 1])
    assert np.array_equal(strong[0, -1], painted([[0, 1, 2]])[0, 2])
    assert np.array_equal(np.asarray(maps[1].overlay(alpha=1, scale=(-1, 1)))[0, -1], painted([[-1, 0, 1]])[0, 2]), "clipped"


LOOKS = [
    {"alpha": -0.1},
    {"alpha": 1.1},
    {"alpha": float("nan")},
    {"alpha": "half"},
    {"alpha": None},
    {"scale": (1, 0)},
    {"scale": (0, float("nan"))},
    {"scale": (1, 2, 3)},
    {"colours": 3},
]


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_look_that_cannot_be_is_misuse(made_heatmap, look):
    with pytest.raises(Misuse):
        made_heatmap([[0, 1]]).overlay(**look)


def test_unknown_colours_are_named_with_those_there_are(made_heatmap):
    with pytest.raises(NoSuchName, match=r"'jett'. Closest: jet\..*inferno, viridis, jet, grey, blue-red"):
        made_heatmap([[0, 1]]).overlay(colours="jett")
    with pytest.raises(BadParameter, match=r"alpha is 2; .* or is 'value'"):
        made_heatmap([[0, 1]]).overlay(alpha=2)


def test_the_photo_is_not_painted_on(made_heatmap, noise):
    photo = noise((40, 30))
    before = photo.tobytes()
    made_heatmap([[0, 1]], photo=photo).overlay(legend=True)
    assert photo.tobytes() == before


def test_a_map_without_a_photo_is_the_colours_alone(made_heatmap):
    heatmap = made_heatmap([[0, 1]], (8, 6), photo=None)
    assert np.array_equal(heatmap.overlay(alpha=0.1), painted(heatmap.full(), scale=(0, 1)))
    assert isinstance(heatmap.overlay(), Image.Image)


def test_a_signed_map_keeps_its_colours_where_nothing_speaks_against(made_heatmap):
    positive = [[0.2, 1.0], [0.5, 0.4]]
    signed = made_heatmap(positive, params={"signed": True}).overlay(alpha=1)
    plain = made_heatmap(positive, params={"signed": False}).overlay(alpha=1)
    assert np.asarray(signed)[0, -1].tolist() == COLOURS["blue-red"][-1].tolist()
    assert np.asarray(plain)[0, -1].tolist() == COLOURS["inferno"][-1].tolist()


def test_dark_is_zero_not_the_least_value():
    assert Look.of(np.array([[0.9, 1.0]]), 0.5, None, None).low == 0
    assert Look.of(np.array([[0.9, 1.0]]), 0.5, None, (0.9, 1.0)).low == 0.9
