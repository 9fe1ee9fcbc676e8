"""What passes through a torch network leave: activations, gradients, biases."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from math import inf

import torch
from torch import Tensor, nn

from seewhy.arrays import Array, filled
from seewhy.errors import BadNetwork, NeedsGradients, NotApplicable
from seewhy.memory import memory_for
from seewhy.models.model import INPUT, Bias, Evidence, Trace
from seewhy.models.rule import Balanced, Relevance, Rescaled, Rule
from seewhy.models.torch.passes.backward import gradients, second_gradient
from seewhy.models.torch.passes.graph import UNDERIVED, between, kind_of
from seewhy.models.torch.passes.taps import Several, Stop, Tap, hooked, last_modules, ordered_gradients, recorded
from seewhy.models.torch.places.following import Following
from seewhy.models.torch.places.reading import ReadFollowing
from seewhy.models.torch.places.survey import LayerRecord
from seewhy.models.torch.rules.biases import Biases
from seewhy.models.torch.rules.libra import Balance
from seewhy.models.torch.rules.relevance import Propagation
from seewhy.models.torch.rules.relu_rules import Rewiring
from seewhy.models.torch.rules.rescale import Rescaling
from seewhy.models.torch.rules.unfused import StepByStep
from seewhy.targets.target import Target, weighted

from .cuts import why_none
from .defaults import check_alike
from .rows import learn_rows
from .runner import Runner
from .scores import plain
from .undisturbed import again

GUESSED = 10  # how many of the network's last modules are kept in the first pass, which finds the default layer


@again
def trace(
    runner: Runner, x: Array, targets: Sequence[Target], layers: Sequence[str | None], rule: Rule | None = None,
    twice: bool = False, few: int | None = None,
) -> Trace:  # fmt: skip
    """One forward pass of x (n, c, *space), one backward pass per target: what they leave at each layer, None for the default.

    With a rule the gradient comes back by it; NotApplicable where the network gives it nothing to do.
    twice: the evidence can be asked for second derivatives, and keeps the graph as long as it lives; not with a rule.
    few: the evidence is that of so many targets, the first; `further` gives that of as many others, over the same pass.
    """
    if twice and rule is not None:
        raise NotApplicable("Second derivatives are those of the plain gradient, not of what a rule brings back.")
    if isinstance(rule, Relevance) and runner.settings.scores not in ("logits", "activation"):
        raise NotApplicable(f"Relevance is shared out from logits; this model explains {runner.settings.scores}.")
    if rule is not None and isinstance(rule, Relevance | Balanced) and runner.groups:
        raise NotApplicable("Relevance and libra go back from single logits, not from a group of classes: name one of them.")
    if isinstance(rule, Rescaled) and runner.settings.scores not in ("logits", "activation"):
        raise NotApplicable(f"DeepLIFT takes a logit apart; this model explains {runner.settings.scores}.")
    if isinstance(rule, Balanced) and runner.settings.scores not in ("logits", "activation"):
        raise NotApplicable(f"libra balances the way back from logits; this model explains {runner.settings.scores}.")
    with runner.ready(x) as ready:
        if None not in layers:
            return _told(runner, ready, _of_layers(runner, ready, targets, [*filter(None, layers)], rule, twice, few))
        result = None
        plain = {*layers} <= {None, INPUT} and rule is None and not twice and runner.call.inputs.template is None
        if plain and runner.surveyed_before(ready) is None:
            result = _guessed(runner, ready, targets, layers, few)
        default = runner.default(ready)
        check_alike(runner.survey(ready), len(ready), runner.name)
        named = [*dict.fromkeys(default if name is None else name for name in layers)]
        result = result or _of_layers(runner, ready, targets, named, rule, twice, few)
        if not any(filled(each.g) for name, each in result.evidence.items() if name.partition("#")[0] == default):
            reached = runner.default(ready, by_gradient=True)
            if reached != default:
                named = [*dict.fromkeys(reached if name is None else name for name in layers)]
                result = _of_layers(runner, ready, targets, named, rule, twice, few)
        return _told(runner, ready, result)


def _told(runner: Runner, x: Tensor, result: Trace) -> Trace:
    """The trace, with the reasons why no gradient came to some of its layers; NeedsGradients where that holds for all."""
    silent = [layer for layer, each in result.evidence.items() if not filled(each.g)]
    cut = {layer: why for layer in silent if (why := why_none(runner, x, layer))}
    if cut and len(cut) == len(result.evidence):
        raise NeedsGradients(next(iter(cut.values())))
    return result._replace(cut=cut) if cut else result


def _of_layers(
    runner: Runner, x: Tensor, targets: Sequence[Target], layers: Sequence[str], rule: Rule | None, twice: bool,
    few: int | None,
) -> Trace:  # fmt: skip
    layers = runner.each_call(layers, x)
    for whole in (False, True):  # the graph from the first tap on; or, past a no_grad inside the network, all of it
        try:
            result, connected = _traced(runner, x, targets, layers, whole, rule, twice, few)
        except Several:  # only now it is known
            runner.survey(x[:1].detach())
            return _of_layers(runner, x, targets, layers, rule, twice, few)
        except BadNetwork as error:
            if whole or INPUT in layers or "created in no_grad" not in str(error):
                raise
            continue  # writing over a part of what was made before the first tap
        if connected or whole or INPUT in layers:
            return result
    raise AssertionError("the second pass always returns")


def _traced(
    runner: Runner, x: Tensor, targets: Sequence[Target], layers: Sequence[str], whole: bool, rule: Rule | None,
    twice: bool, few: int | None,
) -> tuple[Trace, bool]:  # fmt: skip
    taps = runner.taps(layers, x)
    inside = INPUT in layers
    mode = _mode(rule, runner.network)
    with torch.enable_grad():
        entered = x.requires_grad_().clone() if inside else x.detach().clone()  # the network may write to it
    follow = runner.following(layers, entered)
    recording = recorded([*taps.values()], grad=True, follow=follow)
    way = (runner.call.identity, tuple(x.shape), tuple(layers), rule)
    ordered = ordered_gradients(runner.network, 0 if way in runner.learned.straight and not twice else len(x))
    grad = torch.set_grad_enabled  # at once, not when it is entered
    by = mode or (StepByStep() if twice else nullcontext())
    with ordered as odd, grad(whole or inside), by, follow or nullcontext(), recording:
        raw, scores = runner.run(entered)
    runner.reader.require_slopes(runner.aims)
    emitted = {name: taps[name].check(runner.end) if name in taps else x for name in layers}
    runner.learn_places(follow, taps, x)
    if several := runner.divided(taps, x):
        raise Several(several)
    if isinstance(mode, Propagation):
        mode.check(emitted)
    if mode and not raw.requires_grad and (why := why_none(runner, x, layers[0])):
        raise NeedsGradients(why)
    leaves = [tensor for tensor in emitted.values() if tensor.is_leaf]
    try:
        rule_notes = mode.notes(raw, leaves) if mode else ()
    except NotApplicable:
        if any(kind_of(node) == UNDERIVED for node in between(raw, leaves)) and (why := why_none(runner, x, layers[0])):
            raise NeedsGradients(why) from None
        raise
    notes = {name: (taps[name].notes if name in taps else ()) + rule_notes for name in layers}
    result, connected = _evidence_of(runner, x, targets, raw, scores, emitted, notes, twice, few)
    if not odd:
        runner.learned.straight.keep(way, True)
    return result, connected


def _evidence_of(
    runner: Runner, x: Tensor, targets: Sequence[Target], raw: Tensor, scores: Tensor, emitted: Mapping[str, Tensor],
    notes: Mapping[str, tuple[str, ...]], twice: bool, few: int | None,
) -> tuple[Trace, bool]:  # fmt: skip
    """The way back from the scores to what layers emitted; and whether a gradient reached each of them."""
    runner.reader.require_slopes(runner.aims)
    learn_rows(runner, x, raw)
    answer = runner.answer(raw, scores)
    weights = weighted(targets, answer.scores)
    at_once = max(1, runner.settings.copies // len(x)) if INPUT in emitted else 16
    count = few or len(weights)
    turns: dict[str, Callable[[Tensor], Tensor]] = {}

    def evidence(start: int) -> tuple[dict[str, Evidence], bool]:
        """The evidence of targets from that one on; and are all layers connected with the score?"""
        rows = weights[start : start + count]
        grads = gradients(scores, [*emitted.values()], rows, at_once, keep=twice or start + count < len(weights))
        turns.update({name: runner.layout(name, a, x).turn for name, a in emitted.items() if name not in turns})
        found = {
            name: Evidence(
                plain(turns[name](a.detach())), plain(turns[name](a.new_zeros(len(rows), *a.shape) if g is None else g))
            )
            for (name, a), g in zip(emitted.items(), grads, strict=True)
        }
        if twice:
            found = {
                name: replace(each, again=second_gradient(scores, rows, emitted[name], lambda b, t=turns[name]: plain(t(b))))
                for name, each in found.items()
            }
        return found, all(g is not None for g in grads)

    def further(start: int) -> Trace:
        with runner.ready(x[:1]), torch.enable_grad():
            return Trace(answer, weights, evidence(start)[0], noted)

    first, connected = evidence(0)
    noted = {name: (*notes[name], *_of_part(runner, name, x)) for name in emitted}
    return Trace(answer, weights, first, noted, further) if few else Trace(answer, weights, first, noted), connected


def _guessed(
    runner: Runner, x: Tensor, targets: Sequence[Target], layers: Sequence[str | None], few: int | None
) -> Trace | None:  # fmt: skip
    """The trace at the default layer, from the very pass that finds out which layer it is; None where that layer is none of
    the network's last modules, whose graph alone is kept.
    """
    names, inside = last_modules(runner.network, GUESSED), INPUT in layers
    taps = {name: Tap(name, runner.network) for name in names}
    with torch.enable_grad():
        entered = x.requires_grad_().clone() if inside else x.detach().clone()
    follow = ReadFollowing(entered)
    look = LayerRecord(runner.network, follow)
    recording = recorded([*taps.values()], grad=True, some=True)
    ordered = ordered_gradients(runner.network, len(x))
    look_at = memory_for("look", f"at the first look at {runner.name}, for images of {tuple(x.shape[1:])}")
    try:
        with look_at, torch.set_grad_enabled(inside), follow, hooked(look.hooks()), ordered, recording:
            raw, scores = runner.run(entered)
    except BadNetwork:  # the other way tells what it is
        return None
    runner.learn_survey(x, look.survey(raw, runner.widest))
    default = runner.default(x)
    if (
        default not in taps
        or taps[default].activation is None
        or runner.each_call([default], x) != [default]
        or not raw.requires_grad
    ):
        return None
    emitted = {default: taps[default].check()} | ({INPUT: x} if inside else {})
    notes = {name: taps[name].notes if name in taps else () for name in emitted}
    return _evidence_of(runner, x, targets, raw, scores, emitted, notes, False, few)[0]


@again
def biases(runner: Runner, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]:
    """The trace at the image, and for each target what every bias of the network adds to its score."""
    with runner.ready(x) as x:
        with torch.enable_grad():
            entered = x.requires_grad_().clone()
        follow = Following(entered)
        mode = Biases(len(x), follow)
        with ordered_gradients(runner.network, len(x)), torch.enable_grad(), follow, mode:
            raw, scores = runner.run(entered)
        runner.reader.require_slopes(runner.aims)
        learn_rows(runner, x, raw)
        answer = runner.answer(raw, scores)
        weights = weighted(targets, answer.scores)
        added, rows = [], []
        for t in range(len(weights)):
            mode.terms = []
            (g,) = gradients(scores, [x], weights[t : t + 1], keep=t + 1 < len(weights))
            rows.append(x.new_zeros(1, *x.shape) if g is None else g)
            added.append(mode.terms)
        if not any(filled(row) for row in rows) and (why := why_none(runner, x, INPUT)):
            raise NeedsGradients(why)
        evidence = {INPUT: _evidence(runner, INPUT, x, torch.cat(rows), x)}
        return Trace(answer, weights, evidence, {}), added


@again
def activations(runner: Runner, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
    """What each layer emits (n, c, *space), from a pass that stops at the last of them; and notes on each."""
    with runner.ready(x) as x, torch.no_grad():
        asked, layers = layers, runner.each_call(layers, x)
        taps = runner.taps(layers, x)
        if taps:
            facts = runner.of_size(x)  # of a layer that is new they do not tell how often it runs: then the whole network runs
            last = {tap: tap.call or facts.runs(tap.name) or inf for tap in taps.values()}
            done = lambda: all(tap.calls >= last[tap] for tap in taps.values())  # noqa: E731
            entered = x.clone()
            follow = runner.following(layers, entered)
            with suppress(Stop), follow or nullcontext(), recorded([*taps.values()], False, done, follow):
                _ = runner.called(entered) if runner.end is None else runner.raw(entered)  # scores are not read
            runner.learn_places(follow, taps, x)
            if runner.divided(taps, x):
                runner.survey(x[:1])
                return activations(runner, x, asked)
            facts.calls.update({tap.name: tap.calls for tap in taps.values() if last[tap] == inf})
        emitted = {name: taps[name].check() if name in taps else x for name in layers}
        return (
            {name: plain(runner.layout(name, a, x).turn(a)) for name, a in emitted.items()},
            {name: tap.notes + _of_part(runner, name, x) for name, tap in taps.items()},
        )


def _of_part(runner: Runner, name: str, x: Tensor) -> tuple[str, ...]:
    """A note, where the layer emits several parts of each image, and this is one of them."""
    known = runner.of_size(x).at(name)
    layout = known.layout if known else None
    if layout is None or layout.part is None:
        return ()
    layer = name.partition("#")[0]
    return (f"{layer} emits {layout.parts} parts of each image (views, crops or the like): this is part {layout.part + 1}",)


def _evidence(runner: Runner, name: str, a: Tensor, g: Tensor, x: Tensor) -> Evidence:
    turn = runner.layout(name, a, x).turn
    return Evidence(plain(turn(a.detach())), plain(turn(g)))


def _mode(rule: Rule | None, network: nn.Module) -> Propagation | Balance | Rescaling | Rewiring | None:
    """The mode that applies a rule while the network runs; None where there is no rule."""
    if rule is None:
        return None
    if isinstance(rule, Relevance):
        return Propagation(rule)
    if isinstance(rule, Balanced):
        return Balance()
    return Rescaling() if isinstance(rule, Rescaled) else Rewiring(rule, network)
