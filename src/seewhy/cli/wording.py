"""The library's messages in the words of the command line: what Python calls `labels=` is `--labels` there.

Messages are written for who calls the library. Where one names both (`tile=, --tile`), the command line's own words stay.
"""

import re
from functools import cache

# What stands for an argument of Python: the options of commands, by the argument's name
OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "labels", "prepare", "output", "device", "task", "grid", "geometry", "weights", "scores", "batch_size", "budget",
        "tile", "overlap", "trust", "layer", "target", "method", "methods", "query", "head", "truth", "boxes", "masks",
    )
} | {"alpha": "--alpha", "colours": "--colours", "methods": "--method", "options": "--option"}  # fmt: skip
TWICE = [  # an option and its argument, both named: the option stays
    (r"wrap\(\w+=\.\.\.\), on the command line (?=--)", ""),
    (r"seewhy\.read_volume\([^()]*\), on the command line (?=--)", ""),
    (r",? \(?on the command line,? (--[^()]*?)\)", r" (\1)"),
    (r"(?:wrap both with |load\([^()]*?|)\b\w+=(?:\"[\w-]+\"|\{[^{}]*\}|[\w.]*)\)? \((--(?:[^()]|\([^()]*\))+)\)", r"\1"),
    (r"load\([^()]*\)(?:,| or) (?=--)", ""),
    (r"\b\w+=[\w.]*, (?=--)", ""),
    (r"seewhy\.images\.volume\.MAX_VOXELS \(on the command line (--[\w-]+)\)", r"\1"),
    (r"model\.layers\(\), or (?=`seewhy layers)", ""),
    (r"(`seewhy layers[^`]*`) and model\.layers\(\) list all", r"\1 lists all"),
]
ONCE = [  # what Python alone names
    (r"wrap\(labels=\.\.\.\)", "--labels FILE"),
    (r"[Pp]ass wrap\(network, prepare=\.\.\.\): .*; on the command line, (?=--prepare)", "Give "),
    (r"wrap\(network, prepare=\{'orientation': 'LPS', \.\.\.\}\)", "--prepare orientation=LPS"),
    (r"\(channels=True takes", "(--prepare channels=true takes"),
    (r"\bsee Heatmap\.error\b", "see --picture error"),
    (r"read it as a seewhy\.Volume\(values, affine\)", "write them into its header"),
    (r"[Mm]end the header, or give a seewhy\.Volume\(values, affine\)", "Mend the header"),
    (r"wrap\(output=[\"']?([\w.-]+)[\"']?\)", r"--output \1"),
    (r"\bmodel\.labels\b", "`seewhy labels MODEL`"),
    (r"\bmodel\.layers\(\)", "`seewhy layers MODEL`"),
    (r"`?\bseewhy\.METHODS\b`? lists?", "`seewhy methods` lists"),
    (r"\bseewhy\.detections\(model, image\)", "`seewhy detections IMAGE --model MODEL`"),
    (r"\bseewhy\.load\([\"']([^\"']+)[\"']\)", r"--model \1"),
    (r"(?:target=)?\bUnit\(layer, channel\)", "--target unit:LAYER:CHANNEL"),
    (r"(?:target=)?\bRegion\(class, mask\)", "--target region:CLASS"),
    (r"(?:target=)?\bPoint\(y, x(?:, class)?\)", "--target point:Y,X"),
    (r"(?:target=)?\bAnyOf\([\"']([^\"']+)[\"']\)", r"--target any:\1"),
    (r"(?:target=)?\bTop\(rank\)", "--target top:RANK"),
    (r"(?:target=)?\bText\(\"([^\"]*)\", against=\[\"([^\"]*)\"\]\)", r"--target 'text:\1|\2'"),
    (r"(?:target=)?\bSimilar\(to=photo\)", "--target similar:PHOTO"),
    (r"\btarget=([\"'])([^\"']+)\1", r"--target \2"),
]


VALUE = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|\.\.\.|[^\s,;:()\[\]{}'"]*[\w/])?"""
ARGUMENT = re.compile(rf"(?<![\w.'\"`?&-])(?<!--set )(?<!--option )(?<!--prepare )([a-z_]+)=(?!=){VALUE}")


def spoken(words: str) -> str:
    """A message of the library, as the command line says it."""
    for pattern, said in TWICE + ONCE:
        words = re.sub(pattern, said, words)
    return ARGUMENT.sub(_option, words)


def _option(found: "re.Match[str]") -> str:
    """An argument of Python as an option: --layer NAME, or --set NAME=VALUE of a parameter that a method takes.

    What stands within the brackets of a call is Python, and stays so.
    """
    name, value, before = found[1], found[2] or "", found.string[: found.start()]
    if _in_call(before):
        return found[0]
    if name in OPTIONS:
        return " ".join(f"{OPTIONS[name]} {plain}".rstrip() for plain in _typed(value))
    return f"--set {name}={' '.join(_typed(value))}" if name in _parameters() else found[0]


def _in_call(before: str) -> bool:
    """Is a bracket open at the end of the text that stands right behind a name: that of a call?"""
    opened: list[bool] = []
    for place, letter in enumerate(before):
        if letter == "(":
            opened.append(place > 0 and (before[place - 1].isalnum() or before[place - 1] == "_"))
        elif letter == ")" and opened:
            opened.pop()
    return any(opened)


def _typed(value: str) -> list[str]:
    """A value of Python as it is typed on the command line; several of a list or a dict, which repeat the option."""
    if value.startswith("{"):
        return [f"{key}={word.strip()}" for key, word in re.findall(r"'(\w+)': ((?:\([^()]*\)|[^,()])+)", value[1:-1])] or [
            value
        ]
    if value.startswith("["):
        return [word.strip().strip("'\"") for word in value[1:-1].split(",")]
    if value.startswith("("):
        return [value[1:-1].replace(" ", "")]
    return [{"True": "true", "False": "false", "None": "none"}.get(value, value)]


@cache
def _parameters() -> frozenset[str]:
    """The names of all parameters that a method takes."""
    from seewhy.methods.making.method import METHODS  # here, so that the command line starts without the methods

    return frozenset(name for method in METHODS.values() for name in method.defaults) - {"dtype", "fast"}  # also of models
