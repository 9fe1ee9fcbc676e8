"""`seewhy neighbours`: the photos in which a network saw what is most like what it saw in one.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.options import COUNT, FilePath
from seewhy.cli.printing import say, say_json

from .listing import table

if TYPE_CHECKING:
    from seewhy.inside.embeddings.embedding import Embedding


@click.command()
@click.argument("features", metavar="FEATURES")
@click.argument("photo", metavar="PHOTO")
@click.option("--count", "-n", type=COUNT, default=10, show_default=True, help="How many.")
@click.option("--metric", type=click.Choice(["cosine", "euclidean"]), default="cosine", show_default=True, help="Of vectors.")
@click.option("--weighted-by", metavar="METHOD", help="Of a run: by what it looked at, by this one of its methods.")
@click.option("--out", "-o", type=FilePath(), metavar="FILE.png", help="The photos side by side.")
@click.option("--trust", is_flag=True, help="For another photo, let code of a person's own model file run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def neighbours(
    features: str, photo: str, count: int, metric: str, weighted_by: str | None, out: Path | None, trust: bool, as_json: bool
) -> None:
    """List the photos in which the network saw what is most like what it saw in one.

    FEATURES is a file that `seewhy embed` wrote (.parquet, .npz), or the folder of a stored run.  PHOTO is one of its photos,
    by number or by the end of its path; or any other file, which the network that made the features is then asked about.

    \b
    seewhy neighbours map.parquet 17
    seewhy neighbours runs/x new.jpg -n 5 -o near.png
    """
    from seewhy.atomic import replacing
    from seewhy.errors import BadParameter

    if out is not None and out.suffix.lower() != ".png":
        raise BadParameter(f"--out {out}: the photos side by side are written as .png.")
    embedding = _embedding(features, weighted_by)
    asked: Any = int(photo) if photo.isdecimal() and photo not in embedding.photos.paths else photo
    model = None if embedding.photos.place(asked) is not None else _model(embedding, photo, trust)
    found = embedding.neighbours(asked, count, metric, model)
    if out is not None:
        picture = found.picture()
        with replacing(out, of="the neighbours") as beside:
            picture.save(beside)
    if as_json:
        say_json(found.facts)
    else:
        rows = [(str(one.number), f"{one.distance:.4g}", one.predicted, one.truth, one.path) for one in found]
        table(("photo", metric, "taken for", "is", ""), rows)
    if out is not None:
        say(f"-> {out}", err=as_json)


def _embedding(features: str, weighted_by: str | None) -> "Embedding":
    """Of a file or of a run."""
    from seewhy.dataset.dataset_run import open_run
    from seewhy.dataset.run_embedding import of_run
    from seewhy.errors import BadParameter
    from seewhy.inside.embeddings.embedding import Embedding

    path = Path(features)
    if path.is_dir():
        return of_run(open_run(path), None, weighted_by)
    if weighted_by is not None:
        raise BadParameter("--weighted-by is of a run; a file has the features that it has.")
    return Embedding.load(path)


def _model(embedding: "Embedding", photo: str, trust: bool) -> Any:
    """The network that made the features, loaded again as they say.  Raises BadParameter where the photo is no file."""
    from seewhy.errors import BadParameter
    from seewhy.maps.source import MapFacts, MethodFacts, TargetFacts, source_from
    from seewhy.printable import quoted
    from seewhy.remaking.remade import model_of

    if not Path(photo).is_file():
        raise BadParameter(
            f"{quoted(photo)} is none of the {len(embedding)} photos, nor a file: give the number of a photo, the end of its "
            "path, or another photo."
        )
    facts = embedding.facts
    source = source_from(
        model=facts.model, method=MethodFacts("", {}, ""), target=TargetFacts("", ""), predicted=None,
        this=MapFacts(photo, facts.layer, 0.0, "plain"),
    )  # fmt: skip
    return model_of(source, trust)
