"""`seewhy maximize`: an image that excites a unit, a class, a direction or a layer most.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from seewhy.cli.failures import left_out
from seewhy.cli.options import SPEC, FilePath, ModelOptions, literal, model_options
from seewhy.cli.printing import say, say_json

NONE = "none"


@click.command()
@SPEC
@click.argument("objective")
@model_options
@click.option("--out", "-o", type=FilePath(), required=True, help=".png, or all numbers as .npz.")
@click.option(
    "--as",
    "parametrisation",
    type=click.Choice(["fourier", "pixels", "maco"]),
    default="fourier",
    show_default=True,
    help="What is optimised; maco for transformers and deep networks.",
)
@click.option(
    "--photos", metavar="DATA", help="Of maco: photos whose spectrum the image keeps; else that of photos on average."
)
@click.option("--steps", type=click.IntRange(1), default=256, show_default=True)
@click.option("--rate", type=float, help="Of Adam; else the usual of --as.")
@click.option("--batch", "-n", type=click.IntRange(1), default=1, show_default=True, help="Images, from a random one each.")
@click.option("--views", type=click.IntRange(1), default=1, show_default=True, help="Transformed copies in a step.")
@click.option("--size", metavar="PIXELS", help="224, or 224,320 (height, width); with --values all, 3,224,224.")
@click.option("--values", metavar="LOW,HIGH", help="The range of the network's input, where --prepare does not tell it.")
@click.option("--transform", metavar="none", type=click.Choice([NONE]), help="none: the image is seen as it is at each step.")
@click.option("--tv", type=float, default=0, help="Weight of total variation, taken off the objective.")
@click.option("--l2", type=float, default=0, help="Weight of the squared distance from grey.")
@click.option("--blur", type=float, default=0, help="Weight of the squared distance from the blurred image.")
@click.option("--transparent", is_flag=True, help="Places that hardly mattered can be looked through.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--preview", type=FilePath(), help="A .png that is written anew while it works.")
@click.option("--every", type=click.IntRange(1), default=16, show_default=True, help="Steps between previews.")
@click.option("--beside", metavar="DATA", help="Photos, of which those that excite the same most are drawn beside the image.")
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="Of --beside: how many photos.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def maximize(network: ModelOptions, objective: str, out: Path, **options: Any) -> None:
    """Make an image that excites OBJECTIVE most: what does it look for?

    OBJECTIVE is a class, a contrast 281-vs-282, unit:LAYER:CHANNEL (its strongest cell), unit:LAYER:CHANNEL:sum (all of them),
    unit:LAYER:CHANNEL:Y,X, layer:LAYER, direction:LAYER:FILE.npy, or a sum: "unit:conv:3:sum + 0.5*tabby - layer:conv".

    \b
    seewhy maximize torchvision/resnet50 unit:layer4.1:42:sum -o unit.png
    seewhy maximize timm/vit_base_patch16_224 tabby --as maco --steps 512 -o tabby.png
    """
    from seewhy.api import Transformations, top_photos
    from seewhy.api import maximize as ask
    from seewhy.errors import BadParameter
    from seewhy.inside.maximizing.objectives import objective_of
    from seewhy.photo_sets.listing import list_items
    from seewhy.progress import stoppable

    preview, as_json, transparent = options.pop("preview"), options.pop("as_json"), options.pop("transparent")
    for file, kinds in ((out, (".png", ".npz")), (preview, (".png",))):
        if file is not None and file.suffix.lower() not in kinds:
            raise BadParameter(f"{file} is none of {', '.join(kinds)}: name such a file.")
    transform, every = options.pop("transform"), options.pop("every")
    looks = Transformations(jitter=0, scale=(1, 1), rotate=0) if transform == NONE else None
    size, values = (None if text is None else literal(text) for text in (options.pop("size"), options.pop("values")))
    data, count = options.pop("beside"), options.pop("count")
    model = network.load_warning()
    aim = objective_of(objective, model.labels)
    found = None if data is None else top_photos(model, aim, list_items(data, model.labels), count)
    with stoppable(lambda: say("seewhy: ending with the images so far; Ctrl-C again ends at once.", err=True)):
        result = ask(
            model, aim, size=size, values=values, transformations=looks,
            on_step=None if preview is None else _writes(preview, every), **options,
        )  # fmt: skip
    if found is not None:
        result = result.beside(found)
    result.save(out, transparent)
    if as_json:
        say_json({"file": str(out), **result.facts})
    else:
        say(f"{result}  -> {out}")
        for note in result.notes:
            say(f"  ! {note}")
    if result.stopped:
        say("seewhy: interrupted; the images so far are kept.", err=True)
        raise SystemExit(130)
    if found is not None and found.failed:
        left_out(found.failed, found.seen)
        raise SystemExit(1)


def _writes(preview: Path, every: int) -> Callable[[int, Any, Any], None]:
    """What writes the images of every so many steps into a file, whole each time."""
    from seewhy.atomic import replacing
    from seewhy.inside.maximizing.maximized import sheet

    def write(step: int, images: Any, values: Any) -> None:
        if step == 1 or step % every == 0:
            with replacing(preview) as beside:
                sheet(images).save(beside, "PNG")

    return write
