"""Weights that a stranger may have made: read as tensors only, never as code, and put into a network strictly."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import BadParameter, BadWeights, MissingExtra
from seewhy.prepare.fit import Fit

from .open_file import check_name, digest, opened
from .pickled import unpickled

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "ema_model", "params_ema", "shadow")  # stored for use
USUAL = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params")
COUNTER = "num_batches_tracked"


def fill(network: nn.Module, file: str | Path, trust: bool = False) -> tuple[str, Mapping[str, str]]:
    """Load a file of weights strictly; returns its name with the start of its SHA-256 and what was stripped, and its metadata.

    The state dict may lie inside a checkpoint (Lightning, EMA, ...) and behind one prefix, whichever makes the names fit;
    where averaged (EMA) weights stand beside those that were trained, they are taken, as timm does.  Half precision becomes
    float32.  trust: run the code that a pickle asks for.  Raises BadWeights, with the names, where the weights do not fit.
    """
    path = Path(file)
    if not path.is_file():
        raise BadWeights(f"The weights {path} are not there. Give a .safetensors file or a state dict saved by torch.save.")
    with opened(path) as stream:
        contents, facts = read_weights(stream, path, trust)
        try:
            state = _fitting(network, contents, path)
            have = network.state_dict()
            network.load_state_dict({**have, **{name: _whole(tensor) for name, tensor in state.tensors.items()}}, strict=True)
        except (RuntimeError, NotImplementedError, TypeError) as error:  # tensors may be sparse, quantised, without numbers
            raise BadWeights(f"{path} does not go into {type(network).__name__}: {_last_line(error)}") from None
        return f"{path.name} {digest(stream)}{state.remark}", facts


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

    file: the file of that path, opened.  The tensors of a safetensors file are views of it: copy them before it is closed.
    Raises BadWeights for anything else; unless `trust`, nothing in the file is ever executed.
    """
    if path.suffix == ".safetensors":
        return _safetensors(file, path)
    contents = unpickled(file, path, trust)
    return (contents.state_dict() if isinstance(contents, nn.Module) else contents), {}


def _safetensors(file: BinaryIO, path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """The tensors and the metadata of a safetensors file; BadWeights where it is broken."""
    try:
        from safetensors import SafetensorError, safe_open  # here, for it is an extra
    except ModuleNotFoundError:
        raise MissingExtra("safetensors", "torch") from None
    try:
        with safe_open(path, framework="pt") as reader:
            tensors, facts = {name: reader.get_tensor(name) for name in reader.keys()}, reader.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"{path} is no intact safetensors file: {error}") from None
    check_name(file, path)
    return tensors, facts


def _last_line(error: Exception) -> str:
    """The last line of an error's words; of an error without words, its kind."""
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]


class Candidate(NamedTuple):
    """A state dict somewhere in a file that may be the weights of a network, and what keeps it from fitting."""

    nest: tuple[str, ...]  # the entries of the checkpoint it lies in
    prefix: str
    tensors: dict[str, Tensor]  # behind the prefix, by the network's own names
    outside: list[str]  # names without the prefix
    missing: list[str]
    extra: list[str]
    other: list[str]  # of another shape

    @property
    def fits(self) -> bool:
        """Does it hold exactly the tensors of the network?"""
        return not (self.missing or self.extra or self.other)

    @property
    def rank(self) -> int:
        """Averaged weights come first, then those at usual places, then any."""
        places = {*self.nest, *self.prefix.split(".")} - {""}
        return 0 if places & {*AVERAGED} else 1 if places <= {*USUAL} else 2

    @property
    def remark(self) -> str:
        """Where it lay and what was stripped, for the Source."""
        parts = [f"of {'.'.join(self.nest)}"] if self.nest else []
        parts += [f"without {self.prefix!r}"] if self.prefix else []
        parts += [f"leaving {_few(self.outside)}"] if self.outside else []
        return f" ({', '.join(parts)})" if parts else ""


def _fitting(network: nn.Module, contents: Any, path: Path) -> Candidate:
    """The only state dict in the file that fits; BadWeights where none does, or several that differ."""
    have = network.state_dict()
    states = [*_states(contents)]
    if not states:
        keys = ", ".join(map(str, list(contents)[:5])) if isinstance(contents, Mapping) else type(contents).__name__
        raise BadWeights(f"{path} holds no state dict (it holds {keys or 'nothing'}). Save network.state_dict().")
    candidates = [_candidate(nest, prefix, state, have) for nest, state in states for prefix in _prefixes(state, have)]
    fitting = sorted((state for state in candidates if state.fits), key=lambda state: state.rank)
    if not fitting:
        nearest = min(candidates, key=lambda state: (len(state.missing) + len(state.other), state.rank, len(state.extra)))
        raise BadWeights(_misfit(network, nearest, path))
    best = [state for state in fitting if state.rank == fitting[0].rank]
    if any(not _same(best[0], state) for state in best[1:]):
        places = ", ".join(".".join((*state.nest, state.prefix)).strip(".") or "the top" for state in best)
        raise BadWeights(f"{path} holds weights that fit in several places: {places}. Save the one that you mean.")
    return best[0]


def _same(first: Candidate, second: Candidate) -> bool:
    """Are the tensors equal that both hold?"""
    return all(torch.equal(tensor, second.tensors[name]) for name, tensor in first.tensors.items() if name in second.tensors)


def _states(contents: Any, nest: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Every mapping of names to tensors, at the top or inside, with its place; without the prefix that torch.compile adds."""
    if not isinstance(contents, Mapping) or len(nest) > 2:
        return
    if contents and all(isinstance(value, Tensor) for value in contents.values()):
        yield nest, {str(name).replace("_orig_mod.", ""): tensor for name, tensor in contents.items()}
    for name, value in contents.items():
        if isinstance(name, str):
            yield from _states(value, (*nest, name))


def _prefixes(state: Mapping[str, Tensor], have: Mapping[str, Tensor]) -> list[str]:
    """Prefixes that the names may have: none, and whatever stands before one of the first names of the network."""
    first = [name for name in have if not name.endswith(COUNTER)][:3]
    prefixes = dict.fromkeys(name.removesuffix(end) for name in state for end in first if name.endswith(f".{end}"))
    return ["", *sorted(prefixes, key=len)]


def _candidate(nest: tuple[str, ...], prefix: str, state: Mapping[str, Tensor], have: Mapping[str, Tensor]) -> Candidate:
    """The state dict without a prefix, held against the names and shapes that the network has."""
    tensors = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    missing = [name for name in have if name not in tensors and not name.endswith(COUNTER)]
    extra = [prefix + name for name in tensors if name not in have]
    other = [f"{name} {tuple(tensors[name].shape)} for {tuple(have[name].shape)}"
             for name in have if name in tensors and tensors[name].shape != have[name].shape]  # fmt: skip
    outside = [name for name in state if not name.startswith(prefix)]
    return Candidate(nest, prefix, tensors, outside, missing, extra, other)


def _misfit(network: nn.Module, state: Candidate, path: Path) -> str:
    """What keeps the weights from fitting, in words."""
    wrong = (("missing", state.missing), ("unknown", state.extra + state.outside), ("of another shape", state.other))
    words = [f"{len(names)} {what} ({_few(names)})" for what, names in wrong if names]
    hint = " For other classes give options={'num_classes': N} (--option num_classes=N)." if state.other else ""
    return f"{path}{state.remark.partition(', leaving')[0]} does not fit {type(network).__name__}: {'; '.join(words)}.{hint}"


def _few(names: list[str]) -> str:
    """The first four names."""
    return f"{', '.join(names[:4])}{', ...' * (len(names) > 4)}"


def _whole(tensor: Tensor) -> Tensor:
    """A tensor in half precision as float32; any other as it is."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor
