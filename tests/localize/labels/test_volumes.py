"""NIfTI label maps, on the scan's own grid."""

import json

import numpy as np
import pytest

import seewhy
from seewhy.errors import NotApplicable
from seewhy.localize.labels.volumes import VolumeWriter
from seewhy.maps.made_here import made_here
from seewhy.truth.masks import read_mask
from support.files.scans import AFFINES
from support.labelled import labelled, labelled_object, whole

nibabel = pytest.importorskip("nibabel")
SHAPE = (7, 6, 5)


@pytest.mark.parametrize("header", [True, False])
def test_on_the_scans_grid(tmp_path, header):
    affine = AFFINES["rotated"]
    nibabel.save(nibabel.Nifti1Image(np.arange(210, dtype=np.float32).reshape(SHAPE), affine), tmp_path / "scan.nii.gz")
    scan = seewhy.read_volume(tmp_path / "scan.nii.gz")
    scan = scan if header else seewhy.Volume(scan.values, scan.affine)
    image = labelled("in/scan.nii.gz", SHAPE, labelled_object(np.ones((2, 3, 1), bool), (1, 2, 3), "tumour", 1), image=scan)
    writer = VolumeWriter(tmp_path / "out", labels=["none", "tumour"])
    writer.add(image)
    writer.close()
    path = tmp_path / "out" / "scan.nii.gz"
    made = nibabel.load(path)
    assert (np.asanyarray(made.dataobj) == 2 * whole(image)).all()
    assert made.get_data_dtype() == np.uint8
    assert np.allclose(made.affine, scan.affine)
    assert made.header.get_intent()[0] == "label"
    (note,) = made.header.extensions
    content = note.get_content()  # bytes or text, by nibabel's version
    text = content if isinstance(content, str) else content.decode()
    assert json.loads(text.strip("\0").removeprefix("seewhy-labels "))["objects"] == [
        {"number": 2, "label": "tumour", "score": 0.5}
    ]
    assert (read_mask(path, scan).inside == whole(image)).all()
    assert made_here(path)
    assert "2,tumour,0,128,0" in (tmp_path / "out" / "classes.csv").read_text().splitlines()


def test_a_photo_is_refused(tmp_path):
    with pytest.raises(NotApplicable, match="is no volume"):
        VolumeWriter(tmp_path).add(labelled())
