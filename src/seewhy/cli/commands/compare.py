"""`seewhy compare`: which methods to trust for one network, by many photos.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import Failures, inputs_of
from seewhy.cli.options import SPEC, FilePath, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json, say_text
from seewhy.cli.question_options import RECURSIVE
from seewhy.cli.targets import one_target

from .doctor import filled
from .listing import table

if TYPE_CHECKING:
    from seewhy.metrics.planted.outcome import PlantedTruth
    from seewhy.metrics.verdict.compare import Comparing
    from seewhy.metrics.verdict.outcome import MethodComparison

UNITS = {"s": 1, "sec": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hour": 3600,
         "hours": 3600}  # fmt: skip


class Duration(click.ParamType):
    """A time as a person writes it: "10 min", "90 s", "1.5 h"; a bare number is of seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", str(value).lower())
        if found is None or (found[2] or "s") not in UNITS or float(found[1]) <= 0:
            self.fail(f"{value!r} is no time: write 90 s, 10 min or 1.5 h.", param, ctx)
        return float(found[1]) * UNITS[found[2] or "s"]


@dataclass(frozen=True)
class CompareOptions:
    """What a person asks of `seewhy compare`, but for what is said of the network."""

    photos: tuple[str, ...]
    methods: tuple[str, ...]
    truth: str | None
    boxes: Path | None
    masks: Path | None
    target: str
    layer: str | None
    budget: float | None
    seed: int
    grids: int
    planted: str | None
    out: Path | None
    recursive: bool
    as_json: bool
    as_csv: bool


@click.command()
@SPEC
@click.argument("photos", nargs=-1, required=True, metavar="FOLDER...")
@model_options
@click.option(
    "--methods", "-M", "methods", multiple=True, shell_complete=complete_methods,
    help="Repeatable, or several with commas between them.  By default grad-cam, hires-cam, layer-cam, eigen-cam, gradient, "
    "guided-backprop, integrated-gradients, and what `seewhy doctor` advises.",
)  # fmt: skip
@click.option(
    "--truth", metavar="FILE|folders",
    help="What the photos show, as for explain: that class is explained.  A table that names these photos may be given as "
    "--labels, too.",
)  # fmt: skip
@click.option(
    "--boxes", type=click.Path(path_type=Path, exists=True), metavar="FILE", help="Where the objects are, as for explain."
)
@click.option("--masks", type=click.Path(path_type=Path, exists=True), metavar="FOLDER", help="The same by masks.")
@click.option(
    "--target", "-t", default="top", show_default=True, help="The class explained of each photo, as for explain; one."
)
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option("--budget", type=Duration(), help='Begin no other photo after this time: "10 min".')
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option(
    "--grids", type=click.IntRange(0), default=20, show_default=True, metavar="N",
    help="Photos that are also shown in a grid with three of other classes; a map of it costs four of a photo.  0 for none.",
)  # fmt: skip
@RECURSIVE
@click.option(
    "--planted", is_flag=False, flag_value="marks", type=click.Choice(["marks", "backgrounds", "patches", "all"]),
    help="Also plant these in the photos (12 or more), fit the head to them on a copy, and see which methods find them; marks "
    "where nothing else is said.",
)  # fmt: skip
@click.option(
    "--out", "-o", metavar="FILE.html", type=FilePath(),
    help="Write all of it, with the pictures behind the numbers, as one page.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a row for each photo, method and criterion.")
def compare(network: ModelOptions, **options: Any) -> None:
    """Which methods to trust for this model, which to avoid and why, by many photos: each method on the same photos, beside a
    random map and the middle of the photo, with intervals; ties are called ties.  Ctrl-C ends with the photos that are done.

    \b
    seewhy compare torchvision/resnet50 photos/ --budget "10 min" -o page.html
    seewhy compare timm/resnet18 photos/ --methods grad-cam,rise --labels labels.csv --boxes boxes.csv --json
    """
    run(network, CompareOptions(**options))


def run(network: ModelOptions, options: CompareOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a photo is explained."""
    from seewhy.cli.question import configured
    from seewhy.errors import BadParameter
    from seewhy.metrics.verdict.compare import Comparing
    from seewhy.progress import shown, stoppable

    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise BadParameter(f"--out {options.out}: the page is written as .html.")
    if options.as_json and options.as_csv:
        raise click.UsageError("--json and --csv both print: give one of them.")
    inputs = inputs_of(options.photos, options.recursive, options.out or Path("compare.html"))  # no folder is written into
    network, truth_given = _labelled(network, options.truth, inputs.files)
    names = [name.strip() for each in options.methods for name in _apart(each) if name.strip()]
    methods = configured(tuple(names), {}) if names else []
    model = network.load()
    target = one_target(options.target, model.labels, "one is explained")
    failures = Failures.among(inputs)
    comparing = Comparing(
        model, inputs.files, methods, truth_given, options.boxes, options.masks, target, options.layer, options.seed,
        options.grids,
    )  # fmt: skip
    with stoppable(lambda: say("seewhy: ending with the photos that are done; Ctrl-C again ends at once.", err=True)) as stop:
        known = 0
        for _ in shown(comparing.read(options.budget), len(comparing.order), "comparing", wait=False):
            for failed in comparing.failed[known:]:
                failures.add(failed.name, failed.error)
            known = len(comparing.failed)
        stopped = stop.is_set()
    if stopped and not comparing.photos:
        say("seewhy: stopped before a photo was done.", err=True)
        raise SystemExit(130)
    found = comparing.outcome()
    failures.refuse(found.refused)
    truths = [] if options.planted is None or stopped else [*_planted(comparing, found, options.planted, options.boxes)]
    if options.as_json:
        say_json({**found.facts, **({"planted": {truth.what: truth.facts for truth in truths}} if truths else {})})
    elif options.as_csv:
        say_text(found.to_csv())
    else:
        print_comparison(found)
        for line in (line for truth in truths for line in truth.says):
            filled(line, rest="  ")
    if options.out is not None:
        from seewhy.report.compared import save_page

        save_page(found, options.out, truths)
        say(f"-> {options.out}", err=options.as_json or options.as_csv)
    failures.tell()
    if stopped:
        raise SystemExit(130)
    if failures.files or len(truths) < len(_wanted(options.planted)):
        raise SystemExit(1)


def _wanted(planted: str | None) -> list[str]:
    """What is to be planted."""
    from seewhy.metrics.planted.marks import PLANTINGS

    if planted is None:
        return []
    return [*PLANTINGS] if planted == "all" else [planted]


def _labelled(network: ModelOptions, truth: str | None, photos: list[str]) -> tuple[ModelOptions, str | None]:
    """What --labels and --truth say: a table that names one of these photos, and "folders", are what photos show, also as
    --labels, which else has the names of the classes.
    """
    from seewhy.errors import BadParameter
    from seewhy.truth.labels import read_entries

    given = network.labels
    if given is None or truth is not None:
        return network, truth
    try:
        entries = [] if given == "folders" else [*read_entries(Path(given))]
    except BadParameter:
        return network, truth
    files = {Path(photo).name for photo in photos}
    named = given == "folders" or any(Path(entry.replace("\\", "/")).name in files for entry in entries)
    return (replace(network, labels=None), given) if named else (network, truth)


def _planted(
    comparing: "Comparing", found: "MethodComparison", planted: str, boxes: Path | None
) -> "Iterator[PlantedTruth]":  # fmt: skip
    """What came of planting in the photos that were compared; where nothing can be planted, why is said."""
    from seewhy.errors import SeewhyError
    from seewhy.metrics.planted import finding

    images: Any = comparing.images
    given = [images[photo.place] for photo in found.photos]
    for what in _wanted(planted):
        try:
            yield finding.planted(comparing.model, given, comparing.methods, comparing.layer, comparing.seed, what, boxes)
        except SeewhyError as error:
            say(f"seewhy: --planted {what}: {error}", err=True)


def print_comparison(found: "MethodComparison") -> None:
    """The table, what its numbers are, and the verdict in words."""
    from seewhy.metrics.verdict.criteria import CRITERIA
    from seewhy.metrics.verdict.outcome import NOTE

    say(f"{found.model}{f' at {found.layer}' if found.layer else ''}: {len(found.photos)} of {found.total} photos, "
        f"{found.seconds:.0f} s")  # fmt: skip
    head, *rows = found.table()
    table(head, rows)
    say(NOTE)
    for name in found.rankings:
        filled(f"{name}, {CRITERIA[name].better} is better: {CRITERIA[name].says}", "  ", "    ")
    for method, cost in found.costs.items():
        filled(f"{method} costs {cost}", "  ", "    ")
    say()
    for line in found.says:
        filled(line, rest="  ")
    for note in found.notes:
        say(f"  ! {note}")


def _apart(text: str) -> list[str]:
    """The names between commas, but for those inside of brackets: "rise,product(guided-backprop,grad-cam)" are two."""
    return re.split(r",(?![^()]*\))", text)
