"""`seewhy explain`: overlays into a folder, what was found to stdout."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import KeyValue, complete_methods, complete_models, load_model, model_options

if TYPE_CHECKING:
    from ..heatmap import Heatmap
    from ..image import Photo

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "--model",
    "-m",
    "spec",
    required=True,
    metavar="SPEC",
    shell_complete=complete_models,
    help="torchvision/NAME, timm/NAME or demo/NAME.",
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
    help="top, top:3 (the three top classes), a LABEL, an INDEX, or A-vs-B; repeatable.",
)
@click.option("--layer", "-l", "layers", multiple=True, help="Repeatable; by default the last that still has space.")
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of a method: signed=true; repeatable.")
@click.option("--scores", default="logits", show_default=True, help="What is explained: logits, log-probability, probability.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-out"),
    show_default=True,
    help="Folder for the overlays.",
)
@click.option("--colours", help="inferno, viridis, jet or blue-red; by default inferno, and blue-red for signed maps.")
@click.option("--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Opacity of the map.")
@click.option("--legend/--no-legend", default=True, show_default=True, help="Say below what it is and what the colours mean.")
@click.option("--values", is_flag=True, help="Also write the numbers, as .npz.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a map instead of text.")
def explain(
    photos: tuple[str, ...], spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any,
    methods: tuple[str, ...], targets: tuple[str, ...], layers: tuple[str, ...], settings: Any, scores: str, out: Path,
    colours: str | None, alpha: float, legend: bool, values: bool, as_json: bool,
) -> None:  # fmt: skip
    """Explain photos (or folders of them): write overlays, say what was predicted and what was explained.

    \b
    seewhy explain dog.jpg --model torchvision/resnet50 --method grad-cam --target top:2
    seewhy explain scans/ --model timm/resnet18 --weights mine.pth --labels names.txt --option num_classes=3
    """
    from ..api import explain as ask
    from ..api import read
    from ..errors import Misuse, SeewhyError

    files = [file for photo in photos for file in expanded(photo)]
    chosen = configured(methods, dict(settings))
    model = load_model(spec, weights, labels, options, prepare, device, scores=scores)
    asked = [target for text in targets for target in parse_target(text, model.labels)]
    out.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    taken: set[str] = set()
    look = {"alpha": alpha, "colours": colours, "legend": legend}

    def one(photo: "Photo") -> None:
        maps = ask(model, photo, chosen, asked, list(layers) or None)
        paths = []
        for heatmap in maps:
            path = out / f"{unique(stem(heatmap), taken)}.png"
            heatmap.save(path, **look)
            if values:
                heatmap.save(path.with_suffix(".npz"))
            paths.append(path)
        predicted = maps[0].source.predicted or predict(model, photo)
        (print_json if as_json else print_text)(photo.name, predicted, [*zip(maps, paths, strict=True)])

    with progress(files) as bar:
        for file in bar:
            try:
                one(read(file))
            except Misuse:
                raise
            except Exception as error:
                if click.get_current_context().find_root().params.get("debug"):
                    raise
                failed.append(file)
                known = isinstance(error, SeewhyError | MemoryError | OSError)
                click.echo(f"seewhy: {'' if known else f'{file}: {type(error).__name__}: '}{error}", err=True)
    if failed:
        click.echo(f"seewhy: {len(failed)} of {len(files)} photos failed: {', '.join(failed)}", err=True)
        raise SystemExit(1)


def expanded(photo: str) -> list[str]:
    """A folder stands for the pictures in it."""
    from ..errors import BadParameter

    if not Path(photo).is_dir():
        return [photo]
    inside = sorted(str(p) for p in Path(photo).iterdir() if p.suffix.lower() in SUFFIXES)
    if not inside:
        raise BadParameter(f"The folder {photo} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    return inside


def configured(names: tuple[str, ...], settings: dict[str, Any]) -> list[Any]:
    """The methods, each with those of the settings that it takes; one that none of them takes is misuse."""
    from ..method import lookup

    methods = [lookup(name) for name in names]
    taken = {key for method in methods for key in method.defaults}
    stray = {key: value for key, value in settings.items() if key not in taken}
    return [m.using(**stray, **{k: v for k, v in settings.items() if k in m.defaults}) for m in methods]


def parse_target(text: str, labels: Any) -> list[Any]:
    from ..api import Contrast, Top
    from ..target import as_targets

    head, _, count = text.partition(":")
    if head.lower() == "top":
        if count and not (count.isdigit() and int(count)):
            raise click.BadParameter(f"{text!r}: write top, or top:3 for the three top classes.", param_hint="--target")
        return [Top(rank + 1) for rank in range(int(count or 1))]
    known = {part.strip().lower() for label in labels or () for part in label.split(",")} | {s.lower() for s in labels or ()}
    if "-vs-" in text and text.lower() not in known:
        of, _, against = text.partition("-vs-")
        return as_targets(Contrast(number(of), [number(part) for part in against.split("+")]), labels)
    return as_targets(number(text), labels)


def number(text: str) -> int | str:
    from ..target import is_index

    text = text.strip()
    return int(text) if is_index(text) else text


def predict(model: Any, photo: "Photo") -> Any:
    from ..heatmap import Predicted
    from ..target import name_of

    (batch,) = model.batches(photo)
    probabilities = model.answer(batch.x).probabilities[0]
    top = int(probabilities.argmax())
    return Predicted(top, name_of(model.labels, top), float(probabilities[top]))


def stem(heatmap: "Heatmap") -> str:
    source = heatmap.source
    what = source.target if source.label is None or source.target == source.label else f"{source.target} {source.label}"
    parts = (Path(source.image).stem, what.split(",")[0], source.layer, source.method)
    return ".".join("-".join("".join(c if c.isalnum() or c in "_-#" else " " for c in part).split()) for part in parts)


def unique(name: str, taken: set[str]) -> str:
    candidate, i = name, 2
    while candidate.lower() in taken:
        candidate, i = f"{name}-{i}", i + 1
    taken.add(candidate.lower())
    return candidate


def print_text(name: str, predicted: Any, written: list[Any]) -> None:
    said = f"{predicted.label} ({predicted.index})" if predicted.label else f"class {predicted.index}"
    click.echo(f"{click.format_filename(name)}: {said}, {predicted.probability:.1%}")
    for heatmap, path in written:
        source = heatmap.source
        score = "" if source.score is None else f"  {source.scores.removesuffix('s')} {source.score:.2f}"
        chance = "" if source.probability is None else f", {source.probability:.1%}"
        what = source.target if source.label is None else f"{source.target}: {source.label}"
        click.echo(f"  {source.method:<18} {what}{score}{chance}  at {source.layer}  -> {path}")
        for warning in source.warnings:
            click.echo(f"    ! {warning}")


def print_json(name: str, predicted: Any, written: list[Any]) -> None:
    for heatmap, path in written:
        facts = json.loads(heatmap.source.to_json())
        facts["predicted"] = asdict(predicted)
        click.echo(json.dumps({"file": str(path), "box": list(heatmap.box), **facts}))


def progress(files: list[str]) -> Any:
    """A bar on stderr for several photos, nothing where stderr is no terminal."""
    return click.progressbar(files, label="explaining", file=sys.stderr, hidden=len(files) < 4 or not sys.stderr.isatty())
