"""`seewhy evidence`: where the evidence of many photos lies, class by class.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import Failures, inputs_of
from seewhy.cli.folder import check_folder, make_folder, write_findings
from seewhy.cli.options import COUNT, SPEC, KeyValue, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json, say_text
from seewhy.cli.question import configured
from seewhy.cli.question_options import RECURSIVE
from seewhy.cli.targets import one_target

from .listing import table

if TYPE_CHECKING:
    from threading import Event

    from seewhy.metrics.regional.photos import EvidenceReader
    from seewhy.metrics.regional.report import EvidenceReport

TOLD = 12  # rows of each region on the terminal


@dataclass(frozen=True)
class EvidenceOptions:
    """What a person asks of `seewhy evidence`, but for what is said of the network."""

    photos: tuple[str, ...]
    within: tuple[str, ...]
    search: bool
    method: str
    target: str
    settings: tuple[tuple[str, Any], ...]  # of the method
    layer: str | None
    scores: str | None
    batch_size: int | None
    truth: str | None
    boxes: Path | None
    masks: Path | None
    seed: int
    out: Path
    recursive: bool
    as_json: bool
    as_csv: bool


@click.command()
@SPEC
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "--in",
    "within",
    multiple=True,
    metavar="REGION",
    help="border, border:0.1 (its width, a share of each side), corner:ne (nw, ne, sw, se), corner:ne:0.25 (its size), "
    "box:FILE, mask:FILE, outside-object (of --boxes or --masks), text; repeatable.",
)
@click.option("--search", is_flag=True, help="Find regions where the evidence of one class piles up, without being told where.")
@model_options
@click.option("--method", "-M", default="grad-cam", show_default=True, shell_complete=complete_methods)
@click.option(
    "--target", "-t", default="top", show_default=True, help="The class explained of each photo, as for explain; one."
)
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of the method: signed=true; repeatable.")
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option("--scores", help="What is explained: logits (by default, of networks), log-probability, probability.")
@click.option("--batch-size", type=COUNT, help="Copies per pass at most, of methods that make many; less memory.")
@click.option(
    "--truth",
    metavar="FILE|folders",
    help="What the photos show, for the cells of the confusion matrix: a table (CSV) of files and labels, or `folders`, where "
    "each photo lies in one named by its label.",
)
@click.option(
    "--boxes",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Where the objects are, for outside-object: a table (file,x0,y0,x1,y1,label), COCO's JSON, or a folder of VOC's XML.",
)
@click.option(
    "--masks", type=click.Path(path_type=Path, exists=True), metavar="FOLDER", help="The same by masks, named like the photos."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of intervals and tests.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-evidence"),
    show_default=True,
    help="Folder for evidence.json, evidence.csv and a picture of each class that stands out.",
)
@RECURSIVE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: what evidence.json says.")
@click.option("--csv", "as_csv", is_flag=True, help="Print what evidence.csv says.")
def evidence(network: ModelOptions, **options: Any) -> None:
    """Which share of the evidence of photos lies in a region, class by class, beside the region's share of the area; with
    --truth also for each cell of the confusion matrix.  Evidence is the positive part of a map.

    \b
    seewhy evidence torchvision/resnet50 photos/ --in border --in corner:ne
    seewhy evidence nets.py:net photos/ --truth folders --recursive --search
    seewhy evidence timm/resnet18 photos/ --in outside-object --masks masks/
    """
    run(network, EvidenceOptions(**options))


def run(network: ModelOptions, options: EvidenceOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a photo is explained."""
    from seewhy.metrics.regional.ask import report_of, truth_of
    from seewhy.metrics.regional.photos import EvidenceReader
    from seewhy.metrics.regional.within import THERE_ARE, named_regions, regions_of
    from seewhy.progress import stoppable

    if options.as_json and options.as_csv:
        raise click.UsageError("--json and --csv both print: give one of them.")
    if not options.within and not options.search:
        raise click.UsageError(f"Say where evidence is to be counted, by --in REGION, or --search. {THERE_ARE}")
    inputs = inputs_of(options.photos, options.recursive, options.out)
    (method,) = configured((options.method,), dict(options.settings))
    named = named_regions(options.within, options.boxes, options.masks)
    check_folder(options.out)
    model = network.load(scores=options.scores, batch_size=options.batch_size)
    target = one_target(options.target, model.labels, "one is explained")
    regions = regions_of(named, inputs.files, model.labels)
    reader = EvidenceReader(model, method, target, options.layer, regions, truth_of(options.truth, inputs.files, model.labels))
    make_folder(options.out)
    failures = Failures.among(inputs)
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)) as stop:
        _read(reader, inputs.files, failures, stop)
    report = report_of(reader, inputs.files, options.search, options.seed)
    pictures = write_findings(report, options.out, "evidence", report.suspects)
    if options.as_json:
        say_json(report.to_json())
    elif options.as_csv:
        say_text(report.to_csv())
    else:
        print_report(report, options.out, pictures)
    if stop.is_set():
        say("seewhy: interrupted; what was read is told.", err=True)
        raise SystemExit(130)
    failures.tell()
    if failures.files:
        raise SystemExit(1)


def _read(reader: "EvidenceReader", files: list[str], failures: Failures, stop: "Event") -> None:
    """Explain the photos, until a person stops it; failures are said as they come, from the first map on.

    Where there is no map at all, the first failure is left to be raised, and the others are said.
    """
    from seewhy.progress import shown

    known = 0
    for _ in shown(reader.read(files, files), len(files), "explaining", wait=False, size=lambda count: count):
        if reader.photos:
            for failed in reader.failed[known:]:
                failures.add(failed.name, failed.error)
            known = len(reader.failed)
        if stop.is_set():
            break
    if not reader.photos:
        for failed in reader.failed[1:]:
            failures.add(failed.name, failed.error)


def print_report(report: "EvidenceReport", out: Path, pictures: list[Path]) -> None:
    """Say in words where the evidence lies: a table, what the search found, and what is to be known of all."""
    from seewhy.metrics.regional.report import NOTE

    say(f"{report.method} for {report.target} of {report.model}, {report.photos} photos")
    if report.rows:
        head, *rows = report.table(TOLD)
        table(head, rows)
        if len(report.rows) > len(rows):
            say(f"({len(rows)} of {len(report.rows)} rows; all are in {out / 'evidence.csv'})")
        say(NOTE)
    for line in report.found():
        say(line)
    for note in report.notes:
        say(f"  ! {note}")
    say(f"-> {', '.join(map(str, [out / 'evidence.json', 'evidence.csv', *(path.name for path in pictures)]))}")
