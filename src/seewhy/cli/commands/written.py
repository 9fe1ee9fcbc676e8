"""`seewhy written`: what a vision-language model writes about a photo, and where image tokens alone speak for its words.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.cli.failures import about
from seewhy.cli.filenames import called, joined
from seewhy.cli.folder import OutFolder, check_folder, make_folder
from seewhy.cli.options import OUT, SPEC, ModelOptions, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.writing import NUMBERS, writer
from seewhy.printable import in_percent

from .listing import table

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap
    from seewhy.targets.written import WrittenText


@click.command()
@SPEC
@click.argument("photo", metavar="PHOTO")
@model_options
@click.option(
    "--token", "-t", "tokens", multiple=True, help="Draw the token activation map of this word, or number; repeatable."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Draw tokens by the network's own settings; else the likeliest."
)
@click.option("--longest", type=click.IntRange(1, 4096), default=64, show_default=True, help="Tokens at most.")
@OUT
@click.option("--values", is_flag=True, help="Also write the numbers of maps, as .npz.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def written(
    network: ModelOptions, photo: str, tokens: tuple[str, ...], seed: int | None, longest: int, out: Path, values: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write what a vision-language model says about a photo, token by token; each is a --target of `seewhy explain`.

    \b
    seewhy written vlm.py:model dog.jpg
    seewhy written vlm.py:model dog.jpg --token dog --token 3 -o maps
    seewhy explain dog.jpg --model vlm.py:model --target token:dog
    """
    from seewhy.api import Token, token_activation
    from seewhy.api import written as write

    asked = [Token(int(word) if word.isascii() and word.isdigit() else word, seed, longest) for word in tokens]
    if asked:
        check_folder(out)
    model = network.load_warning()
    about(photo)
    (text,) = write(model, photo, seed, longest)
    maps = token_activation(model, photo, asked) if asked else ()
    if not as_json:
        say(text.text)
        marks = [(str(i), token.strip(), in_percent(chance)) for i, (token, chance) in enumerate(_rows(text))]
        table(("token", "text", "probability"), marks)
    if asked:
        make_folder(out)
    folder = OutFolder(out)
    facts = [_drawn(heatmap, photo, folder, values, as_json) for heatmap in maps]
    if as_json:
        say_json({"image": photo, "model": model.name, **_facts(text), "maps": facts})
    for remark in folder.remarks():
        say(f"seewhy: {remark}", err=True)


def _rows(text: "WrittenText") -> list[tuple[str, float]]:
    return [*zip(text.tokens, map(float, text.chances), strict=True)]


def _facts(text: "WrittenText") -> dict[str, Any]:
    rows = zip(_rows(text), text.ids, text.marks, strict=True)
    tokens = [{"token": token, "probability": chance, "id": i, "mark": mark} for (token, chance), i, mark in rows]
    return {"text": text.text, "tokens": tokens, **text.how._asdict()}


def _drawn(heatmap: "Heatmap", photo: str, folder: OutFolder, values: bool, as_json: bool) -> dict[str, Any]:
    """Write the files of one map, and say so."""
    source = heatmap.source
    writers = {".png": writer(heatmap, legend=True), **({NUMBERS: writer(heatmap)} if values else {})}
    path = folder.put(joined([called(Path(photo)), "token-activation", source.target]), source, writers)[".png"]
    if not as_json:
        say(f"{source.caption}  -> {path}")
        for warning in heatmap.warnings:
            say(f"  ! {warning}")
    return {"file": str(path), "box": list(heatmap.box), **source.facts}
