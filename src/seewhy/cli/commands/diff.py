"""`seewhy diff`: what changed from one stored run to another.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seewhy.cli.options import FilePath
from seewhy.cli.printing import LABEL, printable, say, say_json, say_text

from .doctor import filled
from .listing import table

if TYPE_CHECKING:
    from seewhy.dataset.comparing.difference_record import RunDifference
    from seewhy.dataset.comparing.photo_difference import PhotoDifference


@dataclass(frozen=True)
class DiffOptions:
    """What a person asks of `seewhy diff`."""

    run_a: Path
    run_b: Path
    method: str | None
    out: Path | None
    worst: int
    seed: int
    as_json: bool
    as_csv: bool


@click.command()
@click.argument("run_a", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("run_b", metavar="RUN_B", type=click.Path(path_type=Path))
@click.option("--method", "-M", help="Whose maps are compared; by default the first of A's that B has, too.")
@click.option(
    "--out", "-o", metavar="FILE.html", type=FilePath(),
    help="A page with both maps of the photos that changed most.",
)  # fmt: skip
@click.option("--worst", "-n", type=click.IntRange(0, 10**6), default=10, show_default=True, help="How many photos are listed.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of intervals and tests.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a row for each photo.")
def diff(**options: object) -> None:
    """What changed from RUN_A to RUN_B, two runs of `seewhy run` over the same photos: what is right and wrong now, by how
    much, and where the network looks elsewhere.  No network is loaded.

    \b
    seewhy diff runs/before runs/after -o changes.html
    """  # fmt: skip
    run(DiffOptions(**options))  # type: ignore[arg-type]


def run(options: DiffOptions) -> None:
    """Everything that the command does."""
    from seewhy.dataset.comparing.comparing_runs import compare_runs
    from seewhy.dataset.dataset_run import open_run
    from seewhy.errors import BadParameter

    if options.as_json and options.as_csv:
        raise click.UsageError("--json and --csv both print: give one of them.")
    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise BadParameter(f"--out {options.out}: the page is written as .html.")
    a, b = open_run(options.run_a), open_run(options.run_b)
    found = compare_runs(a, b, options.method, options.seed)
    if options.as_json:
        say_json(found.to_json())
    elif options.as_csv:
        say_text(found.to_csv())
    else:
        print_difference(found, options.worst)
    if options.out is not None:
        from seewhy.report.differences import save_difference

        say(f"-> {save_difference(found, a, b, options.out)}", err=options.as_json or options.as_csv)


def print_difference(found: "RunDifference", worst: int) -> None:
    """Say in words what changed, then the photos that changed most."""
    say(f"A: {found.a}")
    say(f"B: {found.b}")
    for line in found.says:
        filled(line, rest="  ")
    for count, what in ((len(found.only_a), "only A has"), (len(found.only_b), "only B has"), (len(found.changed), "changed")):
        if count:
            say(f"  ! {count} photos {what}: they are not compared")
    for note in found.notes:
        say(f"  ! {note}")
    if worst and found.photos:
        table(("photo", "shows", "A says", "B says", "change", "moved"), [_row(photo) for photo in found.photos[:worst]])
        if len(found.photos) > worst:
            say(f"({worst} of {len(found.photos)} photos; --csv prints all)")


def _row(photo: "PhotoDifference") -> tuple[str, ...]:
    from seewhy.printable import in_percent

    moved = "-" if photo.looks is None else in_percent(photo.looks.energy_shift, 0)
    said = ["-" if one is None else printable(one.label or str(one.index), LABEL // 2) for one in (photo.before, photo.after)]
    return printable(photo.path, 200), printable("; ".join(photo.truth), LABEL // 2), *said, photo.change, moved
