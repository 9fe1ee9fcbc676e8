"""The pytest plugin: the fixture `golden_maps` and the option --golden-update.

pytest imports this whenever it starts, so nothing of seewhy is imported before a test asks for the fixture.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .golden import GoldenMaps

WROTE = (
    "seewhy golden map"  # the property of a test's report that names a file that it wrote; it also comes from xdist's workers
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("seewhy", "explanations of models")
    group.addoption("--golden-update", action="store_true", help="Write the golden maps of the tests that run, don't compare.")


@pytest.fixture
def golden_maps(request: pytest.FixtureRequest, tmp_path: Path) -> "GoldenMaps":
    """Compares maps with the golden files in the folder `golden` beside the test's own file.

    golden_maps(seewhy.grad_cam(model, "dog.jpg"), "dog", min_spearman=0.95, max_energy_shift=0.1, max_centre_shift=None) fails
    where the map is not that of golden/dog.npz, with a picture of both.  `pytest --golden-update` writes the files.
    """
    from .golden import GoldenMaps  # here, for pytest starts without it

    def wrote(path: Path) -> None:
        request.node.user_properties.append((WROTE, str(path)))

    command = f"pytest {request.node.nodeid!r} --golden-update"
    update = bool(request.config.getoption("golden_update"))
    return GoldenMaps(request.path.parent / "golden", update, tmp_path, command, wrote)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    files = sorted({*_written(terminalreporter)})
    if files:
        terminalreporter.section("golden maps written")
        for file in files:
            terminalreporter.line(file)


def _written(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == WROTE:
                    yield str(value)
