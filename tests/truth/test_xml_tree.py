"""XML of strangers."""

import pytest

from seewhy.errors import BadParameter
from seewhy.truth.xml_tree import tree_of


def test_a_tree(tmp_path):
    (tmp_path / "a.xml").write_text("<a><b>ü</b></a>", encoding="utf-8")
    assert tree_of(tmp_path / "a.xml", "VOC").findtext("b") == "ü"


@pytest.mark.parametrize(
    ("text", "words"),
    [('<!doctype a [<!ENTITY b "b">]><a>&b;</a>', "document type"), ("<a>", "is no annotation of VOC"), ("", "is empty")],
)
def test_what_is_refused(tmp_path, text, words):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(BadParameter, match=words):
        tree_of(tmp_path / "a.xml", "VOC")
