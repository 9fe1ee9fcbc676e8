"""A text that a network wrote about an image, token by token, and where its words stand in it."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NotHere
from seewhy.printable import printable, quoted

SHOWN = 300  # characters of a text in an error


class Writing(NamedTuple):
    """How a network is to write: the likeliest token each time, or drawn by its own settings from a seed; so many at most."""

    seed: int | None = None
    longest: int = 64


class WrittenText(NamedTuple):
    """What a network wrote about one image.

    text: without marks such as the end of the text.  tokens: its tokens in order, marks among them, as pieces of the whole
        text, or "#17", by their numbers in the vocabulary, where no tokenizer was given.
    chances: how likely the network found each token (tokens,), after the image, what it was asked and the tokens before.
    """

    text: str
    tokens: tuple[str, ...]
    chances: NDArray[np.float64]
    ids: tuple[int, ...]
    row: int  # of the logits (rows, vocabulary): the one that foretells the first token; token i is foretold by row + i
    marks: tuple[bool, ...]  # which tokens are no part of the text
    given: tuple[int, ...]  # all that came before the first token, images' places among them, by numbers in the vocabulary
    how: Writing
    named: bool = True  # there is a tokenizer
    inputs: Any = None  # what makes the network read this text with any image

    def __str__(self) -> str:
        return f"{quoted(self.text)}: " + " ".join(f"{i}:{token.strip() or '_'}" for i, token in enumerate(self.tokens))

    def place_of(self, of: str | int) -> tuple[int, ...]:
        """The tokens of a word, where it stands first, or the one of that number.  Raises NotHere where it is not there."""
        if not isinstance(of, str):
            if of >= len(self.tokens):
                raise NotHere(f"token {of}: the network wrote {len(self.tokens)} tokens. {self._there()}")
            return (of,)
        if not self.named:
            raise BadParameter(
                f"Token({quoted(of)}): without a tokenizer the network's text is numbers alone. Give wrap(tokenizer=), its "
                "tokenizer or processor, or ask for a token by its number."
            )
        whole = "".join(self.tokens)
        if (found := _word(of, whole)) is None:
            raise NotHere(f"Token({quoted(of)}): there is no such word in what the network wrote. {self._there()}")
        ends = np.cumsum([len(token) for token in self.tokens])
        begins = ends - [len(token) for token in self.tokens]
        return tuple(int(i) for i in np.flatnonzero((begins < found.end()) & (ends > found.start())))

    def words(self, at: Sequence[int]) -> str:
        """The text of some of its tokens."""
        return "".join(self.tokens[i] for i in at).strip() or f"token {at[0]}"

    def facts(self, at: Sequence[int]) -> dict[str, Any]:
        """What a Source says of it, and of the tokens that a map explains."""
        return {"text": self.text, "tokens": [*self.tokens], "explained": [*at], **self.how._asdict()}

    def _there(self) -> str:
        return f"It wrote {printable(str(self), SHOWN)}"


def _word(word: str, text: str) -> re.Match[str] | None:
    """Where a word stands alone in a text, as it is written, else in capitals or small letters; else within another word."""
    alone, within = rf"(?<!\w){re.escape(word.strip())}(?!\w)", re.escape(word.strip())
    tries = ((alone, re.NOFLAG), (alone, re.IGNORECASE), (within, re.NOFLAG), (within, re.IGNORECASE))
    return next((found for pattern, how in tries if (found := re.search(pattern, text, how))), None)
