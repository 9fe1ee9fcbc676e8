"""A stored run of the network that sees red, written by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seewhy
from seewhy.dataset.info import RunInfo, write_info


@pytest.fixture
def stored_run(tmp_path: Path, red_model: Any, red_dot: Callable[..., Any]) -> Callable[..., Path]:
    """Stores a run of five photos in parts of two; the last is a broken file, the photos without rows are `left_out`.

    Photo i has a red dot further to the right; 0 and 2 are taken for what they show, 1 and 3 are not.
    """
    from seewhy.dataset.restoring import map_columns  # all here, for they come with an extra
    from seewhy.dataset.store import part_path, rows_table, write_part

    def store(left_out: tuple[int, ...] = ()) -> Path:
        folder, rows = tmp_path / "run", {}
        for item in range(4):
            path = tmp_path / f"{item}.png"
            red_dot((80, 64), 20 + 10 * item, 30).save(path)
            top, other = seewhy.grad_cam(red_model, str(path), target=[0, 1], layer="cells", signed=True)
            right = item % 2 == 0
            known = {"item": item, "path": str(path), "truth": [0 if right else 1], "right": right, "predicted": 0}
            rows[item] = [{**known, **map_columns(top), "target": "top"}]
            rows[item] += [] if right else [{**known, **map_columns(other), "target": "true"}]
        rows[4] = [{"item": 4, "path": "broken.png", "truth": [], "error": "BadImage: broken.png is not an image."}]
        info = RunInfo(
            "red", None, "", ("red", "not red", "neither"), ({"name": "grad-cam", "params": {}},), ("top", "true"),
            str(tmp_path), 5, "0", 2,
        )  # fmt: skip
        write_info(folder, info)
        for chunk, items in enumerate([(0, 1), (2, 3), (4,)]):
            here = [row for item in items if item not in left_out for row in rows[item]]
            write_part(part_path(folder, chunk), rows_table(here))
        return folder

    return store
