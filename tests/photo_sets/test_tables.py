"""Sets that a file lists: where paths begin, labels are the model's classes, boxes and masks come along."""

import json

import pytest

from seewhy.errors import BadParameter
from seewhy.photo_sets.tables import is_table, read_list

LABELS = ["dog", "tabby, tabby cat", "bird"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / "photos" / name).write_bytes(b"")
    return tmp_path


def coco(path, segmentation=None):
    images = [{"id": 7, "file_name": "b.jpg", "width": 20, "height": 10}, {"id": 3, "file_name": "a.jpg"}]
    box = {"bbox": [1, 2, 3, 4], **({"segmentation": segmentation} if segmentation else {})}
    marks = [{"image_id": 7, "category_id": 1, **box}, {"image_id": 7, "category_id": 2, "bbox": [5, 5, 2, 2]}]
    names = [{"id": 1, "name": "tabby"}, {"id": 2, "name": "sofa"}]
    path.write_text(json.dumps({"images": images, "annotations": marks, "categories": names}))
    return str(path)


@pytest.mark.parametrize(
    "content", ["file,label\nphotos/b.jpg,dog\nphotos/a.jpg,tabby\n", "photos\\b.jpg,0\nphotos\\a.jpg,1\n"]
)
def test_the_order_is_the_files_and_paths_begin_beside_it(folder, content):
    (folder / "labels.csv").write_text(content)
    found = read_list(str(folder / "labels.csv"), None, LABELS, True)
    assert [found.place.path(name) for name in found.names] == [str(folder / "photos" / name) for name in ("b.jpg", "a.jpg")]
    assert found.classes == [(0,), (1,)]


def test_a_photo_without_a_label_has_no_truth(folder):
    (folder / "labels.csv").write_text("file,label\nphotos/b.jpg,\nphotos/a.jpg,tabby|bird\n,dog\n")
    found = read_list(str(folder / "labels.csv"), None, LABELS, True)
    assert (found.names, found.classes) == (["photos/b.jpg", "photos/a.jpg"], [(), (1, 2)])
    (folder / "labels.csv").write_text("file,label\nphotos/b.jpg,unheard of\n")
    assert read_list(str(folder / "labels.csv"), None, LABELS, False).classes == [()]
    with pytest.raises(BadParameter, match=r"labels\.csv: the photo has a label that is not the model's: 'unheard of'"):
        read_list(str(folder / "labels.csv"), None, LABELS, True)


def test_a_root_says_where_paths_begin(folder):
    (folder / "labels.csv").write_text("file,label\nb.jpg,dog\n")
    with pytest.raises(
        BadParameter, match=r"None of the first photos .* is there: .*/b\.jpg, \.\.\. Say where its paths begin, root="
    ) as error:
        read_list(str(folder / "labels.csv"), None, LABELS, True)
    assert "--root FOLDER" in error.value.typed
    found = read_list(str(folder / "labels.csv"), str(folder / "photos"), LABELS, True)
    assert found.place.path(found.names[0]) == str(folder / "photos" / "b.jpg")
    zipped = read_list(str(folder / "labels.csv"), "s3://bucket/photos.zip", LABELS, True)
    assert zipped.place.path("b.jpg") == "zip://b.jpg::s3://bucket/photos.zip"
    assert (
        read_list(str(folder / "labels.csv"), "s3://bucket/photos", LABELS, True).place.path("b.jpg")
        == "s3://bucket/photos/b.jpg"
    )
    with pytest.raises(BadParameter, match="there is no such folder"):
        read_list(str(folder / "labels.csv"), str(folder / "nowhere"), LABELS, True)


def test_boxes_tell_classes_and_where_objects_are(folder):
    found = read_list(coco(folder / "photos" / "coco.json"), None, LABELS, True)
    path = str(folder / "photos" / "b.jpg")
    assert (found.names, found.classes) == (["b.jpg", "a.jpg"], [(1,), ()])
    assert [box.edges for box in found.marks.boxes[path].boxes] == [(1, 2, 4, 6), (5, 5, 7, 7)]
    assert found.marks.box_mark(path, None, [1]).boxes == [(1, 2, 4, 6)]
    assert found.marks.masks == {}
    assert len(found.remarks) == 1
    assert "'sofa'" in found.remarks[0]


def test_masks_of_a_file_of_boxes_are_known(folder):
    found = read_list(coco(folder / "photos" / "coco.json", [[1, 2, 4, 2, 4, 6, 1, 6]]), None, LABELS, True)
    assert [*found.marks.masks] == [str(folder / "photos" / "b.jpg")]


def test_a_table_at_an_address(folder):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/tables/labels.csv", b"file,label\ncats/b.jpg,tabby\n")
    fsspec.filesystem("memory").pipe("/tables/broken.csv", b"alone\n")
    found = read_list("memory://tables/labels.csv", None, LABELS, True)
    assert found.place.path(found.names[0]) == "memory://tables/cats/b.jpg"
    assert found.classes == [(1,)]
    with pytest.raises(BadParameter, match=r"^memory://tables/broken\.csv has a single column"):
        read_list("memory://tables/broken.csv", None, LABELS, True)


def test_tables_are_told_by_their_suffix():
    assert [name for name in ("a.CSV", "b.parquet", "s3://x/c.json", "d.zip", "e", "f.jpg") if is_table(name)] == [
        "a.CSV",
        "b.parquet",
        "s3://x/c.json",
    ]
