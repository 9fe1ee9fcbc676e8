"""YOLO's text files."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.truth.boxes import read_boxes
from seewhy.truth.yolo import boxes_of_yolo, yolo_files


def folder(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_txt", ".txt").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def read(where):
    return boxes_of_yolo(where, yolo_files(where))


def test_boxes_and_outlines(tmp_path):
    lines = "1 0.5 0.25 0.5 0.5\n\n0 0.5 0.25 0.5 0.5 0.93\n1 0 0 0.5 0 0.5 1 0 1\n"
    where = folder(tmp_path, labels__in__a_txt=lines, labels__b_txt="", classes_txt="cat\ndog\n")
    found = read(where)
    assert sorted(found) == ["b", "in/a"]
    assert found["b"].boxes == ()
    photo = found["in/a"]
    assert [box.label for box in photo.boxes] == ["dog", "cat", "dog"]
    assert [box.edges for box in photo.on((40, 20))] == [(10, 0, 30, 10), (10, 0, 30, 10), (0, 0, 20, 20)]
    assert (photo.boxes[2].shape((4, 2)) == np.array([[True, True, False, False]] * 2)).all()
    assert read_boxes(where).keys() == found.keys()
    assert read_boxes(where / "labels").keys() == found.keys()  # names are looked for above it, too
    assert read_boxes(where / "labels")["in/a"].boxes[0].label == "dog"


@pytest.mark.parametrize(
    "text",
    [
        "path: .\nnames:\n  0: cat\n  1: 'it''s'\n  2: \"a: \\\"b\\\" \\U0001F408\"\ntrain: x\n",
        "names:\n- cat\n- it's\n- 'a: \"b\" 🐈'\nnc: 3\n",
        'nc: 3\nnames: [cat, "it\'s", \'a: "b" 🐈\']\n',
    ],
)
def test_names_in_yaml(tmp_path, text):
    found = read(folder(tmp_path, a_txt="".join(f"{k} 0.5 0.5 0.5 0.5\n" for k in range(4)), data_yaml=text))
    assert [box.label for box in found["a"].boxes] == ["cat", "it's", 'a: "b" 🐈', "3"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.5", "a.txt, line 1 is no line of YOLO: 3 numbers"),
        ("cat 0.5 0.5 0.5 0.5", "is no line of YOLO"),
        ("0 0.5 0.5 0 0.5", "is empty"),
        ("0 1 1 300 1 300 200 1 200", "no shares"),
        ("0 0.1 0.2 0.3 0.4 0.5 0.6 0.7", "no outline"),
    ],
)
def test_what_is_no_line(tmp_path, line, words):
    with pytest.raises(BadParameter, match=words):
        read(folder(tmp_path, a_txt=line))
