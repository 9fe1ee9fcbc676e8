"""Files that are no volumes: what they are, and what to do, instead of "no DICOM file"."""

import gzip
import io
import zipfile

import nibabel
import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadImage
from seewhy.images.volume_kinds import holds_volume
from seewhy.images.volumes import read_volume
from support.files.scans import AFFINES, Sees, dicom_series, scan


def picture(kind):
    file = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(file, kind)
    return file.getvalue()


def packed():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("series/1.dcm", b"a")
    return file.getvalue()


def array():
    file = io.BytesIO()
    np.save(file, np.zeros((3, 3, 3)))
    return file.getvalue()


FILES = {
    "a.jpg": (lambda: picture("JPEG"), r"a\.jpg is a picture \(JPEG\), no volume: give NIfTI or DICOM"),
    "b.dcm": (lambda: picture("JPEG"), r"b\.dcm is a picture \(JPEG\)"),  # whatever it is called
    "c.png": (lambda: picture("PNG"), r"c\.png is a picture \(PNG\)"),
    "d": (lambda: picture("GIF"), r"d is a picture \(GIF\)"),
    "e.tif": (lambda: picture("TIFF"), r"e\.tif is a picture \(TIFF\)"),
    "f.webp": (lambda: picture("WEBP"), r"f\.webp is a picture \(WebP\)"),
    "g.bmp": (lambda: picture("BMP"), r"g\.bmp is a picture \(BMP\)"),
    "h.jp2": (lambda: picture("JPEG2000"), r"h\.jp2 is a picture \(JPEG 2000\)"),
    "i.nrrd": (lambda: b"NRRD0004\ntype: short\n", r"NRRD, which is not read here: .*sitk\.ReadImage\('i\.nrrd'\)"),
    "j.mha": (lambda: b"ObjectType = Image\nNDims = 3\n", r"MetaImage, which is not read here"),
    "k.mnc": (lambda: b"CDF\x01" + bytes(60), r"NetCDF .* give a seewhy\.Volume"),
    "l.mat": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(60), r"HDF5"),
    "m.npy": (array, r"a NumPy array, which does not say where its voxels lie"),
    "n.zip": (packed, r"an archive \(zip\): unpack it"),
    "o.pdf": (lambda: b"%PDF-1.7", r"a document \(PDF\)"),
    "p.nii.bz2": (lambda: b"BZh9" + bytes(60), r"a packed NIfTI file: unpack it"),
    "q.rec": (lambda: bytes(600), r"a format of scanners or of other tools"),
    "r.nii": (lambda: gzip.compress(bytes(600)), r"packed by gzip: if it is NIfTI, name it \.nii\.gz"),
    "r.dcm.gz": (lambda: gzip.compress(bytes(600)), r"packed by gzip: .*else unpack it"),
    "s.nii.gz": (lambda: nibabel.Nifti1Image(scan(np.eye(4)), np.eye(4)).to_bytes(), r"not packed by gzip, .*name it \.nii"),
    "t.txt": (lambda: b"some words" * 50, r"t\.txt is no DICOM file: the letters DICM"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_volume_is_named(tmp_path, name):
    make, said = FILES[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(BadImage, match=said):
        read_volume(tmp_path / name)
    with pytest.raises(BadImage, match=said):
        seewhy.grad_cam(seewhy.wrap(Sees(), prepare={"axes": "kji"}), tmp_path / name, 0)


def test_a_folder_of_photos_is_no_series(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(picture("JPEG"))
    said = r"holds no DICOM images\. It holds 2 other files, such as a\.jpg, which is a picture \(JPEG\), no volume"
    with pytest.raises(BadImage, match=said):
        read_volume(tmp_path)


def test_a_folder_of_other_volumes_says_so(tmp_path):
    nibabel.save(nibabel.Nifti1Image(scan(np.eye(4)), np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(BadImage, match=r"such as a\.nii\.gz, which is no DICOM: give the files themselves"):
        read_volume(tmp_path)


def test_a_picture_that_is_called_a_volume_is_a_picture(tmp_path):
    (tmp_path / "a.img").write_bytes(picture("JPEG"))
    (tmp_path / "b.hdr").write_bytes(b"#?RADIANCE" + bytes(500))
    assert not holds_volume(tmp_path / "a.img")
    (batch,) = seewhy.wrap(Sees(), prepare={"size": 8, "crop": None}).batches(tmp_path / "a.img")
    assert batch.photos[0].pixels.getpixel((3, 3))[0] > 200  # its red
    with pytest.raises(BadImage, match=r"b\.hdr is a picture \(Radiance HDR\)"):
        read_volume(tmp_path / "b.hdr")


def test_surfaces_hold_no_voxels(tmp_path):
    from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis

    axes = ScalarAxis(["a"]), BrainModelAxis.from_mask(np.ones((3, 4, 5), bool), affine=np.eye(4))
    nibabel.save(Cifti2Image(np.zeros((1, 60), np.float32), axes), tmp_path / "a.dscalar.nii")
    with pytest.raises(BadImage, match=r"holds no volume of voxels, but a surface or the like \(Cifti2Image\)"):
        read_volume(tmp_path / "a.dscalar.nii")


@pytest.mark.parametrize("gone", [".hdr", ".img"])
def test_half_of_a_pair_is_told_what_it_lacks(tmp_path, gone):
    nibabel.save(nibabel.Nifti1Pair(scan(np.eye(4)), np.eye(4)), tmp_path / "a.img")
    (tmp_path / f"a{gone}").unlink()
    with pytest.raises(BadImage, match=rf"a\{gone} must lie beside it, and is not there"):
        read_volume(tmp_path / f"a{'.img' if gone == '.hdr' else '.hdr'}")


def test_dicom_that_is_also_a_tiff_is_dicom(tmp_path):
    """The 128 bytes before DICM are free: some tools make them the beginning of a TIFF."""
    stored = scan(AFFINES["plain"])
    for file in dicom_series(tmp_path / "s", stored, AFFINES["plain"]):
        file.write_bytes(b"II*\0" + file.read_bytes()[4:])
    assert np.array_equal(read_volume(tmp_path / "s").values, stored)
    (one, *_) = sorted((tmp_path / "s").iterdir())
    one.rename(one.with_suffix(".nii"))  # whatever it is called
    assert np.array_equal(read_volume(one.with_suffix(".nii")).values, stored)
