"""Weights that a stranger may have made: read as tensors only, never as code, and put into a network strictly."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import BadParameter, BadWeights, MissingExtra
from seewhy.prepare.fit import Fit

from .held import digest, held, named_still
from .pickled import unpickled

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "ema_model", "params_ema", "shadow")  # kept for use
USUAL = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params")
COUNTER = "num_batches_tracked"


def fill(network: nn.Module, file: str | Path, trust: bool = False) -> tuple[str, Mapping[str, str]]:
    """Load a file of weights strictly; returns its name with the start of its SHA-256 and what was stripped, and its metadata.

    The state dict may lie inside a checkpoint (Lightning, EMA, ...) and behind one prefix, whichever makes the names fit;
    where averaged (EMA) weights are kept beside those that were trained, they are taken, as timm does.  Halves become
    float32.  trust: run the code that a pickle asks for.  Raises BadWeights, with the names, where the weights do not fit.
    """
    path = Path(file)
    if not path.is_file():
        raise BadWeights(f"The weights {path} are not there. Give a .safetensors file or a state dict saved by torch.save.")
    with held(path) as opened:
        found, facts = read_weights(opened, path, trust)
        try:
            part = _fitting(network, found, path)
            have = network.state_dict()
            network.load_state_dict({**have, **{name: _whole(tensor) for name, tensor in part.tensors.items()}}, strict=True)
        except (RuntimeError, NotImplementedError, TypeError) as error:  # tensors may be sparse, quantised, without numbers
            raise BadWeights(f"{path} does not go into {type(network).__name__}: {_last_line(error)}") from None
        return f"{path.name} {digest(opened)}{part.said}", facts


def with_facts(prepare: Any, facts: Mapping[str, str], file: Any) -> Any:
    """Preprocessing with the `mean` and `std` of a file's own metadata, where it has them: numbers with spaces between.

    Raises BadWeights where these are not three numbers each.
    """
    try:
        numbers = {key: tuple(map(float, facts[key].split())) for key in ("mean", "std") if key in facts}
        return replace(prepare, **numbers) if isinstance(prepare, Fit) else prepare
    except (ValueError, BadParameter) as error:
        raise BadWeights(f"{file}: the mean and std in its metadata are not three numbers each ({error}).") from None


def read_weights(file: BinaryIO, path: Path, trust: bool = False) -> tuple[Any, Mapping[str, str]]:
    """What a safetensors file holds, or a file that torch.load(weights_only=True) reads; and its metadata.

    file: the file of that path, held open.  Of safetensors, tensors are views of the file: copy them before it is let go.
    Raises BadWeights for anything else; unless `trust`, nothing in the file is ever executed.
    """
    if path.suffix == ".safetensors":
        return _safetensors(file, path)
    found = unpickled(file, path, trust)
    return (found.state_dict() if isinstance(found, nn.Module) else found), {}


def _safetensors(file: BinaryIO, path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError:
        raise MissingExtra("safetensors", "torch") from None
    try:
        with safe_open(path, framework="pt") as opened:
            found, facts = {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"{path} is no intact safetensors file: {error}") from None
    named_still(file, path)
    return found, facts


def _last_line(error: Exception) -> str:
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]


class Part(NamedTuple):
    """A state dict somewhere in a file, as far as it fits a network."""

    nest: tuple[str, ...]  # the entries of the checkpoint it lies in
    prefix: str
    tensors: dict[str, Tensor]  # behind the prefix, by the network's own names
    beside: list[str]  # names without the prefix
    missing: list[str]
    extra: list[str]
    other: list[str]  # of another shape

    @property
    def fits(self) -> bool:
        return not (self.missing or self.extra or self.other)

    @property
    def rank(self) -> int:
        """Averaged weights come first, then those at usual places, then any."""
        places = {*self.nest, *self.prefix.split(".")} - {""}
        return 0 if places & {*AVERAGED} else 1 if places <= {*USUAL} else 2

    @property
    def said(self) -> str:
        """What was stripped, for the Source."""
        parts = [f"of {'.'.join(self.nest)}"] if self.nest else []
        parts += [f"without {self.prefix!r}"] if self.prefix else []
        parts += [f"leaving {_few(self.beside)}"] if self.beside else []
        return f" ({', '.join(parts)})" if parts else ""


def _fitting(network: nn.Module, found: Any, path: Path) -> Part:
    """The one state dict in the file that fits; BadWeights where there is none, or no telling which."""
    have = network.state_dict()
    states = [*_states(found)]
    if not states:
        held = ", ".join(map(str, list(found)[:5])) if isinstance(found, Mapping) else type(found).__name__
        raise BadWeights(f"{path} holds no state dict (it holds {held or 'nothing'}). Save network.state_dict().")
    parts = [_part(nest, prefix, state, have) for nest, state in states for prefix in _prefixes(state, have)]
    fitting = sorted((part for part in parts if part.fits), key=lambda part: part.rank)
    if not fitting:
        nearest = min(parts, key=lambda part: (len(part.missing) + len(part.other), part.rank, len(part.extra)))
        raise BadWeights(_misfit(network, nearest, path))
    best = [part for part in fitting if part.rank == fitting[0].rank]
    if any(not _same(best[0], part) for part in best[1:]):
        places = ", ".join(".".join((*part.nest, part.prefix)).strip(".") or "the top" for part in best)
        raise BadWeights(f"{path} holds weights that fit in several places: {places}. Save the one that you mean.")
    return best[0]


def _same(one: Part, other: Part) -> bool:
    return all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items() if name in other.tensors)


def _states(found: Any, nest: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Every mapping of names to tensors, at the top or inside; torch.compile's mark, which may stand anywhere, taken out."""
    if not isinstance(found, Mapping) or len(nest) > 2:
        return
    if found and all(isinstance(value, Tensor) for value in found.values()):
        yield nest, {str(name).replace("_orig_mod.", ""): tensor for name, tensor in found.items()}
    for name, value in found.items():
        if isinstance(name, str):
            yield from _states(value, (*nest, name))


def _prefixes(state: Mapping[str, Tensor], have: Mapping[str, Tensor]) -> list[str]:
    """None, and whatever stands before one of the network's first names or is common to all."""
    first = [name for name in have if not name.endswith(COUNTER)][:3]
    found = dict.fromkeys(name.removesuffix(own) for name in state for own in first if name.endswith(f".{own}"))
    return ["", *sorted(found, key=len)]


def _part(nest: tuple[str, ...], prefix: str, state: Mapping[str, Tensor], have: Mapping[str, Tensor]) -> Part:
    tensors = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    missing = [name for name in have if name not in tensors and not name.endswith(COUNTER)]
    extra = [prefix + name for name in tensors if name not in have]
    other = [f"{name} {tuple(tensors[name].shape)} for {tuple(have[name].shape)}"
             for name in have if name in tensors and tensors[name].shape != have[name].shape]  # fmt: skip
    beside = [name for name in state if not name.startswith(prefix)]
    return Part(nest, prefix, tensors, beside, missing, extra, other)


def _misfit(network: nn.Module, part: Part, path: Path) -> str:
    wrong = (("missing", part.missing), ("unknown", part.extra + part.beside), ("of another shape", part.other))
    said = [f"{len(names)} {what} ({_few(names)})" for what, names in wrong if names]
    hint = " For other classes give options={'num_classes': N} (--option num_classes=N)." if part.other else ""
    return f"{path}{part.said.partition(', leaving')[0]} does not fit {type(network).__name__}: {'; '.join(said)}.{hint}"


def _few(names: list[str]) -> str:
    return f"{', '.join(names[:4])}{', ...' * (len(names) > 4)}"


def _whole(tensor: Tensor) -> Tensor:
    """Half precision as float32."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor
