"""LibraGrad: pixels and biases are the score, to the last bias; against networks whose constants are cut off by hand."""

import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy.methods.making.method import lookup
from seewhy.models.model import INPUT
from seewhy.models.torch.rules.libra import Balance
from support import ask, networks
from support.references import attn_lrp as toys

X = toys.X


def balanced(network, x=X, targets=(1,), method="input-x-gradient", layers=(None,)):
    return ask.run(f"libra({method})", ask.case(network, x, [*targets], layers))


def score(network, x=X):
    with torch.no_grad():
        return network(torch.tensor(x))[:, 1].numpy()


@pytest.mark.parametrize("how", toys.SPELLINGS)
def test_without_biases_pixels_are_the_score(how):
    network = toys.built(toys.SPELLINGS[how], bias=False)
    ask.close(balanced(network)[INPUT].sum((2, 3, 4))[0], score(network), rel=1e-12)


def test_pixels_and_biases_are_the_score():
    network = toys.built()
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    for i in range(2):
        x = torch.tensor(X[i : i + 1], requires_grad=True)
        with Balance():
            y = network(x)[0, 1]
        g, *shares = torch.autograd.grad(y, [x, *biases])
        ask.close(
            (x * g).sum().item() + sum((b * s).sum().item() for b, s in zip(biases, shares, strict=True)), y.item(), 1e-12
        )
        ask.far((x * g).sum().item(), y.item())
        ask.close(balanced(network)[INPUT][0, i], (x * g)[0].detach().numpy(), rel=1e-12)


class Cut(toys.Transformer):
    """The same transformer, what counts as a constant cut off by hand."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        first, second = self.blocks
        x = x + self.attend(first.attention, self.normed(first.norm1, x))
        h = first.mlp.up(self.normed(first.norm2, x))
        x = x + first.mlp.down(h * (F.gelu(h) / h).detach())
        x = x + self.attend(second.attention, self.normed(second.norm1, x, False))
        h = self.normed(second.norm2, x, False)
        gate, up = second.mlp.gate(h), second.mlp.up(h)
        gate = gate * torch.sigmoid(gate).detach()
        x = x + second.mlp.down((gate * up.detach() + gate.detach() * up) / 2)
        return self.fc(self.normed(self.norm, x).mean(1))

    def normed(self, norm, x, centred=True):
        c = x - x.mean(-1, keepdim=True) if centred else x
        y = c / (c.square().mean(-1, keepdim=True) + norm.eps).sqrt().detach() * norm.weight
        return y + norm.bias if centred else y

    def attend(self, part, x):
        q, k, v = part.qkv(x).unflatten(-1, (3, toys.HEADS, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).detach()
        return part.proj((weights @ v).transpose(1, 2).flatten(2))


def cut(network):
    other = Cut().double().eval()
    other.load_state_dict(network.state_dict())
    return other


@pytest.mark.parametrize("name", ["gradient", "input-x-gradient", "integrated-gradients", "smooth(gradient)", "grad-cam",
                                  "layer-cam", "augment(grad-cam)"])  # fmt: skip
def test_any_method_of_gradients_reads_the_balanced_ones(name):
    """Also within variants of the images."""
    network = toys.built()
    layers = ["embed"] if "cam" in name else [None]
    few = {"samples": 3, "steps": 4, "scales": (1,)}
    found = []
    for one, asked in ((network, lookup(f"libra({name})")), (cut(network), lookup(name)), (network, lookup(name))):
        asked = asked.using(**{key: value for key, value in few.items() if key in asked.defaults})
        case = ask.case(one, X, [1, 3], layers, gradients="gradients" in asked.shares, pixels="pixels" in asked.shares)
        found.append(asked.outcome(case).cores["embed" if layers[0] else INPUT])
    ask.close(found[0], found[1], rel=1e-8)
    ask.far(found[0], found[2])


class Pieces(nn.Module):
    """A convolution, a piece, and a linear layer; nothing is added anywhere but by the piece."""

    def __init__(self, piece) -> None:
        super().__init__()
        self.conv, self.other, self.piece = nn.Conv2d(3, 6, 3, bias=False), nn.Conv2d(3, 6, 3, bias=False), piece
        self.fc = nn.Linear(6, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.piece(self.conv(x), self.other(x)).mean((2, 3)))


PIECES = {
    "GELU": lambda a, b: F.gelu(a),
    "GELU by tanh": lambda a, b: F.gelu(a, approximate="tanh"),
    "GELU by erf": lambda a, b: a * 0.5 * (1 + torch.erf(a / 2**0.5)),
    "SiLU in place": lambda a, b: F.silu(a, True),
    "SiLU by hand": lambda a, b: a * torch.sigmoid(a),
    "Mish": lambda a, b: F.mish(a),
    "Hardswish": lambda a, b: F.hardswish(a),
    "tanh": lambda a, b: torch.tanh(a),
    "ELU": lambda a, b: F.elu(a, 0.7),
    "SELU": lambda a, b: F.selu(a),
    "GLU": lambda a, b: F.glu(torch.cat([a, b, a, b], 1), 1)[:, :6],
    "gate": lambda a, b: a * torch.sigmoid(b),
    "softmax gate": lambda a, b: a * b.softmax(1),
    "product in place": lambda a, b: a.mul_(F.relu(b)),
    "self times self": lambda a, b: a * a,
    "cube": lambda a, b: a**3,
    "quotient": lambda a, b: a / (1 + b.square()),
    "response norm": lambda a, b: a * (n := a.norm(dim=(2, 3), keepdim=True)) / (n.mean(1, keepdim=True) + 1e-6),
    "GroupNorm": lambda a, b: F.group_norm(a, 3),
    "largest of two, as Hiera pools": lambda a, b: F.gelu(a).unflatten(3, (-1, 2)).amax(4),
}


def made(piece, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Pieces(piece).double().eval()


@pytest.mark.parametrize("piece", PIECES)
def test_every_piece_in_balance(piece):
    network = made(PIECES[piece])
    case = ask.case(network, X, [1])
    found = lookup("libra(input-x-gradient)").outcome(case)
    ask.close(found.cores[INPUT].sum((2, 3, 4))[0], score(network), rel=1e-9)
    assert found.notes(0, 0) == ()
    ask.close(case.answered[0].scores[:, 1], score(network), rel=1e-12)


@pytest.mark.parametrize("name", ["libra(input-x-gradient)", "attn-lrp"])
@pytest.mark.parametrize(("whole", "by_hand"), [("GELU", "GELU by erf"), ("SiLU in place", "SiLU by hand")])
def test_an_activation_however_it_is_written(name, whole, by_hand):
    ask.close(*(ask.run(name, ask.case(made(PIECES[one]), X, [1]))[INPUT] for one in (by_hand, whole)), rel=1e-7)


def test_at_zero_an_activation_passes_its_slope():
    network = made(PIECES["GELU"])
    found = balanced(network, np.zeros_like(X), method="gradient")[INPUT]
    x = torch.zeros(X.shape, dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(network(x)[:, 1].sum(), x)
    ask.close(found[0], g.numpy(), rel=1e-5)


@pytest.mark.parametrize("net", ["pooled", "relu6", "flat_head", "bn_dropout"])
def test_a_relu_network_is_balanced_already(net):
    network, x = getattr(networks, net)(), networks.images(2)
    for name, layer in (("gradient", INPUT), ("grad-cam", "conv1")):
        model = seewhy.wrap(network)
        maps = lookup(f"libra({name})")(model, x, target=1, layer=None if layer == INPUT else layer)
        ask.close(ask.values(maps), ask.values(lookup(name)(model, x, target=1, layer=None if layer == INPUT else layer)), 1e-6)
        assert all(any("libra changes nothing" in said for said in m.warnings) for m in maps)


def test_what_stays_curved_is_told():
    (m, _) = lookup("libra(gradient)")(seewhy.wrap(made(lambda a, b: F.softplus(F.gelu(a)))), X, target=1)
    assert any("1 Softplus" in said for said in m.warnings)


def test_the_heatmap_says_so():
    network = toys.built()
    (m, _) = lookup("libra(grad-cam)")(seewhy.wrap(network), X, target=1, layer="embed")
    assert m.source.method == "libra(grad-cam)"
    assert all(said.startswith("hires-cam has") for said in m.source.warnings)
    assert m.source.score == pytest.approx(score(network)[0])
    again = pickle.loads(pickle.dumps(lookup("libra(smooth(grad-cam))").using(samples=3)))
    assert again == lookup("libra(smooth(grad-cam))").using(samples=3)


OWN = ("guided-backprop", "deconvnet", "lrp", "attn-lrp", "excitation-backprop", "full-grad", "smooth(guided-backprop)",
       "libra(gradient)", "smooth(libra(gradient))")  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_methods_with_a_rule_of_their_own_are_refused(name):
    with pytest.raises(seewhy.NotApplicable, match="libra balances plain gradients"):
        lookup(f"libra({name})")(seewhy.wrap(networks.pooled()), networks.images(1))


@pytest.mark.parametrize("name", ["cam", "eigen-cam", "occlusion", "score-cam", "random-map"])
def test_methods_that_read_no_gradient_are_refused(name):
    with pytest.raises(seewhy.BadParameter, match=f"{name} reads none"):
        lookup(f"libra({name})")


class CheckpointFunction(torch.autograd.Function):
    """As code that was copied from torch's brings it along."""

    @staticmethod
    def forward(ctx, x):
        return F.gelu(x)


def test_what_runs_out_of_reach_is_refused():
    with pytest.raises(seewhy.NotApplicable, match="checkpointed"):
        balanced(made(lambda a, b: CheckpointFunction.apply(F.silu(a))))


def test_where_every_way_back_is_cut():
    whole = nn.Sequential(toys.built(), nn.Sigmoid(), nn.Linear(5, 5).double())
    with pytest.raises(seewhy.NotApplicable, match="no other way leads back"):
        balanced(whole)
