"""Siemens mosaics: the slices of a volume as the tiles of one large picture, and how they are unfolded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadImage
from seewhy.images.files import need

from .header import count
from .slice import Slice

COUNTED = "NumberOfImagesInMosaic"
COUNT = (0x0019, 0x100A)  # the number of tiles, in a tag outside of the CSA header
AGAIN = "Take the files as the scanner wrote them, or convert those to NIfTI, such as with dcm2niix."


def is_mosaic(data: Any) -> bool:
    """Is it a mosaic, by ImageType (Siemens, United Imaging) or by a tag with the number of tiles?"""
    if count(data) > 1:
        return False
    kinds = data.get("ImageType") or ()
    kinds = {str(kind).upper() for kind in ([kinds] if isinstance(kinds, str) else kinds)}
    return bool(kinds & {"MOSAIC", "VFRAME"}) or (_tagged(data) or _number(_csa(data), COUNTED) or 1) > 1


def _tagged(data: Any) -> int | None:
    if COUNT not in data or "SIEMENS" not in str(data.get("Manufacturer") or "SIEMENS").upper():
        return None
    value = data[COUNT].value
    value = int.from_bytes(value[:2], "little") if isinstance(value, bytes) else value
    return int(value)


def tiles(whole: Slice, data: Any, name: str) -> list[Slice]:
    """The slices of a mosaic, of which `whole` is the picture of all tiles.

    The position in the header is that of the first pixel of a slice as large as the whole picture, with the same centre;
    slices follow each other along the normal in the CSA header, which may point against that of rows and columns.  Raises
    BadImage where one of these is missing: then the order of slices would be a guess.
    """
    csa = _csa(data)
    slices = _number(csa, COUNTED) or _tagged(data)
    normal = np.array([float(number) for number in csa.get("SliceNormalVector", ())])
    if not slices or normal.shape != (3,) or not np.isfinite(whole.position).all():
        missing = (
            "where it lies"
            if slices and normal.shape == (3,)
            else "how many slices it holds and in which direction they follow"
        )
        raise BadImage(
            f"{name} holds the slices of a volume as tiles of one picture (a mosaic), and does not say {missing}: the "
            f"scanner's private tags (the CSA header) are missing, as anonymising often leaves it. {AGAIN}"
        )
    if slices > 1 and not data.get("SpacingBetweenSlices"):
        raise BadImage(f"{name}: it does not say how far the slices of its mosaic are apart (SpacingBetweenSlices). {AGAIN}")
    side = int(np.ceil(np.sqrt(slices)))
    rows, columns = whole.shape[0] // side, whole.shape[1] // side
    if side < 1 or whole.shape != (rows * side, columns * side) or not rows * columns:
        raise BadImage(
            f"{name}: {slices} slices as {side}x{side} tiles do not share out its {whole.shape[1]}x{whole.shape[0]} pixels."
        )
    plain = np.cross(whole.across, whole.down)
    plain /= np.linalg.norm(plain)
    if abs(abs(plain @ normal) - 1) > 0.01:
        raise BadImage(f"{name}: its slices' normal {normal} (CSA header) does not stand on its rows and columns. {AGAIN}")
    step = plain * np.sign(plain @ normal) * whole.thick
    first = whole.position + whole.across * (whole.shape[1] - columns) / 2 + whole.down * (whole.shape[0] - rows) / 2
    return [whole._replace(place=k, position=first + k * step, shape=(rows, columns)) for k in range(slices)]


def unfolded(picture: NDArray[Any], slices: list[Slice]) -> list[Slice]:
    """The slices of a mosaic with their pixels, which are cut from the picture of all tiles."""
    rows, columns = slices[0].shape
    wide = picture.shape[1] // columns

    def tile(place: int) -> NDArray[Any]:
        top, left = place // wide * rows, place % wide * columns
        return picture[top : top + rows, left : left + columns]

    return [each._replace(pixels=tile(each.place)) for each in slices]


def _csa(data: Any) -> dict[str, list[Any]]:
    """The tags of the CSA image header; none where it is missing or broken."""
    if (0x0029, 0x0010) not in data:
        return {}
    need("nibabel")
    from nibabel.nicom import csareader  # here, for nibabel is an extra

    try:
        header = csareader.get_csa_header(data) or {"tags": {}}
    except Exception:  # noqa: BLE001 - a broken header may raise anything
        return {}
    return {name: tag["items"] for name, tag in header["tags"].items()}


def _number(csa: dict[str, list[Any]], name: str) -> int | None:
    items = [item for item in csa.get(name, ()) if item not in ("", None)]
    return int(items[0]) if items else None
