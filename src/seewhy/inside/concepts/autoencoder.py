"""A sparse autoencoder: few of many features, each a direction, that together give back what a layer emits at a place."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, whole_number
from seewhy.printable import quoted

RELU, TOPK, JUMPRELU = "relu", "topk", "jumprelu"
KINDS = (RELU, TOPK, JUMPRELU)


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """Features f = kind((a - decoder_bias) encoder + encoder_bias) of what a layer emits at a place, a (d,), and a back from
    them: f decoder + decoder_bias.

    encoder: (d, m); encoder_bias: (m,); decoder: (m, d), the direction of each feature; decoder_bias: (d,).
    kind: "relu"; "topk": the k greatest, as far as they are above zero; "jumprelu": those above their threshold (m,).
    centred: the decoder's bias is taken away from a first.  name: of the file, with the start of its SHA-256.
    Raises BadParameter where parts do not fit, or one that the kind needs is missing.
    Source: Bricken et al. 2023, Towards monosemanticity; Gao et al. 2024, Scaling and evaluating sparse autoencoders (topk);
    Rajamanoharan et al. 2024, Jumping ahead (jumprelu).
    """

    encoder: NDArray[np.floating] = field(repr=False)
    encoder_bias: NDArray[np.floating] = field(repr=False)
    decoder: NDArray[np.floating] = field(repr=False)
    decoder_bias: NDArray[np.floating] = field(repr=False)
    kind: str
    centred: bool
    k: int | None = None
    threshold: NDArray[np.floating] | None = field(default=None, repr=False)
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.encoder, np.ndarray) or self.encoder.ndim != 2:
            raise BadParameter(f"The encoder is an array (channels, features), not {_words(self.encoder)}.")
        d, m = self.encoder.shape
        shapes = {"encoder_bias": (m,), "decoder": (m, d), "decoder_bias": (d,), "threshold": (m,)}
        for name, shape in shapes.items():
            part = getattr(self, name)
            if part is not None and np.shape(part) != shape:
                raise BadParameter(f"Of an encoder of {(d, m)} the {name} is of {shape}, not {np.shape(part)}.")
        for name in ("encoder", *shapes):
            part = getattr(self, name)
            if part is not None and (not isinstance(part, np.ndarray) or not np.isfinite(part).all()):
                raise BadParameter(f"The {name} of an autoencoder is an array of finite numbers; this is {_words(part)}.")
        if self.kind not in KINDS:
            raise BadParameter(f"kind={quoted(self.kind)}: an autoencoder is {', '.join(KINDS)}.")
        if self.kind == TOPK and self.k is None:
            raise BadParameter("An autoencoder of the kind topk needs k, how many features a place has.")
        if self.k is not None:
            whole_number(self.k, "k", 1)
        if self.kind == JUMPRELU and self.threshold is None:
            raise BadParameter("An autoencoder of the kind jumprelu needs a threshold for each feature.")

    @property
    def channels(self) -> int:
        """How many numbers it takes: d."""
        return self.encoder.shape[0]

    @property
    def features(self) -> int:
        """How many features it has: m."""
        return self.encoder.shape[1]

    def encode(self, a: NDArray[np.floating]) -> NDArray[np.floating]:
        """The features (n, m) of what a layer emits at n places, (n, d); none is below zero."""
        before = (a - self.decoder_bias if self.centred else a) @ self.encoder + self.encoder_bias
        above = np.maximum(before, 0)
        if self.kind == TOPK and self.k is not None and self.k < self.features:
            kept = np.argpartition(before, -self.k, axis=1)[:, -self.k :]
            few = np.zeros_like(above)
            np.put_along_axis(few, kept, np.take_along_axis(above, kept, axis=1), axis=1)
            return few
        if self.kind == JUMPRELU and self.threshold is not None:
            return np.where(before > self.threshold, above, 0)
        return above

    def decode(self, features: NDArray[np.floating]) -> NDArray[np.floating]:
        """What features (n, m) stand for: (n, d)."""
        return features @ self.decoder + self.decoder_bias


def _words(part: object) -> str:
    if not isinstance(part, np.ndarray):
        return f"a {type(part).__name__}"
    return f"an array of {part.shape}" + ("" if np.isfinite(part).all() else " that holds NaN or infinity")
