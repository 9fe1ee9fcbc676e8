"""DICOM series as volumes: slices in the order in which they lie in the body, whatever the files are called."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import BadImage
from .image import HEADERS
from .medical import BROKEN, need
from .volume import Volume

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # to RAS+ and back
UNEVEN = 0.1  # of the distance between slices: so far one may lie off its place
TURNED = 0.01  # of direction cosines: what differs more lies in another plane, such as a scout
ALIKE = 2e-3  # of a pixel's step: half a pixel over 250 of them
AXIAL = (1, 0, 0, 0, 1, 0)
Floats = NDArray[np.float64]


class Slice(NamedTuple):
    """One slice, and where it lies: in mm, as DICOM has it (LPS: x to the left, y to the back, z to the head)."""

    position: Floats  # (3,) the centre of its first pixel
    across: Floats  # (3,) from one column to the next
    down: Floats  # (3,) from one row to the next
    thick: float  # mm, where nothing else tells how far slices are apart
    pixels: NDArray[np.float32]  # (rows, columns), rescaled


def read_series(path: Path, name: str) -> Volume:
    """The series in a folder, or that one of whose files is given; or one multi-frame file.

    Slices are put in order by their positions along the normal of the slices; the step between them is that of the positions.
    Raises BadImage for several series, slices that are missing, doubled or turned, colours, and what pydicom cannot read.
    """
    need("pydicom")
    with HEADERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quibbles about tags
        found = _series(path, name)
        slices = [one for file in found for one in _slices(file)]
        inverted = any(_header(file, name).get("PhotometricInterpretation") == "MONOCHROME1" for file in found[:1])
    notes = ("high values are dark in this file (MONOCHROME1)",) if inverted else ()
    nowhere = not np.isfinite(slices[0].position).all()
    notes += ("it does not say where it lies in the body: taken as axial, at 0 mm",) if nowhere else ()
    values, affine = _stacked(slices, name)
    return Volume(values, affine, name, notes)


def _series(path: Path, name: str) -> list[Path]:
    """The files of the one series that is meant."""
    if path.is_file():
        own = _header(path, name)
        if "Rows" not in own:
            raise BadImage(f"{name} is a DICOM file without an image ({own.get('Modality') or 'of no modality'}).")
        alone = int(own.get("NumberOfFrames") or 1) > 1 or "SeriesInstanceUID" not in own
        beside = [] if alone else _by_series(path.parent).values()
        return next((files for files in beside if path in files), [path])
    groups = _by_series(path)
    if not groups:
        below = sorted(inner.name for inner in path.iterdir() if inner.is_dir())
        where = f" It holds folders: {', '.join(below[:5])}: give one of these." if below else ""
        raise BadImage(f"The folder {name} holds no DICOM images.{where}")
    if len(groups) > 1:
        told = "; ".join(f"{key[0]} ({len(files)} files, such as {files[0].name})" for key, files in groups.items())
        raise BadImage(f"The folder {name} holds {len(groups)} series: {told}. Give one file of the series that you mean.")
    return next(iter(groups.values()))


def _by_series(folder: Path) -> dict["Shared", list[Path]]:
    """The DICOM images of a folder, by what they belong to."""
    groups: dict[Shared, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name.startswith("."):
            continue
        try:
            header = _header(file, str(file))
        except BadImage:
            continue  # another kind of file
        if "Rows" in header:
            own = Shared.of(header, file)
            groups.setdefault(next(filter(own.nearly, groups), own), []).append(file)
    return groups


class Shared(NamedTuple):
    """What the slices of a volume share: the series, and in it the orientation, which scouts do not have."""

    told: str
    series: str
    turned: tuple[float, ...]

    @classmethod
    def of(cls, header: Any, file: Path) -> "Shared":
        try:
            number, said = header.get("SeriesNumber"), header.get("SeriesDescription") or header.get("Modality") or "unnamed"
            turned = tuple(map(float, header.get("ImageOrientationPatient") or ()))
        except (*BROKEN, AttributeError) as wrong:
            raise _unreadable(file, wrong) from None
        return cls(f"{said}{'' if number is None else f' (number {number})'}", str(header.get("SeriesInstanceUID")), turned)

    def nearly(self, other: "Shared") -> bool:
        """Alike, but for the last digits of the orientation."""
        if self[:2] != other[:2] or len(self.turned) != len(other.turned):
            return False
        return all(abs(one - two) < TURNED for one, two in zip(self.turned, other.turned, strict=True))


def _unreadable(file: Path, broken: Exception) -> BadImage:
    return BadImage(f"{file} cannot be read: {' '.join(str(broken).split())}")


def _header(file: Path, name: str) -> Any:
    pydicom = need("pydicom")
    try:
        return pydicom.dcmread(file, stop_before_pixels=True)
    except pydicom.errors.InvalidDicomError:
        said = "the letters DICM after the first 128 bytes are missing"
        raise BadImage(f"{name} is no DICOM file: {said}. If it is an older one, save it anew with a DICOM tool.") from None
    except (*BROKEN, NotImplementedError) as broken:
        raise BadImage(f"{name} is no DICOM file that pydicom can read: {broken}") from None


def _slices(file: Path) -> list[Slice]:
    """Of one file: one slice, or the frames of an enhanced multi-frame image."""
    pydicom = need("pydicom")
    try:
        data = pydicom.dcmread(file)
        return _frames(data, data.pixel_array, file)
    except BadImage:
        raise
    except (*BROKEN, pydicom.errors.InvalidDicomError, AttributeError, NotImplementedError, RuntimeError) as broken:
        raise _unreadable(file, broken) from None


def _frames(data: Any, pixels: NDArray[Any], file: Path) -> list[Slice]:
    if int(data.get("SamplesPerPixel", 1)) != 1:
        raise BadImage(f"{file} holds colours, which are no volume: save it as a picture (.png), and give that.")
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    if "PerFrameFunctionalGroupsSequence" not in data and len(pixels) > 1:
        raise BadImage(f"{file} holds {len(pixels)} frames, and not where each of them lies: a film, which is no volume.")
    shared = [part for group in data.get("SharedFunctionalGroupsSequence") or [] for part in _parts(group)]
    own = [_parts(group) for group in data.get("PerFrameFunctionalGroupsSequence") or [[]]]
    return [_slice([*frame, *shared, data], one, file) for frame, one in zip(own, pixels, strict=True)]


def _parts(group: Any) -> list[Any]:
    """What the sequences of a functional group say."""
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _slice(said: list[Any], pixels: NDArray[Any], file: Path) -> Slice:
    """One slice, from what is said of it, the most special first."""

    def tag(name: str, other: Any = None) -> Any:
        return next((one.get(name) for one in said if one.get(name) not in (None, "")), other)

    slope, zero = float(tag("RescaleSlope", 1)), float(tag("RescaleIntercept", 0))
    spacing = np.asarray(tag("PixelSpacing") or tag("ImagerPixelSpacing") or (1, 1), float)  # between rows, between columns
    way = np.asarray(tag("ImageOrientationPatient", AXIAL), float)
    placed = tag("ImageOrientationPatient") is not None
    position = np.asarray((placed and tag("ImagePositionPatient")) or (np.nan,) * 3, float)
    if spacing.shape != (2,) or not (spacing > 0).all() or way.shape != (6,) or not way.any() or position.shape != (3,):
        raise BadImage(f"{file}: its spacing {spacing}, orientation {way} or position {position} is incomplete, or zero.")
    thick = float(tag("SpacingBetweenSlices") or tag("SliceThickness") or 1)
    scaled = (pixels.astype(np.float64) * slope + zero).astype(np.float32)
    return Slice(position, way[:3] * spacing[1], way[3:] * spacing[0], abs(thick), scaled)


def _stacked(slices: list[Slice], name: str) -> tuple[NDArray[np.float32], Floats]:
    """Values (i, j, k), along columns, rows and slices, and the affine in RAS+."""
    first = slices[0]
    normal = np.cross(first.across, first.down)
    normal = normal / (np.linalg.norm(normal) or 1)
    if len(slices) == 1:
        only = first.position if np.isfinite(first.position).all() else np.zeros(3)  # a radiograph
        return _volume([first], _affine(first, only, normal * first.thick))
    if not all(np.isfinite(one.position).all() for one in slices):
        raise BadImage(
            f"{name}: {len(slices)} slices do not say where they lie (ImagePositionPatient, ImageOrientationPatient)."
        )
    steps = np.array([(*one.across, *one.down) for one in slices])
    if abs(steps - steps[0]).max() > ALIKE * abs(steps[0]).max():
        raise BadImage(
            f"{name}: its slices differ in the distance or the direction of their pixels (PixelSpacing, "
            "ImageOrientationPatient), so they are no one grid. Put those that agree in a folder of their own."
        )
    if len({one.pixels.shape for one in slices}) > 1:
        raise BadImage(f"{name}: its slices differ in size: {', '.join(sorted({str(one.pixels.shape) for one in slices}))}.")
    slices = sorted(slices, key=lambda one: float(one.position @ normal))
    places = np.array([one.position for one in slices])
    _check_even(places, normal, name)
    return _volume(slices, _affine(slices[0], places[0], (places[-1] - places[0]) / (len(slices) - 1)))


def _check_even(places: Floats, normal: Floats, name: str) -> None:
    """Do slices at these positions (n, 3), in order, lie on a line, and evenly?"""
    depth = places @ normal
    gaps = np.diff(depth)
    usual = float(np.median(gaps))
    if gaps.min() <= 1e-3:
        at = int(gaps.argmin())
        raise BadImage(
            f"{name}: several slices lie at {depth[at]:.2f} mm along their normal: several phases, echoes or directions in one "
            "series. Put the files of one of them in a folder of their own."
        )
    even = np.linspace(places[0], places[-1], len(places))
    off = np.linalg.norm(places - even, axis=1)
    if off.max() > UNEVEN * usual + 0.01:
        at = int(abs(gaps - usual).argmax())
        raise BadImage(
            f"{name}: its {len(places)} slices do not lie evenly: between {depth[at]:.2f} and {depth[at + 1]:.2f} mm along "
            f"their normal there are {gaps[at]:.2f} mm, elsewhere {usual:.2f}. Is a file missing?"
        )


def _volume(slices: list[Slice], affine: Floats) -> tuple[NDArray[np.float32], Floats]:
    return np.stack([one.pixels.T for one in slices], -1), affine


def _affine(first: Slice, corner: Floats, step: Floats) -> Floats:
    """DICOM part 3, C.7.6.2.1.1, with the step of the slices' positions; in RAS+."""
    affine = np.eye(4)
    affine[:3] = np.stack([first.across, first.down, step, corner], 1)
    return LPS @ affine
