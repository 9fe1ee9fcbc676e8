"""What may spoil an explanation of a torch network: a check for each hazard, over the facts that two passes showed."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy

import torch
from torch import nn

from seewhy.models.hazard import ERROR, NOTE, WARNING, Hazard, mixed_batch, one_at_a_time
from seewhy.models.model import Answer
from seewhy.printable import in_percent
from seewhy.targets.target import name_of
from seewhy.untrained import ADVICE

from .examine import Facts
from .scores import is_log_distribution

NORMS = nn.modules.batchnorm._BatchNorm
DROPOUT = nn.modules.dropout._DropoutNd


def hazards(facts: Facts) -> tuple[Hazard, ...]:
    """All hazards of a network, the worst first."""
    unsorted = [hazard for check in CHECKS for hazard in check(facts)]
    return tuple(sorted(unsorted, key=lambda hazard: (ERROR, WARNING, NOTE).index(hazard.severity)))


def _numbers(facts: Facts) -> Iterator[Hazard]:
    """NaN or infinity in weights or in activations."""
    tensors = [*facts.runner.network.named_parameters(), *facts.runner.network.named_buffers()]
    broken = [name for name, x in tensors if x.is_floating_point() and not x.is_meta and not bool(x.isfinite().all())]
    bad, spoilt = facts.first.trail.bad, "scores" in facts.refused
    if broken:
        yield Hazard("nan-weights", ERROR if spoilt else WARNING, "weights hold NaN or infinity", tuple(broken),
                     "Load them again, or take an earlier checkpoint: the training diverged.")  # fmt: skip
    if bad or spoilt:
        first = f"NaN or infinity arises, first at {bad}" if bad else facts.refused["scores"]
        yield Hazard("nan", ERROR if spoilt else WARNING, f"{first}{'; the scores hold it' if bad and spoilt else ''}",
                     (bad,) if bad else (),
                     "Look at what goes in there and at its weights; in half precision, run in float32 (dtype=).")  # fmt: skip


def _unreached(facts: Facts) -> Iterator[Hazard]:
    if "scores" in facts.refused:
        return
    if why := facts.refused.get("image"):
        layer = facts.layer if facts.layer and "layer gradient" not in facts.refused else None
        advice = f"CAMs at {layer} work; for maps of pixels " if layer else "No gradient helps here: "
        advice += "ask occlusion or rise, or take the no_grad (detach, round) out of the network's forward."
        yield Hazard("cut", WARNING, why, (), advice)
    elif why := facts.refused.get("layer gradient"):
        yield Hazard("cut", WARNING, why, (str(facts.layer),), "Name another layer, or ask occlusion or rise.")
    elif facts.layer is None and not facts.runner.sealed:
        yield Hazard("no-space", WARNING, "no layer that the scores rest on still has space", (),
                     "CAMs need one; maps of pixels, such as integrated-gradients, and occlusion do not.")  # fmt: skip


def _head(facts: Facts) -> Iterator[Hazard]:
    weight = getattr(facts.first.trail.last, "weight", None)
    if weight is not None and not weight.is_meta and not bool(weight.any()):
        yield Hazard("zero-head", WARNING, "the weights of the last layer are all zero: it was never trained", (),
                     "Every class gets the same score, and every map is empty. Load trained weights.")  # fmt: skip
    elif random := facts.runner.untrained:
        yield Hazard("random-weights", WARNING, f"{random}: nothing was learned there", (), ADVICE)


def _modes(facts: Facts) -> Iterator[Hazard]:
    """Parts of the network that are in train mode, and what that changes."""
    modules = {name: facts.runner.network.get_submodule(name) for name in facts.training}
    norms = [name for name, module in modules.items() if isinstance(module, NORMS)]
    drops = [name for name, module in modules.items() if isinstance(module, DROPOUT) and module.p > 0]
    if not modules:
        return
    parts = [f"{len(norms)} BatchNorm"] * bool(norms) + [f"{len(drops)} dropout"] * bool(drops)
    who = f"{' and '.join(parts)} layers stand" if parts else "the network stands"
    changed = _in_train_mode(facts)
    words = f"{who} in train mode; it is explained in eval mode all the same, and given back as it was. {changed}"
    yield Hazard("train-mode", WARNING if parts else NOTE, words.strip(), (*norms, *drops),
                 "Call network.eval() before you use it, so that its answers are those that are explained.")  # fmt: skip


def _in_train_mode(facts: Facts) -> str:
    """In words, what the network gives for this image in train mode: of a copy, since its statistics may change."""
    try:
        with facts.runner.ready(facts.x) as x, torch.no_grad():
            runner = facts.runner.of_network(deepcopy(facts.runner.network))
            for name in facts.training:
                runner.network.get_submodule(name).training = True
            raw = runner.raw(x)
            answer = runner.answer(raw, runner.scores(raw))
    except Exception as error:  # noqa: BLE001 - not to be copied, a BatchNorm of one value, or what its own code raises
        said = str(error).strip().splitlines() or [type(error).__name__]
        return f"In train mode it cannot take this one image ({said[0]})."
    if answer.scores.shape != facts.first.answer.scores.shape:
        return f"In train mode it gives {answer.scores.shape[1]} scores, in eval mode {facts.first.answer.scores.shape[1]}."
    there, here = (_said(reply, facts) for reply in (answer, facts.first.answer))
    off = abs(answer.scores - facts.first.answer.scores).max()
    return f"In train mode it says {there} here, in eval mode {here}; scores differ by up to {off:.2g}."


def _said(answer: Answer, facts: Facts) -> str:
    top = int(answer.scores[0].argmax())
    label = name_of(facts.runner.settings.labels, top) or f"class {top}"
    return label if answer.probabilities is None else f"{label} ({in_percent(answer.probabilities[0, top])})"


def _repeats(facts: Facts) -> Iterator[Hazard]:
    """What makes a second answer differ from the first."""
    if facts.second.moved:
        yield Hazard("non-deterministic", WARNING, "two passes of the same image differ, in eval mode, by "
                     f"{in_percent(facts.second.moved)} of the largest score", (),
                     "Something draws at random: dropout that ignores eval mode? Maps come out different each time; "
                     "average several, as smooth-grad does.")  # fmt: skip
    if facts.second.mixes:
        yield mixed_batch()
    if facts.second.alone:
        yield one_at_a_time(facts.second.alone)


def _outputs(facts: Facts) -> Iterator[Hazard]:
    runner, answer, labels = facts.runner, facts.first.answer, facts.runner.settings.labels
    if answer.normalised and runner.end is None:
        what = "sigmoid" if runner.reader.sigmoid else "softmax"
        yield Hazard("normalised", WARNING, f"the network ends in a {what}: its scores are probabilities", (),
                     f"Where it is sure, the {what} is flat and gradients vanish. Wrap the part before it.")  # fmt: skip
    elif runner.end is None and is_log_distribution(facts.first.raw):
        yield Hazard("normalised", NOTE, "the network ends in a log-softmax: its scores are log-probabilities", (),
                     "A map explains the class against all others. To explain the logit, wrap the part before it.")  # fmt: skip
    if labels is not None and len(labels) != answer.scores.shape[1]:
        yield Hazard("labels", WARNING, f"there are {len(labels)} labels for {answer.scores.shape[1]} scores", (),
                     "Give those that belong to these weights: labels=, --labels.")  # fmt: skip


def _relus(facts: Facts) -> Iterator[Hazard]:
    if facts.runner.sealed:
        return
    relus, named = facts.first.relus, facts.first.named
    if not relus and (why := facts.refused.get("relus")):
        yield Hazard("no-relu", NOTE, why, (), "guided-backprop and deconvnet have nothing to do.")
    elif relus > named:
        yield Hazard("functional-relu", NOTE, f"{relus - named} of {relus} ReLUs are functions, not layers", (),
                     "They have no name to be read at; guided-backprop, deconvnet and lrp reach them, too.")  # fmt: skip


def _rewrites(facts: Facts) -> Iterator[Hazard]:
    pairs = tuple(f"{layer} by {by}" for layer, by in facts.first.trail.rewritten.items())
    if pairs:
        yield Hazard("in-place", NOTE, f"the output of {_count(len(pairs), 'layer')} is written over later", pairs,
                     "seewhy reads a copy, made before; a hook of your own would see the overwritten numbers.")  # fmt: skip


def _calls(facts: Facts) -> Iterator[Hazard]:
    several = {name: layer.calls for name, layer in facts.layers.items() if layer.calls > 1}
    if several:
        name, runs = next(iter(several)), "runs" if len(several) == 1 else "run"
        yield Hazard("repeated", NOTE, f"{_count(len(several), 'layer')} {runs} several times in a pass",
                     tuple(f"{name} ({calls} times)" for name, calls in several.items()),
                     f"There is one map for each call; {name}#1 reads the first one alone.")  # fmt: skip
    unclear = {} if facts.runner.sealed else facts.runner.survey(facts.x).unclear
    if unclear:
        name, why = next(iter(unclear.items()))
        yield Hazard("unclear-grid", WARNING, f"where {_count(len(unclear), 'layer')} lie in the image is not known: {why}",
                     tuple(unclear), f"Explain a layer before {name}, or ask for maps of pixels: occlusion, rise.")  # fmt: skip


def _makings(facts: Facts) -> Iterator[Hazard]:
    """How the network is made and where it lies."""
    runner, parameters = facts.runner, [*facts.runner.network.parameters()]
    if runner.sealed:
        yield Hazard("sealed", WARNING, f"it is {runner.sealed}, which cannot be read inside", (),
                     "No layers, CAMs or rules. Load the Python network it was made from, with the same weights.")  # fmt: skip
    states = [module.__dict__ for module in runner.network.modules()]
    compiled = any(state.get("_compiled_call_impl") is not None or "_orig_mod" in state.get("_modules", ()) for state in states)
    if compiled:
        yield Hazard(
            "compiled", NOTE, "parts of it are compiled", (), "They are run as they are written, so that they can be read."
        )
    frozen = [p for p in parameters if not p.requires_grad]
    if frozen and not runner.sealed:
        yield Hazard("frozen", NOTE, f"{len(frozen)} of {len(parameters)} parameters are frozen (requires_grad=False)", (),
                     "That is fine: gradients go through them to the image.")  # fmt: skip
    half = {str(p.dtype).removeprefix("torch.") for p in parameters if p.dtype in (torch.float16, torch.bfloat16)}
    if half:
        yield Hazard("half-precision", NOTE, f"it runs in {' and '.join(sorted(half))}", (),
                     "Scores are good to two or three digits, and small gradients vanish; dtype= changes it.")  # fmt: skip
    devices = {"offloaded" if p.is_meta else str(p.device) for p in parameters}
    if len(devices) > 1 or "offloaded" in devices:
        yield Hazard("split", NOTE, f"its parts lie on {', '.join(sorted(devices))}", (),
                     "That works, at the price of moving activations; what is offloaded is fetched in every pass.")  # fmt: skip
    if runner.call.inputs.template is not None:
        yield Hazard("side-inputs", NOTE, "it takes other inputs beside the image", (),
                     "They are passed as they are, and kept fixed while the image changes.")  # fmt: skip


CHECKS: Iterable[Callable[[Facts], Iterator[Hazard]]] = (
    _numbers, _unreached, _head, _modes, _repeats, _outputs, _relus, _rewrites, _calls, _makings,
)  # fmt: skip


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
