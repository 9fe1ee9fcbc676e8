"""`seewhy concepts`: what a layer's activations on a set of photos are made of, and how much answers rest on each part.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from seewhy.cli.options import SPEC, FilePath, ModelOptions, model_options
from seewhy.cli.printing import LABEL, printable, say, say_json
from seewhy.cli.targets import parse_target
from seewhy.printable import in_percent

from .doctor import filled
from .listing import table

FORMS = (".html", ".htm", ".npz", ".png")


@dataclass(frozen=True)
class ConceptOptions:
    """What a person asks of `seewhy concepts`, but for what is said of the network."""

    data: str
    layer: str | None
    targets: tuple[str, ...]
    count: int
    crops: float | None
    samples: int
    most: int
    every: bool
    seed: int
    out: tuple[Path, ...]
    as_json: bool


@click.command()
@SPEC
@click.argument("data", metavar="DATA")
@model_options
@click.option("--layer", "-l", help="By default the last that still has space.")
@click.option(
    "--target", "-t", "targets", multiple=True,
    help="A class, as for explain; repeatable. Photos taken for other classes are left out. By default all photos, and "
    "the class that each is taken for.",
)  # fmt: skip
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many concepts.")
@click.option(
    "--crops", type=click.FloatRange(0.05, 1), metavar="SHARE",
    help="Factorise crops of that share of each side, such as 0.3 (CRAFT); by default the cells of the layer.",
)  # fmt: skip
@click.option(
    "--samples", type=click.IntRange(2, 100_000), default=32, show_default=True,
    help="Rows of the design of Sobol indices, each of count + 2 passes behind the layer, for each photo.",
)  # fmt: skip
@click.option("--most", type=click.IntRange(5, 100_000), default=300, show_default=True, help="Photos that are used at most.")
@click.option("--every", is_flag=True, help="With --target: use all photos, whatever they are taken for.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option(
    "--out", "-o", metavar="FILE", multiple=True, type=FilePath(),
    help="A page (.html), a picture (.png), or all numbers (.npz); repeatable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def concepts(network: ModelOptions, **options: Any) -> None:
    """What a layer's activations on a set of photos are made of: concepts, each with its typical crops, its maps, and how much
    answers rest on it.  DATA is a folder, a table, a ZIP, a pattern.

    \b
    seewhy concepts timm/resnet50 photos/ -o concepts.html
    seewhy concepts timm/resnet50 photos/ --target tench --crops 0.3 -n 8 -o concepts.html
    """
    run(network, ConceptOptions(**options))


def run(network: ModelOptions, options: ConceptOptions) -> None:
    """Everything that the command does."""
    from seewhy.api import concepts as ask
    from seewhy.errors import BadParameter
    from seewhy.inside.concepts.concept_file import save_concepts
    from seewhy.progress import stoppable

    if not options.out and not options.as_json:
        raise click.UsageError("Say where it goes: -o concepts.html (or --json for the numbers).")
    for path in options.out:
        if path.suffix.lower() not in FORMS:
            raise BadParameter(f"--out {printable(path, LABEL)}: concepts are written as .html, .png or .npz.")
    model = network.load_warning()
    targets = [each for text in options.targets for each in parse_target(text, model.labels)] or None
    with stoppable(lambda: say("seewhy: ending with what is done; Ctrl-C again ends at once.", err=True)) as stop:
        found = ask(
            model, options.data, options.layer, targets, options.count, options.crops, samples=options.samples,
            most=options.most, every=options.every, seed=options.seed,
        )  # fmt: skip
    for path in options.out:
        if path.suffix.lower() in (".html", ".htm"):
            from seewhy.report.concepts import save_page

            save_page(found, path)
        else:
            save_concepts(found, path, found.picture)
        say(f"-> {path}", err=options.as_json)
    if options.as_json:
        say_json(found.facts)
    else:
        tell(found)
    if stop.is_set():
        raise SystemExit(130)
    if found.failed:
        raise SystemExit(1)


def tell(found: Any) -> None:
    """The sentences, and a row for each concept."""
    from seewhy.inside.concepts.findings import spanned

    for line in found.says:
        filled(line, rest="  ")
    means = [each.mean(seed=found.settings.seed) for each in found.importances]
    rows = [
        (
            str(k + 1),
            in_percent(found.shares[k], 0),
            *(spanned(mean, k) for mean in means),
            *(f"{each.changed[k]} of {len(each.photos)}" for each in found.importances[:1]),
        )
        for k in range(len(found))
    ]
    importance = [f"Sobol index for {printable(each.words, 40)}" for each in found.importances]
    table(("concept", "share", *importance, *(["answers changed without it"] if importance else [])), rows)
