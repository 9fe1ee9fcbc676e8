"""`seewhy units`: which channels of a layer an answer rests on.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import click

from seewhy.cli.failures import about
from seewhy.cli.options import ModelOptions, model_option, model_options
from seewhy.cli.printing import say_json
from seewhy.cli.targets import one_target

from .listing import table


@click.command()
@click.argument("photo", metavar="PHOTO")
@model_option()
@model_options
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option("--target", "-t", default="top", show_default=True, help="As for explain; one.")
@click.option("--count", "-n", type=click.IntRange(1), default=10, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a unit.")
def units(network: ModelOptions, photo: str, layer: str | None, target: str, count: int, as_json: bool) -> None:
    """Rank a layer's units by what they contribute to an answer; each is a --target of `seewhy explain`.

    \b
    seewhy units dog.jpg --model torchvision/vgg16 --layer features.28
    seewhy explain dog.jpg --model torchvision/vgg16 --method deconvnet --target unit:features.28:42
    """
    from seewhy.api import top_units

    model = network.load_warning()
    asked = one_target(target, model.labels, "units are ranked for one")
    about(photo)
    (ranking,) = top_units(model, photo, layer, asked, count)
    if as_json:
        for ranked in ranking:
            say_json({**ranked._asdict(), "unit": str(ranked.unit)})
        return
    rows = [(str(r.unit), f"{r.contribution:+.4g}", f"{r.weight:+.3g}", f"{r.activation:.3g}") for r in ranking]
    table(("unit", "contribution to the score", "mean gradient", "strongest activation"), rows)
