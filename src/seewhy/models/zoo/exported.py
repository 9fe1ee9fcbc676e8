"""Files of torch.export, and what they would run while they are read, apart from plain operations of torch.

torch's reader evaluates formulas to get sizes, finds operations by their dotted names, and unpickles what is marked so: each of
these could run anybody's code.  What is not on the lists here is not known to be harmless, and needs the person's trust.
The file is read into memory once: the bytes that are checked are those that are loaded.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch.export import ExportedProgram

from seewhy.errors import BadWeights

from .archive import is_archive, records
from .pickled import tensors_only

RECORDS = re.compile(
    r"data/(weights|constants)/((weight|tensor)_\d+|model_(weights|constants)_config\.json)|data/sample_inputs/model\.pt"
    r"|models/model\.json|extra/[\w.-]+\.(json|txt)|archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)"
)
NEEDED = ("archive_format", "archive_version", "models/model.json", "data/sample_inputs/model.pt",
          "data/weights/model_weights_config.json", "data/constants/model_constants_config.json")  # fmt: skip
OPERATIONS = re.compile(
    r"torch\.ops\.(aten|prims|torchvision|quantized|quantized_decomposed)"
    r"\.(?!from_file|save|load|wait|warn|_print|__(?!i?(and|or|xor|lshift|rshift)__))\w+(\.(?!__)\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_set_grad_enabled|wrap_with_autocast)"  # REGIONS
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
)
PATHS = re.compile(r"(weight|tensor)_\d+")
TAKEN = {"self", "torch", "math", "operator", "_operator", "fx_pytree", "pytree", "device", "getattr", "inf", "nan", "NoneType"}
REGIONS = {  # operations that call a part of the program -> the place of that part among the inputs
    "torch.ops.higher_order.wrap_with_set_grad_enabled": 1,
    "torch.ops.higher_order.wrap_with_autocast": 4,
}
POSITIONAL = 1  # the kind of an argument
REGION = re.compile(r"submod_\d+")
CALLS = re.compile(r"[\w.@]*")  # names of modules, and of a second call: body.relu@1
WORDS, TEXTS, VERSIONS = re.compile(r"[\w.$ \-]*"), re.compile(r"[\w., >\-]*"), re.compile(r"[\w.+<=\-]*")  # ij,jk->ik; 2.4+cpu
REMARKS = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom")  # stored, and never run
MAPS = ("config", "tensor_values", "sym_int_values", "sym_float_values", "sym_bool_values", "custom_obj_values",
        "range_constraints")  # fmt: skip  # whose keys are names, not fields
FUNCTIONS = {
    "Symbol", "Integer", "Rational", "Mod", "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "Max", "Min", "Add", "Mul", "Pow",
    "floor", "ceiling", "Eq", "Ne", "Le", "Lt", "Ge", "Gt", "TruncToInt", "IntTrueDiv", "FloatTrueDiv", "ToFloat",
}  # fmt: skip
PARTS = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
         ast.Pow, ast.unaryop, ast.cmpop, ast.Load, ast.keyword)  # fmt: skip
POWERS = re.compile(r"-?\d|Integer\(-?\d\)|Rational\(-?\d, \d\)")
TREES = (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")


def exported(data: BytesIO, path: Path, trust: bool = False) -> ExportedProgram:
    """The program in the bytes of a file of torch.export; BadWeights where there is none, or, unless `trust`, code may run."""
    try:
        unknown = [] if trust else unproven(data, path)
    except BadWeights:
        raise
    except (RuntimeError, ValueError, TypeError) as error:
        raise BadWeights(f"{path} is no intact file of torch.export: {_first_line(error)}") from None
    if unknown:
        names = f"{', '.join(name[:120] for name in unknown[:4])}{', ...' * (len(unknown) > 4)}"
        raise BadWeights(
            f"{path} needs code, or what is not known to be harmless ({names}), which is not run. If you trust who made it: "
            "trust=True (--trust)."
        )
    data.seek(0)
    try:
        with catch_warnings():
            simplefilter("ignore", UserWarning)  # that its tensors are views of bytes that nobody writes to
            return torch.export.load(data) if trust else _read_as_export(data)
    except Exception as error:
        raise BadWeights(f"{path} cannot be read by torch.export: {_first_line(error)}") from error


def _read_as_export(data: BytesIO) -> ExportedProgram:
    """Read by the reader of this format alone: torch.export.load would go on to readers of others where this one fails."""
    from torch.export.pt2_archive._package import load_pt2  # private to torch: where it is gone, other files still load

    return load_pt2(data).exported_programs["model"]


def unproven(data: BytesIO, path: Path) -> list[str]:
    """What in the archive is not known to be harmless, in words.

    Raises BadWeights, RuntimeError, ValueError or TypeError for a broken file.
    """
    if not is_archive(data):
        raise ValueError("it is no archive")
    names = records(data, path)
    unknown = [name for name in names if not RECORDS.fullmatch(name)]
    if unknown:
        return unknown
    lacking = sorted({*NEEDED} - {*names})
    if lacking:
        raise ValueError(f"it holds no {', '.join(lacking)} (save it with torch 2.9 or later)")
    data.seek(0)  # where torch begins to read
    reader = torch._C.PyTorchFileReader(data)
    if sorted(reader.get_all_records()) != sorted(names):
        raise ValueError("torch sees other records in it")
    if reader.get_record("archive_format") != b"pt2":
        raise ValueError("its archive_format is not pt2")
    for name in names:
        if name.startswith("extra/"):  # text that travels along, such as that of `seewhy export`: nobody reads it
            continue
        if name.endswith(".json"):
            unknown += _unknown(json.loads(reader.get_record(name).decode("utf-8")), "")
        elif name.endswith(".pt"):
            unknown += [] if tensors_only(reader.get_record(name)) else [f"the pickle {name}"]
    return [*dict.fromkeys(unknown)]


def _first_line(error: Exception) -> str:
    """The kind of an error and the first line of its words."""
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]


def _unknown(value: Any, field: str) -> Iterator[str]:
    """The keys that are no plain words, and the texts that fail the check of their field, or where there is none, that too."""
    if field in CHECKS:
        yield from CHECKS[field](value)
    elif isinstance(value, str):
        yield from [] if WORDS.fullmatch(value) else [value]
    elif isinstance(value, list):
        for item in value:
            yield from _unknown(item, field)
    elif isinstance(value, dict):
        yield from (key for key in value if not WORDS.fullmatch(key))
        yield from _named(value) if field not in MAPS else []
        yield from _region(value) if "target" in value else []
        for key, item in value.items():
            if field != "metadata" or key not in REMARKS:
                yield from _unknown(item, "" if field in MAPS else key)


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], list[str]]:
    """The check that a value is nothing, or a text of that pattern."""
    return lambda value: [] if value is None or (isinstance(value, str) and pattern.fullmatch(value)) else [str(value)]


def _all(check: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """The check of every item of a list."""
    return lambda value: [name for item in (value if isinstance(value, list) else [value]) for name in check(item)]


def _identifier(value: Any) -> list[str]:
    """The check of a name that goes into generated code: an identifier, and none that the code itself uses."""
    if value is None or (isinstance(value, str) and value.isidentifier() and value not in TAKEN and value[:2] != "__"):
        return []
    return [f"the name {value}"]


def _named(value: dict[str, Any]) -> list[str]:
    """The check of a name: of an operation's argument (which may be "self"), of a part of the program, or of a value in it."""
    name = value.get("name")
    if "arg" in value and "kind" in value:
        return [] if not name or (isinstance(name, str) and name.isidentifier()) else [str(name)]
    if "graph" in value and "name" in value:
        return [] if isinstance(name, str) and REGION.fullmatch(name) else [f"the part {name}"]
    return _identifier(name or None)


def _region(call: dict[str, Any]) -> list[str]:
    """The check that what is called is a part of the program, given in full there: a value could be any function."""
    inputs = call.get("inputs") or []
    places = [place for place, given in enumerate(inputs) if "as_graph" in (given.get("arg") or {})]
    at = REGIONS.get(call["target"]) if isinstance(call["target"], str) else None
    named = at is not None and any(given.get("name") or given.get("kind") != POSITIONAL for given in inputs)
    return [f"what {call['target']} calls"] if named or places != ([] if at is None else [at]) else []


def _formula(text: Any) -> list[str]:
    """The check that a text is arithmetic of sizes."""
    try:
        harmless = isinstance(text, str) and all(_harmless(part) for part in ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError):
        harmless = False
    return [] if harmless else [str(text)]


def _harmless(part: ast.AST) -> bool:
    """Is this part of a formula arithmetic of sizes?  The only text in it may be the name of a symbol."""
    if isinstance(part, ast.Call):
        name = part.func.id if isinstance(part.func, ast.Name) else ""
        return name in FUNCTIONS and (name != "Pow" or (len(part.args) == 2 and _small(*part.args)))
    if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow):
        return _small(part.left, part.right)
    if isinstance(part, ast.Constant):
        return not isinstance(part.value, str) or part.value.isidentifier()
    return isinstance(part, PARTS) or (isinstance(part, ast.Name) and (part.id in FUNCTIONS or part.id in ("True", "False")))


def _small(base: ast.expr, power: ast.expr) -> bool:
    """Is it a power with a small exponent, and not of another power?  Towers of powers would take for ever to evaluate."""
    inner = [ast.unparse(part) for part in ast.walk(base)]
    return POWERS.fullmatch(ast.unparse(power)) is not None and not any("**" in text or "Pow(" in text for text in inner)


def _tree(key: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """The containers of inputs and outputs, as a list of JSON in JSON; key: the check of a dict's keys."""

    def check(text: Any) -> list[str]:
        if not text:
            return []
        return [*_containers(json.loads(text), key)] if isinstance(text, str) else [str(text)]

    return check


def _containers(tree: Any, key: Callable[[Any], list[str]]) -> Iterator[str]:
    """The containers that are not plain ones of Python, and keys that do not pass."""
    if isinstance(tree, dict):
        if tree.get("type") not in TREES:
            yield f"the container {tree.get('type')}"
        yield from _keys(tree.get("context"), key)
        yield from (name for child in tree.get("children_spec") or [] for name in _containers(child, key))
    elif isinstance(tree, list):
        yield from (name for child in tree for name in _containers(child, key))


def _keys(context: Any, key: Callable[[Any], list[str]]) -> list[str]:
    """The keys of a dict, as JSON in JSON: only texts and numbers, since an object there names a class that is called."""
    if context is None:
        return []
    keys = json.loads(context) if isinstance(context, str) else context
    if not isinstance(keys, list | None):
        return [str(context)]
    return [name for item in keys or [] if not isinstance(item, int | None) for name in key(item)]


def _never(what: str) -> Callable[[Any], list[str]]:
    """The check that there is nothing in a field."""
    return lambda value: [what] if value else []


CHECKS: dict[str, Callable[[Any], list[str]]] = {
    "target": _matching(OPERATIONS),
    "as_operator": _never("an operation in the place of a value"),
    "expr_str": _formula,
    "path_name": _matching(PATHS),
    "name": lambda _: [],  # see _named
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
