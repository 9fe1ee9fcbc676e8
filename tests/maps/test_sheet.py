"""The records of a sheet: which columns there are, what tells them apart, and in which order rows come."""

import pytest

from seewhy.maps.sheet import SheetAnswer, SheetCell, SheetColumn, SheetRow, aligned, columns_of, in_order, shared, titles
from seewhy.maps.source import Predicted

BASE = SheetColumn("resnet", "a.pth", "grad-cam", (("power", "1"), ("signed", "False")), "top 1", "layer4")
CELL = SheetCell("", None)


def row(name: str, probability: float | None = None, right: bool | None = None, cells: bool = True) -> SheetRow:
    predicted = None if probability is None else Predicted(0, "cat", probability)
    return SheetRow(name, answers=(SheetAnswer("resnet", predicted, right),), cells={BASE: CELL} if cells else {})


def varied(**facts) -> SheetColumn:
    return BASE._replace(**facts)


TITLES = {
    "one column needs none": ([BASE], [""]),
    "methods; their layers follow from them": (
        [BASE, varied(method="gradient", layer="input")], ["grad-cam", "gradient"]),
    "layers": ([BASE, varied(layer="layer3")], ["at layer4", "at layer3"]),
    "targets": ([BASE, varied(target="281")], ["top 1", "class 281"]),
    "models, whose weights and layers follow from them": (
        [BASE, varied(model="vgg", weights="v.pth", layer="features.30")], ["resnet", "vgg"]),
    "weights": ([BASE, varied(weights="b.pth")], ["a.pth", "b.pth"]),
    "parameters, only those that differ": (
        [BASE, varied(params=(("power", "2"), ("signed", "False")))], ["power 1", "power 2"]),
    "targets of two methods": (
        [BASE, varied(target="281"), varied(method="rise"), varied(method="rise", target="281")],
        ["grad-cam, top 1", "grad-cam, class 281", "rise, top 1", "rise, class 281"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TITLES)
def test_titles_say_what_varies_and_no_more(name):
    columns, expected = TITLES[name]
    assert titles(columns) == expected


def test_titles_tell_all_columns_apart():
    columns = [varied(model=m, target=t, layer=y) for m in "ab" for t in ("top 1", "3") for y in ("x", "y")]
    assert len(set(titles(columns))) == 8


def test_columns_come_as_they_are_first_met():
    late = varied(method="rise")
    rows = [SheetRow("a", cells={BASE: CELL}), SheetRow("b", cells={late: CELL, BASE: CELL})]
    assert columns_of(rows) == [BASE, late]


ROWS = [row("b", 0.5), row("c", cells=False), row("a", 0.9, True), row("e", 0.6, False), row("d", 0.95, False), row("f")]


@pytest.mark.parametrize(
    ("order", "names"), [("given", "bcaedf"), ("name", "abdefc"), ("confidence", "daebfc"), ("wrong", "deabfc")]
)
def test_rows_are_put_in_order(order, names):
    assert "".join(row.image for row in in_order(ROWS, order)) == names


def test_a_row_is_wrong_where_any_model_is():
    said = Predicted(0, "cat", 0.9)
    answers = (SheetAnswer("a", said, True), SheetAnswer("b", said, False))
    assert SheetRow("x", answers=answers).wrong
    assert not SheetRow("x", answers=answers[:1]).wrong
    assert not SheetRow("x", answers=(SheetAnswer("a", said),)).wrong


def test_what_all_columns_share_is_said_once():
    assert shared([BASE]) == "grad-cam, top 1, at layer4, of resnet"
    assert shared([BASE, varied(method="rise", layer="input")]) == "top 1, of resnet"
    assert shared([BASE, varied(method="rise", layer="input", target="2")]) == "resnet"
    assert shared([BASE, varied(model="vgg", weights="v", target="2")]) == "grad-cam, at layer4"


def test_targets_that_differ_from_photo_to_photo_share_columns():
    other, third = varied(target="3"), varied(target="7")
    same = [{BASE: 1, other: 2}, {BASE: 3}]
    assert aligned(same) == same
    first, second = varied(target="target 1"), varied(target="target 2")
    assert aligned([{BASE: 1, other: 2}, {BASE: 3, third: 4}, {third: 5}]) == [
        {first: 1, second: 2}, {first: 3, second: 4}, {first: 5}
    ]  # fmt: skip
    assert aligned([]) == []
