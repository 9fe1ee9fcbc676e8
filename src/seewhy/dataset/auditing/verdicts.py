"""The verdict on each class, and on the whole, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seewhy.metrics.regional.search import FEWEST

from .suspects import Suspicion

ORDER = ("shortcut", "follows", "suspect", "data", "clear", "few")
WORDS = {
    "shortcut": "rests on a shortcut",
    "follows": "follows something that may be the object",
    "suspect": "is suspect",
    "data": "is given away by its data",
    "clear": "nothing was found",
    "few": "too few photos to tell",
}


@dataclass(frozen=True)
class ClassVerdict:
    """What came of a class: its photos, the verdict, and all that is suspected of it, the worst first."""

    explained: str
    photos: int
    verdict: str
    suspicions: tuple[Suspicion, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        return {
            "class": self.explained, "photos": self.photos, "verdict": self.verdict, "says": str(self),
            "suspicions": [each.facts for each in self.suspicions],
        }  # fmt: skip

    def __str__(self) -> str:
        count = f"{self.photos} photo{'s' * (self.photos != 1)}"
        told = ". ".join(_capital(str(each)) for each in self.suspicions)
        return f"{self.explained} ({count}): {WORDS[self.verdict]}" + (f". {told}." if told else ".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def class_verdicts(classes: Mapping[str, int], suspicions: Sequence[Suspicion]) -> tuple[ClassVerdict, ...]:
    """The verdicts, the worst first.  classes: of how many photos; suspicions of classes that are none are of all together."""
    found = list[ClassVerdict]()
    for name in dict.fromkeys([*classes, *(each.explained for each in suspicions)]):
        own = sorted((each for each in suspicions if each.explained == name), key=lambda each: ORDER.index(each.verdict))
        count = classes.get(name, sum(classes.values()))
        verdict = own[0].verdict if own else "few" if count < FEWEST else "clear"
        found.append(ClassVerdict(name, count, verdict, tuple(own)))
    return tuple(sorted(found, key=lambda each: (ORDER.index(each.verdict), each.explained)))


def whole_verdict(verdicts: Sequence[ClassVerdict], photos: int) -> str:
    """One sentence on the whole."""
    said = [f"{WORDS[kind]}: {', '.join(of[:5])}{', ...' * (len(of) > 5)}"
            for kind in ORDER[:4] if (of := [each.explained for each in verdicts if each.verdict == kind])]  # fmt: skip
    count = f"{len(verdicts)} class{'es' * (len(verdicts) != 1)} on {photos} photos"
    few = sum(each.verdict == "few" for each in verdicts)
    rest = f"; {few} have too few photos to tell" if few else ""
    if not said:
        if few == len(verdicts):
            return f"Of {count} none has enough photos to tell: {FEWEST} are needed, beside as many of other classes."
        return f"No shortcut was found in {count}{rest}."
    return f"Of {count}: {'; '.join(said)}{rest}."
