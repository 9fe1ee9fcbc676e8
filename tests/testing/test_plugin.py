"""The pytest plugin, in runs of pytest of its own."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ("pytester",)

MODULE = """
import numpy as np, seewhy
from PIL import Image

def model(flip):
    def f(x):
        halves = [x[:, :16].mean((1, 2, 3)), x[:, 16:].mean((1, 2, 3))]
        return np.stack(halves[::-1] if flip else halves, 1)
    return seewhy.wrap(f, takes="uint8", prepare={"size": 32, "crop": 32}, name="f", labels=["up", "down"])

def maps(flip=False, target="up", seed=0):
    pixels = np.random.default_rng(seed).integers(99, 256, (32, 32, 3), dtype=np.uint8)
    return seewhy.occlusion(model(flip), Image.fromarray(pixels), target=target, window=8, stride=8)
"""
TEST = "from made import maps\ndef test_maps(golden_maps):\n    golden_maps(maps(%s), 'halves')\n"


@pytest.fixture
def run(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    pytester.makepyfile(made=MODULE)
    installed = any(entry.value == "seewhy.testing.plugin" for entry in entry_points(group="pytest11"))
    pytester.syspathinsert()

    def run(*words, test="", xdist=False):
        pytester.makepyfile(test_maps=TEST % test if not test.startswith("from") else test)
        plugins = [] if installed else ["-p", "seewhy.testing.plugin"]
        more = ["-p", "xdist", "-n", "2"] if xdist else ["-p", "no:xdist"]
        ways = [*plugins, *more, "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-W", "error", "--strict-config"]
        return pytester.runpytest_subprocess(*ways, *words) if xdist else pytester.runpytest_inprocess(*ways, *words)

    return run


def test_a_golden_map_is_made_on_request_and_compared(run, pytester):
    missing = run()
    missing.assert_outcomes(failed=1)
    said = "*There is no golden map *halves.npz. It is drawn in *halves.png. If the map is right, keep it: "
    missing.stdout.fnmatch_lines([said + "pytest 'test_maps.py::test_maps' --golden-update"])
    assert not (pytester.path / "golden").exists()
    made = run("--golden-update")
    made.assert_outcomes(passed=1)
    made.stdout.fnmatch_lines(["*golden maps written*", "*golden/halves.npz"])
    again = run()
    again.assert_outcomes(passed=1)
    assert "golden maps written" not in again.stdout.str()
    assert "golden maps written" not in run("--golden-update").stdout.str()  # it is as it was


def test_a_model_that_looks_elsewhere_fails_with_numbers_and_a_picture(run, pytester):
    run("--golden-update").assert_outcomes(passed=1)
    moved = run(test="flip=True")
    moved.assert_outcomes(failed=1)
    head, tail = "*The map of image 0 is not the golden one of *halves.npz:", "*Both are drawn in *halves.png"
    moved.stdout.fnmatch_lines([head, "*Spearman *< 0.95", "*energy shift *> 0.1", tail])
    line = next(
        line for line in moved.stdout.lines if "Both are drawn in" in line
    )  # the summary may say it again, as where CI is set
    assert (pytester.path / line.split("drawn in ")[1].strip()).is_file()
    assert "golden.py" not in "".join(line for line in moved.stdout.lines if line.startswith("/"))


def test_another_question_or_photo_fails(run):
    run("--golden-update").assert_outcomes(passed=1)
    for test in ("target='down'", "seed=1"):
        other = run(test=test)
        other.assert_outcomes(failed=1)
        other.stdout.fnmatch_lines(["*halves.npz is the golden map of another question:"])


def test_workers_of_xdist_write_and_tell(run, pytester):
    pytest.importorskip("xdist")
    several = "from made import maps\nimport pytest\n@pytest.mark.parametrize('i', range(4))\ndef test_maps(i, golden_maps):\n"
    several += "    golden_maps(maps(seed=i), f'halves-{i}')\n"
    made = run("--golden-update", test=several, xdist=True)
    made.assert_outcomes(passed=4)
    made.stdout.fnmatch_lines([f"*golden/halves-{i}.npz" for i in range(4)])
    assert sorted(path.name for path in (pytester.path / "golden").iterdir()) == [f"halves-{i}.npz" for i in range(4)]
    run(test=several, xdist=True).assert_outcomes(passed=4)


def test_help_names_the_option(run):
    run("--help").stdout.fnmatch_lines(["*--golden-update*"])


def test_pytest_starts_without_the_rest_of_seewhy():
    code = "import sys, pytest, seewhy.testing.plugin\n"
    code += "print([name for name in sys.modules if name.split('.')[0] in ('seewhy', 'numpy', 'torch')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['seewhy', 'seewhy.testing', 'seewhy.testing.plugin']"
