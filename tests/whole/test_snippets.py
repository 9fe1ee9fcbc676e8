"""Every block of code in README and docs/ runs as it stands there, and every command of its shell blocks ends well."""

import importlib
import re
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("nibabel")
pytest.importorskip("rasterio")

import seewhy
from seewhy.cli.app import main
from support.snippets import PAGES, PLACE, commands, furnish, loader, names, quicker, snippets

loading = importlib.import_module("seewhy.models.load")  # `seewhy.models.load` is the function, once somebody asked for it
ELSEWHERE = {  # pages whose code is run by other tests, beside what it needs
    "docs/black_boxes.md": "tests/whole/test_black_boxes.py",
    "docs/embed.md": "tests/cli/commands/test_embed.py",
    "docs/export.md": "tests/exporting/test_export_docs.py",
    "docs/keras_backends.md": "tests/whole/test_frameworks.py",
    "docs/report.md": "tests/cli/commands/test_report.py",
    "docs/segment.md": "tests/cli/commands/test_segment.py",
    "docs/vision_language.md": "tests/inside/test_written_texts.py",
}


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path)
    load = loader(loading.load)
    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(seewhy, "load", load, raising=False)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE and snippets(page)])
def test_the_code_of_a_page_runs(page, world):
    space = names(page)
    for snippet in snippets(page):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if snippet.language == "python":
                code = "\n" * (snippet.line - 1) + quicker(snippet.code)
                exec(compile(code, page, "exec"), space)
                continue
            for words in commands(quicker(snippet.code)):
                done = CliRunner().invoke(main, words)
                assert done.exit_code == 0, f"{page}:{snippet.line}: seewhy {' '.join(words)}\n{done.output}"


@pytest.mark.parametrize("page", ELSEWHERE)
def test_the_code_of_the_other_pages_is_run_where_it_is_said(page):
    assert page in (PLACE / ELSEWHERE[page]).read_text("utf-8") or Path(page).name in (PLACE / ELSEWHERE[page]).read_text(
        "utf-8"
    )


def test_the_readme_can_be_read_in_one_go():
    lines = (PLACE / "README.md").read_text("utf-8").splitlines()
    assert len(lines) < 150
    assert max(map(len, lines)) < 400  # no walls


def test_links_of_pages_lead_somewhere():
    for page in PAGES:
        text = (PLACE / page).read_text("utf-8")
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, part = link.partition("#")
            if "://" in link or link.startswith("mailto:"):
                continue
            there = (PLACE / page).parent / file if file else PLACE / page
            assert there.exists(), f"{page}: {link}"
            if part:
                heads = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.M)
                anchors = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
                assert part in anchors, f"{page}: {link}"
