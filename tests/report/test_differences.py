"""The page of a difference."""

import re
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import seewhy
from seewhy.dataset.comparing.comparing_runs import compare_runs
from seewhy.demo import scenes
from seewhy.report.differences import difference_page, save_difference


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for place, scene in enumerate(scenes(6, 7, kinds=("bird", "car"), shortcut="mark")):
        (folder / "photos" / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / "photos" / scene.name / f"<i>{place}&.png")
    return [
        seewhy.explain_dataset(seewhy.load(f"demo/{name}"), folder / "photos", folder / name) for name in ("shortcut", "honest")
    ]


def test_the_page_shows_both_maps_of_each_photo_and_loads_nothing(runs, tmp_path):
    found = compare_runs(*runs)
    page = save_difference(found, *runs, tmp_path / "page.html").read_text("utf-8")
    assert page.count("<figure>") == 12
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "&lt;i&gt;" in page
    assert "<i>" not in page
    for line in found.says:
        assert line.replace("'", "&#39;") in page


def test_a_photo_that_is_gone_is_told_and_the_others_are_shown(runs, tmp_path):
    found = compare_runs(*runs)
    gone = Path(found.photos[0].path)
    content = gone.read_bytes()
    gone.unlink()
    try:
        page = difference_page(found, *runs)
    finally:
        gone.write_bytes(content)
    assert page.count("<figure>") == 10
    assert "is not there" in page
