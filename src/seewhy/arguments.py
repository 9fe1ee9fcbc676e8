"""Arguments that a function does not take: which of its own was meant, or where an argument of that name belongs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from .errors import BadParameter, closest
from .printable import quoted

P = ParamSpec("P")
T = TypeVar("T")
Home = Callable[[str, str, Any], str]  # a name, its value as it was written, the methods asked for -> how it is given; or ""
HOMES: list[Home] = []  # each room that is asked by name adds its own
ELSEWHERE = {  # what other libraries call it
    **dict.fromkeys(("class_index", "class_idx", "target_class", "target_category", "targets"), "target"),
    **dict.fromkeys(("target_layer", "target_layers", "layers", "layer_name"), "layer"),
    **dict.fromkeys(("class_names", "categories"), "labels"),
    **dict.fromkeys(("cmap", "colormap", "colors"), "colours"),
    "method": "methods",
}
PREPARED = ("size", "crop", "mean", "std")  # of the dict that wrap(prepare=) takes


def at_home(names: Iterable[str], words: str) -> None:
    """Tell that arguments of these names are given as `words` have it, in which {} stands for name=value."""
    own = frozenset(names)
    HOMES.append(lambda name, value, _methods: words.format(f"{name}={value}") if name in own else "")


def no_such(what: str, name: str, value: Any, own: Iterable[str], methods: Any = None, takes: str = "") -> BadParameter:
    """The error for an argument that `what` has not, whose own are these: with the place where it belongs, or the nearest."""
    written, near = quoted(value, 40), closest(name, [*own])
    meant = ELSEWHERE.get(name, name)
    if meant in own:
        return BadParameter(f"{what} has no parameter {quoted(name)}. It is called {meant}: {meant}={written}.")
    places = [words for home in HOMES if (words := home(meant, written, methods))]
    if name in PREPARED and not places:
        places = [f"wrap(network, prepare={{{name!r}: {written}}})"]
    hint = f" It is given as {', or as '.join(places)}." if places else f" Closest: {', '.join(near)}." if near else ""
    return BadParameter(f"{what} has no parameter {quoted(name)}. It takes {takes or ', '.join(own) or 'none'}.{hint}")


def known_names(asked: str = "") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator: an argument whose name the function does not know raises BadParameter, which says where it belongs.

    asked: under which name the function takes methods, of which one may have that parameter.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        code = function.__code__  # its signature would take a hundred times as long, at the start of every program
        known = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]

        @wraps(function)
        def checked(*args: P.args, **given: P.kwargs) -> T:
            for name in given:
                if name not in known:
                    own = [each for each in known if each != "self"]
                    methods = _given(function, asked, args, given) if asked else None
                    raise no_such(function.__qualname__, name, given[name], own, methods)
            return function(*args, **given)

        return checked

    return decorate


def _given(function: Callable[..., Any], name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What a call gave for the parameter of that name, or its default."""
    parameters = signature(function).parameters
    place = [*parameters].index(name)
    return options.get(name, args[place] if len(args) > place else parameters[name].default)
