"""The lowest versions that pyproject.toml allows, one `name==version` a line: what `make test-lowest` installs.

They are tried on the lowest Python, for which all of them have wheels.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?>=([0-9][0-9A-Za-z.]*)")


def floors(project: dict[str, Any]) -> dict[str, str]:
    """The name and floor of all that is needed, by every extra.  Raises ValueError where one has none, or two."""
    found: dict[str, str] = {}
    for line in [*project["dependencies"], *(one for some in project["optional-dependencies"].values() for one in some)]:
        if line.startswith("seewhy["):
            continue
        parts = REQUIREMENT.fullmatch(line.replace(" ", ""))
        if parts is None:
            raise ValueError(f"{line!r} has no floor that can be tested. Write it as name>=version.")
        name, floor = parts.groups()
        if found.setdefault(name, floor) != floor:
            raise ValueError(f"{name} has two floors, {found[name]} and {floor}. Write it alike.")
    return found


def main() -> None:
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    lowest = project["requires-python"].removeprefix(">=")
    if lowest != ".".join(map(str, sys.version_info[:2])):
        raise SystemExit(f"The lowest versions are tested on the lowest Python: make test-lowest PYTHON=python{lowest}")
    for name, floor in floors(project).items():
        sys.stdout.write(f"{name}=={floor}\n")


if __name__ == "__main__":
    main()
