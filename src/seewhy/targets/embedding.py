"""Aims at embeddings: how like another image an image is, and how well a text fits it.

An encoder gives one vector (d,) per image.  None of its numbers means anything alone; the angles between vectors do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Array, described, numbers
from seewhy.errors import BadParameter, Misuse, NotApplicable, NotHere
from seewhy.images.photo import Photo
from seewhy.printable import quoted

from .aim import Aim, ImageView, Pinned
from .grammar import holds_no_question, literal, pieces, quote, unreadable
from .target import RIVALS

NAMED = ("image_embeds", "text_embeds", "pooler_output")  # where a dict holds an embedding among other things
LONGEST = 10_000  # characters of a text: networks read the first few hundred
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class Similar(Aim):
    """How like another image: the cosine between the network's embedding e (d,) of the image and t of the other.

    to: a photo (path, PIL image, uint8 array), prepared as the model prepares its images; a prepared array (c, *space) or
        (1, c, *space); or an embedding (d,).
    Explained: e . t / (|e| |t|), from -1 to 1.  Of an image and itself it is 1, the highest there is, so its gradient is zero.
    Raises BadParameter where `to` is none of these, where its embedding is of another length, all zero, or holds NaN.
    """

    to: Any
    widest: ClassVar[bool] = False
    local: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if isinstance(self.to, list | tuple) and not isinstance(self.to, Photo):
            object.__setattr__(self, "to", _vector(self.to))
        nothing = self.to is None or isinstance(self.to, Number | np.generic | bytes | Mapping)
        if nothing or (isinstance(self.to, str) and not self.to.strip()):
            raise BadParameter(f"Similar(to={quoted(self.to)}): give a photo, as in Similar('dog.jpg'), or an embedding (d,).")

    def pin(self, output: Any, view: ImageView) -> Pinned:
        vector = embedding(output)
        t = _like(_checked(self._other(view), vector.shape[1], self), vector)
        _checked(numbers(vector)[0], vector.shape[1], f"{self}: of the image explained", NotHere)
        return Pinned(lambda output: (unit(embedding(output)) * t).sum(-1), "similarity", str(self))

    def _other(self, view: ImageView) -> NDArray[Any]:
        """The embedding (d,) of the other image, or the one that stands in its place."""
        space = len(view.space)
        shape: tuple[int, ...] = tuple(getattr(self.to, "shape", ()))
        if len(shape) == 1:
            return _vector(self.to)
        prepared = "float" in str(getattr(self.to, "dtype", ""))
        if prepared and len(shape) != 1 + space and not (len(shape) == 2 + space and shape[:1] == (1,)):
            raise BadParameter(
                f"{self}: a float array {shape} is neither an embedding (d,) nor one prepared image "
                f"{'(c, h, w)' if space == 2 else '(c, *space)'}. Give one of these, or a photo."
            )
        [batch] = view.model.batches(self.to[None] if prepared and len(shape) == 1 + space else self.to)
        if len(batch.x) != 1:
            raise BadParameter(f"{self}: these are {len(batch.x)} images; an image is held against one.")
        return numbers(embedding(view.model.whole(batch.x)))[0]

    @classmethod
    def parse(cls, text: str) -> "Similar":
        """similar:PATH, of a photo."""
        path = text.partition(":")[2]
        if holds_no_question(path) and path.strip().startswith(("array (", "image (")):
            raise BadParameter(f"{quoted(text)}: the image is known by its SHA-256 alone: give Similar(image).")
        if not literal(path):
            raise unreadable(text, "", "similar:PATH, as in similar:dog.jpg.")
        return cls(literal(path))

    def __str__(self) -> str:
        name = self.to if isinstance(self.to, str | Path) else self.to.name if isinstance(self.to, Photo) else None
        file = getattr(self.to, "filename", "") if isinstance(self.to, Image.Image) else ""
        return f"similar:{quote(str(name or file)) if name or file else described(self.to)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Similar) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


@dataclass(frozen=True)
class Text(Aim):
    """How well a text fits, as networks with an image and a text tower say it: CLIP, Radford et al. 2021, sec. 3.1.2.

    Explained: the logit s e . t / (|e| |t|) + b of the text, s and b the network's own scale and bias (b of SigLIP, Zhai et
        al. 2023, alone).
    against: other texts; their mean logit is subtracted, so that only what tells the text from them is explained.
    template: a sentence around each text, such as "a photo of a {}".
    The probability is among the text and those against it, by softmax; of networks with a bias, of the text alone, by sigmoid.
    Raises NotApplicable for a network without a text tower, or wrapped without its tokenizer.
    """

    text: str
    against: str | Sequence[str] = ()
    template: str = "{}"
    widest: ClassVar[bool] = False
    local: ClassVar[bool] = False

    def __post_init__(self) -> None:
        several = isinstance(self.against, Iterable) and not isinstance(self.against, str | bytes)
        others = tuple(self.against) if several else (self.against,)
        object.__setattr__(self, "against", others)
        if not all(isinstance(text, str) and text.strip() for text in (self.text, *others)):
            said = f"Text({quoted(self.text)}, against={quoted(others)})"
            raise BadParameter(f"{said}: give texts, as in Text('a dog', against=['a cat']).")
        if not isinstance(self.template, str) or "{}" not in self.template:
            raise BadParameter(f"Text: template={quoted(self.template)} has no {{}}, where the text goes: 'a photo of a {{}}'.")
        if max(map(len, (self.template, self.text, *others))) > LONGEST or len(others) > RIVALS:
            raise BadParameter(
                f"Text: a text has at most {LONGEST:,} characters, and is held against at most {RIVALS:,} others."
            )
        if self.text in others:
            raise BadParameter(f"Text({quoted(self.text)}): a text cannot be held against itself.")
        if len({*others}) < len(others):
            raise BadParameter(f"Text({quoted(self.text)}, against={quoted(others)}): a text is named twice. Name each once.")

    @property
    def texts(self) -> list[str]:
        """All texts in their sentences; that which is explained comes first."""
        return [self.template.replace("{}", text) for text in (self.text, *self.against)]

    def pin(self, output: Any, view: ImageView) -> Pinned:
        if view.model.towers is None:
            raise NotApplicable(
                f"{self}: {view.model.name} has no text tower, so no text fits it. Load one that has, "
                'load("hf/openai/clip-vit-base-patch32"), or ask for Similar(to=photo).'
            )
        words = view.model.towers.words(view.model.network, self.texts)
        vector = embedding(output)
        _checked(numbers(vector)[0], words.unit.shape[1], f"{self}: of the image explained", NotHere)
        rivals = words.unit[1:].mean(0) if self.against else 0.0
        direction = words.scale * (words.unit[0] - rivals)  # (d,)
        start = 0.0 if self.against or words.bias is None else words.bias

        def read(output: Any) -> Array:
            return (unit(embedding(output)) * direction).sum(-1) + start

        chance = _chance(words.scale * numbers((unit(vector) * words.unit).sum(-1)), words.bias)
        kind = "logits" if words.scaled else "similarity"
        return Pinned(read, kind, str(self), None, self.words, chance, words.notes)

    @property
    def words(self) -> str:
        """The text and those against it, for a caption: "a dog vs a cat"."""
        return self.text + (f" vs {', '.join(self.against)}" if self.against else "")

    @classmethod
    def parse(cls, text: str) -> "Text":
        """text:TEXT, or text:TEXT|OTHER|OTHER against others."""
        first, *others = [literal(piece) for piece in pieces(text.partition(":")[2], "|")]
        if not all((first, *others)):
            raise unreadable(text, "", "text:TEXT or text:TEXT|OTHER|OTHER, as in 'text:a dog|a cat'.")
        return cls(first, others)

    def __str__(self) -> str:
        return f"text:{'|'.join(map(quote, self.texts))}"


def embedding(output: Any) -> Array:
    """The embedding (n, d) in an output: the output itself, a part with a name in NAMED, or the first part that can be one."""
    if isinstance(output, Mapping):
        parts = [output[name] for name in NAMED if name in output] + [*output.values()]
    else:
        parts = [*output] if isinstance(output, tuple | list) else [output]
    for part in parts:
        shape, kind = tuple(getattr(part, "shape", ())), str(getattr(part, "dtype", ""))
        if len(shape) > 1 and "float" in kind and 0 not in shape and set(shape[2:]) <= {1}:
            flat = part.reshape(shape[:2])
            return flat.astype(np.float64) if isinstance(part, np.ndarray) else flat.float() if "float16" in kind else flat
    contents = ", ".join(str(tuple(part.shape)) if hasattr(part, "shape") else type(part).__name__ for part in parts)
    raise NotApplicable(
        f"Similar and Text need an embedding (n, d), and the network gives {contents or 'nothing'}. "
        "Say where it is: wrap(output=...), or pool what there is: wrap(output=lambda out: out.mean((2, 3)))."
    )


def unit(vectors: Array) -> Array:
    """Vectors (n, d), each scaled to length one; a vector of zeros stays as it is."""
    return vectors / ((vectors * vectors).sum(-1).clip(min=TINY) ** 0.5)[:, None]


def _vector(values: Any) -> NDArray[np.float64]:
    """An embedding (d,) as a person gives it; BadParameter for anything that is no row of numbers."""
    try:
        return np.asarray(numbers(values), np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise BadParameter(f"Similar: a {type(values).__name__} is neither a photo nor an embedding (d,).") from None


def _checked(vector: NDArray[Any], d: int, whose: object, otherwise: type[Misuse] = BadParameter) -> NDArray[Any]:
    """The vector, if it has d numbers and a direction; else an error of the kind `otherwise`, that begins with whose it is."""
    if vector.shape != (d,):
        raise BadParameter(f"{whose}: the embedding has {vector.size} numbers, and there are {d} to compare with.")
    if not np.isfinite(vector).all():
        raise otherwise(f"{whose}: the embedding holds NaN or infinity.")
    if not vector.any():
        raise otherwise(f"{whose}: the embedding is all zero, so it has no direction.")
    return vector


def _like(vector: NDArray[Any], output: Array) -> Array:
    """The vector, scaled to length one, as the same kind of array as the output."""
    t = unit(vector[None].astype(np.float64))[0]
    return t if isinstance(output, np.ndarray) else output.new_tensor(t)


def _chance(logits: NDArray[Any], bias: float | None) -> float | None:
    """The probability of the first of the logits (k,), to which the bias, where there is one, is still to be added."""
    if bias is not None:
        return float(1 / (1 + np.exp(-(logits[0] + bias))))
    return None if len(logits) == 1 else float(1 / np.exp(logits - logits[0]).sum())
