"""`seewhy invert`: what the layers of a network leave of a photo.

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
from seewhy.printable import in_percent


@click.command()
@SPEC
@click.argument("photo", metavar="PHOTO")
@model_options
@click.option("--layer", "-l", "layers", multiple=True, help="Repeatable; by default the last that still has space.")
@click.option("--steps", type=COUNT, default=300, show_default=True)
@click.option("--rate", type=float, default=0.05, show_default=True, help="Of the steps at the beginning.")
@click.option("--bounded", type=float, default=1e-3, show_default=True, help="Weight of the alpha norm.")
@click.option("--smooth", type=float, default=2e-2, show_default=True, help="Weight of the total variation.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the noise that it begins with.")
@OUT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def invert(network: ModelOptions, photo: str, layers: tuple[str, ...], **options: Any) -> None:
    """Make an image that a layer represents as it does the photo: what the layer keeps of it, and what it forgets.

    \b
    seewhy invert torchvision/mobilenet_v2 dog.jpg -l features.1 -l features.7 -l features.14
    """
    from seewhy.api import invert as ask
    from seewhy.atomic import replacing
    from seewhy.maps.saving import sheet_png
    from seewhy.progress import stoppable

    out, as_json = options.pop("out"), options.pop("as_json")
    check_folder(out)
    model = network.load_warning()
    about(photo)
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)):
        result = ask(model, photo, [*layers] or None, **options)
    make_folder(out)
    name = joined([called(Path(photo)), "inverted", *(each.layer for each in result.layers[:3])])
    written = [result.save(free_png(out, name)), free_png(out, f"{name}-loss")]
    with replacing(written[-1]) as file:
        file.write_bytes(sheet_png(result.curves()))
    if as_json:
        say_json({"files": [*map(str, written)], **result.facts})
    else:
        for each in result.layers:
            say(f"{each.layer}  squared distance {in_percent(each.distance)} after {len(each.curve)} steps")
        say(f"-> {', '.join(map(str, written))}")
        for note in result.notes:
            say(f"  ! {note}")
    if result.stopped:
        say("seewhy: interrupted; the last image is as far as it came.", err=True)
        raise SystemExit(130)
