"""NIfTI, Analyze and MGH files, read by nibabel.

Sizes in a header are checked before memory is taken for them.  A header that does not say how the patient lies gives a note.
Only the wanted volume is read, slab by slab.
"""

import gzip
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadImage

from .decoding import decoding, quietly
from .files import has_suffix, need
from .volume import SIDES_UNSAID, Volume, check_voxels, places_voxels

MM = {"micron": 1e-3, "meter": 1e3}  # mm per unit of a NIfTI header
PAIR = (".hdr", ".img")
MGH, KINDS = (".mgh", ".mgz"), (0, 1, 3, 4, 10)  # suffixes, and codes of the kinds of voxels, of MGH files
PACKED = 1040  # a file unpacked by gzip is at most this many times larger
LONGEST = 1 << 26  # bytes before the voxels of a packed file: its header and extensions
SLAB = 1 << 24  # voxels that are scaled at a time
APART = 0.1  # in voxels: if sform and qform differ by more, there is a note
GUESSED = (
    "so this is a guess, as nibabel makes it: axes to the {ways}. Left and right, and the order of the axes, may be others; if "
    "you know them, read it as a seewhy.Volume(values, affine)"
)


def read_nifti(file: Path, name: str, channels: bool, most: int) -> Volume:
    """The Volume in a NIfTI (.nii, .nii.gz, .hdr and .img), Analyze or MGH file; of several the first, or all as channels.

    Raises BadImage for other files and broken ones, where the header claims more voxels than the file holds, and for more than
    `most` voxels.
    """
    nibabel = need("nibabel")
    with decoding(f"{name} cannot be read as a volume"):
        if mgh := has_suffix(file, MGH):
            _check_mgh(file, name, most)
        elif has_suffix(file, (".gz",)):
            _check_packed(file, name)
        elif has_suffix(file, PAIR):
            _check_pair(file, name)
        with quietly("nibabel.global") as logged:
            image: Any = nibabel.load(file, mmap=False, keep_file_open=True)
            notes = tuple(f"in its header, nibabel found: {text}" for text in logged)
            if not isinstance(image, nibabel.spatialimages.SpatialImage):
                raise BadImage(f"{name} holds no volume of voxels, but a surface or the like ({type(image).__name__}).")
            _check_claims(image, name)
            values, remarks = _voxels(image, name, channels, most)
            placed = _placed(nibabel, image, _beginning(file) if mgh else b"", name)
    return Volume(values, placed.affine, name, (*remarks, *placed.notes, *notes), placed.header)


def _check_pair(file: Path, name: str) -> None:
    """Raises BadImage where one of the two files of a pair, header and voxels, is missing."""
    other = ".img" if has_suffix(file, (".hdr",)) else ".hdr"
    beside = [file.with_suffix(other), file.with_suffix(other.upper())]
    if not any(path.is_file() for path in beside):
        raise BadImage(f"{name} cannot be read as a volume: {beside[0].name} must lie beside it, and is not there.")


def _check_mgh(file: Path, name: str, most: int) -> None:
    """Raises BadImage for an MGH header that is broken or claims too many voxels: nibabel would read past all of them."""
    head = _beginning(file)
    if len(head) < 30:
        raise BadImage(f"{name} cannot be read as a volume: it is cut off, after {len(head)} bytes.")
    version, *sides, kind = struct.unpack(">6i", head[:24])
    if version != 1 or kind not in KINDS or min(sides) < 1:
        raise BadImage(f"{name} cannot be read as a volume: it does not begin as an MGH file does.")
    check_voxels(sides[:3], most, name)


def _beginning(file: Path) -> bytes:
    with gzip.open(file) if has_suffix(file, (".mgz",)) else file.open("rb") as opened:
        return opened.read(30)


def _check_packed(file: Path, name: str) -> None:
    """Raises BadImage where a packed header claims such large extensions that nibabel would unpack the whole file for them."""
    with gzip.open(file) as opened:
        head = opened.read(544)
        order = next((o for o in "<>" if head[:4] in (struct.pack(f"{o}i", 348), struct.pack(f"{o}i", 540))), None)
        if len(head) < 544 or order is None:
            return  # no NIfTI: nibabel raises the error
        new = struct.unpack(f"{order}i", head[:4])[0] == 540
        (first,) = struct.unpack(f"{order}q", head[168:176]) if new else struct.unpack(f"{order}f", head[108:112])
        start = 544 if new else 352
        if not 0 <= first <= LONGEST:
            raise BadImage(f"{name} cannot be read as a volume: its header places the first voxel at byte {first:.0f}.")
        if head[start - 4] == 0:
            return
        rest = head + opened.read(max(0, int(first) - 544))
    while start + 8 <= min(first, len(rest)):
        (size,) = struct.unpack(f"{order}i", rest[start : start + 4])
        if not 8 <= size <= first - start:
            raise BadImage(f"{name} cannot be read as a volume: a part of its header claims {size} bytes, which it has not.")
        start += size


def _check_claims(image: Any, name: str) -> None:
    """Raises BadImage where the file is too short for the voxels that its header claims."""
    header, file = image.header, Path(str(image.dataobj.file_like))
    sides = image.shape
    if not sides or min(sides) < 1:
        raise BadImage(f"{name} is {'x'.join(map(str, sides)) or 'empty'}: no volume (i, j, k).")
    size, offset = file.stat().st_size, int(image.dataobj.offset)
    promised = offset + int(np.prod([int(side) for side in sides], dtype=object)) * header.get_data_dtype().itemsize
    held = size * PACKED if has_suffix(file, (".gz", ".mgz")) else size
    if offset < 0 or promised > held:
        claim = f"{promised} bytes ({'x'.join(map(str, sides))} voxels)"
        room = f"{'no more than ' if held > size else ''}{held}"
        raise BadImage(
            f"{name} cannot be read as a volume: its header tells of {claim}, the file holds {room}: it is cut off, or broken."
        )


def _voxels(image: Any, name: str, channels: bool, most: int) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The voxels (i, j, k) or (i, j, k, c) as float32, scaled by the file's slope and intercept; and notes."""
    data, shape, notes = image.dataobj, tuple(map(int, image.shape)), ()
    if data.dtype.kind not in "fiu":
        raise BadImage(f"{name} holds {data.dtype} voxels, which are no single numbers: colours or complex ones.")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 5 and shape[3] == 1:  # NIfTI stores vectors in the fifth dimension
        count, place = shape[4], lambda c: (0, c)
    elif len(shape) == 4:
        count, place = shape[3], lambda c: (c,)
    elif len(shape) in (1, 2, 3):
        count, place = 0, lambda _c: ()
    else:
        raise BadImage(f"{name} is {'x'.join(map(str, shape))}: no volume (i, j, k), nor several of them.")
    if count and not channels:
        notes = (f"{count} volumes in one file: the first is explained (channels=True takes all as channels)",)
    space = (*shape[:3], 1, 1)[:3]
    whole = (*space, count) if count and channels else space
    check_voxels(whole, most, name)
    values = np.empty(whole, np.float32, order="F")
    lost = 0
    for c in range(whole[3] if len(whole) == 4 else 1):
        into = values[..., c] if len(whole) == 4 else values
        lost += _fill(into, data, len(image.shape), place(c))
    if lost:
        notes += (f"{lost} voxels hold NaN: they are taken as 0",)
    return values, notes


def _fill(values: NDArray[np.float32], data: Any, axes: int, place: tuple[int, ...]) -> int:
    """Read a file's array into `values` (i, j, k), slab by slab.  NaN, which some tools write outside the brain, becomes zero;
    returns how many were NaN.
    """
    i, j, k = values.shape
    step = max(1, SLAB // (i * j))
    lost = 0
    for first in range(0, k, step):
        slab = (slice(None), slice(None), slice(first, first + step))[: min(axes, 3)]
        rest = (*place, *(0 for _ in range(axes - len(slab) - len(place))))
        read = np.asarray(data[(*slab, *rest)], np.float32).reshape(i, j, -1)
        gone = np.isnan(read)
        if gone.any():
            lost += int(gone.sum())
            read = np.where(gone, np.float32(0), read)
        values[:, :, first : first + step] = read
    return lost


class Placement(NamedTuple):
    """Where the voxels lie, notes on that, and the header to save a map with."""

    affine: Floats  # (4, 4), to mm in RAS+
    notes: tuple[str, ...]
    header: Any


def _placed(nibabel: Any, image: Any, mgh: bytes, name: str) -> Placement:
    header = image.header
    if isinstance(header, nibabel.Nifti1Header):
        placed = _by_forms(header.copy(), name, image.shape)
        scale, unknown = _unit(header)
        return placed._replace(affine=np.diag([scale, scale, scale, 1]) @ placed.affine, notes=placed.notes + unknown)
    affine = np.asarray(image.affine, np.float64)
    # MGH: goodRASFlag, which nibabel's header no longer knows; Analyze: SPM may keep where it lies in a .mat file beside
    unsaid = not any(mgh[28:30]) if mgh else np.allclose(affine, header.get_best_affine())
    guess = GUESSED.format(ways=_ways(nibabel, affine))
    notes = (f"the header {SIDES_UNSAID}, {guess}",) if unsaid else ()
    return Placement(affine, notes, None)


def _unit(header: Any) -> tuple[float, tuple[str, ...]]:
    """The length of one unit in mm, and a note where the header names no unit of length."""
    try:
        return MM.get(header.get_xyzt_units()[0], 1.0), ()
    except KeyError:
        return 1.0, (f"its header names no unit that there is (code {int(header['xyzt_units'])}): taken as mm",)


def _by_forms(header: Any, name: str, shape: tuple[int, ...]) -> Placement:
    """The placement by sform, which nibabel and others prefer, else by qform, else by a guess."""
    import nibabel  # here, for it is an extra

    codes = {form: int(header[f"{form}_code"]) for form in ("sform", "qform")}
    affines = {form: _form(header, form) for form, code in codes.items() if code > 0}
    good = {form: affine for form, affine in affines.items() if places_voxels(affine)}
    if not affines:
        affine = header.get_base_affine()
        reason = f"the header {SIDES_UNSAID} (sform_code and qform_code are 0)"
        return Placement(affine, (f"{reason}, {GUESSED.format(ways=_ways(nibabel, affine))}",), header)
    if not good:
        raise BadImage(
            f"{name}: its {' and its '.join(affines)} place{'s' if len(affines) == 1 else ''} no voxel in space (zero, or no "
            "numbers). Mend the header, or give a seewhy.Volume(values, affine)."
        )
    form, affine = next(iter(good.items()))
    bad = [other for other in affines if other not in good]
    notes = tuple(f"its {other} places no voxel in space: {form} is used" for other in bad)
    if "sform" in bad:
        header["sform_code"] = 0  # so that maps saved with this header lie at the same place
    if len(good) == 2 and (apart := _apart(good["sform"], good["qform"], shape)) > APART * min(_lengths(affine)):
        notes += (f"its sform and its qform place voxels up to {apart:.4g} mm apart: sform is used, as most tools do",)
    sides, pixdim = _lengths(affine), np.asarray(header["pixdim"][1:4], float)
    if form == "sform" and not (abs(pixdim - sides) <= APART * sides).all():
        size, used = ("x".join(f"{side:.4g}" for side in each) for each in (pixdim, sides))
        notes += (f"its header tells of voxels of {size} mm (pixdim), its sform of {used} mm: sform is used, as most tools do",)
    return Placement(affine, notes, header)


def _form(header: Any, form: str) -> Floats:
    """The affine (4, 4) by sform or qform; NaN where it cannot be computed."""
    try:
        return np.asarray(getattr(header, f"get_{form}")(), np.float64)
    except Exception:  # noqa: BLE001 - nibabel raises several kinds of errors for broken numbers
        return np.full((4, 4), np.nan)


def _apart(first: Floats, second: Floats, shape: tuple[int, ...]) -> float:
    """The largest distance in mm between the places that two affines give to a corner of the volume."""
    sides = [(0, side - 1) for side in (*shape, 1, 1)[:3]]
    corners = np.array([(i, j, k, 1) for i in sides[0] for j in sides[1] for k in sides[2]], float)
    return float(np.linalg.norm((corners @ (first - second).T)[:, :3], axis=1).max())


def _lengths(affine: Floats) -> Floats:
    return np.linalg.norm(affine[:3, :3], axis=0)


def _ways(nibabel: Any, affine: Floats) -> str:
    words = {"L": "left", "R": "right", "A": "front", "P": "back", "S": "head", "I": "feet"}
    try:
        return ", the ".join(words[code] for code in nibabel.aff2axcodes(affine))
    except Exception:  # noqa: BLE001 - a singular affine, which Volume refuses
        return "nowhere"
