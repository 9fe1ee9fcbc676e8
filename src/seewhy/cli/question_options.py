"""The options of commands that explain photos: what is asked of each, but for the method."""

from collections.abc import Callable

import click

from .options import COUNT, KeyValue

TARGET = (
    "top, top:3 (the three top classes), a LABEL, an INDEX, any:WORD (all classes with it), A-vs-B (A rather than B; "
    "A-vs-B:0.6 takes away less of B); unit:LAYER:CHANNEL (:sum, :Y,X); region:CLASS, point:Y,X, box:LABEL (:1, :X0,Y0,X1,Y1); "
    "text:A|B (A against B), similar:PHOTO; truth (of --truth); repeatable. Names with such signs stand in double quotes: "
    "docs/target_grammar.md."
)
ASKED = (
    click.option("--layer", "-l", "layers", multiple=True, help="Repeatable; by default the last that still has space."),
    click.option("--set", "settings", type=KeyValue(), multiple=True, help="A parameter of a method: signed=true; repeatable."),
    click.option("--budget", metavar="N|TIME", help="What a map may cost, of methods that ask for many scores: 2000, '10 s'."),
    click.option("--batch-size", type=COUNT, help="Copies per pass at most, of methods that make many; less memory."),
    click.option("--tile", type=COUNT, metavar="PIXELS", help="Explain larger images by overlapping tiles."),
    click.option(
        "--overlap", type=click.IntRange(0), metavar="PIXELS", help="Of tiles at least; by default half of what is seen."
    ),
    click.option("--scores", help="What is explained: logits (by default, of networks), log-probability, probability."),
)
RECURSIVE = click.option("--recursive", "-r", is_flag=True, help="Look into the folders inside of folders, too.")


def asked_of_photos(usual: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds --target, --layer, --set, --budget, --batch-size, --tile, --overlap and --scores.

    usual: what is explained where nobody names a target, in words.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(ASKED):
            command = option(command)
        return click.option("--target", "-t", "targets", multiple=True, show_default=usual, help=TARGET)(command)

    return decorate
