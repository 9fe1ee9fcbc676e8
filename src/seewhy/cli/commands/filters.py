"""`seewhy filters`: the kernels of a layer, and what its units see of the image.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from seewhy.cli.options import SPEC, FilePath, ModelOptions, model_options
from seewhy.cli.printing import say, say_json


@dataclass(frozen=True)
class FilterOptions:
    """What is asked of the command."""

    network: ModelOptions
    layer: str | None
    photos: str | None
    count: int
    units: tuple[int, ...]
    samples: int
    seed: int
    out: Path | None
    as_json: bool


@click.command()
@SPEC
@click.argument("layer", required=False)
@model_options
@click.option("--photos", metavar="PATH", help="A photo, a folder, a table, ... to average over; by default noise.")
@click.option("--count", "-n", type=click.IntRange(1), default=64, show_default=True, help="How many filters, from 0 on.")
@click.option("--unit", "-u", "units", type=click.IntRange(0), multiple=True, help="Show this one; repeatable.")
@click.option("--samples", type=click.IntRange(1), default=4, show_default=True, help="Images that fields are averaged over.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the noise.")
@click.option("--out", "-o", type=FilePath(), help="FILE.png, the sheet, or FILE.npz, the numbers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def filters(**options: Any) -> None:
    """Draw the filters of LAYER: kernels in colour where they read the image, by default those of the first convolution; of a
    deeper layer what in the image its units answer to, beside their kernels.

    \b
    seewhy filters torchvision/alexnet -o filters.png
    seewhy filters torchvision/vgg16 features.10 --photos photos/ -n 16 -o deeper.png
    """
    given = FilterOptions(**{field.name: options[field.name] for field in fields(FilterOptions)})
    if given.out is None and not given.as_json:
        raise click.UsageError("Say where the sheet goes: -o filters.png (or --json for the facts).")
    _run(given)


def _run(given: FilterOptions) -> None:
    from seewhy.api import filters as ask
    from seewhy.errors import BadParameter
    from seewhy.progress import stoppable

    if given.out is not None and given.out.suffix.lower() not in (".png", ".npz"):
        raise BadParameter(f"--out {given.out}: filters are written as .png, the sheet, or .npz, the numbers.")
    model = given.network.load_warning()
    with stoppable(lambda: say("seewhy: ending with the images that are done; Ctrl-C again ends at once.", err=True)):
        sheet = ask(model, given.layer, given.photos, given.count, [*given.units] or None, given.samples, given.seed)
    if given.out is not None:
        sheet.save(given.out)
    if given.as_json:
        say_json(dict(sheet.facts) if given.out is None else {"file": str(given.out), **sheet.facts})
    else:
        say(f"{sheet.title}  -> {given.out}")
        for note in sheet.notes:
            say(f"  ! {note}")
    if sheet.stopped:
        say("seewhy: interrupted; the fields are those of the images until then.", err=True)
        raise SystemExit(130)
