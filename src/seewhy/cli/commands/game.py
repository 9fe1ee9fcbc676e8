"""`seewhy game`: photos put into grids; does the evidence for a class lie in the photo that shows it?

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

from .listing import table

if TYPE_CHECKING:
    from seewhy.metrics.games.records import GridGame

GAMES = {"grid": "grid_pointing_game", "difull": "di_full", "dipart": "di_part"}  # of seewhy.metrics


@dataclass(frozen=True)
class GameOptions:
    """What a person asks of `seewhy game`, but for what is said of the network."""

    photos: tuple[str, ...]
    methods: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]  # of the methods
    kind: str
    size: int
    grids: int
    confidence: float
    seed: int
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
    help="Repeatable; `seewhy methods` lists them.",
)  # fmt: skip
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of a method: signed=false; repeatable.")
@click.option(
    "--game", "kind", type=click.Choice([*GAMES]), default="grid", show_default=True,
    help="The grid pointing game; DiFull, where each cell runs through the network apart; DiPart, where only what lies behind "
    "the last layer does.",
)  # fmt: skip
@click.option("--size", type=click.IntRange(2, 8), default=2, show_default=True, help="Cells along a side of a grid.")
@click.option("--grids", type=COUNT, default=100, show_default=True, help="How many are drawn.")
@click.option(
    "--confidence", type=click.FloatRange(0, 1), default=0.99, show_default=True,
    help="Photos whose top class has less probability are left out.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the grids.")
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option(
    "--out", "-o", metavar="FILE.png", type=FilePath(),
    help="Write the first grid and its maps as one picture.",
)  # fmt: skip
@RECURSIVE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def game(network: ModelOptions, **options: Any) -> None:
    """Does the evidence for a class lie in the photo that shows it?  Photos that the network is sure of are put into grids; no
    labels and no boxes are needed.

    A perfect map has 1; one that looks at no class has chance, 1 / size^2.  Exit code 1 where a photo failed, or a method was
    refused.

    \b
    seewhy game torchvision/resnet50 photos/ -M grad-cam -M layer-cam -o grid.png
    seewhy game timm/resnet18 photos/ --game difull --grids 20
    """
    play_game(network, GameOptions(**options))


def play_game(network: ModelOptions, options: GameOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a network is loaded."""
    from seewhy import metrics
    from seewhy.errors import BadParameter
    from seewhy.metrics.sanity.picture import save_strip

    if options.out is not None and options.out.suffix.lower() != ".png":
        raise BadParameter(f"--out {options.out}: the picture is written as .png.")
    inputs = inputs_of(options.photos, options.recursive, options.out or Path("grid.png"))  # no folder is written into
    methods = configured(options.methods, dict(options.settings))
    model = network.load_warning()
    failures = Failures.among(inputs)
    found: GridGame = getattr(metrics, GAMES[options.kind])(
        model, inputs.files, methods, options.size, options.grids, options.confidence, options.layer, options.seed,
        on_error="skip",
    )  # fmt: skip
    for left in found.failed:
        failures.add(left.name, left.error)
    failures.refuse(found.refused)
    say_json(found.facts) if options.as_json else print_game(found)
    if options.out is not None:
        save_strip(options.out, found.picture(), "grid 0")
        say(f"-> {options.out}", err=options.as_json)
    failures.tell()
    if failures.files or failures.refused:
        raise SystemExit(1)


def print_game(found: "GridGame") -> None:
    """The rows as a table, and what has to be known of them."""
    sure = f"{len(found.photos)} of {found.given} photos at {found.confidence:g} or more"
    say(f"{found.model}: {found.game}, {len(found.grids)} grids of {found.size} x {found.size}, seed {found.seed}; {sure}")
    head, *rows = found.table()
    table(head, rows)
    for note in found.notes:
        say(f"  ! {note}")
