"""The tree keeps its order: one name for one class or type, a test module for each source module, no file that is too long."""

import ast
import re
from collections import Counter, defaultdict
from functools import cache
from itertools import groupby
from pathlib import Path

import seewhy

SOURCE = Path(seewhy.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
LONGEST = 330  # lines


@cache
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


def test_a_module_has_a_test_module_of_its_name():
    modules = [Path(module) for module in MODULES if holds_logic(module)]
    assert len(modules) > 400
    tests = [TESTS / module.parent / f"test_{module.name}" for module in modules]
    assert [path.relative_to(TESTS).as_posix() for path in tests if not path.is_file()] == []


def test_a_module_is_short_enough_to_be_read():
    lines = {module: len((SOURCE / module).read_text("utf-8").splitlines()) for module in MODULES}
    assert {module: count for module, count in lines.items() if count > LONGEST} == {}


def test_every_package_says_what_lives_there():
    packages = [module for module in MODULES if module.endswith("__init__.py")]
    assert [module for module in packages if not ast.get_docstring(parsed(module))] == []


def test_test_modules_of_one_folder_mirror_one_room():
    """A folder of tests is the mirror of a room of the source, but for what is tested as a whole and what tests share."""
    rooms = {Path(module).parent.as_posix() for module in MODULES}
    folders = Counter(path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py"))
    assert set(folders) - rooms - {"whole"} == set()


QUICK_START = "imported when the command runs"  # so a module of the command line says it of all its imports inside functions
NO_REASON = re.compile(r"#\s*(noqa|type: ignore|pyright)")  # comments for tools


def unexplained_imports(source: str) -> list[str]:
    """Imports inside functions without a comment beside them, above them, or at an import that stands next to them."""
    lines, tree = source.splitlines(), ast.parse(source)
    if QUICK_START in (ast.get_docstring(tree) or ""):
        return []

    def explained(block: list[ast.stmt]) -> bool:
        above, beside = lines[block[0].lineno - 2], lines[block[0].lineno - 1 : block[-1].end_lineno]
        return above.lstrip().startswith("#") or any("#" in line and not NO_REASON.search(line) for line in beside)

    bare: list[str] = []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in {inner: None for function in functions for inner in ast.walk(function)}:
        for body in (getattr(node, field, None) for field in ("body", "orelse", "finalbody")):
            statements = body if isinstance(body, list) else []
            for imports, block in groupby(statements, lambda statement: isinstance(statement, ast.Import | ast.ImportFrom)):
                group = list(block)
                if imports and not explained(group):
                    bare += [f"line {statement.lineno}: {ast.unparse(statement)}" for statement in group]
    return bare


def test_an_import_inside_a_function_has_its_reason():
    bare = {module: unexplained_imports((SOURCE / module).read_text("utf-8")) for module in MODULES}
    assert {module: imports for module, imports in bare.items() if imports} == {}


def test_imports_without_a_reason_are_noticed():
    assert unexplained_imports("def f():\n    import a\n    return a") == ["line 2: import a"]
    assert unexplained_imports("def f():\n    with x:\n        import a  # noqa: F401") == ["line 3: import a"]
    assert unexplained_imports("def f():\n    import a  # here, for it is an extra\n\n    from b import c\n") == []
    assert unexplained_imports("def f():\n    # here, for it is an extra\n    import a\n") == []
    assert unexplained_imports(f'"""All is {QUICK_START}."""\ndef f():\n    import a\n    return a') == []
    assert unexplained_imports("import a") == []
