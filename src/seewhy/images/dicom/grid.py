"""Slices stacked to a volume: in the order in which they lie in the body, on one even grid."""

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadImage
from seewhy.printable import printable

from .slice import SHARED, Slice

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # to RAS+ and back
UNEVEN = 0.1  # how far a slice may lie off its place, in distances between slices
ALIKE = 2e-3  # how far the steps from pixel to pixel may differ: half a pixel over 250 of them
CLOSE = 1e-3  # mm: nearer slices lie at the same place


def stacked(slices: list[Slice], name: str) -> tuple[NDArray[np.float32], Floats, tuple[str, ...]]:
    """Values (i, j, k), along columns, rows and slices, the affine in RAS+, and notes.  The list of slices is emptied.

    Raises BadImage where slices are missing, turned or of another size, and where slices at one place differ.
    """
    first = slices[0]
    normal = np.cross(first.across, first.down)
    normal = normal / (np.linalg.norm(normal) or 1)
    if len(slices) > 1:
        _check_grid(slices, name)
    slices.sort(key=lambda each: float(each.position @ normal))
    twice = _once(slices, normal, name)
    first, count = slices[0], len(slices)
    if count == 1:
        corner = first.position if np.isfinite(first.position).all() else np.zeros(3)  # a radiograph
        return _finished(slices, _affine(first, corner, normal * first.thick), twice)
    places = np.array([each.position for each in slices])
    _check_even(places, normal, name)
    return _finished(slices, _affine(first, places[0], (places[-1] - places[0]) / (count - 1)), twice)


def _check_grid(slices: list[Slice], name: str) -> None:
    """Raises BadImage where slices have no position, or pixels of different sizes or directions."""
    if not all(np.isfinite(each.position).all() for each in slices):
        raise BadImage(
            f"{name}: {len(slices)} slices do not say where they lie (ImagePositionPatient, ImageOrientationPatient)."
        )
    steps = np.array([(*each.across, *each.down) for each in slices])
    if abs(steps - steps[0]).max() > ALIKE * abs(steps[0]).max():
        raise BadImage(
            f"{name}: its slices differ in the distance or the direction of their pixels (PixelSpacing, "
            "ImageOrientationPatient), so they are no one grid. Put those that agree in a folder of their own."
        )
    for tag, what in SHARED.items():
        values = sorted({each.shared[tag] for each in slices if tag in each.shared})
        if len(values) > 1:
            raise BadImage(
                f"{name}: its slices differ {what} ({tag}: {printable(', '.join(values), 150)}), so they are no one volume. "
                "Put those that agree in a folder of their own."
            )
    if len({each.shape for each in slices}) > 1:
        raise BadImage(f"{name}: its slices differ in size: {', '.join(sorted({str(each.shape) for each in slices}))}.")


def _once(slices: list[Slice], normal: Floats, name: str) -> tuple[str, ...]:
    """Remove slices that are in the list twice, and note it; the list is in order.  Raises BadImage where slices at one place
    differ.
    """
    unique = slices[:1]
    for each in slices[1:]:
        before = unique[-1]
        if float((each.position - before.position) @ normal) > CLOSE:
            unique.append(each)
        elif not _same(before, each):
            raise _several(slices, each, normal, name)
    again = len(slices) - len(unique)
    slices[:] = unique
    return (f"{again} of its slices are there twice, alike: each is taken once",) if again else ()


def _same(first: Slice, second: Slice) -> bool:
    return np.allclose(first.position, second.position, atol=CLOSE) and np.array_equal(first.scaled, second.scaled)


def _several(slices: list[Slice], doubled: Slice, normal: Floats, name: str) -> BadImage:
    """The error that says by what the slices at the place of `doubled` differ."""
    depth = float(doubled.position @ normal)
    here = [other for other in slices if abs(float(other.position @ normal) - depth) <= CLOSE]
    tags = [tag for tag in here[0].apart if len({other.apart.get(tag) for other in here}) > 1]
    differences = "; ".join(
        f"{_called(tag)} ({printable(', '.join(sorted({other.apart.get(tag, 'not said') for other in here})), 80)})"
        for tag in tags[:4]
    )
    what = (
        f"They differ in {differences}: several phases, echoes or directions"
        if differences
        else "They differ in their pixels alone: several phases, or two scans,"
    )
    files = {other.file for other in here}
    advice = (
        "Put the files of one of them in a folder of their own."
        if len(files) > 1
        else "Part them by a DICOM tool, or convert it to NIfTI, such as with dcm2niix."
    )
    names = ", ".join(sorted(file.name for file in files)[:3])
    return BadImage(
        f"{name}: several slices lie at {depth:.2f} mm along their normal ({len(here)}, in {names}). {what} in one series. "
        f"{advice}"
    )


def _called(tag: object) -> str:
    return tag if isinstance(tag, str) else "the b-value"


def _check_even(places: Floats, normal: Floats, name: str) -> None:
    """Raises BadImage where slices at these positions (n, 3), in order, do not lie evenly on a line."""
    depth = places @ normal
    gaps = np.diff(depth)
    usual = float(np.median(gaps))
    even = np.linspace(places[0], places[-1], len(places))
    off = np.linalg.norm(places - even, axis=1)
    if off.max() > UNEVEN * usual + 0.01:
        at = int(abs(gaps - usual).argmax())
        raise BadImage(
            f"{name}: its {len(places)} slices do not lie evenly: between {depth[at]:.2f} and {depth[at + 1]:.2f} mm along "
            f"their normal there are {gaps[at]:.2f} mm, elsewhere {usual:.2f}. Is a file missing?"
        )


def _finished(
    slices: list[Slice], affine: Floats, notes: tuple[str, ...]
) -> tuple[NDArray[np.float32], Floats, tuple[str, ...]]:
    """The scaled values of the slices; NaN, which stored floats may be, becomes zero."""
    rows, columns = slices[0].shape
    values = np.empty((len(slices), columns, rows), np.float32).transpose(1, 2, 0)
    for k in reversed(range(len(slices))):
        values[:, :, k] = slices.pop().scaled.T
    if lost := sum(int(np.isnan(values[:, :, k]).sum()) for k in range(values.shape[2])):
        notes += (f"{lost} voxels hold NaN: they are taken as 0",)
        np.nan_to_num(values, copy=False, nan=0, posinf=np.inf, neginf=-np.inf)
    return values, affine, notes


def _affine(first: Slice, corner: Floats, step: Floats) -> Floats:
    """The affine in RAS+ (DICOM part 3, C.7.6.2.1.1), with the step between the slices' positions."""
    affine = np.eye(4)
    affine[:3] = np.stack([first.across, first.down, step, corner], 1)
    return LPS @ affine
