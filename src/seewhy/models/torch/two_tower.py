"""Networks of two towers, one for images and one for texts, that meet in one space: CLIP, SigLIP, ALIGN and their kin."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import BadNetwork, BadParameter, NotApplicable
from seewhy.printable import words_of
from seewhy.targets.embedding import embedding, unit

PAIRS = (("get_image_features", "get_text_features"), ("encode_image", "encode_text"))  # transformers; CLIP and open_clip
ADVICE = (
    "wrap(network, tokenizer=...): of transformers its tokenizer or processor, of open_clip get_tokenizer(NAME). "
    'load("hf/openai/clip-vit-base-patch32") brings its own.'
)
NO_CLASSES = (
    '{} gives an image an embedding, and no class. Ask for a text, Text("a dog", against=["a cat"]), or for the likeness to '
    "another photo, Similar(to=photo); what its whole forward pass gives is explained by wrap(network, inputs=(seewhy.IMAGE,))."
)


class Words(NamedTuple):
    """What a text tower makes of some texts."""

    unit: Tensor  # their embeddings (k, d), each of length one
    scale: float  # logit = scale * cosine + bias
    bias: float | None  # of networks trained with a sigmoid
    scaled: bool  # the network has a scale
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Towers:
    """How the towers of a network are called: by these methods of it."""

    image: str
    text: str
    tokenizer: Any = None  # texts -> what the text tower takes

    def images(self, network: nn.Module, *args: Any, **options: Any) -> Any:
        """What the image tower gives."""
        return getattr(network, self.image)(*args, **options)

    def words(self, network: nn.Module, texts: Sequence[str]) -> Words:
        """What the text tower makes of texts, run without a graph."""
        given, notes = self._tokens(network, [*texts])
        tower: Callable[..., Any] = getattr(network, self.text)
        try:
            with torch.no_grad():
                output = tower(**given) if isinstance(given, Mapping) else tower(given)
        except Exception as error:
            raise BadNetwork(f"The text tower failed on {list(texts)}: {type(error).__name__}: {words_of(error)}") from error
        units = unit(embedding(output).detach())
        if len(units) != len(texts) or not bool(units.isfinite().all()):
            raise BadNetwork(f"The text tower gave {tuple(units.shape)}, or NaN, for {len(texts)} texts; it gives (texts, d).")
        scale, bias = _scale(network), _number(network, "logit_bias")
        if scale is None:
            notes += ("the network has no logit_scale: the plain cosine is explained",)
        return Words(units, scale or 1.0, bias, scale is not None, notes)

    def _tokens(self, network: nn.Module, texts: list[str]) -> tuple[Any, tuple[str, ...]]:
        """What the text tower is called with, and notes on what was odd."""
        if self.tokenizer is None:
            raise NotApplicable(f"Text: {type(network).__name__} was wrapped without its tokenizer. {ADVICE}")
        parameter = next(network.parameters(), torch.empty(0))
        device = "cpu" if parameter.is_meta else parameter.device
        theirs = of_transformers(self.tokenizer)
        try:
            given = self.tokenizer(texts) if theirs is None else _padded(theirs, network, texts)
            notes = _cut(self.tokenizer, texts, given) if theirs is None else ()
        except (BadParameter, MemoryError):
            raise
        except Exception as error:
            raise BadParameter(f"The tokenizer failed on {texts}: {type(error).__name__}: {words_of(error)}") from error
        if not isinstance(given, Mapping):
            return (given.to(device) if isinstance(given, Tensor) else given), notes
        moved = {key: torch.as_tensor(ids).to(device) for key, ids in given.items()}
        return (moved if self.text == "get_text_features" else moved["input_ids"]), notes


def towers_of(network: nn.Module, tokenizer: Any, inputs: Any) -> Towers | None:
    """The towers of a network, if it has two; None where the person says with what the network itself is called."""
    pair = next((pair for pair in PAIRS if all(callable(getattr(network, name, None)) for name in pair)), None)
    if tokenizer is not None and not callable(tokenizer):
        raise BadParameter(f"tokenizer={tokenizer!r}: give the tokenizer itself. {ADVICE}")
    writes = callable(getattr(network, "generate", None))  # and its text is read by the tokenizer
    if tokenizer is not None and pair is None and not writes:
        known = ", or ".join(" and ".join(pair) for pair in PAIRS)
        raise BadParameter(
            f"tokenizer= is for networks of two towers, with {known}, and those that write, with generate; "
            f"{type(network).__name__} has none of these."
        )
    if tokenizer is not None and inputs is not None and pair is not None:
        raise BadParameter("tokenizer= and inputs=: images go through the image tower alone. Leave inputs= out.")
    return None if pair is None or inputs is not None else Towers(*pair, tokenizer)


def of_transformers(tokenizer: Any) -> Any:
    """The tokenizer of transformers that this is or, as a processor, holds; None of any other."""
    transformers = sys.modules.get("transformers")
    if transformers is None:
        return None
    inner = tokenizer.tokenizer if isinstance(tokenizer, transformers.ProcessorMixin) else tokenizer
    return inner if isinstance(inner, transformers.PreTrainedTokenizerBase) else None


def _padded(tokenizer: Any, network: nn.Module, texts: list[str]) -> Mapping[str, Tensor]:
    """Tokens as the network was trained on them: SigLIP with texts filled up to one length, others to the longest of them."""
    config = getattr(network, "config", None)
    longest = getattr(getattr(config, "text_config", None), "max_position_embeddings", None) or tokenizer.model_max_length
    most = min(tokenizer.model_max_length, longest)
    for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        if len(ids) > most:
            raise BadParameter(f"{text!r} makes {len(ids)} tokens, and the text tower reads {most} at most. Shorten it.")
    filled = "siglip" in str(getattr(config, "model_type", ""))
    padding: dict[str, Any] = {"padding": "max_length", "max_length": most} if filled else {"padding": True}
    return tokenizer(texts, return_tensors="pt", **padding)


def _cut(tokenizer: Any, texts: list[str], given: Any) -> tuple[str, ...]:
    """Notes on the texts that a tokenizer cut off silently: those whose last word makes no difference to their tokens."""
    if not isinstance(given, Tensor):
        return ()
    long = [(i, text.rsplit(None, 1)[0]) for i, text in enumerate(texts) if len(text.split()) > 1]
    try:
        cut = [texts[i] for i, shorter in long if torch.equal(tokenizer([shorter])[0], given[i])]
    except Exception:  # noqa: BLE001 - of a text that nobody asked for
        return ()
    return tuple(f"the tokenizer cut off the end of {text[:40]!r}..., which the text tower never read" for text in cut)


def _scale(network: nn.Module) -> float | None:
    """The factor between cosines and logits; None where the network has none."""
    log, temperature = _number(network, "logit_scale"), _number(network, "temperature")  # ALIGN has the latter
    return exp(log) if log is not None else None if temperature is None else 1 / temperature


def _number(network: nn.Module, name: str) -> float | None:
    value = getattr(network, name, None)
    return None if value is None else value.item() if isinstance(value, Tensor) else float(value)
