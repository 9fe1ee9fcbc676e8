"""`seewhy trust`: which checks a map of one photo stands, and a verdict in words.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import Failures, about
from seewhy.cli.options import SPEC, FilePath, KeyValue, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.question import configured
from seewhy.cli.targets import one_target

from .doctor import filled

if TYPE_CHECKING:
    from seewhy.metrics.verdict.trust import Trust

COLOURS = {"green": "green", "amber": "yellow", "red": "red", "grey": None, "none": None}
CHECKS = ("head", "deletion", "disagreement", "stability", "completeness")  # verdict.checking.CHECKS


@dataclass(frozen=True)
class TrustOptions:
    """What a person asks of `seewhy trust`, but for what is said of the network."""

    photo: str
    methods: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]  # of the methods
    layer: str | None
    target: str
    checks: tuple[str, ...]
    seed: int
    record: Path | None
    as_json: bool


@click.command()
@SPEC
@click.argument("photo", metavar="PHOTO")
@model_options
@click.option(
    "--method", "-M", "methods", multiple=True, default=("grad-cam",), show_default=True, shell_complete=complete_methods,
    help="Repeatable; `seewhy methods` lists them.",
)  # fmt: skip
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of a method: signed=false; repeatable.")
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option("--target", "-t", default="top", show_default=True, help="As for explain; one.")
@click.option("--check", "checks", type=click.Choice(CHECKS), multiple=True, help="Repeatable; by default all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option(
    "--record", metavar="FILE.json", type=FilePath(),
    help="Write the evidence record of the map and its checks, of one method; `seewhy verify` takes it.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a method.")
def trust(network: ModelOptions, **options: Any) -> None:
    """How far a map of one photo can be trusted: green, amber or red for each check that can be made on it, and a sentence.

    Exit code 1 where a verdict is red, or one of several methods was refused.

    \b
    seewhy trust torchvision/resnet50 dog.jpg --record dog.record.json
    seewhy trust torchvision/resnet50 dog.jpg -M grad-cam -M guided-backprop --check head
    """
    judge(network, TrustOptions(**options))


def judge(network: ModelOptions, options: TrustOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a network is loaded."""
    from seewhy.errors import BadImage
    from seewhy.images.files import check_name

    check_record(options)
    methods = configured(options.methods, dict(options.settings))
    check_name(options.photo)
    if not os.path.exists(options.photo):
        raise BadImage(f"{options.photo} is not there.")
    model = network.load_warning()
    target = one_target(options.target, model.labels, "one map of each method is judged")
    about(options.photo)
    failures, red = Failures(1), False
    for number, found in enumerate(verdicts(model, methods, target, options, failures)):
        red |= found.status == "red"
        if options.as_json:
            say_json(found.facts)
        else:
            say() if number else None
            print_trust(found)
        if options.record is not None:
            record = found.heatmap.record(found.checks)
            record.save(options.record)
            say(f"-> {options.record}", err=options.as_json)
    click.get_current_context().exit(1 if red or failures.refused else 0)


def check_record(options: TrustOptions) -> None:
    """Raise BadParameter for a record that cannot be written as it is asked for."""
    from seewhy.errors import BadParameter

    if options.record is None:
        return
    if options.record.suffix.lower() != ".json":
        raise BadParameter(f"--record {options.record}: the record is written as .json.")
    if len(options.methods) > 1:
        raise BadParameter(f"--record holds one map, and {len(options.methods)} methods are judged: give one.")


def verdicts(model: Any, methods: Sequence[Any], target: Any, options: TrustOptions, failures: Failures) -> "Iterator[Trust]":
    """The verdict on the map of each method; of several, one that is refused is said in a line."""
    from seewhy.errors import MissingExtra, Misuse
    from seewhy.maps.heatmaps import Refused
    from seewhy.metrics.verdict.trust import trust as judged

    for method in methods:
        try:
            yield judged(model, options.photo, method, target, options.layer, options.checks, options.seed)
        except (Misuse, MissingExtra) as error:
            if len(methods) == 1:
                raise
            failures.refuse([Refused(method.name, "", error)])


def print_trust(found: "Trust") -> None:
    source = found.heatmap.source
    say(f"{source.image}: {source.caption}", bold=True)
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        say(f"{check.status:6}", fg=COLOURS[check.status], nl=False)
        filled(f"{check.name:<{width}}  {check.says}", rest=" " * (width + 8), taken=6)
    say()
    filled(found.says)
