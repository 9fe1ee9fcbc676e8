"""The formats that labels are written in, by name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from seewhy.errors import BadParameter, NoSuchName, closest

from .coco import CocoWriter
from .cvat import CvatWriter
from .growing import Output
from .label_studio import LabelStudioWriter
from .labelled import LabelWriter
from .masks import MaskWriter
from .scenes import SceneWriter
from .table import TableWriter
from .voc import VocWriter
from .volumes import VolumeWriter
from .yolo import YoloWriter


class WriterOptions(NamedTuple):
    """What every writer is made with, and looks at as far as its format has a use for it.

    labels: of the model, which give classes their numbers; prefix: what the names of images begin with in the file, in place of
    nothing; over: take the place of files that are there.
    """

    labels: Sequence[str] | None = None
    prefix: str = ""
    over: bool = True


WriterMaker = Callable[[Output, WriterOptions], LabelWriter]


class LabelFormat(NamedTuple):
    """One format.

    open: makes a writer into an output; suffix: of the file, "" of a folder with a file for each image.
    holds: what it holds, opens: what opens it, in words, of {path}.
    takes: the kinds of images, of photo, clip, volume and scene (a GeoTIFF).
    """

    open: WriterMaker
    suffix: str
    holds: str
    opens: str
    takes: tuple[str, ...] = ("photo", "scene")

    @property
    def folder(self) -> bool:
        return not self.suffix

    def opening(self, path: str | Path) -> str:
        """What opens the labels that lie there."""
        return self.opens.format(path=str(path))


def _coco(rle: bool) -> WriterMaker:
    return lambda to, how: CocoWriter(to, how.over, how.labels, rle)


def _yolo(segments: bool) -> WriterMaker:
    return lambda to, how: YoloWriter(_folder(to), how.over, how.labels, segments)


def _label_studio(shapes: str) -> WriterMaker:
    return lambda to, how: LabelStudioWriter(to, how.over, shapes, how.prefix)


def _cvat(shapes: str) -> WriterMaker:
    return lambda to, how: CvatWriter(to, how.over, shapes)


STUDIO = "in Label Studio: Settings, Labeling Interface, Code takes the .config.xml beside it; then Import"
CVAT = "in CVAT: a task of these photos, Actions, Upload annotations, CVAT 1.1"
YOLO = "yolo train data={path}/data.yaml, with the photos in {path}/images"
FORMATS: dict[str, LabelFormat] = {
    "csv": LabelFormat(
        lambda to, how: TableWriter(to, how.over),
        ".csv",
        "boxes, scores and what made them, a row for each",
        "any spreadsheet, and seewhy explain --boxes {path}",
        ("photo", "scene", "clip", "volume"),
    ),
    "coco": LabelFormat(_coco(False), ".json", "boxes, masks as polygons, scores", "pycocotools.coco.COCO({path!r})"),
    "coco-rle": LabelFormat(_coco(True), ".json", "boxes, masks as run lengths, scores", "pycocotools.coco.COCO({path!r})"),
    "voc": LabelFormat(
        lambda to, how: VocWriter(_folder(to), how.over),
        "",
        "Pascal VOC: boxes and scores as XML",
        "labelImg, with {path} as the folder that it saves into",
    ),
    "yolo": LabelFormat(_yolo(False), "", "boxes as text, with data.yaml and classes.txt", YOLO),
    "yolo-segments": LabelFormat(_yolo(True), "", "outlines as text, with data.yaml and classes.txt", YOLO),
    "png": LabelFormat(
        lambda to, how: MaskWriter(_folder(to), how.over, how.labels),
        "",
        "label maps with VOC's palette",
        "any viewer; what the numbers mean stands in {path}/classes.csv",
    ),
    "nifti": LabelFormat(
        lambda to, how: VolumeWriter(_folder(to), how.over, how.labels),
        "",
        "label maps on the scan's grid",
        "3D Slicer or ITK-SNAP, as a segmentation over the scan; what the numbers mean stands in {path}/classes.csv",
        ("volume",),
    ),
    "geotiff": LabelFormat(
        lambda to, how: SceneWriter(_folder(to), how.over, how.labels),
        "",
        "label maps on the scene's place",
        "QGIS, over the scene; what the numbers mean stands in {path}/classes.csv",
        ("scene",),
    ),
    "label-studio": LabelFormat(_label_studio("boxes"), ".json", "boxes and scores, to be corrected in Label Studio", STUDIO),
    "label-studio-polygons": LabelFormat(
        _label_studio("polygons"), ".json", "outlines and scores, to be corrected in Label Studio", STUDIO
    ),
    "label-studio-brush": LabelFormat(
        _label_studio("brush"), ".json", "masks and scores, to be corrected in Label Studio", STUDIO
    ),
    "cvat": LabelFormat(_cvat("boxes"), ".xml", "boxes and scores, to be corrected in CVAT", CVAT),
    "cvat-polygons": LabelFormat(_cvat("polygons"), ".xml", "outlines and scores, to be corrected in CVAT", CVAT),
    "cvat-masks": LabelFormat(_cvat("masks"), ".xml", "masks and scores, to be corrected in CVAT", CVAT),
}


def _folder(output: Output) -> Path:
    if isinstance(output, Path):
        return output
    raise BadParameter("These labels are a file for each image: name a folder for them.")


def format_named(name: str) -> LabelFormat:
    """The format of that name.  Raises NoSuchName."""
    known = str(name).lower().replace("_", "-")
    if known not in FORMATS:
        raise NoSuchName("format of labels", name, closest(known, [*FORMATS]), f"There are: {', '.join(FORMATS)}.")
    return FORMATS[known]


def open_writer(
    name: str,
    output: str | Path | Callable[[str], object],
    labels: Sequence[str] | None = None,
    prefix: str = "",
    over: bool = True,
) -> LabelWriter:
    """A writer of labels: `add` each image, then `close`, also where the run ended early.

    name: one of `FORMATS`.  output: the file, or the folder that the files of all images go into; or a function that takes the
    text piece by piece, of formats that are one file.
    labels, prefix, over: as `WriterOptions`.  Raises NoSuchName.
    """
    made = format_named(name)
    return made.open(Path(output) if isinstance(output, str) else output, WriterOptions(labels, prefix, over))
