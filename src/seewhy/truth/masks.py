"""Masks of objects: pictures of the photo's size, volumes on the scan's own grid."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.images.files import guarded, open_picture
from seewhy.images.orientation import UPRIGHT, oriented
from seewhy.images.volume import Volume
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume
from seewhy.printable import printable

from .boxes import read_boxes
from .evidence import MarkedObject, coverage
from .files import stem_of
from .marked import PhotoBoxes

PICTURES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".pgm", ".webp")  # kinds that keep a mask's numbers as they are
VOLUMES = (".nii", ".nii.gz", ".mgz", ".mgh")
ENDING = re.compile(r"[._-](mask|masks|seg|segmentation|label|labels|gt|annotation)$", re.IGNORECASE)
VOID = 255  # in label maps, such as those of Pascal VOC and Cityscapes: pixels that are not to be counted
LABELS = 20  # more values than so many in one picture are soft edges, and no labels
NEAR = 1e-3  # mm by which the voxels of a mask may lie beside those of the scan


def find_masks(path: Path) -> dict[str, Path]:
    """The masks of a folder, and of the folders in it, by the photo's name without its suffix: cat.png and cat_mask.png are
    both of cat.jpg.  Of a file, that file alone, under an empty name.

    Raises BadParameter where there is none, or one photo has two.
    """
    if path.is_file():
        return {"": path}
    if not path.is_dir():
        raise BadParameter(f"{path} is not there. Give a folder of masks, named like the photos; of one photo, its mask.")
    found: dict[str, Path] = {}
    for file in sorted(path.rglob("*")):
        if not file.name.lower().endswith((*PICTURES, *VOLUMES)) or file.name.startswith("."):
            continue
        name = str(file.relative_to(path).parent / ENDING.sub("", stem_of(file.name)))
        if name in found:
            raise BadParameter(f"{path} has two masks of {name}: {found[name].name} and {file.name}. Leave one of them.")
        found[name] = file
    if not found:
        raise BadParameter(
            f"The folder {path} holds no masks: pictures ({', '.join(PICTURES)}) or volumes named like the photos."
        )
    return found


def is_label_file(path: Path) -> bool:
    """Is it one file with the masks of many photos, as tools that draw labels write them?"""
    return path.suffix.lower() in (".json", ".xml")


def masks_in_labels(path: Path) -> dict[str, PhotoBoxes]:
    """The masks in a file of COCO, Label Studio or CVAT, by the photo's name.

    Raises BadParameter where it cannot be read, or holds boxes alone.
    """
    found = read_boxes(path)
    if not any(box.shape for photo in found.values() for box in photo.boxes):
        raise BadParameter(f"{path} holds boxes, and no masks: give it as boxes, on the command line --boxes {path}.")
    return found


def drawn_mask(known: PhotoBoxes, image: Any) -> MarkedObject:
    """The mask of all objects that a file of labels marks on a photo (a PIL image); one that has a box alone is its box.

    Crowds, in which objects are not told apart, are not to be counted.
    Raises BadParameter where it was drawn on another size, or the image is no photo.
    """
    size = getattr(image, "size", None)
    if isinstance(image, Volume) or size is None:
        raise BadParameter("masks of files of labels lie on photos: give a NIfTI file or an array for anything else.")
    inside, ignored = np.zeros(size[::-1], np.bool_), np.zeros(size[::-1], np.bool_)
    try:
        for box in known.on(size):
            inside |= box.shape(size) if box.shape else coverage([box.edges], size) >= 0.5
        for crowd in known.crowds:
            ignored |= crowd(size)
    except BadParameter:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise BadParameter(f"its mask cannot be drawn: {printable(error, 200)}.") from None
    return MarkedObject(inside, ignored & ~inside if ignored.any() else None)


def read_mask(path: Path, image: Any) -> MarkedObject:
    """The mask in a file, of a photo (a PIL image) or a Volume.

    A picture: all that is not 0 is the object; of a picture in colour, what is not black, or what is not transparent.  In a
    label map, 255 beside other values marks what is not to be counted.  With more than 20 values, 255 the most frequent after
    0, its edges are soft: from 128 on it is the object.  A volume: all voxels that are not 0.
    Raises BadImage where the file cannot be read, BadParameter where it is of another size or grid than the image.
    """
    if isinstance(image, Volume):
        return MarkedObject(_on_grid(read_volume(path), image, path))
    if holds_volume(path):
        raise BadParameter(f"{path} is a volume, and the photo is none.")
    with guarded(str(path)), open_picture(path, str(path)) as picture:
        upright = picture.transpose(UPRIGHT[turn]) if (turn := oriented(picture)) in UPRIGHT else picture.copy()
    if upright.size != image.size:
        sizes = " and ".join(f"{width} x {height}" for width, height in (upright.size, image.size))
        raise BadParameter(f"The mask {path} and its photo are of different sizes, {sizes} pixels.")
    return _of_picture(upright)


def _of_picture(picture: Image.Image) -> MarkedObject:
    values = np.asarray(picture)
    if values.ndim == 3:
        alpha = values[..., -1] if picture.mode in ("RGBA", "LA") else None
        if alpha is not None and (alpha != alpha.max()).any():
            return MarkedObject(alpha >= 128)
        colours = values if alpha is None else values[..., :-1]
        return MarkedObject(colours.max(-1) > 0)
    levels, counts = np.unique(values[values != 0], return_counts=True)
    if VOID not in levels or len(levels) == 1:
        return MarkedObject(values != 0)
    if picture.mode == "L" and len(levels) > LABELS and counts[levels == VOID] == counts.max():
        return MarkedObject(values >= 128)
    return MarkedObject((values != 0) & (values != VOID), values == VOID)


def _on_grid(mask: Volume, scan: Volume, path: Path) -> NDArray[np.bool_]:
    """The mask's voxels in the order of the scan's, which may be stored along other axes."""
    grid = mask.towards(scan.codes)
    affine = mask.affine @ grid.matrix
    if grid.size != scan.shape or not _alike(affine, scan.affine, scan.shape):
        raise BadParameter(
            f"The mask {path} lies on another grid than {scan.name}: {_grid(mask)}, and the scan {_grid(scan)}. Resample it "
            "onto the scan's grid (nearest neighbour), without cropping."
        )
    return grid.read((mask.channels != 0).any(0).astype(np.float32)) > 0.5


def _alike(affine: NDArray[Any], other: NDArray[Any], shape: tuple[int, ...]) -> bool:
    """Do both place the outermost voxels at the same points, to a hundredth of a voxel?"""
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in shape], [1])).reshape(4, -1)
    least = np.linalg.norm(other[:3, :3], axis=0).min()
    return bool(abs((affine - other) @ corners).max() < 0.01 * least + NEAR)


def _grid(volume: Volume) -> str:
    return f"{'x'.join(map(str, volume.shape))} voxels of {'x'.join(f'{mm:.4g}' for mm in volume.spacing)} mm, {volume.codes}"
