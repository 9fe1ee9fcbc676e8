"""A photo in a file, and the network of the demo that is honest."""

import numpy as np
import pytest
from PIL import Image

import seewhy


@pytest.fixture(scope="package")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "cat.png"
    small = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(small).resize((150, 130), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="package")
def honest():
    return seewhy.load("demo/honest")
