"""A stored run of the demo's network over a few scenes, and one broken file."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import seewhy
from seewhy.demo import scenes


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("shared")
    for place, scene in enumerate(scenes(6, 11, kinds=("bird", "car"))):
        (folder / "photos" / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / "photos" / scene.name / f"{place}.png", compress_level=1)
    (folder / "photos" / "car" / "broken.png").write_text("none")
    return seewhy.explain_dataset(seewhy.load("demo/shortcut"), folder / "photos", folder / "run")
