"""`seewhy run`: explain all photos of a set, and store the maps.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.options import COUNT, SPEC, FolderPath, KeyValue, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json
from seewhy.printable import in_percent

if TYPE_CHECKING:
    from seewhy.dataset.dataset_run import DatasetRun

SHOWN = 5  # photos that failed, with the reason


@dataclass(frozen=True)
class RunOptions:
    """What a person asks of `seewhy run`, but for what is said of the network."""

    data: str
    out: Path
    methods: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]
    target: str
    layer: str | None
    truth: str | None
    boxes: Path | None
    masks: Path | None
    root: str | None
    batch_size: int | None
    workers: int | None
    ray: str | None
    full_maps: bool
    retry: bool
    as_json: bool


@click.command()
@SPEC
@click.argument("data")
@model_options
@click.option(
    "--out", "-o", type=FolderPath(), required=True, metavar="FOLDER", help="Of the run; one that is there is gone on with."
)
@click.option(
    "--method", "-M", "methods", multiple=True, default=("grad-cam",), show_default=True, shell_complete=complete_methods,
    help="Repeatable.",
)  # fmt: skip
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of a method: signed=true; repeatable.")
@click.option(
    "--target", "-t", default="top,true", show_default=True,
    help="top: what it saw for its answer; true: for the right one, where that is known; or both.",
)  # fmt: skip
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option(
    "--truth", metavar="FILE|folders|none",
    help="What the photos show: a table of files and labels, or the names of their folders. By default what DATA says itself.",
)  # fmt: skip
@click.option(
    "--boxes", type=click.Path(path_type=Path, exists=True), metavar="FILE", help="Where the objects are, as for explain."
)
@click.option("--masks", type=click.Path(path_type=Path, exists=True), metavar="FOLDER", help="The same by masks.")
@click.option("--batch-size", type=COUNT, help="Copies per pass at most, of methods that make many; less memory.")
@click.option("--root", metavar="FOLDER", help="Where the paths in a table begin; by default the folder that it lies in.")
@click.option(
    "--workers",
    type=COUNT,
    help="Threads that read and decode photos, by default one for each processor; with --ray, processes, by default one for "
    "each GPU, else for each CPU.",
)
@click.option(
    "--ray", is_flag=False, flag_value="local", metavar="[ADDRESS]",
    help="Run on a Ray cluster: its HOST:PORT, or auto; without one, on all processors of this machine.",
)  # fmt: skip
@click.option("--full-maps", is_flag=True, help="Store maps of more than 4096 values as they are, too: maps.zarr.")
@click.option("--retry", is_flag=True, help="Do the photos again that failed before; those that went well stay as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(network: ModelOptions, **options: Any) -> None:
    """Explain all photos of a set and store what came of them, as a table that anybody can read.

    DATA is a folder, also of folders named by labels; a table of paths and labels (.csv, .parquet) or COCO's .json; a .zip; a
    pattern such as 'photos/**/*.jpg'; or an address such as s3://bucket/photos.  Ctrl-C ends with what is done, and the same
    command goes on: nothing is done twice.

    \b
    seewhy run torchvision/resnet50 photos/ -o runs/a
    seewhy run timm/resnet18 labels.csv -o runs/b --method layer-cam --target top,true
    """
    explain_set(network, RunOptions(**options))


def explain_set(network: ModelOptions, options: RunOptions) -> None:
    """Everything that the command does."""
    from seewhy.api import explain_dataset
    from seewhy.cli.question import configured
    from seewhy.photo_sets.listing import list_items
    from seewhy.progress import stoppable

    methods = configured(options.methods, dict(options.settings))
    model = network.load(batch_size=options.batch_size)
    listing = list_items(
        options.data, model.labels, truth=options.truth, boxes=options.boxes, masks=options.masks, root=options.root
    )
    for remark in listing.remarks:
        say(f"seewhy: {remark}", err=True)
    targets = [target.strip() for target in options.target.split(",")]
    with stoppable(lambda: say("seewhy: ending with the photos that are done; Ctrl-C again ends at once.", err=True)) as stop:
        found = explain_dataset(
            model,
            listing,
            options.out,
            methods,
            targets,
            options.layer,
            workers=options.workers,
            ray=options.ray,
            full_maps=options.full_maps,
            retry=options.retry,
        )
        stopped = stop.is_set()
    tell(found, options.as_json)
    if stopped and found.missing:
        say("seewhy: stopped; the same command goes on with the rest.", err=True)
        raise SystemExit(130)
    if found.errors():
        raise SystemExit(1)


def tell(found: "DatasetRun", as_json: bool) -> None:
    """Say what came of the run."""
    table = found.table(["item", "right", "method", "predicted"])  # a row without a method has no map
    right = dict(zip(table["item"].to_pylist(), table["right"].to_pylist(), strict=True))
    known = [value for value in right.values() if value is not None]
    errors = found.errors()
    if as_json:
        say_json(
            {
                "folder": str(found.folder), "photos": found.info.count, "done": len(right), "right": sum(known),
                "of_known_truth": len(known), "rows": len(table), "failed": [error._asdict() for error in errors],
            }
        )  # fmt: skip
        return
    for error in errors[:SHOWN]:
        say(f"seewhy: {error}", err=True)
    if len(errors) > SHOWN:
        say(f"seewhy: {len(errors)} photos failed; these are the first {SHOWN}.", err=True)
    share = f", {in_percent(sum(known) / len(known))} of {len(known)} right" if known else ", no truth known"
    if table["predicted"].null_count == len(table) > len(errors):
        share = ", of none a class that it is taken for (a regression, or scores that are no numbers)"
    maps = len(table) - table["method"].null_count
    s = "s" if found.info.count > 1 else ""
    say(f"{len(right)} of {found.info.count} photo{s}{share}, {maps} map{'s' if maps != 1 else ''} -> {found.folder}")
