"""Incremental passes against plain ones: what goes on in full, what is written over, what is refused and remembered."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.variants import incremental
from seewhy.models.torch.variants.incremental import Incremental, NotIncremental
from support.boxes import check, copies, doubles, flat, on_boxes


@pytest.fixture(autouse=True)
def never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "DENSE", 2.0)


def channel(seed: int) -> Tensor:
    return doubles(1, 4, 1, 1, seed=seed)


PLACES = torch.tensor([[0, 0], [0, 0], [5, 2], [6, 7], [0, 7], [3, 3]])


def write_one(x: Tensor) -> Tensor:
    x = x * 2
    x[:, 1] = 5.0
    return x


def write_after_view(x: Tensor) -> Tensor:
    x = x * 2
    rows = x.flatten(2)
    rows.relu_()
    return x + 1


def write_after_read(x: Tensor) -> Tensor:
    x = x * 2
    mean = x.mean((2, 3), keepdim=True)
    x.relu_()
    return x * mean


def sum_in_place(x: Tensor) -> Tensor:
    y = F.max_pool2d(x, 3, 1, 1)
    x = x * 2
    x += y
    y += x
    return torch.cat([x, y.relu_()], 1)


IN_FULL: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.softmax(1), "over space": lambda x: x.softmax(-1), "layer norm": lambda x: F.layer_norm(x, (10,)),
    "transposed": lambda x: x.transpose(-1, -2), "flipped": lambda x: x.flip(-1),
    "rows": lambda x: x[..., 1:] * x[:, :, 1:2, 1:],
    "mirror": lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "cropped": lambda x: F.pad(x, (-1, 2)),
    "place": lambda x: x * doubles(1, 1, 9, 10, seed=3) + doubles(10, seed=4), "own gate": lambda x: x * x.mean((2, 3), True),
    "batch": lambda x: x - x.mean(0), "views": lambda x: x.view(len(x), 4, -1), "one": lambda x: x[:, :, 1, 1],
    "matrix": lambda x: x @ doubles(10, 3, seed=3), "up": lambda x: F.interpolate(x, scale_factor=2), "writes": write_one,
    "unconv": lambda x: F.conv_transpose2d(x, doubles(4, 2, 3, 3)), "group norm": lambda x: F.group_norm(x, 2),
    "indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "batch statistics": lambda x: F.batch_norm(x, None, None, training=True),
    "view writes": write_after_view, "read writes": write_after_read, "sum writes": sum_in_place,
    "squares": lambda x: x[:, :, :9, :9].transpose(2, 3), "stack": lambda x: torch.stack([x, x * 2], 1).sum(1),
    "new": lambda x: torch.zeros_like(x) + x.new_ones(1), "numbers": lambda x: x * float(x[0, 0, 0, 0]) * 0 + x,
    "dilated": lambda x: F.conv2d(x, x[:1, :, :3, :3].detach() * 0 + 1), "narrow space": lambda x: x.narrow(2, 1, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_FULL)
def test_anything_else_is_done_in_full(name: str) -> None:
    check(lambda x: flat(F.relu(IN_FULL[name](x * 1.5)) - 1), doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), PLACES)


def last(x: Tensor) -> Tensor:
    return x.movedim(1, -1)


def written_last(x: Tensor) -> Tensor:
    y = last(x * 2)
    y = y.subtract(doubles(4, seed=3)).mul_(doubles(1, 1, 1, 4, seed=4)).add_(1.0)
    y += last(x * 3)
    return y


LAST = {  # with channels last on the way, as Keras has them
    "values": lambda x: F.relu(last(x) * 2 - 1).contiguous().permute(0, 3, 1, 2),
    "weights": lambda x: (last(x) * doubles(4, seed=3) + doubles(1, 1, 1, 4, seed=4)).movedim(-1, 1),
    "written": lambda x: torch.permute(written_last(x), (0, 3, 1, 2)).contiguous(),
    "sum": lambda x: (last(x) + last(F.max_pool2d(x, 3, 1, 1))).movedim(3, 1),
    "joined": lambda x: torch.cat([last(x), last(F.conv2d(x, doubles(2, 4, 3, 3), None, 1, 1))], dim=-1).movedim(-1, 1),
    "dropped": lambda x: F.dropout(last(x).double(), 0.5, False).movedim(-1, 1),
    "there and back": lambda x: F.relu6(last(last(x).movedim(-1, 1)).movedim(-1, 1)),
    "as it is": lambda x: x.permute(0, 1, 2, 3) * 1,
}
LAST_IN_FULL = {
    "mixed": lambda x: last(x) * x.movedim(1, -1).flip(1),
    "other order": lambda x: x.permute(0, 2, 1, 3).movedim(1, 2) * 2,
    "over space": lambda x: last(x).softmax(1),
    "joined in space": lambda x: torch.cat([last(x), last(x)], 1),
    "place": lambda x: last(x) * doubles(9, 10, 1, seed=3),
    "mean": lambda x: last(x).mean((1, 2)),
    "rows": lambda x: last(x)[:, 1:],
    "matrix": lambda x: last(x) @ doubles(4, 3, seed=3),
    "dense": lambda x: last(x).exp(),
}


@pytest.mark.parametrize("name", LAST)
def test_channels_may_come_last_on_the_way(name: str) -> None:
    check(on_boxes(LAST[name]), doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), PLACES)


@pytest.mark.parametrize("name", LAST_IN_FULL)
def test_with_channels_last_anything_else_is_done_in_full(name: str) -> None:
    check(lambda x: flat(LAST_IN_FULL[name](x * 1.5)), doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), PLACES)


@pytest.mark.parametrize("dense", [0.01, 0.3, 0.8])
def test_boxes_that_cover_much_go_on_in_full(dense: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "DENSE", dense)
    check(lambda x: flat(sum_in_place(F.max_pool2d(x, 3, 1, 1))), doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), PLACES)


def into_a_half(x: Tensor) -> Tensor:
    first, _second = (x * 2).chunk(2, 1)
    return flat(first.relu_())


def through_data(x: Tensor) -> Tensor:
    x = x * 2
    x.data.mul_(2)
    return flat(x)


def into_shared_copies(x: Tensor) -> Tensor:
    x = x * 2
    half = x[:, :2]
    x.flatten(2).relu_()
    return flat(half + 1)


@pytest.mark.parametrize(
    ("run", "why"),
    [(into_a_half, "shares memory"), (into_shared_copies, "shares memory"), (through_data, "data"),
     (lambda x: x, "not a row per box"), (lambda x: flat(x).sum(0, True), "not a row per box"),
     (lambda x: [x], "list"), (lambda x: x.nowhere, "AttributeError")],
)  # fmt: skip
def test_what_it_cannot_follow_it_refuses(run: Any, why: str) -> None:
    with pytest.raises(NotIncremental, match=why):
        Incremental(run, doubles(1, 4, 9, 10))(doubles(6, 4, 3, 3, seed=1), PLACES)


def test_lack_of_memory_is_the_callers_to_know() -> None:
    def run(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("too much")

    with pytest.raises(torch.OutOfMemoryError):
        Incremental(run, doubles(1, 4, 9, 10))(doubles(6, 4, 3, 3), PLACES)


def test_what_is_remembered_is_checked() -> None:
    """A network that changes its mind, its numbers or its weights between calls is not answered from memory."""
    x, patches, seen = doubles(1, 4, 9, 10), doubles(6, 4, 3, 3, seed=1), {"fn": torch.tanh, "factor": 2.0}
    weight = doubles(3, 4, 3, 3, seed=2)

    def run(x: Tensor) -> Tensor:
        return flat(seen["fn"](F.conv2d(x * seen["factor"], weight, None, 1, 1)))

    passes = Incremental(run, x)
    for change in (
        {},
        {"fn": torch.sigmoid},
        {"factor": 3.0},
        {"fn": F.relu, "factor": channel(3)},
        {"factor": channel(4)},
        {},
    ):
        seen.update(change)
        torch.testing.assert_close(passes(patches, PLACES), run(copies(x, patches, PLACES)), rtol=1e-10, atol=1e-10)
    weight.mul_(2)
    torch.testing.assert_close(passes(patches, PLACES), run(copies(x, patches, PLACES)), rtol=1e-10, atol=1e-10)
