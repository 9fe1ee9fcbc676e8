"""`seewhy drift`: how far predictions and maps moved from one model to another.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import Failures, inputs_of
from seewhy.cli.filenames import called, joined, others
from seewhy.cli.folder import check_folder, make_folder
from seewhy.cli.inputs import PhotoFiles
from seewhy.cli.options import (
    COUNT,
    KeyValue,
    ModelOptions,
    Share,
    complete_methods,
    complete_models,
    model_options,
)
from seewhy.cli.printing import LABEL, printable, say, say_json
from seewhy.cli.question import configured
from seewhy.cli.question_options import RECURSIVE
from seewhy.cli.targets import one_target
from seewhy.printable import in_percent

from .listing import table

if TYPE_CHECKING:
    from seewhy.comparison.drift import Comparison
    from seewhy.comparison.records import Drift, PhotoDrift


@dataclass(frozen=True)
class DriftOptions:
    """What a person asks of `seewhy drift`, but for what is said of both networks."""

    spec_b: str
    photos: tuple[str, ...]
    method: str
    target: str
    settings: tuple[tuple[str, Any], ...]  # of the method
    scores: str | None
    layer: str | None
    layer_b: str | None
    out: Path
    worst: int
    fail_under: float | None
    max_energy_shift: float | None
    recursive: bool
    as_json: bool
    weights_a: str | None
    weights_b: str | None
    labels_a: str | None
    labels_b: str | None
    prepare_a: tuple[tuple[str, Any], ...]
    prepare_b: tuple[tuple[str, Any], ...]

    def of(self, network: ModelOptions, letter: str) -> ModelOptions:
        """What is said of the model of that letter: what is said of both, but for what is said of it alone."""
        own = {name: getattr(self, f"{name}_{letter}") for name in ("weights", "labels")}
        own = {name: value for name, value in own.items() if value is not None}
        own["prepare"] = (*network.prepare, *getattr(self, f"prepare_{letter}"))
        return replace(network, spec=network.spec if letter == "a" else self.spec_b, **own)


def _of_each(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that are said of one of the models."""
    for letter in "ba":
        which = f"Of MODEL_{letter.upper()} alone."
        command = click.option(f"--prepare-{letter}", type=KeyValue(), multiple=True, help=f"{which} Repeatable.")(command)
        for name in ("labels", "weights"):
            command = click.option(f"--{name}-{letter}", metavar="FILE", help=which)(command)
    return command


@click.command()
@click.argument("spec", metavar="MODEL_A", shell_complete=complete_models)
@click.argument("spec_b", metavar="MODEL_B", shell_complete=complete_models)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@_of_each
@model_options
@click.option(
    "--method",
    "-M",
    default="auto",
    show_default=True,
    shell_complete=complete_methods,
    help="auto: the first of grad-cam, recipro-cam, occlusion that both can do.",
)
@click.option(
    "--target",
    "-t",
    default="top",
    show_default=True,
    help="The class explained on both, as for explain; one. top: that which MODEL_A takes each photo for.",
)
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of the method: signed=true; repeatable.")
@click.option("--layer", "-l", help="By default each model's last that still has space.")
@click.option("--layer-b", help="Of MODEL_B, where its layers have other names.")
@click.option(
    "--scores",
    help="What is explained: logits (by default, of networks), log-probability, probability; the last, where one model gives "
    "probabilities alone.",
)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-drift"),
    show_default=True,
    help="Folder for drift.json, drift.csv and the pictures of the worst photos.",
)
@click.option("--worst", "-n", type=COUNT, default=10, show_default=True, help="How many photos are listed and drawn.")
@click.option(
    "--fail-under",
    type=Share(-1),
    metavar="SPEARMAN",
    help="Exit code 1 where the maps of a photo correlate less.",
)
@click.option(
    "--max-energy-shift",
    type=Share(),
    metavar="SHARE",
    help="Exit code 1 where more of a photo's evidence lies elsewhere, 0 to 1.",
)
@RECURSIVE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: what drift.json says.")
def drift(network: ModelOptions, **options: Any) -> None:
    """How far predictions and maps of photos moved from MODEL_A to MODEL_B: float32 against int8, torch against ONNX, v1
    against v2.  The worst photos come first.  Options without -a or -b are said of both models.

    Exit code 1 where a photo failed, or a bound (--fail-under, --max-energy-shift) is not kept.

    \b
    seewhy drift timm/resnet18 model.onnx photos/ --prepare-b size=256 --prepare-b crop=224
    seewhy drift nets.py:net nets.py:net photos/ --weights-a v1.pth --weights-b v2.pth --fail-under 0.9
    """  # fmt: skip
    compare(network, DriftOptions(**options))


def compare(network: ModelOptions, options: DriftOptions) -> None:
    """Everything that the command does.  What can be refused is refused before a network is loaded."""
    from seewhy.comparison.drift import Comparison
    from seewhy.errors import BadParameter

    inputs = inputs_of(options.photos, options.recursive, options.out)
    method: Any = options.method
    if method != "auto":
        (method,) = configured((method,), dict(options.settings))
    elif options.settings:
        raise BadParameter("--set is said of a method that is named: give --method.")
    check_folder(options.out)
    models = [options.of(network, letter).load(scores=options.scores) for letter in "ab"]
    one_target(options.target, models[0].labels, "one is compared")  # `Comparison` reads the text by itself
    layers = (options.layer, options.layer_b or options.layer)
    comparison = Comparison(models[0], models[1], method, options.target, layers)
    make_folder(options.out)
    failures = Failures.among(inputs)
    found, stopped = compare_all(comparison, inputs, failures, options.worst)
    pictures = write(found, options)
    say_json(found.to_json()) if options.as_json else print_drift(found, options, pictures)
    if stopped:
        say("seewhy: interrupted; what was written stays.", err=True)
        raise SystemExit(130)
    failures.tell()
    beyond = found.breaches(options.fail_under, options.max_energy_shift)
    for photo, broken in beyond[: options.worst]:
        say(f"seewhy: {photo.image}: {'; '.join(broken)}", err=True)
    if beyond:
        say(f"seewhy: {len(beyond)} of {len(found)} photos do not keep the bounds.", err=True)
    if beyond or failures.files:
        raise SystemExit(1)


def compare_all(comparison: "Comparison", inputs: PhotoFiles, failures: Failures, worst: int) -> "tuple[Drift, bool]":
    """Compare photo by photo; and whether a person stopped that.  Of the worst alone, the photos stay in memory."""
    from seewhy.comparison.records import worst_first
    from seewhy.maps.heatmaps import Failed
    from seewhy.progress import shown, stoppable

    files, photos = inputs.files, list["PhotoDrift"]()
    failed = [Failed(place, name, error) for place, (name, error) in enumerate(inputs.failed.items(), len(files))]
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)) as stop:
        for place, file in enumerate(shown(files, len(files), "comparing", wait=False)):
            with failures.of(file):
                try:
                    photos.append(comparison.of(file, place))
                except Exception as error:
                    failed.append(Failed(place, file, error))
                    raise
                failures.well()
                photos = [photo if rank < worst else without_photo(photo) for rank, photo in enumerate(worst_first(photos))]
            if stop.is_set() or failures.ended:
                break
    return comparison.drift(photos, tuple(failed)), stop.is_set()


def without_photo(photo: "PhotoDrift") -> "PhotoDrift":
    """The same numbers without the picture that the maps lie on."""
    if photo.a.image is None:
        return photo
    return replace(photo, a=replace(photo.a, image=None), b=replace(photo.b, image=None))


def write(found: "Drift", options: DriftOptions) -> "dict[str, Path]":
    """Write the numbers, and the pictures of the worst photos: of each photo the path of its picture."""
    from seewhy.atomic import replacing
    from seewhy.comparison.picture import save_picture
    from seewhy.comparison.table import csv_of
    from seewhy.maps.made_here import made_here

    for name, content in (("drift.json", found.to_json() + "\n"), ("drift.csv", csv_of(found))):
        with replacing(options.out / name) as beside:
            beside.write_text(content, "utf-8")
    pictures: dict[str, Path] = {}
    for photo in found[: options.worst]:
        name = joined([called(Path(photo.image)), "drift", found.method])
        paths = (options.out / f"{candidate}.png" for candidate in chain([name], others(name, None)))
        free = next(path for path in paths if path not in pictures.values() and (made_here(path) or not os.path.lexists(path)))
        pictures[photo.image] = save_picture(free, photo.picture(), photo.a.source, photo.b.source, True)
    return pictures


def print_drift(found: "Drift", options: DriftOptions, pictures: "dict[str, Path]") -> None:
    """Say in words what moved: a table of the worst photos, then what holds of all."""
    say(f"A: {found.a}")
    say(f"B: {found.b}")
    say(f"{found.method} for {found.target}" + (f" ({found.method_why})" if found.method_why else ""))
    if not len(found):
        return say("no photo could be compared")
    say(" and ".join(f"at {', '.join(layers)} of {letter}" for letter, layers in _layers(found).items()))
    for note in found.notes:
        say(f"  ! {note}")
    head = ("photo", "class", "B says", "score", "probability", "Spearman", "energy shift", "centre")
    table(head, [_row(photo) for photo in found[: options.worst]])
    if len(found) > options.worst:
        say(f"({options.worst} of {len(found)} photos; all are in {options.out / 'drift.csv'})")
    for note, images in _noted(found[: options.worst]).items():
        say(f"  ! {images[0] if len(images) == 1 else f'{len(images)} photos'}: {note}")
    for line in summary_lines(found):
        say(line)
    for path in pictures.values():
        say(f"-> {path}")


def _layers(found: "Drift") -> dict[str, dict[str, None]]:
    """The layers of each model that its maps are of."""
    return {
        letter: dict.fromkeys(heatmap.source.layer for heatmap in maps)
        for letter, maps in (("A", [photo.a for photo in found]), ("B", [photo.b for photo in found]))
    }


def _noted(photos: "Sequence[PhotoDrift]") -> dict[str, list[str]]:
    """The notes, each with the photos that it is on."""
    notes: dict[str, list[str]] = {}
    for photo in photos:
        for note in photo.notes:
            notes.setdefault(note, []).append(photo.image)
    return notes


def _row(photo: "PhotoDrift") -> tuple[str, ...]:
    source = photo.a.source
    what = printable(source.label or (source.target if source.index is None else str(source.index)), LABEL // 2)
    b = photo.predicted_b
    says = "" if b is None else "same" if photo.same_top1 else printable(b.label or str(b.index), LABEL // 2)
    rank = f"- ({photo.flat} flat)" if photo.spearman is None else f"{photo.spearman:.3f}"
    return (
        photo.image, what, says, number(photo.score_change, "+.3g"), number(photo.probability_change, "+.1%"), rank,
        in_percent(photo.energy_shift), number(photo.centre_shift, ".1f", f" {photo.unit}"),
    )  # fmt: skip


def number(value: float | None, how: str, unit: str = "") -> str:
    """A number, or "-" where it is not known; how "+.1%": a share in percent."""
    if value is not None and how.endswith("%"):
        value, how, unit = 100 * value, f"{how[:-1]}f", " %"
    return "-" if value is None else f"{value:{how}}{unit}"


def summary_lines(found: "Drift") -> list[str]:
    """What holds of all photos, in words."""
    facts: Any = found.summary
    lines = [f"{len(found)} photos: top-1 agreement {number(facts['top1_agreement'], '.1%')}, "
             f"top-5 overlap {number(facts['top5_overlap'], '.1%')}"]  # fmt: skip
    lines.append(f"largest change of the explained class: score {number(facts['max_score_change'], '.3g')}, "
                 f"probability {number(facts['max_probability_change'], '.1%')}")  # fmt: skip
    unit = f" {found[0].unit}"
    without = f" ({facts['without_spearman']} without)" if facts["without_spearman"] else ""
    lines.append(
        f"Spearman: mean {number(facts['mean_spearman'], '.3f')}, least {number(facts['min_spearman'], '.3f')}{without}"
    )
    lines.append(f"energy shift: mean {number(facts['mean_energy_shift'], '.1%')}, "
                 f"largest {number(facts['max_energy_shift'], '.1%')}; "
                 f"centre: at most {number(facts['max_centre_shift'], '.1f', unit)}")  # fmt: skip
    return lines
