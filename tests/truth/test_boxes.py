"""Boxes from tables, COCO's JSON and VOC's XML, in one convention of pixels; and what is refused."""

import json
from pathlib import Path

import pytest

from seewhy.errors import BadParameter
from seewhy.truth.boxes import MarkedBox, PhotoBoxes, read_boxes
from support.real import DATA, needs_data


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def boxes(content, name="boxes.csv"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_boxes(Path(name))


TABBY = {"a.jpg": PhotoBoxes((MarkedBox((10, 20, 30.5, 60), "tabby"),))}
PLAIN = {"a.jpg": PhotoBoxes((MarkedBox((10, 20, 30.5, 60), None),))}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("file,x0,y0,x1,y1,label\na.jpg,10,20,30.5,60,tabby\n", TABBY),
        ("file,x0,y0,x1,y1\na.jpg,10,20,30.5,60\n", PLAIN),
        ("image;label;xmin;ymin;xmax;ymax\na.jpg;tabby;10;20;30.5;60\n", TABBY),
        ("filename,x1,y1,x2,y2,class\na.jpg,10,20,30.5,60,tabby\n", TABBY),
        ("path,left,top,right,bottom\na.jpg,10,20,30.5,60\n", PLAIN),
        ("path,left,top,width,height\na.jpg,10,20,20.5,40\n", PLAIN),
        ("file,x,y,w,h\na.jpg,10,20,20.5,40\n", PLAIN),
        ("a.jpg,10,20,30.5,60,tabby\n", TABBY),
        ("a.jpg,10,20,30.5,60\n", PLAIN),
    ],
)
def test_tables_of_boxes(content, expected):
    assert boxes(content) == expected


def test_several_boxes_of_a_photo_and_one_without():
    found = boxes("file,x0,y0,x1,y1,label\na.jpg,1,2,3,4,cat\na.jpg,2,2,5,5,dog\nb.jpg,,,,,\n")
    assert [box.label for box in found["a.jpg"].boxes] == ["cat", "dog"]
    assert found["b.jpg"] == PhotoBoxes(())


COCO = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 80}, {"id": 8, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "bbox": [10, 20, 20.5, 40], "category_id": 3, "iscrowd": 0},
        {"id": 2, "image_id": 7, "bbox": [0, 0, 64, 80], "category_id": 3, "iscrowd": 1},
    ],
    "categories": [{"id": 3, "name": "tabby"}],
}


def test_coco():
    assert boxes(COCO, "coco.json") == {"a.jpg": TABBY["a.jpg"]._replace(size=(64, 80)), "b.jpg": PhotoBoxes(())}


def test_a_list_of_files_and_boxes():
    listed = [{"file": "a.jpg", "width": 64, "height": 80, "boxes": [[10, 20, 30.5, 60]], "label": "tabby"}]
    assert boxes(listed, "boxes.json") == {"a.jpg": TABBY["a.jpg"]._replace(size=(64, 80))}


VOC = """<?xml version="1.0"?><annotation><filename>a.jpg</filename>
<size><width>64</width><height>80</height><depth>3</depth></size>
<object><name>tabby</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>30.5</xmax><ymax>60</ymax></bndbox></object></annotation>"""


def test_voc_counts_pixels_from_one():
    boxes_of_folder(VOC)
    assert read_boxes(Path("voc")) == {"a": TABBY["a.jpg"]._replace(size=(64, 80))}
    boxes_of_folder(VOC.replace(">11<", ">0<"))  # as ImageNet counts
    assert read_boxes(Path("voc"))["a"].boxes[0].edges == (0, 20, 30.5, 60)


def boxes_of_folder(xml: str) -> None:
    Path("voc").mkdir(exist_ok=True)
    Path("voc", "a.xml").write_text(xml, encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("file,x0,y0,x1,y1\na.jpg,10,20,5,60\n", "b.csv", r"b.csv, a.jpg: the box from \(10, 20\) to \(5, 60\) is empty"),
        ("file,x0,y0,x1,y1\na.jpg,10,20,nan,60\n", "b.csv", "is empty"),
        ("file,x0,y0,x1,y1\na.jpg,10,20,wide,60\n", "b.csv", "no box of four numbers. Boxes are read from a table"),
        ("file,x,y,w,h\na.jpg,10,20,wide,60\n", "b.csv", "no box of four numbers"),
        ("file,x0,y0\na.jpg,10,20\n", "b.csv", "has the columns file, x0, y0. Boxes are read"),
        ("a.jpg,10,20\n", "b.csv", "has 3 columns and no header"),
        ("file,x0,y0,x1,y1\na.jpg,,,,\n", "b.csv", "holds no box"),
        ("file,x0,y0,x1,y1\na.jpg,0.1,0.2,0.5,0.9\n", "b.csv", "Are these fractions"),
        ({"images": [], "annotations": []}, "b.json", "holds no box"),
        ({"shapes": []}, "b.json", "'annotations' is missing"),
        ([{"file": "a.jpg"}], "b.json", "'boxes' is missing"),
        ([3], "b.json", "is no JSON of boxes"),
        ("{", "b.json", "is no JSON of boxes"),
        ({**COCO, "annotations": [{"image_id": 7, "bbox": [1, 2]}]}, "b.json", "is no JSON of boxes"),
    ],
)
def test_what_is_no_file_of_boxes_is_refused_with_advice(content, name, words):
    with pytest.raises(BadParameter, match=words):
        boxes(content, name)


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ("<annotation><object><name>x</name></object></annotation>", "is no annotation of Pascal VOC"),
        ("<annotation>", "is no annotation of Pascal VOC"),
        (VOC.replace(">60<", ">3<"), "is empty"),
        ('<!DOCTYPE a [<!ENTITY b "bbbb">]><annotation>&b;</annotation>', "document type, which is not read"),
    ],
)
def test_what_is_no_annotation_is_refused(xml, words):
    boxes_of_folder(xml)
    with pytest.raises(BadParameter, match=words):
        read_boxes(Path("voc"))


def test_a_folder_of_other_files_is_told_what_is_read():
    Path("notes").mkdir()
    Path("notes", "readme.txt").write_text("0 .5 .5 .1 .1")
    with pytest.raises(BadParameter, match=r"holds no \.xml and no \.txt files of labels\. Boxes are read from a table"):
        read_boxes(Path("notes"))


def test_folders_that_tools_export():
    Path("cvat").mkdir()
    box = '<box label="cat" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    Path("cvat", "annotations.xml").write_text(f'<annotations><image name="a.jpg">{box}</image></annotations>')
    assert read_boxes(Path("cvat")) == {"a.jpg": PhotoBoxes((MarkedBox((1, 2, 3, 4), "cat"),))}
    Path("coco").mkdir()
    Path("coco", "result.json").write_text(json.dumps(COCO))
    assert read_boxes(Path("coco")) == boxes(COCO, "coco.json")


def test_the_size_that_a_table_says():
    head = "file,x0,y0,x1,y1,label,image_width,image_height\n"
    found = boxes(head + "a.jpg,10,20,30.5,60,tabby,64,80\nb.jpg,,,,,,8,9\n")
    assert found == {"a.jpg": TABBY["a.jpg"]._replace(size=(64, 80)), "b.jpg": PhotoBoxes((), (8, 9))}
    with pytest.raises(BadParameter, match="'wide' x '80' is no size"):
        boxes(head + "a.jpg,10,20,30.5,60,tabby,wide,80\n")


def test_masks_and_crowds_of_coco():
    marks = [
        {"image_id": 7, "bbox": [1, 1, 2, 2], "category_id": 3, "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]},
        {"image_id": 7, "bbox": [0, 0, 4, 3], "iscrowd": 1, "segmentation": {"size": [3, 4], "counts": [0, 3, 9]}},
    ]
    photo = boxes({**COCO, "annotations": marks}, "coco.json")["a.jpg"]
    assert [box.edges for box in photo.boxes] == [(1, 1, 3, 3)]
    assert photo.boxes[0].shape((4, 3)).astype(int).tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]
    assert [crowd((4, 3)).astype(int).tolist() for crowd in photo.crowds] == [[[1, 0, 0, 0]] * 3]


@needs_data
def test_real_boxes():
    found = read_boxes(DATA / "loc-imagenet-val" / "boxes.json")
    assert len(found) == 200
    assert all(photo.size == (299, 299) and photo.boxes for photo in found.values())
