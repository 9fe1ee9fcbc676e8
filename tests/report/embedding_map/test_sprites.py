"""Thumbnails in sheets: each at its place, whatever its sides; nothing where there is no photo."""

import io

import numpy as np
from PIL import Image

from seewhy.report.embedding_map.sprites import side_for, sprite_sheets


def test_each_photo_is_at_its_place_and_a_broken_one_leaves_it_empty(tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.report.embedding_map.sprites.SHEET", 96)  # three rows of three
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)]
    paths = []
    for i in range(11):
        paths.append(str(tmp_path / f"{i}.png"))
        if i != 4:
            Image.new("RGB", (80, 40) if i % 2 else (16, 16), colours[i % 4]).save(paths[-1])
    found = sprite_sheets(paths, 32)
    assert (found.columns, len(found.sheets)) == (3, 2)
    sheets = [np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB")).astype(int) for sheet in found.sheets]
    assert [sheet.shape[:2] for sheet in sheets] == [(96, 96), (32, 64)]
    for i, (wide, high) in enumerate(found.sizes.tolist()):
        assert (wide, high) == ((0, 0) if i == 4 else (32, 16) if i % 2 else (16, 16))  # reduced, and never enlarged
        if i != 4:
            place, sheet = i % 9, sheets[i // 9]
            y, x = place // 3 * 32 + high // 2, place % 3 * 32 + wide // 2
            assert abs(sheet[y, x] - colours[i % 4]).max() < 20


def test_more_photos_have_smaller_thumbnails_and_thousands_none_in_the_page():
    assert [side_for(count) for count in (1, 600, 601, 1500, 4000, 4001)] == [160, 160, 128, 96, 64, None]
