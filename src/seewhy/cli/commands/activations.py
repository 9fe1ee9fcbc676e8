"""`seewhy activations`: what layers emit for a photo, channel by channel.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain, count
from pathlib import Path
from typing import Any

import click

from seewhy.cli.failures import about
from seewhy.cli.filenames import spelled
from seewhy.cli.options import SPEC, FilePath, ModelOptions, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.targets import one_target


@dataclass(frozen=True)
class ActivationOptions:
    """What is asked of the command."""

    network: ModelOptions
    photo: str
    layers: tuple[str, ...]
    count: int
    by: str
    target: str
    channels: tuple[int, ...]
    out: Path | None
    as_json: bool


@click.command()
@SPEC
@click.argument("photo", metavar="PHOTO")
@model_options
@click.option("--layer", "-l", "layers", multiple=True, help="Any layer; repeatable; by default the one that methods look at.")
@click.option("--count", "-n", type=click.IntRange(1), default=23, show_default=True, help="How many channels.")
@click.option(
    "--by",
    type=click.Choice(["peak", "contribution"]),
    default="peak",
    show_default=True,
    help="Which come first: with the activation farthest from zero, or that add most to the score of --target.",
)
@click.option("--target", "-t", default="top", show_default=True, help="As for explain; one; with --by contribution.")
@click.option("--channel", "-c", "channels", type=click.IntRange(0), multiple=True, help="Show this one; repeatable.")
@click.option("--out", "-o", type=FilePath(), help="FILE.png, the sheet, or FILE.npz, all numbers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a layer.")
def activations(**options: Any) -> None:
    """Draw what a layer emits for a photo: a map for each of its strongest channels, on one scale; numbers as bars.

    \b
    seewhy activations torchvision/vgg16 dog.jpg --layer features.0 --layer features.28 -o activations.png
    """
    given = ActivationOptions(**{field.name: options[field.name] for field in fields(ActivationOptions)})
    if given.out is None and not given.as_json:
        raise click.UsageError("Say where the sheet goes: -o activations.png (or --json for the numbers).")
    _run(given)


def _run(given: ActivationOptions) -> None:
    from seewhy.api import activations as ask
    from seewhy.errors import BadParameter

    if given.out is not None and given.out.suffix.lower() not in (".png", ".npz"):
        raise BadParameter(f"--out {given.out}: activations are written as .png, the sheet, or .npz, all numbers.")
    model = given.network.load_warning()
    target = one_target(given.target, model.labels, "channels are ranked for one")
    about(given.photo)
    found = ask(model, given.photo, [*given.layers] or None, given.count, given.by, target, [*given.channels] or None)
    paths: list[Path | None] = [given.out] * len(found)
    if given.out is not None and len(found) > 1:
        paths = [*_paths(given.out, [each.layer for each in found])]
    for sheet, path in zip(found, paths, strict=True):
        if path is not None:
            sheet.save(path)
        if given.as_json:
            say_json(sheet.facts if path is None else {"file": str(path), **sheet.facts})
            continue
        say(f"{sheet.title}  -> {path}")
        for warning in sheet.source.warnings:
            say(f"  ! {warning}")


def _paths(out: Path, layers: Sequence[str]) -> list[Path]:
    """A file for each layer, named by it; where it is spelled as another one, such as a-b as a.b, with a number behind."""
    paths = list[Path]()
    for layer in layers:
        names = (f"{out.stem}.{spelled(layer)}{f'-{n}' if n else ''}{out.suffix}" for n in chain([0], count(2)))
        paths.append(next(path for name in names if (path := out.with_name(name)) not in paths))
    return paths
