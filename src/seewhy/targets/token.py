"""Why this word?  An aim at a token of the text that the network itself wrote about the image."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seewhy.arrays import Array, first_of
from seewhy.errors import BadParameter, NotApplicable
from seewhy.printable import quoted

from .aim import Aim, ImageView, Pinned
from .embedding import LONGEST
from .grammar import literal, pieces, quote, unreadable
from .target import LARGEST
from .written import Writing

MOST = 4096  # tokens of a text
HOW = "token:WORD or token:3, of a text that is drawn token:WORD|seed=0, of a longer one token:WORD|longest=200."
OTHERS = (
    'Load a vision-language model of transformers, and wrap it with its inputs: wrap(network, prepare, inputs={"input_ids": '
    'ids, "pixel_values": seewhy.IMAGE}, tokenizer=processor).'
)


@dataclass(frozen=True)
class Token(Aim):
    """A word, or a token, of the text that a vision-language model wrote about the image.

    of: a word, for all tokens that it is made of where it stands first; or the number of a token from 0 on.
    seed: None writes the likeliest token each time; else tokens are drawn by the network's own settings from this seed.
    longest: the text ends there, if not before.

    The text is written once, on the untouched image.  From then on the network reads it with every variant of the image, and
    what is explained is the logit of the token behind the image, the question and the tokens before it (the sum over a word's
    tokens; with scores="log-probability" of their log-probabilities, with "probability" their product).
    Raises NotHere where the word is not in the text, NotApplicable for a network that writes none, or that does not give the
    same logits when it reads its text as when it wrote it.
    """

    of: str | int
    seed: int | None = None
    longest: int = 64
    widest: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if _counts(self.of, 0, LARGEST):
            object.__setattr__(self, "of", int(self.of))
        elif not isinstance(self.of, str) or not self.of.strip() or len(self.of) > LONGEST:
            raise BadParameter(f"Token({quoted(self.of)}): give a word of the text, or the number of a token from 0 on.")
        if not _counts(self.longest, 1, MOST):
            raise BadParameter(f"Token: longest={quoted(self.longest)} is a number of tokens from 1 to {MOST}.")
        if self.seed is not None and not _counts(self.seed, 0, 2**32 - 1):
            raise BadParameter(f"Token: seed={quoted(self.seed)} is None, or a whole number from 0 on.")

    @property
    def writing(self) -> Writing:
        return Writing(self.seed, self.longest)

    def pin(self, output: Any, view: ImageView) -> Pinned:
        written = view.written
        if written is None:
            raise NotApplicable(f"{self}: {view.model.name} writes no text about an image. {OTHERS}")
        at = written.place_of(self.of)
        kind = view.model.explains
        read = TokenReading(tuple(written.row + i for i in at), tuple(written.ids[i] for i in at), kind)
        chance = float(np.prod(written.chances[[*at]]))
        return Pinned(read, kind, str(self), None, written.words(at), chance, written=written, at=at)

    @classmethod
    def parse(cls, text: str) -> "Token":
        """token:WORD or token:3, and behind it |seed=0 and |longest=200."""
        first, *others = pieces(text.partition(":")[2], "|")
        options: dict[str, int] = {}
        for other in others:
            found = re.fullmatch(r"\s*(seed|longest)\s*=\s*([0-9]{1,10})\s*", other)
            if found is None:
                raise unreadable(text, other, HOW)
            options[found[1]] = int(found[2])
        if not literal(first):
            raise unreadable(text, "", HOW)
        return cls(int(first) if re.fullmatch(r"\s*[0-9]{1,10}\s*", first) else literal(first), **options)

    def __str__(self) -> str:
        of = quote(self.of) if isinstance(self.of, str) else str(self.of)
        drawn = "" if self.seed is None else f"|seed={self.seed}"
        return f"token:{of}{drawn}{'' if self.longest == 64 else f'|longest={self.longest}'}"


@dataclass(frozen=True)
class TokenReading:
    """Called with the network's output for m variants, it reads the number that is explained of each: (m,)."""

    rows: tuple[int, ...]  # of the logits
    ids: tuple[int, ...]  # of the tokens that these foretell
    kind: str

    def __call__(self, output: Any) -> Array:
        rows = logits_of(output)[:, [*self.rows]]  # (m, tokens, vocabulary)
        own = rows[:, [*range(len(self.ids))], [*self.ids]]
        if self.kind not in ("log-probability", "probability"):
            return own.sum(-1)
        log = (own - rows.logsumexp(-1)).sum(-1)
        return log.exp() if self.kind == "probability" else log


def logits_of(output: Any) -> Array:
    """The logits (m, rows, vocabulary) in what a network gives; NotApplicable where there are none."""
    part: Any = output.get("logits") if isinstance(output, Mapping) else first_of(output)
    if len(getattr(part, "shape", ())) != 3:
        there = ", ".join(map(str, output)) if isinstance(output, Mapping) else type(output).__name__
        raise NotApplicable(
            f"A token is read from logits (n, tokens, vocabulary), and the network gives {there}. Leave wrap(output=) out, or "
            "say where they are."
        )
    return part.float() if "float16" in str(part.dtype) else part  # also bfloat16


def _counts(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(low <= value <= high)
