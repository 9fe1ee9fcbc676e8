"""Methods that are composed of other methods: their descriptions, and what they take over from their parts."""

from collections.abc import Mapping, Sequence
from typing import Any

from seewhy.errors import BadParameter
from seewhy.explaining.recipe import Parameter

from .conditions import Conditions, Forwards, MethodSettings, Obstacle
from .method import Method


def repeated(
    base: Method[Any], name: str, run: Any, parameters: Mapping[str, Parameter], said: str, source: str, times: str,
    forwards: Forwards, caveat: str = "",
) -> Method[Any]:  # fmt: skip
    """The method that runs the base several times, in the base's own units."""
    return Method(
        f"{name}({base.name})", run, {**base.parameters, **parameters}, base.reads, False,
        composed(said, source, base, caveat=caveat), base.params, pixels=base.pixels, layered=base.layered,
        passes=f"{times} x ({base.wording}), and 1 forward",
        needs=base.needs, counted=forwards, obstacle=of_any([base]), averages=base.averages, moves=base.moves,
    )  # fmt: skip


def of_copies(base: Method[Any], settings: MethodSettings, copies: Sequence[Conditions], beside: int = 0) -> int | None:
    """How many forwards the base takes on changed copies of the image, with the settings that it takes; None where it depends.

    beside: of each copy, for something else.  A method that asks for the scores of variants counts these alone: what each copy
    itself gives comes to it.  Others count all that enters, so that what the untouched image gives is added to it.
    """
    method = fitting(base, settings)
    counts = [count for where in copies if (count := method.forwards(where)) is not None]
    if len(counts) < len(copies):
        return None
    return sum(counts) + len(copies) * (beside + method.asks) + (not method.asks)


def of_any(parts: list[Method]) -> Obstacle:
    """The first obstacle that one of the methods has."""

    def obstacle(settings: MethodSettings, conditions: Conditions) -> str:
        each = ((fitting(part, settings), part.obstacle) for part in parts)
        return next((why for part, of in each if of and (why := of(part.settings, conditions))), "")

    return obstacle


def composed(said: str, source: str, *parts: Method, caveat: str = "") -> str:
    """The docstring of a method made of parts; source, caveat: its own, in front of theirs."""
    sources = " ".join(filter(None, (source, *(f"{part.name}: {part.source}" for part in parts))))
    caveats = " ".join(filter(None, (caveat, *(f"{part.name}: {part.caveat}" for part in parts))))
    return f"{said}.\n\nSource: {sources}\n\nCaveat: {caveats}"


def unused(base: Method, *names: str) -> None:
    if taken := [name for name in names if name in base.defaults]:
        raise BadParameter(
            f"{base.name} has {', '.join(taken)} of its own already: ask for more of these; it cannot be wrapped once more."
        )


def fitting(base: Method, params: Mapping[str, Any]) -> Method:
    """The base method with those of the parameters that it takes."""
    return base.using(**{key: value for key, value in params.items() if key in base.defaults})
