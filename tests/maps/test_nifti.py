"""A map as NIfTI: on the volume's own grid, carrying its Source and nothing that the file said of the patient."""

import numpy as np
import pytest

from seewhy import Volume
from seewhy.maps.nifti import MARK, nifti

nibabel = pytest.importorskip("nibabel")
VALUES = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
TURNED = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 3, 1], [0, 0, 0, 1]])
SHEARED = np.array([[1.0, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def volume(affine, header=None):
    return Volume(np.zeros((3, 4, 5), np.float32), affine, header=header)


@pytest.mark.parametrize(("affine", "codes"), [(TURNED, (1, 1)), (SHEARED, (1, 0))], ids=["a rotation", "a shear"])
def test_without_a_header_the_affine_leads_to_the_scanners_space(made_source, affine, codes):
    image = nifti(VALUES, volume(affine), made_source())
    np.testing.assert_array_equal(image.affine, affine)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == codes
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.asarray(image.dataobj), VALUES)


@pytest.mark.parametrize("kind", ["Nifti1Header", "Nifti2Header"])
def test_a_header_keeps_its_place_and_loses_its_words(made_source, kind):
    header = getattr(nibabel, kind)()
    header.set_data_shape((3, 4, 5))
    header.set_data_dtype(np.int16)
    header.set_sform(TURNED, "mni")
    header.set_qform(TURNED, "aligned")
    header.set_xyzt_units("micron", "sec")
    for text in ("descrip", "aux_file", "intent_name"):
        header[text] = b"Jane Doe"
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Jane Doe"))
    before = header.binaryblock
    image = nifti(VALUES, volume(TURNED, header), made_source())
    assert type(image.header) is getattr(nibabel, kind)
    assert header.binaryblock == before, "what was given stays as it was"
    assert b"Jane" not in image.to_bytes()
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (4, 2)
    assert image.header.get_xyzt_units() == ("micron", "sec")
    assert image.get_data_dtype() == np.float32


def test_the_source_stands_in_the_one_comment_and_the_caption_in_the_description(made_source):
    source = made_source(label="ねこ")
    image = nifti(VALUES, volume(TURNED), source)
    (note,) = image.header.extensions
    assert note.get_content() == MARK + source.to_json().encode()
    said = image.header["descrip"].item()
    assert said == f"seewhy {source.caption}".encode("ascii", "replace")[:79]
    assert said.startswith(b"seewhy grad-cam for ?? (281)")


@pytest.mark.parametrize(("values", "low", "high"), [(abs(VALUES), 0, abs(VALUES).max()), (-abs(VALUES), VALUES.min(), 0)])
def test_viewers_are_told_a_range_that_holds_zero(made_source, values, low, high):
    header = nifti(values, volume(TURNED), made_source()).header
    assert float(header["cal_max"]) == pytest.approx(high)
    assert float(header["cal_min"]) == pytest.approx(low if values.max() > 0 else values.min())
