"""`seewhy trust`: which checks a map of one photo stands, and a verdict in words.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from typing import TYPE_CHECKING

import click

from seewhy.cli.failures import about
from seewhy.cli.options import SPEC, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.targets import parse_target

from .doctor import filled

if TYPE_CHECKING:
    from seewhy.metrics.verdict.trust import Trust

COLOURS = {"green": "green", "amber": "yellow", "red": "red", "grey": None}


@click.command()
@SPEC
@click.argument("photo", metavar="PHOTO")
@model_options
@click.option(
    "--method", default="grad-cam", show_default=True, shell_complete=complete_methods, help="One; `seewhy methods` lists them."
)
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option("--target", "-t", default="top", show_default=True, help="As for explain; one.")
@click.option(
    "--check", "checks", multiple=True,
    help="Repeatable: head, deletion, disagreement, stability, completeness.  By default all.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def trust(
    network: ModelOptions, photo: str, method: str, layer: str | None, target: str, checks: tuple[str, ...], seed: int,
    as_json: bool,
) -> None:  # fmt: skip
    """How far a map of one photo can be trusted: green, amber or red for each check that can be made on it, and a sentence.

    Exit code 1 where the verdict is red.

    \b
    seewhy trust torchvision/resnet50 dog.jpg
    seewhy trust torchvision/resnet50 dog.jpg --method guided-backprop --check head
    """
    from seewhy.metrics.verdict.trust import trust as judge

    model = network.load_warning()
    targets = parse_target(target, model.labels)
    if len(targets) > 1:
        raise click.BadParameter(f"{target!r} are several; one map is judged.", param_hint="--target")
    about(photo)
    found = judge(model, photo, method, targets[0], layer, checks, seed)
    if as_json:
        say_json(found.facts)
    else:
        print_trust(found)
    click.get_current_context().exit(1 if found.status == "red" else 0)


def print_trust(found: "Trust") -> None:
    source = found.heatmap.source
    say(f"{source.image}: {source.caption}", bold=True)
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        say(f"{check.status:6}", fg=COLOURS[check.status], nl=False)
        filled(f"{check.name:<{width}}  {check.says}", rest=" " * (width + 8), taken=6)
    say()
    filled(found.says)
