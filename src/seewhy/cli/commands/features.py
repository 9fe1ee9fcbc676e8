"""`seewhy features`: what a sparse autoencoder finds in a photo, and what a score takes from each feature.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path

import click

from seewhy.cli.failures import about
from seewhy.cli.filenames import called, joined
from seewhy.cli.folder import OutFolder, check_folder, make_folder
from seewhy.cli.options import OUT, SPEC, ModelOptions, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.targets import one_target
from seewhy.cli.writing import writer
from seewhy.printable import in_percent

from .listing import table


@click.command()
@SPEC
@click.argument("photo", metavar="PHOTO")
@model_options
@click.option(
    "--autoencoder", "-a", required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="Its weights (.safetensors, or tensors saved by torch.save), or the folder that they lie in.",
)  # fmt: skip
@click.option("--kind", type=click.Choice(["relu", "topk", "jumprelu"]), help="By default what the file says.")
@click.option("--k", type=click.IntRange(1), help="Of topk: how many features a place has; by default what the file says.")
@click.option(
    "--centred/--not-centred", default=None,
    help="Is the decoder's bias taken away from activations first?  By default what the file says.",
)  # fmt: skip
@click.option("--layer", "-l", help="Where it was trained; by default the last that still has space.")
@click.option("--target", "-t", default="top", show_default=True, help="As for explain; one.")
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many are told and drawn.")
@click.option(
    "--by", type=click.Choice(["contribution", "activation"]), default="contribution", show_default=True,
    help="Which: those that the score takes most from, or the strongest at a place.",
)  # fmt: skip
@OUT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def features(
    network: ModelOptions, photo: str, autoencoder: Path, kind: str | None, k: int | None, centred: bool | None,
    layer: str | None, target: str, count: int, by: str, out: Path, as_json: bool,
) -> None:  # fmt: skip
    """Draw the features that a sparse autoencoder of a layer finds in a photo, and rank them by what a score takes from each.

    \b
    seewhy features timm/vit_base_patch16_224 dog.jpg --autoencoder sae/ --layer blocks.8
    seewhy features nets.py:net dog.jpg -a sae.safetensors --kind topk --k 32 -l layer3 --by activation
    """
    from seewhy.api import features as ask
    from seewhy.api import load_autoencoder

    check_folder(out)
    coder = load_autoencoder(autoencoder, kind, k, centred, network.trust)
    model = network.load_warning()
    asked = one_target(target, model.labels, "features are ranked for one")
    about(photo)
    (found,) = ask(model, photo, coder, layer, asked, count, by)
    make_folder(out)
    folder, paths = OutFolder(out), list[Path]()
    for heatmap in found.maps:
        name = joined([called(Path(photo)), heatmap.source.method, found.layer])
        paths.append(folder.put(name, heatmap.source, {".png": writer(heatmap, legend=True)})[".png"])
    if as_json:
        say_json({**found.facts, "files": [str(path) for path in paths]})
    else:
        parts = found.parts
        say(f"{found.autoencoder} ({coder.kind}) at {found.layer}: {found.active} of {found.features} features, "
            f"{found.l0:.1f} a place; {in_percent(found.error)} of the variance is left out")  # fmt: skip
        say(f"{found.target}, score {found.score:.4g}: gradient times activations {found.total:+.4g}, of that by features "
            f"{parts['features']:+.4g}, bias {parts['bias']:+.4g}, left out {parts['error']:+.4g}")  # fmt: skip
        rows = [
            (str(u.feature), f"{u.contribution:+.4g}", f"{u.strongest:.3g}", f"{u.mean:.3g}", in_percent(u.places))
            for u in found.strongest
        ]
        table(("feature", "contribution to the score", "strongest", "mean", "of places"), rows)
        for note in found.notes:
            say(f"  ! {note}")
        if paths:
            say(f"-> {len(paths)} maps, such as {paths[0]}")
    for remark in folder.remarks():
        say(f"seewhy: {remark}", err=True)
