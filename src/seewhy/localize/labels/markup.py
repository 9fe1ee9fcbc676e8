"""Elements of XML with text of strangers in them."""

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from seewhy.json_text import whole_text

FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what no XML may hold, escaped or not


def element(parent: Element | None, name: str, text: Any = None, /, **attributes: Any) -> Element:
    """A new element, the last of its parent.  Characters that XML does not have become U+FFFD."""
    said = {key: safe(value) for key, value in attributes.items()}
    made = Element(name, said) if parent is None else SubElement(parent, name, said)
    made.text = None if text is None else safe(text)
    return made


def safe(value: Any) -> str:
    return FORBIDDEN.sub("\ufffd", whole_text(str(value)))


def text_of_xml(root: Element, level: int = 0) -> str:
    """The element as indented text that ends with a line."""
    indent(root, "  ", level)
    return "  " * level + tostring(root, "unicode").strip() + "\n"
