"""What can go wrong, in words that a terminal shows and never obeys."""

import json
import pickle
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from seewhy import errors


def test_words_are_one_line_that_is_safe_to_print():
    error = errors.BadImage("a\x1b[31m\nb")
    assert str(error) == r"a\x1b[31m b"
    assert str(errors.NoSuchName("layer", "x\x1b", ["y\x1b"], "Look.")) == r"No layer 'x\x1b'. Closest: y\x1b. Look."
    assert str(errors.NoSuchName("layer", "x", [], "Look.")) == "No layer 'x'. Look."
    assert str(errors.MissingExtra("rasterio", "geo")) == f"rasterio is not installed. Install it with: {errors.install('geo')}"


def test_an_extra_is_installed_from_where_seewhy_came_from(monkeypatch, tmp_path):
    """Nobody has published it: `pip install 'seewhy[geo]'` is true for those alone who got it from an index."""
    here = Path(errors.__file__).parents[2]
    if (here / "pyproject.toml").is_file():
        assert errors.install("geo") == f"pip install '{here}[geo]'"
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "site-packages" / "seewhy" / "errors.py"))
    told = {"dir_info": {}, "url": (tmp_path / "my checkout").as_uri()}
    text = json.dumps(told)
    monkeypatch.setattr(metadata, "distribution", lambda _name: SimpleNamespace(read_text=lambda _file: text))
    assert errors.install("geo") == "pip install 'seewhy[geo]'"  # the folder has gone
    (tmp_path / "my checkout").mkdir()
    (tmp_path / "my checkout" / "pyproject.toml").touch()
    assert errors.install("tiff,geo") == f"pip install '{tmp_path / 'my checkout'}[tiff,geo]'"
    text = None
    assert errors.install("geo") == "pip install 'seewhy[geo]'"


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.NoSuchName, LookupError), (errors.BadParameter, TypeError), (errors.BadParameter, ValueError),
        (errors.BadImage, ValueError), (errors.BadNetwork, RuntimeError), (errors.NotWritten, OSError),
        (errors.OutOfMemory, MemoryError), (errors.MissingExtra, ImportError), (errors.NotHere, errors.NotApplicable),
        (errors.InSpace, errors.BadNetwork), (errors.NoService, errors.BadNetwork),
    ],
)  # fmt: skip
def test_each_is_also_what_python_calls_it(kind, builtin):
    assert issubclass(kind, builtin)
    assert issubclass(kind, errors.SeewhyError)


def test_another_process_hears_all_of_it():
    for kind in (errors.BadImage, errors.NotWritten, errors.OutOfMemory):
        error = kind("disk full")
        error.partial = [1, 2]
        error.add_note("at the third")
        error.__cause__ = ValueError("why")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.partial, again.__notes__) == (kind, "disk full", [1, 2], ["at the third"])
        assert (type(again.__cause__), str(again.__cause__)) == (ValueError, "why")
        error.__cause__ = ValueError(lambda: None)  # which cannot be sent
        assert pickle.loads(pickle.dumps(error)).__cause__ is None


def test_near_spellings_come_before_names_that_contain_it():
    names = ["layer1", "layer2", "stage.layer", "head", "Layerr"]
    assert errors.closest("layer", names) == ["Layerr", "layer2", "layer1"]
    assert errors.closest("LAYER1", names, 1) == ["layer1"]
    assert errors.closest("ead", names) == ["head"]
    assert errors.closest("zzz", names) == []
    assert errors.closest("x" * 10**6, names) == []


@pytest.mark.parametrize("value", [3, 3.0, True + 2])
def test_a_whole_number_is_one_whatever_its_type(value):
    assert errors.whole_number(value, "tiles", 1) == 3


@pytest.mark.parametrize("value", [0, 2.5, "3", None, float("nan"), float("inf"), True, 11])
def test_what_is_no_whole_number_of_the_span_is_refused(value):
    with pytest.raises(errors.BadParameter, match=r"^tiles= is a whole number from 1 to 10, not "):
        errors.whole_number(value, "tiles=", 1, 10)
    if value != 11:
        with pytest.raises(errors.BadParameter, match=r"is a whole number from 1 on, not "):
            errors.whole_number(value, "tiles=", 1)
