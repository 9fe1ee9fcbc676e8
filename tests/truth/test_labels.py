"""Labels of photos from tables and folders: by name or index, several, unknown ones, and those that contradict each other."""

import re
from pathlib import Path

import pytest

from seewhy.errors import BadParameter
from seewhy.truth.labels import classes_of, classes_of_folders, named_classes, read_entries, some

LABELS = ["tench, Tinca tinca", "tabby, tabby cat", "crane", "crane", "red wine"]
PHOTOS = ["photos/a.jpg", "photos/b.jpg", "photos/c.jpg"]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def classes(content, photos=PHOTOS, labels=LABELS):
    Path("labels.csv").write_text(content, encoding="utf-8")
    path = Path("labels.csv")
    return classes_of(read_entries(path), photos, labels, path)


@pytest.mark.parametrize(
    "content",
    [
        "file,label\na.jpg,tabby\nb.jpg,tench\n",
        "file,label\na.jpg,1\nb.jpg,0\n",
        "Image;Target\nphotos/a.jpg;Tabby Cat\nphotos/b.jpg;tinca tinca\n",
        'path\tclass\n"a.jpg"\t"tabby, tabby cat"\nb.jpg\ttench\n',
        "a.jpg,tabby\nb.jpg,tench\n",
        "a 1\nb 0\n",
        "other,file,seen,label\nx,a.jpg,no,1\ny,b.jpg,yes,0\n",
        "file,label\na.jpg,tabby\nb.jpg,tench\nc.jpg,\n",  # nothing is known of c
        "file,name\na.jpg,tabby\nb.jpg,tench\n",
        "file,label,name\na.jpg,1,of Ann\nb.jpg,0,of Bob\n",  # a name beside a label is no label
        "file,label\na.jpg,tabby\nb.jpg,tench\nelsewhere.jpg,no such label\n",
        "file,label\na.jpg,1.0\nb.jpg,0.0\nc.jpg,\n",  # as pandas writes a column with gaps
        "file,species\na.jpg,tabby\nb.jpg,tench\n",
        "id,label\na,tabby\nb,tench\n",
        "id,species\na,tabby\nb,tench\n",
        "file,age,tench,Tabby\na.jpg,7,0,1\nb.jpg,9,1,0\nc.jpg,3,0,0\n",  # a column for each label
    ],
)
def test_labels_are_found(content):
    assert classes(content) == {"photos/a.jpg": (1,), "photos/b.jpg": (0,)}


def test_several_labels_are_all_right():
    expected = {"photos/a.jpg": (1, 4), "photos/b.jpg": (0,)}
    assert classes("file,label\na.jpg,tabby|red wine\nb.jpg,0\n") == expected
    assert classes("file,label\na.jpg,tabby\nb.jpg,0\na.jpg,4\na.jpg,1\n") == expected


def test_of_a_table_with_a_column_for_each_label_all_that_are_marked_are_right():
    content = "Path;tabby;red wine;tench\na.jpg;1.0;1.0;\nb.jpg;-1.0;;1.0\n"
    assert classes(content) == {"photos/a.jpg": (1, 4), "photos/b.jpg": (0,)}
    with pytest.raises(BadParameter, match=r"of 2 photos 1 has a label that is not the model's: 'train' \(1\)"):
        classes("file,tabby,train\na.jpg,0,1\nb.jpg,1,0\n")


def test_a_label_with_a_bar_is_that_label():
    assert classes("file,label\na.jpg,x|y\n", labels=["x", "y", "x|y"]) == {"photos/a.jpg": (2,)}


def test_a_second_column_tells_which_of_two_classes_of_one_name_is_meant():
    assert classes("file,class_index,label\na.jpg,3,crane\nb.jpg,2,crane\n") == {"photos/a.jpg": (3,), "photos/b.jpg": (2,)}
    with pytest.raises(BadParameter, match=r"the photo has a label that is not the model's: 'crane' \(1\). .*crane \(2\)"):
        classes("file,label\na.jpg,crane\n")


def test_columns_that_say_different_classes_are_refused():
    with pytest.raises(BadParameter, match=r"columns of photos/a.jpg say different classes.*'0' \(0\) and 'tabby' \(1\)"):
        classes("file,class_index,label\na.jpg,0,tabby\n")


def test_unknown_labels_are_counted_with_the_nearest():
    with pytest.raises(BadParameter) as error:
        classes("file,label\na.jpg,taby\nb.jpg,taby\nc.jpg,tench\n")
    assert str(error.value).startswith(
        "labels.csv: of 3 photos 2 have a label that is not the model's: 'taby' (2). No class 'taby'."
    )
    assert "tabby, tabby cat" in str(error.value)


@pytest.mark.parametrize("index", ["5", "-1", "1000000"])
def test_an_index_that_no_class_has_is_unknown(index):
    with pytest.raises(BadParameter, match=f"'{index}' "):
        classes(f"file,label\na.jpg,{index}\n")


def test_without_labels_only_indices_are_known():
    assert classes("file,label\na.jpg,7\n", labels=None) == {"photos/a.jpg": (7,)}
    with pytest.raises(BadParameter, match="the model has none"):
        classes("file,label\na.jpg,cat\n", labels=None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "file,label\nx.jpg,tabby\n",
            "labels.csv names none of the images: it has x.jpg, and the images are photos/a.jpg, photos",
        ),
        ("file,size,age\na.jpg,3,4\n", r"no column of labels \(label, class, target\): its columns are file, size, age"),
        ("label,size,age\ntabby,3,4\n", r"no column of files \(file, image, path\): its columns are label, size, age"),
        ("a.jpg,3,4\nb.jpg,4,5\n", "has 3 columns and no header"),
    ],
)
def test_what_says_no_labels_is_refused_with_advice(content, words):
    with pytest.raises(BadParameter, match=words):
        classes(content)


def test_folders_are_labels():
    photos = ["data/tabby/1.jpg", "data/red_wine/1.jpg", "data/0/x.jpg"]
    assert classes_of_folders(photos, LABELS) == dict(zip(photos, [(1,), (4,), (0,)], strict=True))
    with pytest.raises(BadParameter, match=r"the folders' names: of 2 photos 1 has a label .*: 'cats' \(1\)"):
        classes_of_folders(["tabby/1.jpg", "cats/1.jpg"], LABELS)


def test_of_a_series_its_own_folder_or_the_one_around_it_is_the_label():
    for folder in ("data/tabby/series 1", "data/tench"):
        Path(folder).mkdir(parents=True)
        Path(folder, "1.dcm").write_bytes(bytes(128) + b"DICM")
    photos = ["data/tabby/series 1", "data/tench", "data/tabby/series 1/1.dcm"]
    assert [*classes_of_folders(photos, LABELS).values()] == [(1,), (0,), (1,)]


def test_a_folder_given_as_a_table_is_told_how_folders_are_asked_for():
    Path("photos").mkdir()
    with pytest.raises(BadParameter, match="--truth folders"):
        read_entries(Path("photos"))


def test_json_is_told_what_is_read():
    Path("labels.json").write_text('{"a.jpg": "tabby"}')
    with pytest.raises(BadParameter, match=r"labels.json is JSON. Labels are read from a table: a first line file,label"):
        read_entries(Path("labels.json"))


def test_entries_keep_each_row():
    Path("labels.csv").write_text("file,label\na,1\nb,2\na,3\n")
    assert read_entries(Path("labels.csv")) == {"a": [("1",), ("3",)], "b": [("2",)]}


def test_classes_in_words():
    assert named_classes((1, 0), LABELS) == "tabby, tabby cat (1), tench, Tinca tinca (0)"
    assert named_classes((7,), None) == "class 7"
    assert re.fullmatch(r"[ -~]+", named_classes((0,), ["\x1b[2Jcat"]))


def test_some_of_many_names():
    assert some("abc") == "a, b, c"
    assert some(map(str, range(9))) == "0, 1, 2, ..."
