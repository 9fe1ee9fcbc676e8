"""`seewhy explain`: overlays into a folder, what was found to stdout."""

from pathlib import Path
from typing import Any

import click

from seewhy.cli.failing import Failures, named
from seewhy.cli.finding import Found, found
from seewhy.cli.naming import stem
from seewhy.cli.options import (
    COUNT,
    OUT,
    KeyValue,
    Share,
    Window,
    complete_methods,
    complete_models,
    load_model,
    model_options,
    wrapped,
)
from seewhy.cli.saying import say
from seewhy.cli.shelf import Shelf, check_folder, errand, make_folder, print_of
from seewhy.cli.targets import parse_target
from seewhy.cli.writing import NUMBERS, VIEWS, Drawing, Told, print_json, print_text


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "--model",
    "-m",
    "spec",
    required=True,
    metavar="SPEC",
    shell_complete=complete_models,
    help="torchvision/NAME, timm/NAME, hf/ORG/NAME, demo/NAME, a folder, FILE.py:NAME, module:NAME or a .pt2 file.",
)
@model_options
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
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    default=("top",),
    show_default=True,
    help="top, top:3 (the three top classes), a LABEL, an INDEX, A-vs-B; unit:LAYER:CHANNEL (:sum, :Y,X); region:CLASS, "
    "point:Y,X, box:LABEL (:1, :X0,Y0,X1,Y1); text:A|B (A against B), similar:PHOTO; repeatable.",
)
@click.option("--layer", "-l", "layers", multiple=True, help="Repeatable; by default the last that still has space.")
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of a method: signed=true; repeatable.")
@click.option("--budget", metavar="N|TIME", help="What a map may cost, of methods that ask for many scores: 2000, '10 s'.")
@click.option("--batch-size", type=COUNT, help="Copies per pass at most, of methods that make many; less memory.")
@click.option("--tile", type=COUNT, metavar="PIXELS", help="Explain larger images by overlapping tiles.")
@click.option("--overlap", type=click.IntRange(0), metavar="PIXELS", help="Of tiles at least; by default half of what is seen.")
@click.option("--scores", help="What is explained: logits (by default, of networks), log-probability, probability.")
@OUT
@click.option("--recursive", "-r", is_flag=True, help="Look into the folders inside of folders, too.")
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
@click.option("--alpha", type=Share(), default=0.5, show_default=True, help="Opacity of the map.")
@click.option("--legend/--no-legend", default=True, show_default=True, help="Say below what it is and what the colours mean.")
@click.option("--values", is_flag=True, help="Also write the numbers, as .npz.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a map instead of text.")
def explain(
    photos: tuple[str, ...], spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any,
    methods: tuple[str, ...], targets: tuple[str, ...], layers: tuple[str, ...], settings: Any, budget: str | None,
    batch_size: int | None, tile: int | None, overlap: int | None,
    scores: str | None, out: Path, recursive: bool, colours: str | None, pictures: tuple[str, ...], views: tuple[str, ...],
    window: Any, alpha: float, legend: bool, values: bool, as_json: bool,
) -> None:  # fmt: skip
    """Explain photos, volumes (NIfTI, DICOM), or folders of them: write overlays, of volumes also the map as NIfTI on the
    file's own grid; say what was predicted and what was explained.

    \b
    seewhy explain dog.jpg --model torchvision/resnet50 --method grad-cam --target top:2
    seewhy explain dog.jpg --model torchvision/vgg16 --method guided-backprop --picture colour
    seewhy explain dog.jpg --model torchvision/vgg16 --method deconvnet --target unit:features.28:42
    seewhy explain dog.jpg --model torchvision/resnet50 --method lime --picture regions --budget '30 s'
    seewhy explain scans/ --model timm/resnet18 --weights mine.pth --labels names.txt --option num_classes=3
    seewhy explain scan.nii.gz ct-series/ --model nets.py:net --view axial --window -100,400
    """
    from seewhy.api import explain as ask
    from seewhy.errors import NotWritten, SeewhyError
    from seewhy.images.photo import Underlay
    from seewhy.prepare.batch import opened
    from seewhy.prepare.clip_fit import ClipFit
    from seewhy.progress import shown, stoppable

    looked = found(photos, recursive, out)
    if not looked.files:
        raise nothing_to_explain(looked)
    chosen = configured(methods, {**dict(settings), **({"budget": budget} if budget else {})})
    check_pictures(pictures, chosen)
    check_folder(out)
    model: Any = load_model(spec, weights, labels, options, prepare, device, scores=scores, batch_size=batch_size)
    if isinstance(model.prepare, ClipFit):  # a folder of frames is one clip
        looked = Found([*dict.fromkeys(photos)], {}, [])
    asked = [target for text in targets for target in parse_target(text, model.labels)]
    make_folder(out)
    for remark in looked.remarks:
        say(f"seewhy: {remark}", err=True)
    reasons: dict[str, str] = {}  # why a layer was looked at that nobody named
    how = Drawing(pictures, views, {"alpha": alpha, "colours": colours}, window, legend, values)
    shelf = Shelf(out, errand(spec, options, prepare, *wrapped(), scores, tile, overlap))
    failures = Failures(len(looked.files) + len(looked.failed))
    for folder, error in looked.failed.items():
        failures.add(folder, error)

    def one(file: str) -> "tuple[Told, SeewhyError | None]":
        scene = tile is not None and file.lower().endswith((".tif", ".tiff"))  # read by windows
        photo = Underlay(file, file) if scene else next(opened([file], model.prepare, model.name))
        given = photo.pixels if isinstance(photo, Underlay) else photo
        failure = None
        try:
            maps = ask(model, given, chosen, asked, list(layers) or None, tile, overlap)
        except SeewhyError as error:
            if not error.partial:
                raise
            maps, failure = error.partial, error
        reasons.update({m.source.layer: m.source.layer_why for m in maps if m.source.layer_why})
        own, written = print_of(file), []
        for heatmap in maps:
            try:
                paths = shelf.put(stem(heatmap.source), heatmap.source, own, how.writers(heatmap))
            except NotWritten as error:
                if not written:
                    raise
                failure = failure or error  # what was written before is said
                break
            written.append((heatmap, [path for ending, path in paths.items() if ending != NUMBERS]))
        return Told(photo.name, maps[0].source.predicted or predict(model, given), written), failure

    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)) as stop:
        files = looked.files
        few = len(files) < 4  # of few, each has its own bar
        for file in files if few else shown(files, len(files), "explaining", wait=False):
            told, failure = None, None
            with failures.of(file):
                told, failure = one(file)
            if told is not None:  # what goes wrong with saying it is not the photo's fault
                failures.well()
                (print_json if as_json else print_text)(*told)
            if failure is not None:
                with failures.of(file):
                    raise failure
            if stop.is_set() or failures.ended:
                break
    for remark in shelf.remarks():
        say(f"seewhy: {remark}", err=True)
    if not as_json:
        for layer, why in reasons.items():
            say(f"{layer}: {why}")
        for method in chosen:
            say(f"{method.name}: {method.caveat}")
    if stop.is_set():
        say("seewhy: interrupted; what was written stays.", err=True)
        raise SystemExit(130)
    failures.tell()
    if failures.files:
        raise SystemExit(1)


def nothing_to_explain(looked: Found) -> Exception:
    """Why no argument stands for a photo; of several, all but the last are said."""
    from seewhy.errors import BadParameter

    if not looked.failed:
        why = "; ".join(looked.remarks) or "the folder that is written into is empty"
        return BadParameter(f"There is nothing to explain: {why}.")
    *others, (_, last) = looked.failed.items()
    for argument, error in others:
        say(f"seewhy: {named(argument, error)}", err=True)
    return last


def configured(names: tuple[str, ...], settings: dict[str, Any]) -> list[Any]:
    """The methods, each with those of the settings that it takes; one that none of them takes is misuse."""
    from seewhy.methods.making.method import lookup

    methods = [lookup(name) for name in names]
    taken = {key for method in methods for key in method.defaults}
    stray = {key: value for key, value in settings.items() if key not in taken}
    return [m.using(**stray, **{k: v for k, v in settings.items() if k in m.defaults}) for m in methods]


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


def predict(model: Any, photo: Any) -> Any:
    from seewhy.errors import InSpace
    from seewhy.maps.source import Predicted

    (batch,) = model.batches(photo)
    try:
        probabilities = model.answer(batch.x).probabilities
    except InSpace:
        return None
    return None if probabilities is None else Predicted.of(probabilities[0], model.labels)  # None of a regression, or units
