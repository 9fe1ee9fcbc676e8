"""Text of strangers in XML."""

from xml.etree import ElementTree

from seewhy.localize.labels.markup import element, safe, text_of_xml


def test_what_xml_cannot_hold_is_replaced_and_all_else_comes_back():
    text = "a<b> & \"c\" 'd' ]]> 猫 🐈 \t ü"
    root = element(None, "root", text, name=text, number=3)
    element(root, "inner", "x\x00\x1b\ufffe\udcff\x85")
    read = ElementTree.fromstring(text_of_xml(root))
    assert (read.text or "").rstrip() == text
    assert read.get("name") == text
    assert read.get("number") == "3"
    assert read.findtext("inner") == "x\ufffd\ufffd\ufffd\ufffd\x85"
    assert safe(None) == "None"


def test_a_level_of_indents():
    root = element(None, "a")
    element(root, "b", 1)
    assert text_of_xml(root, 1) == "  <a>\n    <b>1</b>\n  </a>\n"
