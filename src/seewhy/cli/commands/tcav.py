"""`seewhy tcav`: which concepts, shown by examples, a class's score rises or falls with.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import named
from seewhy.cli.filenames import called, joined
from seewhy.cli.folder import OutFolder, check_folder, make_folder
from seewhy.cli.options import SPEC, ModelOptions, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.targets import one_target
from seewhy.cli.writing import writer

from .listing import table

if TYPE_CHECKING:
    from seewhy.inside.concepts.tcav_outcome import Tcav

TOLD = 3  # files that cannot be read, said by name


@dataclass(frozen=True)
class TcavOptions:
    """What a person asks of `seewhy tcav`, but for what is said of the network."""

    photos: str
    concepts: tuple[str, ...]
    random: str | None
    target: str
    layers: tuple[str, ...]
    runs: int
    random_concepts: int
    flatten: bool
    seed: int
    maps: int
    out: Path
    as_json: bool


@click.command()
@SPEC
@click.argument("photos")
@model_options
@click.option(
    "--concept", "-c", "concepts", multiple=True, required=True, metavar="NAME=FOLDER",
    help="A concept and its examples, some 30 to 100: a folder, or what DATA of `seewhy audit` may be; repeatable.",
)  # fmt: skip
@click.option(
    "--random", metavar="FOLDER",
    help="Examples of anything else, best several hundred of the same kind of photo; without it each concept is held against "
    "the examples of the others.",
)  # fmt: skip
@click.option("--target", "-t", required=True, help="The class whose score is looked at, as for explain; one.")
@click.option("--layer", "-l", "layers", multiple=True, help="Repeatable; by default the last that still has space.")
@click.option(
    "--runs", type=click.IntRange(1), default=10, show_default=True,
    help="Sets of random examples that each concept is held against.",
)  # fmt: skip
@click.option(
    "--random-concepts", type=click.IntRange(39), default=399, show_default=True,
    help="Concepts of random examples, by which significance is told.",
)  # fmt: skip
@click.option(
    "--flatten", is_flag=True, help="A number for each channel at each place, as in the paper; by default one for each channel."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option(
    "--maps", type=click.IntRange(0), default=0, metavar="N", help="Also draw where the concepts lie in the first N photos."
)
@click.option(
    "--out", "-o", type=click.Path(path_type=Path, file_okay=False), default=Path("seewhy-tcav"), show_default=True,
    help="Folder for tcav.png, tcav.json, tcav.npz (the vectors) and maps.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: what tcav.json says.")
def tcav(network: ModelOptions, **options: Any) -> None:
    """Which concepts, shown by examples, does a class's score rise or fall with, beyond what concepts of random examples do?

    PHOTOS are those whose scores are looked at, usually of the class: a folder, or what DATA of `seewhy audit` may be.

    \b
    seewhy tcav torchvision/resnet50 zebras/ -t zebra -c striped=striped/ -c dotted=dotted/ --random anything/
    seewhy tcav nets.py:net birds/ -t bird -c stamp=stamped/ --random photos/ -l body.4 -l body.5 --maps 5
    """
    run(network, TcavOptions(**options))


def run(network: ModelOptions, options: TcavOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a photo is read."""
    from seewhy.inside.concepts.tcav import tcav as ask
    from seewhy.progress import stoppable

    concepts = dict(_concept(text) for text in options.concepts)
    if len(concepts) < len(options.concepts):
        raise click.BadParameter("two concepts have the same name.", param_hint="--concept")
    check_folder(options.out)
    model = network.load_warning()
    target = one_target(options.target, model.labels, "tcav looks at one")
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)):
        result = ask(
            model, concepts, options.photos, target, [*options.layers] or None, options.random, runs=options.runs,
            random_concepts=options.random_concepts, flatten=options.flatten, seed=options.seed,
        )  # fmt: skip
    make_folder(options.out)
    written = [result.save(options.out / f"tcav{ending}") for ending in (".png", ".json", ".npz")]
    if options.as_json:
        say_json(result.to_json())
    else:
        print_tcav(result)
        say(f"-> {', '.join(map(str, [written[0], *(path.name for path in written[1:])]))}")
    maps = _maps(result, model, options)
    if maps and not options.as_json:
        say(f"-> {len(maps)} maps, such as {maps[0]}")
    for left in result.failed[:TOLD]:
        say(f"seewhy: {named(left.name, left.error)}", err=True)
    if result.interrupted:
        say("seewhy: interrupted; what was read is told.", err=True)
        raise SystemExit(130)
    if result.failed:
        say(f"seewhy: {len(result.failed)} files could not be read.", err=True)
        raise SystemExit(1)


def _concept(text: str) -> tuple[str, str]:
    """The name and the folder of NAME=FOLDER."""
    name, sign, folder = text.partition("=")
    if not (sign and name.strip() and folder.strip()):
        raise click.BadParameter(f"{text!r}: write NAME=FOLDER, as in striped=photos/striped.", param_hint="--concept")
    return name.strip(), folder


def print_tcav(found: "Tcav") -> None:
    """A table, and what is to be known."""
    head, *rows = found.table()
    say(f"{found.model.name}, {found.explains} of {found.target} in {found.photos} photos")
    table(head, rows)
    for each in found.scores:
        for warning in each.warnings:
            say(f"  ! {each.concept} at {each.layer}: {warning}")
    for note in found.notes:
        say(f"  ! {note}")


def _maps(found: "Tcav", model: Any, options: TcavOptions) -> list[Path]:
    """Draw where each concept lies in the first photos: the paths of the pictures."""
    from dataclasses import replace

    from seewhy.errors import NotApplicable
    from seewhy.photo_sets.listing import NONE, list_items

    if not options.maps:
        return []
    written, folder, photos = list[Path](), OutFolder(options.out), list_items(options.photos, model.labels, truth=NONE)
    first = replace(photos, names=photos.names[: options.maps], classes=photos.classes[: options.maps])
    for (concept, layer), vector in found.vectors.items():
        try:
            maps = vector.maps(model, first)
        except NotApplicable as error:
            say(f"seewhy: {error}", err=True)
            continue
        for heatmap in maps:
            name = joined([called(Path(heatmap.source.image)), "concept", concept, layer])
            written.append(folder.put(name, heatmap.source, {".png": writer(heatmap, legend=True)})[".png"])
    for remark in folder.remarks():
        say(f"seewhy: {remark}", err=True)
    return written
