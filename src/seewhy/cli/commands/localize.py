"""`seewhy localize`: finds the objects on photos, and writes them as labels for other tools.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.box_pictures import BoxPictures
from seewhy.cli.effects import Explained, finding_without_effect, given_options, without_effect
from seewhy.cli.failures import Failures, inputs_of
from seewhy.cli.finding_options import BoxRule, finding_options
from seewhy.cli.inputs import kind_of
from seewhy.cli.label_file import FormatOption, LabelFile, usual_format
from seewhy.cli.localization_scores import LocalizationScores
from seewhy.cli.localized import Tally
from seewhy.cli.localizing import LocalizeJob, localize_all
from seewhy.cli.networks import Asked, loaded
from seewhy.cli.options import FolderPath, ModelOptions, complete_methods, model_option, model_options
from seewhy.cli.printing import fault, say
from seewhy.cli.question import Question, configured
from seewhy.cli.question_options import RECURSIVE, asked_of_photos
from seewhy.cli.truth import TRUTH, truth_options
from seewhy.cli.truth_summary import summary

if TYPE_CHECKING:
    from threading import Event


@dataclass(frozen=True)
class LocalizeOptions:
    """What a person asks of `seewhy localize`, but for what is said of the network and of how boxes are found."""

    photos: tuple[str, ...]
    method: str
    targets: tuple[str, ...]
    layers: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]
    budget: str | None
    batch_size: int | None
    tile: int | None
    overlap: int | None
    scores: str | None
    recursive: bool
    truth: str | None
    boxes: Path | None
    masks: Path | None
    form: str | None
    out: str | None
    overwrite: bool
    pictures: Path | None
    as_json: bool


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@model_option()
@model_options
@click.option(
    "--method",
    "-M",
    default="grad-cam",
    show_default=True,
    shell_complete=complete_methods,
    help="`seewhy methods` lists them.",
)
@asked_of_photos("top; with --truth, truth")
@finding_options
@truth_options
@click.option("--format", "form", cls=FormatOption, metavar="NAME")
@click.option(
    "--out",
    "-o",
    metavar="PATH",
    help="The file of the labels, or the folder of formats with a file for each photo; by default labels, with the "
    "format's ending. - prints them, of formats that are one file of text.",
)
@click.option("--overwrite", is_flag=True, help="Take the place of labels that are there; else they stay, and that is said.")
@click.option("--pictures", type=FolderPath(), metavar="FOLDER", help="Also draw the boxes over the photos, into this folder.")
@RECURSIVE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a photo instead of text.")
def localize(network: ModelOptions, rule: BoxRule, **options: Any) -> None:
    """Find the objects that a network's answers rest on, and write them as labels that a person corrects, or a detector or a
    segmenter learns from: boxes and masks of photos, volumes, or folders of them.

    \b
    seewhy localize photos/ --model torchvision/resnet50 --format coco -o labels.json
    seewhy localize photos/ --model torchvision/resnet50 --truth folders --format yolo -o labels/
    seewhy localize dog.jpg --model torchvision/resnet50 --target top:3 --components all --preset cam --format csv -o -
    """
    run(network, rule, LocalizeOptions(**options))


def run(network: ModelOptions, rule: BoxRule, options: LocalizeOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a photo is explained."""
    from seewhy.progress import stoppable

    inputs = inputs_of(options.photos, options.recursive, options.pictures or Path(options.out or ""))
    kind = kind_of([*inputs.files, *inputs.failed])
    if options.as_json and options.out == "-":
        raise click.UsageError("--out - prints the labels, and --json lines on each photo: give one of them.")
    rule.check()
    methods = configured((options.method,), dict(options.settings), options.budget)
    labels = LabelFile(options.form or usual_format(kind), options.out, options.overwrite)
    pictures = BoxPictures(options.pictures) if options.pictures else None
    usual = (TRUTH,) if options.truth else ("top",)
    (asked,) = loaded([network], inputs.files, replace(options, targets=options.targets or usual))
    for remark in inputs.remarks:
        say(f"seewhy: {remark}", err=True)
    question = Question(
        asked.model, methods, asked.targets, [*options.layers] or None, options.tile, options.overlap, asked.truth
    )
    job = LocalizeJob(
        question, rule, labels, Explained(), Tally(kind), LocalizationScores(asked.truth, rule), pictures, options.as_json
    )
    failures = Failures(len(asked.files) + len(inputs.failed), kind)
    for argument, error in inputs.failed.items():
        failures.add(argument, error)
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)) as stop:
        layers = _through(job, asked, failures, stop)
        failures.settle()
    given = given_options()
    for remark in (
        *without_effect(given, methods, [asked.model], job.explained),
        *finding_without_effect(given, rule, job.explained),
    ):
        say(f"seewhy: {remark}", err=True)
    if job.spoken:
        for layer, why in layers.items():
            say(f"{layer}: {why}")
        for method in methods:
            if method.name in job.explained.methods:
                say(f"{method.name}: {method.caveat}")
    for remark in job.pictures.folder.remarks() if job.pictures else ():
        say(f"seewhy: {remark}", err=True)
    for line in (*summary(asked.truth), *job.scores.lines(), *job.tally.lines(), *labels.words()):
        say(line if job.spoken else f"seewhy: {line}", err=not job.spoken)
    if stop.is_set():
        say("seewhy: interrupted; what was written stays.", err=True)
        raise SystemExit(130)
    failures.tell()
    if labels.failed is not None:
        say(f"seewhy: {fault(labels.failed)}", err=True)
    if failures.files or labels.failed is not None:
        raise SystemExit(1)


def _through(job: LocalizeJob, asked: Asked, failures: Failures, stop: "Event") -> dict[str, str]:
    """Take all photos through, and close the labels, however that ends; the layers that seewhy chose, each with the reason."""
    job.labels.open(asked.model.labels)
    if job.pictures is not None:
        job.pictures.open()
    try:
        return localize_all(job, asked.files, failures, stop)
    finally:
        job.labels.close()
