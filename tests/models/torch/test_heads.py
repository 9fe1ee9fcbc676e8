"""Heads of any kind behind the picture: linear, recurrent, a captioner's words, the answer to a question about it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy import IMAGE, PerImage
from support import networks

SIDE = 12  # pixels across; a quadrant is 6
WORDS = 5
QUESTIONS = torch.tensor([[5, 0], [6, 1], [5, 2], [7, 3]])  # two words each, of which the second names a quadrant
FEW = {"samples": 8, "steps": 8, "window": 2, "stride": 2}
X = networks.images(2, *networks.SIDES, seed=11)


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


def asked(name: str, **more: Any) -> seewhy.Method:
    method = seewhy.METHODS[name]
    return method.using(**{key: few for key, few in FEW.items() if key in method.defaults}, **more)


class Recurrent(nn.Module):
    """A body whose rows of features are read by a recurrent layer; the scores come from its last state."""

    def __init__(self, kind: type[nn.RNNBase], **options: Any) -> None:
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()
        self.rnn = kind(6 * networks.SIDES[1], 7, batch_first=True, **options)
        self.fc = nn.Linear(7 * (1 + self.rnn.bidirectional), networks.CLASSES)

    def head(self, a: Tensor) -> Tensor:
        return self.fc(self.rnn(a.permute(0, 2, 1, 3).flatten(2))[0][:, -1])

    def forward(self, x):
        return self.head(self.act1(self.conv1(x)))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"num_layers": 2, "dropout": 0.5}], ids=["one", "both", "deep"]
)
@pytest.mark.parametrize("training", [False, True])
def test_recurrent_heads_by_hand(kind, options, training):
    """Several targets at once, which no batched backward pass takes through a recurrent layer; dropout is off."""
    network = networks.made(lambda: Recurrent(kind, **options), 2).train(training)
    maps = seewhy.hires_cam(seewhy.wrap(network), X, target=[1, 3], layer="act1", signed=True)
    assert network.training == training
    network.eval()
    a = network.act1(network.conv1(torch.as_tensor(X))).detach().requires_grad_()
    for k in (1, 3):
        (g,) = torch.autograd.grad(network.head(a)[:, k].sum(), a)
        expected = (a * g).sum(1).detach().numpy()
        np.testing.assert_allclose(values(maps.where(target=str(k))), expected, rtol=1e-5, atol=1e-7 * abs(expected).max())


@pytest.mark.parametrize("name", ["flat_head", "linear_flat_head"])
def test_fully_connected_heads_by_hand(name):
    network: Any = getattr(networks, name)()
    body, head = network[:4], network[4:]
    a = body(torch.as_tensor(X)).detach().requires_grad_()
    (g,) = torch.autograd.grad(head(a)[:, 1].sum(), a)
    maps = seewhy.hires_cam(seewhy.wrap(network), X, target=1, signed=True)
    np.testing.assert_allclose(values(maps), (a * g).sum(1).detach().numpy(), rtol=1e-5, atol=1e-9)
    if name == "linear_flat_head":  # y = sum a g + bias, so the map says all that the image adds
        np.testing.assert_allclose(
            values(maps).sum((1, 2)), [m.source.score - head[-1].bias[1].item() for m in maps], rtol=1e-5
        )


class Body(nn.Module):
    """(n, 3, 12, 12) -> what each quadrant shows, (n, 4, 6), from left to right and top to bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 6, 1), nn.ReLU()

    def forward(self, x):
        return F.adaptive_avg_pool2d(self.act(self.conv(x)), 2).flatten(2).transpose(1, 2)


class Captioner(nn.Module):
    """An LSTM that is shown one quadrant after the other and says a word of each, (n, 4, words).

    Its weights are drawn, but that it forgets: so each word depends on its own quadrant, and on nothing else.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body, self.lstm, self.fc = Body(), nn.LSTM(6, 12, batch_first=True), nn.Linear(12, WORDS)
        with torch.no_grad():
            self.lstm.weight_hh_l0.zero_()
            self.lstm.bias_hh_l0[12:24] = -60  # of the forget gate

    def forward(self, x):
        return self.fc(self.lstm(8 * self.body(x))[0])


class Answerer(nn.Module):
    """The words of a question, read by a GRU, choose one quadrant; the answer depends on what is there, and on nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.words, self.gru = Body(), nn.Embedding(8, 8), nn.GRU(8, 16, batch_first=True)
        self.look, self.fc = nn.Linear(16, 4, bias=False), nn.Linear(6, WORDS)
        with torch.no_grad():
            states = self.gru(self.words(QUESTIONS))[1][0]
            self.look.weight.copy_(torch.linalg.lstsq(states, 60 * torch.eye(4)).solution.T)

    def forward(self, pixel_values, question):
        _, state = self.gru(self.words(question))
        where = self.look(state[0]).softmax(1)  # (n, 4): one, to 1e-20
        return self.fc((self.body(pixel_values) * where[..., None]).sum(1))


def drawn(build: type[nn.Module]) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return build().double().eval()


@pytest.fixture(scope="module")
def captioner() -> Any:
    return drawn(Captioner)


@pytest.fixture(scope="module")
def answerer() -> Any:
    return drawn(Answerer)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(4).normal(0.5, 1, (4, 3, SIDE, SIDE))


def quadrant(x: np.ndarray, q: int) -> np.ndarray:
    half = SIDE // 2
    top, left = half * (q // 2), half * (q % 2)
    return x[..., top : top + half, left : left + half]


def test_the_toys_do_what_they_are_made_for(captioner, answerer, x):
    """Another quadrant changes its word, and no other; and the answer to the question about it, and to no other."""
    for q in range(4):
        other = x.copy()
        quadrant(other, q)[:] += 1
        with torch.no_grad():
            words = (captioner(torch.as_tensor(other)) - captioner(torch.as_tensor(x))).abs().amax((0, 2))
            answers = (answerer(torch.as_tensor(other), QUESTIONS) - answerer(torch.as_tensor(x), QUESTIONS)).abs().amax(1)
        assert [bool(one > 1e-3) for one in words] == [q == k for k in range(4)]
        assert [bool(one > 1e-3) for one in answers] == [q == k for k in range(4)]


def energy(values: np.ndarray) -> np.ndarray:
    """The share of a map (n, 12, 12) in each quadrant: (n, 4)."""
    size = abs(values).reshape(len(values), 2, SIDE // 2, 2, SIDE // 2).sum((2, 4)).reshape(len(values), 4)
    return size / size.sum(1, keepdims=True)


WAYS = ["grad-cam-elementwise", "hires-cam", "gradient", "integrated-gradients", "smooth-grad", "occlusion"]


def found(name: str, model: Any, x: np.ndarray, **more: Any) -> np.ndarray:
    method = asked(name)
    return values(method(model, x, layer="body.act" if method.layered else None, **more))


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("t", range(4))
def test_a_words_evidence_lies_in_its_quadrant(name, t, captioner, x):
    model = seewhy.wrap(captioner, output=lambda out: out[:, t])
    share = energy(found(name, model, x))
    assert (share[:, t] > 0.999).all(), share
    with torch.no_grad():
        words = captioner(torch.as_tensor(x))[:, t].argmax(1).tolist()
    assert [m.source.predicted.index for m in asked(name)(model, x)] == words


@pytest.mark.parametrize("name", ["hires-cam", "gradient", "integrated-gradients", "occlusion"])
def test_a_sentences_log_probability_rests_on_the_quadrants_of_its_words(name, captioner, x):
    """Of two words: their map is the sum of the words' maps, as these methods are linear in the score."""
    signed = {"hires-cam": {"signed": True}, "gradient": {"reduce": "sum"}}.get(name, {})
    caption = torch.tensor([[1, 0, 4, 2]])

    def maps(steps: list[int]) -> np.ndarray:
        method = asked(name, **signed)
        model = seewhy.wrap(captioner, output=lambda out: _log_p(out, caption)[:, steps].sum(1))
        got = method(model, x, layer="body.act" if method.layered else None)
        with torch.no_grad():
            expected = _log_p(captioner(torch.as_tensor(x)), caption)[:, steps].sum(1).tolist()
        assert [m.source.score for m in got] == pytest.approx(expected)
        assert all(m.source.probability is None for m in got)
        return values(got)

    both, first, last = maps([0, 3]), maps([0]), maps([3])
    np.testing.assert_allclose(both, first + last, rtol=1e-4, atol=1e-5 * abs(both).max())
    share = energy(both)
    assert (share[:, 0] + share[:, 3] > 0.999).all(), share
    assert (share[:, [0, 3]] > 0.1).all(), share


def _log_p(out: Tensor, words: Tensor) -> Tensor:
    """log p of a caption (1, steps) at each step: (n, steps)."""
    return out.log_softmax(2).gather(2, words.expand(len(out), -1)[..., None])[..., 0]


def test_a_caption_as_it_comes_is_asked_about(captioner, x):
    with pytest.raises(seewhy.BadNetwork, match=r"\(4, 4, 5\) for 4 images.*one word's.*output=lambda"):
        seewhy.grad_cam(seewhy.wrap(captioner), x, layer="body.act")


@pytest.mark.parametrize("name", WAYS)
def test_the_answer_rests_on_the_place_that_is_asked_about(name, answerer, x):
    """One picture, four questions: each its own row, so that one batch holds them all."""
    same = np.repeat(x[:1], 4, 0)
    model = seewhy.wrap(answerer, inputs={"pixel_values": IMAGE, "question": PerImage(QUESTIONS)})
    share = energy(found(name, model, same))
    assert (np.diag(share) > 0.999).all(), share
    alone = [seewhy.wrap(answerer, inputs={"pixel_values": IMAGE, "question": q[None]}) for q in QUESTIONS]
    expected = np.concatenate([found(name, one, x[:1]) for one in alone])
    np.testing.assert_allclose(found(name, model, same), expected, rtol=1e-5, atol=1e-7 * abs(expected).max())


def test_a_target_may_weigh_any_scores(captioner, x):
    """All words of all steps as scores, weighted by a function: the map of the word at a step is found that way, too."""
    flat = seewhy.wrap(captioner, output=lambda out: out.flatten(1))  # (n, 4 * words)

    def second_word(scores: np.ndarray) -> np.ndarray:
        weights = np.zeros_like(scores)
        weights[range(len(scores)), WORDS + scores[:, WORDS : 2 * WORDS].argmax(1)] = 1
        return weights

    got = seewhy.hires_cam(flat, x, target=second_word, layer="body.act")
    expected = seewhy.hires_cam(seewhy.wrap(captioner, output=lambda out: out[:, 1]), x, layer="body.act")
    assert values(expected).any()
    np.testing.assert_allclose(values(got), values(expected), rtol=1e-6)
