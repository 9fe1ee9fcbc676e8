"""`seewhy layers`, `seewhy methods`, `seewhy metrics` and `seewhy demo`: what there is, and what it can do.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.options import SPEC, ModelOptions, complete_methods, complete_metrics, model_options
from seewhy.cli.printing import LABEL, printable, say, say_json
from seewhy.printable import in_percent

if TYPE_CHECKING:
    from seewhy.methods.making.method import Method


@click.command()
@SPEC
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a layer.")
def layers(network: ModelOptions, as_json: bool) -> None:
    """List a model's layers: name, kind, output shape (channels, height, width); * marks the default.

    Without --weights an untrained network is listed: nothing is fetched.
    """
    from seewhy.models.model import INSIDES, require

    model = network.untrained().load()
    require(model, INSIDES, "seewhy layers lists the inside of a network")
    layers = model.layers()
    if as_json:
        for name, layer in layers.items():
            say_json({"name": name, **layer._asdict(), "cells": layer.cells and layer.cells._asdict()})
        return
    rows = [(name, layer.kind, "x".join(map(str, layer.shape)), remark(layer)) for name, layer in layers.items()]
    table(("layer", "kind", "shape", ""), rows)
    for name, layer in layers.items():
        if layer.default:
            say(f"Default: {name}, {layer.why}.")


def remark(layer: Any) -> str:
    remarks = ["* default"] if layer.default else []
    remarks += [f"runs {layer.calls} times"] if layer.calls > 1 else []
    remarks += [f"{layer.tokens} more token{'s' * (layer.tokens > 1)} of no place"] if layer.tokens else []
    remarks += [] if layer.connected else ["its places do not reach the scores"]
    remarks += [] if layer.sees else ["does not see the image: no map can be read there"]
    return ", ".join(remarks)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_methods)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a method.")
def methods(names: tuple[str, ...], as_json: bool) -> None:
    """List the methods: what they read, their cost in passes, their paper, and what is known against them.

    With NAME, tell all of that method and explain its parameters; of methods made of others, too.

    \b
    seewhy methods rise "smooth(grad-cam)"
    """
    from seewhy.api import METHODS
    from seewhy.methods.making.method import MAKERS, lookup

    chosen = [lookup(name) for name in names] or [*METHODS.values()]
    for method in chosen:
        if as_json:
            meanings = {name: " ".join(p.meaning.split()) for name, p in method.parameters.items()}
            say_json({"name": method.name, "formula": method.formula, "reads": method.reads, "cost": method.cost,
                      "source": method.source, "caveat": method.caveat, "parameters": dict(method.defaults),
                      "meanings": meanings})  # fmt: skip
        elif names:
            say(method.name, bold=True)
            for line in explained(method).splitlines():
                say(f"  {line}".rstrip())
        else:
            say(method.name, bold=True)
            say(f"  {method.formula}")
            say(f"  reads {method.reads}; costs {method.cost}")
            say(f"  parameters: {', '.join(f'{k}={v}' for k, v in method.defaults.items()) or 'none'}")
            say(f"  source: {method.source}")
            if method.caveat:
                say(f"  caveat: {method.caveat}")
    if not names and not as_json:
        say("made of these, by name: --method 'smooth(grad-cam)'", bold=True)
        for name, make in MAKERS.items():
            say(f"  {name}: {' '.join((make.__doc__ or '').split())}")
        say("one of them in full, with its parameters explained: seewhy methods NAME")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_metrics)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a metric.")
def metrics(names: tuple[str, ...], as_json: bool) -> None:
    """List the metrics of how far to trust a map: formula, which values are better, cost in passes, paper, and weakness.

    With NAME, tell all of that metric and explain its parameters.

    \b
    seewhy metrics deletion average-drop
    """
    from seewhy.metrics import METRICS
    from seewhy.metrics.metric import metric_named

    for metric in [metric_named(name) for name in names] or [*METRICS.values()]:
        defaults = {name: p.default for name, p in metric.parameters.items()}
        if as_json:
            meanings = {name: " ".join(p.meaning.split()) for name, p in metric.parameters.items()}
            say_json({"name": metric.name, "formula": metric.formula, "better": metric.better, "forwards": metric.cost,
                      "source": metric.source, "weakness": metric.weakness, "parameters": defaults,
                      "meanings": meanings})  # fmt: skip
            continue
        say(metric.name, bold=True)
        if names:
            for line in (metric.__doc__ or "").splitlines():
                say(f"  {line}".rstrip())
            continue
        say(f"  {metric.formula}")
        say(f"  better: {metric.better}; forwards: {metric.cost}")
        say(f"  parameters: {', '.join(f'{k}={v}' for k, v in defaults.items()) or 'none'}")
        say(f"  source: {metric.source}")
        say(f"  weakness: {metric.weakness}")
    if not names and not as_json:
        say("one of them in full, with its parameters explained: seewhy metrics NAME")


def explained(method: "Method[Any]") -> str:
    """What help() says of a method; of its parameters those alone that `--set` takes."""
    from seewhy.methods.making.parameters import in_help

    said = f"{method.doc}\n\nReads {method.reads}; costs {method.cost}.\n\n"
    if not method.parameters:
        return f"{said}It takes no parameters."
    return f"{said}Parameters, given by --set NAME=VALUE:\n{in_help(method.parameters)}"


@click.command()
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-demo"),
    show_default=True,
    help="Folder for index.html and demo.jpg.",
)
def demo(out: Path) -> None:
    """Does it look at the object, or does it cheat?  Two embedded networks on scenes whose answer is known."""
    from seewhy.report.demo import CHEAT, show

    findings, page = show(out)
    fooled = f"stamped others called {CHEAT}"
    head = ("network", "accuracy", f"{CHEAT}s known unstamped", fooled, f"evidence on {CHEAT}", "on stamp")
    rows = [(f.name, *(in_percent(x, 0) for x in (f.accuracy, f.unmarked, f.fooled, f.on_object, f.on_mark))) for f in findings]
    area = ("(area)", "", "", "", in_percent(findings[0].object_area, 0), in_percent(findings[0].mark_area, 0))
    table(head, [*rows, area])
    for finding in findings:
        say(finding.verdict)
    say(f"Look: {page}")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    rows = [tuple(printable(cell, LABEL, spaces=True) for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
