"""Token: a word that the network itself wrote about the image."""

from itertools import pairwise

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import BadParameter, NotApplicable, NotHere
from seewhy.models.model import INPUT
from seewhy.targets.aim import ImageView
from seewhy.targets.parse import read
from seewhy.targets.target import Class
from seewhy.targets.token import Token
from support.vision_language import FAMILIES, WORDS, X, logits, model, network

pytest.importorskip("transformers")
VIEW = ImageView((48, 48), None, None, None)


def aimed(m, *of, x=X):
    return m.aimed([Token(each, longest=5) if isinstance(each, str | int) else each for each in of], x, VIEW)


@pytest.mark.parametrize("name", FAMILIES)
def test_its_logit_and_its_gradient(name):
    """The logit of the third word behind the first two, and how it changes along two directions, by differences."""
    made = network(name)
    m, (pinned,) = aimed(model(name, made), 2)
    text = [*pinned.written.ids[:2]]
    number = lambda x: float(logits(name, made, x, text)[pinned.written.ids[2]])  # noqa: E731
    step, off = (1e-5, 1e-6) if name in ("blip", "captioner") else (3e-4, 1e-3)  # the others norm in float32
    with torch.no_grad():
        assert m.answer(X).scores[0, 0] == pytest.approx(number(X), abs=1e-5)
        for seed in (0, 1):
            d = np.random.default_rng(seed).normal(size=X.shape)
            slope = (number(X + step * d) - number(X - step * d)) / (2 * step)
            g = m.trace(X, [Class(0)], [INPUT]).evidence[INPUT].g[0]
            assert float((np.asarray(g) * d).sum()) == pytest.approx(slope, rel=1e-3, abs=off)


def test_the_sentence_stays_whatever_the_image():
    """Of another image the network writes another text; its number is still that of the text of the first."""
    made = network("llava")
    m, (pinned,) = aimed(model("llava", made), 3)
    other = X[:, :, ::-1].copy() * 2
    (about_other,) = aimed(model("llava", made), 3, x=other)[1]
    text = pinned.written.ids
    assert about_other.written.ids[:4] != text[:4]
    with torch.no_grad():
        expected = float(logits("llava", made, other, [*text[:3]])[text[3]])
    assert m.answer(np.concatenate([X, other])).scores[1, 0] == pytest.approx(expected, abs=1e-5)
    again, _ = model("llava", made).aimed([seewhy.targets.aim.PinnedAim(pinned)], other, VIEW)
    assert again.answer(other).scores[0, 0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["log-probability", "probability"])
def test_other_kinds_of_score(kind):
    m, (pinned,) = aimed(model("blip", scores=kind), 1)
    found = m.answer(X).scores[0, 0]
    assert pinned.kind == kind
    assert (np.exp(found) if kind == "log-probability" else found) == pytest.approx(pinned.written.chances[1], rel=1e-5)
    assert pinned.probability == pytest.approx(pinned.written.chances[1])


def test_a_word_is_found_in_the_text_and_told_in_the_source():
    m = model("llava")
    (by_number,) = seewhy.gradient(m, X, target=Token(1, longest=5))
    word = by_number.source.label
    (by_word,) = seewhy.gradient(m, X, target=f"token:{word.upper()}|longest=5")
    source = by_word.source
    assert word in WORDS
    assert source.label == word
    assert source.target == f"token:{word.upper()}|longest=5"
    assert source.written["explained"][0] <= 1
    assert source.written["text"].split()[source.written["explained"][0]] == word
    assert f"for {word}, " in source.caption
    assert seewhy.Source.from_json(source.to_json()) == source
    with pytest.raises(NotHere, match=r"no such word in what the network wrote. It wrote '.*0:word"):
        seewhy.gradient(m, X, target="token:zebra|longest=5")
    with pytest.raises(NotHere, match="token 9: the network wrote 5 tokens"):
        seewhy.gradient(m, X, target="token:9|longest=5")


def test_several_tokens_share_one_text_and_a_method_of_each_kind_explains_them():
    m = model("llava")
    maps = seewhy.explain(m, X, ["grad-cam", "gradient", "occlusion"], target=["token:0|longest=3", "token:2|longest=3"])
    assert {h.source.written["text"] for h in maps} == {maps[0].source.written["text"]}
    assert [h.source.written["explained"] for h in maps] == [(0,), (0,), (0,), (2,), (2,), (2,)]
    assert all(np.isfinite(h.values).all() and h.values.any() for h in maps if h.source.method != "grad-cam")
    assert any(not np.array_equal(a.values, b.values) for a, b in pairwise(maps))


def test_a_network_that_writes_nothing():
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 4), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).double()
    with pytest.raises(NotApplicable, match=r"token:0: plain writes no text about an image. Load a vision-language model"):
        seewhy.gradient(seewhy.wrap(plain, name="plain"), X, target="token:0")


@pytest.mark.parametrize("of", [Token("dog"), Token(3), Token("a|b", 0, 12), Token("3"), Token('say "x"', longest=1)])
def test_it_is_read_as_it_is_written(of):
    assert read(str(of)) == [of]


@pytest.mark.parametrize(
    ("text", "of"), [("token:dog", Token("dog")), ("token: 3 ", Token(3)), ("token:big dog|seed=4", Token("big dog", 4))]
)
def test_how_a_person_writes_it(text, of):
    assert read(text) == [of]


@pytest.mark.parametrize("text", ["token:", "token:dog|seed", "token:dog|seed=-1", "token:dog|longest=0", "token:dog|top=1"])
def test_what_is_no_token(text):
    with pytest.raises(BadParameter, match=r"token:WORD|longest"):
        read(text)


@pytest.mark.parametrize("asked", [{"of": ""}, {"of": -1}, {"of": 1.5}, {"of": True}, {"of": "a", "longest": 0},
                                   {"of": "a", "seed": -1}, {"of": "a", "seed": True}])  # fmt: skip
def test_what_makes_no_token(asked):
    with pytest.raises(BadParameter, match="Token"):
        Token(**asked)
