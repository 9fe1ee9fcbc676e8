"""Maps written as files: each kind by the ending of its name, and never over another file where that is not wanted."""

import pytest

from seewhy import Heatmap
from seewhy.errors import NotWritten
from seewhy.maps.writing import write


@pytest.mark.parametrize("ending", [".png", ".svg", ".npz", ".nii.gz", ".tif"])
def test_each_ending_has_its_file_which_carries_the_source(tmp_path, of_any_format, ending):
    heatmap = of_any_format(ending)
    write(heatmap, tmp_path / f"map{ending}", "overlay", {})
    assert Heatmap.source_of(tmp_path / f"map{ending}").to_json() == heatmap.source.to_json()


def test_a_file_that_is_there_stays_where_it_is_not_to_be_replaced(tmp_path, made_heatmap):
    path = tmp_path / "map.npy"
    path.write_bytes(b"before")
    with pytest.raises(NotWritten, match=r"map\.npy"):
        write(made_heatmap([[1]]), path, "overlay", {}, over=False)
    assert path.read_bytes() == b"before"
