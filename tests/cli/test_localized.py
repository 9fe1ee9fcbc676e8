"""What is said of each photo's boxes, and of all at the end."""

import json
from pathlib import Path

import pytest

from seewhy.cli.localized import Localized, Tally, box_words, print_json, print_text
from seewhy.cli.question import PhotoMaps
from seewhy.cli.truth import KnownPhoto
from seewhy.localize.labels.labelled import labelled_image
from seewhy.maps.heatmaps import Heatmaps
from seewhy.maps.source import Predicted


@pytest.fixture
def localized(made_heatmap):
    """Of maps, each of values and facts of its Source."""

    def make(*maps, answer="tabby, tabby cat", known=None, components="all", **more):
        heatmaps = [made_heatmap(values, **facts) for values, facts in maps]
        (boxes,) = Heatmaps(tuple(heatmaps)).boxes(components=components, suppress=None)
        predicted = Predicted(281, answer, 0.75) if answer else None
        found = PhotoMaps("cat.jpg", predicted, heatmaps, None, known or KnownPhoto())
        return Localized(found, boxes, labelled_image(heatmaps, boxes), **more)

    return make


SPOT = [[0, 0, 0, 0], [0, 0, 0, 1]]  # on 40 x 30 pixels: from 15 % of its maximum on


def edges(result):
    return [box.edges for box in result.boxes]


def test_a_single_box_of_the_answer_needs_no_name(localized):
    result = localized((SPOT, {}))
    (box,) = edges(result)
    assert box_words(result) == f"box ({box[0]}, {box[1]}, {box[2]}, {box[3]}) 0.75"
    assert box[2:] == (40, 30)


def test_boxes_of_several_classes_are_named_the_surest_class_first(localized):
    two = [[1, 0, 0, 0.5], [1, 0, 0, 0.5]]
    result = localized((SPOT, {"label": "lynx", "index": 287, "probability": 0.125}), (two, {}))
    first, second, lynx = edges(result)
    assert box_words(result) == f"tabby, tabby cat 2 boxes {first} 0.75, {second} 0.38; lynx box {lynx} 0.12"


def test_a_class_without_a_box_is_said_with_the_reason(localized, capsys):
    empty = ([[0, 0], [0, 0]], {"label": "lynx", "index": 287, "probability": 0.125})
    print_text(localized((SPOT, {}), empty))
    assert capsys.readouterr().out.splitlines()[1] == "    lynx has no box: no value of the map is positive"
    assert box_words(localized(empty, answer="lynx")) == "no box: no value of the map is positive"


def test_the_truth_and_the_picture_are_said_with_the_boxes(localized, capsys):
    print_text(localized((SPOT, {}), scored=("IoU 0.73 with the box of tabby",), picture=Path("drawn/cat.png")))
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith(" 0.75  -> drawn/cat.png")
    assert second == "    IoU 0.73 with the box of tabby"


def test_the_line_of_a_photo_begins_with_the_answer_and_warnings_stand_below(localized, capsys):
    result = localized((SPOT, {}), known=KnownPhoto(words="; right"))
    print_text(result)
    first, *warnings = capsys.readouterr().out.splitlines()
    assert first == f"cat.jpg: tabby, tabby cat (281), 75.0 %; right: {box_words(result)}"
    assert warnings == ["    ! one", "    ! two"]
    print_text(result, err=True)
    assert capsys.readouterr().err.startswith("cat.jpg: ")


def test_a_label_cannot_break_out_of_its_line(localized, capsys):
    print_text(localized((SPOT, {"label": "a\x1b[31m\nb"}), answer="x"))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert len(said.splitlines()) == 3


def test_json_has_all_of_it(localized, capsys):
    result = localized((SPOT, {}), ([[0]], {"label": "lynx"}))
    print_json(result, "labels.json")
    facts = json.loads(capsys.readouterr().out)
    (one,) = facts["objects"]
    assert one == {
        "label": "tabby, tabby cat", "index": 281, "probability": 0.75, "box": [*edges(result)[0]], "score": 0.75,
        "strength": 1.0, "area": result.boxes[0].area, "evidence": pytest.approx(result.boxes[0].evidence),
    }  # fmt: skip
    assert facts["notes"] == ["lynx has no box: no value of the map is positive"]
    assert (facts["image"], facts["size"], facts["why"], facts["labels"]) == ("cat.jpg", [40, 30], "", "labels.json")
    assert (facts["predicted"]["label"], facts["method"], facts["warnings"]) == ("tabby, tabby cat", "grad-cam", ["one", "two"])


def test_the_summary_counts_boxes_classes_and_reasons(localized):
    tally = Tally("photos")
    assert [*tally.lines()] == []
    tally.add("a.jpg", localized((SPOT, {}), (SPOT, {"label": "lynx"})))
    tally.add("b.jpg", localized((SPOT, {"label": "lynx"})))
    tally.add("c.jpg", localized(([[0]], {})))
    tally.add("d.jpg", localized(([[1]], {})))
    assert [*tally.lines()] == [
        "3 boxes on 4 photos: lynx 2, tabby, tabby cat 1",
        "  without a box: 1 (c.jpg): no value of the map is positive",
        "  without a box: 1 (d.jpg): the map is the same everywhere",
    ]


def test_of_many_classes_the_most_frequent_are_named(localized):
    tally = Tally("photos")
    for place in range(13):
        tally.add(f"{place}.jpg", localized((SPOT, {"label": f"class {place}"})))
    (line,) = tally.lines()
    assert line.startswith("13 boxes on 13 photos: class 0 1, ")
    assert line.endswith("class 9 1 and 3 classes more")
