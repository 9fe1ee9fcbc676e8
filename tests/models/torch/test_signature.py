"""What an error says of a network that takes more than the images: `inputs=`, with the names of its own forward."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy

X = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
META = torch.ones(1, 4)


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(8, 3)

    def both(self, image, meta):
        return self.fc(torch.cat([self.conv(image).relu().mean((2, 3)), meta], 1))


class Second(Base):
    def forward(self, image, meta):
        return self.both(image, meta)


class Last(Base):
    def forward(self, meta, image):
        return self.both(image, meta)


class Keyword(Base):
    def forward(self, x, *, age):
        return self.both(x, age)


class Optional(Base):
    def forward(self, pixels, meta: Any = None, mask=None):
        return self.both(pixels, meta.clone())


class Named(Base):
    def forward(self, input_ids: Any = None, pixel_values: Any = None):
        return self.both(pixel_values, torch.ones(len(pixel_values), 4) if input_ids is None else input_ids.long().float())


class Pair(Base):
    def forward(self, batch):
        image, meta, _ = batch
        return self.both(image, meta)


class Dict(Base):
    def forward(self, batch):
        return self.both(batch["image"], batch["other"])


CASES = {  # what the error says, and what the example is evaluated with
    Second: ("it takes meta, too. ", "inputs=(seewhy.IMAGE, meta)", {"meta": META}),
    Last: ("it takes image, too. ", "inputs=(meta, seewhy.IMAGE)", {"meta": META}),
    Keyword: ("it takes age, too. ", "inputs={'x': seewhy.IMAGE, 'age': age}", {"age": META}),
    Optional: ("nothing was given as meta, mask. ", "inputs={'pixels': seewhy.IMAGE, 'meta': meta, 'mask': mask}",
               {"meta": META, "mask": None}),
    Named: ("the images went in as input_ids. ", "inputs={'pixel_values': seewhy.IMAGE}", {}),
    Pair: ("takes batch apart", "inputs=((seewhy.IMAGE, other),)", None),
    Dict: ("reads batch by names", 'inputs=({"image": seewhy.IMAGE, "other": other},)', {"other": META}),
}  # fmt: skip


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_error_has_an_example_that_works(make):
    said, example, values = CASES[make]
    network = make().eval()
    with pytest.raises(seewhy.BadNetwork) as failed:
        seewhy.grad_cam(seewhy.wrap(network), X, target=0)
    assert said in str(failed.value)
    assert example in str(failed.value)
    if values is not None:
        inputs = eval(example.removeprefix("inputs="), {"seewhy": seewhy, **values})
        maps = seewhy.grad_cam(seewhy.wrap(network, inputs=inputs), X, target=0)
        assert len(maps) == 2


@pytest.mark.parametrize(
    ("inputs", "said"),
    [((seewhy.IMAGE, META, META), "too many positional"), ({"image": seewhy.IMAGE, "metadata": META}, "metadata|'meta'"),
     ((seewhy.IMAGE,), "missing a required argument: 'meta'"), ("photo", "missing a required argument|unexpected keyword")],
)  # fmt: skip
def test_a_wrong_number_or_name_is_told_with_what_would_fit(inputs, said):
    with pytest.raises(seewhy.BadNetwork, match=rf"forward\(image, meta\): the call does not fit it \(.*({said})") as failed:
        seewhy.grad_cam(seewhy.wrap(Second().eval(), inputs=inputs), X, target=0)
    assert "inputs=(seewhy.IMAGE, meta)" in str(failed.value)


class Wrong(nn.Module):
    """All its weights in another, to which it comes, or which has the wrong shape before it."""

    def __init__(self, mean):
        super().__init__()
        self.model, self.mean = nn.Sequential(nn.Conv2d(5, 2, 3), nn.Flatten()), mean

    def forward(self, x):
        return self.model(x - self.mean)


@pytest.mark.parametrize("mean", [0, torch.zeros(7, 1, 1)])
def test_nothing_is_said_where_something_else_is_wrong(mean):
    with pytest.raises(seewhy.BadNetwork) as failed:
        seewhy.grad_cam(seewhy.wrap(Wrong(mean).eval()), X, target=0)
    assert "inputs=" not in str(failed.value)
    assert "wrap(" not in str(failed.value)


class Reader(nn.Module):
    """Takes names of files; the network is inside."""

    def __init__(self, words):
        super().__init__()
        self.model, self.words = Second(), words

    def forward(self, source):
        if self.words is not None:
            return self.words
        raise FileNotFoundError("no photo there")


@pytest.mark.parametrize("words", [None, ["a cat", "a dog"], [{"label": "cat"}] * 2])
def test_a_module_that_reads_files_names_the_network_that_it_holds(words):
    with pytest.raises(seewhy.BadNetwork, match=r"It holds a network, Second, in \.model: if that is meant, wrap\(it\.model\)"):
        seewhy.grad_cam(seewhy.wrap(Reader(words).eval()), X, target=0)
