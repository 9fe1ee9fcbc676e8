"""From maps to rows: what becomes a column, what a row, and what each cell says and shows."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import NoSuchName
from seewhy.maps.sheet_rows import grouped, row_of, says
from seewhy.maps.source import Predicted


@pytest.fixture
def made(made_heatmap):
    def make(place: int = 0, **facts):
        source = {"image": f"{'abc'[place]}.png", **facts}
        heatmap = made_heatmap([[0, 1], [2, 3]], (40, 30))
        return replace(heatmap, place=place, source=replace(heatmap.source, **source))

    return make


def shape(groups) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(group.image, len(group.maps), group.facts) for group in groups]


def test_an_image_is_a_row_and_all_that_varies_a_column(made):
    maps = [made(place, method=method, target=target) for place in (0, 1) for target in ("1", "2") for method in ("a", "b")]
    assert shape(grouped(maps)) == [("a.png", 4, ()), ("b.png", 4, ())]


def test_columns_that_are_asked_for_leave_the_rest_to_the_rows(made):
    maps = [made(place, method=method, target=target) for place in (0, 1) for target in ("1", "2") for method in ("a", "b")]
    by_method = grouped(maps, "method")
    assert shape(by_method) == [(f"{image}.png", 2, (f"class {target}",)) for image in "ab" for target in "12"]
    assert [[m.source.method for m in group.maps.values()] for group in by_method] == [["a", "b"]] * 4
    assert shape(grouped(maps, ["method", "target"])) == shape(grouped(maps))


def test_a_layer_that_follows_from_the_method_makes_no_row(made):
    maps = [made(method="a", layer="layer4"), made(method="b", layer="input")]
    assert shape(grouped(maps, "method")) == [("a.png", 2, ())]


def test_maps_of_one_question_are_numbered_and_none_is_lost(made):
    maps = [made(), made(), made()]
    (group,) = grouped(maps)
    assert [*group.maps.values()] == maps


def test_an_unknown_column_is_named(made):
    with pytest.raises(NoSuchName, match=r"'methods'.*method"):
        grouped([made()], "methods")


def test_a_row_holds_small_pictures_answers_and_warnings(made):
    said = Predicted(3, "cup, mug", 0.9)
    one = made(predicted=said, warnings=("dim",), caveat="noisy")
    two = replace(made(model="other", predicted=None), image=one.image)
    (group,) = grouped([one, two])
    row = row_of(group.image, group.maps, 20, "png")
    assert [(a.model, a.predicted, a.right) for a in row.answers] == [(one.source.model, said, None), ("other", None, None)]
    assert row.photo
    assert row.photo.size == (20, 15)
    first, second = row.cells.values()
    assert first.picture
    assert first.picture.size == (20, 15)
    assert (first.warnings, first.caveat, first.colours) == (("dim",), "noisy", "inferno")
    assert second.picture is not None


def test_a_small_map_is_the_large_one_made_small(made):
    photo = Image.linear_gradient("L").convert("RGB").resize((400, 300))
    heatmap = replace(made(), image=photo, box=made().box._replace(right=400, bottom=300))
    (group,) = grouped([heatmap])
    (cell,) = row_of("a", group.maps, 200, "png").cells.values()
    large = np.asarray(heatmap.overlay().resize((200, 150), Image.Resampling.BOX)).astype(int)
    assert abs(np.asarray(cell.picture.picture).astype(int) - large).max() <= 4


def test_two_weights_of_one_model_are_told_apart(made):
    (group,) = grouped([made(weights="a.pth"), made(weights="b.pth")])
    names = [answer.model for answer in row_of("a", group.maps, 20).answers]
    assert names == [f"{made().source.model} (a.pth)", f"{made().source.model} (b.pth)"]


def test_what_a_cell_says(made):
    source = made().source
    facts = {"target": "top 1", "index": 3, "label": "cup, mug", "probability": 0.944, "score": 2.0}
    assert says(replace(source, **facts)) == "cup (3), 94.4 %"
    assert says(replace(source, **{**facts, "label": None})) == "class 3, 94.4 %"
    assert says(replace(source, target="3 vs 4", index=None, label=None, probability=None, score=1.0)) == "3 vs 4"
    assert says(replace(source, index=None, label=None, score=None)) == ""
    group = {
        "index": None,
        "label": "any cat: tabby, tiger cat, ... (7 classes)",
        "classes": (1, 2, 3, 4, 5, 6, 7),
        "score": 1.0,
    }
    assert says(replace(source, **{**group, "probability": 0.013})) == "any cat: tabby, tiger cat, ... (7 classes), 1.3 %"
    names = ", ".join(f"{name * 12} cat" for name in "abcdef")
    long = replace(source, **{**group, "label": f"any cat: {names} (6 classes)"}, probability=None)
    assert says(long) == "any cat: aaaaaaaaaaaa cat, bbbbbbbbbbbb cat, cccccccccccc cat, ... (6 classes)"


def test_one_image_of_several_methods_and_targets_has_a_column_for_each_method(made):
    maps = [made(method=method, layer=method, target=target) for target in "123" for method in "abcdef"]
    assert shape(grouped(maps)) == [("a.png", 6, (f"class {target}",)) for target in "123"]


def test_the_picture_is_what_the_colours_are_named_after(made):
    heatmap = made()
    values = np.array([[[-1.0, 2.0], [0.5, 0.0]]], np.float32)
    (group,) = grouped([replace(heatmap, channels=values)])
    for picture in ("colour", "grey", "signed", "positive", "negative"):
        (cell,) = row_of("a", group.maps, 20, "png", picture).cells.values()
        assert cell.colours == picture
