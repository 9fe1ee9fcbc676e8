"""The picture of a grid: the photos, the maps over them, the frame around the right cell."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.metrics.games.picture import PlayedGrid, grid_picture
from seewhy.metrics.games.records import GridGame

PINK = (255, 45, 135)


def test_the_right_cell_is_framed_over_its_share(made_heatmap, written):
    photo = Image.new("RGB", (40, 40), (0, 160, 0))
    maps = [made_heatmap(np.eye(2), (40, 40), params={}), made_heatmap(np.eye(2)[::-1], (40, 40), params={})]
    played = PlayedGrid(photo, ["cat", "dog", "cow", "pig"], {("some-cam", "layer4"): maps})
    picture = np.asarray(grid_picture(played, 2, (0, 3), {("some-cam", "layer4"): np.array([0.5, 0.25])}, "a game", 100))
    said = [text for text, *_ in written]
    for text in ("a game", "cat", "pig", "layer4", "50\u00a0% in the cell", "25\u00a0% in the cell"):
        assert text in said, text
    assert "dog" not in said
    rows, columns = np.nonzero((picture == PINK).all(2))
    first = columns < columns.min() + 60
    top, left = rows[first].min(), columns[first].min()
    assert (rows[first].max() - top + 1, columns[first].max() - left + 1) == (50, 50)  # the upper left quarter of 100 x 100
    assert (rows[~first].min() - top, columns[~first].min() - left) == (50, 100 + 14 + 50)  # the lower right one


def test_a_game_of_arrays_is_drawn_without_photos_and_saved(channel_model, channel_photos, tmp_path):
    game: GridGame = seewhy.metrics.grid_pointing_game(channel_model, channel_photos, grids=2)
    assert game.save(tmp_path / "grid.png", side=80).is_file()
    with Image.open(tmp_path / "grid.png") as picture:
        assert (np.asarray(picture) == PINK).all(2).any()
    with pytest.raises(seewhy.BadParameter, match="grids 0 to 1"):
        game.picture(2)
    with pytest.raises(seewhy.BadParameter, match="png"):
        game.save(tmp_path / "grid.jpg")
