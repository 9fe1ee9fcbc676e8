"""A list of maps can be asked."""

import pytest

import seewhy
from seewhy import Contrast, Top, grad_cam
from seewhy.errors import BadParameter
from seewhy.pictures.grid import EDGE, GAP


@pytest.fixture
def asked(red_model, red_dot, tmp_path):
    for name, x in (("left.png", 16), ("right.png", 48)):
        red_dot((64, 64), x, 32).save(tmp_path / name)
    photos = [tmp_path / "left.png", str(tmp_path / "right.png")]
    targets = [0, Top(2), Contrast("red", "neither"), "not red"]
    return photos, seewhy.explain(red_model, photos, ["grad-cam", "layer-cam"], targets, ["act", "cells"])


def test_maps_come_in_the_order_image_target_layer_method(asked):
    photos, maps = asked
    found = [(m.source.image, m.source.target, m.source.layer, m.source.method) for m in maps]
    expected = [
        (str(photo), target, layer, method)
        for photo in photos
        for target in ("0", "top 2", "0-vs-2", "1")
        for layer in ("act", "cells")
        for method in ("grad-cam", "layer-cam")
    ]
    assert found == expected
    assert [m.place for m in maps] == [0] * 16 + [1] * 16


WHERE = {
    "image by place": ({"image": 1}, lambda s, p: s.image == str(p[1])),
    "image by name": ({"image": "right.png"}, None),
    "target by index": ({"target": 0}, lambda s, p: s.index == 0),
    "target by label": ({"target": "not red"}, lambda s, p: s.index == 1),
    "target as asked": ({"target": "top 2"}, lambda s, p: s.target == "top 2"),
    "target object": ({"target": Top(2)}, lambda s, p: s.target == "top 2"),
    "contrast": ({"target": Contrast("red", "neither")}, lambda s, p: "vs" in s.target),
    "contrast by index": ({"target": Contrast(0, 2)}, lambda s, p: "vs" in s.target),
    "layer": ({"layer": "act"}, lambda s, p: s.layer == "act"),
    "method by name": ({"method": "layer-cam"}, lambda s, p: s.method == "layer-cam"),
    "method itself": ({"method": grad_cam}, lambda s, p: s.method == "grad-cam"),
    "all at once": ({"image": 0, "target": 0, "layer": "cells", "method": "grad-cam"},
                    lambda s, p: (s.image, s.index, s.layer, s.method) == (str(p[0]), 0, "cells", "grad-cam")),
    "nothing asked": ({}, lambda s, p: True),
    "unknown": ({"layer": "nowhere"}, lambda s, p: False),
}  # fmt: skip


@pytest.mark.parametrize("name", WHERE)
def test_where_picks_the_maps_asked_for(asked, name):
    photos, maps = asked
    question, fits = WHERE[name]
    if name == "image by name":
        question, fits = {"image": photos[1]}, lambda s, p: s.image == str(p[1])
    picked = maps.where(**question)
    assert isinstance(picked, seewhy.Heatmaps)
    assert [*picked] == [m for m in maps if fits(m.source, photos)]


def test_where_takes_the_path_that_was_given(asked):
    photos, maps = asked
    assert len(maps.where(image=photos[0])) == 16


def test_heatmaps_are_a_sequence(asked):
    _, maps = asked
    assert maps[0] is next(iter(maps))
    assert isinstance(maps[1:3], seewhy.Heatmaps)
    assert [*maps[1:3]] == [maps[1], maps[2]]
    assert maps[-1] in maps
    assert "32" in repr(maps)
    with pytest.raises(IndexError):
        maps[32]


def test_scale_is_the_range_of_all(made_heatmap):
    maps = seewhy.Heatmaps((made_heatmap([[0, 2]]), made_heatmap([[-1, 1]]), made_heatmap([[5, 3]])))
    assert maps.scale() == (-1, 5)
    with pytest.raises(BadParameter, match="no maps"):
        seewhy.Heatmaps(()).scale()


def test_a_filmstrip_names_the_class_though_each_frame_has_a_probability_of_its_own(made_heatmap, written):
    frames = [made_heatmap([[0, 1]], (300, 200), probability=chance) for chance in (0.25, 0.75)]
    seewhy.Heatmaps(tuple(frames)).strip(legend=True)
    assert any("grad-cam for tabby, tabby cat (281) at layer4" in text for text, *_ in written)


def test_a_grid_has_a_row_for_each_photo_and_a_column_for_each_map(asked):
    _, maps = asked
    picture = maps.where(target=0, method="grad-cam").grid(width=100)
    assert picture.width == 2 * EDGE + 3 * 100 + 2 * GAP  # the photo and two layers
    everything = maps.grid(["method", "target", "layer"], width=100)
    assert everything.width == 2 * EDGE + 17 * 100 + 16 * GAP
    assert maps.grid("method", width=100).width == picture.width
    assert maps.grid(width=100).width == picture.width  # of few photos with many maps, columns are the two methods


def test_a_grid_says_what_it_leaves_out_and_shows_what_failed(asked, tmp_path, red_model, written):
    photos, _ = asked
    (tmp_path / "broken.png").write_bytes(b"no picture")
    maps = seewhy.explain(red_model, [photos[0], tmp_path / "broken.png", photos[1]], "grad-cam", on_error="skip")
    maps.grid(width=200)
    said = [text for text, *_ in written]
    assert said.index("left.png") < said.index("broken.png") < said.index("right.png")
    written.clear()
    maps.grid(width=200, rows=1)
    assert "The first 1 of 3 rows." in [text for text, *_ in written]


def test_a_grid_of_nothing_or_of_no_width_is_refused(asked):
    with pytest.raises(BadParameter, match="no maps"):
        seewhy.Heatmaps(()).grid()
    with pytest.raises(BadParameter, match="width"):
        asked[1].grid(width=5)


def test_maps_of_two_calls_are_added_into_one_grid(asked):
    _, maps = asked
    first, second = maps.where(method="grad-cam"), maps.where(method="layer-cam")
    both = first + second
    assert isinstance(both, seewhy.Heatmaps)
    assert len(both) == len(maps)
    assert both.grid(width=64).width == maps.grid(width=64).width
    assert first.__add__([1]) is NotImplemented


def test_a_notebook_shows_the_first_maps_and_says_how_many_more_there_are(asked):
    _, maps = asked
    text = maps.where(method="grad-cam")._repr_html_()
    assert text.count("<img") == 18  # in six rows a photo and two maps
    assert "and 4 more maps" in text
    assert maps._repr_html_().count("<img") == 18
    assert "more map" not in maps.where(target=0, layer="act")._repr_html_()
    assert seewhy.Heatmaps(())._repr_html_() == "no maps"


def test_nothing_is_drawn_before_a_notebook_asks(asked, monkeypatch):
    _, maps = asked
    monkeypatch.setattr(seewhy.Heatmap, "overlay", lambda *_, **__: pytest.fail("a map was drawn"))
    repr(maps + maps[:3])
