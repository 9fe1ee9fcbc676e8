"""`seewhy units`: which channels of a layer an answer rests on."""

from typing import Any

import click

from seewhy.cli.failing import about
from seewhy.cli.options import complete_models, load_model, model_options
from seewhy.cli.saying import say_json
from seewhy.cli.targets import parse_target

from .listing import table


@click.command()
@click.argument("photo", metavar="PHOTO")
@click.option("--model", "-m", "spec", required=True, metavar="SPEC", shell_complete=complete_models, help="As for explain.")
@model_options
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option("--target", "-t", default="top", show_default=True, help="As for explain; one.")
@click.option("--count", "-n", type=click.IntRange(1), default=10, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a unit.")
def units(
    photo: str, spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, layer: str | None, target: str,
    count: int, as_json: bool,
) -> None:  # fmt: skip
    """Rank a layer's units by what they contribute to an answer; each is a --target of `seewhy explain`.

    \b
    seewhy units dog.jpg --model torchvision/vgg16 --layer features.28
    seewhy explain dog.jpg --model torchvision/vgg16 --method deconvnet --target unit:features.28:42
    """
    from seewhy.api import top_units

    model = load_model(spec, weights, labels, options, prepare, device)
    asked = parse_target(target, model.labels)
    if len(asked) > 1:
        raise click.BadParameter(f"{target!r} are several; units are ranked for one.", param_hint="--target")
    about(photo)
    (found,) = top_units(model, photo, layer, asked[0], count)
    if as_json:
        for one in found:
            say_json({**one._asdict(), "unit": str(one.unit)})
        return
    rows = [(str(one.unit), f"{one.contribution:+.4g}", f"{one.weight:+.3g}", f"{one.activation:.3g}") for one in found]
    table(("unit", "contribution to the score", "mean gradient", "strongest activation"), rows)
