"""A network that sees colours, and photos of its classes that wear, or do not wear, a mark in a corner."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seewhy.dataset.auditing.audit_photos import AuditPhoto
from seewhy.dataset.auditing.facts import VIEW, file_facts, rim_facts
from seewhy.demo.scenes import scenes
from seewhy.metrics.regional.frames import GRID
from seewhy.metrics.regional.photos import PhotoEvidence
from seewhy.photo_sets.items import Item


@pytest.fixture(scope="session")
def audit_photo() -> Callable[..., AuditPhoto]:
    """A photo as it is kept: of a class, with evidence alike in all cells but for those given, and a view of noise."""

    def make(
        explained: str, place: int = 0, cells: Any = None, view: Any = None, path: str = "", index: int | None = 0
    ) -> AuditPhoto:
        rng = np.random.default_rng(place)
        cells = np.full((GRID, GRID), 1 / GRID**2) if cells is None else np.asarray(cells, float)
        view = rng.integers(0, 256, (VIEW, VIEW, 3)).astype(np.uint8) if view is None else view
        item = Item(place, path or f"{place}.png", ())
        evidence = PhotoEvidence(item.path, place, explained, index, (), {}, cells)
        return AuditPhoto(item, index, evidence, file_facts(8, 4, 100, "PNG", {}) | rim_facts(view), view)

    return make


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A folder of scenes in folders named by what they show; each is made once."""
    made = dict[Any, Path]()

    def make(count: int, seed: int, kinds: tuple[str, ...], shortcut: Any = None) -> Path:
        key = count, seed, kinds, shortcut
        if key not in made:
            folder = tmp_path_factory.mktemp("scenes")
            for place, scene in enumerate(scenes(count, seed, kinds=kinds, shortcut=shortcut)):
                (folder / scene.name).mkdir(exist_ok=True)
                scene.image.save(folder / scene.name / f"{place:03d}.png", compress_level=1)
            made[key] = folder
        return made[key]

    return make


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """Writes an image (h, w, 3): its path."""

    def save(name: str, pixels: Any, **how: Any) -> str:
        path = tmp_path / name
        Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **how)
        return str(path)

    return save
