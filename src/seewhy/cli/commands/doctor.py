"""`seewhy doctor`: what can be explained of a model, at what cost, and what stands in the way.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from seewhy.cli.failures import about
from seewhy.cli.options import SPEC, ModelOptions, model_options
from seewhy.cli.printing import printable, say, say_json
from seewhy.printable import in_percent

from .listing import table

if TYPE_CHECKING:
    from seewhy.diagnosis.report import Report, Verdict
    from seewhy.models.model import Layer

COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}
WIDTH = 110
SHOWN = 4  # places of a hazard


@click.command()
@SPEC
@click.argument("photo", metavar="[PHOTO]", required=False)
@model_options
@click.option("--all", "every", is_flag=True, help="List every layer, not the last of each grid alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(network: ModelOptions, photo: str | None, every: bool, as_json: bool) -> None:
    """What can be explained of a model, at what cost, and what stands in the way; and what to run next.

    It looks at the network as PHOTO runs through it (by default noise), and makes no map.  Exit code 1 where no explanation
    is possible.

    \b
    seewhy doctor torchvision/resnet50 dog.jpg
    seewhy doctor timm/vit_base_patch16_224 --weights random
    """
    from seewhy.diagnosis.doctor import doctor as examine

    model = network.load()
    about(photo)
    report = examine(model, photo)
    if report.command:
        report = replace(report, command=shlex.join(next_command(report, network, photo or "PHOTO.jpg")))
    if as_json:
        say_json(report.as_json())
    else:
        print_report(report, every)
    click.get_current_context().exit(1 if report.hopeless else 0)


def next_command(report: "Report", network: ModelOptions, photo: str) -> Iterator[str]:
    """The words of the command that makes the first map: of the same model, with the same options."""
    yield from ("seewhy", "explain", f"./{photo}" if photo.startswith("-") else photo)
    yield from network.words()
    yield from ("--method", str(report.method))
    if report.at:
        yield from ("--layer", report.at)


def print_report(report: "Report", every: bool) -> None:
    weights = "" if report.weights in (None, report.model) else f", weights {report.weights}"
    say(f"{report.model}{weights}", bold=True)
    predicted = report.predicted
    if predicted is not None and report.image != "noise":
        label = f"{predicted.label} ({predicted.index})" if predicted.label else f"class {predicted.index}"
        say(f"{report.image}: {label}, {in_percent(predicted.probability)}")
    if report.layers:
        heading("Layers")
        shown = report.layers if every else notable(report.layers, report.space)
        table(("layer", "kind", "channels", "grid", "stride", "sees (px)", "reaches scores", ""), rows(shown, report.space))
        if len(shown) < len(report.layers):
            say(f"({len(shown)} of {len(report.layers)}; --all lists every one)")
    heading("Hazards")
    print_hazards(report)
    if report.methods:
        heading("Methods, by forwards for one map")
        print_methods(report.methods)
    if report.method:
        heading("Recommended")
        at = f" at {report.at}" if report.at else ""
        filled(f"{report.method}{at}: {report.reason}.")
        if at:
            filled(f"{report.layer}: {report.why}.")
        say(f"Run next: {report.command}")


def heading(text: str) -> None:
    say()
    say(text, bold=True)


def filled(text: str, first: str = "", rest: str = "", taken: int = 0) -> None:
    """A text over as many lines as it needs; taken: columns that stand in the first line already."""
    for line in wrap(printable(text, spaces=True), WIDTH - taken, initial_indent=first, subsequent_indent=rest,
                     break_on_hyphens=False, break_long_words=False):  # fmt: skip
        say(line)


def has_space(layer: "Layer", space: tuple[int, ...]) -> bool:
    """Do its last axes run over the image?  Those of a layer that never sees it, such as position embeddings, do not."""
    grid = layer.shape[1:]
    if not layer.sees or len(grid) != len(space) or max(grid, default=1) < 2:
        return False
    shares = [cells / side for cells, side in zip(grid, space, strict=True)]
    return layer.cells is not None or max(shares) < 2 * min(shares)  # else queries and keys of an attention


def notable(layers: "Mapping[str, Layer]", space: tuple[int, ...]) -> "dict[str, Layer]":
    """The last layer of each grid, and that reaches the scores; the default; where grids are few, the blocks beside it."""
    spatial = {name: layer for name, layer in layers.items() if has_space(layer, space)}
    last = {layer.shape[1:]: name for name, layer in spatial.items()}
    reaching = {layer.shape[1:]: name for name, layer in spatial.items() if layer.connected}
    default = next((name for name, layer in layers.items() if layer.default), "")
    names = {*last.values(), *reaching.values(), default}
    blocks = numbered(default)
    if len(last) < 4 and blocks:
        inside = {name.rpartition(".")[0] for name in layers}
        names |= {name for name in spatial if name in inside and numbered(name, whole=True) == blocks}
    return {name: layer for name, layer in layers.items() if name in names}


def numbered(name: str, whole: bool = False) -> str | None:
    """vit.layer.11.norm1 -> vit.layer; whole: of vit.layer.11 alone."""
    match = re.fullmatch(r"(.*?)\.\d+" if whole else r"(.*?)\.\d+(\..*)?", name)
    return match[1] if match else None


def rows(layers: "Mapping[str, Layer]", space: tuple[int, ...]) -> list[tuple[str, ...]]:
    table_rows = []
    for name, layer in layers.items():
        spatial = has_space(layer, space)
        stride, sees = places(layer) if spatial else ("", "")
        channels = str(layer.shape[0]) if spatial else "x".join(map(str, layer.shape))
        remarks = ["* default"] * layer.default + [f"runs {layer.calls} times"] * (layer.calls > 1)
        remarks += [f"{layer.tokens} token{'s' * (layer.tokens > 1)} beside"] * bool(layer.tokens)
        remarks += ["does not see the image"] * (not layer.sees)
        reaches = "yes" if layer.connected else "no"
        table_rows.append(
            (name, layer.kind, channels, axes(layer.shape[1:]) if spatial else "-", stride, sees, reaches, ", ".join(remarks))
        )
    return table_rows


def places(layer: "Layer") -> tuple[str, str]:
    """How far its cells lie apart, and how much of the image each sees."""
    if layer.cells is None:
        return "?", "?"
    everything = all(side == float("inf") for side in layer.cells.field)
    return axes(layer.cells.stride), "all" if everything else axes(layer.cells.field)


def axes(sides: Iterable[float]) -> str:
    """7x7 -> 7x7, but 32.0, 32.0 -> 32x32."""
    return "x".join("all" if side == float("inf") else f"{side:g}" for side in sides)


def print_hazards(report: "Report") -> None:
    if not report.hazards:
        say("none seen")
    for hazard in report.hazards:
        say(f"{hazard.severity:8}", fg=COLOURS[hazard.severity], nl=False)
        more = len(hazard.where) - SHOWN
        where = f" ({', '.join(hazard.where[:SHOWN])}{f' and {more} more' if more > 0 else ''})" if hazard.where else ""
        text = f"{hazard.name}: {hazard.words.rstrip('.')}{where}. {hazard.advice}".rstrip()
        filled(text, rest=" " * 8, taken=8)


def print_methods(verdicts: "Iterable[Verdict]") -> None:
    """Methods of the same cost in a line, then those that do not work, by what they lack."""
    works: dict[str, list[str]] = {}
    lacks: dict[str, list[str]] = {}
    for verdict in sorted(verdicts, key=lambda verdict: verdict.forwards or 0):
        count = "?" if verdict.forwards is None else f"{verdict.forwards:,}"
        part = " of the part behind the layer" if "behind" in verdict.cost and " x " in verdict.cost else ""
        where = works.setdefault(count + part, []) if verdict.works else lacks.setdefault(verdict.why, [])
        where.append(verdict.method)
    width = max((len(cost.partition(" ")[0]) for cost in works), default=0)
    for cost, names in works.items():
        number, _, part = cost.partition(" ")
        filled(", ".join(names) + (f" ({part})" if part else ""), f"{number:>{width}}  ", " " * (width + 2))
    for why, names in lacks.items():
        filled(f"{', '.join(names)}: {why}", f"{'no':>{width}}  ", " " * (width + 2))
