"""`seewhy detections`: what a detector finds, each as a --target of `seewhy explain`.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import asdict

import click

from seewhy.cli.failures import about
from seewhy.cli.options import ModelOptions, model_option, model_options
from seewhy.cli.printing import say, say_json

from .listing import table


@click.command()
@click.argument("photo", metavar="PHOTO")
@model_option()
@model_options
@click.option("--count", "-n", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a detection.")
def detections(network: ModelOptions, photo: str, count: int, as_json: bool) -> None:
    """List what a detector finds in a photo, by falling score; each is a --target of `seewhy explain`.

    \b
    seewhy detections street.jpg --model torchvision/fasterrcnn_resnet50_fpn
    seewhy explain street.jpg --model torchvision/fasterrcnn_resnet50_fpn --target box:dog:0
    """
    from seewhy.api import detections as find

    model = network.load_warning()
    about(photo)
    (detected,) = find(model, photo)
    if as_json:
        for detection in detected[:count]:
            say_json({**asdict(detection), "target": detection.target})
        return
    rows = [(d.target, f"{d.score:.3f}", " ".join(f"{edge:.0f}" for edge in d.box)) for d in detected[:count]]
    table(("target", "score", "box (x0 y0 x1 y1)"), rows)
    if len(detected) > count:
        say(f"... and {len(detected) - count} weaker ones: --count shows more.")
