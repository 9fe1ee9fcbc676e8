"""`seewhy`: explain photos from the command line.  Nothing heavy is imported before it is needed."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__

if TYPE_CHECKING:
    from .heatmap import Heatmap
    from .image import Photo
    from .models import Differentiable

FAMILIES = ("demo/honest", "demo/shortcut", "demo/flat", "torchvision/", "timm/")
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


class Cli(click.Group):
    """One line per error: exit code 2 for misuse, 1 for failure, a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        from .errors import Misuse, SeewhyError

        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            click.echo("seewhy: interrupted; what was written stays.", err=True)
            ctx.exit(130)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            known = isinstance(error, SeewhyError | MemoryError | OSError)
            said = str(error) if known else f"{type(error).__name__}: {error} (seewhy --debug ... shows where)"
            click.echo(f"seewhy: {' '.join(said.split())}", err=True)
            ctx.exit(2 if isinstance(error, Misuse) else 1)


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seewhy")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Why did the image model say that, here?

    \b
    seewhy demo                                       does it look at the object, or does it cheat?
    seewhy explain cat.jpg --model torchvision/resnet50
    """


class KeyValue(click.ParamType):
    """k=v, v a Python literal or a string."""

    name = "k=v"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is not of the form name=value.", param, ctx)
        return key.strip(), literal(text.strip())


def literal(text: str) -> Any:
    from ast import literal_eval

    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def complete_methods(_ctx: Any, _param: Any, start: str) -> list[str]:
    from .api import METHODS

    return [name for name in METHODS if name.startswith(start)]


def complete_models(_ctx: Any, _param: Any, start: str) -> list[str]:
    return [spec for spec in FAMILIES if spec.startswith(start)]


def model_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--weights", metavar="FILE", help=".safetensors or a state dict; else the pretrained ones."),
            click.option("--labels", metavar="FILE", help="Names of the classes, one a line or JSON; else the weights' own."),
            click.option("--option", "options", type=KeyValue(), multiple=True, help="For the network's constructor."),
            click.option("--prepare", type=KeyValue(), multiple=True,
                         help="Preprocessing: size=256 crop=224 mean=0.5 std=0.5; repeatable; else that of the weights."),
            click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def load_model(spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, **more: Any) -> "Differentiable":
    from .api import load
    from .errors import BadParameter
    from .prepare import Fit, preparer

    model: Any = load(spec, weights, labels, dict(options), device=device, **more)
    if prepare:
        if not isinstance(model.prepare, Fit):
            model.prepare = preparer(dict(prepare))
        elif unknown := set(dict(prepare)) - set(Fit.__dataclass_fields__):
            raise BadParameter(f"--prepare has no {', '.join(unknown)}. It takes: {', '.join(Fit.__dataclass_fields__)}.")
        else:
            model.prepare = replace(model.prepare, **dict(prepare))
    return model


@main.command()
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
    from .api import explain as ask
    from .errors import Misuse, SeewhyError

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
                one(read_photo(file))
            except Misuse:
                raise
            except (SeewhyError, MemoryError) as error:
                failed.append(str(file))
                click.echo(f"seewhy: {error}", err=True)
    if failed:
        click.echo(f"seewhy: {len(failed)} of {len(files)} photos failed: {', '.join(failed)}", err=True)
        raise SystemExit(1)


def read_photo(file: str) -> "Photo":
    from .image import read

    return read(file)


def expanded(photo: str) -> list[str]:
    """A folder stands for the pictures in it."""
    from .errors import BadParameter

    if not Path(photo).is_dir():
        return [photo]
    inside = sorted(str(p) for p in Path(photo).iterdir() if p.suffix.lower() in SUFFIXES)
    if not inside:
        raise BadParameter(f"The folder {photo} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    return inside


def configured(names: tuple[str, ...], settings: dict[str, Any]) -> list[Any]:
    """The methods, each with those of the settings that it takes; one that none of them takes is misuse."""
    from .method import lookup

    methods = [lookup(name) for name in names]
    taken = {key for method in methods for key in method.defaults}
    stray = {key: value for key, value in settings.items() if key not in taken}
    return [m.using(**stray, **{k: v for k, v in settings.items() if k in m.defaults}) for m in methods]


def parse_target(text: str, labels: Any) -> list[Any]:
    from .api import Contrast, Top
    from .target import as_targets

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
    from .target import is_index

    text = text.strip()
    return int(text) if is_index(text) else text


def predict(model: Any, photo: "Photo") -> Any:
    from .heatmap import Predicted
    from .target import name_of

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
    click.echo(f"{name}: {said}, {predicted.probability:.1%}")
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
        click.echo(json.dumps({"file": str(path), "box": list(heatmap.box), **facts}, ensure_ascii=False))


def progress(files: list[str]) -> Any:
    """A bar on stderr for several photos, nothing where stderr is no terminal."""
    return click.progressbar(files, label="explaining", file=sys.stderr, hidden=len(files) < 4 or not sys.stderr.isatty())


@main.command()
@click.argument("spec", metavar="SPEC", shell_complete=complete_models)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a layer.")
def layers(spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, as_json: bool) -> None:
    """List a model's layers: name, kind, output shape (channels, height, width); * marks the default."""
    model = load_model(spec, weights, labels, options, prepare, device)
    found = model.layers()
    if as_json:
        for name, layer in found.items():
            click.echo(json.dumps({"name": name, **layer._asdict()}))
        return
    rows = [(name, layer.kind, "x".join(map(str, layer.shape)), remark(layer)) for name, layer in found.items()]
    table(("layer", "kind", "shape", ""), rows)


def remark(layer: Any) -> str:
    remarks = ["* default"] if layer.default else []
    remarks += [f"runs {layer.calls} times"] if layer.calls > 1 else []
    remarks += [] if layer.connected else ["not connected to the scores"]
    return ", ".join(remarks)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a method.")
def methods(as_json: bool) -> None:
    """List the methods: what they read, their cost in passes, their paper, and what is known against them."""
    from .api import METHODS

    for name, method in METHODS.items():
        facts = {"name": name, "formula": method.formula, "reads": method.reads, "cost": method.cost, "source": method.source,
                 "caveat": method.caveat, "parameters": dict(method.defaults)}  # fmt: skip
        if as_json:
            click.echo(json.dumps(facts))
            continue
        click.secho(name, bold=True)
        click.echo(f"  {method.formula}")
        click.echo(f"  reads {method.reads}; costs {method.cost}")
        click.echo(f"  parameters: {', '.join(f'{k}={v}' for k, v in method.defaults.items()) or 'none'}")
        click.echo(f"  source: {method.source}")
        if method.caveat:
            click.echo(f"  caveat: {method.caveat}")


@main.command()
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("seewhy-demo"),
    show_default=True,
    help="Folder for index.html and demo.jpg.",
)
def demo(out: Path) -> None:  # fmt: skip
    """Does it look at the object, or does it cheat?  Two embedded networks on scenes whose answer is known."""
    from .demo.show import CHEAT, show

    findings, page = show(out)
    fooled = f"stamped others called {CHEAT}"
    head = ("network", "accuracy", f"{CHEAT}s known unstamped", fooled, f"evidence on {CHEAT}", "on stamp")
    rows = [(f.name, *(f"{x:.0%}" for x in (f.accuracy, f.unmarked, f.fooled, f.on_object, f.on_mark))) for f in findings]
    area = ("(area)", "", "", "", f"{findings[0].object_area:.0%}", f"{findings[0].mark_area:.0%}")
    table(head, [*rows, area])
    for finding in findings:
        click.echo(finding.verdict)
    click.echo(f"Look: {page}")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
