"""`seewhy labels`: the classes of a network, by index and name.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from shlex import quote

import click

from seewhy.cli.options import SPEC, ModelOptions, model_options
from seewhy.cli.printing import LABEL, printable, say, say_json


@click.command()
@SPEC
@click.argument("word", required=False)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a class.")
def labels(network: ModelOptions, word: str | None, as_json: bool) -> None:
    """List a model's classes: index, wnid (WordNet's number, where it is known) and label; with WORD, those whose names hold it
    as a whole word, which --target any:WORD explains together.

    Without --weights an untrained network is asked: nothing is fetched.

    \b
    seewhy labels torchvision/resnet50 cat
    seewhy explain cat.jpg --model torchvision/resnet50 --target "tiger cat" --target any:cat
    """
    from seewhy.errors import BadParameter
    from seewhy.targets.class_names import wnids
    from seewhy.targets.group import AnyOf

    names = network.untrained().load().labels
    if not names:
        raise BadParameter(f"{network.spec} has no labels: its classes are asked for by index. Name them: --labels FILE.")
    asked = AnyOf(word).known(names).classes if word is not None else range(len(names))
    known = wnids(names)
    if as_json:
        for index in asked:
            say_json({"index": index, "wnid": known[index], "label": names[index]})
        return
    width = len(str(len(names) - 1))
    for index in asked:
        wnid = f"{known[index]}  " if known[index] else ""
        say(f"{index:>{width}}  {wnid}{printable(names[index], LABEL)}")
    if word is not None:
        together = "explains it" if len(asked) == 1 else f"explains these {len(asked)} together"
        say(f"--target {quote(f'any:{word}')} {together}.")
