"""What a map says of its target is the same question again: from its Source, its file, the command line, and its --json."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import seewhy
from seewhy import AnyOf, Contrast, Heatmap, Source, Top, Unit
from seewhy.cli.app import main
from seewhy.errors import NoSuchName
from seewhy.targets.grammar import quote
from seewhy.targets.parse import as_targets
from support.hostile import HOSTILE

FIT = {"size": None, "crop": None, "mean": 0.0, "std": 1.0}
LABELS = [*HOSTILE, "cat", "10-wheeler"]  # two of them twice
K = len(LABELS)
DIGITS = ["9", "3", "1", "10-wheeler", "0", "2", "4, four", "5", "8", "6"]


def network(classes: int = K) -> nn.Module:
    """Each class is a sum of the channels of its own, so that no two maps of classes are alike."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(np.random.default_rng(0).integers(60, 256, (8, 9, 3), np.uint8))


def alike(one: Heatmap, other: Heatmap) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    facts = ("target", "index", "label", "score", "classes", "place")
    assert [getattr(one.source, f) for f in facts] == [getattr(other.source, f) for f in facts]


@pytest.mark.parametrize("labels", [LABELS, DIGITS, DIGITS[::-1], None], ids=["hostile", "digits", "reversed", "none"])
def test_a_map_of_each_class_is_asked_for_by_what_it_says(photo, labels):
    model = seewhy.wrap(network(len(labels or DIGITS)), labels=labels, prepare=FIT)
    count = len(labels or DIGITS)
    maps = seewhy.gradient(model, photo, target=[*range(count)])
    again = seewhy.gradient(model, photo, target=[Source.from_json(m.source.to_json()).target for m in maps])
    for index, (one, other) in enumerate(zip(maps, again, strict=True)):
        assert one.source.index == other.source.index == index
        alike(one, other)


ASKED = [
    Top(), Top(3), Contrast(1, [3, 4]), Contrast(1, [4], 0.1234567891), Contrast(2, look_alikes=2, strength=1e-7), AnyOf("cat"),
    AnyOf(["C++", 3]), AnyOf(["a|b"]), AnyOf([1, 2, 40]), AnyOf("C++"), Unit("0", 3), Unit("0", 3, "sum"), Unit("0", 2, (1, 2)),
]  # fmt: skip


@pytest.mark.parametrize("target", ASKED, ids=str)
def test_a_map_of_any_target_is_made_again_from_its_file(photo, tmp_path, target):
    model = seewhy.wrap(network(), labels=LABELS, prepare=FIT)
    (found,) = seewhy.gradient(model, photo, target=target)
    stored = Heatmap.source_of(found.save(tmp_path / "map.png"))
    (again,) = seewhy.gradient(model, photo, target=stored.target)
    alike(again, found)
    remade = stored.again(model, photo)
    assert (remade.same, remade.faults) == ("bit for bit", ())


def plain_names(label: str) -> set[str]:
    return {" ".join(part.replace("_", " ").split()).casefold() for part in (label, *label.split(","))}


@pytest.mark.parametrize("label", [label for label in HOSTILE if label.strip()])
def test_a_label_is_asked_for_in_quotes(label):
    meant = [i for i, other in enumerate(LABELS) if " ".join(label.replace("_", " ").split()).casefold() in plain_names(other)]
    if len(meant) > 1:
        with pytest.raises(NoSuchName, match="single class"):
            as_targets(quote(label), LABELS)
        return
    (found,) = as_targets(quote(label), LABELS)
    assert [found.index] == meant
    assert LABELS[found.index] == label


WRITTEN = [
    "1",
    '"1"',
    '"10-wheeler"',
    "top 2",
    "0-vs-1:1e-3",
    '"cat-vs-dog"-vs-1+"a|b":0.6',
    'any:"C++"',
    "any:1+2",
    "unit:0:3:sum",
]


@pytest.fixture
def told(photo, tmp_path):
    """The command on one photo, by a network with these labels: what it prints with --json, and its remarks."""
    photo.save(tmp_path / "a.png")

    def ask(labels, *texts, out="out"):
        (tmp_path / "net.py").write_text(
            "import torch, seewhy\nfrom torch import nn\ntorch.manual_seed(0)\n"
            f"net = nn.Sequential(nn.Conv2d(3, {len(labels)}, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()\n"
            f"net = seewhy.wrap(net, labels={labels!r}, prepare={FIT})\n",
            "utf-8",
        )
        words = ["explain", str(tmp_path / "a.png"), "--model", f"{tmp_path / 'net.py'}:net", "--no-sheet", "--json"]
        words += [
            "--method",
            "gradient",
            "--out",
            str(tmp_path / out),
            *(word for text in texts for word in ("--target", text)),
        ]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], done.stderr

    return ask


@pytest.mark.parametrize("text", WRITTEN)
def test_the_command_line_and_json_ask_the_same(told, text):
    labels = [*dict.fromkeys(label for label in HOSTILE if label.strip() and label.isprintable())]
    ((first,), _) = told(labels, text, out="one")
    ((second,), _) = told(labels, f"  {first['target']} ", out="two")
    assert (second["target"], second["index"], second["score"]) == (first["target"], first["index"], first["score"])
    assert Path(first["file"]).name == Path(second["file"]).name
    assert as_targets(first["target"], labels) == as_targets(text, labels)


def test_no_two_targets_of_one_call_share_a_file(told):
    texts = ["any:a b", 'any:"a|b"', "any:0+1", "any:1+0", "0-vs-1+2", "0-vs-1:2", "0-vs-1:-2", "0-vs-1:0.2", "top 1"]
    rows, _ = told(["a b", "a-b", "a|b", "a:b"], *texts)
    assert len({row["file"].casefold() for row in rows}) == len(texts)
    for row in rows:
        assert Heatmap.source_of(row["file"]).target == row["target"]


@pytest.mark.parametrize(
    ("text", "index", "remark"),
    [("1", 1, True), ('"1"', 0, False), ("2020", 2, False), ("0", 0, False), ('"2"', 1, False), (" 1 ", 1, True)],
)
def test_a_number_that_is_another_classes_label_is_said(told, text, index, remark):
    (row,), said = told(["1", "2", "2020"], text)
    assert row["index"] == index
    assert ("-t '\"1\"'" in said) == remark
