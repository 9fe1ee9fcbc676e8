"""What the library says in Python's words, the command line says in its own."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import seewhy
from seewhy.cli.wording import OPTIONS, spoken

SAID = {
    "All 1000 labels: model.labels.": "All 1000 labels: `seewhy labels MODEL`.",
    "give its index, or wrap(labels=...).": "give its index, or --labels FILE.",
    "Give labels: wrap(labels=...), on the command line --labels-a FILE.": "Give labels: --labels-a FILE.",
    "All names: model.layers(), or `seewhy layers MODEL`.": "All names: `seewhy layers MODEL`.",
    "layer='conv': a layer is asked for by its name; model.layers() lists them.": (
        "--layer 'conv': a layer is asked for by its name; `seewhy layers MODEL` lists them."
    ),
    "name one: layer=...": "name one: --layer ...",
    "Ask for several layers: layer=['layer3', 'layer4'].": "Ask for several layers: --layer layer3 --layer layer4.",
    "ask for target=Unit(layer, channel).": "ask for --target unit:LAYER:CHANNEL.",
    'Explain one of them: target="region:cat".': "Explain one of them: --target region:cat.",
    "nothing is left after ReLU (signed=True shows it)": "nothing is left after ReLU (--set signed=true shows it)",
    "Lower batch_size= (--batch-size), explain by tiles (tile=, --tile).": "Lower --batch-size, explain by tiles (--tile).",
    "or, if you trust who made it, trust=True (--trust).": "or, if you trust who made it, --trust.",
    "load(..., options={'gradients': True}) (--option gradients=true) gives them.": "--option gradients=true gives them.",
    "It takes 24 x 32: prepare={'size': (24, 32)} (--prepare 'size=(24, 32)').": "It takes 24 x 32: --prepare 'size=(24, 32)'.",
    "Where both could be: options={'layout': 'nchw'}.": "Where both could be: --option layout='nchw'.",
    "Where are the scores: wrap(output='logits'), or output=0.": "Where are the scores: --output logits, or --output 0.",
    "seewhy.read_volume(path, most=900), on the command line --max-voxels 900.": "--max-voxels 900.",
    'Ask for Text("a dog", against=["a cat"]), or Similar(to=photo)': (
        "Ask for --target 'text:a dog|a cat', or --target similar:PHOTO"
    ),
    'ask for the group: AnyOf("cat")': "ask for the group: --target any:cat",
    "query=(120, 80) shows one": "--query 120,80 shows one",
    "occlusion: stride=9 is longer than the window 4.": "occlusion: --set stride=9 is longer than the window 4.",
}
PYTHON = {  # what has no option stays as it is, and so does what stands in the brackets of a call
    "leave dtype= and tokenizer= out", "wrap(output=lambda out: out.mean((2, 3)))",
    "give wrap(network, inputs=(seewhy.IMAGE,))",
    "give its mean and std: --prepare mean=0.5 --prepare std=0.5", "a == b", "photo.jpg?x=1", "url: http://h/p?layer=1",
}  # fmt: skip


@pytest.mark.parametrize("message", SAID)
def test_arguments_are_options(message):
    assert spoken(message) == SAID[message]
    assert spoken(SAID[message]) == SAID[message]


@pytest.mark.parametrize("message", sorted(PYTHON))
def test_what_has_no_option_stays(message):
    assert spoken(message) == message


@cache
def messages():
    """(file, text) of the texts in the library's code that are sentences, with an X where something is put in."""
    return list(texts())


def texts():
    for path in sorted(Path(seewhy.__file__).parent.rglob("*.py")):
        if path.parts[-2] in ("cli", "commands", "testing", "exporting"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield path, "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value:
                yield path, node.value


def test_no_message_of_the_library_names_an_argument_that_is_an_option():
    """But within calls, which are Python's."""
    left = {}
    for path, message in messages():
        said, before = spoken(message), ""
        while said != before:  # without calls, from the innermost brackets outwards
            before, said = said, re.sub(r"\w\([^()]*\)?", "", re.sub(r"(?<!\w)\(([^()]*)\)", r" \1 ", said))
        words = re.findall(r"(?<![\w.'\"`?&-])([a-z_]+)=(?!=)", said)
        if " " in message and {*words} & {*OPTIONS} - {"trust", "head"}:
            left[path.name] = message
    assert left == {}
    assert not [message for _, message in messages() if re.search(r"model\.(labels|layers\(\))", spoken(message))]
