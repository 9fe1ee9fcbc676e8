"""What was found of a run's failures, in sentences."""

from collections.abc import Iterator

from seewhy.metrics.regional.chance import LEVEL
from seewhy.printable import in_percent

from .analysis import FailureAnalysis
from .calibration import Calibration
from .grouping import FEWEST
from .groups import FailureGroup
from .hiding import HIDDEN, HiddenEvidence
from .naming import TraitDifference
from .reasons import PiledPlace

RIGHT, OTHERS = "those answered right", "the others"  # what photos are compared with


def says(found: FailureAnalysis) -> Iterator[str]:
    """The main points, a sentence or two each."""
    yield from how_right(found)
    if found.calibration is not None:
        yield how_calibrated(found.calibration)
    yield from in_common(found)
    yield from wrong_reason(found)
    yield from hiding(found)


def how_right(found: FailureAnalysis) -> Iterator[str]:
    """How many answers are right, and what is not known."""
    run = found.run
    if found.right is not None:
        yield f"{found.right} of the answers are right."
        if found.among_five is not None and found.among_five.part < found.among_five.of:
            yield f"The true class is among the five likeliest in {found.among_five}."
    if len(run.unjudged):
        one = len(run.unjudged) == 1
        many = f"No truth is known of the photo{'s' * (not one)}"
        many = many if found.right is None else f"Of {_photos(len(run.unjudged))} no truth is known"
        given = f"given with a probability of {in_percent(run.unjudged.mean(), 0)}"
        yield f"{many}: its answer is {given}." if one else f"{many}: their answers are {given} on average."
    if run.failed:
        yield f"{_photos(len(run.failed))} could not be explained: they are listed at the end."
    if run.copies:
        has, other = ("has" if count == 1 else "have" for count in (run.copies, run.contradicted))
        more = f"; of them {run.contradicted} {other} another label than it: look at both" if run.contradicted else ""
        yield f"{_photos(run.copies)} {has} the very file of another one, so intervals and p are surer than they may be{more}."
    if found.missing:
        yield f"The run is not finished: {found.missing:,} of {found.total:,} photos are still missing."
    if not run.count:
        yield "The run has no photos yet."


def how_calibrated(one: Calibration) -> str:
    """Whether probabilities can be trusted."""
    told = one.p <= LEVEL
    verdict = (
        "well calibrated, as far as so many photos tell" if not told
        else "too sure of itself" if one.over > 0 else "not as sure as it could be"
    )  # fmt: skip
    return (
        f"It is {verdict}: it gives its answers {in_percent(one.confidence, 0)} on average, and is right in "
        f"{in_percent(one.accuracy, 0)}. The expected calibration error is {in_percent(one.ece)} (95 % interval "
        f"{in_percent(one.low)} to {in_percent(one.high)}); a perfectly calibrated network would show "
        f"{in_percent(one.expected)} on as many photos ({chance(one.p)})."
    )


def in_common(found: FailureAnalysis) -> Iterator[str]:
    """What failures have in common, or where no truth is known the least sure answers."""
    groups, judged = found.groups, found.right is not None
    if not (found.run.wrong if judged else len(found.run.untold) >= 4 * FEWEST):
        return
    who, others = ("Photos that are answered wrong", RIGHT) if judged else ("The quarter with the least sure answers", OTHERS)
    if groups.all:
        differing = "; ".join(difference(one, others) for one in groups.all)
        yield f"{who} differ{'' if judged else 's'} from {others}: {differing}."
    else:
        yield f"{who} do{'' if judged else 'es'} not visibly differ from {others} in anything that was measured."
    if groups.groups:
        dearest, *further = groups.groups
        many = f"{1 + len(further)} groups" if further else "one group"
        yield (
            f"{'They' if judged else 'These'} fall into {many} that look alike to the network, "
            f"{apart(groups.silhouette or 0)}; the most costly: {group(dearest)}."
        )
    else:
        yield f"There are no groups of {'failures' if judged else 'unsure answers'} that look alike: {groups.why}."


def apart(silhouette: float) -> str:
    """How far groups are apart, in words.  Source: Kaufman & Rousseeuw 1990, Finding groups in data, table 4."""
    degrees = ((0.25, "hardly apart"), (0.5, "weakly apart"), (0.7, "well apart"), (2, "far apart"))
    return next(words for most, words in degrees if silhouette <= most)


def group(one: FailureGroup) -> str:
    """A group in words."""
    named = f"{one.name}, " if one.name else ""
    return f"{named}{_photos(len(one.photos))}, such as {pairs(one)}"


def pairs(one: FailureGroup) -> str:
    """The most frequent confusions of a group; of unsure answers these alone."""
    told = ((f"{truth} taken for {answer}" if truth else answer, count) for truth, answer, count in one.confusions)
    return "; ".join(f"{words} ({count})" if count > 1 else words for words, count in told)


def difference(one: TraitDifference, others: str = RIGHT) -> str:
    """A trait in which some photos differ from others."""
    here, there = (quantity(value, one.unit) for value in (one.mean, one.right))
    return f"{one.word} ({one.trait} {here} on average, {there} of {others}; adjusted {chance(one.adjusted)})"


def chance(p: float) -> str:
    """A p value."""
    return f"p {p:.2g}" if p >= 0.001 else "p below 0.001"


def quantity(value: float, unit: str) -> str:
    """A number with its unit."""
    return in_percent(value, 0) if unit == "share" else f"{value:.0f} {unit}".rstrip()


def wrong_reason(found: FailureAnalysis) -> Iterator[str]:
    """Right answers whose evidence is suspicious."""
    off, reasons = found.reasons.off, found.reasons
    if off is not None:
        yield (
            f"Right for the wrong reason? Of the right answers whose object is marked, {off} have less of their evidence on "
            "the object than the object has of the area."
        )
    for one in reasons.places:
        yield f"Evidence piles up at one place: {place(one)}."


def place(one: PiledPlace) -> str:
    """Where the evidence of a class piles up."""
    return str(one.pile)


def hiding(found: FailureAnalysis) -> Iterator[str]:
    """What came of hiding the evidence."""
    wrong = {photo.item for photo in found.run.wrong}
    for what, some in (
        ("wrong answers", [one for one in found.hidden.found if one.item in wrong]),
        ("suspicious right answers", [one for one in found.hidden.found if one.item not in wrong]),
    ):
        if some:
            yield _hidden(found, what, some)


def _hidden(found: FailureAnalysis, what: str, some: list[HiddenEvidence]) -> str:
    changed, beside = sum(one.changed for one in some), sum(one.changed_by_chance for one in some)
    righted = sum(one.right for one in some) if what == "wrong answers" else 0
    more = f", {righted} of them to a true class" if righted else ""
    return (
        f"With their evidence hidden (up to {in_percent(HIDDEN, 0)} of the photo), {changed} of {len(some)} {what} "
        f"change{more}; with as much hidden at a random place, {beside} ({chance(found.hidden.p(some))})."
    )


def _photos(count: int) -> str:
    return f"{count:,} photo{'s' * (count != 1)}"
