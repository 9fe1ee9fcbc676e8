"""Files that seewhy cannot read as volumes: what they are, and what to do with them."""

from collections.abc import Callable
from pathlib import Path

PICTURE = (
    "a picture ({}), no volume: give NIfTI or DICOM here; of slices that were saved as pictures make a "
    "seewhy.Volume(values, affine)"
)
CONVERT = (
    "{}, which is not read here: convert it to NIfTI first, such as with SimpleITK: "
    "sitk.WriteImage(sitk.ReadImage('{{name}}'), 'scan.nii.gz')"
)
SELF = "{}, which is not read here: read it yourself, and give a seewhy.Volume(values, affine)"
UNPACK = "an archive ({}): unpack it, and give the folder of the series or the file that lies in it"

STARTS: dict[bytes, str] = {  # by the first bytes
    b"\xff\xd8\xff": PICTURE.format("JPEG"),
    b"\x89PNG\r\n\x1a\n": PICTURE.format("PNG"),
    b"GIF8": PICTURE.format("GIF"),
    b"II*\0": PICTURE.format("TIFF"),
    b"MM\0*": PICTURE.format("TIFF"),
    b"II+\0": PICTURE.format("BigTIFF"),
    b"MM\0+": PICTURE.format("BigTIFF"),
    b"\0\0\0\x0cjP  ": PICTURE.format("JPEG 2000"),
    b"\xff\x4f\xff\x51": PICTURE.format("JPEG 2000"),
    b"#?RADIANCE": PICTURE.format("Radiance HDR"),
    b"\x76\x2f\x31\x01": PICTURE.format("OpenEXR"),
    b"8BPS": PICTURE.format("Photoshop"),
    b"%PDF": "a document (PDF): give the scan that it was made of",
    b"NRRD000": CONVERT.format("NRRD"),
    b"ObjectType": CONVERT.format("MetaImage"),
    b"\x89HDF\r\n\x1a\n": SELF.format("HDF5 (MINC, Matlab or others)"),
    b"CDF\x01": SELF.format("NetCDF (MINC or others)"),
    b"CDF\x02": SELF.format("NetCDF (MINC or others)"),
    b"\x93NUMPY": SELF.format("a NumPy array, which does not say where its voxels lie"),
    b"EHFA_HEADER_TAG": SELF.format("an ERDAS Imagine picture of the earth"),
    b"PK\x03\x04": UNPACK.format("zip"),
    b"7z\xbc\xaf": UNPACK.format("7z"),
    b"Rar!": UNPACK.format("rar"),
}
PATTERNS: dict[str, Callable[[bytes], bool]] = {  # tests of the beginning of a file, where its first bytes alone do not decide
    PICTURE.format("WebP"): lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    PICTURE.format("HEIC or AVIF"): lambda head: head[4:8] == b"ftyp" and head[8:11] in (b"hei", b"hev", b"mif", b"avi"),
    PICTURE.format("BMP"): lambda head: head[:2] == b"BM" and head[6:10] == bytes(4),
    UNPACK.format("tar"): lambda head: head[257:262] == b"ustar",
}
ENDINGS = {  # by the name alone
    (".nii.bz2", ".nii.zst", ".nii.xz"): "a packed NIfTI file: unpack it (.nii), or pack it by gzip (.nii.gz)",
    (".mha", ".mhd"): CONVERT.format("MetaImage"),
    (".nrrd", ".nhdr"): CONVERT.format("NRRD"),
    (".par", ".rec", ".head", ".brik", ".brik.gz", ".mnc"): SELF.format(
        "a format of scanners or of other tools (nibabel reads it)"
    ),
}


def foreign_kind(file: Path) -> str | None:
    """The kind of a file that is no NIfTI, Analyze, MGH or DICOM file, as the end of a sentence; None if it is unknown."""
    with file.open("rb") as opened:
        head = opened.read(512)
    name = file.name.lower()
    kind = next((what for start, what in STARTS.items() if head.startswith(start)), None)
    kind = kind or next((what for what, fits in PATTERNS.items() if fits(head)), None)
    kind = kind or next((what for endings, what in ENDINGS.items() if name.endswith(endings)), None)
    packed = head[:2] == b"\x1f\x8b"
    if kind is None and packed and not name.endswith((".nii.gz", ".mgz")):
        kind = "packed by gzip: if it is NIfTI, name it .nii.gz; else unpack it"
    if kind is None and name.endswith((".nii.gz", ".mgz")) and head and not packed and _plain(head):
        kind = "not packed by gzip, as its name says: name it .nii, or .mgh"
    return kind and kind.replace("{name}", file.name)


def is_picture(file: Path) -> bool:
    return (foreign_kind(file) or "").startswith("a picture")


def _plain(head: bytes) -> bool:
    return head[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c", b"\0\0\0\x01")
