"""What a comparison says in words: which methods to trust, which to avoid and why, how sure that is, what settles a tie."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from seewhy.metrics.regional.chance import enough_photos
from seewhy.objects.shift import PARTED
from seewhy.printable import in_percent

from .checking import BLIND, LEARNED, ROUGH, UNSTEADY
from .criteria import CRITERIA
from .ranking import CONTROLS, MethodRank, Values, first_share, ranked

Advised = Literal["trust", "behind", "care", "avoid", "unknown", "control"]
Rankings = Mapping[str, tuple[MethodRank, ...]]  # by the criterion
DECIDING = "deletion"


class MethodVerdict(NamedTuple):
    """What a comparison says of one method.

    status: "trust" (it stood what decides, and no other is known to be better), "behind" (it stood it, and another is better),
    "care" (it stood it, with doubts), "avoid", "unknown" (too few photos, or nothing that decides could be counted),
    "control"; why: in words, the most important first; of one to be trusted what that does not rest on.
    """

    method: str
    status: Advised
    why: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method}: {self.status}" + (f" ({'; '.join(self.why)})" if self.why else "")


def verdicts(
    values: Mapping[str, Values], rankings: Rankings, methods: Sequence[str], seed: int = 0
) -> tuple[MethodVerdict, ...]:
    """What is to be said of each method: to be avoided where hiding what it marks is no better than by a random map, or
    where it does not change with the head; of the others the best by deletion, and those tied with it, are to be trusted.
    """
    by_name = {name: {row.method: row for row in rows} for name, rows in rankings.items()}
    own = [method for method in methods if method not in CONTROLS]
    fails = {method: failings(by_name, method) for method in own}
    open_ = {method: unknown(by_name, method) for method in own}
    left = [method for method in own if not fails[method] and not open_[method]]
    among = {row.method: row for row in ranked({m: values[DECIDING][m] for m in left}, "higher", seed)} if left else {}
    found = list[MethodVerdict]()
    for method in methods:
        doubts = doubtful(by_name, method)
        if method in CONTROLS:
            found.append(MethodVerdict(method, "control", ()))
        elif fails[method]:
            found.append(MethodVerdict(method, "avoid", (*fails[method], *doubts)))
        elif open_[method]:
            found.append(MethodVerdict(method, "unknown", (*open_[method], *doubts)))
        elif doubts:
            found.append(MethodVerdict(method, "care", (*doubts, *_behind(among[method]))))
        else:
            behind = _behind(among[method])
            found.append(MethodVerdict(method, "behind" if behind else "trust", behind or _head_alone(by_name, method)))
    return tuple(found)


def failings(by_name: Mapping[str, Mapping[str, MethodRank]], method: str) -> tuple[str, ...]:
    """Why a method is to be avoided: the criteria that decide, where it fails them; () where it does not."""
    why = list[str]()
    if (row := by_name.get("head", {}).get(method)) and row.mean >= BLIND:
        why.append(
            f"with the last layer's weights drawn anew its maps keep a rank correlation of {row.mean:.2f} "
            f"({row.low:.2f} to {row.high:.2f}): they do not depend on what the classifier learned"
        )
    row = by_name.get(DECIDING, {}).get(method)
    ahead = row and row.to_random
    if ahead and ahead.low <= 0 and not unknown(by_name, method):
        worse = "less than" if ahead.high < 0 else "no more than can be told from"
        why.append(
            f"hiding what it marks takes {worse} what hiding by a random map takes (a difference of {ahead.mean:+.3f}, "
            f"{ahead.low:+.3f} to {ahead.high:+.3f})"
        )
    return tuple(why)


def unknown(by_name: Mapping[str, Mapping[str, MethodRank]], method: str) -> tuple[str, ...]:
    """Why it cannot be told whether a method is ahead of a random map: () where it can."""
    row = by_name.get(DECIDING, {}).get(method)
    if row is None or row.to_random is None:
        return ("no photo tells whether hiding what it marks takes more than hiding by a random map",)
    ahead, tests = row.to_random, sum(each.to_random is not None for each in by_name[DECIDING].values())
    if ahead.settled or (enough_photos([ahead.photos] * tests).all() and ahead.low <= 0):
        return ()
    more = f"; about {ahead.further:,} more photos like these would settle it" if ahead.further else ""
    photos = "1 photo is" if ahead.photos == 1 else f"{ahead.photos} photos are"
    return (f"{photos} too few to tell {'a method' if tests == 1 else f'{tests} methods'} from a random map{more}",)


def like_centre(by_name: Mapping[str, Mapping[str, MethodRank]], method: str) -> str:
    """That hiding what a method marks is not known to take more than hiding the middle of the photo; "" where it is."""
    row = by_name.get(DECIDING, {}).get(method)
    ahead = row and row.to_centre
    if not ahead or (ahead.settled and ahead.mean > 0):
        return ""
    worse = "less than" if ahead.settled else "no more than can be told from"
    more = f"; about {ahead.further:,} more photos like these would settle it" if ahead.further else ""
    return (
        f"hiding what it marks takes {worse} what hiding the middle of the photo takes (a difference of {ahead.mean:+.3f}, "
        f"{ahead.low:+.3f} to {ahead.high:+.3f}, p {ahead.p:.2g}{more})"
    )


def _head_alone(by_name: Mapping[str, Mapping[str, MethodRank]], method: str) -> tuple[str, ...]:
    """What is to be said of a method that is trusted though deletion does not tell it from the middle; () where it does."""
    centre = like_centre(by_name, method)
    if not centre:
        return ()
    kept = by_name["head"][method].mean
    return (f"{centre}; what speaks for it is that its maps keep a rank correlation of {kept:.2f} when the head is drawn anew",)


def doubtful(by_name: Mapping[str, Mapping[str, MethodRank]], method: str) -> tuple[str, ...]:
    """What speaks against a method without ruling it out."""
    means = {name: rows[method].mean for name, rows in by_name.items() if method in rows}
    row = by_name.get(DECIDING, {}).get(method)
    why = list[str]()
    if row and row.to_centre and ("head" not in means or (row.to_centre.settled and row.to_centre.mean < 0)):
        why += filter(None, [like_centre(by_name, method)])
    if LEARNED < means.get("head", 0.0) < BLIND:
        why.append(f"with the head drawn anew its maps keep a rank correlation of {means['head']:.2f}")
    if means.get("stability", 1.0) < UNSTEADY:
        why.append(f"under changes that nobody would mind its maps keep a rank correlation of {means['stability']:.2f} only")
    if means.get("disagreement", 0.0) >= PARTED:
        why.append(f"HiResCAM has {in_percent(means['disagreement'], 0)} of the evidence elsewhere")
    if means.get("completeness", 0.0) >= ROUGH:
        why.append(f"its maps miss what they promise to sum up to by {in_percent(means['completeness'], 0)}")
    return tuple(why)


def _behind(row: MethodRank) -> tuple[str, ...]:
    """By how much the best by deletion is ahead of a method; () where it is not told from it."""
    if row.to_best is None or not row.to_best.settled:
        return ()
    by = row.to_best
    return (f"hiding what it marks takes {-by.mean:.3f} less ({-by.high:.3f} to {-by.low:.3f}) than what the best marks",)


def sentences(
    model: str, layer: str, photos: int, found: Sequence[MethodVerdict], values: Mapping[str, Values], rankings: Rankings,
    seed: int = 0,
) -> tuple[str, ...]:  # fmt: skip
    """The comparison in words: what to trust, how sure that is, what would settle ties, what to avoid and why."""
    of = {status: [each for each in found if each.status == status] for status in Advised.__args__}
    at = f" at {layer}" if layer else ""
    head = f"For {model}{at}, by {photos} photo{'s' * (photos != 1)}:"
    trusted, lines = [each.method for each in of["trust"]], list[str]()
    if trusted:
        seconds = {row.method: row.mean for row in rankings.get("seconds", ())}
        quickest = min(trusted, key=lambda method: seconds.get(method, float("inf")))
        tie = f" (not told apart; {quickest} is the quickest)" if len(trusted) > 1 else ""
        lines.append(f"{head} trust {_and(trusted)}{tie}.")
        lines += _not_by_deletion(of["trust"], rankings)
        lines += _how_sure(trusted, of, values, seed)
        lines += _ties(trusted, values, seed)
    elif of["care"]:
        lines.append(f"{head} no method stood everything; read {_and([each.method for each in of['care']])} with care.")
    elif of["avoid"] and not of["unknown"]:
        lines.append(f"{head} trust none of these methods.")
    else:
        lines.append(f"{head} nothing can be said yet.")
    for status, verb in (("care", "Read with care:"), ("behind", "Behind:"), ("avoid", "Avoid"), ("unknown", "Not known:")):
        lines += [f"{verb} {each.method}: {'; '.join(each.why)}." for each in of[status]]
    lines += [f"Not counted: {CRITERIA[name].name}." for name in ("head", DECIDING) if not rankings.get(name)]
    return tuple(lines)


def _not_by_deletion(trusted: Sequence[MethodVerdict], rankings: Rankings) -> list[str]:
    """What the trust in these does not rest on: deletion, where it does not tell them from the middle of the photo."""
    of = {row.method: row.to_centre for row in rankings.get(DECIDING, ())}
    gaps = {each.method: gap for each in trusted if each.why and (gap := of[each.method])}
    if not gaps:
        return []
    told = ", ".join(f"{gap.mean:+.3f} (p {gap.p:.2g})" for gap in gaps.values())
    return [
        f"Not by deletion: {_and([*gaps])} cannot be told there from the middle of the photo, which knows nothing of the "
        f"network: a difference of {told}. That trust rests on the head alone: the maps change when its weights are drawn "
        "anew. Photos whose objects lie elsewhere would tell more."
    ]


def _how_sure(
    trusted: Sequence[str], of: Mapping[str, Sequence[MethodVerdict]], values: Mapping[str, Values], seed: int
) -> list[str]:
    others = [each.method for status in ("behind", "care") for each in of[status]]
    if not others:
        return ["How sure: no other method stood what decides, so there is none that it could lose against."]
    stood = {method: values[DECIDING][method] for method in (*trusted, *others)}
    share = first_share(stood, "higher", tuple(trusted), seed)
    what = "it is" if len(trusted) == 1 else "one of these is"
    return (
        [] if share is None else [f"How sure: {what} the best by deletion in {in_percent(share)} of resampled sets of photos."]
    )


def _ties(trusted: Sequence[str], values: Mapping[str, Values], seed: int) -> list[str]:
    """What would settle which of the trusted is best by deletion."""
    rows = ranked({method: values[DECIDING][method] for method in trusted}, "higher", seed)
    best, said = rows[0].method, list[str]()
    for row in rows[1:]:
        if row.to_best is None:
            continue
        if row.to_best.further is not None:
            more = f"about {row.to_best.further:,} more photos like these would settle it"
        elif row.to_best.low == row.to_best.high == 0:
            more = "their numbers are the same on every photo, so no number of photos would"
        else:
            more = "no feasible number of photos would"
        said.append(f"Tied by deletion: {best} and {row.method}; {more}.")
    return said


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
