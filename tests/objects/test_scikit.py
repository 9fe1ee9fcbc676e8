"""scikit-image is there when it is asked for, and told of where it is missing."""

import subprocess
import sys
from importlib import import_module

import pytest

from seewhy.errors import MissingExtra
from seewhy.objects import scikit


def test_a_module_of_it():
    pytest.importorskip("skimage")
    assert scikit.skimage("measure") is import_module("skimage.measure")


def test_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    with pytest.raises(MissingExtra, match=r"scikit-image, which finds connected regions,.*\[localize\]"):
        scikit.skimage("measure")


def test_what_it_lacks_itself_is_no_missing_scikit_image(monkeypatch):
    def broken(name):
        raise ImportError("no scipy", name="scipy")

    monkeypatch.setattr(scikit, "import_module", broken)
    with pytest.raises(ImportError, match="no scipy"):
        scikit.skimage("measure")


def test_seewhy_starts_without_it():
    late = ("skimage", "scipy", "PIL.ImageDraw")
    told = f"import sys, seewhy; seewhy.Heatmap, seewhy.FoundBox; print([m for m in {late} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"
