"""Texts that networks write about an image: written once as `generate` writes them, and read again with any image."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import BadNetwork, BadParameter, NotApplicable
from seewhy.models.torch.writing import write
from seewhy.targets.written import Writing
from support.vision_language import FAMILIES, WORDS, X, logits, model, network, question

pytest.importorskip("transformers")
SIX = Writing(longest=6)


def written(m, x=X, how=SIX):
    with m.runner.ready(x) as ready, torch.no_grad():
        return write(m.runner, ready, how)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_likeliest_word_each_time(name):
    """Word by word, each time the whole pass anew, without any cache."""
    made = network(name)
    text, chances = list[int](), list[float]()
    with torch.no_grad():
        while len(text) < 6 and (not text or text[-1] != 2):
            row = logits(name, made, X, text)
            text.append(int(row.argmax()))
            chances.append(float(row.softmax(-1).max()))
    found = written(model(name, made))
    assert found.ids == tuple(text)
    np.testing.assert_allclose(found.chances, chances, rtol=1e-5)
    assert "".join(found.tokens).split() == [WORDS[i] for i in text]
    assert found.text == " ".join(WORDS[i] for i in text if i != 2)
    assert found.marks == tuple(i == 2 for i in text)


def test_a_text_is_drawn_from_a_seed_and_nobody_elses_numbers_move_on():
    m = model("llava")
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    texts = [written(m, how=Writing(seed, 6)).ids for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_network_stays_as_it_was():
    made = network("blip")
    made.text_decoder.train()
    before = {key: value.clone() for key, value in made.state_dict().items()}
    config = made.generation_config.to_dict()
    seewhy.gradient(model("blip", made), X, target=seewhy.Token(0, longest=3))
    assert all(torch.equal(made.state_dict()[key], value) for key, value in before.items())
    assert made.text_decoder.training
    assert not made.vision_model.training
    assert made.generation_config.to_dict() == config
    assert not any(module._forward_hooks for module in made.modules())


def test_a_text_that_is_read_otherwise_than_it_was_written_is_refused():
    """Without its kinds of tokens PaliGemma reads its own words both ways, which it wrote one way."""
    asked = question("paligemma")
    inputs = {"input_ids": asked["input_ids"], "pixel_values": seewhy.IMAGE}
    with pytest.raises(NotApplicable, match=r"other logits when it reads its own text.*token_type_ids"):
        seewhy.gradient(seewhy.wrap(network("paligemma"), inputs=inputs), X, target="token:0|longest=3")


def test_a_question_that_the_network_does_not_take():
    inputs = {"input_ids": torch.tensor([[1, 5, 7]]), "pixel_values": seewhy.IMAGE}
    with pytest.raises(BadNetwork, match=r"generate failed with input_ids, pixel_values: ValueError: .*image token"):
        seewhy.gradient(seewhy.wrap(network("llava"), inputs=inputs), X, target="token:0")


def test_one_text_at_a_time():
    """Tokens of two texts are asked for one after the other, each with its own text."""
    maps = seewhy.gradient(model("llava"), X, target=[seewhy.Token(0, longest=3), seewhy.Token(0, seed=3, longest=3)])
    alone = [seewhy.gradient(model("llava"), X, target=m.source.target)[0] for m in maps]
    assert [m.source.written["seed"] for m in maps] == [None, 3]
    for m, other in zip(maps, alone, strict=True):
        np.testing.assert_array_equal(m.values, other.values)


def test_a_tokenizer_is_for_those_that_read_or_write():
    with pytest.raises(BadParameter, match="and those that write, with generate; Linear has none of these"):
        seewhy.wrap(torch.nn.Linear(2, 2), tokenizer=len)
