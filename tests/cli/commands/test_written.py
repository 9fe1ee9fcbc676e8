"""`seewhy written`, and the file of Python of docs/vision_language.md, over a folder of a small LLaVA of random weights."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import seewhy
from seewhy.cli.app import main
from support.ask import close
from support.snippets import commands, snippets
from support.vision_language import network, tokenizer

transformers = pytest.importorskip("transformers")
PAGE = "docs/vision_language.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The network and its processor, saved as transformers does."""
    folder = tmp_path_factory.mktemp("llava")
    network("llava").float().save_pretrained(folder)
    words, sides = tokenizer(), {"height": 48, "width": 48}
    words.add_special_tokens({"additional_special_tokens": ["<image>"]})  # they stand side by side, without spaces
    images = transformers.CLIPImageProcessor(size=sides, crop_size=sides)
    transformers.LlavaProcessor(
        images, words, patch_size=16, vision_feature_select_strategy="default", num_additional_image_tokens=1
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def place(folder, noise, tmp_path, monkeypatch):
    """A folder with the file of the page, which loads that network, and a photo."""
    (code,) = [each.code for each in snippets(PAGE) if "def llava" in each.code]
    assert "llava-hf/llava-1.5-7b-hf" in code
    (tmp_path / "vlm.py").write_text(code.replace("llava-hf/llava-1.5-7b-hf", str(folder)))
    noise((70, 64)).save(tmp_path / "dog.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done


def test_the_text_and_its_tokens(place):
    model = seewhy.load("vlm.py:llava")
    (text,) = seewhy.written(model, "dog.jpg", longest=3)
    said = json.loads(run("written", "vlm.py:llava", "dog.jpg", "--longest", "3", "--json").stdout)
    assert [row["token"] for row in said["tokens"]] == [*text.tokens]
    assert [row["id"] for row in said["tokens"]] == [*text.ids]
    np.testing.assert_allclose([row["probability"] for row in said["tokens"]], text.chances, rtol=1e-5)
    assert (said["text"], said["longest"], said["seed"], said["maps"]) == (text.text, 3, None, [])
    lines = run("written", "vlm.py:llava", "dog.jpg", "--longest", "3").stdout.splitlines()
    assert lines[0] == text.text
    assert [line.split()[:2] for line in lines[2:]] == [[str(i), token.strip()] for i, token in enumerate(text.tokens)]
    drawn = json.loads(run("written", "vlm.py:llava", "dog.jpg", "--longest", "3", "--seed", "4", "--json").stdout)
    assert [row["id"] for row in drawn["tokens"]] == [*seewhy.written(model, "dog.jpg", seed=4, longest=3)[0].ids]


def test_a_map_of_each_token_that_is_asked_for(place):
    model = seewhy.load("vlm.py:llava")
    (text,) = seewhy.written(model, "dog.jpg", longest=3)
    word = text.tokens[1].strip()
    asked = ["written", "vlm.py:llava", "dog.jpg", "--longest", "3", "-t", "0", "-t", word, "-o", "maps", "--values", "--json"]
    maps = json.loads(run(*asked).stdout)["maps"]
    expected = seewhy.token_activation(model, "dog.jpg", [seewhy.Token(0, longest=3), seewhy.Token(word, longest=3)])
    assert len(maps) == 2
    for said, heatmap in zip(maps, expected, strict=True):
        assert (said["method"], said["target"]) == ("token-activation", heatmap.source.target)
        assert seewhy.Heatmap.source_of(said["file"]).written == heatmap.source.written
        with np.load(said["file"].replace(".png", ".npz")) as kept:
            close(kept["values"], heatmap.values, 1e-6)


def test_the_commands_of_its_page_run(place):
    (text,) = seewhy.written(seewhy.load("vlm.py:llava"), "dog.jpg")
    (shell,) = [each.code for each in snippets(PAGE) if each.language == "sh"]
    asked = commands(shell.replace("--token dog", "--token 0").replace("token:dog", "token:0"))
    assert [words[0] for words in asked] == ["written", "written", "explain", "attention"]
    for words in asked[:2]:
        assert run(*words).stdout.startswith(text.text)
    for words in asked[2:]:
        assert "token:0" in run(*words).stdout
    assert [*(place / "maps").glob("dog.token-activation.*.png")]


def test_what_goes_wrong_is_one_line(place):
    for words, code, says in (
        (["vlm.py:llava", "-t", "zebra"], 2, "no such word in what the network wrote"),
        (["vlm.py:llava", "-t", " "], 2, "give a word of the text"),
        (["demo/honest"], 2, "writes no text about an image"),
    ):
        done = CliRunner().invoke(main, ["written", words[0], "dog.jpg", "--longest", "2", *words[1:], "-o", "maps"])
        assert (done.exit_code, says in done.stderr.splitlines()[-1]) == (code, True), done.output
        assert done.stdout == ""
    assert not (place / "maps").exists()
