"""`seewhy export`: a model and a method as one file that gives scores and maps.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path

import click

from seewhy.cli.options import SPEC, FilePath, KeyValue, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.targets import one_target


@click.command()
@SPEC
@click.argument("photos", metavar="[PHOTO]...", nargs=-1)
@model_options
@click.option("--method", "-M", default="recipro-cam", show_default=True, shell_complete=complete_methods,
              help="recipro-cam, anywhere; cam, grad-cam and the like behind a pooled head; eigen-cam.")  # fmt: skip
@click.option("--layer", "-l", help="By default the one that the method explains.")
@click.option(
    "--target", "-t", default="top", show_default=True, help="top, each image's own class; or a LABEL or INDEX for all."
)
@click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of the method: signed=true; repeatable.")
@click.option("--out", "-o", type=FilePath(), required=True, help="FILE.onnx or FILE.pt2.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def export(
    network: ModelOptions, photos: tuple[str, ...], method: str, layer: str | None, target: str,
    settings: tuple[tuple[str, object], ...], out: Path, as_json: bool,
) -> None:  # fmt: skip
    """Write a model that explains itself: a graph of images -> scores and maps, for production without seewhy.

    The file is run before it takes its name, on the PHOTOs or on drawn images, and kept only where its scores and maps are the
    library's up to rounding.

    \b
    seewhy export torchvision/resnet50 dog.jpg --method grad-cam -o explained.onnx
    seewhy export timm/vit_tiny_patch16_224 --method recipro-cam --target 207 -o golden.pt2
    """
    from seewhy.api import export as write
    from seewhy.methods.making.method import lookup

    model = network.load_warning()
    asked = one_target(target, model.labels, "a graph explains one")
    done = write(model, out, lookup(method, dict(settings)), layer, asked, [*photos] or None)
    if as_json:
        say_json(done.facts)
        return
    for line in str(done).splitlines():
        say(line)
