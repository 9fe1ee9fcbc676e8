"""`seewhy sanity`: do maps change when the network's weights are replaced by random ones?

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import Failures, inputs_of
from seewhy.cli.options import COUNT, SPEC, FilePath, KeyValue, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.question import configured
from seewhy.cli.question_options import RECURSIVE
from seewhy.cli.targets import one_target

from .listing import table

if TYPE_CHECKING:
    from seewhy.metrics.sanity.records import Randomised


@dataclass(frozen=True)
class SanityOptions:
    """What a person asks of `seewhy sanity`, but for what is said of the network."""

    photos: tuple[str, ...]
    methods: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]  # of the methods
    mode: str
    stages: int
    draws: int
    seed: int
    target: str
    layer: str | None
    out: Path | None
    recursive: bool
    as_json: bool


@click.command()
@SPEC
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@model_options
@click.option(
    "--method", "-M", "methods", multiple=True, default=("grad-cam",), show_default=True, shell_complete=complete_methods,
    help="Repeatable; 'smooth(grad-cam)' is smooth MPRT.",
)  # fmt: skip
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of a method: signed=false; repeatable.")
@click.option(
    "--mode", type=click.Choice(["cascade", "bottom-up", "independent", "head", "all"]), default="cascade", show_default=True,
    help="What is drawn anew: the stages from the scores down, one on top of the other; from the image up; each alone; the "
    "topmost module alone, which is quick; all at once.",
)  # fmt: skip
@click.option("--stages", type=COUNT, default=10, show_default=True, help="Into how many the modules are shared out.")
@click.option("--draws", type=COUNT, default=1, show_default=True, help="Of random weights; the numbers are means over them.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random weights.")
@click.option("--target", "-t", default="top", show_default=True, help="As for explain; one.")
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option(
    "--out", "-o", metavar="FILE.png", type=FilePath(),
    help="Write the maps of the first photo at each stage as one picture.",
)  # fmt: skip
@RECURSIVE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sanity(network: ModelOptions, **options: Any) -> None:
    """Do maps change when the weights of a torch network are replaced by random ones, on a copy?  Maps that stay as they are do
    not tell what the network learned.

    Each row says how alike the maps of all photos are to those of the trained network; the last, how alike noise is to them.
    Exit code 1 where a photo failed, or a method was refused.

    \b
    seewhy sanity torchvision/resnet18 photos/ -M grad-cam -M guided-backprop -o strip.png
    seewhy sanity timm/resnet18 dog.jpg --mode head --draws 5
    """  # fmt: skip
    check(network, SanityOptions(**options))


def check(network: ModelOptions, options: SanityOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a network is loaded."""
    from seewhy.errors import BadParameter
    from seewhy.metrics.sanity.picture import save_strip
    from seewhy.metrics.sanity.randomised import randomised

    if options.out is not None and options.out.suffix.lower() != ".png":
        raise BadParameter(f"--out {options.out}: the picture is written as .png.")
    inputs = inputs_of(options.photos, options.recursive, options.out or Path("strip.png"))  # no folder is written into
    methods = configured(options.methods, dict(options.settings))
    model = network.load_warning()
    target = one_target(options.target, model.labels, "maps of one are compared")
    failures = Failures.among(inputs)
    found = randomised(
        model, inputs.files, methods, options.mode, target, options.layer, options.stages, options.draws, options.seed,
        on_error="skip",
    )  # fmt: skip
    for left in found.failed:
        failures.add(left.name, left.error)
    failures.refuse(found.refused)
    say_json(found.facts) if options.as_json else print_rows(found)
    if options.out is not None:
        save_strip(options.out, found.strip(), found.images[0])
        say(f"-> {options.out}", err=options.as_json)
    failures.tell()
    if failures.files or failures.refused:
        raise SystemExit(1)


def print_rows(found: "Randomised") -> None:
    """The rows as a table, and what has to be known of them."""
    count = len(found.images)
    draws = f", mean of {found.draws} draws" if found.draws > 1 else ""
    say(f"{found.model}: weights drawn anew, {found.mode}, seed {found.seed}{draws}; {count} photo{'s' * (count > 1)}")
    head, *rows = found.table()
    table(head, rows)
    undefined = sum(row.similarity.spearman.undefined for row in found)
    if undefined:
        say(f"  ! {undefined} maps are the same everywhere: they have no rank correlation, and are left out of the means")
    for note in found.notes:
        say(f"  ! {note}")
