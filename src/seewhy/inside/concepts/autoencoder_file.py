"""Sparse autoencoders from files, by the names that SAELens, sparsify, dictionary_learning and Overcomplete give."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, BadWeights, whole_number
from seewhy.json_text import json_of
from seewhy.models.tensors import stored_tensors
from seewhy.printable import printable, quoted

from .autoencoder import JUMPRELU, KINDS, RELU, TOPK, Autoencoder

FILES = ("sae_weights.safetensors", "sae.safetensors", "model.safetensors", "ae.safetensors", "ae.pt")  # in a folder
SETTINGS = ("cfg.json", "config.json")  # beside them
WORDS = {  # what others call the kinds
    **dict.fromkeys(("standard", "relu", "autoencoder", "standardtrainer"), RELU),
    **dict.fromkeys(("topk", "top_k", "autoencodertopk", "topksae"), TOPK),
    **dict.fromkeys(("jumprelu", "jump_relu", "jumpreluautoencoder", "jumpsae"), JUMPRELU),
    **dict.fromkeys(("batchtopk", "batch_topk", "batchtopksae"), "batchtopk"),
}
LARGEST = 2**20  # characters of settings
BATCH_NORM = 1e-5  # what torch adds to a variance, where nobody says another
Arrays = Mapping[str, NDArray[Any]]


def load_autoencoder(
    path: str | Path, kind: str | None = None, k: int | None = None, centred: bool | None = None, trust: bool = False
) -> Autoencoder:
    """A sparse autoencoder from a file of weights, or from a folder that holds one; settings beside it (cfg.json) are read.

    path: .safetensors, or a file of torch.save that holds tensors alone.  kind: "relu", "topk" or "jumprelu"; k: of topk, how
    many features a place has; centred: is the decoder's bias taken away from the input first?  Each is by default what the file
    or its settings say.  trust: read a pickle that runs code.
    Raises BadWeights for what is no autoencoder, or one that cannot be read as such; BadParameter where a setting is not known.
    """
    file = _file(Path(path))
    stored = stored_tensors(file, trust)
    settings = {**stored.facts, **_settings(file)}
    arrays = stored.arrays
    _check_settings(settings, arrays, file)
    parts = _parts(arrays, file)
    known = _kind(kind, settings, arrays, file)
    made = Autoencoder(
        *parts[:4],
        kind=known,
        centred=_centred(centred, settings, arrays, parts[3], file),
        k=_k(k, settings, arrays, parts[1].shape[0], file) if known == TOPK else None,
        threshold=_threshold(arrays, parts[1].shape[0], file) if known == JUMPRELU else None,
        name=f"{file.name} {stored.digest}",
    )
    return _folded(made) if settings.get("rescale_acts_by_decoder_norm") in (True, "True", "true") else made


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = [path / name for name in FILES if (path / name).is_file()]
    if not found:
        raise BadWeights(f"{path} holds none of {', '.join(FILES)}. Give the file of the autoencoder itself.")
    return found[0]


def _settings(file: Path) -> dict[str, Any]:
    """What a file of settings beside it says, with what dictionary_learning has in its "trainer"."""
    for name in SETTINGS:
        beside = file.parent / name
        if beside.is_file():
            try:
                said = json_of(beside.read_bytes(), LARGEST)
            except (ValueError, OSError) as error:
                raise BadWeights(f"{beside}, the settings of the autoencoder, cannot be read: {error}.") from None
            if isinstance(said, dict):
                inner = said.get("trainer")
                return {**said, **(inner if isinstance(inner, dict) else {})}
    return {}


def _check_settings(settings: Mapping[str, Any], arrays: Arrays, file: Path) -> None:
    """Raise BadWeights where its settings ask for what is not done here."""
    scaled = settings.get("normalize_activations")
    if scaled not in (None, "none", "None", False, ""):
        raise BadWeights(
            f"{file} takes activations that were scaled first (normalize_activations={quoted(scaled)}). Fold the scale into "
            "its weights, as SAELens' fold_activation_norm_scaling_factor does, and save it anew."
        )
    odd = [name for name in ("transcode", "skip_connection", "multi_topk") if settings.get(name) is True]
    odd += [name for name in ("b_gate", "r_mag", "gate_bias", "W_skip") if name in arrays]
    if odd:
        raise BadWeights(
            f"{file} has {', '.join(odd)}: transcoders and gated autoencoders are not read, relu, topk and jumprelu are."
        )


def _parts(arrays: Arrays, file: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """encoder (d, m), its bias, decoder (m, d), its bias."""
    if "dictionary._weights" in arrays:
        return _of_overcomplete(arrays, file)
    decoder = arrays["W_dec"] if "W_dec" in arrays else arrays["decoder.weight"].T if "decoder.weight" in arrays else None
    encoder = arrays["W_enc"] if "W_enc" in arrays else arrays["encoder.weight"].T if "encoder.weight" in arrays else None
    if decoder is None or encoder is None or decoder.ndim != 2 or encoder.ndim != 2:
        held = printable(", ".join(arrays), 200)
        raise BadWeights(
            f"{file} is no autoencoder that is known: it holds {held}. Known are W_enc, b_enc, W_dec, b_dec (SAELens), "
            "encoder.weight, encoder.bias, W_dec or decoder.weight, b_dec or bias (sparsify, dictionary_learning), and "
            "encoder.final_block, dictionary._weights (Overcomplete)."
        )
    m, d = decoder.shape
    bias = next((arrays[name] for name in ("b_enc", "encoder.bias") if name in arrays), np.zeros(m, encoder.dtype))
    back = next((arrays[name] for name in ("b_dec", "bias", "decoder.bias") if name in arrays), np.zeros(d, encoder.dtype))
    return _fitting(encoder, bias, decoder, back, file)


def _fitting(encoder: Any, bias: Any, decoder: Any, back: Any, file: Path) -> Any:
    """The parts, the matrices as (d, m) and (m, d); BadWeights where they do not fit."""
    m, d = len(np.ravel(bias)), len(np.ravel(back))
    encoder = encoder.T if encoder.shape == (m, d) != (d, m) else encoder
    decoder = decoder.T if decoder.shape == (d, m) != (m, d) else decoder
    if encoder.shape != (d, m) or decoder.shape != (m, d):
        raise BadWeights(
            f"{file}: an encoder of {encoder.shape} and a decoder of {decoder.shape} do not fit biases of {m} and {d} numbers."
        )
    wide = np.result_type(*(part.dtype for part in (encoder, bias, decoder, back)), np.float32)
    return tuple(np.ascontiguousarray(part, wide) for part in (encoder, np.ravel(bias), decoder, np.ravel(back)))


def _of_overcomplete(arrays: Arrays, file: Path) -> Any:
    """A linear encoder and its batch normalisation as one matrix; it has no bias of the decoder."""
    deep = [name for name in arrays if name.startswith(("encoder.mlp_blocks", "encoder.attention", "encoder.resnet"))]
    if deep or "encoder.final_block.0.weight" not in arrays:
        raise BadWeights(f"{file}: its encoder is not one linear layer ({', '.join(deep[:2]) or 'no encoder.final_block'}).")
    weight, decoder = arrays["encoder.final_block.0.weight"].T, arrays["dictionary._weights"]
    bias = arrays.get("encoder.final_block.0.bias", np.zeros(weight.shape[1], weight.dtype))
    norm = {name: arrays.get(f"encoder.final_block.1.{name}") for name in ("weight", "bias", "running_mean", "running_var")}
    if norm["running_var"] is not None and norm["running_mean"] is not None:
        scale = (1.0 if norm["weight"] is None else norm["weight"]) / np.sqrt(norm["running_var"] + BATCH_NORM)
        shift = 0.0 if norm["bias"] is None else norm["bias"]
        weight, bias = weight * scale, (bias - norm["running_mean"]) * scale + shift
    elif norm["weight"] is not None:
        raise BadWeights(f"{file}: its encoder normalises each activation (LayerNorm), which is no linear step.")
    return _fitting(weight, bias, decoder, np.zeros(decoder.shape[1], decoder.dtype), file)


def _kind(given: str | None, settings: Mapping[str, Any], arrays: Arrays, file: Path) -> str:
    if given is not None:
        if given not in KINDS:
            raise BadParameter(f"kind={quoted(given)}: an autoencoder is {', '.join(KINDS)}.")
        return given
    thresholds = any(name in arrays for name in ("threshold", "log_threshold", "thresholds"))
    for name in ("architecture", "dict_class", "activation_fn_str", "activation_fn", "activation"):
        said = str(settings.get(name, "")).lower().rpartition(".")[2]
        if said in WORDS:
            return (JUMPRELU if thresholds else TOPK) if WORDS[said] == "batchtopk" else WORDS[said]
        if said.startswith(("gated", "groupmax", "matching", "transcoder", "skip")):
            raise BadWeights(f"{file} is of the kind {quoted(said)}; relu, topk and jumprelu are read.")
    if thresholds != ("k" in arrays or settings.get("k") is not None):
        return JUMPRELU if thresholds else TOPK
    raise BadParameter(
        f"Nothing at {file} says what kind of autoencoder it is. Give kind=: relu, topk (with k=) or jumprelu.",
        typed=f"Nothing at {file} says what kind of autoencoder it is. Give --kind relu, topk (with --k) or jumprelu.",
    )


def _k(given: Any, settings: Mapping[str, Any], arrays: Arrays, features: int, file: Path) -> int:
    inner = settings.get("activation_fn_kwargs")
    said = (
        given,
        settings.get("k"),
        inner.get("k") if isinstance(inner, Mapping) else None,
        settings.get("top_k"),
        arrays.get("k"),
    )
    k = next((each for each in said if each is not None), None)
    if k is None:
        what = f"Nothing at {file} says how many features a place has."
        raise BadParameter(f"{what} Give k=.", typed=f"{what} Give --k.")
    number = np.asarray(k).ravel()
    return whole_number(int(number[0]) if given is None and len(number) == 1 else k, "k", 1, features)


def _centred(given: bool | None, settings: Mapping[str, Any], arrays: Arrays, bias: Any, file: Path) -> bool:
    if given is not None:
        return bool(given)
    if not np.any(bias):
        return False
    said = settings.get("apply_b_dec_to_input")
    if isinstance(said, bool) or said in ("True", "False", "true", "false"):
        return said in (True, "True", "true")
    if "encoder.weight" in arrays:  # sparsify and dictionary_learning do
        return True
    if "jumprelu" in str(settings.get("dict_class", "")).lower():  # dictionary_learning's alone does not
        return False
    what = f"Nothing at {file} says whether its decoder's bias is taken away from activations first."
    raise BadParameter(
        f"{what} Give centred=True (SAELens by default) or False (Gemma Scope).",
        typed=f"{what} Give --centred (SAELens by default) or --not-centred (Gemma Scope).",
    )


def _threshold(arrays: Arrays, features: int, file: Path) -> NDArray[Any]:
    logs = next((arrays[name] for name in ("log_threshold", "thresholds") if name in arrays), None)
    found = arrays.get("threshold", None if logs is None else np.exp(logs))
    if found is None:
        raise BadWeights(f"{file} has no threshold, which an autoencoder of the kind jumprelu needs. Give kind=relu or topk.")
    if found.size not in (1, features):
        raise BadWeights(f"{file}: it has {features} features and {found.size} thresholds.")
    return np.broadcast_to(found.ravel(), (features,)).copy()


def _folded(made: Autoencoder) -> Autoencoder:
    """The same with directions of length 1: features are then what they are where they are chosen."""
    lengths = np.linalg.norm(made.decoder, axis=1)
    if not lengths.all():
        raise BadWeights(f"{made.name}: some of its features have a direction of length zero, and are scaled by that.")
    return replace(
        made, encoder=made.encoder * lengths, encoder_bias=made.encoder_bias * lengths, decoder=made.decoder / lengths[:, None]
    )
