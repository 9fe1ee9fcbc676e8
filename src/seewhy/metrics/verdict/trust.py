"""How far one map can be trusted: the checks that can be made on it, and one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from seewhy.arguments import known_names
from seewhy.errors import BadParameter, NoSuchName, SeewhyError, closest
from seewhy.explaining.ask import LayerNames
from seewhy.images.inputs import Images
from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.source import layer_words
from seewhy.methods.making.method import Method, explain
from seewhy.metrics.checks import Check, Status
from seewhy.models.model import Model
from seewhy.printable import printable
from seewhy.progress import shown
from seewhy.targets.aim import Aim
from seewhy.targets.parse import Targets, as_targets
from seewhy.targets.target import PerImage, Top

from .checking import CHECKS

DECISIVE = ("deletion", "head")  # a map that fails one of these does not show what the network rests on


@dataclass(frozen=True, eq=False)
class Trust:
    """How far one map can be trusted.

    heatmap: the map; checks: what came of each; status: "green" (it stood every check that could be made), "amber" (doubts),
    "red" (it failed one that decides), "grey" (no check that decides could be made); says: why, in one sentence.
    """

    heatmap: Heatmap
    checks: tuple[Check, ...]
    seconds: float

    @property
    def status(self) -> Status:
        known = {check.name: check.status for check in self.checks if check.status not in ("grey", "none")}
        if any(known.get(name) == "red" for name in DECISIVE):
            return "red"
        if not any(name in known for name in DECISIVE):
            return "grey"
        return "green" if {*known.values()} == {"green"} else "amber"

    @property
    def says(self) -> str:
        """The verdict in one sentence."""
        source, names = self.heatmap.source, {status: self._named(status) for status in ("green", "amber", "red", "grey")}
        what = f"this {source.method} map" + (f" at {layer_words(source.layer)}" if source.layer != "input" else "")
        unknown = f"; not known: {names['grey']}" if names["grey"] else ""
        if self.status == "green":
            return f"Trust {what} as far as it was checked: it stood {names['green']}{unknown}."
        if self.status == "red":
            return f"Do not trust {what}: it failed {names['red']}{unknown}."
        if self.status == "grey":
            return f"Nothing can be said of {what}: neither check that decides was made ({' and '.join(DECISIVE)})."
        doubts = ", ".join(
            filter(None, [names["red"] and f"it failed {names['red']}", names["amber"] and f"{names['amber']} in doubt"])
        )
        return f"Read {what} with care: {doubts}{unknown}."

    def _named(self, status: str) -> str:
        return ", ".join(check.name for check in self.checks if check.status == status)

    def __str__(self) -> str:
        return "\n".join([printable(self.heatmap.source.caption), *map(str, self.checks), self.says])

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        source = self.heatmap.source
        return {
            "image": source.image, "model": source.model, "method": source.method, "layer": source.layer,
            "target": source.target, "label": source.label, "status": self.status, "says": self.says,
            "checks": [check.facts for check in self.checks], "seconds": self.seconds,
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)


@known_names("method")
def trust(
    model: Model, image: Images, method: str | Method[Any] = "grad-cam", target: Targets = Top(), layer: LayerNames = None,
    checks: Sequence[str] = (), seed: int = 0,
) -> Trust:  # fmt: skip
    """How far a map of one image can be trusted, by the checks that can be made on it, and a verdict in one sentence.

    model, image, target, layer: as for `seewhy.explain`, of one map.
    method: a name, or a Method with its settings.
    checks: some of "head" (the map changes when the last layer forgets), "deletion" (hiding what it marks takes more from the
        answer than hiding as much elsewhere), "disagreement" (of Grad-CAM with HiResCAM), "stability" (it stays where nothing
        that matters changed), "completeness" (it sums up to what it promises); () for all.
    seed: of all that is drawn.
    Green, amber or red each; grey where it could not be found out, and none where it does not apply to this map, with the
    reason.  The verdict is red where "deletion" or
    "head" is, amber where any check is not green, and says nothing (grey) where neither of these two could be made.
    Takes about 200 forwards, 9 passes of the method for "stability", and three copies of the head.
    Raises BadParameter where more than one map is asked for, NoSuchName for an unknown check.
    """
    for name in checks:
        if name not in CHECKS:
            raise NoSuchName("check", name, closest(str(name), [*CHECKS]), f"There are: {', '.join(CHECKS)}.")
    start = perf_counter()
    maps = explain(model, image, [method], target, layer)
    if len(maps) != 1:
        raise BadParameter(f"trust judges one map, and {len(maps)} were asked for: one image, target and layer at a time.")
    heatmap = maps[0]
    chosen = [*checks] or [*CHECKS]
    (asked,) = (each.of(0) if isinstance(each, PerImage) else each for each in as_targets(target, model.labels))
    aim = asked if isinstance(asked, Aim) else None  # whose text may leave out a mask or an image
    made = [_made(name, model, image, heatmap, seed, aim) for name in shown(chosen, len(chosen), "checking")]
    return Trust(heatmap, tuple(made), perf_counter() - start)


def _made(name: str, model: Model, image: Images, heatmap: Heatmap, seed: int, aim: Any) -> Check:
    """The outcome of one check; grey, with the reason, where it cannot be made."""
    measured = name in ("disagreement", "completeness")  # with the map
    seeded = {} if measured else {"seed": seed}
    try:
        return CHECKS[name](model, image, heatmap, **seeded, **({} if measured else {"target": aim}))
    except SeewhyError as error:
        return Check(name, "grey", str(error), settings=seeded)
