"""index.html and sheet.png of `seewhy explain`: a row for each photo, also where some fail; a stranger's files stay."""

import re
from contextlib import nullcontext
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import sheet as module
from seewhy.cli.app import main
from seewhy.maps import sheet as records
from support.files.birds import photo

pytest.importorskip("torch")
OUT = Path("out")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, ["explain", *map(str, arguments), "--out", "out", "--model", "demo/honest"])


def rows(page: str = "index.html") -> list[str]:
    return re.findall(r'data-name="([^"]*)"', (OUT / page).read_text("utf-8"))


def test_a_run_ends_with_a_page_and_a_picture():
    done = run(photo("p/a.png"), photo("p/b.png", 1), "-M", "grad-cam", "-M", "gradient")
    assert done.exit_code == 0, done.output
    assert f"all on one sheet: {OUT / 'index.html'}, {OUT / 'sheet.png'}" in done.stdout.splitlines()
    assert rows() == ["a.png", "b.png"]
    text = (OUT / "index.html").read_text("utf-8")
    for path in OUT.glob("*.grad-cam.png"):
        assert f'href="./{path.name}"' in text
    assert text.count("grad-cam: ") == text.count("gradient: ") == 0
    assert text.count("<dt>grad-cam</dt>") == text.count("<dt>gradient</dt>") == 1  # caveats, once
    with Image.open(OUT / "sheet.png") as drawn:
        assert drawn.width > 3 * 200


def test_photos_that_fail_are_rows_with_their_reason():
    Path("bad.png").write_bytes(b"no picture")
    done = run("bad.png", photo("a.png"))
    assert done.exit_code == 1
    assert rows() == ["bad.png", "a.png"]
    assert '<p class="bad">bad.png is not an image' in (OUT / "index.html").read_text("utf-8")


def test_rows_are_sorted_as_asked():
    files = [photo(f"{name}.png", seed) for seed, name in enumerate("cab")]
    run(*files, "--sort", "name")
    assert rows() == ["a.png", "b.png", "c.png"]
    run(*files, "--sort", "confidence")
    sure = re.findall(r'data-confidence="([^"]*)"', (OUT / "index.html").read_text("utf-8"))
    assert sure == sorted(sure, key=float, reverse=True)
    assert len({*sure}) == 3
    assert run(*files, "--sort", "colour").exit_code == 2


def test_strangers_files_stay_and_our_own_are_replaced():
    OUT.mkdir()
    (OUT / "index.html").write_text("my own page")
    Image.new("RGB", (3, 3)).save(OUT / "sheet.png")
    for _ in range(2):
        done = run(photo("a.png"))
        assert f"all on one sheet: {OUT / 'index-2.html'}, {OUT / 'sheet-2.png'}" in done.stdout.splitlines()
    assert (OUT / "index.html").read_text() == "my own page"
    assert sorted(path.name for path in OUT.iterdir() if "top-1" not in path.name) == [
        "index-2.html", "index.html", "sheet-2.png", "sheet.png"
    ]  # fmt: skip
    run(photo("b.png", 1))
    assert rows("index-2.html") == ["b.png"]


def test_the_folder_of_maps_is_no_folder_of_photos():
    run(photo("out/a.png"))
    done = run("out")
    assert rows() == ["a.png"]
    assert "sheet.png" in done.stderr  # not explained, as seewhy made it


def test_json_stays_one_object_a_map():
    done = run(photo("a.png"), "--json")
    assert len(done.stdout.splitlines()) == 1
    assert (OUT / "index.html").is_file()


def test_after_many_pictures_the_files_are_shown(monkeypatch):
    monkeypatch.setattr(module, "EMBEDDED", 2)
    run(photo("a.png"), photo("b.png", 1))
    text = (OUT / "index.html").read_text("utf-8")
    assert text.count('src="data:image/jpeg') == 2
    assert re.findall(r'src="\./(b[^"]*\.png)"', text) == [path.name for path in OUT.glob("b.*.png")]


def test_a_page_that_cannot_be_written_is_said_and_the_maps_stay(monkeypatch):
    (OUT / "index.html").mkdir(parents=True)
    (OUT / "index-2.html").mkdir()
    done = run(photo("a.png"))
    assert done.exit_code == 0
    assert f"{OUT / 'index-3.html'}" in done.stdout


def test_after_an_interruption_the_sheet_shows_what_was_done(monkeypatch):
    stop = Event()
    stop.set()
    monkeypatch.setattr("seewhy.progress.stoppable", lambda _tell: nullcontext(stop))
    done = run(photo("a.png"), photo("b.png", 1))
    assert done.exit_code == 130
    assert rows() == ["a.png"]
    assert (OUT / "sheet.png").is_file()


def test_orders_are_those_of_the_records():
    assert module.ORDERS == records.ORDERS


def test_wrong_answers_come_first_and_their_truth_is_a_column():
    photo("bird/a.png"), photo("bird/b.png", 1), photo("fish/c.png", 2), photo("cup/d.png", 3)
    run("bird", "fish", "cup", "--truth", "folders")
    text = (OUT / "index.html").read_text("utf-8")
    wrong = re.findall(r'data-wrong="(\d)"', text)
    assert wrong[0] == "1"
    assert wrong == sorted(wrong, reverse=True)
    assert re.findall(r'<th scope="col">([^<]*)', text) == ["photo", "top 1", "truth"]
    assert 'class="bad">wrong: bird (0)' in text
    assert "<p>truth: fish (" in text
    assert "accuracy: " in text
    run("bird", "fish", "cup", "--truth", "folders", "--sort", "given")
    assert [name[-5:] for name in rows()] == ["a.png", "b.png", "c.png", "d.png"]


def test_evidence_in_boxes_stands_below_its_map():
    Path("boxes.csv").write_text(f"file,x0,y0,x1,y1\n{photo('a.png')},10,10,60,60\n")
    run("a.png", "--boxes", "boxes.csv")
    assert re.search(r"<p>in the box[^<]*%", (OUT / "index.html").read_text("utf-8"))


def test_one_photo_of_many_maps_has_a_column_for_each_method_and_a_row_for_each_target():
    done = run(photo("a.png"), "-M", "grad-cam", "-M", "gradient", "-t", "top:3", "--picture", "signed")
    assert done.exit_code == 0, done.output
    text = (OUT / "index.html").read_text("utf-8")
    assert re.findall(r'<th scope="col">([^<]*)', text) == ["photo", "grad-cam", "gradient"]
    assert rows() == ["a.png"] * 3
    assert [f"<p>top {place}</p>" in text for place in (1, 2, 3, 4)] == [True, True, True, False]
    assert ">1 photo: demo/honest<" in text
    assert "signed: sum over channels, zero in the middle; colours end at the 99th percentile" in text
    with Image.open(OUT / "sheet.png") as drawn:
        assert drawn.width < 4 * 200


def test_the_truth_of_few_wrong_answers_is_a_row_and_not_an_empty_column():
    said = [seewhy.grad_cam(seewhy.load("demo/honest"), photo(f"{name}.png", seed))[0] for seed, name in enumerate("abc")]
    answers = [heatmap.source.predicted.index for heatmap in said]
    lines = [f"{name}.png,{answer}" for name, answer in zip("ab", answers, strict=False)]
    Path("truth.csv").write_text("\n".join(["file,label", *lines, f"c.png,{(answers[2] + 1) % 3}"]))
    run("a.png", "b.png", "c.png", "--truth", "truth.csv")
    text = (OUT / "index.html").read_text("utf-8")
    assert re.findall(r'<th scope="col">([^<]*)', text) == ["photo", ""]
    assert rows()[:2] == ["c.png", "c.png"]
    assert len(rows()) == 4
    assert text.index("<p>top 1</p>") < text.index("<p>truth</p>")
