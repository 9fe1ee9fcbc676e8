"""A file that seewhy saved, verified: its map is made again from the Source in it, and held against what the file holds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path, PurePath
from typing import Any
from zipfile import ZipFile

import numpy as np
from PIL import Image

from seewhy.archives import DAMAGED
from seewhy.arrays import Floats
from seewhy.errors import BadImage, BadParameter, BadRecord, SeewhyError
from seewhy.images.files import has_suffix, need
from seewhy.images.geotiff import opened_scene, rasterio_module
from seewhy.images.volume_kinds import NIFTI
from seewhy.json_text import json_of
from seewhy.maps.georeference import geotiff
from seewhy.maps.heatmap import Heatmap, overlay_of
from seewhy.maps.made_here import is_sheet
from seewhy.maps.record import sha256_of
from seewhy.maps.source import Source
from seewhy.maps.stored_source import drawing_of, record_in, source_of
from seewhy.printable import in_percent, printable

from .difference import of_values
from .record import EvidenceRecord, same_source
from .record_again import record_again
from .remade import Held, Remade, again

MOST = 2**31  # bytes of the arrays in a file
LEVELS, SHARE = 3, 1e-3  # of a map that is the same to rounding: this share of pixels may be off by more levels of 255
DREW = ("seewhy", "pillow")  # whose versions decide what a picture of the same map looks like


def verify(
    path: str | Path, model: Any = None, image: Any = None, target: Any = None, trust: bool = False,
    key: str | Path | None = None, **params: Any,
) -> Remade:  # fmt: skip
    """Make the map of a saved file again, and say whether it is the same: bit for bit, to rounding, or different and where.

    path: a .png, .svg, .pdf, .npz, NIfTI or GeoTIFF file that `Heatmap.save` or the command line wrote.  Of an .npz, a NIfTI
        and a GeoTIFF file, all values are compared; of a picture those that its Source keeps, and then of a PNG its pixels,
        with those drawn anew.  Or an evidence record, .json or in a PNG: its checks are run again, too.
    model, image, target, trust, params: as for `Source.again`.
    key: the PEM file of the public key that a record has to be signed by.
    Raises BadParameter for an .npy file, which carries no Source, BadImage for any other file without one, BadRecord for a
    record that is damaged or was changed.
    """
    if not isinstance(path, str | PurePath):
        one = "of a map in memory: heatmap.source.again()"
        raise BadParameter(f"verify takes the path of a file that seewhy saved, not {type(path).__name__}; {one}.")
    path = Path(path)
    check_kind(path, key)
    if path.suffix.lower() == ".json":
        return record_again(EvidenceRecord.read(path), model, image, target, trust, params, key)
    source = source_of(path)
    if path.suffix.lower() == ".png":
        remade = _record_of_picture(path, source, model, image, target, trust, params, key)
        remade = remade or again(source, model, image, target, trust, params)
        return remade if remade.same == "different" else remade.with_faults(_faults_of_picture(path, source, remade))
    if path.suffix.lower() == ".npz":
        values = _values_of(path)
        remade = again(source, model, image, target, trust, params, lambda heatmap: of_values(values, heatmap.values))
        return remade.with_faults(_faults_of_values(source, values))
    if path.suffix.lower() in (".svg", ".pdf"):
        remade = again(source, model, image, target, trust, params)
        return replace(remade, differences=(*remade.differences, "the picture itself was not compared: only that of a PNG is"))
    held = _held_by_nifti(path) if has_suffix(path, NIFTI) else _held_by_scene(path, image)
    return again(source, model, image, target, trust, params, held)


def check_kind(path: Path, key: str | Path | None = None) -> None:
    """Raise BadParameter for a file of a kind that carries no Source, and with a key, for one that carries no record; BadRecord
    for a record that is damaged, was changed, or does not hold as `EvidenceRecord.signer` has it.
    """
    if path.suffix.lower() == ".npy":
        raise BadParameter(
            f"{path}: an .npy file holds values alone, and nothing of what made them. Save as .npz, .png, NIfTI or GeoTIFF."
        )
    if is_sheet(path):
        raise BadParameter(f"{path} shows many maps, and is none of them: verify the files that it shows.")
    if path.suffix.lower() == ".json" or (path.suffix.lower() == ".png" and path.is_file() and record_in(path)):
        EvidenceRecord.read(path).signer(key)
    elif key is not None:
        raise BadParameter(f"{path} carries no record, which alone is signed: leave the key out, or verify its .record.json.")


def _values_of(path: Path) -> Floats:
    """The values in an .npz file."""
    try:
        with ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST:
                raise BadImage(f"{path} holds arrays of more than {MOST:,} bytes, which are not read.")
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays["values"], np.float32)
    except DAMAGED as error:
        raise BadImage(f"{path} holds no values as seewhy writes them: {printable(error, 300)}") from None


def _faults_of_values(source: Source, values: Floats) -> list[str]:
    """Are the values in a file those that its Source tells of?"""
    said = source.values.get("sha256")
    return [] if said in (None, sha256_of(values)) else ["the file's values are not those that its Source tells of"]


def _held_by_nifti(path: Path) -> Held:
    """Holds a map against the voxels of a NIfTI file, and where they lie."""
    try:
        volume = need("nibabel").load(path)
        values, affine = np.asarray(volume.dataobj, np.float32), volume.affine
    except SeewhyError:
        raise
    except Exception as error:  # noqa: BLE001 - nearly anything is raised on a stranger's file
        raise BadImage(f"{path} cannot be read as NIfTI: {printable(error, 300)}") from None

    def held(heatmap: Heatmap) -> Any:
        found = of_values(values, heatmap.full())
        placed: Any = getattr(heatmap.image, "affine", affine)
        return found and found._replace(elsewhere=_apart(affine, placed, values.shape))

    return held


def _held_by_scene(path: Path, image: Any) -> Held:
    """Holds a map against the numbers of a GeoTIFF file, and where they lie.  image: the scene, if it is a path."""

    def held(heatmap: Heatmap) -> Any:
        made = geotiff(overlay_of(heatmap), heatmap.source, image if isinstance(image, str | Path) else None)
        with opened_scene(path) as file, rasterio_module().MemoryFile(made) as memory, memory.open() as new:
            found, elsewhere = of_values(file.read(1), new.read(1)), ""
            if file.crs != new.crs:
                elsewhere = f"it lies elsewhere on the earth: in {file.crs} as saved, in {new.crs} made again"
            elif not file.transform.almost_equals(new.transform, 1e-6):
                saved, made = (np.reshape(each.transform, (3, 3)) for each in (file, new))
                far, unit = _moved(saved, made, file.shape[::-1]), new.crs.units_factor[0] if new.crs else "unit"
                elsewhere = f"it lies elsewhere on the earth, by up to {far:.3g} {unit}s"
            return found and found._replace(elsewhere=elsewhere)

    return held


def _apart(saved: Floats, made: Floats, shape: Sequence[int]) -> str:
    """How far voxels of that shape lie from where a new map's lie, by the affines (4, 4) of both; "" where not at all."""
    far, side = _moved(saved, made, shape), float(np.linalg.norm(made[:3, :3], axis=0).min())
    rounding = 1e-3 * side + 1e-6 * float(abs(made).max())  # of a header's float32
    return f"it lies elsewhere than the map made again, by up to {far:.3g} mm" if not far <= rounding else ""


def _moved(saved: Floats, made: Floats, shape: Sequence[int]) -> float:
    """The longest way from where one affine puts a corner of an array of that shape to where the other puts it."""
    corners = np.array([*product(*((0, side) for side in shape), [1])], float)
    return float(np.linalg.norm(corners @ (saved - made).T, axis=1).max())


def _record_of_picture(path: Path, source: Source, *asked: Any) -> Remade | None:
    """What came of the record that a PNG carries; None where it carries none."""
    if not record_in(path):
        return None
    record = EvidenceRecord.read(path)
    if not same_source(record.source, source):
        raise BadRecord(f"{path}: the record in it is not of this map: {printable(record.source, 300)}.")
    return record_again(record, *asked)


def _faults_of_picture(path: Path, source: Source, remade: Remade) -> list[str]:
    """Are the pixels of a PNG file those that are drawn of the map anew?  What else it was drawn by, cannot be told."""
    said = _drawing(path)
    if said is None:
        return ["the file does not say how its picture was drawn, so nobody knows whether it is of this map"]
    try:
        drawn = np.asarray(remade.heatmap.drawn(said["picture"], **said["look"]).convert("RGB"), np.int16)
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGB"), np.int16)
    except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError, SeewhyError) as error:
        return [f"its picture cannot be drawn again: {printable(error, 300)}"]
    if pixels.shape != drawn.shape:
        return [f"its picture is {_size(pixels)} pixels large, and {_size(drawn)} drawn again"]
    off = abs(pixels - drawn).max(-1)
    exact = remade.same == "bit for bit" and not _drawn_by_others(source, remade)
    wrong = float((off > (0 if exact else LEVELS)).mean())
    if wrong <= (0 if exact else SHARE):
        return []
    row, column = np.unravel_index(int(off.argmax()), off.shape)
    most = f"most at ({column}, {row}) of the picture"
    return [f"{in_percent(wrong, 2)} of its pixels are not those that are drawn of this map, {most}"]


def _drawing(path: Path) -> dict[str, Any] | None:
    try:
        said = json_of(drawing_of(path))
    except ValueError:
        return None
    known = isinstance(said, dict) and isinstance(said.get("picture"), str) and isinstance(said.get("look"), Mapping)
    return said if known else None


def _drawn_by_others(source: Source, remade: Remade) -> bool:
    now = remade.heatmap.source.versions
    return any(source.versions.get(name, now.get(name)) != now.get(name) for name in DREW)


def _size(pixels: Floats) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
