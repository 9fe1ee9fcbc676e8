"""Ground truth on the command line: what is said of all photos together, and of several models.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seewhy.printable import in_percent

from .printing import printable
from .truth import EMPTY, TruthAsked

if TYPE_CHECKING:
    from seewhy.truth.evidence import EvidenceShare

FEW = 10  # classes of which each is told how many of its photos are right
MOST = 5  # confusions that are told, and photos that are named


def summary(asked: TruthAsked) -> list[str]:
    """Lines on all photos: accuracy, classes or confusions, evidence, and what was not known."""
    from seewhy.truth.accuracy import by_class, confusions, top
    from seewhy.truth.labels import named_classes, some

    lines, judged, kind = list[str](), asked.judged, asked.kind
    if (accuracy := top(judged)) is not None:
        five = top(judged, 5)
        among = f"; top-5: {in_percent(five.share)}" if five and (asked.labels or [0] * 6)[5:] else ""
        lines.append(f"accuracy: {accuracy}{among}")
        classes = by_class(judged)
        if 1 < len(classes) <= FEW and len(judged) >= 2 * len(classes):
            lines += [
                f"  {named_classes((index,), asked.labels)}: {portion.part} of {portion.of}"
                for index, portion in classes.items()
            ]
        every = confusions(judged)
        told = every[: MOST if len(every) > MOST + 1 else None]  # never all but one, which takes no more room
        for truth, answer, count in told:
            often = "" if count == 1 else f", {count} times"
            names = " | ".join(named_classes((index,), asked.labels) for index in truth)
            lines.append(f"  {names} taken for {named_classes((answer,), asked.labels)}{often}")
        if rest := len(every) - len(told):
            lines.append(f"  and {rest} other kinds of wrong answers")
    elif asked.labelled and asked.told:
        lines.append(f"accuracy: not known, as there is no {kind[:-1]} with both an answer and a known truth")
    for what, shares in asked.evidence.items():
        lines.append(_averages(what, shares))
    groups = {"without truth": asked.without, "without an object marked": asked.unmarked, EMPTY: asked.nothing}
    for what, files in groups.items():
        if files:
            lines.append(f"{what}: {len(files)} {kind[: None if len(files) > 1 else -1]} ({some(files)})")
    return lines


def differing(models: Sequence[TruthAsked]) -> list[str]:
    """A line that says on how many photos several models give different answers, and names the first of these; none where there
    are no several models with answers.

    Classes are compared by their indices where all models have the same labels, else by the first name of each label.
    """
    from seewhy.targets.class_names import first_name

    if len(models) < 2 or not all(asked.answers for asked in models):
        return []
    alike = all(asked.labels == models[0].labels for asked in models)
    files = [file for file in models[0].answers if all(file in asked.answers for asked in models)]
    said = {
        file: {index if alike else first_name(index, asked.labels) for asked in models for index in (asked.answers[file],)}
        for file in files
    }
    differ, kind = [file for file in files if len(said[file]) > 1], models[0].kind
    if not differ:
        return [f"the models give the same answers on all {len(files)} {kind}"] if files else []
    told = differ[: MOST if len(differ) > MOST + 1 else None]
    more = f", and {len(differ) - len(told)} more" if len(differ) > len(told) else ""
    return [f"the models' answers differ on {len(differ)} of {len(files)} {kind}: {printable(', '.join(told), 500)}{more}"]


def _averages(what: str, shares: "Sequence[EvidenceShare]") -> str:

    known = [each for each in shares if each.share is not None and each.seen]
    if not known:
        return f"evidence in {what}: none of {len(shares)} maps has positive evidence where the network saw the object"
    mean, area = (sum(values) / len(known) for values in ([each.share or 0 for each in known], [each.area for each in known]))
    hits = [each.hit for each in known if each.hit is not None]
    inside = f"; strongest place inside in {sum(hits)} of {len(hits)}" if hits else ""
    return f"evidence in {what}: {in_percent(mean)} on average, on {in_percent(area)} of the image{inside}"
