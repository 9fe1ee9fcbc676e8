"""Only the part of a photo that is kept is resized: the same pixels, and no more memory than it needs."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seewhy import grad_cam, wrap
from seewhy.errors import BadImage
from seewhy.prepare import framing
from seewhy.prepare.fit import RESAMPLING, Fit

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(3, 700), (700, 3), (50, 61), (1, 300), (5, 5)])
@pytest.mark.parametrize("crop", [48, 64, (20, 90), 97])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "hamming"])
def test_a_part_alone_is_what_is_cut_out_of_the_whole(monkeypatch, size, crop, interpolation):
    ramps = np.add.outer(np.linspace(0, 120, size[1]), np.linspace(0, 120, size[0]))
    photo = Image.fromarray((ramps[..., None] + RNG.integers(0, 15, (*size[::-1], 3))).astype(np.uint8))
    fit = Fit(size=64, crop=crop, mean=0, std=1 / 255, interpolation=interpolation)
    whole = fit(photo)
    monkeypatch.setattr(framing, "WIDE", 0)
    assert abs(fit(photo) - whole).max() <= 1.001
    assert set(RESAMPLING.values()) == set(framing.REACH)


CHILD = """
import sys
from pathlib import Path
from seewhy import read
from seewhy.prepare.fit import Fit

def peak():  # of this process alone; getrusage counts the one that began it, too
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024

Fit()(read(sys.argv[2]).pixels)
before = peak()
x = Fit()(read(sys.argv[1]).pixels)
print(x.shape, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of memory is read from Linux")
@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1)])
def test_a_narrow_picture_takes_little_memory(tmp_path, size):
    Image.new("L", size).save(tmp_path / "narrow.png")
    Image.new("L", (300, 300)).save(tmp_path / "usual.png")
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "narrow.png"), str(tmp_path / "usual.png")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    shape, megabytes = ran.stdout.rsplit(" ", 1)
    assert shape == "(3, 224, 224)"
    assert int(megabytes) < 40  # it was over 9,000


def test_a_narrow_picture_without_a_crop_is_refused_with_advice(tmp_path):
    torch = pytest.importorskip("torch")
    Image.new("L", (1, 60_000)).save(tmp_path / "narrow.png")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    model = wrap(network.eval(), prepare={"size": 256, "crop": None})
    with pytest.raises(BadImage, match=r"narrow\.png is 1x60000, and would be resized to 256x15360000\. .*crop"):
        grad_cam(model, tmp_path / "narrow.png")


def test_a_low_bound_of_photos_does_not_bound_what_the_network_sees(monkeypatch):
    photo = Image.fromarray(RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    crops = (64, (20, 90), None)
    expected = [Fit(size=64, crop=crop)(photo) for crop in crops]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 50 // 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for crop, before in zip(crops, expected, strict=True):
            assert np.array_equal(Fit(size=64, crop=crop)(photo), before)
