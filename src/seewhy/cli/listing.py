"""`seewhy layers`, `seewhy methods` and `seewhy demo`: what there is, and what it can do."""

import json
from pathlib import Path
from typing import Any

import click

from .options import complete_models, load_model, model_options, untrained


@click.command()
@click.argument("spec", metavar="SPEC", shell_complete=complete_models)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a layer.")
def layers(spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, as_json: bool) -> None:
    """List a model's layers: name, kind, output shape (channels, height, width); * marks the default.

    Without --weights an untrained network is listed: nothing is fetched.
    """
    model = load_model(spec, untrained(spec, weights), labels, options, prepare, device)
    from ..source import plain

    found = model.layers()
    if as_json:
        for name, layer in found.items():
            place = layer.cells and {key: plain(value) for key, value in layer.cells._asdict().items()}
            click.echo(json.dumps({"name": name, **layer._asdict(), "cells": place}, allow_nan=False))
        return
    rows = [(name, layer.kind, "x".join(map(str, layer.shape)), remark(layer)) for name, layer in found.items()]
    table(("layer", "kind", "shape", ""), rows)
    for name, layer in found.items():
        if layer.default:
            click.echo(f"Default: {name}, {layer.why}.")


def remark(layer: Any) -> str:
    remarks = ["* default"] if layer.default else []
    remarks += [f"runs {layer.calls} times"] if layer.calls > 1 else []
    remarks += [f"{layer.tokens} more token{'s' * (layer.tokens > 1)} of no place"] if layer.tokens else []
    remarks += [] if layer.connected else ["its places do not reach the scores"]
    return ", ".join(remarks)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a method.")
def methods(as_json: bool) -> None:
    """List the methods: what they read, their cost in passes, their paper, and what is known against them."""
    from ..api import METHODS
    from ..method import MAKERS

    for name, method in METHODS.items():
        facts = {"name": name, "formula": method.formula, "reads": method.reads, "cost": method.cost, "source": method.source,
                 "caveat": method.caveat, "parameters": dict(method.defaults)}  # fmt: skip
        if as_json:
            click.echo(json.dumps(facts))
            continue
        click.secho(name, bold=True)
        click.echo(f"  {method.formula}")
        click.echo(f"  reads {method.reads}; costs {method.cost}")
        click.echo(f"  parameters: {', '.join(f'{k}={v}' for k, v in method.defaults.items()) or 'none'}")
        click.echo(f"  source: {method.source}")
        if method.caveat:
            click.echo(f"  caveat: {method.caveat}")
    if not as_json:
        click.secho("made of these, by name: --method 'smooth(grad-cam)'", bold=True)
        for name, make in MAKERS.items():
            click.echo(f"  {name}: {' '.join((make.__doc__ or '').split())}")


@click.command()
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-demo"),
    show_default=True,
    help="Folder for index.html and demo.jpg.",
)
def demo(out: Path) -> None:  # fmt: skip
    """Does it look at the object, or does it cheat?  Two embedded networks on scenes whose answer is known."""
    from ..demo.show import CHEAT, show

    findings, page = show(out)
    fooled = f"stamped others called {CHEAT}"
    head = ("network", "accuracy", f"{CHEAT}s known unstamped", fooled, f"evidence on {CHEAT}", "on stamp")
    rows = [(f.name, *(f"{x:.0%}" for x in (f.accuracy, f.unmarked, f.fooled, f.on_object, f.on_mark))) for f in findings]
    area = ("(area)", "", "", "", f"{findings[0].object_area:.0%}", f"{findings[0].mark_area:.0%}")
    table(head, [*rows, area])
    for finding in findings:
        click.echo(finding.verdict)
    click.echo(f"Look: {page}")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
