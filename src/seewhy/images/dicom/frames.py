"""The slices of one DICOM file, by its header: where each lies, how it is scaled, and by what it differs from others."""

from typing import Any

import numpy as np

from seewhy.arrays import Floats
from seewhy.errors import BadImage
from seewhy.images.decoding import decoding

from .header import Header, check_image, count
from .mosaic import is_mosaic, tiles
from .slice import SHARED, Slice

AXIAL = (1, 0, 0, 0, 1, 0)
SQUARE = 0.01  # how far direction cosines may be from unit vectors at right angles
APART = (  # tags by which slices at one place may differ
    *("StackID", "AcquisitionNumber", "TemporalPositionIdentifier", "TemporalPositionIndex", "TemporalPositionTimeOffset"),
    *("EchoNumbers", "EchoTime", "EffectiveEchoTime", "InversionTime", "InversionTimes", "RepetitionTime", "FlipAngle"),
    *("DiffusionBValue", "DiffusionGradientOrientation", "TriggerTime", "NominalPercentageOfCardiacPhase"),
    *("FrameReferenceTime", "ActualFrameDuration", "ImageType", "FrameType", "ComplexImageComponent", "ConvolutionKernel"),
    *("KVP", "ContrastBolusAgent", "ReferencedSegmentNumber", "EnergyWindowNumber", "AcquisitionTime", "ContentTime"),
)
B_VALUE = (0x0019, 0x100C)  # Siemens


def slices(head: Header) -> list[Slice]:
    """The slices of a file, without pixels.  Raises BadImage, naming the file, for missing or malformed tags, films, and
    mosaics that cannot be unfolded.
    """
    data, name = head.data, str(head.file)
    with decoding(f"{name} cannot be read"):
        check_image(head, name)
        if is_mosaic(data):
            return tiles(_slice([data], head, 0), data, name)
        frames = count(data)
        groups = data.get("PerFrameFunctionalGroupsSequence")
        if groups:
            shared = [part for group in data.get("SharedFunctionalGroupsSequence") or [] for part in _parts(group)]
            if len(groups) != frames:
                raise ValueError(f"it tells of {frames} frames, and describes {len(groups)} of them")
            listed = [_slice([*_parts(group), *shared, data], head, place) for place, group in enumerate(groups)]
        elif frames == 1:
            listed = [_slice([*_detector(data), data], head, 0)]
        else:
            listed = _stack(data, head, frames)
    return listed


def _parts(group: Any) -> list[Any]:
    """The data sets in the sequences of a functional group."""
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _detector(data: Any) -> list[Any]:
    """In nuclear medicine, the data set that says where the first slice of a detector or a reconstruction lies."""
    detectors = data.get("DetectorInformationSequence") or []
    return [detectors[0]] if len(detectors) == 1 else []


def _stack(data: Any, head: Header, frames: int) -> list[Slice]:
    """The slices of a file that gives the place of its first frame, and the distances of the others from it."""
    first = _slice([*_detector(data), data], head, 0)
    offsets = _offsets(data, first, frames)
    if offsets is None:
        raise BadImage(f"{head.file} holds {frames} frames, and not where each of them lies: a film, which is no volume.")
    if not np.isfinite(first.position).all():
        raise BadImage(
            f"{head.file} does not say where its {frames} frames lie (ImagePositionPatient, ImageOrientationPatient)."
        )
    normal = np.cross(first.across, first.down)
    normal /= np.linalg.norm(normal)
    return [first._replace(place=place, position=first.position + far * normal) for place, far in enumerate(offsets)]


def _offsets(data: Any, first: Slice, frames: int) -> Floats | None:
    """The distances (frames,) in mm from the first slice along the normal; None where the file does not give them."""
    vector = data.get("GridFrameOffsetVector")
    if vector is not None:  # DICOM part 3, C.8.8.3.2
        offsets = np.atleast_1d(np.asarray(vector, float))
        if offsets.shape != (frames,):
            raise ValueError(f"GridFrameOffsetVector has {offsets.size} numbers for {frames} frames")
        if offsets[0] == 0:
            return offsets
        axial = np.allclose(np.cross(first.across, first.down)[:2], 0)
        if axial and np.isclose(offsets[0], first.position[2], atol=1e-3):  # these are places along z, not distances
            return (offsets - offsets[0]) * np.sign(np.cross(first.across, first.down)[2])
        raise ValueError(
            f"GridFrameOffsetVector begins with {offsets[0]:g}, which is neither 0 nor the z of ImagePositionPatient"
        )
    spacing, order = data.get("SpacingBetweenSlices"), data.get("SliceVector")
    if order is None or not spacing or not _detector(data):  # DICOM part 3, C.8.4.15: below zero, they run against the normal
        return None
    places = np.atleast_1d(np.asarray(order, float))
    if places.shape != (frames,):
        raise ValueError(f"SliceVector has {places.size} numbers for {frames} frames")
    return (places - places[0]) * float(spacing)


def _slice(datasets: list[Any], head: Header, place: int) -> Slice:
    """One slice, by the data sets that describe it; the first that has a tag decides."""
    data = head.data

    def tag(name: str, other: Any = None) -> Any:
        return next((dataset.get(name) for dataset in datasets if dataset.get(name) not in (None, "", [])), other)

    measured = tag("PixelSpacing") or tag("ImagerPixelSpacing") or tag("NominalScannedPixelSpacing")
    spacing = np.asarray(measured or (1, 1), float)  # between rows, between columns
    way = np.asarray(tag("ImageOrientationPatient", AXIAL), float)
    placed = tag("ImageOrientationPatient") is not None
    position = np.asarray((placed and tag("ImagePositionPatient")) or (np.nan,) * 3, float)
    if (
        spacing.shape != (2,)
        or not (spacing > 0).all()
        or way.shape != (6,)
        or position.shape != (3,)
        or np.isinf(position).any()
    ):
        raise BadImage(f"{head.file}: its spacing {spacing}, orientation {way} or position {position} is incomplete, or zero.")
    row, column = way[:3], way[3:]
    off = np.array([row @ row - 1, column @ column - 1, row @ column])
    if not np.isfinite(spacing).all() or not (abs(off) < SQUARE).all():
        raise BadImage(
            f"{head.file}: its spacing {spacing} is no number, or its orientation {way} no two directions of length 1 at right "
            "angles."
        )
    thick = float(tag("SpacingBetweenSlices") or tag("SliceThickness") or 1)
    slope, zero, dose = _scale(data, tag)
    notes = ("it does not say how far its pixels are apart (PixelSpacing): taken as 1 mm",) if measured is None else ()
    notes += (
        ("high values are dark in this file (MONOCHROME1)",) if data.get("PhotometricInterpretation") == "MONOCHROME1" else ()
    )
    if not np.isfinite(position).all():
        notes += (f"it does not say where it lies in the body: taken {'' if placed else 'as axial, '}at 0 mm",)
    apart = {name: str(value) for name in (*APART, B_VALUE) if (value := _plain(tag, datasets, name)) is not None}
    shared = {name: str(value).strip() for name in SHARED if (value := tag(name)) is not None}
    shape = int(data.Rows), int(data.Columns)
    across, down = (side / np.linalg.norm(side) * step for side, step in ((row, spacing[1]), (column, spacing[0])))
    return Slice(head.file, place, position, across, down, abs(thick), shape, slope, zero, apart, shared, notes + dose)


def _plain(tag: Any, datasets: list[Any], name: Any) -> Any:
    if isinstance(name, str):
        return tag(name)
    return next((dataset[name].value for dataset in datasets if name in dataset), None)


def _scale(data: Any, tag: Any) -> tuple[float, float, tuple[str, ...]]:
    """Slope and intercept of the rescaling, and notes on them."""
    if data.get("ModalityLUTSequence"):
        return 1.0, 0.0, ()
    slope, zero = float(tag("RescaleSlope", 1)), float(tag("RescaleIntercept", 0))
    notes: tuple[str, ...] = ()
    if data.get("Modality") == "RTDOSE":
        if data.get("DoseGridScaling") in (None, ""):
            raise ValueError("it is a dose without DoseGridScaling, so what its numbers mean is not known")
        slope, zero = float(data.DoseGridScaling), 0.0
        unit = {"GY": "Gy", "RELATIVE": "relative"}.get(str(data.get("DoseUnits")), "a unit that is not said")
        notes = (f"doses, in {unit}",) if unit != "relative" else ("doses, relative to a reference that is not said",)
    if not slope or not np.isfinite([slope, zero]).all():
        raise ValueError(f"its numbers are to be scaled by {slope:g} and {zero:g}, which leaves none of them")
    return slope, zero, notes
