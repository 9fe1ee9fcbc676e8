"""`seewhy verify`: makes saved maps again, and says of each whether it is the same.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import named
from seewhy.cli.options import ModelOptions, complete_models, model_options
from seewhy.cli.printing import apart, safe_logs, say, say_json

if TYPE_CHECKING:
    from seewhy.maps.source import Source
    from seewhy.remaking.remade import Remade

MODELS = 4  # that are kept, of those that were loaded last


@click.command()
@click.argument("maps", nargs=-1, required=True, metavar="MAP...")
@click.option("--image", metavar="FILE", help="The image that was explained, where it does not lie where it lay then.")
@click.option(
    "--model", "-m", "spec", metavar="SPEC", shell_complete=complete_models,
    help="As for explain; by default the model that the map tells of, with what --weights and the like say in its place.",
)  # fmt: skip
@model_options
@click.option("--key", metavar="PEM", help="The public key by which records have to be signed (docs/record.md).")
@click.option("--exact", is_flag=True, help="Exit code 1 also where a map is the same only to rounding.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a map.")
def verify(
    network: ModelOptions, maps: tuple[str, ...], image: str | None, key: str | None, exact: bool, as_json: bool
) -> None:  # fmt: skip
    """Make maps that seewhy saved (.png, .npz, NIfTI, GeoTIFF, or an evidence record) again, from what each says of itself, and
    say whether it is the same: bit for bit, to rounding (no value differs by more than a thousandth of the largest), or
    different and where.  The checks in a record are run again, too.

    Exit code 0 where all are the same, 1 where one is different or cannot be made again, 2 for misuse.

    \b
    seewhy verify seewhy-out/*.png
    seewhy verify dog.top-1-pug.layer4.grad-cam.png --image photos/dog.jpg
    seewhy verify map.npz --model nets.py:net --weights v1.pth --exact
    seewhy verify seewhy-out/*.record.json --key public.pem
    """
    from seewhy.errors import Misuse, SeewhyError
    from seewhy.maps.made_here import is_sheet

    context = click.get_current_context()
    context.call_on_close(safe_logs())
    context.with_resource(apart(context))
    model_for, code = models(network), 0
    for file in maps:
        if is_sheet(Path(file)):  # as *.png finds it beside the maps
            say(f"seewhy: left out, as it shows many maps: {file}", err=True)
            continue
        try:
            remade = made_again(file, model_for, image, network.trust, key)
        except (SeewhyError, OSError) as error:
            if context.find_root().params.get("debug"):
                raise
            say(f"seewhy: {named(file, error)}", err=True)
            code = max(code, 2 if isinstance(error, Misuse) else 1)
            continue
        same = remade.same in (("bit for bit",) if exact else ("bit for bit", "to rounding"))
        code = max(code, int(not same or bool(remade.unchecked)))
        say_json({"file": file, **remade.facts}) if as_json else say_remade(file, remade)
    context.exit(code)


def made_again(
    file: str, model_for: "Callable[[Source], Any]", image: str | None, trust: bool, key: str | None
) -> "Remade":  # fmt: skip
    from seewhy.maps.stored_source import source_of
    from seewhy.remaking.saved import check_kind
    from seewhy.remaking.saved import verify as verified

    path = Path(file)
    check_kind(path, key)
    model = model_for(source_of(path))
    with of_the_map():
        return verified(path, model, image, trust=trust, key=key)


@contextmanager
def of_the_map() -> Iterator[None]:
    """What cannot be made again in the block is a failure of the map, and no misuse of the command."""
    from seewhy.errors import Misuse, SeewhyError

    try:
        yield
    except Misuse as error:
        raise SeewhyError(str(error), typed=error.typed) from error


def models(network: ModelOptions) -> "Callable[[Source], Any]":
    """Gives the model of a Source: the one of --model, or else that which the Source tells of, with what the other options say
    in place of that; each is loaded once.
    """
    from seewhy.lru import Recent
    from seewhy.remaking.remade import check_recipe, model_of

    spec: str | None = network.spec
    given = {"weights": network.weights, "labels": network.labels, "device": network.device}
    given |= {"options": dict(network.options) or None, "prepare": dict(network.prepare) or None, **network.wrapping}
    changes = {name: value for name, value in given.items() if value is not None}
    kept: Recent[str, Any] = Recent(MODELS)

    def model_for(source: "Source") -> Any:
        if spec is not None:
            scores = source.scores if source.scores in ("log-probability", "probability") else None
            return kept.of(str(scores), lambda: network.load(scores=scores))
        with of_the_map():
            check_recipe(source, network.trust)
        with nullcontext() if changes else of_the_map():
            return kept.of(json.dumps(source.recipe, sort_keys=True), lambda: model_of(source, network.trust, changes))

    return model_for


def say_remade(file: str, remade: "Remade") -> None:
    """Say in words what came of one map."""
    colour = "red" if remade.same == "different" or remade.unchecked else "green"
    say(f"{file}: {remade.verdict}", fg=colour)
    if remade.signed:
        say(f"    {remade.signed}")
    for check in remade.checks:
        say(f"    check {check}")
    for fault in remade.faults:
        say(f"    {fault}")
    for difference in remade.differences:
        say(f"    note: {difference}")
