"""`seewhy audit`: is a model right for the wrong reason, class by class.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import named
from seewhy.cli.folder import check_folder, make_folder, write_findings
from seewhy.cli.options import COUNT, SPEC, KeyValue, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json, say_text
from seewhy.cli.question import configured

if TYPE_CHECKING:
    from seewhy.dataset.auditing.record import Audit

TOLD = 3  # photos that failed, said by name


@dataclass(frozen=True)
class AuditOptions:
    """What a person asks of `seewhy audit`, but for what is said of the network."""

    data: str
    truth: str | None
    boxes: Path | None
    masks: Path | None
    root: str | None
    method: str
    settings: tuple[tuple[str, Any], ...]  # of the method
    layer: str | None
    batch_size: int | None
    text: bool
    budget: int | None
    seed: int
    out: Path
    as_json: bool
    as_csv: bool


@click.command()
@SPEC
@click.argument("data")
@model_options
@click.option(
    "--truth",
    metavar="FILE|folders|none",
    help="What the photos show: a table of files and labels; `folders`: the name of the folder that each lies in; `none`. By "
    "default what DATA says itself; without any, a photo's class is what the model takes it for.",
)
@click.option(
    "--boxes",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Where the objects are: evidence outside of them is asked for, too.",
)
@click.option(
    "--masks", type=click.Path(path_type=Path, exists=True), metavar="FOLDER", help="The same by masks, named like the photos."
)
@click.option("--root", metavar="FOLDER", help="Where the paths in a table begin; by default in the table's folder.")
@click.option("--method", "-M", default="grad-cam", show_default=True, shell_complete=complete_methods)
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of the method; repeatable.")
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option("--batch-size", type=COUNT, help="Copies per pass at most, of methods that make many; less memory.")
@click.option(
    "--text", is_flag=True, help="Look also for evidence on text that can be read (the extra `text`; seconds a photo)."
)
@click.option(
    "--budget",
    type=COUNT,
    help="How many images the network may look at; photos are then drawn, evenly of each class. By default all are looked at.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of draws, intervals and tests.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-audit"),
    show_default=True,
    help="Folder for audit.json, audit.csv and a picture of each class of which a place is suspected.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: what audit.json says.")
@click.option("--csv", "as_csv", is_flag=True, help="Print what audit.csv says.")
def audit(network: ModelOptions, **options: Any) -> None:
    """Is the model right for the wrong reason?  Class by class: does evidence pile up at borders, corners, watermarks or text,
    do the photos' files or backgrounds give the class away, and does the answer follow what is suspected when it is pasted
    onto photos of other classes?

    DATA is a folder, also of folders named by labels; a table of paths and labels (.csv, .parquet) or COCO's .json; a .zip; a
    pattern; or an address such as s3://bucket/photos.

    \b
    seewhy audit torchvision/resnet50 photos/
    seewhy audit nets.py:net labels.csv --root photos/ --budget 2000 -o audits/net
    """
    run(network, AuditOptions(**options))


def run(network: ModelOptions, options: AuditOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a photo is explained."""
    from seewhy.dataset.auditing.asking import audit_of
    from seewhy.photo_sets.listing import list_items
    from seewhy.progress import stoppable

    if options.as_json and options.as_csv:
        raise click.UsageError("--json and --csv both print: give one of them.")
    (method,) = configured((options.method,), dict(options.settings))
    check_folder(options.out)
    model = network.load(batch_size=options.batch_size)
    listing = list_items(
        options.data, model.labels, truth=options.truth, boxes=options.boxes, masks=options.masks, root=options.root
    )
    make_folder(options.out)
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)):
        found = audit_of(model, listing, method, options.layer, options.text, options.budget, options.seed)
    pictures = write_findings(found, options.out, "audit", found.shown)
    if options.as_json:
        say_json(found.to_json())
    elif options.as_csv:
        say_text(found.to_csv())
    else:
        print_audit(found, options.out, pictures)
    for left in found.failed[:TOLD]:
        say(f"seewhy: {named(left.name, left.error)}", err=True)
    if found.failed:
        say(f"seewhy: {len(found.failed)} of {found.photos + len(found.failed)} photos have no map.", err=True)
    if found.interrupted:
        say("seewhy: interrupted; what was read is told.", err=True)
        raise SystemExit(130)
    if found.failed:
        raise SystemExit(1)


def print_audit(found: "Audit", out: Path, pictures: list[Path]) -> None:
    """Say in words what was found, and what is to be known of all."""
    by = "by what they show" if found.by == "truth" else "by what the model takes them for"
    say(f"{found.model}, {found.method}: {found.photos} of {found.listed} photos, {by}; {found.passes} images looked at")
    for line in found.says:
        say(line)
    for note in found.notes:
        say(f"  ! {note}")
    say(f"-> {', '.join(map(str, [out / 'audit.json', 'audit.csv', *(path.name for path in pictures)]))}")
