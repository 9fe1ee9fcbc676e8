"""Boxes as Pascal VOC's XML, a file for each photo.

Source: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf, section 6 (annotation files).
"""

from pathlib import Path

from seewhy.errors import NotApplicable
from seewhy.printable import printable

from .coco import text_of_json
from .folder import LabelFolder
from .labelled import LabelledImage
from .markup import element, text_of_xml


class VocWriter:
    """`cat.xml` for `cat.jpg`.  VOC counts whole pixels from 1, both ends of a box included.

    A score stands in each object; what made the labels, as JSON, in "source", under "annotation".
    """

    def __init__(self, folder: Path, over: bool = True) -> None:
        self._folder = LabelFolder(folder, ".xml", over)

    def add(self, image: LabelledImage) -> None:
        if len(image.size) != 2:
            raise NotApplicable(f"{printable(image.file, 200)} is no photo, and VOC knows photos alone. Write csv or nifti.")
        path, (width, height) = Path(image.file), image.size
        root = element(None, "annotation")
        for name, text in (("folder", path.parent.name), ("filename", path.name), ("path", image.file)):
            element(root, name, text)
        source = element(root, "source")
        element(source, "database", "weak labels from heatmaps")
        element(source, "annotation", text_of_json({**image.made, **({} if image.objects else {"why": image.why})}))
        size = element(root, "size")
        for name, number in (("width", width), ("height", height), ("depth", _depth(image))):
            element(size, name, number)
        element(root, "segmented", 0)
        for one in image.objects:
            left, top, right, bottom = one.found.edges
            said = element(root, "object")
            for name, text in (("name", one.category), ("pose", "Unspecified"), ("truncated", 0), ("difficult", 0)):
                element(said, name, text)
            element(said, "score", f"{one.score:.6g}")
            box = element(said, "bndbox")
            for name, number in (("xmin", left + 1), ("ymin", top + 1), ("xmax", right), ("ymax", bottom)):
                element(box, name, number)
        self._folder.put(image.file, text_of_xml(root).encode())

    def close(self) -> None:
        """Each file is whole already."""


def _depth(image: LabelledImage) -> int:
    return len(image.image.getbands()) if hasattr(image.image, "getbands") else 3
