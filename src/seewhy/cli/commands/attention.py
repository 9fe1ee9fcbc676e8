"""`seewhy attention`: where a transformer's heads look, as they are.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path

import click

from seewhy.cli.failures import about
from seewhy.cli.filenames import called, joined
from seewhy.cli.folder import OutFolder, check_folder, make_folder
from seewhy.cli.options import OUT, ModelOptions, literal, model_option, model_options
from seewhy.cli.printing import say, say_json
from seewhy.cli.sheet import free_file
from seewhy.cli.writing import NUMBERS, writer
from seewhy.printable import in_percent

SIDE = 110  # pixels of a map on the sheet


@click.command()
@click.argument("photo", metavar="PHOTO")
@model_option()
@model_options
@click.option("--layer", "-l", "layers", multiple=True, help="An attention, or the block around it; repeatable; else all.")
@click.option("--head", default="mean", show_default=True, help="Its number from 0 on, mean, or all.")
@click.option(
    "--query",
    "-q",
    default="class",
    show_default=True,
    metavar="Y,X",
    help="Whose row: the patch at this pixel, a token's number, box:LABEL of a detected object, token:WORD of what the model "
    "wrote, or class: what the network's head reads.",
)
@OUT
@click.option("--values", is_flag=True, help="Also write the numbers, as .npz.")
@click.option("--sheet", is_flag=True, help="Also draw all maps on one sheet, a row a layer, a column a head, on one scale.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a map.")
def attention(
    network: ModelOptions, photo: str, layers: tuple[str, ...], head: str, query: str, out: Path, values: bool, sheet: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Draw the attention weights of a transformer's layers and heads, for one query.

    \b
    seewhy attention dog.jpg --model timm/vit_base_patch16_224 --layer blocks.11 --head all
    seewhy attention dog.jpg --model timm/vit_base_patch16_224 --query 120,80
    seewhy attention dog.jpg --model timm/vit_base_patch16_224 --head all --sheet
    """
    from seewhy.api import attention as ask
    from seewhy.atomic import replacing
    from seewhy.maps.saving import sheet_png

    check_folder(out)
    model = network.load()
    about(photo)
    maps = ask(model, photo, [*layers] or None, None if head.lower() == "all" else literal(head), literal(query))
    make_folder(out)
    folder = OutFolder(out)
    for heatmap in maps:
        source = heatmap.source
        parts = [called(Path(source.image)), "attention", source.layer, f"head-{source.params['head']}", source.target]
        writers = {".png": writer(heatmap, legend=True), **({NUMBERS: writer(heatmap)} if values else {})}
        path = folder.put(joined(parts), source, writers)[".png"]
        if as_json:
            say_json({"file": str(path), "box": list(heatmap.box), **source.facts})
            continue
        beside = source.measured["dropped"]
        say(f"{source.layer}  {source.method}, query {source.target}, {in_percent(beside)} to tokens of no place  -> {path}")
    if not as_json:
        for warning in dict.fromkeys(said for heatmap in maps for said in heatmap.warnings):
            say(f"  ! {warning}")
    if sheet:
        path = free_file(out, f"{joined([called(Path(photo)), 'attention', 'sheet'])}.png")
        with replacing(path) as beside:
            beside.write_bytes(sheet_png(maps.grid("method", SIDE, len(maps), scale=(0.0, maps.scale()[1]), alpha=1)))
        say(f"all on one sheet  -> {path}", err=as_json)
    for remark in folder.remarks():
        say(f"seewhy: {remark}", err=True)
