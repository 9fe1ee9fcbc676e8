"""Text: how well a text fits an image, on networks whose embedding is its mean colour, where every answer is known."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import BadNetwork, BadParameter, NotApplicable
from seewhy.targets.embedding import Text
from seewhy.targets.parse import as_targets
from support.ask import close, values
from support.embedders import COLOURS, Mean, Towers, angles, ids, plain, squares, towers


def test_grad_cam_of_a_text_lies_where_its_colour_is():
    x = squares()
    slope = 10 * angles(x)[3] / 64  # of each logit, with each pixel of a channel
    for k, where in enumerate([np.s_[:4, :4], np.s_[4:, 4:]]):
        (heatmap,) = seewhy.grad_cam(towers(), x, target=Text(COLOURS[k]), layer="act")
        expected = np.maximum(np.einsum("c,chw->hw", slope[k], x[0]), 0)
        close(heatmap.values, expected, 1e-6)
        assert heatmap.values[where].sum() > 0.95 * heatmap.values.sum()


def test_the_gradient_of_a_text_is_that_of_its_logit():
    x = squares()
    (ours,), (theirs,) = seewhy.gradient(towers(), x, target="text:green"), seewhy.gradient(plain(1), x, target=0)
    close(ours.values, theirs.values, 1e-6)
    (product,) = seewhy.input_x_gradient(towers(), x, target=Text("green"))
    assert abs(product.values.astype(float).sum()) < 1e-6 * np.abs(product.values).sum()  # a cosine knows no length: Euler


def test_what_is_against_a_text_is_taken_off_and_turns_the_sign_round():
    x = squares()
    one, other = (seewhy.grad_cam.using(signed=True)(towers(), x, target=Text(*pair), layer="act")[0]
                  for pair in (("red", "green"), ("green", "red")))  # fmt: skip
    close(one.values, -other.values, 1e-6)
    slope = 10 * angles(x)[3] / 64
    close(one.values, np.einsum("c,chw->hw", slope[0] - slope[1], x[0]), 1e-6)
    (two,) = seewhy.grad_cam.using(signed=True)(towers(), x, target=Text("red", ["green", "blue"]), layer="act")
    close(two.values, np.einsum("c,chw->hw", slope[0] - (slope[1] + slope[2]) / 2, x[0]), 1e-6)


def test_the_source_says_what_was_asked_and_found():
    x = squares()
    c = 10 * angles(x)[2]
    alone, pair = (m.source for m in seewhy.gradient(towers(), x, target=[Text("red"), Text("red", "green", "a {}")]))
    assert (alone.target, alone.label, alone.index, alone.scores, alone.probability) == (
        "text:red",
        "red",
        None,
        "logits",
        None,
    )
    assert (pair.target, pair.label) == ("text:a red|a green", "red vs green")
    assert alone.score == pytest.approx(c[0], rel=1e-12)
    assert pair.score == pytest.approx(c[0] - c[1], rel=1e-12)
    assert pair.probability == pytest.approx(1 / (1 + np.exp(c[1] - c[0])), rel=1e-12)
    assert "red vs green" in pair.caption


def test_texts_of_one_call_share_its_passes():
    counts = []
    for target in ([Text("red")], [Text(name) for name in COLOURS]):
        model = towers()
        seewhy.occlusion.using(window=4, stride=4)(model, squares(), target=target)
        counts.append(model.network.calls)
    assert counts[0] == counts[1]


def test_each_image_may_have_a_text_of_its_own():
    x = squares(2)
    together = seewhy.gradient(towers(), x, target=seewhy.PerImage([Text("red"), "text:green|blue"]))
    alone = [seewhy.gradient(towers(), x[i : i + 1], target=t)[0] for i, t in enumerate([Text("red"), Text("green", "blue")])]
    close(values(together), values(alone))
    assert [m.source.label for m in together] == ["red", "green vs blue"]


def test_texts_that_ask_nothing_are_said():
    for make, said in (
        (lambda: Text(""), "give texts"),
        (lambda: Text("a", against=["b", ""]), "give texts"),
        (lambda: Text("a", against=[3]), "give texts"),  # type: ignore[list-item]
        (lambda: Text("a", against="a"), "against itself"),
        (lambda: Text("a", template="a photo"), r"has no \{\}"),
        (lambda: as_targets("text:a||b", None), r"write text:TEXT"),
        (lambda: as_targets("similar:", None), "write similar:PATH"),
    ):
        with pytest.raises(BadParameter, match=said):
            make()


def test_what_a_text_needs_is_said():
    x = squares()
    for network, more, error, said in (
        (Towers(), {}, NotApplicable, r"without its tokenizer.*wrap\(network, tokenizer="),
        (Mean(), {}, NotApplicable, "no text tower"),
        (Mean(), {"tokenizer": ids}, BadParameter, "those that write, with generate; Mean has none of these"),
        (Towers(), {"tokenizer": "clip"}, BadParameter, "give the tokenizer itself"),
        (Towers(), {"tokenizer": ids, "inputs": "x"}, BadParameter, "Leave inputs= out"),
        (Towers(), {"tokenizer": lambda texts: ids(texts) + 9}, BadNetwork, "text tower failed on .*IndexError"),
        (Towers(), {"tokenizer": lambda texts: texts[7]}, BadParameter, "tokenizer failed on .*IndexError"),
        (Towers(), {"tokenizer": lambda texts: ids(texts)[[0, 0]]}, BadNetwork, r"gave \(2, 3\).*1 texts"),
    ):
        with pytest.raises(error, match=said):
            seewhy.gradient(seewhy.wrap(network.double(), **more), x, target=Text("red"))
    with pytest.raises(BadParameter, match="tokenizer= are for torch"):
        seewhy.wrap(lambda x: x, tokenizer=ids)


def test_a_network_without_a_scale_explains_the_cosine_and_says_so():
    class Bare(Towers):
        def __init__(self) -> None:
            super().__init__()
            del self.logit_scale

    (heatmap,) = seewhy.gradient(seewhy.wrap(Bare().double(), tokenizer=ids), squares(), target=Text("red"))
    assert heatmap.source.score == pytest.approx(angles(squares())[2][0], rel=1e-12)
    assert heatmap.source.scores == "similarity"
    assert "no logit_scale" in " ".join(heatmap.source.warnings)


def test_the_end_of_a_text_that_is_cut_off_is_said():
    def three(texts):
        words = [([COLOURS.index(word) for word in text.split()] + [2] * 3)[:3] for text in texts]
        return torch.tensor(words)

    model = towers(tokenizer=three)
    whole, cut = (
        m.source for m in seewhy.gradient(model, squares(), target=[Text("red green red"), Text("red red red green")])
    )
    assert "cut off" not in " ".join(whole.warnings)
    assert "cut off the end of 'red red red green'" in cut.warnings[0]
