"""Pascal VOC's XML; what is refused is in test_boxes."""

from seewhy.truth.marked import MarkedBox, PhotoBoxes
from seewhy.truth.voc import boxes_of_voc


def test_names_are_those_of_files_in_folders(tmp_path):
    (tmp_path / "in").mkdir()
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    (tmp_path / "in" / "a.b.xml").write_text(f"<annotation><object><name>cat</name>{box}</object></annotation>")
    (tmp_path / "none.xml").write_text("<annotation><size><width>8</width><height>6</height></size></annotation>")
    assert boxes_of_voc(tmp_path, sorted(tmp_path.rglob("*.xml"))) == {
        "in/a.b": PhotoBoxes((MarkedBox((0, 1, 3, 4), "cat"),)),
        "none": PhotoBoxes((), (8, 6)),
    }
