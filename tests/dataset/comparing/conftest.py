"""Stored runs of two networks that see red, over the same photos."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seewhy.images.places import Extent

pytest.importorskip("pyarrow")

from seewhy.dataset.comparing.matching import KeptPhoto
from seewhy.dataset.photo_rows import MapRow
from seewhy.maps.source import Predicted

WHOLE = Extent(0, 0, 80, 80)


@pytest.fixture(scope="session")
def map_row() -> Callable[..., MapRow]:
    """A map (h, w) of a class over a whole photo of 80 x 80."""

    def make(values: Any, index: int = 0, target: str = "top", box: Any = WHOLE, **evidence: float) -> MapRow:
        array = np.asarray(values, np.float32)
        return MapRow("grad-cam", target, index, f"class {index}", 1.0, 0.9, array, False, evidence, None, (), box)

    return make


@pytest.fixture(scope="session")
def kept_photo() -> Callable[..., KeptPhoto]:
    """A photo of a run: what it shows and was taken for, by the index."""

    def make(
        item: int,
        path: str = "",
        sha: str | None = "",
        truth: int | None = 0,
        predicted: int = 0,
        maps: Any = (),
        error: Any = None,
    ) -> KeptPhoto:
        shows = () if truth is None else (f"class {truth}",)
        right = None if truth is None else truth == predicted
        sha = f"sha {item}" if sha == "" else sha
        said = Predicted(predicted, f"class {predicted}", 0.9)
        return KeptPhoto(item, path or f"{item}.png", sha, (80, 80), shows, said, right, 0.5, tuple(maps), error)

    return make


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Runs of demo/shortcut and demo/honest over 24 stamped scenes of three kinds."""
    import seewhy
    from seewhy.demo import scenes

    folder = tmp_path_factory.mktemp("two")
    for place, scene in enumerate(scenes(24, 7, kinds=("bird", "car", "fish"), shortcut="mark")):
        (folder / "photos" / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / "photos" / scene.name / f"{place}.png", compress_level=1)
    for name in ("shortcut", "honest"):
        seewhy.explain_dataset(seewhy.load(f"demo/{name}"), folder / "photos", folder / name)
    return folder / "shortcut", folder / "honest"
