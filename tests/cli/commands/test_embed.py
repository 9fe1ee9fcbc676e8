"""`seewhy embed`: of a network and photos, of a run, of a file; a page, a picture, a table."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("sklearn")
pytest.importorskip("pyarrow")

import seewhy
from seewhy.cli.app import main
from seewhy.demo import scenes
from seewhy.inside.embeddings.embedding import Embedding


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embed")
    for place, scene in enumerate(scenes(8, 3, kinds=("bird", "car"))):
        (folder / "photos" / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / "photos" / scene.name / f"{place}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def table(folder: Path) -> Path:
    return seewhy.embed(seewhy.load("demo/honest"), folder / "photos").save(folder / "table.parquet")


def said(*words: Any) -> Any:
    return CliRunner().invoke(main, ["embed", *map(str, words)])


def test_a_page_a_picture_and_a_table_in_one_go(folder: Path) -> None:
    outs = [folder / name for name in ("m.html", "m.png", "m.parquet")]
    done = said("demo/honest", folder / "photos", *(word for out in outs for word in ("-o", out)), "--colour", "error")
    assert done.exit_code == 0, done.output
    assert all(out.stat().st_size > 1000 for out in outs)
    assert "8 photos, 64 numbers each: features of demo/honest at body" in done.output
    found = Embedding.load(folder / "m.parquet")
    assert len(found) == 8
    again = said(folder / "m.parquet", "-o", folder / "again.html", "--how", "pca", "--json")
    assert again.exit_code == 0, again.output
    facts = json.loads(again.stdout)
    assert (facts["how"], facts["photos"], facts["size"]) == ("pca", 8, 64)


def test_a_stored_run_is_laid_out_without_its_network(folder: Path) -> None:
    assert CliRunner().invoke(main, ["run", "demo/honest", str(folder / "photos"), "-o", str(folder / "run")]).exit_code == 0
    done = said(folder / "run", "-o", folder / "r.npz", "--weighted-by", "grad-cam")
    assert done.exit_code == 0, done.output
    assert "what demo/honest looked at (grad-cam) at body" in done.output
    assert "border" in Embedding.load(folder / "r.npz").photos.measures


def test_a_broken_photo_is_said_and_the_rest_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes((folder / "photos/bird").glob("*.png").__next__().read_bytes())
    (tmp_path / "b.png").write_text("no picture")
    done = said("demo/honest", tmp_path, "-o", tmp_path / "m.npz")
    assert done.exit_code == 1
    assert "left out" in done.output
    assert "b.png" in done.output
    assert len(Embedding.load(tmp_path / "m.npz")) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("demo/honest", "-o", "m.html"), "Say which photos"),
        (("demo/honest", ".", "-o", "m.csv"), "a map is written as .html or .png"),
        (("{m}", "-o", "m.html", "--layer", "x"), "has the features that it has"),
    ],
    ids=["no photos", "suffix", "layer of a file"],
)
def test_misuse_is_said_in_a_line(table: Path, words: tuple[str, ...], told: str) -> None:
    done = said(*(word.format(m=table) for word in words))
    assert done.exit_code == 2
    assert told in done.output


def test_the_code_of_docs_embed_md_runs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib
    import shutil

    from support.snippets import commands, loader, snippets  # here, for they need all that pages show

    loading = importlib.import_module("seewhy.models.load")
    load = loader(loading.load)
    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(seewhy, "load", load, raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "photos", tmp_path / "photos")
    shutil.copy(next(tmp_path.glob("photos/*/*.png")), tmp_path / "new.jpg")
    space: dict[str, Any] = {}
    ran = 0
    for snippet in snippets("docs/embed.md"):
        if snippet.language == "python":
            exec(compile(snippet.code, "docs/embed.md", "exec"), space)
            continue
        for words in commands(snippet.code):
            done = CliRunner().invoke(main, words)
            assert done.exit_code == 0, f"seewhy {' '.join(words)}\n{done.output}"
            ran += 1
    assert ran == 3
    assert len(space["near"]) == 5
