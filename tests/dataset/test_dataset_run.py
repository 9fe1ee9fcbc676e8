"""A stored run, opened; and read by those who do not have seewhy."""

import shutil
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.dataset.dataset_run import RunError
from seewhy.dataset.schema import NAMES
from seewhy.dataset.store import part_path, read_part, write_part

pc = pytest.importorskip("pyarrow.compute")


def test_a_run_tells_how_many_photos_are_done_and_which_are_missing(stored_run):
    run = seewhy.open_run(stored_run())
    assert (len(run), run.missing, run.info.model) == (5, [], "red")
    run = seewhy.open_run(str(stored_run(left_out=(1, 4))))
    assert (len(run), run.missing) == (3, [1, 4])


def test_its_table_has_all_rows_in_their_order(stored_run):
    run = seewhy.open_run(stored_run())
    table = run.table()
    assert tuple(table.column_names) == NAMES
    pairs = list(zip(table["item"].to_pylist(), table["target"].to_pylist(), strict=True))
    assert pairs == [(0, "top"), (1, "top"), (1, "true"), (2, "top"), (3, "top"), (3, "true"), (4, None)]
    wrong = run.table(["path", "score"], where=~pc.field("right"))
    assert wrong.column_names == ["path", "score"]
    assert [Path(path).name for path in wrong["path"].to_pylist()] == ["1.png", "1.png", "3.png", "3.png"]
    assert len(run.table(["item"], where=pc.field("item") > 9)) == 0
    with pytest.raises(seewhy.NoSuchName, match=r"No column 'scores'. Closest: score"):
        run.table(["scores"])


def test_a_single_column_can_be_asked_for_and_what_is_no_condition_is_refused(stored_run):
    run = seewhy.open_run(stored_run())
    assert run.table("item") == run.table(["item"])
    with pytest.raises(seewhy.BadParameter, match=r"give an expression of pyarrow\.compute"):
        run.table(where="right = false")
    assert repr(run) == f"<DatasetRun {run.folder}: 5 photos, red, grad-cam>"


def test_what_was_written_in_pieces_stands_in_the_order_of_the_photos(stored_run):
    folder = stored_run()
    whole = read_part(part_path(folder, 0))
    expected = seewhy.open_run(folder).table()
    write_part(part_path(folder, 0), whole.slice(1))
    write_part(part_path(folder, 0, 1), whole.slice(0, 1))
    assert seewhy.open_run(folder).table().equals(expected)
    assert [photo.item for photo in seewhy.open_run(folder).photos()] == [0, 1, 2, 3, 4]


def test_a_run_without_any_rows_is_empty(stored_run):
    folder = stored_run()
    shutil.rmtree(folder / "rows")
    run = seewhy.open_run(folder)
    assert (len(run), len(run.table()), [*run.photos()], run.errors(), run.missing) == (0, 0, [], [], [0, 1, 2, 3, 4])


def test_photos_that_failed_are_told_with_the_reason(stored_run):
    run = seewhy.open_run(stored_run())
    assert run.errors() == [(4, "broken.png", "BadImage: broken.png is not an image.")]
    assert run.photo(4).maps == ()
    assert run.photo(4).error == "BadImage: broken.png is not an image."


def test_what_failed_is_said_with_the_name_of_the_photo_once():
    assert str(RunError(0, "a.png", "BadImage: a.png is empty.")) == "a.png is empty."
    assert str(RunError(0, "a.png", "BadNetwork: it failed")) == "a.png: BadNetwork: it failed"


@pytest.mark.parametrize(("item", "target", "index"), [(0, "top", 0), (0, "true", 0), (1, "top", 0), (1, "true", 1)])
def test_a_heatmap_comes_back_where_it_lay(stored_run, red_model, item, target, index):
    run = seewhy.open_run(stored_run())
    back = run.heatmap(item, target)
    path = run.table(["path"], where=pc.field("item") == item)["path"][0].as_py()
    made = seewhy.grad_cam(red_model, path, target=index, layer="cells", signed=True)[0]
    assert (back.box, back.cells, back.source.index) == (made.box, made.cells, index)
    assert back.place == item
    assert isinstance(back.image, Image.Image)
    assert abs(back.values - made.values).max() <= abs(made.values).max() * 2**-11
    assert back.overlay().size[0] == 80
    assert np.array_equal(run.photo(item).map(target).values, back.values)


def test_a_photo_that_moved_can_be_given_and_another_one_is_refused(stored_run):
    run = seewhy.open_run(stored_run())
    path = Path(run.photo(1).path)
    moved = path.rename(path.with_name("moved.png"))
    with pytest.raises(seewhy.BadImage, match=r"1\.png is not there\. Give image=, the photo or its path now"):
        run.heatmap(1)
    assert run.heatmap(1, image=str(moved)).image.tobytes() == Image.open(moved).tobytes()
    Image.new("RGB", (80, 64)).save(path)
    with pytest.raises(seewhy.BadImage, match=r"1\.png is another photo than the run explained"):
        run.heatmap(1)


def test_a_photo_in_an_archive_is_read_there(red_model, red_dot, tmp_path):
    red_dot((80, 64), 20, 30).save(tmp_path / "0.png")
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "0.png", "dots/0.png")
    run = seewhy.explain_dataset(red_model, tmp_path / "photos.zip", tmp_path / "run", target="top")
    assert run.heatmap(0).image.tobytes() == Image.open(tmp_path / "0.png").tobytes()
    (tmp_path / "photos.zip").unlink()
    with pytest.raises(seewhy.BadImage, match=r"photos\.zip.* Give image=, the photo or its path now"):
        run.heatmap(0)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ({"item": 5}, "the run has the photos 0 to 4"),
        ({"item": "a.png"}, "the run has the photos 0 to 4"),
        ({"item": 4}, "There is no map of photo 4: BadImage: broken.png"),
        ({"item": 0, "target": "second"}, "neither 'top' nor 'true'"),
        ({"item": 0, "method": "rise"}, "the run has maps by grad-cam"),
        ({"item": 2}, "no rows of photo 2 yet: give the command of the run again"),
    ],
    ids=["beyond", "a path", "broken", "target", "method", "missing"],
)
def test_what_is_not_there_is_told(stored_run, question, why):
    with pytest.raises(seewhy.BadParameter, match=why):
        seewhy.open_run(stored_run(left_out=(2,))).heatmap(**question)


def test_pandas_reads_a_run_without_seewhy(stored_run):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(stored_run() / "rows")
    assert len(frame) == 7
    assert frame["right"].value_counts().to_dict() == {False: 4, True: 2}
    row = frame[(frame["item"] == 3) & (frame["target"] == "true")].iloc[0]
    values = np.frombuffer(row["map"], "<f2").reshape(row["map_shape"]) * row["map_scale"]  # as docs/run.md says
    assert values.shape == (16, 16)


def test_duckdb_reads_a_run_without_seewhy(stored_run):
    duckdb = pytest.importorskip("duckdb")
    asked = f"select target, count(*), max(octet_length(map)) from '{stored_run()}/rows/*.parquet' group by 1 order by 1"
    assert duckdb.sql(asked).fetchall() == [("top", 4, 512), ("true", 2, 512), (None, 1, None)]


def test_polars_reads_a_run_without_seewhy(stored_run):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(stored_run() / "rows" / "*.parquet")
    assert frame.filter(polars.col("error").is_not_null())["path"].to_list() == ["broken.png"]
    assert frame["map_box"].to_list()[0] == [8.0, 0.0, 72.0, 64.0]
