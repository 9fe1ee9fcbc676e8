"""Curves of scores over thresholds, as pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, MissingExtra
from seewhy.printable import in_percent, printable

from .boxes import BoxScoring
from .pixels import PixelScoring
from .records import LocalizationScore
from .resampling import MAPS
from .segmentation import BackgroundScoring

KINDS = (".png", ".svg")
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # that colour-blind people tell apart (Okabe & Ito 2008)
STYLES = {MAPS: "-", "centre": "--", "random": ":"}
GREYS = {MAPS: COLOURS[0], "centre": "#333333", "random": "#777777"}
SHARE = "threshold, as a share of the map's greatest value"
BEST = "\nat best: thresholds that the true {} of these very photos chose"
Plot = Callable[[Any], None]  # draws on matplotlib's axes


def save_curves(scoring: BoxScoring | PixelScoring | BackgroundScoring, path: str | Path, title: str = "") -> Path:
    """Draw what a scoring found over thresholds, the controls beside it, into a .png or .svg file.

    Of boxes how many are right at each threshold; of pixels precision over recall, and IoU over thresholds; of class maps the
    mean IoU over background thresholds.  Legends give the scores with their 95 % intervals, as `scores` has them.
    Raises MissingExtra without matplotlib, BadParameter for another kind of file, NotWritten.
    """
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise BadParameter(f"{path}: curves are drawn into {' or '.join(KINDS)} files.")
    panels = _panels(scoring)
    try:
        from matplotlib import rc_context  # here, for it is an extra, and takes a while to import
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib, which draws curves,", "plots") from None
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "seewhy"}):
        figure = Figure(figsize=(6.4 * len(panels), 4.8), layout="constrained")
        for place, panel in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), place + 1)
            panel(axes)
            axes.grid(alpha=0.25)
            axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
        if title:
            figure.suptitle(printable(title, 200).replace("$", r"\$"))
        kind = path.suffix.lower()[1:]
        with replacing(path) as beside:
            figure.savefig(beside, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
    return path


def _panels(scoring: BoxScoring | PixelScoring | BackgroundScoring) -> list[Plot]:
    if isinstance(scoring, BoxScoring):
        if not scoring.size:
            raise BadParameter("This BoxScoring left out the thresholds (size=None), so there is no curve to draw.")
        return [lambda axes: _boxes(axes, scoring)]
    if isinstance(scoring, PixelScoring):
        return [lambda axes: _precision(axes, scoring), lambda axes: _iou(axes, scoring)]
    return [lambda axes: _background(axes, scoring)]


def _boxes(axes: Any, scoring: BoxScoring) -> None:
    scores = {score.name: score for score in scoring.scores(None)}
    for name, curve in scoring.curves().items():
        for colour, (delta, accuracy) in zip(COLOURS, curve.accuracy.items(), strict=True):
            of = scores[f"MaxBoxAcc, all regions, IoU {delta:g}"]
            label = f"IoU {delta:g}, at best {_said(of)}" if name == MAPS else None
            axes.plot(curve.thresholds, 100 * accuracy, STYLES[name], color=colour, label=label, lw=2 if name == MAPS else 1)
    for name in (name for name in STYLES if name != MAPS):
        axes.plot([], [], STYLES[name], color=GREYS[name], label=f"{name}, in the same colours", lw=1)
    axes.set(xlabel=SHARE, ylabel="photos whose box is right, %", xlim=(0, 1), ylim=(0, 100))
    both = scores["MaxBoxAccV2"]
    axes.set_title(
        f"Boxes of {both.images} photos, all regions; MaxBoxAccV2 {_said(both)}{BEST.format('boxes')}", fontsize="medium"
    )


def _precision(axes: Any, scoring: PixelScoring) -> None:
    (score,) = [each for each in scoring.scores(None) if each.name == "PxAP"]
    beside = {control.name: in_percent(control.value) for control in score.controls}
    for name, curve in scoring.curves().items():
        known = ~np.isnan(curve.precision)
        label = f"maps, PxAP {_said(score)}" if name == MAPS else f"{name}, PxAP {beside[name]}"
        axes.plot(
            100 * curve.recall[known], 100 * curve.precision[known], STYLES[name], color=GREYS[name], label=label,
            lw=2 if name == MAPS else 1,
        )  # fmt: skip
    axes.set(xlabel="recall of the objects' pixels, %", ylabel="precision, %", xlim=(0, 100), ylim=(0, 100))
    axes.set_title(f"Pixels of {score.images} photos, pooled", fontsize="medium")


def _iou(axes: Any, scoring: PixelScoring) -> None:
    score = scoring.scores(None)[1]
    for name, curve in scoring.curves().items():
        label = f"maps, at best {_said(score)} at {score.thresholds[0]:.2f}" if name == MAPS else name
        shown = curve.thresholds <= 1
        axes.plot(
            curve.thresholds[shown], 100 * curve.iou[shown], STYLES[name], color=GREYS[name], label=label,
            lw=2 if name == MAPS else 1,
        )  # fmt: skip
    axes.plot(score.thresholds[0], 100 * score.value, "o", color=GREYS[MAPS])
    axes.set(xlabel=SHARE, ylabel="IoU, pooled, %", xlim=(0, 1), ylim=(0, None))
    axes.set_title(f"What lies above a threshold, and the objects{BEST.format('masks')}", fontsize="medium")


def _background(axes: Any, scoring: BackgroundScoring) -> None:
    (score,) = scoring.scores()
    for name, curve in scoring.curves().items():
        label = f"maps, at best {_said(score)} at {score.thresholds[0]:.2f}" if name == MAPS else name
        axes.plot(
            curve.thresholds, 100 * curve.values, STYLES[name], color=GREYS[name], label=label, lw=2 if name == MAPS else 1
        )
    axes.plot(score.thresholds[0], 100 * score.value, "o", color=GREYS[MAPS])
    axes.set(xlabel="background threshold, as a share of each class map's greatest value", ylabel="mean IoU, %", xlim=(0, 1))
    axes.set_ylim(0, None)
    axes.set_title(f"Label maps of {score.images} photos{BEST.format('masks')}", fontsize="medium")


def _said(score: LocalizationScore) -> str:
    low, high = score.interval
    return f"{in_percent(score.value)} ({100 * low:.0f} to {100 * high:.0f})"
