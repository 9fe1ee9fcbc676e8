"""XML of strangers, within bounds."""

from pathlib import Path
from xml.etree import ElementTree

from seewhy.errors import BadParameter
from seewhy.printable import printable

from .marked import FORMS
from .table import text_of

CUT = "<!DOCTYPE"  # what hostile files work by, and no tool of labels writes


def tree_of(file: Path, kind: str) -> ElementTree.Element:
    """The root of an XML file of some kind.  Raises BadParameter where it is none, or holds a document type."""
    text = text_of(file)
    if CUT in text.upper():
        raise BadParameter(f"{file} holds a document type, which is not read. {FORMS}.")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BadParameter(f"{file} is no annotation of {kind}: {printable(error, 200)}. {FORMS}.") from None
