"""What type checkers and editors know of seewhy, as pyright says."""

import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from seewhy import METHODS

SAMPLE = Path(__file__).parents[1] / "support" / "typed" / "asked.py"

pytestmark = pytest.mark.skipif(find_spec("pyright") is None, reason="pyright is not installed (extra dev)")


@cache
def refused(*files: Path) -> dict[str, set[int]]:
    """The lines, from 1 on, of each file that pyright finds wrong, all of them read in one run."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *map(str, files)]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    found = json.loads(said.stdout)["generalDiagnostics"]
    lines: dict[str, set[int]] = {Path(file).name: set() for file in files}
    for each in found:
        if each["severity"] == "error":
            lines[Path(each["file"]).name].add(each["range"]["start"]["line"] + 1)
    return lines


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> dict[str, set[int]]:
    folder = tmp_path_factory.mktemp("typed")
    calls = ["import seewhy", 'model = seewhy.load("demo/honest")']
    for name in METHODS:
        public = f"seewhy.{name.replace('-', '_')}"
        calls += [f'{public}(model, "x.jpg", singed=True)', f"{public}.using(singed=True)", f'{public}(model, "x.jpg")']
    (folder / "every.py").write_text("\n".join(calls), "utf-8")
    return refused(SAMPLE, folder / "every.py")


def test_pyright_refuses_the_lines_that_are_wrong_and_no_others(checked):
    lines = SAMPLE.read_text("utf-8").splitlines()
    assert checked["asked.py"] == {n for n, line in enumerate(lines, start=1) if line.endswith("# wrong")}


def test_a_parameter_that_a_method_does_not_have_is_an_error_for_every_method(checked):
    wrong = {3 + 3 * i + k for i in range(len(METHODS)) for k in (0, 1)}
    assert checked["every.py"] == wrong
