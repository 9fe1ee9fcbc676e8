"""`seewhy explain`: writes overlays into a folder and prints what was predicted and explained.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seewhy.cli.effects import Explained, given_options, without_effect
from seewhy.cli.failures import Failures, inputs_of
from seewhy.cli.folder import DRAWN, OutFolder, check_folder, make_folder
from seewhy.cli.inputs import kind_of
from seewhy.cli.networks import loaded, of_other_classes, several_models
from seewhy.cli.options import OUT, ModelOptions, Opacity, Window, complete_methods
from seewhy.cli.photos import Job, explain_all
from seewhy.cli.printing import fault, say
from seewhy.cli.question import Question, configured
from seewhy.cli.question_options import RECURSIVE, asked_of_photos
from seewhy.cli.sheet import ORDERS, SheetRows, sheet_words, write_sheet
from seewhy.cli.truth import truth_options
from seewhy.cli.truth_summary import differing, summary
from seewhy.cli.writing import VIEWS, Outputs

if TYPE_CHECKING:
    from seewhy.maps.sheet import SheetRow

NO_CONTRAST = "--check asks whether a contrast holds, and none is asked for: give --target A-vs-B."


@dataclass(frozen=True)
class Options:
    """What a person asks of `seewhy explain`, but for what is said of the network."""

    photos: tuple[str, ...]
    methods: tuple[str, ...]
    targets: tuple[str, ...]
    layers: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]  # of the methods
    budget: str | None
    batch_size: int | None
    tile: int | None
    overlap: int | None
    scores: str | None
    out: Path
    recursive: bool
    colours: str | None
    pictures: tuple[str, ...]
    views: tuple[str, ...]
    window: tuple[float, float] | None
    alpha: float | Literal["value"]
    scale: float
    form: str
    legend: bool
    values: bool
    check: bool
    record: bool
    sign: str | None
    as_json: bool
    truth: str | None
    boxes: Path | None
    masks: Path | None
    sort: str | None
    sheet: bool

    @property
    def outputs(self) -> Outputs:
        look = {"alpha": self.alpha, "colours": self.colours}
        drawn = (self.pictures, self.views, look, self.window, self.legend, self.values, self.scale, self.form)
        return Outputs(*drawn, self.record, self.sign)


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@several_models(
    "Repeatable, for networks side by side. "
    "torchvision/NAME, timm/NAME, hf/ORG/NAME, keras/NAME, demo/NAME, a folder, FILE.py:NAME, module:NAME, http://HOST/PATH, "
    "or a file: .pt2, .keras, .tflite."
)
@click.option(
    "--method",
    "-M",
    "methods",
    multiple=True,
    default=("grad-cam",),
    show_default=True,
    shell_complete=complete_methods,
    help="Repeatable; `seewhy methods` lists them.",
)
@asked_of_photos("top, and with --truth, of wrong answers, truth")
@OUT
@RECURSIVE
@click.option("--colours", help="inferno, viridis, grey, jet or blue-red; by default inferno, and blue-red for signed maps.")
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    default=("overlay",),
    show_default=True,
    help="Also colour, grey, positive, negative, signed (of pixels), regions, boundaries (of LIME), error; repeatable.",
)
@click.option(
    "--view",
    "views",
    type=click.Choice(VIEWS),
    multiple=True,
    default=("panel",),
    show_default=True,
    help="Of a volume's overlay; repeatable.",
)
@click.option("--window", type=Window(), help="Of a volume: the values shown as black and white, as in -100,400.")
@click.option(
    "--alpha",
    type=Opacity(),
    default="value",
    show_default=True,
    help="Opacity of the map, 0 to 1; value: as the value, so that the photo shows where there is little evidence.",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    default=1,
    show_default=True,
    help="Draw pictures of photos so many times larger, as for papers; the map on the finer grid.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(DRAWN),
    default="png",
    show_default=True,
    help="Of the pictures; svg and pdf hold the legend's text as text, pdf needs pip install 'seewhy[pdf]'.",
)
@click.option("--legend/--no-legend", default=True, show_default=True, help="Say below what it is and what the colours mean.")
@click.option("--values", is_flag=True, help="Also write the numbers, as .npz.")
@click.option(
    "--check",
    is_flag=True,
    help="Of A-vs-B: does hiding what speaks for A lower A against B, more than hiding the same shapes elsewhere?  The maps of "
    "A and of B are made, too.",
)
@click.option(
    "--record",
    is_flag=True,
    help="Also write evidence records, .record.json and in the PNGs: hashes, settings, scores; `seewhy verify` takes them.",
)
@click.option("--sign", metavar="PEM", help="Sign the records with this Ed25519 private key; needs pip install 'seewhy[sign]'.")
@truth_options
@click.option(
    "--sort",
    type=click.Choice(ORDERS),
    help="Order of the photos in index.html and sheet.png: as given (default), by name, by confidence (the surest first), "
    "wrong answers first (default with --truth).",
)
@click.option("--sheet/--no-sheet", default=True, show_default=True, help="Show all maps on one sheet: index.html, sheet.png.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a map instead of text.")
def explain(networks: list[ModelOptions], **options: Any) -> None:
    """Explain photos, volumes (NIfTI, DICOM), or folders of them: write overlays, of volumes also the map as NIfTI on the
    file's own grid, and all on one sheet (index.html, sheet.png); say what was predicted and what was explained.

    \b
    seewhy explain dog.jpg --model torchvision/resnet50 --method grad-cam --target top:2
    seewhy explain dog.jpg --model torchvision/vgg16 --method guided-backprop --picture colour
    seewhy explain dog.jpg --model torchvision/vgg16 --method deconvnet --target unit:features.28:42
    seewhy explain dog.jpg --model torchvision/resnet50 --method lime --picture regions --budget '30 s'
    seewhy explain scans/ --model timm/resnet18 --weights mine.pth --labels names.txt --option num_classes=3
    seewhy explain photos/ --model torchvision/resnet50 --truth labels.csv --boxes boxes.csv
    seewhy explain scan.nii.gz ct-series/ --model nets.py:net --view axial --window -100,400
    """
    run(networks, Options(**options))


def run(networks: list[ModelOptions], options: Options) -> None:
    """Everything that the command does.  What can be refused is refused before a photo is explained."""
    from seewhy.errors import MissingExtra, Misuse
    from seewhy.progress import stoppable
    from seewhy.targets.target import VERSUS

    inputs = inputs_of(options.photos, options.recursive, options.out)
    methods = configured(options.methods, dict(options.settings), options.budget)
    check_pictures(options.pictures, methods)
    check_signing(options)
    if options.check and not any(VERSUS in target for target in options.targets):
        raise click.UsageError(NO_CONTRAST)
    check_folder(options.out)
    every = loaded(networks, inputs.files, options)
    if options.check:
        every = [asked._replace(targets=with_both_classes(asked.targets)) for asked in every]
    make_folder(options.out)
    for remark in (*inputs.remarks, *of_other_classes(every, options.targets)):
        say(f"seewhy: {remark}", err=True)
    folder, layers, reasons = OutFolder(options.out), dict[str, str](), dict[str, str]()
    sheet = SheetRows(options.outputs) if options.sheet else None
    explained, failed = Explained(), list[Failures]()
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)) as stop:
        for asked in every:
            without = {} if failed else inputs.failed
            failures = Failures(len(asked.files) + len(without), kind_of([*asked.files, *without]))
            for argument, error in without.items():
                failures.add(argument, error)
            failed.append(failures)
            of = asked.name if len(every) > 1 else ""
            if of and not options.as_json:
                say(f"{of}:")
            question = Question(
                asked.model, methods, asked.targets, [*options.layers] or None, options.tile, options.overlap, asked.truth,
                options.check,
            )  # fmt: skip
            job = Job(question, options.outputs, options.as_json, folder, sheet, explained, of)
            try:
                layers.update(explain_all(job, asked.files, failures, stop))
            except (Misuse, MissingExtra) as error:  # of several networks, the others are asked all the same
                if len(failed) == len(every) and all(each.given_up for each in failed[:-1]):
                    raise
                failures.give_up(error, of)
            if stop.is_set():
                break
            failures.settle()
            for file, reason in failures.reasons.items():
                reasons[file] = "; ".join(filter(None, (reasons.get(file), f"{of}: {reason}" if of else reason)))
    for remark in without_effect(given_options(), methods, [asked.model for asked in every], explained):
        say(f"seewhy: {remark}", err=True)
    for remark in folder.remarks():
        say(f"seewhy: {remark}", err=True)
    lines = [
        f"{asked.name}: {line}" if len(every) > 1 else line for asked in every[: len(failed)] for line in summary(asked.truth)
    ]
    lines += differing([asked.truth for asked in every[: len(failed)]])
    if sheet:
        rows = sheet.in_order([file for asked in every for file in asked.files], reasons)
        tell_sheet(rows, options.sort or ("wrong" if options.truth else "given"), lines, layers, options)
    if not options.as_json:
        for layer, why in layers.items():
            say(f"{layer}: {why}")
        for method in methods:
            if method.name in explained.methods:
                say(f"{method.name}: {method.caveat}")
    for line in lines:
        say(f"seewhy: {line}" if options.as_json else line, err=options.as_json)
    if stop.is_set():
        say("seewhy: interrupted; what was written stays.", err=True)
        raise SystemExit(130)
    for failures in failed:
        failures.tell()
    if any(failures.files or failures.refused or failures.given_up for failures in failed):
        raise SystemExit(1)


def tell_sheet(
    rows: "list[SheetRow]", order: str, remarks: list[str], layers: dict[str, str], options: Options
) -> None:  # fmt: skip
    """Write the sheet, and say where it lies; where it cannot be written, say that: the maps are there all the same."""
    from seewhy.errors import NotWritten

    if not any(row.cells for row in rows):
        return
    try:
        paths = write_sheet(options.out, rows, order, remarks, layers)
    except NotWritten as error:
        say(f"seewhy: {fault(error)}", err=True)
        raise SystemExit(1) from None
    if not options.as_json:
        say(sheet_words(paths))


def with_both_classes(targets: list[Any]) -> list[Any]:
    """The targets, and behind each contrast of two classes these two, so that their maps stand beside it.

    Raises UsageError where there is no contrast.
    """
    from seewhy.api import Class, Contrast

    contrasts = [target for target in targets if isinstance(target, Contrast)]
    if not contrasts:
        raise click.UsageError(NO_CONTRAST)
    several = list[Any]()
    for target in targets:
        several.append(target)
        if isinstance(target, Contrast) and len(target.rivals) == 1:
            several += [Class(target.of), Class(target.rivals[0])]
    return [target for place, target in enumerate(several) if target not in several[:place]]


def check_signing(options: Options) -> None:
    """Raise BadParameter for a key without records, or one that is none; MissingExtra where nothing can be signed."""
    from seewhy.errors import BadParameter

    if options.sign and not options.record:
        raise BadParameter("--sign signs evidence records, and none are written: add --record.")
    if options.sign:
        from seewhy.remaking.signing import signature_of

        signature_of(b"", options.sign)


def check_pictures(pictures: tuple[str, ...], methods: list[Any]) -> None:
    from seewhy.errors import NoSuchName, NotApplicable, closest
    from seewhy.maps.heatmap import REGIONS
    from seewhy.pictures.render import PICTURES

    known = ["overlay", "error", *PICTURES, *REGIONS]
    for kind in pictures:
        if kind not in known:
            raise NoSuchName("picture", kind, closest(kind, known), f"There are: {', '.join(known)}.")
    drawn = {"overlay"} | {kind for kind in PICTURES if any(method.pixels for method in methods)}
    drawn |= {"error"} if any("tolerance" in method.defaults for method in methods) else set()
    drawn |= {kind for kind in REGIONS if any("segments" in method.defaults for method in methods)}
    if not drawn & {*pictures}:
        names = ", ".join(method.name for method in methods)
        kinds = {**dict.fromkeys(REGIONS, "superpixels"), "error": "a standard error"}
        what = kinds.get(pictures[0], "attributions of single pixels")
        verb, more = ("judge", "; lime and kernel-shap do") if pictures[0] in REGIONS else ("give", "")
        raise NotApplicable(f"--picture {pictures[0]} shows {what}, which {names} does not {verb}{more}.")
