"""What a person names as the data becomes numbered photos with their truth, however it is given."""

import json
from zipfile import ZipFile

import pytest

from seewhy.errors import BadParameter
from seewhy.photo_sets.listing import list_items
from seewhy.photo_sets.reading import read_bytes

LABELS = ["dog", "tabby, tabby cat", "bird"]
FILES = {"dog/b.jpg": b"b", "tabby/a.jpg": b"a", "tabby/c.jpg": b"c"}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        (tmp_path / "set" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "set" / name).write_bytes(data)
    return tmp_path / "set"


@pytest.fixture(params=["folder", "zip", "pattern", "memory", "table", "parquet"])
def data(request, folder):
    """The same set, in every form."""
    kind, beside = request.param, folder.parent
    rows = [("set/" + name, name.split("/")[0]) for name in FILES]
    if kind == "zip":
        with ZipFile(beside / "set.zip", "w") as archive:
            for name, content in FILES.items():
                archive.writestr(name, content)
        return str(beside / "set.zip")
    if kind == "memory":
        system = pytest.importorskip("fsspec").filesystem("memory")
        for name, content in FILES.items():
            system.pipe(f"/listing/{name}", content)
        return "memory://listing"
    if kind == "table":
        (beside / "t.csv").write_text("file,label\n" + "".join(f"{name},{label}\n" for name, label in rows))
        return str(beside / "t.csv")
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(
            pa.table({"file": [name for name, _ in rows], "label": [label for _, label in rows]}), beside / "t.parquet"
        )
        return str(beside / "t.parquet")
    return str(folder / "**" / "*.jpg") if kind == "pattern" else str(folder)


def test_every_form_gives_the_same_items(data):
    items = list_items(data, LABELS)
    assert [(item.number, item.truth, read_bytes(item.path)) for item in items] == [
        (0, (0,), b"b"), (1, (1,), b"a"), (2, (1,), b"c"),
    ]  # fmt: skip
    assert items.data == data
    assert items.digest == list_items(data, LABELS).digest


def test_truth_from_a_table_finds_photos_in_every_form(data, tmp_path):
    (tmp_path / "truth.csv").write_text("file,label\na.jpg,bird\nb.jpg,tabby\n")
    (tmp_path / "boxes.json").write_text(json.dumps([{"file": "tabby/c.jpg", "boxes": [[0, 0, 8, 8]], "label": "tabby"}]))
    items = list_items(data, LABELS, truth=tmp_path / "truth.csv", boxes=tmp_path / "boxes.json")
    assert [item.truth for item in items] == [(1,), (2,), ()]
    assert [*items.marks.boxes] == [items[2].path]
    assert items.known_of(items[2:]).box_mark(items[2].path, None, [1]).boxes == [(0, 0, 8, 8)]


def test_no_truth_is_taken_where_none_is_wanted(data):
    assert {item.truth for item in list_items(data, LABELS, truth="none")} == {()}


def test_folders_that_are_no_labels_say_nothing(folder):
    items = list_items(folder, ["one", "two"])
    assert {item.truth for item in items} == {()}
    assert items.remarks == ("no truth is known: the folders' names (dog, tabby) are not the model's labels",)


def test_folders_of_which_some_are_labels_are_an_error(folder):
    with pytest.raises(BadParameter, match=r"Of 2 folders with photos 1 is not named by the model's labels: tabby") as error:
        list_items(folder, ["dog", "cat"])
    assert "--truth none" in error.value.typed
    with pytest.raises(BadParameter, match="of 3 photos 2 have a label that is not the model's"):
        list_items(folder, ["dog", "cat"], truth="folders")


def test_photos_beside_class_folders_have_no_truth(folder):
    (folder / "loose.jpg").write_bytes(b"")
    items = list_items(folder, LABELS)
    assert [item.truth for item in items] == [(0,), (), (1,), (1,)]


def test_folders_may_be_numbers_of_classes(tmp_path):
    for name in ("0", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_bytes(b"")
    assert [item.truth for item in list_items(tmp_path, None)] == [(0,), (2,)]
    assert [item.truth for item in list_items(tmp_path, LABELS)] == [(0,), (2,)]
    (tmp_path / "0").rename(tmp_path / "7")  # which the model does not have
    with pytest.raises(BadParameter, match="is not named by the model's labels: 7"):
        list_items(tmp_path, LABELS)


def test_masks_are_matched_by_name(folder, tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a_mask.png").write_bytes(b"")
    items = list_items(folder, LABELS, masks=tmp_path / "masks")
    assert {path: mask.name for path, mask in items.marks.masks.items()} == {items[1].path: "a_mask.png"}
    assert items.digest != list_items(folder, LABELS).digest


def test_one_photo_is_a_set_of_one(folder):
    assert [read_bytes(item.path) for item in list_items(folder / "dog" / "b.jpg", LABELS)] == [b"b"]


def test_misuse_is_told(folder, tmp_path):
    (tmp_path / "x.doc").write_bytes(b"")
    for data, words in {
        " ": "empty name",
        str(tmp_path / "nowhere"): "is not there. It is a folder",
        str(tmp_path / "x.doc"): "is a file that lists no photos. It is a folder",
    }.items():
        with pytest.raises(BadParameter, match=words):
            list_items(data, LABELS)
    with pytest.raises(BadParameter, match="is no table"):
        list_items(folder, LABELS, root=tmp_path)
