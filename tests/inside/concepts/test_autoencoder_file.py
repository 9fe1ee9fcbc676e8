"""Files of sparse autoencoders, by the names that several libraries give their parts."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import seewhy
from seewhy.errors import BadParameter, BadWeights

D, M = 4, 10
DRAWN = np.random.default_rng(0)
W, B, V, C = (DRAWN.normal(size=shape).astype(np.float32) for shape in ((D, M), (M,), (M, D), (D,)))
A = DRAWN.normal(size=(5, D)).astype(np.float32)


def saved(path, tensors, settings=None, facts=None):
    made = {name: torch.tensor(np.ascontiguousarray(value)) for name, value in tensors.items()}
    save_file(made, path / "sae_weights.safetensors", facts)
    if settings is not None:
        (path / "cfg.json").write_text(json.dumps(settings))
    return path / "sae_weights.safetensors"


def relu(centred=True):
    return np.maximum((A - C if centred else A) @ W + B, 0)


def top(features, k):
    kept = np.sort(features, 1)[:, -k][:, None]
    return np.where(features >= kept, features, 0)


def jumped(features, threshold):
    return np.where(features > threshold, features, 0)


SAELENS = {"W_enc": W, "b_enc": B, "W_dec": V, "b_dec": C}
SPARSIFY = {"encoder.weight": W.T, "encoder.bias": B, "W_dec": V, "b_dec": C}
LEARNED = {"encoder.weight": W.T, "encoder.bias": B, "decoder.weight": V.T}  # of dictionary_learning
K, LOW, EACH = np.array(3), np.array(0.5, np.float32), np.full(M, 0.8, np.float32)
CENTRED, PLAIN = {"apply_b_dec_to_input": True, "normalize_activations": "none"}, {"apply_b_dec_to_input": False}
BEFORE_6 = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}
CASES = {
    "SAELens, standard": (SAELENS, {"architecture": "standard", **CENTRED}, relu()),
    "SAELens, not centred": (SAELENS, {"architecture": "standard", **PLAIN}, relu(False)),
    "SAELens, topk": (SAELENS, {"architecture": "topk", "k": 3, **CENTRED}, top(relu(), 3)),
    "SAELens, before 6": (SAELENS, {**BEFORE_6, **PLAIN}, top(relu(False), 2)),
    "SAELens, jumprelu": ({**SAELENS, "threshold": EACH}, {"architecture": "jumprelu", **PLAIN}, jumped(relu(False), 0.8)),
    "sparsify": (SPARSIFY, {"activation": "topk", "k": 4, "transcode": False}, top(relu(), 4)),
    "dictionary_learning": ({**LEARNED, "bias": C}, {"trainer": {"dict_class": "AutoEncoder"}}, relu()),
    "dictionary_learning, topk": ({**LEARNED, "b_dec": C, "k": K}, None, top(relu(), 3)),
    "dictionary_learning, batch": (
        {**LEARNED, "b_dec": C, "k": K, "threshold": LOW}, {"trainer": {"dict_class": "BatchTopKSAE"}}, jumped(relu(), 0.5)
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_autoencoder_is_read_by_the_names_of_its_library(case, tmp_path):
    tensors, settings, features = CASES[case]
    file = saved(tmp_path, tensors, settings)
    for path in (file, tmp_path):
        made = seewhy.load_autoencoder(path)
        np.testing.assert_allclose(made.encode(A), features, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(made.decode(features), features @ V + C, rtol=1e-5, atol=1e-6)
    assert made.name.startswith("sae_weights.safetensors sha256:")


def test_what_the_file_does_not_say_is_asked_for_and_what_is_given_goes_first(tmp_path):
    file = saved(tmp_path, SAELENS)
    with pytest.raises(BadParameter, match=r"what kind of autoencoder it is\. Give kind="):
        seewhy.load_autoencoder(file)
    with pytest.raises(BadParameter, match="Give centred=True"):
        seewhy.load_autoencoder(file, "relu")
    with pytest.raises(BadParameter, match="how many features a place has"):
        seewhy.load_autoencoder(file, "topk", centred=True)
    with pytest.raises(BadParameter, match="k is a whole number from 1 to 10, not 11"):
        seewhy.load_autoencoder(file, "topk", 11, True)
    with pytest.raises(BadParameter, match="kind='gated'"):
        seewhy.load_autoencoder(file, "gated", centred=True)
    with pytest.raises(BadWeights, match="has no threshold"):
        seewhy.load_autoencoder(file, "jumprelu", centred=True)
    np.testing.assert_allclose(
        seewhy.load_autoencoder(file, "topk", 2, False).encode(A), top(relu(False), 2), rtol=1e-5, atol=1e-6
    )
    told = saved(tmp_path, SAELENS, facts={"architecture": "topk", "k": "2", "apply_b_dec_to_input": "True"})
    np.testing.assert_allclose(seewhy.load_autoencoder(told, k=5).encode(A), top(relu(), 5), rtol=1e-5, atol=1e-6)


def test_directions_that_scale_their_features_are_folded(tmp_path):
    """SAELens' rescale_acts_by_decoder_norm: features are chosen by their value times the length of their direction."""
    settings = {"architecture": "topk", "k": 3, "apply_b_dec_to_input": True, "rescale_acts_by_decoder_norm": True}
    made = seewhy.load_autoencoder(saved(tmp_path, SAELENS, settings))
    lengths = np.linalg.norm(V, axis=1)
    chosen = top(relu() * lengths, 3)
    np.testing.assert_allclose(made.encode(A), chosen, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(made.decode(chosen), (chosen / lengths) @ V + C, rtol=1e-5, atol=1e-5)


def test_overcompletes_batch_normalisation_becomes_part_of_the_encoder(tmp_path):
    linear, norm = torch.nn.Linear(D, M), torch.nn.BatchNorm1d(M)
    torch.nn.init.normal_(norm.running_mean)
    torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    torch.nn.init.normal_(norm.weight)
    block = torch.nn.Sequential(linear, norm).eval()
    tensors = {f"encoder.final_block.{name}": value.detach().numpy() for name, value in block.state_dict().items()}
    made = seewhy.load_autoencoder(saved(tmp_path, {**tensors, "dictionary._weights": V}), "relu")
    with torch.no_grad():
        np.testing.assert_allclose(made.encode(A), block(torch.tensor(A)).relu(), rtol=1e-4, atol=1e-5)
    assert not made.decoder_bias.any()
    with pytest.raises(BadWeights, match="not one linear layer"):
        seewhy.load_autoencoder(saved(tmp_path, {"dictionary._weights": V, "encoder.mlp_blocks.0.0.weight": V}), "relu")


@pytest.mark.parametrize(
    ("settings", "more", "said"),
    [
        ({"normalize_activations": "layer_norm"}, {}, "Fold the scale"),
        ({"transcode": True}, {}, "transcoders"),
        ({"architecture": "gated"}, {}, "of the kind 'gated'"),
        ({}, {"b_gate": B}, "gated autoencoders are not read"),
    ],
)
def test_kinds_that_are_not_read_are_said(settings, more, said, tmp_path):
    with pytest.raises(BadWeights, match=said):
        seewhy.load_autoencoder(saved(tmp_path, {**SAELENS, **more}, settings))


def test_what_is_no_autoencoder_is_said(tmp_path):
    with pytest.raises(BadWeights, match=r"is no autoencoder that is known: it holds weight\. Known are W_enc"):
        seewhy.load_autoencoder(saved(tmp_path, {"weight": W}), "relu")
    with pytest.raises(BadWeights, match="do not fit biases of 9 and 4"):
        seewhy.load_autoencoder(saved(tmp_path, {**SAELENS, "b_enc": B[:9]}), "relu")
    (tmp_path / "cfg.json").write_text("{")
    with pytest.raises(BadWeights, match="the settings of the autoencoder, cannot be read"):
        seewhy.load_autoencoder(tmp_path, "relu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadWeights, match="holds none of sae_weights"):
        seewhy.load_autoencoder(tmp_path / "empty")
