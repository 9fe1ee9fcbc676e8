"""One DICOM file: its header and its pixels, whose claimed sizes are checked before memory is taken for them."""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from seewhy.errors import BadImage, MissingExtra
from seewhy.images.decoding import decoding
from seewhy.images.files import need
from seewhy.images.volume_kinds import is_dicom
from seewhy.printable import printable

from .coded import check_coded

DEFLATED = "1.2.840.10008.1.2.1.99"
CHUNK = 1 << 20


class Header(NamedTuple):
    """The header of a file: all that comes before its pixels."""

    data: Any  # a pydicom Dataset
    file: Path
    left: int | None  # bytes of the file from its pixels on; None where this is unknown


def header(file: Path, name: str, most: int) -> Header:
    """The header of a file.  Raises BadImage for a broken file or no DICOM file, and where inflating needs more than `most`
    voxels.
    """
    pydicom = need("pydicom")
    with decoding(f"{name} cannot be read as DICOM"):
        if not is_dicom(file):
            raise BadImage(_no_dicom(file, name))
        packed = _is_deflated(file)
        if packed:
            _check_deflated(file, name, 4 * most)
        with file.open("rb") as opened:
            data = pydicom.dcmread(opened, stop_before_pixels=True, force=True)
            left = None if packed else file.stat().st_size - opened.tell()
        if not len(data):
            raise BadImage(f"{name} cannot be read as DICOM: it says nothing.")
        return Header(data, file, left)


def _no_dicom(file: Path, name: str) -> str:
    reason = "the letters DICM after the first 128 bytes are missing"
    return f"{name} is no DICOM file: {reason}. If it is an older one, save it anew with a DICOM tool."


def _is_deflated(file: Path) -> bool:
    pydicom = need("pydicom")
    with file.open("rb") as opened:
        if opened.read(132)[128:] != b"DICM":
            return False
    return str(pydicom.filereader.read_file_meta_info(file).get("TransferSyntaxUID")) == DEFLATED


def _check_deflated(file: Path, name: str, most: int) -> None:
    """Raises BadImage where a deflated file is too large when inflated; the bytes are counted, not kept."""
    pydicom = need("pydicom")
    with file.open("rb") as opened:
        pydicom.filereader.read_preamble(opened, force=False)
        pydicom.filereader._read_file_meta_info(opened)
        made, unpack = 0, zlib.decompressobj(-zlib.MAX_WBITS)
        while part := opened.read(CHUNK):
            while part:
                made += len(unpack.decompress(part, CHUNK))
                part = unpack.unconsumed_tail
                if made > most:
                    raise BadImage(f"{name} is too large: unpacked (it is deflated) it has more than {most} bytes.")


def check_image(head: Header, name: str) -> None:
    """Raises BadImage where a file has no pixels, colours instead of single numbers, or fewer pixels than it claims."""
    data = head.data
    if "Rows" not in data:
        if "DirectoryRecordSequence" in data:
            raise BadImage(
                f"{name} is the table of contents of a disc (DICOMDIR): give the folder of the series that you mean."
            )
        raise BadImage(f"{name} is a DICOM file without an image ({printable(data.get('Modality') or 'of no modality', 64)}).")
    samples, meaning = int(data.get("SamplesPerPixel") or 1), str(data.get("PhotometricInterpretation") or "MONOCHROME2")
    if samples != 1 or not meaning.startswith("MONOCHROME"):
        how = "colours by a table (PALETTE COLOR)" if meaning == "PALETTE COLOR" else "colours"
        raise BadImage(f"{name} holds {how}, which are no volume: save it as a picture (.png), and give that.")
    if int(data.Rows) < 1 or int(data.Columns) < 1:
        raise BadImage(f"{name} holds no pixels: it is {data.Columns}x{data.Rows}.")
    bits = int(data.get("BitsAllocated") or 16)
    promised = (count(data) * int(data.Rows) * int(data.Columns) * bits + 7) // 8
    if head.left is not None and _native(data) and promised > head.left:
        raise BadImage(
            f"{name} cannot be read: it tells of {promised} bytes of pixels, and has {max(0, head.left)}. It is cut off, "
            "or holds no image."
        )


def count(data: Any) -> int:
    """The number of frames, by the header."""
    frames = int(data.get("NumberOfFrames") or 1)
    if frames < 1:
        raise ValueError(f"NumberOfFrames is {frames}")
    return frames


def _native(data: Any) -> bool:
    syntax = _syntax(data)
    return syntax is None or not syntax.is_encapsulated


def _syntax(data: Any) -> Any:
    """The transfer syntax; None where the file does not name it, or it is private."""
    syntax = getattr(data, "file_meta", {}).get("TransferSyntaxUID")
    return syntax if syntax is not None and syntax.is_transfer_syntax and not syntax.is_private else None


def pixels(file: Path, name: str) -> NDArray[Any]:
    """The stored pixels (frames, rows, columns); only a Modality LUT is applied."""
    pydicom = need("pydicom")
    with decoding(f"{name} cannot be read"):
        data = pydicom.dcmread(file, force=True)
        syntax = _syntax(data)
        if syntax is None and not data.get("file_meta", {}).get("TransferSyntaxUID"):
            _assume_syntax(data)
        elif syntax is not None and syntax.is_encapsulated:
            _check_decoder(syntax, name)
            check_coded(data, name)
        shift = _align(data)
        stored = data.pixel_array
        stored = stored >> shift if shift else stored
        if data.get("ModalityLUTSequence"):
            stored = pydicom.pixels.apply_modality_lut(stored, data)
        return stored.reshape(-1, int(data.Rows), int(data.Columns))


def _assume_syntax(data: Any) -> None:
    """Set the transfer syntax of a file without a file meta group to that by which its header was read."""
    # here, for pydicom is an extra
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = data.original_encoding
    data.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    )


def _check_decoder(syntax: Any, name: str) -> None:
    from pydicom.pixels.decoders.base import get_decoder  # here, for pydicom is an extra

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise BadImage(f"{name} is compressed as {syntax.name}, which no package reads here: decompress it first.") from None
    if not decoder.is_available:
        raise MissingExtra(f"{name} is compressed as {syntax.name}, and pylibjpeg, which decodes that,", "medical")


def _align(data: Any) -> int:
    """By how many bits pixels must be shifted down, so that their lowest stored bit becomes bit 0."""
    stored, allocated = int(data.get("BitsStored") or 16), int(data.get("BitsAllocated") or 16)
    high = int(data.get("HighBit", stored - 1))
    shift = high + 1 - stored
    if not shift or not _native(data) or "PixelData" not in data:
        return 0
    if not 0 < shift <= allocated - stored:
        raise ValueError(f"HighBit is {high}, of {stored} bits stored in {allocated}")
    data.BitsStored = high + 1
    return shift
