"""`seewhy report`: what a model gets wrong on a set, from a stored run, as one page.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.options import FilePath
from seewhy.cli.printing import say, say_json

from .doctor import filled

if TYPE_CHECKING:
    from seewhy.dataset.dataset_run import DatasetRun


@dataclass(frozen=True)
class ReportOptions:
    """What a person asks of `seewhy report`."""

    folder: Path
    out: Path | None
    root: Path | None
    check: bool
    trust: bool
    seed: int
    as_json: bool


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--out", "-o", metavar="FILE.html", type=FilePath(),
    help="The page; of runs of more than 500 photos further ones go into a folder beside it.",
)  # fmt: skip
@click.option(
    "--root",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where the photos lie now, if they were moved since the run.",
)
@click.option(
    "--check", is_flag=True,
    help="Load the model again, hide the evidence of suspicious answers, and see whether they change.",
)  # fmt: skip
@click.option("--trust", is_flag=True, help="With --check, let code of a person's own model file run.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(**options: Any) -> None:
    """What a model gets wrong on a set, and what of the rest is right for the wrong reason, from a stored run: how right, how
    calibrated, groups of failures that look alike, confusions with what the network saw for either class.

    \b
    seewhy report runs/x -o report.html
    seewhy report runs/x -o report.html --check
    """
    run(ReportOptions(**options))


def run(options: ReportOptions) -> None:
    """Everything that the command does."""
    from seewhy.dataset.dataset_run import open_run
    from seewhy.dataset.failures.analysis import analyse
    from seewhy.dataset.failures.words import says
    from seewhy.dataset.moved import moved_to
    from seewhy.errors import BadParameter
    from seewhy.progress import shown, stoppable

    if options.out is None and not options.as_json:
        raise click.UsageError("Say where the page goes: -o report.html (or --json for the numbers).")
    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise BadParameter(f"--out {options.out}: the report is written as .html.")
    stored = open_run(options.folder)
    model = model_of_run(stored, options.trust) if options.check else None
    with stoppable(lambda: say("seewhy: ending with the photos that are done; Ctrl-C again ends at once.", err=True)):
        photos = stored.photos() if options.root is None else moved_to(options.root, stored.photos())
        found = analyse(shown(photos, len(stored), "reading the run"), stored.info.count, model, options.seed)
    if options.as_json:
        say_json(found.facts)
    else:
        for line in says(found):
            filled(line, rest="  ")
    if options.out is not None:
        from seewhy.report.failures.page import save_report

        for path in save_report(found, stored.info, options.out):
            say(f"-> {path}", err=options.as_json)


def model_of_run(stored: "DatasetRun", trust: bool) -> Any:
    """The model of a run, loaded again.  Raises BadParameter where the run does not say which, or the weights are others."""
    from pyarrow import compute

    from seewhy.dataset.restoring import source_of_row
    from seewhy.errors import BadParameter
    from seewhy.remaking.remade import model_of

    rows = stored.table(["source", "made_by"], where=compute.field("source").is_valid()).slice(0, 1).to_pylist()
    if not rows:
        raise BadParameter("--check: the run has no map yet, so it does not say of which model.")
    model = model_of(source_of_row(rows[0]), trust)
    if stored.info.weights_sha256 and model.weights_sha256() != stored.info.weights_sha256:
        raise BadParameter(f"--check: the weights of {stored.info.model} are other ones than those of the run.")
    return model
