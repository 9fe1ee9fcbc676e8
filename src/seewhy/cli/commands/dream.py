"""`seewhy dream`: what a network sees into a photo, drawn into it.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import Any

import click

from seewhy.cli.failures import about
from seewhy.cli.filenames import called, joined
from seewhy.cli.folder import check_folder, free_png, make_folder
from seewhy.cli.options import COUNT, OUT, SPEC, ModelOptions, model_options
from seewhy.cli.printing import say, say_json


@click.command()
@SPEC
@click.argument("photo", metavar="PHOTO")
@model_options
@click.option("--layer", "-l", help="All that this layer finds; by default that of the layer in the middle of the network.")
@click.option("--target", "-t", help="In its place a unit, as unit:features.10:42, a class, or a sum of these.")
@click.option("--octaves", type=COUNT, default=4, show_default=True, help="At how many sizes of the photo.")
@click.option("--scale", type=float, default=1.4, show_default=True, help="From one size to the next.")
@click.option("--steps", type=COUNT, default=10, show_default=True, help="At each size.")
@click.option("--step", type=float, default=1.5, show_default=True, help="By how many of 256 levels a step moves pixels.")
@click.option("--jitter", type=click.IntRange(0), default=32, show_default=True, help="Pixels that each step is shifted by.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the shifts.")
@OUT
@click.option("--beside", is_flag=True, help="Also write the photo and the dream next to each other.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def dream(network: ModelOptions, photo: str, layer: str | None, target: str | None, **options: Any) -> None:
    """Draw into a photo what a network sees in it: a deep dream, of the photo's own size.

    \b
    seewhy dream torchvision/mobilenet_v2 dog.jpg --layer features.11
    seewhy dream torchvision/mobilenet_v2 dog.jpg --target unit:features.14:20 --octaves 6
    """
    from seewhy.api import dream as ask
    from seewhy.atomic import replacing
    from seewhy.maps.saving import sheet_png
    from seewhy.progress import stoppable
    from seewhy.targets.sums import WholeLayer

    out, as_json, beside = (options.pop(name) for name in ("out", "as_json", "beside"))
    if layer and target:
        raise click.UsageError("--layer and --target both say what is dreamt of: give one, or a sum, -t 'layer:NAME + CLASS'.")
    check_folder(out)
    model = network.load_warning()
    about(photo)
    with stoppable(lambda: say("seewhy: ending with what is drawn; Ctrl-C again ends at once.", err=True)):
        result = ask(model, photo, WholeLayer(layer) if layer else target, **options)
    make_folder(out)
    name = joined([called(Path(photo)), "dream", result.objective])
    written = [result.save(free_png(out, name))]
    if beside:
        written.append(free_png(out, f"{name}-beside"))
        with replacing(written[-1]) as file:
            file.write_bytes(sheet_png(result.picture(beside=True)))
    if as_json:
        say_json({"files": [*map(str, written)], **result.facts})
    else:
        say(f"{result}  -> {', '.join(map(str, written))}")
        for note in result.photo.notes:
            say(f"  ! {note}")
    if result.stopped:
        say("seewhy: interrupted; the dream is as far as it came.", err=True)
        raise SystemExit(130)
