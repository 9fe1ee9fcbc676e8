"""`seewhy share`: a stored run handed on to another tool.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import Any

import click

from seewhy.cli.options import COUNT
from seewhy.cli.printing import say

KINDS = ("datasets", "embedding-atlas", "fiftyone")
TOLD = 5  # photos that were left out, said by name


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--to", "kind", type=click.Choice(KINDS), required=True,
    help="datasets: an image folder that Hugging Face's datasets loads; embedding-atlas: its Parquet; fiftyone: a data set.",
)  # fmt: skip
@click.option("--out", "-o", required=True, help="The folder, the .parquet file, or the name of FiftyOne's data set.")
@click.option("--most", type=COUNT, help="The first so many photos; by default all.")
def share(folder: Path, kind: str, out: str, most: int | None) -> None:
    """Hand a run on to where people already look at data: photos, answers, truth and maps in another tool's own form.

    \b
    seewhy share runs/x --to datasets -o shared/
    seewhy share runs/x --to embedding-atlas -o x.parquet
    seewhy share runs/x --to fiftyone -o x
    """
    from seewhy.dataset.dataset_run import open_run

    run = open_run(folder)
    left = _shared(run, kind, out, most)
    for line in left[:TOLD]:
        say(f"seewhy: left out: {line}", err=True)
    if len(left) > TOLD:
        say(f"seewhy: left out: {len(left) - TOLD} more", err=True)
    say(f"-> {out}")
    if left:
        raise SystemExit(1)


def _shared(run: Any, kind: str, out: str, most: int | None) -> list[str]:
    """Share a run; what was left out, in words."""
    if kind == "datasets":
        from seewhy.dataset.sharing.image_folder import save_image_folder

        return save_image_folder(run, Path(out), most)
    if kind == "embedding-atlas":
        from seewhy.dataset.sharing.atlas import save_atlas

        return save_atlas(run, Path(out), most)
    from seewhy.dataset.sharing.fiftyone_export import to_fiftyone

    return list(to_fiftyone(run, out, most).info["left_out"])
