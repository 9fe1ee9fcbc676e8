"""What a file of torch.export would run while it is read, beside plain operations of torch.

The reader makes sizes by evaluating formulas, finds operations by their dotted names, and unpickles what is marked so: each of
these could be anybody's code.  What is not on the lists here is not proven harmless, and needs the person's trust.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

RECORDS = re.compile(
    r"data/(weights|constants)/((weight|tensor)_\d+|model_(weights|constants)_config\.json)|data/sample_inputs/model\.pt"
    r"|models/model\.json|archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)"
)
OPERATIONS = re.compile(
    r"torch\.ops\.(aten|prims?|torchvision|quantized|quantized_decomposed)"
    r"\.(?!from_file|save|load|__(?!i?(and|or|xor|lshift|rshift)__))\w+(\.(?!__)\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_set_grad_enabled|wrap_with_autocast)"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
)
PATHS, NAMES = re.compile(r"(weight|tensor)_\d+"), re.compile(r"[\w.$]*")
CALLS = re.compile(r"[\w.@]*")  # names of modules, and of a second call: body.relu@1
WORDS, TEXTS, VERSIONS = re.compile(r"[\w.$ \-]*"), re.compile(r"[\w., >\-]*"), re.compile(r"[\w.+<=\-]*")  # ij,jk->ik; 2.4+cpu
REMARKS = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom")  # kept, and never run
MAPS = ("config", "tensor_values", "sym_int_values", "sym_float_values", "sym_bool_values", "custom_obj_values",
        "range_constraints")  # fmt: skip  # whose keys are names, not fields
FUNCTIONS = {
    "Symbol", "Integer", "Rational", "Mod", "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "Max", "Min", "Add", "Mul", "Pow",
    "floor", "ceiling", "Eq", "Ne", "Le", "Lt", "Ge", "Gt", "TruncToInt", "IntTrueDiv", "FloatTrueDiv", "ToFloat",
}  # fmt: skip
PARTS = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop, ast.Load, ast.keyword)
TREES = (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")


def unproven(path: Path) -> list[str]:
    """What in the archive is not known to be harmless, in words; read as torch itself reads it.

    Raises RuntimeError, ValueError or TypeError for a broken file.
    """
    reader = torch._C.PyTorchFileReader(str(path))
    records = reader.get_all_records()
    found = [name for name in records if not RECORDS.fullmatch(name)]
    found += [f"two records {name}" for name, times in Counter(map(str.lower, records)).items() if times > 1]
    for name in records:
        if name.endswith(".json"):
            found += _in_json(reader.get_record(name))
        elif name.endswith(".pt"):
            found += [] if _plain_tensors(reader.get_record(name)) else [f"the pickle {name}"]
    return [*dict.fromkeys(found)]


def _plain_tensors(record: bytes) -> bool:
    try:
        torch.load(BytesIO(record), weights_only=True)
    except Exception:  # noqa: BLE001 - pickle raises nearly anything
        return False
    return True


def _in_json(record: bytes) -> list[str]:
    return [*_unknown(json.loads(record), "")]


def _unknown(value: Any, field: str) -> Iterator[str]:
    """Every key and every text that is no plain word, and that no check of its field lets pass."""
    if field in CHECKS:
        yield from CHECKS[field](value)
    elif isinstance(value, str):
        yield from [] if WORDS.fullmatch(value) else [value]
    elif isinstance(value, list):
        for one in value:
            yield from _unknown(one, field)
    elif isinstance(value, dict):
        yield from (key for key in value if not WORDS.fullmatch(key))
        for key, one in value.items():
            if field != "metadata" or key not in REMARKS:
                yield from _unknown(one, "" if field in MAPS else key)


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], list[str]]:
    return lambda value: [] if value is None or (isinstance(value, str) and pattern.fullmatch(value)) else [str(value)]


def _all(check: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """The check of every one in a list, or of none."""
    return lambda value: [found for one in (value if isinstance(value, list) else [value]) for found in check(one)]


def _identifier(value: Any) -> list[str]:
    """A name that goes into generated code."""
    return [] if value is None or (isinstance(value, str) and value.isidentifier()) else [str(value)]


def _formula(text: Any) -> list[str]:
    try:
        harmless = isinstance(text, str) and all(_harmless(part) for part in ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError):
        harmless = False
    return [] if harmless else [str(text)]


def _harmless(part: ast.AST) -> bool:
    """Is it arithmetic of sizes?  Text is a symbol's name alone."""
    if isinstance(part, ast.Call):
        return isinstance(part.func, ast.Name) and part.func.id in FUNCTIONS
    if isinstance(part, ast.Constant):
        return not isinstance(part.value, str) or part.value.isidentifier()
    return isinstance(part, PARTS) or (isinstance(part, ast.Name) and (part.id in FUNCTIONS or part.id in ("True", "False")))


def _tree(key: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """The containers of inputs and outputs, as a list of JSON in JSON; key: the check of what a dict is asked for."""

    def check(text: Any) -> list[str]:
        if not text:
            return []
        return [*_containers(json.loads(text), key)] if isinstance(text, str) else [str(text)]

    return check


def _containers(tree: Any, key: Callable[[Any], list[str]]) -> Iterator[str]:
    if isinstance(tree, dict):
        if tree.get("type") not in TREES:
            yield f"the container {tree.get('type')}"
        yield from _keys(tree.get("context"), key)
        yield from (found for child in tree.get("children_spec") or [] for found in _containers(child, key))
    elif isinstance(tree, list):
        yield from (found for child in tree for found in _containers(child, key))


def _keys(context: Any, key: Callable[[Any], list[str]]) -> list[str]:
    """Of a dict, its keys as JSON in JSON: texts and numbers alone, for an object there names a class that is called."""
    if context is None:
        return []
    keys = json.loads(context) if isinstance(context, str) else context
    if not isinstance(keys, list | None):
        return [str(context)]
    return [found for one in keys or [] if not isinstance(one, int | None) for found in key(one)]


def _never(what: str) -> Callable[[Any], list[str]]:
    return lambda value: [what] if value else []


CHECKS: dict[str, Callable[[Any], list[str]]] = {
    "target": _matching(OPERATIONS),
    "as_operator": _matching(OPERATIONS),
    "expr_str": _formula,
    "path_name": _matching(PATHS),
    "name": _matching(NAMES),
    "as_name": _identifier,
    "forward_arg_names": _all(_identifier),
    "fqn": _matching(CALLS),
    "as_string": _matching(TEXTS),
    "as_strings": _all(_matching(TEXTS)),
    "torch_version": _matching(VERSIONS),
    "in_spec": _tree(_identifier),
    "out_spec": _tree(_matching(WORDS)),
    "guards_code": _never("guards"),
    "use_pickle": _never("pickled tensors"),
    "as_custom_obj": _never("an object of its own"),
    "class_fqn": _never("a class of its own"),
}
