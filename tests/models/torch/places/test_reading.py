"""Which layers' cells the scores read, told from the calls: against the gradient, where there is one."""

import pytest
import torch
from torch import Tensor, nn

from seewhy.models.torch.places.reached import reached
from seewhy.models.torch.places.reading import ReadFollowing
from seewhy.models.torch.places.survey import survey


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.mlp = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v)
        return x + self.mlp(x).tanh()


class Vit(nn.Module):
    """Patches of 4 pixels and a class token in the middle; `end` makes what is scored of the tokens."""

    def __init__(self, end) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.token = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8))
        self.first, self.second, self.last, self.head = Block(), Block(), nn.LayerNorm(8), nn.Linear(8, 3)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([patches[:, :4], self.token.expand(len(x), -1, -1), patches[:, 4:]], 1)
        return self.head(self.end(self.last(self.second(self.first(tokens)))))


ENDS = {
    "the class token": lambda a: a[:, 4],
    "the class token, by narrow": lambda a: a.narrow(1, 4, 1)[:, 0],
    "the class token, by index_select": lambda a: a.index_select(1, torch.tensor([4])).squeeze(1),
    "the class token, of parts": lambda a: a.split([4, 1, 5], 1)[1].mean(1),
    "the class token, unbound": lambda a: a.unbind(1)[4],
    "all tokens": lambda a: a.mean(1),
    "a patch": lambda a: a[:, 5],
    "patches": lambda a: a[:, 5:].amax(1),
    "the class token and all": lambda a: a[:, 4] + a.mean(1),
    "weighed tokens": lambda a: (a.softmax(1) * a).sum(1),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_is_read_behind_tokens_is_what_the_gradient_reaches(end):
    network = Vit(ENDS[end]).double().eval()
    x = torch.randn(1, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    known = survey(network, x, network)
    (by_gradient,) = reached({name: m for name, m in network.named_modules() if name}, known.layout, x, network)
    spatial = [name for name in known.calls if known.layout(name) is not None]
    assert {"patch", "first", "second.norm", "second.mlp", "second", "last"} <= {*spatial}
    assert {name: known.read[name] for name in spatial} == {name: by_gradient[name] for name in spatial}


def test_a_branch_that_nothing_reads_is_not_read():
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.aside, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            a = self.body(x)
            self.aside(a).relu()
            return self.fc(a.mean((2, 3)))

    network = Branch().eval()
    known = survey(network, torch.randn(1, 3, 12, 12), network)
    assert known.read == {"body": True, "aside": False, "fc": True}
    assert known.default is not None
    assert known.default[0] == "body"
    assert "aside comes later" in known.default[1].why


def test_under_no_grad_layers_are_read_though_no_gradient_comes():
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.end, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            with torch.no_grad():
                x = self.end(self.body(x))
            return self.fc(x.mean((2, 3)))

    network, x = Cut().eval(), torch.randn(1, 3, 12, 12)
    known = survey(network, x, network)
    assert known.read["body"]
    (flags,) = reached(dict(network.named_children()), known.layout, x, network)
    assert flags == {"body": False, "end": False, "fc": True}


def test_the_image_itself_is_seen_by_what_is_computed_of_it():
    x, other = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    with (follow := ReadFollowing(x)):
        follow.beside([other], x)
        a, b, both = x * 2, other * 2, x + other
    assert [follow.sees(t) for t in (a, b, both)] == [True, False, True]
    assert follow.of(b) is not None
    assert follow.reads(torch.zeros(1)) is None
