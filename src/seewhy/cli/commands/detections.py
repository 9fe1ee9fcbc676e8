"""`seewhy detections`: what a detector finds, each as a --target of `seewhy explain`."""

from dataclasses import asdict
from typing import Any

import click

from seewhy.cli.failing import about
from seewhy.cli.options import complete_models, load_model, model_options
from seewhy.cli.saying import say, say_json

from .listing import table


@click.command()
@click.argument("photo", metavar="PHOTO")
@click.option("--model", "-m", "spec", required=True, metavar="SPEC", shell_complete=complete_models, help="As for explain.")
@model_options
@click.option("--count", "-n", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a detection.")
def detections(
    photo: str, spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, count: int, as_json: bool
) -> None:  # fmt: skip
    """List what a detector finds in a photo, by falling score; each is a --target of `seewhy explain`.

    \b
    seewhy detections street.jpg --model torchvision/fasterrcnn_resnet50_fpn
    seewhy explain street.jpg --model torchvision/fasterrcnn_resnet50_fpn --target box:dog:0
    """
    from seewhy.api import detections as find

    model = load_model(spec, weights, labels, options, prepare, device)
    about(photo)
    (found,) = find(model, photo)
    if as_json:
        for one in found[:count]:
            say_json({**asdict(one), "target": one.target})
        return
    rows = [(one.target, f"{one.score:.3f}", " ".join(f"{edge:.0f}" for edge in one.box)) for one in found[:count]]
    table(("target", "score", "box (x0 y0 x1 y1)"), rows)
    if len(found) > count:
        say(f"... and {len(found) - count} weaker ones: --count shows more.")
