"""The first call of a fresh process: what a person waits for, and how much memory it takes, beside torchcam and captum.

    python benchmarks/first_call.py [--rounds 3] [--rows resnet50] [--who seewhy] [--out first_call.md]

Each call runs in a process of its own, once, after all imports: from the network in hand, so with seewhy's `wrap` and the
peers' own look for a layer, to the map.  Processes alternate (A B C A B C ...) and medians are given.  Seconds are those
that the process computes, on one thread, which neighbours disturb little; memory is the high-water mark of the process
above what it held before (Linux).  Maps of one layer are compared, with the same gradient taken by hand, too.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import measure
import peers
import seewhy


class Row(NamedTuple):
    """A network, the batch that it is given, and the layer that is explained where one is named."""

    library: str
    network: str
    layer: str
    side: int = 224
    batch: int = 1


ROWS = {
    "mobilenet_v2": Row("torchvision", "mobilenet_v2", "features"),
    "resnet50": Row("torchvision", "resnet50", "layer4"),
    "vgg16": Row("torchvision", "vgg16", "features"),
    "vit_base": Row("timm", "vit_base_patch16_224", "blocks.11.norm1"),
    "swin_tiny": Row("timm", "swin_tiny_patch4_window7_224", "layers.3.blocks.1"),
    "resnet50, batch 16": Row("torchvision", "resnet50", "layer4", batch=16),
    "resnet18, 2048 px": Row("torchvision", "resnet18", "layer4", side=2048),
}
SPACE: dict[str, Callable[[Tensor], Tensor]] = {  # of layers that emit no (n, c, h, w): how a person makes it
    "blocks.11.norm1": peers.grid,
    "layers.3.blocks.1": lambda x: x.permute(0, 3, 1, 2),
}
FORWARD = "forward"
GRADIENT = ("seewhy", "seewhy, layer", "torchcam", "torchcam, layer", "captum, layer")  # a Grad-CAM
OTHER = ("seewhy, eigen-cam", "seewhy, activations", "seewhy, rollout")
WHOS = (FORWARD, *GRADIENT, *OTHER)


def network(row: Row) -> nn.Module:
    """With random weights, and the statistics of BatchNorm that torch starts with."""
    torch.manual_seed(0)
    options = {"weights": None} if row.library == "torchvision" else {"pretrained": False}
    models = import_module("torchvision.models" if row.library == "torchvision" else "timm")
    make = models.get_model if row.library == "torchvision" else models.create_model
    return make(row.network, **options).eval()


def images(row: Row) -> Tensor:
    return torch.randn(row.batch, 3, row.side, row.side, generator=torch.Generator().manual_seed(1))


def prepared(row: Row) -> dict[str, Any]:
    """What every call of a row is given: calibrated statistics, a class that no map is empty of, and its maps by hand."""
    net, x = network(row), images(row)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # a plain average of what is seen
    if norms:
        with torch.no_grad():
            net.train()(torch.randn(8, 3, 224, 224))
    statistics = {name: buffer for name, buffer in net.eval().named_buffers() if "running" in name}
    maps = by_hand(net, row.layer, x, 16)
    best = max(range(16), key=lambda c: min(each.max() for each in maps[c]))
    return {"statistics": statistics, "class": best, "maps": maps[best]}


def by_hand(net: nn.Module, layer: str, x: Tensor, classes: int) -> list[np.ndarray]:
    """Grad-CAM (n, h, w) of the first classes, in the words of its paper."""
    kept: list[Tensor] = []

    def hook(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        kept.append(output.requires_grad_())
        return output.clone()

    handle = net.requires_grad_(False).get_submodule(layer).register_forward_hook(hook)
    scores = net(x).sum(0)
    handle.remove()
    space = SPACE.get(layer, lambda each: each)
    a, maps = space(kept[0].detach()), []
    for c in range(classes):
        g = space(torch.autograd.grad(scores[c], kept, retain_graph=True)[0])
        maps.append((a * g.mean((2, 3), keepdim=True)).sum(1).relu().numpy())
    return maps


def call(who: str, row: Row, net: nn.Module, x: Tensor, c: int) -> Callable[[], tuple[Any, str]]:
    """What gives the maps (n, h, w) and the name of their layer, as a person would ask; "" where there is none to compare."""
    if who == FORWARD:
        return lambda: (peers.forward(net, x)(), "")
    if who.startswith("torchcam"):
        return torchcam(net, x, row.layer if "layer" in who else None, c)
    if who.startswith("captum"):
        return lambda: (peers.captum(net, x, row.layer, [c])()[0], row.layer)
    return ours(who, row, net, x, c)


def ours(who: str, row: Row, net: nn.Module, x: Tensor, c: int) -> Callable[[], tuple[Any, str]]:
    method = {"eigen-cam": seewhy.eigen_cam, "rollout": seewhy.attention_rollout}.get(
        who.removeprefix("seewhy, "), seewhy.grad_cam
    )
    wrap, layer = seewhy.wrap, {} if who in ("seewhy", "seewhy, rollout") else {"layer": row.layer}

    def run() -> tuple[Any, str]:
        model = wrap(net)
        if who == "seewhy, activations":
            return model.activations(x, [row.layer]), ""
        maps = method(model, x, target=c, **layer)
        return np.stack([each.values for each in maps]), (maps[0].source.layer or "") if method is seewhy.grad_cam else ""

    return run


def torchcam(net: nn.Module, x: Tensor, layer: str | None, c: int) -> Callable[[], tuple[Any, str]]:
    from torchcam.methods import GradCAM

    options = {"reshape_transform": SPACE[layer]} if layer in SPACE else {}

    def run() -> tuple[Any, str]:
        with GradCAM(net, layer, input_shape=tuple(x.shape[1:]), **options) as cam:
            maps = cam(c, net(x), normalized=False)[0]
            return maps.detach().relu().numpy(), cam.target_names[0]

    return run


def asked(who: str, row: Row) -> bool:
    """Can it be asked of this network?  captum has no reshape for tokens, and only a transformer has attention to follow."""
    return row.layer not in SPACE if who.startswith("captum") else "vit" in row.network or not who.endswith("rollout")


def first(name: str, who: str, given: Path) -> dict[str, Any]:
    """Seconds and MiB of one first call; its maps, and their layer."""
    torch.set_num_threads(1)
    row, known = ROWS[name], torch.load(given, weights_only=False)
    net, x = network(row), images(row)
    net.load_state_dict(known["statistics"], strict=False)
    run = call(who, row, net, x, known["class"])
    if who.startswith("captum"):
        import_module("captum.attr")
    before = measure.memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # start the high-water mark afresh
    start = time.process_time()
    maps, layer = run()
    seconds, peak = time.process_time() - start, measure.memory("VmHWM") - before
    return {"seconds": seconds, "mib": peak, "layer": layer, "maps": np.asarray(maps).tolist() if layer else []}


def child(name: str, *args: str) -> Any:
    """The last line that this file, run for that row, prints, as JSON; None where the call fails, which is said."""
    done = subprocess.run([sys.executable, __file__, "--rows", name, *args], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}, {args}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def measured(name: str, whos: Sequence[str], rounds: int, folder: Path) -> tuple[list[str], list[str]]:
    """The line of the table for a row, and what is to be said of its maps."""
    given = folder / "given.pt"
    child(name, "--prepare", str(given))
    maps, calls = {}, {who: [] for who in whos if asked(who, ROWS[name])}
    for _ in range(rounds):
        for who, found in calls.items():
            one = child(name, "--call", who, str(given))
            if one is not None:
                found.append(one)
                maps[who] = one
    hand = torch.load(given, weights_only=False)["maps"]
    cells = [_cell(calls.get(who, []), calls.get(FORWARD, [])) for who in whos]
    return [f"| {name} | {' | '.join(cells)} |"], [
        f"| {name} | {who} | {one['layer']} | {_gap(one, maps, hand, ROWS[name].layer)} |"
        for who, one in maps.items()
        if one["layer"]
    ]


def _cell(found: list[dict[str, Any]], forward: list[dict[str, Any]]) -> str:
    if not found:
        return ""
    seconds, mib = median(one["seconds"] for one in found), median(one["mib"] for one in found)
    ratio = f"**{seconds / median(one['seconds'] for one in forward):.2f}x**, " if forward and found is not forward else ""
    return f"{ratio}{1000 * seconds:.0f} ms, {mib:.0f} MiB"


def _gap(one: dict[str, Any], maps: dict[str, Any], hand: np.ndarray, layer: str) -> str:
    """How far the maps are from those by hand, or from others of the same layer, relative to the largest."""
    others = [np.array(each["maps"]) for each in maps.values() if each["layer"] == one["layer"] and each is not one]
    alike, mine = [hand] if one["layer"] == layer else others, np.array(one["maps"])
    if not alike:
        return "the only ones"
    if alike[0].shape != mine.shape:
        return f"**{mine.shape} against {alike[0].shape}**"
    gap = abs(alike[0] - mine).max() / abs(alike[0]).max()
    return f"{gap:.1e}{'' if gap < 1e-3 else ' **differs**'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", action="append", choices=ROWS, help="may be given several times; all of them by default")
    parser.add_argument("--who", action="append", choices=WHOS, help="may be given several times; all of them by default")
    parser.add_argument("--out", type=Path, help="write the tables into this file, too")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--call", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows, whos = options.rows or [*ROWS], options.who or WHOS
    if options.prepare:
        torch.save(prepared(ROWS[rows[0]]), options.prepare)
        print("true")
        return
    if options.call:
        print(json.dumps(first(rows[0], options.call[0], Path(options.call[1]))))
        return
    table, said = [f"| first call | {' | '.join(whos)} |", "|---" * (len(whos) + 1) + "|"], []
    with TemporaryDirectory() as folder:
        for name in rows:
            line, agreement = measured(name, whos, options.rounds, Path(folder))
            table, said = table + line, said + agreement
            print("\n".join(line + agreement), file=sys.stderr)
    tables = [*table, "", "| maps | of | layer | from those by hand, or of the same layer |", "|---|---|---|---|", *said]
    print("\n".join(tables))
    if options.out:
        options.out.write_text("\n".join(tables) + "\n")


if __name__ == "__main__":
    main()
