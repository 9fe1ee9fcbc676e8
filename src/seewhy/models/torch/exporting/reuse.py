"""What a graph computes twice is computed once: behind an edited layer, what the edit does not reach is that of the plain pass.

In a graph that runs a network a second time, on copies of its images with a layer's emission replaced, what leads around that
layer would run for every copy: in a residual network, all that lies before the block.  Here each such value is taken of the
first run, and copied.  What cannot be told to be the same stays as it is, which is slow, and right.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Graph, Node
from torch.utils._pytree import tree_flatten

Key = tuple[Any, ...]


def reuse(program: ExportedProgram, images: str, copies: str, edit: str, times: int) -> int:
    """Take what the copies of the images do not change of the run on the images themselves; how many values were.

    images: the name of the input; copies, edit: the names of the buffers that all copies, and all that is edited, come from;
    times: how often each image is copied.
    """
    graph = program.graph_module.graph
    holders = {name: node for node, name in _holders(program)}
    if copies not in holders or edit not in holders:  # the second run needs neither
        return 0
    copied, edited = _behind(graph, holders[copies]), _behind(graph, holders[edit])
    entrance = holders[images]
    twins = _twins(graph, entrance, copied, edited, times)
    batch = _expression(entrance.meta["val"].shape[0])
    taken = 0
    for node in reversed(list(graph.nodes)):
        if node not in copied or node in edited or node.op != "call_function":
            continue
        if node.users and node in twins:
            taken += _taken(graph, node, twins[node], batch, times)
        if not node.users:
            graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()
    return taken


def _holders(program: ExportedProgram) -> Iterator[tuple[Node, str]]:
    """The placeholders, with the names of what they hold: buffers, parameters, inputs."""
    signature = program.graph_signature
    buffers = {**signature.inputs_to_buffers, **signature.inputs_to_parameters}
    for node in program.graph_module.graph.nodes:
        if node.op == "placeholder":
            yield node, buffers.get(node.name) or node.name


def _behind(graph: Graph, start: Node) -> set[Node]:
    """The node, and all that depends on it."""
    behind = {start}
    for node in graph.nodes:
        if any(before in behind for before in node.all_input_nodes):
            behind.add(node)
    return behind


def _twins(graph: Graph, entrance: Node, copied: set[Node], edited: set[Node], times: int) -> dict[Node, Node]:
    """For what is computed of the copies, the node of the first run that computes the same of the images."""
    batch = _expression(entrance.meta["val"].shape[0])
    twins: dict[Node, Node] = {}
    known: dict[Key, Node] = {}
    for node in graph.nodes:
        if node.op != "call_function" or node in edited or _is_size(node):
            continue
        if node not in copied:
            known.setdefault(_key(node, lambda arg: arg, lambda size: size), node)
        elif not twins:
            if _grown(entrance, node, batch, times) == 0:
                twins[node] = entrance
        elif (twin := known.get(_key(node, lambda arg: twins.get(arg, arg), _of_one(batch, times)))) is not None:
            twins[node] = twin
    return twins


def _of_one(batch: Any, times: int) -> Callable[[Any], Any]:
    """Makes of a size of the copies' run that of the images' run; where there is one image alone, no size tells."""
    return (lambda size: size) if isinstance(batch, int) else lambda size: size.subs(batch, batch / times)


def _expression(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else size


def _key(node: Node, of_node: Callable[[Node], Node], of_size: Callable[[Any], Any]) -> Key:
    """What a node computes: equal of nodes that compute the same."""
    leaves, spec = tree_flatten((node.args, node.kwargs))

    def said(leaf: Any) -> Any:
        if not isinstance(leaf, Node):
            return repr(leaf)
        return str(of_size(_expression(leaf.meta["val"]))) if _is_size(leaf) else id(of_node(leaf))

    return (node.target, str(spec), *map(said, leaves))


def _is_size(node: Node) -> bool:
    return isinstance(node.meta.get("val"), torch.SymInt)


def _taken(graph: Graph, node: Node, twin: Node, batch: Any, times: int) -> bool:
    """Let those who need the node read copies of its twin, where what it gives has a row for each image."""
    d = _grown(twin, node, batch, times)
    if d is None:
        return False
    if d < 0:
        node.replace_all_uses_with(twin)
        return True
    sides = twin.meta["val"].shape
    with graph.inserting_before(node):
        made = _called(graph, torch.ops.aten.unsqueeze.default, twin, d + 1)
        made = _called(graph, torch.ops.aten.expand.default, made, [-1] * (d + 1) + [times] + [-1] * (len(sides) - d - 1))
        made = _called(graph, torch.ops.aten.clone.default, made, memory_format=torch.contiguous_format)
        made = _called(graph, torch.ops.aten.view.default, made, [*sides[:d], -1, *sides[d + 1 :]])
    node.replace_all_uses_with(made)
    return True


def _grown(one: Node, many: Node, batch: Any, times: int) -> int | None:
    """Which dimension of a value of the copies is `times` that of the images' own; -1: none; None: that cannot be told."""
    values: list[Any] = [node.meta.get("val") for node in (one, many)]
    if not all(isinstance(value, Tensor) for value in values) or values[0].ndim != values[1].ndim:
        return None
    pairs = [(_expression(before), _expression(behind)) for before, behind in zip(*(v.shape for v in values), strict=True)]
    grown = [d for d, (before, behind) in enumerate(pairs) if before != behind]
    fixed = all(isinstance(before, int) for d, (before, _) in enumerate(pairs) if d not in grown)
    if not grown:
        return -1 if fixed else None
    return grown[0] if len(grown) == 1 and fixed and pairs[grown[0]] == (batch, batch * times) else None


def _called(graph: Graph, target: Any, *args: Any, **options: Any) -> Node:
    node = graph.call_function(target, args, options)
    values = [arg.meta["val"] if isinstance(arg, Node) else arg for arg in args]
    with args[0].meta["val"].fake_mode:
        node.meta["val"] = target(*values, **options)
    return node
