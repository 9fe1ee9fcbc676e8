"""Files that Pillow cannot read as pictures: what they are, and what to do with them."""

from pathlib import Path
from typing import Any

RAW = (
    "Develop it first: rawpy.imread(path).postprocess() in Python gives an array (h, w, 3) (pip install rawpy), "
    "`dcraw -T photo.nef` on the command line a TIFF."
)
TO_PNG = "Convert it, `heif-convert photo.heic photo.png` or `magick photo.heic photo.png`; or in Python, before it is read: "
HEIF = "HEIF", TO_PNG + "pip install pillow-heif, then pillow_heif.register_heif_opener()."
AVIF = "AVIF", "Pillow reads it from version 11.3 on, and no such file that is broken."
JXL = "JPEG XL", "Convert it, `djxl photo.jxl photo.png`; or in Python: pip install pillow-jxl-plugin, then import pillow_jxl."
SVG = "SVG, a drawing without pixels", "Draw it: `rsvg-convert -w 1024 drawing.svg -o drawing.png`, or cairosvg in Python."
PDF = "PDF", "Draw its pages: `pdftoppm -r 150 -png file.pdf page` (poppler)."
POSTSCRIPT = "PostScript, a program", "It is not run here. Draw it: `gs -dSAFER -sDEVICE=png16m -r150 -o page.png file.eps`."
METAFILE = "a Windows metafile", "Draw it: `inkscape drawing.emf -o drawing.png`."
SENSOR = "raw data of a camera's sensor", RAW
HDR = "a picture of high dynamic range", "Read it (OpenEXR, imageio), choose what is white, and give uint8 (h, w, 3)."
HDF5 = "HDF5", "Read the array with h5py, scale it to uint8 (h, w, 3), and give that."
GRIB = "GRIB or BUFR", "Read the field with cfgrib or eccodes, scale it to uint8, and give that."
NETCDF = "NetCDF", "Read the array with xarray, scale it to uint8 (h, w, 3), and give that."
FILM = "a film", "Take its frames out, `ffmpeg -i film.mp4 frames/%05d.png`, and give the folder."
NUMPY = (
    "an array of numpy",
    "Load it, numpy.load(path), and give that: uint8 (h, w, 3), or a prepared float batch (n, c, h, w).",
)
PACKED = "a packed archive", "Unpack it first."
WEB = "a web page", "The address that it was fetched from leads to a page about the picture, or to an error."
LFS = "a pointer of Git LFS", "Fetch the file itself: git lfs pull."
DICOM = (
    "DICOM",
    "Models that take volumes read it: wrap(network, prepare={'orientation': 'LPS', ...}), with the extra `medical` installed.",
)
SLIDE = "a microscope's file", "Read a region of it with openslide or bioio, and give the array: uint8 (h, w, 3)."
DRAWING = "a drawing program's own file", "Export it as PNG."

BRANDS = {b"avif": AVIF, b"avis": AVIF, b"heic": HEIF, b"heix": HEIF, b"hevc": HEIF, b"hevx": HEIF, b"heim": HEIF,
          b"heis": HEIF, b"mif1": HEIF, b"msf1": HEIF, b"crx ": SENSOR}  # fmt: skip
STARTS = {
    b"\xff\x0a": JXL, b"\0\0\0\x0cJXL ": JXL, b"%PDF": PDF, b"%!PS": POSTSCRIPT, b"\xc5\xd0\xd3\xc6": POSTSCRIPT,
    b"\xd7\xcd\xc6\x9a": METAFILE, b"\x01\0\0\0\x6c\0\0\0": METAFILE, b"\x76\x2f\x31\x01": HDR, b"#?RADIANCE": HDR,
    b"#?RGBE": HDR,
    b"\x89HDF": HDF5, b"GRIB": GRIB, b"BUFR": GRIB, b"CDF": NETCDF, b"\x1aE\xdf\xa3": FILM, b"\0\0\x01\xb3": FILM,
    b"\0\0\x01\xba": FILM, b"\x93NUMPY": NUMPY, b"PK\x03\x04": PACKED, b"\x1f\x8b": PACKED, b"7z\xbc\xaf": PACKED,
    b"Rar!": PACKED,
    b"version https://git-lfs": LFS, b"gimp xcf": DRAWING, b"ZISRAWFILE": SLIDE, b"FUJIFILMCCD-RAW": SENSOR, b"IIRO": SENSOR,
    b"IIU\0": SENSOR, b"IIRS": SENSOR, b"FOVb": SENSOR,
}  # fmt: skip
ENDINGS = {
    **dict.fromkeys((".heic", ".heif"), HEIF), ".avif": AVIF, ".jxl": JXL, ".svg": SVG, ".svgz": SVG, ".pdf": PDF,
    **dict.fromkeys((".eps", ".ps", ".ai"), POSTSCRIPT), **dict.fromkeys((".wmf", ".emf"), METAFILE),
    **dict.fromkeys((".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef",
                     ".srw", ".3fr", ".iiq", ".x3f", ".raw", ".rwl", ".kdc", ".dcr", ".mrw", ".erf"), SENSOR),
    **dict.fromkeys((".exr", ".hdr"), HDR), **dict.fromkeys((".h5", ".hdf5", ".hdf", ".he5"), HDF5), ".nc": NETCDF,
    **dict.fromkeys((".grib", ".grb", ".grib2", ".grb2", ".bufr"), GRIB), **dict.fromkeys((".npy", ".npz"), NUMPY),
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp"), FILM),
    **dict.fromkeys((".zip", ".gz", ".tar", ".7z", ".rar"), PACKED), **dict.fromkeys((".dcm", ".dicom"), DICOM),
    **dict.fromkeys((".svs", ".ndpi", ".czi", ".lif", ".nd2", ".vsi", ".mrxs"), SLIDE),
    **dict.fromkeys((".xcf", ".kra", ".clip", ".afphoto"), DRAWING),
}  # fmt: skip
SENSORS = frozenset(ending for ending, kind in ENDINGS.items() if kind is SENSOR)


def advice(file: Any) -> str:
    """The end of an error's sentence: what a file that is no picture seems to be, and what to do with it."""
    head, ending = _head(file), file.suffix.lower() if isinstance(file, Path) else ""
    if not head:
        return ": it is empty."
    what, cure = kind(head, ending) or (None, None)
    return f": it seems to be {what}. {cure}" if what else "."


def kind(head: bytes, ending: str = "") -> tuple[str, str] | None:
    """The kind of a file by its first bytes or else its suffix, and what to do with it; None where the kind is unknown."""
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], FILM)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return FILM
    if head[128:132] == b"DICM":
        return DICOM
    begun = next((kind for start, kind in STARTS.items() if head.startswith(start)), None)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if begun is None and text.startswith(b"<") and b"<svg" in text:
        begun = SVG
    if begun is None and text.startswith((b"<!doctype html", b"<html")):
        begun = WEB
    return begun or ENDINGS.get(ending)


def _head(file: Any) -> bytes:
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                return opened.read(1024)
        file.seek(0)
        return file.read(1024)
    except OSError:
        return b"?"
