"""The networks of `seewhy explain`: one, or several side by side, each with what is asked of it.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import wraps
from typing import Any, NamedTuple

import click

from seewhy.printable import quoted

from .failures import about
from .options import MODEL_OPTIONS, OF_EACH, ModelOptions, complete_models
from .printing import printable
from .targets import parse_target
from .truth import TRUTH, TruthAsked


class Asked(NamedTuple):
    """A network, and what is asked of it."""

    name: str  # which tells it from the others
    model: Any
    files: list[str]
    targets: list[Any]
    truth: TruthAsked


def several_models(words: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds --model, which may be repeated, and all that is said of networks; the command gets a list of `networks`.

    words: the help of --model.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def packed(*arguments: Any, **given: Any) -> None:
            specs = given.pop("specs")
            own = {name: _of_each(name, given.pop(name), len(specs)) for name in OF_EACH}
            common = {field.name: given.pop(field.name) for field in fields(ModelOptions) if field.name not in ("spec", *own)}
            networks = [
                ModelOptions(spec, **{name: values[place] for name, values in own.items()}, **common)
                for place, spec in enumerate(specs)
            ]
            if twice := [network.spec for place, network in enumerate(networks) if network in networks[:place]]:
                raise click.UsageError(f"The model {quoted(twice[0])} is named twice, with the same weights and labels.")
            networks[0].raise_bounds()
            command(*arguments, networks=networks, **given)

        for option in reversed(MODEL_OPTIONS):
            option(packed)
        for name, said in reversed(OF_EACH.items()):
            each = f"{said} Repeatable, once for each --model in their order." if name == "weights" else f"{said} Repeatable."
            click.option(f"--{name}", metavar="FILE", multiple=True, help=each)(packed)
        kind = {"required": True, "multiple": True, "metavar": "SPEC", "shell_complete": complete_models}
        return click.option("--model", "-m", "specs", **kind, help=words)(packed)

    return decorate


def _of_each(name: str, values: tuple[str, ...], count: int) -> list[str | None]:
    """What is said of each of the models: one value of all, or one of each, in their order; an empty one says nothing."""
    if len(values) not in (0, 1, count):
        raise click.UsageError(
            f"--{name} is given {len(values)} times for {count} model{'s' * (count != 1)}: give it once, for all of them, or "
            'once for each --model, in the same order ("" for its own).'
        )
    return [value or None for value in values * (count if len(values) == 1 else 1)] or [None] * count


def loaded(networks: list[ModelOptions], files: list[str], options: Any) -> list[Asked]:
    """The networks, each with its photos, targets and truth, in which its own labels count.

    options: of `seewhy explain`.
    """
    from seewhy.prepare.clip_fit import ClipFit

    every, words = list[Asked](), [text for text in options.targets or ("top",) if text != TRUTH]
    truths = [
        TruthAsked.read(options.truth, options.boxes, options.masks, options.targets, usual=not options.targets)
        for _ in networks
    ]
    for network, truth in zip(networks, truths, strict=True):
        model: Any = network.load(scores=options.scores, batch_size=options.batch_size)
        clips = isinstance(model.prepare, ClipFit)  # a folder of frames is one clip
        photos = [*dict.fromkeys(options.photos)] if clips else files
        about(network.spec if len(networks) > 1 else None)
        truth.match(photos, model.labels)
        targets = [target for text in words for target in parse_target(text, model.labels)]
        about(None)
        every.append(Asked(_name(model.name, network, networks), model, photos, targets, truth))
    names = [asked.name for asked in every]  # a file of a person's own may give all its networks one
    return [
        asked if names.count(asked.name) == 1 else asked._replace(name=_name(network.spec, network, networks))
        for asked, network in zip(every, networks, strict=True)
    ]


def _name(name: str, network: ModelOptions, networks: list[ModelOptions]) -> str:
    """The name of a model; where it is asked for with several weights, or labels, with these."""
    alike = [other for other in networks if other.spec == network.spec]
    if len({other.weights for other in alike}) > 1:
        return f"{name} {network.weights or 'as it is'}"
    return f"{name} {network.labels or 'as it is'}" if len(alike) > 1 else name


def of_other_classes(every: list[Asked], targets: tuple[str, ...]) -> Iterator[str]:
    """A remark on each index that is asked for, and stands for other classes in other models."""
    for text in targets:
        if (text := text.strip()).isdecimal():
            labels = [asked.model.labels or () for asked in every]
            names = [known[int(text)] if int(text) < len(known) else "nothing that has a name" for known in labels]
            if len({*names}) > 1:
                said = "; ".join(f"{printable(name, 100)} in {asked.name}" for name, asked in zip(names, every, strict=True))
                yield f"class {text} is not the same in all models: {said}"
