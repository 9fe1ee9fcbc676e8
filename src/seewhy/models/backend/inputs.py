"""What a network beside torch is called with, and where in what it gives the scores are: `wrap(inputs=, output=)`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.settings import IMAGE, Fixed, Placeholder
from seewhy.printable import quoted
from seewhy.targets.target import PerImage

HOW = "Put seewhy.IMAGE where the images go: inputs={'image': seewhy.IMAGE, 'age': age}."


class Called(NamedTuple):
    """What a network is called with."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


Repeat = Callable[[Any, Any], Any]  # an array of one row, and the images -> as many rows as there are images


def for_each(row: Any, x: Any) -> Any:
    """A row for each image, of frameworks that know how many images there are."""
    return np.repeat(row, x.shape[0], 0)


def caller(inputs: Any, repeat: Repeat = for_each) -> Callable[[Any], Called]:
    """What makes of images x what a network is called with, by `wrap(inputs=)`: None, a keyword's name, a tuple, a dict, or a
    function of the images that returns such.

    Arrays of one row are repeated for each image; Fixed(value) and anything else are passed as they are.  Raises BadParameter
    for anything else, where seewhy.IMAGE is missing, and for PerImage, which torch networks alone take.
    """
    template = {inputs: IMAGE} if isinstance(inputs, str) else inputs
    if template is None:
        return lambda x: Called((x,), {})
    if not isinstance(template, Mapping | Sequence):
        if not callable(template):
            raise BadParameter(f"inputs={quoted(template)}: a keyword's name, a tuple, a dict or a function. {HOW}")
        return lambda x: _called(template(x), x, repeat)
    leaves = [*_leaves(template)]
    if not any(isinstance(leaf, Placeholder) for leaf in leaves):
        raise BadParameter(f"inputs= holds no seewhy.IMAGE, so the network would never see one. {HOW}")
    if any(isinstance(leaf, PerImage) for leaf in leaves):
        raise BadParameter(
            "inputs= holds PerImage, which torch networks alone take: wrap the network once for each image, with its own row."
        )
    return lambda x: _called(template, x, repeat)


def _leaves(template: Any) -> Any:
    if isinstance(template, Mapping | list | tuple):
        for each in template.values() if isinstance(template, Mapping) else template:
            yield from _leaves(each)
    else:
        yield template


def _called(template: Any, x: Any, repeat: Repeat) -> Called:
    given = _filled(template, x, repeat)
    if isinstance(given, Mapping):
        return Called((), given)
    return Called(tuple(given), {}) if isinstance(given, list | tuple) else Called((given,), {})


def _filled(template: Any, x: Any, repeat: Repeat) -> Any:
    if isinstance(template, Placeholder):
        return x
    if isinstance(template, Fixed):
        return template.value
    if isinstance(template, Mapping):
        return {key: _filled(each, x, repeat) for key, each in template.items()}
    if isinstance(template, list | tuple):
        return type(template)([_filled(each, x, repeat) for each in template])
    if isinstance(template, np.ndarray) and template.ndim and len(template) == 1:
        return repeat(template, x)
    return template


def picked(output: Any, where: Any, name: str) -> Any:
    """The scores in what a network gave, by `wrap(output=)`: a key, a field, a place, or a function of the output; by default
    the array itself, or the only one that there is.

    Raises BadNetwork where there are several, or none.
    """
    if callable(where):
        return where(output)
    if where is not None:
        try:
            return getattr(output, where) if isinstance(where, str) and hasattr(output, where) else output[where]
        except (KeyError, IndexError, TypeError) as error:
            raise BadNetwork(f"{name} gives nothing at output={quoted(where)}: {_told(output)}.") from error
    if hasattr(output, "shape"):
        return output
    inner = [*_leaves(output)]
    if len(inner) == 1 and hasattr(inner[0], "shape"):
        return inner[0]
    raise BadNetwork(f"{name} gives {_told(output)}. Say which are the scores: wrap(output='logits'), or output=0.")


def _told(output: Any) -> str:
    if isinstance(output, Mapping):
        return f"a dict of {', '.join(quoted(key) for key in [*output][:8])}"
    return f"{len(output)} things" if isinstance(output, list | tuple) else type(output).__name__
