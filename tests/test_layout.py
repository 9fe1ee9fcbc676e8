"""The tree keeps its order: one name for one class or type, a test module for each source module, no file that is too long."""

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import seewhy

SOURCE = Path(seewhy.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
LONGEST = 330  # lines


def parsed(module: str) -> ast.Module:
    return ast.parse((SOURCE / module).read_text("utf-8"))


def capitalised(tree: ast.Module) -> list[str]:
    """The names of the classes, and those in CapWords that a module gives to a type (`Name = tuple[int, int]`)."""
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names += [target.id for target in targets if isinstance(target, ast.Name) and re.match("_?[A-Z]+[a-z]", target.id)]
    return names


def test_no_two_classes_or_types_share_a_name():
    modules = defaultdict(list)
    for module in MODULES:
        for name in capitalised(parsed(module)):
            modules[name].append(module)
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}


def holds_logic(module: str) -> bool:
    """Does it define a function?  The `__init__` of a package defines at most what hands names on."""
    return not module.endswith("__init__.py") and any(isinstance(node, ast.FunctionDef) for node in ast.walk(parsed(module)))


@pytest.mark.parametrize("module", [module for module in MODULES if holds_logic(module)])
def test_a_module_has_a_test_module_of_its_name(module):
    path = TESTS / Path(module).parent / f"test_{Path(module).name}"
    assert path.is_file(), f"there is no {path.relative_to(TESTS.parent)}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short_enough_to_be_read(module):
    assert len((SOURCE / module).read_text("utf-8").splitlines()) <= LONGEST


def test_every_package_says_what_lives_there():
    packages = [module for module in MODULES if module.endswith("__init__.py")]
    assert [module for module in packages if not ast.get_docstring(parsed(module))] == []


def test_test_modules_of_one_folder_mirror_one_room():
    """A folder of tests is the mirror of a room of the source, but for what is tested as a whole and what tests share."""
    rooms = {Path(module).parent.as_posix() for module in MODULES}
    folders = Counter(path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py"))
    assert set(folders) - rooms - {"whole"} == set()
