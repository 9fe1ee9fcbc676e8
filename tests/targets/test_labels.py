"""Names of classes, from anything a person may have them in."""

import itertools
import json
import os
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.targets.class_names import class_index
from seewhy.targets.labels import read_labels

NAMES = ["cat", "dog, hound", "naïve ねこ"]
FILES = {
    "lines.txt": "cat\ndog, hound\nnaïve ねこ\n",
    "windows.txt": "\ufeffcat\r\ndog, hound\r\nnaïve ねこ\r\n\r\n",
    "spaces.names": "  cat \ndog, hound\t\nnaïve ねこ",
    "list.json": json.dumps(NAMES),
    "LIST.JSON": json.dumps(NAMES, ensure_ascii=False),
    "keys.json": json.dumps({"2": NAMES[2], "0": NAMES[0], "1": NAMES[1]}),
    "keras.json": json.dumps({str(i): [f"n{i:08}", name] for i, name in enumerate(NAMES)}),
    "objects.json": json.dumps([{"index": i, "name": NAMES[i]} for i in (1, 2, 0)]),
    "labels.json": json.dumps([{"index": i, "label": NAMES[i]} for i in (2, 1, 0)]),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_names(tmp_path, name):
    (tmp_path / name).write_text(FILES[name], "utf-8")
    assert read_labels(tmp_path / name) == read_labels(str(tmp_path / name)) == NAMES


def test_ten_and_more_are_in_the_order_of_numbers_not_of_text(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({str(i): f"class {i}" for i in sorted(range(25), key=str)}))
    assert read_labels(tmp_path / "a.json") == [f"class {i}" for i in range(25)]


def test_a_line_left_empty_keeps_the_places_of_those_behind(tmp_path):
    (tmp_path / "a.txt").write_text("a\n\nc\n")
    assert read_labels(tmp_path / "a.txt") == ["a", "", "c"]


@pytest.mark.parametrize(
    "given",
    [
        NAMES,
        tuple(NAMES),
        np.array(NAMES),
        dict(enumerate(NAMES)),
        {2: NAMES[2], 0: NAMES[0], 1: NAMES[1]},
        (name for name in NAMES),
    ],
    ids=["list", "tuple", "array", "dict", "shuffled", "generator"],
)
def test_names_in_python_are_names(given):
    assert read_labels(given) == NAMES


def test_numbers_become_their_names():
    assert read_labels([3, 1, 7]) == ["3", "1", "7"]
    assert read_labels(None) is None


def test_imagenets_thousand_are_built_in():
    names = read_labels("imagenet")
    assert len(names) == 1000
    assert [names[i].split(",")[0] for i in (0, 1, 281, 282, 340, 999)] == [
        "tench",
        "goldfish",
        "tabby",
        "tiger cat",
        "zebra",
        "toilet tissue",
    ]
    assert all(name == name.strip() != "" for name in names)


def test_imagenets_names_are_those_of_the_data():
    shared = Path(__file__).parents[3] / "shared/data/imagenet_labels.json"
    if not shared.exists():
        pytest.skip("../shared/data is not here")
    for i, (ours, theirs) in enumerate(zip(read_labels("imagenet"), read_labels(shared), strict=True)):
        synonyms = {part.strip().lower() for part in theirs.split(",")}
        # two pairs of classes share a name in the data; torchvision tells them apart
        assert ours.lower() in synonyms or i in (134, 639)


def test_imagenets_names_are_torchvisions():
    models = pytest.importorskip("torchvision.models")
    assert read_labels("imagenet") == models.ResNet18_Weights.DEFAULT.meta["categories"]
    assert len(set(read_labels("imagenet"))) == 1000, "every class can be asked for by its name"


BROKEN = {
    "empty.txt": b"",
    "blank.txt": b"\n\n  \n",
    "utf16.txt": "cat\ndog".encode("utf-16"),
    "broken.json": b"[1, 2",
    "empty.json": b"[]",
    "none.json": b"{}",
    "number.json": b"5",
    "null.json": b"null",
    "gap.json": b'{"0": "a", "2": "c"}',
    "word.json": b'"abc"',
    "names.json": b'{"cat": 0, "dog": 1}',
    "shapeless.json": b'[{"x": 1}]',
    "hollow.json": b"[[]]",
    "twice.json": b'[{"index": 0, "name": "a"}, {"index": 0, "name": "b"}]',
    "nulls.json": b"[null, null]",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_without_names_is_misuse_that_names_it(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(BadParameter, match=rf"{name}.*(cannot be read|imagenet)"):
        read_labels(tmp_path / name)


@pytest.mark.parametrize("given", ["nowhere.txt", ".", 5, 1.5, []])
def test_what_holds_no_names_is_misuse(given):
    with pytest.raises(BadParameter, match="labels"):
        read_labels(given)


def test_too_few_or_too_many_labels_for_the_scores_are_not_silent(red_network, red_dot):
    import seewhy

    for labels in (["red"], ["a", "b", "c", "d"]):
        model = seewhy.wrap(red_network, prepare={"size": 64, "crop": 64, "mean": 0, "std": 1}, labels=labels)
        try:
            said = seewhy.grad_cam(model, red_dot((64, 64), 20, 20))[0].warnings
        except seewhy.Misuse as error:
            said = (str(error),)
        assert any("label" in one for one in said)


HOSTILE = {
    "deep.json": (b"[" * 100_000, "nested deeper"),
    "deeper.json": (b'{"0":' * 3000, "nested deeper"),
    "digits.json": (b"[" + b"9" * 5000 + b"]", "4300 digits"),
    "long.txt": (b"a" * (2**26 + 1), "larger than 64 MB"),
    "many.txt": (b"a\n" * (10**6 + 1), "more than 1,000,000 names"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_beyond_all_bounds_is_misuse_at_once(tmp_path, name):
    content, said = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    start = process_time()
    with pytest.raises(BadParameter, match=rf"{name}.*{said}.*one name a line"):
        read_labels(tmp_path / name)
    assert process_time() - start < 1


def test_devices_and_pipes_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    for path in ("/dev/zero", tmp_path / "pipe.txt", tmp_path):
        with pytest.raises(BadParameter, match="a device or a pipe, and no file"):
            read_labels(path)


def test_names_without_end_are_misuse():
    with pytest.raises(BadParameter, match="more than 1,000,000 names"):
        read_labels(itertools.repeat("a"))
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(BadParameter, match="cannot be read"):
        read_labels(deep)


def test_a_line_ends_where_text_files_end_it_and_halves_of_pairs_are_replaced(tmp_path):
    (tmp_path / "a.txt").write_bytes("a\u2028b\nc\x85d\x0be\r\nf".encode())
    assert read_labels(tmp_path / "a.txt") == ["a\u2028b", "c\x85d\x0be", "f"]
    (tmp_path / "a.json").write_text(r'["\ud800a", "\ud83d\ude00"]')
    assert read_labels(tmp_path / "a.json") == ["\ufffda", "\N{GRINNING FACE}"]


def test_a_name_that_is_none_of_very_many_is_told_soon():
    names = [f"class {i}" for i in range(200_000)]
    start = process_time()
    with pytest.raises(NoSuchName, match="Closest: class"):
        class_index("clas 5", names)
    assert process_time() - start < 10


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file,label\na.jpg,tench\nb.JPEG,ray, eagle\n", "takes; the names of classes stand one a line"),
        ("a/scan.nii.gz;lesion\nb/scan.nii.gz;none\n", "`seewhy explain --truth FILE`"),
        ('"a.png"\t1\n"b.png"\t2\n', "`seewhy explain --truth FILE`"),
        ("index,name\n0,tench\n1,goldfish, Carassius auratus\n", "begins with numbers: keep the names alone"),
    ],
)
def test_tables_are_no_names(tmp_path, table, said):
    """A file of photos and their labels, given as --labels, would name classes "a.jpg,tench"."""
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(BadParameter, match=said):
        read_labels(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    "names", ["cat, house cat\ndog, hound", "1,2-dichloroethane\nwater", "3, 4 or more\n5 to 9", "a.jpg\nb.jpg", "10\n20"]
)
def test_names_that_look_a_little_like_tables_are_names(tmp_path, names):
    (tmp_path / "labels.txt").write_text(names)
    assert read_labels(tmp_path / "labels.txt") == names.split("\n")
