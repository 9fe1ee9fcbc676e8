"""`seewhy labels` lists the classes of a network."""

import json

import pytest
from click.testing import CliRunner

from seewhy.cli import app as command
from seewhy.targets.labels import read_labels

FUNCTION = "def net():\n    return lambda images: images.mean((1, 2))\n"


def run(*words):
    return CliRunner().invoke(command.main, ["labels", *words])


def test_all_classes_are_listed_by_index():
    done = run("torchvision/squeezenet1_1")
    lines, names = done.stdout.splitlines(), read_labels("imagenet")
    assert done.exit_code == 0, done.output
    assert len(lines) == 1000
    assert lines[281] == "281  n02123045  tabby"
    assert [line.split("  ")[-1] for line in lines] == names


def test_the_classes_with_a_word_are_those_that_the_target_explains():
    done = run("torchvision/squeezenet1_1", "cat", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["index"] for row in rows] == [281, 282, 283, 284, 285, 383, 387]
    assert rows[1] == {"index": 282, "wnid": "n02123159", "label": "tiger cat"}
    assert run("torchvision/squeezenet1_1", "cat").stdout.splitlines()[-1] == "--target any:cat explains these 7 together."


def test_labels_of_a_persons_own_are_listed(tmp_path):
    (tmp_path / "f.py").write_text(FUNCTION)
    (tmp_path / "names.txt").write_text("tiger cat\n\x1b[31mcatamaran\nhot dog\n")
    done = run(f"{tmp_path / 'f.py'}:net", "--labels", str(tmp_path / "names.txt"))
    assert done.stdout.splitlines() == ["0  tiger cat", r"1  \x1b[31mcatamaran", "2  hot dog"]
    one = run(f"{tmp_path / 'f.py'}:net", "dog", "--labels", str(tmp_path / "names.txt"))
    assert one.stdout.splitlines() == ["2  hot dog", "--target any:dog explains it."]


@pytest.mark.parametrize(
    ("words", "said"), [(["catt"], "Closest: cat"), (["catt"], "seewhy labels MODEL"), ([""], "whole word of a label")]
)
def test_a_word_of_no_label_is_misuse(tmp_path, words, said):
    (tmp_path / "f.py").write_text(FUNCTION)
    (tmp_path / "names.txt").write_text("tiger cat\ncatamaran\nhot dog\n")
    done = run(f"{tmp_path / 'f.py'}:net", *words, "--labels", str(tmp_path / "names.txt"))
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said in done.stderr
    assert "model.labels" not in done.stderr


def test_a_model_without_labels_is_told_how_to_get_them(tmp_path):
    (tmp_path / "f.py").write_text(FUNCTION)
    done = run(f"{tmp_path / 'f.py'}:net")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--labels FILE" in done.stderr
