"""`seewhy segment`: train a segmenter on the classes of photos alone, and label the pixels of photos with it.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.commands.listing import table
from seewhy.cli.failures import Failures
from seewhy.cli.folder import check_folder, make_folder
from seewhy.cli.inputs import find_inputs
from seewhy.cli.options import FolderPath, ModelOptions, Share, complete_models, model_option, model_options
from seewhy.cli.printing import say, say_json
from seewhy.printable import in_percent

if TYPE_CHECKING:
    from seewhy.localize.sec.scoring import ScoreRow
    from seewhy.localize.sec.trainer import Epoch

DEMO, DEMO_MODEL = "demo", "demo/honest"
SCENES, SCORED = 600, 100  # of the demo: learned from, and scored on


@click.group()
def segment() -> None:
    """Train a segmenter on photos of which only the classes are known, and use it.

    \b
    seewhy segment train demo --out run                    on drawn scenes, with a table of what it gains
    seewhy segment train photos/ --model torchvision/resnet50 --out run
    seewhy segment predict photo.jpg --model run --out masks
    """


@segment.command()
@click.argument("data", metavar="DATA")
@click.option("--model", "-m", "spec", metavar="SPEC", shell_complete=complete_models,
              help="The classifier whose maps and body are taken: demo/, torchvision/ or timm/NAME.")  # fmt: skip
@model_options
@click.option(
    "--out", "-o", type=FolderPath(), required=True, help="Folder for the segmenter, which is then a model by its name."
)
@click.option("--epochs", type=click.IntRange(1, 10_000), help="Passes over the photos, at most.  [default: 20]")
@click.option("--batch", type=click.IntRange(1, 10_000), help="Photos in a step.  [default: 16]")
@click.option(
    "--rate", type=click.FloatRange(0, 1, min_open=True), help="How large steps are, at their largest.  [default: 0.004]"
)
@click.option(
    "--held-out", type=Share(), help="Share of the photos that is not learned from, but tells when to end.  [default: 0.1]"
)
@click.option("--patience", type=click.IntRange(1), help="End after so many passes that gained nothing.  [default: 5]")
@click.option("--foreground", type=Share(), help="A class's seeds: above that share of its map's maximum.  [default: 0.25]")
@click.option("--background", type=Share(), help="Seeds of background: below that share in all maps.  [default: 0.15]")
@click.option("--seed", type=click.IntRange(0), help="Of the photos' order and the first weights.  [default: 0]")
@click.option("--scenes", type=click.IntRange(10, 100_000), help=f"Of the demo: how many to draw.  [default: {SCENES}]")
@click.option(
    "--masks", type=click.Path(path_type=Path), help="Score on the photos with these masks, which training never reads."
)
@click.option("--half", is_flag=True, help="Keep the weights in half precision.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a pass, and one of each row of the table.")
def train(
    data: str,
    network: ModelOptions,
    out: Path,
    scenes: int | None,
    masks: Path | None,
    half: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a segmenter by SEC on DATA: a folder of photos with labels.csv, a line file,label each (cat|dog for several).

    Seeds come from the classifier's Grad-CAM maps; no mask is read.  DATA may be the word demo: scenes are drawn that no
    network was trained on, and a table says what raw maps, seeds, refined seeds and the trained network are worth on others.

    A run that is stopped goes on when it is started again.  The folder is then a model, as in
    seewhy explain photo.jpg --model run --target region:car
    """
    from seewhy.errors import BadParameter
    from seewhy.localize.sec.keeping import has_segmenter
    from seewhy.localize.sec.run import train_segmenter
    from seewhy.localize.sec.trainer import Training
    from seewhy.progress import stoppable

    if network.spec is None:
        if data != DEMO:
            raise click.UsageError("Missing option '--model' / '-m': the classifier whose maps show where the classes are.")
        network = ModelOptions(**{**{f.name: getattr(network, f.name) for f in fields(network)}, "spec": DEMO_MODEL})
    if scenes is not None and data != DEMO:
        raise click.UsageError("--scenes is of the demo: DATA is a folder of photos.")
    training = Training(**{name: value for name, value in settings.items() if value is not None})
    check_folder(out)
    if data != DEMO and not Path(data).is_dir():
        raise BadParameter(f"{data} is no folder. Give one with photos and labels.csv, or the word {DEMO}.")
    model = network.load_warning()
    photos = _demo(out, scenes or SCENES) if data == DEMO else Path(data)
    failures = Failures(0)
    with stoppable(lambda: say("seewhy: stopping after this step; again to end at once", err=True)):
        done, known = train_segmenter(
            model, photos, out, training, half, failures.add,
            lambda place, epoch: _told(place, epoch, training.epochs, as_json),
        )  # fmt: skip
    if known.missing:
        say(f"seewhy: labels.csv names files that are not there ({len(known.missing)}), such as {known.missing[0]}", err=True)
    if failures.files:
        say(f"seewhy: left out, as they cannot be read: {', '.join(failures.files)}", err=True)
    if not as_json:
        say(f"{done.ended}: {out} is a model now." if has_segmenter(out) else f"{done.ended}.")
    if done.ended.startswith("stopped"):
        click.get_current_context().exit(130)
    if data == DEMO:
        _score(model, out, out / "scenes" / "scored", out / "scenes" / "scored" / "masks", as_json)
    elif masks is not None:
        _score(model, out, photos, masks, as_json)


def _demo(out: Path, count: int) -> Path:
    """The folders of drawn scenes: those to learn from, which is returned, and those to score on; drawn once."""
    from seewhy.localize.sec.scenes import LEARNED, REPORTED, write_scenes

    make_folder(out)
    for name, number, seed in (("learned", count, LEARNED), ("scored", SCORED, REPORTED)):
        folder = out / "scenes" / name
        if not (folder / "labels.csv").is_file() or len([*folder.glob("scene_*.png")]) != number:
            write_scenes(folder, number, seed)
    return out / "scenes" / "learned"


def _told(place: int, epoch: "Epoch", count: int, as_json: bool) -> None:
    """One line on a pass."""
    if as_json:
        say_json({"pass": place + 1, **epoch._asdict()})
        return
    mark = ", the best so far" if epoch.best else ""
    alone = epoch.held_out == sum((epoch.seed, epoch.expand, epoch.constrain))  # of few photos none is held out
    say(
        f"pass {place + 1} of {count}: seeds {epoch.seed:.3f}, expansion {epoch.expand:.3f}, boundaries {epoch.constrain:.3f}; "
        f"{'in all, with no photo held out,' if alone else 'on photos held out'} {epoch.held_out:.3f}{mark}"
    )


def _score(model: Any, out: Path, photos: Path, masks: Path, as_json: bool) -> None:
    """The table of mean IoU."""
    from seewhy.api import load
    from seewhy.localize.sec.photos import labelled_files
    from seewhy.localize.sec.scoring import scored_rows, write_scores

    known = labelled_files(photos, model.labels)
    rows = scored_rows(model, load(out), known, masks)
    write_scores(out, rows, len(known.files))
    if as_json:
        for each in rows:
            say_json(each._asdict())
        return
    table(("labels of pixels", "mean IoU", "95 % interval"), [*map(_cells, rows)])
    say(
        f"{len(known.files)} photos with masks; all but the trained network and the network alone are told a photo's classes. "
        "Thresholds and the CRF's reach were chosen on other scenes with masks."
    )


def _cells(row: "ScoreRow") -> tuple[str, ...]:
    return row.name, f"{row.iou:.3f}", f"{row.low:.3f} to {row.high:.3f}"


@segment.command()
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@model_option("The folder of a trained segmenter, or another segmenter on torch.")
@model_options
@click.option("--out", "-o", type=FolderPath(), default=Path("seewhy-out"), show_default=True, help="Folder for the masks.")
@click.option("--crf/--no-crf", default=True, show_default=True, help="Refine by a dense CRF on the photo, as the paper does.")
@click.option("--recursive", "-r", is_flag=True, help="Look into folders of folders.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a photo.")
def predict(photos: Sequence[str], network: ModelOptions, out: Path, crf: bool, recursive: bool, as_json: bool) -> None:
    """Write for each PHOTO, or each of a folder, a mask (PNG with a palette: 0 background, 1 and on the classes) and a picture
    of it over the photo.
    """
    from seewhy.localize.sec.predicting import segmented, write_masks

    check_folder(out)
    model: Any = network.load_warning()
    found = find_inputs(tuple(photos), recursive, out)
    for remark in found.remarks:
        say(f"seewhy: {remark}", err=True)
    make_folder(out)
    failures = Failures(len(found.files) + len(found.failed))
    for file, error in found.failed.items():
        failures.add(file, error)
    taken: set[str] = set()
    for file in found.files:
        with failures.of(file):
            done = next(segmented(model, [file], crf))
            path = write_masks(done, model.labels, out, taken)
            failures.well()
            if as_json:
                say_json({"file": file, "mask": str(path), "shares": done.shares, "scores": done.scores})
            else:
                shares = ", ".join(f"{name} {in_percent(share, 0)}" for name, share in done.shares.items())
                say(f"{file}: {shares}  -> {path}")
    failures.tell()
    if failures.files:
        click.get_current_context().exit(1)
