"""`seewhy attention`: maps of a transformer's heads as files, and a line for each."""

import json

import numpy as np
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import attention
from seewhy.cli.app import main
from support.ask import close
from support.families import ALL

VIT = "timm vit, 4 registers"
FIT = {"size": (64, 96), "crop": None, "mean": 0.5, "std": 0.5}


def test_every_head_of_a_layer_is_a_file(tmp_path, monkeypatch):
    model = seewhy.wrap(ALL[VIT].network().float(), prepare=FIT, labels=list("abcdefg"))
    monkeypatch.setattr("seewhy.cli.options.ModelOptions.load", lambda _: model)
    photo = tmp_path / "dog.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8)).save(photo)
    asked = ["attention", str(photo), "-m", "a/b", "-l", "blocks.1", "--query", "70,100", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*asked, "--head", "all", "--json", "--values"])
    assert done.exit_code == 0, done.output
    facts = [json.loads(line) for line in done.output.splitlines()]
    assert [(one["layer"], one["params"]["head"], one["params"]["query"]) for one in facts] == [
        ("blocks.1.attn", 0, [70, 100]), ("blocks.1.attn", 1, [70, 100])
    ]  # fmt: skip
    expected = attention(model, str(photo), "blocks.1", None, (70, 100))
    for one, m in zip(facts, expected, strict=True):
        assert seewhy.Heatmap.source_of(one["file"]).layer == m.source.layer
        with np.load(one["file"].replace(".png", ".npz")) as kept:
            close(kept["values"], m.values)
    done = CliRunner().invoke(main, asked)
    assert "attention, mean of heads, query (70, 100)" in done.output
    done = CliRunner().invoke(main, [*asked, "--head", "9"])
    assert done.exit_code == 2


def test_heads_and_layers_on_one_sheet(tmp_path, monkeypatch):
    """A row for each layer, a column for each head, all on one scale from zero to the largest weight."""
    model = seewhy.wrap(ALL[VIT].network().float(), prepare=FIT, labels=list("abcdefg"))
    monkeypatch.setattr("seewhy.cli.options.ModelOptions.load", lambda _: model)
    photo, out = tmp_path / "dog.png", tmp_path / "out"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8)).save(photo)
    asked = ["attention", str(photo), "-m", "a/b", "--head", "all", "--sheet", "--out", str(out)]
    for _again in range(2):  # its own sheet is replaced
        done = CliRunner().invoke(main, asked)
        assert done.exit_code == 0, done.output
        assert done.output.splitlines()[-2 if _again else -1].endswith("dog.attention.sheet.png")
    maps = attention(model, str(photo))
    shown = maps.grid("method", 110, scale=(0.0, max(float(m.values.max()) for m in maps)), alpha=1)
    with Image.open(out / "dog.attention.sheet.png") as sheet:
        assert np.array_equal(np.asarray(sheet), np.asarray(shown))
    assert len([*out.glob("*sheet*")]) == 1
