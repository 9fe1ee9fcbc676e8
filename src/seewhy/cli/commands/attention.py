"""`seewhy attention`: where a transformer's heads look, as they are."""

from pathlib import Path
from typing import Any

import click

from seewhy.cli.failing import about
from seewhy.cli.naming import called, joined
from seewhy.cli.options import OUT, complete_models, literal, load_model, model_options, wrapped
from seewhy.cli.saying import say, say_json
from seewhy.cli.shelf import Shelf, check_folder, errand, make_folder, print_of
from seewhy.cli.writing import NUMBERS, writer


@click.command()
@click.argument("photo", metavar="PHOTO")
@click.option("--model", "-m", "spec", required=True, metavar="SPEC", shell_complete=complete_models, help="As for explain.")
@model_options
@click.option("--layer", "-l", "layers", multiple=True, help="An attention, or the block around it; repeatable; else all.")
@click.option("--head", default="mean", show_default=True, help="Its number from 0 on, mean, or all.")
@click.option(
    "--query",
    "-q",
    default="class",
    show_default=True,
    metavar="Y,X",
    help="Whose row: the patch at this pixel, a token's number, or class: what the network's head reads.",
)
@OUT
@click.option("--values", is_flag=True, help="Also write the numbers, as .npz.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a map.")
def attention(
    photo: str, spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, layers: tuple[str, ...],
    head: str, query: str, out: Path, values: bool, as_json: bool,
) -> None:  # fmt: skip
    """Draw the attention weights of a transformer's layers and heads, for one query.

    \b
    seewhy attention dog.jpg --model timm/vit_base_patch16_224 --layer blocks.11 --head all
    seewhy attention dog.jpg --model timm/vit_base_patch16_224 --query 120,80
    """
    from seewhy.api import attention as ask

    check_folder(out)
    model = load_model(spec, weights, labels, options, prepare, device)
    about(photo)
    maps = ask(model, photo, [*layers] or None, None if head.lower() == "all" else literal(head), literal(query))
    make_folder(out)
    shelf, own = Shelf(out, errand(spec, options, prepare, *wrapped())), print_of(photo)
    for heatmap in maps:
        source = heatmap.source
        parts = [called(Path(source.image)), "attention", source.layer, f"head-{source.params['head']}", source.target]
        writers = {".png": writer(heatmap, legend=True), **({NUMBERS: writer(heatmap)} if values else {})}
        path = shelf.put(joined(parts), source, own, writers)[".png"]
        if as_json:
            say_json({"file": str(path), "box": list(heatmap.box), **source.facts})
            continue
        beside = source.measured["dropped"]
        say(f"{source.layer}  {source.method}, query {source.target}, {beside:.1%} to tokens of no place  -> {path}")
    if not as_json:
        for warning in dict.fromkeys(said for heatmap in maps for said in heatmap.warnings):
            say(f"  ! {warning}")
    for remark in shelf.remarks():
        say(f"seewhy: {remark}", err=True)
