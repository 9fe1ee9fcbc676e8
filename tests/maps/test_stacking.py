"""When the maps of one image become several rows, and by what."""

from seewhy.maps.sheet import SheetColumn
from seewhy.maps.stacking import stacked

BASE = SheetColumn("net", "", "grad-cam", (), "top 1", "layer4")


def columns(methods="ab", targets="12", models=("net",), layers=("",)) -> dict[SheetColumn, int]:
    every = [(m, t, n, y) for m in methods for t in targets for n in models for y in layers]
    return {SheetColumn(n, n, m, (), t, f"{y}{m}{n}"): place for place, (m, t, n, y) in enumerate(every)}


def words(rows) -> list[list[tuple[str, int]]]:
    return [[(said, len(cells)) for said, cells in below] for below in stacked(rows)]


def test_columns_of_one_image_are_methods_else_models_else_layers_and_rows_the_rest():
    assert words([columns()]) == [[("class 1", 2), ("class 2", 2)]]
    assert words([columns("a", models=("m", "n"))]) == [[("class 1", 2), ("class 2", 2)]]
    assert words([columns(targets="1", models=("m", "n"))]) == [[("m", 2), ("n", 2)]]
    assert words([columns(models=("m", "n"))]) == [[(f"{m}, class {t}", 2) for t in "12" for m in "mn"]]
    assert words([columns("a", layers="xyz")]) == [[("class 1", 3), ("class 2", 3)]]


def test_where_one_thing_varies_it_is_the_columns():
    for alone in (columns("a", "123456789"), columns("abcdefgh", "1"), columns("a", "1", ("m", "n"))):
        assert words([alone]) == [[("", len(alone))]]


def test_few_images_are_stacked_where_columns_are_many():
    assert words([columns(), columns()]) == [[("", 4)]] * 2
    two = [("class 1", 4), ("class 2", 4)]
    assert words([columns("abcd"), {}, columns("abcd")]) == [two, [("", 0)], two]
    assert words([columns("abcd")] * 13) == [[("", 8)]] * 13


def test_no_cell_is_lost_and_columns_are_shared_by_rows():
    facts = [(m, t, n, y) for m in "abc" for t in "12" for n in "mn" for y in "xy"]
    (below,) = stacked([{SheetColumn(n, n, m, (), t, y): place for place, (m, t, n, y) in enumerate(facts)}])
    assert sorted(cell for _, cells in below for cell in cells.values()) == [*range(24)]
    assert len({column for _, cells in below for column in cells}) == 3


def test_layers_of_one_method_alone_leave_no_empty_columns():
    row = {BASE: 1, BASE._replace(layer="layer3"): 2, BASE._replace(method="gradient", layer="input"): 3}
    assert words([row]) == [[("", 3)]]
    both = {column._replace(target=target): 0 for target in "123" for column in row}
    assert words([both]) == [[(f"class {target}", 3) for target in "123"]]


def test_a_target_that_most_rows_lack_is_a_row_of_those_that_have_it():
    right, wrong = {BASE: 1}, {BASE: 1, BASE._replace(target="truth"): 2}
    assert words([right, wrong, right]) == [[("top 1", 1)], [("top 1", 1), ("truth", 1)], [("top 1", 1)]]
    assert words([right, wrong]) == [[("", 1)], [("", 2)]]
    assert words([right, {BASE._replace(model="other"): 1}, right]) == [[("", 1)]] * 3  # another model's, not another target's


def test_columns_that_are_asked_for_hold():
    (below,) = stacked([columns()], ["target"])
    assert [(said, [column.target for column in cells]) for said, cells in below] == [("a", ["1", "2"]), ("b", ["1", "2"])]
