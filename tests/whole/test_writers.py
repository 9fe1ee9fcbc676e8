"""Every file that seewhy writes is written whole or not at all: no module writes past `replacing`."""

import ast
from pathlib import Path

import pytest

import seewhy

SOURCES = Path(seewhy.__file__).parent


WRITES = {"write_text", "write_bytes", "savez", "savez_compressed", "save", "to_filename", "tofile", "savefig", "dump"}


KNOWN = (  # which go by it
    "heatmap.save", "record.save", "embedding.save", "projection.save", "sheet.save", "result.save", "save",
)  # fmt: skip


OTHERS = {
    "demo/train.py",
    "models/zoo/folder.py",
    "dataset/held.py",
}  # the shipped networks; what transformers is handed, in a folder for a moment; a lock, which is empty


def bare_writes(text: str) -> list[tuple[int, str]]:
    """Calls that write into a file, outside of `with replacing(...)` and of what is handed `beside`; a `file` is memory."""
    tree, found = ast.parse(text), []

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.With):
            inside = inside or any("replacing(" in ast.unparse(item.context_expr) for item in node.items)
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            inside = inside or "beside" in {argument.arg for argument in node.args.args}
        if isinstance(node, ast.Call) and not inside:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = [one.value for one in (*node.args, *(k.value for k in node.keywords)) if isinstance(one, ast.Constant)]
            modes = called == "open" and any(isinstance(v, str) and v.strip("bt+") in ("w", "a", "x", "r+") for v in given)
            kept = called == "save" and (ast.unparse(node.func) in KNOWN or ast.unparse(node.args[0]) == "file")
            if (called in WRITES and not kept) or modes:
                found.append((node.lineno, ast.unparse(node)[:80]))
        for inner in ast.iter_child_nodes(node):
            visit(inner, inside)

    visit(tree, False)
    return found


BARE = ("open(p, 'w')", "p.open('wb')", "open(p, mode='a')", "p.write_text('')", "np.savez(p)", "image.save(p)", "h.save('a')")


@pytest.mark.parametrize("line", BARE)
def test_a_bare_write_is_found(line):
    assert bare_writes(f"def f(p):\n    return {line}") != []
    assert bare_writes(f"def f(p):\n    with replacing(p) as beside:\n        return {line}") == []


def test_nothing_writes_but_by_replacing():
    found = {}
    for file in sorted(SOURCES.rglob("*.py")):
        name = file.relative_to(SOURCES).as_posix()
        if name not in OTHERS and (bare := bare_writes(file.read_text("utf-8"))):
            found[name] = bare
    assert found == {}
