"""Means, intervals, tables and files of a game."""

import csv
import io
import json

import numpy as np
import pytest

import seewhy
from seewhy import metrics
from seewhy.metrics.games.records import GameRow


@pytest.fixture(scope="module")
def game(channel_model, channel_photos):
    noisy = channel_photos + np.random.default_rng(1).random(channel_photos.shape, np.float32) / 8
    return metrics.grid_pointing_game(channel_model, noisy, ["grad-cam", "eigen-cam"], grids=6)


def test_the_interval_is_that_of_the_means_of_grids():
    values = np.random.default_rng(0).random((40, 4)) / 2 + 0.25
    row = GameRow("cam", "layer", values, 0, 40)
    means = values.mean(1)
    assert row.mean == pytest.approx(means.mean())
    low, high = row.interval
    half = 1.96 * means.std(ddof=0) / np.sqrt(40)  # of a normal distribution
    assert (row.mean - low, high - row.mean) == pytest.approx((half, half), rel=0.2)
    fewer = GameRow("cam", "layer", values, 0, 10).interval  # as of ten grids: twice as wide, and more, as of ten less is known
    assert fewer[1] - fewer[0] == pytest.approx(2 * 2.385 / 2.048 * (high - low), rel=0.1)  # t sqrt(n / (n - 1)) of 9 and 39
    assert GameRow("cam", "layer", values, 0, 1).interval is None
    assert GameRow("cam", "layer", np.tile([1.0, 0.9], (3, 1)), 0, 3).interval == pytest.approx((0.95, 0.95))


def test_files_hold_every_number(game):
    rows = [*csv.DictReader(io.StringIO(game.to_csv()))]
    assert len(rows) == 2 * 6 * 4
    for at, row in enumerate(rows):
        g, cell = int(row["grid"]), int(row["cell"])
        photo = game.grids[g, cell]
        assert (at // 4 % 6, at % 4) == (g, cell)
        assert float(row["share"]) == game.of(row["method"]).values[g, cell]
        assert (row["photo"], row["class"], row["chance"]) == (f"image {photo}", str(photo % 6), "0.25")
    told = json.loads(game.to_json())
    assert told["rows"][0]["values"] == game[0].values.tolist()
    assert (told["game"], told["chance"], told["given"], len(told["photos"])) == ("grid pointing game", 0.25, 12, 12)


def test_the_table_ends_with_chance(game):
    head, grad_cam, eigen_cam, chance = game.table()
    assert head[2] == "in the right cell"
    assert (grad_cam[0], grad_cam[2]) == ("grad-cam", f"{game[0].mean:.3f}")
    assert (eigen_cam[2], chance[0], chance[2]) == ("0.250", "chance", "0.250")
    assert "grad-cam" in repr(game)
    assert [row.method for row in game[:]] == ["grad-cam", "eigen-cam"]
    with pytest.raises(seewhy.NoSuchName, match="There are: grad-cam, eigen-cam"):
        game.of("grad-cm")
