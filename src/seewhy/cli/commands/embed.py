"""`seewhy embed`: the map of a set of photos, by what a network saw in each.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.options import COUNT, SPEC, FilePath, ModelOptions, complete_methods, model_options
from seewhy.cli.printing import say, say_json

from .doctor import filled

if TYPE_CHECKING:
    from seewhy.inside.embeddings.embedding import Embedding

TABLES, PAGES, PICTURE = (".parquet", ".npz"), (".html", ".htm"), ".png"
HOWS = ("t-sne", "opentsne", "umap", "pca")
TOLD = 5  # photos without features, said by name


@dataclass(frozen=True)
class EmbedOptions:
    """What a person asks of `seewhy embed`, but for what is said of the network."""

    data: str | None
    outs: tuple[Path, ...]
    layer: str | None
    weighted_by: str | None
    pooling: str
    how: str
    perplexity: float | None
    neighbours: int | None
    metric: str
    colour: str | None
    seed: int
    truth: str | None
    root: str | None
    batch_size: int | None
    as_json: bool


@click.command()
@SPEC
@click.argument("data", required=False)
@model_options
@click.option(
    "--out", "-o", "outs", multiple=True, required=True, type=FilePath(), metavar="FILE",
    help="map.html, a page to look around in; map.png, a picture; map.parquet or .npz, the features; repeatable.",
)  # fmt: skip
@click.option("--layer", "-l", help="Where features are read; by default the last layer that still has space.")
@click.option(
    "--weighted-by", metavar="METHOD", shell_complete=complete_methods,
    help="Weigh each place of the layer by this method's map: what the network looked at.",
)  # fmt: skip
@click.option("--pooling", type=click.Choice(["mean", "max", "flat"]), default="mean", show_default=True, help="Over space.")
@click.option("--how", type=click.Choice(HOWS), default="t-sne", show_default=True, help="By which photos are laid out.")
@click.option("--perplexity", type=click.FloatRange(1), help="Of t-SNE: about how many neighbours count; by default 30.")
@click.option("--neighbours", type=click.IntRange(2), help="Of UMAP; by default 15.")
@click.option("--metric", type=click.Choice(["cosine", "euclidean"]), default="cosine", show_default=True, help="What is near.")
@click.option("--colour", metavar="NAME", help="Of the picture: truth, prediction, error, confidence, or a number of the run.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the layout.")
@click.option("--truth", metavar="FILE|folders|none", help="What the photos show, as for `seewhy run`.")
@click.option("--root", metavar="FOLDER", help="Where the paths in a table begin, as for `seewhy run`.")
@click.option("--batch-size", type=COUNT, help="Photos per pass at most; less memory.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def embed(network: ModelOptions, **options: Any) -> None:
    """Lay out a set of photos so that those in which the network saw alike lie next to each other.

    SPEC is a network and DATA a set of photos, as for `seewhy run`; or SPEC alone is the folder of a stored run, or a file of
    features that was written before: then no network runs.

    \b
    seewhy embed torchvision/resnet50 photos/ -o map.html -o map.parquet
    seewhy embed timm/resnet18 labels.csv -o map.png --colour error --weighted-by grad-cam
    seewhy embed runs/x -o map.html
    """
    run(network, EmbedOptions(**options))


def run(network: ModelOptions, options: EmbedOptions) -> None:
    """Everything that the command does."""
    from seewhy.errors import BadParameter
    from seewhy.progress import noted, stoppable

    for path in options.outs:
        if path.suffix.lower() not in (*TABLES, *PAGES, PICTURE):
            raise BadParameter(f"--out {path}: a map is written as .html or .png, its features as .parquet or .npz.")
    with stoppable(lambda: say("seewhy: ending with the photos that are done; Ctrl-C again ends at once.", err=True)) as stop:
        embedding = _embedding(network, options)
        stopped = stop.is_set()
    tables = [path for path in options.outs if path.suffix.lower() in TABLES]
    for path in tables:
        embedding.save(path)  # before it is laid out, which takes a while and may be interrupted
    projection = None
    if len(tables) < len(options.outs) or len(embedding) > 1:
        noted(f"seewhy: laying out {len(embedding):,} photos")
        projection = _projection(embedding, options, needed=len(tables) < len(options.outs))
    for path in options.outs:
        for written in _write(path, embedding, projection, options.colour):
            say(f"-> {written}", err=options.as_json)
    _tell(embedding, projection, options.as_json)
    if stopped:
        raise SystemExit(130)
    if embedding.left_out:
        raise SystemExit(1)


def _embedding(network: ModelOptions, options: EmbedOptions) -> "Embedding":
    """Of a network and photos, of a run, or of a file."""
    from seewhy.dataset.dataset_run import open_run
    from seewhy.dataset.info import FILE
    from seewhy.dataset.run_embedding import embed as ask
    from seewhy.errors import BadParameter
    from seewhy.inside.embeddings.embedding import Embedding

    there = Path(network.spec)
    if options.data is not None:
        model = network.load_warning(batch_size=options.batch_size)
        return ask(
            model, options.data, options.layer, options.weighted_by, options.pooling, truth=options.truth, root=options.root
        )
    if there.suffix.lower() in TABLES and there.is_file():
        asked = [name for name, value in (("--layer", options.layer), ("--weighted-by", options.weighted_by)) if value]
        if asked or options.pooling != "mean":
            raise BadParameter(
                f"{' '.join(asked) or '--pooling'}: {there} has the features that it has. Embed the photos again."
            )
        return Embedding.load(there)
    if (there / FILE).is_file():
        return ask(open_run(there), None, options.layer, options.weighted_by, options.pooling)
    raise click.UsageError(
        f"Say which photos: seewhy embed {network.spec} DATA -o map.html. (Alone, SPEC is the folder of a run, or a file of "
        "features.)"
    )


def _projection(embedding: "Embedding", options: EmbedOptions, needed: bool) -> Any:
    """The layout; of tables alone, which it only adds x and y to, None where there is none."""
    from seewhy.errors import MissingExtra, Misuse

    try:
        return embedding.project(options.how, options.seed, options.perplexity, options.metric, options.neighbours)
    except (Misuse, MissingExtra) as error:
        if needed:
            raise
        say(f"seewhy: without places x and y: {error}", err=True)
        return None


def _write(path: Path, embedding: "Embedding", projection: Any, colour: str | None) -> list[Path]:
    if path.suffix.lower() in TABLES:
        return [embedding.save(path, projection)]
    if path.suffix.lower() == PICTURE:
        return [projection.save(path, colour)]
    from seewhy.report.embedding_map.page import save_map

    return save_map(embedding, projection, path)


def _tell(embedding: "Embedding", projection: Any, as_json: bool) -> None:
    """Say what came of it."""
    if as_json:
        facts = {} if projection is None else projection.facts
        size = embedding.features.shape[1]
        left = [each._asdict() for each in embedding.left_out]
        say_json({**facts, "photos": len(embedding), "size": size, "features": embedding.facts.words, "left_out": left})
        return
    for remark in embedding.remarks:
        say(f"seewhy: {remark}", err=True)
    for left in embedding.left_out[:TOLD]:
        say(f"seewhy: left out: {left}", err=True)
    if len(embedding.left_out) > TOLD:
        say(f"seewhy: {len(embedding.left_out)} photos were left out; these are the first {TOLD}.", err=True)
    say(f"{len(embedding):,} photos, {embedding.features.shape[1]:,} numbers each: {embedding.facts.words}")
    for line in () if projection is None else projection.says:
        filled(line, rest="  ")
