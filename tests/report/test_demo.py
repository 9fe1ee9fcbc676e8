"""The demo's page and its numbers."""

import re

import numpy as np
import pytest

pytest.importorskip("torch")

from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from seewhy.demo import KINDS, scenes
from seewhy.report.demo import CHEAT, SEED, SEGMENTED, Measures, Trials, measure, share, show
from support.pages import RIGHT, needs_browser, opened


def test_share_counts_positive_energy_only():
    values = np.array([[1.0, -5.0], [3.0, 0.0]])
    assert share(values, np.array([[True, True], [False, False]])) == pytest.approx(0.25)
    assert share(-abs(values), np.ones((2, 2), bool)) == 0


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return *show(out, shown=4, n=60), out


def test_the_verdicts_are_true(shown):
    (honest, shortcut), _, _ = shown
    assert not honest.cheats
    assert shortcut.cheats
    assert honest.accuracy > 0.95
    assert shortcut.accuracy > 0.95
    assert honest.on_object > 2.5 * honest.object_area
    assert shortcut.on_mark > 8 * shortcut.mark_area
    assert honest.unmarked > 0.9
    assert shortcut.unmarked < 0.2
    assert f"{100 * shortcut.on_mark:.0f} %" in shortcut.verdict


def test_the_numbers_are_those_of_the_maps():
    """Measured again by hand: one map after the other, prepared by hand."""
    model = seewhy.load("demo/shortcut")
    found = measure(model, "shortcut", Trials.drawn(40))
    shares = []
    for scene in scenes(10, SEED + 1, kinds=[CHEAT], shortcut="mark", marked="class"):
        x = ((np.asarray(scene.image, np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
        full = seewhy.grad_cam(model, x, target=KINDS.index(CHEAT))[0].full()
        shares.append(full[scene.mark].sum() / full.sum())
    assert found.on_mark == pytest.approx(np.mean(shares), rel=1e-3)


def test_the_page_stands_alone(shown):
    findings, page, out = shown
    text = page.read_text("utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    assert "http" not in text
    assert text.count("<img") == 4 * 3 + SEGMENTED * 6
    for finding in findings:
        assert finding.verdict in text
    with Image.open(out / "demo.jpg") as picture:
        assert np.asarray(picture).std() > 20


def test_the_command_prints_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.report.demo.show.__defaults__", (2, 20))
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "a" / "b")])
    assert done.exit_code == 0, done.output
    assert re.search(r"honest +\d+ %", done.output)
    assert "shortcut cheats" in done.output
    assert (tmp_path / "a" / "b" / "index.html").exists()


def test_only_pages_of_the_demo_are_written_over(tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.report.demo.measure", lambda *_: pytest.fail("said too late"))
    others = (("index.html", "<title>My page</title>"), ("demo.jpg", "my holidays"), ("index.html", None))
    for place, (name, content) in enumerate(others):
        path = tmp_path / str(place) / name
        path.mkdir(parents=True) if content is None else path.parent.mkdir()
        if content is not None:
            path.write_text(content)
        done = CliRunner().invoke(main, ["demo", "--out", str(path.parent)])
        assert done.exit_code == 1
        assert done.stderr == f"seewhy: {path} is there, and no demo wrote it: it stays as it is. Give another folder.\n"
        assert content is None or path.read_text() == content
        assert [*path.parent.iterdir()] == [path]
    (tmp_path / "file").write_text("no folder")
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "file" / "out")])
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert "cannot be made: Not a directory" in done.stderr


def test_the_demo_is_written_again_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("seewhy.report.demo.show.__defaults__", (2, 10))
    monkeypatch.setattr("seewhy.report.demo.measure", lambda _model, name, _n: Measures(name, *[0.5] * 7))
    (tmp_path / "demo.jpg").symlink_to("nowhere")
    for turn in range(2):
        done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.jpg", "index.html"]
        assert not (tmp_path / "demo.jpg").is_symlink()
        if not turn:
            Image.new("RGB", (9, 9)).save(tmp_path / "demo.jpg")  # as older demos wrote it: only the page tells


def test_where_hires_cam_and_grad_cam_part_ways():
    """On pooled heads they are the same map, behind a fully connected head they are not."""
    drawn = [scene.image for scene in scenes(4, SEED)]
    for name, same in (("honest", True), ("flat", False)):
        maps = seewhy.explain(
            seewhy.load(f"demo/{name}"), drawn, [m.using(signed=True) for m in (seewhy.grad_cam, seewhy.hires_cam)]
        )
        grad, hires = (np.stack([m.values for m in maps.where(method=method)]) for method in ("grad-cam", "hires-cam"))
        assert np.allclose(grad, hires, atol=1e-4 * abs(grad).max()) == same


def test_trials_are_scenes_of_their_seeds_drawn_once():
    trials = Trials.drawn(12)
    sets = {
        "plain": scenes(12, SEED),
        "stamped": scenes(12, SEED, shortcut="mark"),
        "birds": scenes(3, SEED + 1, kinds=[CHEAT], shortcut="mark"),
        "bare": scenes(3, SEED + 1, kinds=[CHEAT], shortcut="mark", marked="none"),
        "others": [each for each in scenes(3, SEED + 2, shortcut="mark", marked="others") if each.name != CHEAT],
    }
    for name, expected in sets.items():
        drawn = getattr(trials, name)
        assert [each.name for each in drawn] == [each.name for each in expected]
        assert all(a.image.tobytes() == b.image.tobytes() for a, b in zip(drawn, expected, strict=True)), name
    assert any(each.mark.any() for each in trials.stamped) == any(each.name == CHEAT for each in trials.plain)


def test_on_a_terminal_the_demo_says_what_it_does_and_is_silent_elsewhere(tmp_path, monkeypatch, capsys):
    show(tmp_path / "piped", 2, 10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    show(tmp_path / "terminal", 2, 10)
    said = capsys.readouterr().err
    assert all(step in said for step in ("loading the networks", "drawing scenes", "explaining"))


def test_on_a_phone_each_number_says_what_it_is(shown):
    """Below 44 rem the table's head is hidden, and each cell carries the words of its column."""
    text = shown[1].read_text("utf-8")
    heads = re.findall(r"<th>(.*?)</th>", text)
    said = re.findall(r'<td data-what="(.*?)">', text)
    assert len(heads) == 6 + 3  # of the networks, and of segmenting
    assert said == heads[:6] * 2 + heads[6:] * 6
    assert "width=device-width" in text
    assert re.search(r"@media \(max-width: 44rem\).*?\.head \{ display: none; \}", text, re.S)


@needs_browser
def test_in_a_browser_nothing_is_asked_for_and_nothing_hangs_over_the_edge(shown):
    assert opened(shown[1]) == RIGHT
