"""`seewhy top-photos`: which photos of a set excite units and classes most, and what in each of them does.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import Any

import click

from seewhy.cli.failures import left_out
from seewhy.cli.folder import check_folder, free_png, make_folder
from seewhy.cli.options import SPEC, ModelOptions, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.targets import parse_target


@click.command("top-photos")
@SPEC
@click.argument("data")
@model_options
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    help="A unit, as unit:features.10:42, or a class, as for explain; repeatable, all in one pass over the photos.",
)
@click.option("--layer", "-l", "layers", multiple=True, help="All units of this layer; repeatable.")
@click.option("--count", "-n", type=click.IntRange(1), default=9, show_default=True, help="How many photos of each.")
@click.option("--truth", metavar="FILE|folders|none", help="What the photos show, as for run; else what DATA says itself.")
@click.option("--root", metavar="FOLDER", help="Where the paths in a table begin; by default in the table's folder.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-top-photos"),
    show_default=True,
    help="Folder for top-photos.png, top-photos-whole.png and top-photos.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: what top-photos.json says.")
def top_photos(network: ModelOptions, data: str, targets: tuple[str, ...], layers: tuple[str, ...], **options: Any) -> None:
    """Which photos of a set excite a unit or a class most, and what in each of them does it?

    DATA is a folder, also of folders named by labels; a table of paths and labels (.csv, .parquet) or COCO's .json; a .zip; a
    pattern; or an address such as s3://bucket/photos.

    \b
    seewhy top-photos torchvision/vgg16 photos/ --target unit:features.28:42 --target tabby
    seewhy top-photos torchvision/vgg16 photos/ --layer features.28
    """
    from seewhy.api import top_photos as ask
    from seewhy.atomic import replacing
    from seewhy.errors import NotApplicable
    from seewhy.maps.saving import sheet_png
    from seewhy.photo_sets.listing import list_items
    from seewhy.progress import stoppable

    if not targets and not layers:
        raise click.UsageError("What is to be excited? Give --target unit:LAYER:CHANNEL, --target CLASS, or --layer LAYER.")
    out, as_json = options["out"], options["as_json"]
    check_folder(out)
    model = network.load_warning()
    what = [target for text in targets for target in parse_target(text, model.labels)] + _units(model, layers)
    listing = list_items(data, model.labels, truth=options["truth"], root=options["root"])
    make_folder(out)
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)):
        found = ask(model, what, listing, options["count"])
    with replacing(out / "top-photos.json") as beside:
        beside.write_text(found.to_json() + "\n", "utf-8")
    written = [out / "top-photos.json"]
    try:
        for name, picture in (("top-photos", found.picture()), ("top-photos-whole", found.picture(whole=True))):
            written.append(free_png(out, name))
            with replacing(written[-1]) as beside:
                beside.write_bytes(sheet_png(picture))
    except NotApplicable as error:
        say(f"seewhy: {error}", err=True)
    if as_json:
        say_json(found.to_json())
    else:
        for line in str(found).splitlines():
            say(line)
        say(f"-> {', '.join(map(str, [written[0], *(path.name for path in written[1:])]))}")
    left_out(found.failed, found.seen)
    if found.interrupted:
        say("seewhy: interrupted; the photos until then are ranked.", err=True)
        raise SystemExit(130)
    if found.failed:
        raise SystemExit(1)


def _units(model: Any, layers: tuple[str, ...]) -> list[Any]:
    """All units of these layers."""
    from seewhy.errors import NoSuchName, closest
    from seewhy.models.model import INSIDES, require
    from seewhy.targets.target import Unit

    units = list[Any]()
    for layer in layers:
        require(model, INSIDES, "--layer reads the inside of a network", "Ask for a class.")
        known = model.with_flat_layers().layers()
        if layer not in known:
            advice = "All names: `seewhy layers MODEL`; units of any other that runs: --target unit:LAYER:CHANNEL."
            raise NoSuchName("layer", layer, closest(layer, [*known]), advice)
        units += [Unit(layer, channel) for channel in range(known[layer].shape[0])]
    return units
