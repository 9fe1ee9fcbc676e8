"""Planted networks whose rows hold words or learned queries, alone or beside tokens of the image."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import seewhy

from .judge import DRAWN, HONEST, UNKNOWN, Planted
from .parts import LOUD, Attention, Beside, Block, patches, pooled, rows, steps

C, IMAGE_TOKEN = 6, 9
ATTENTIONS = ("attention", "attention_rollout")


class Queries(nn.Module):
    """Learned queries that look at the image's tokens, as in Q-Former, Perceiver and slots; the head reads them."""

    def __init__(self, count: int, sharp: float = 0.0, image_after: bool = False) -> None:
        super().__init__()
        self.stem, self.image = patches(C), nn.Linear(C, C)
        self.queries = nn.Parameter(LOUD * torch.rand(1, count, C, generator=torch.Generator().manual_seed(1)))
        self.cross, self.block, self.own, self.head = Attention(C, sharp), nn.Linear(C, C), Block(C), nn.Linear(C, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.image(rows(self.stem(x)))
        q = self.queries.expand(len(x), -1, -1)
        q = self.block(q + self.cross(q, x))
        return self.head(self.own(q).mean(1))


class Slots(nn.Module):
    """Queries that share out the image's tokens among each other: softmax over queries, then their mean."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.stem, self.image, self.k, self.v = patches(C), nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, C)
        self.slots = nn.Parameter(torch.rand(1, count, C, generator=torch.Generator().manual_seed(1)))
        self.block, self.head = nn.Linear(C, C), nn.Linear(C, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.image(rows(self.stem(x)))
        slots = self.slots.expand(len(x), -1, -1)
        for _ in range(2):
            shares = (self.k(x) @ slots.transpose(1, 2)).softmax(-1) + 1e-8
            slots = self.block(torch.einsum("nld,nls->nsd", self.v(x), shares / shares.sum(1, keepdim=True)))
        return self.head(slots.mean(1))


class Learner(nn.Module):
    """Few tokens, each a weighted mean of the map, as in TokenLearner."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.stem, self.look, self.block, self.head = patches(C), nn.Conv2d(C, count, 1), nn.Linear(C, C), nn.Linear(C, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        shares = self.look(x).flatten(2).sigmoid()
        return self.head(self.block(shares @ rows(x) / x[0, 0].numel()).mean(1))


class Reader(nn.Module):
    """Words that look at the image, as in BLIP's text encoder; the head reads the first word."""

    def __init__(self, sharp: float = 0.0) -> None:
        super().__init__()
        self.stem, self.image, self.words = patches(C), nn.Linear(C, C), nn.Embedding(12, C)
        self.own, self.cross, self.block, self.head = Block(C), Attention(C, sharp), nn.Linear(C, C), nn.Linear(C, 2)

    def forward(self, input_ids: Tensor, pixel_values: Tensor) -> Tensor:
        x = self.image(rows(self.stem(pixel_values)))
        words = self.own(self.words(input_ids))
        return self.head(self.block(words + self.cross(words, x))[:, 0])


class Chat(nn.Module):
    """Words and the image's tokens in one row, as in LLaVA; the head reads the last token."""

    def __init__(self, way: str, depth: int = 1, project: bool = False) -> None:
        super().__init__()
        self.stem, self.project, self.words, self.way = patches(C), nn.Linear(C, C), nn.Embedding(12, C), way
        self.block = nn.Sequential(*(Block(C) for _ in range(depth)))
        self.last, self.norm, self.head = Block(C), nn.Identity(), nn.Linear(C, 2)

    def joined(self, words: Tensor, image: Tensor, ids: Tensor) -> Tensor:
        if self.way == "joined":
            return torch.cat([words[:, :3], image, words[:, -2:]], 1)
        here = ids == IMAGE_TOKEN
        if self.way == "masked_scatter":
            return words.masked_scatter(here[..., None].expand_as(words), image)
        if self.way == "masked_scatter of a list":
            return words.masked_scatter(here[..., None].expand_as(words), torch.cat(list(image)))
        words = words.clone()
        if self.way == "index_put":
            words[here] = image.flatten(0, 1)
        else:
            words[:, here[0].nonzero()[:, 0]] = image
        return words

    def forward(self, input_ids: Tensor, pixel_values: Tensor) -> Tensor:
        image = self.project(rows(self.stem(pixel_values)))
        x = self.joined(self.words(input_ids), image, input_ids)
        return self.head(self.norm(self.last(self.block(x)))[:, -1])


def ids(count: int, way: str, scattered: bool) -> Any:
    if way == "joined":
        return torch.tensor([[1, 2, 3, 4, 5]])
    row = [1, 2, 3, *[IMAGE_TOKEN] * count, 4, 5]
    if scattered:  # a word behind each row of the image, as in Fuyu and Pixtral
        side = 12
        row = [1, 2, 3, *(token for _ in range(count // side) for token in (*[IMAGE_TOKEN] * side, 7)), 4, 5]
    return torch.tensor([row])


def beside(words: Any) -> dict[str, Any]:
    return {"inputs": {"input_ids": words, "pixel_values": seewhy.IMAGE}}


def _half(x: Tensor) -> Tensor:
    return x[:, :, : x.shape[2] // 2]


def tables() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    for count in (4, 8, 9, 16, 24, 32):
        for name, build in (("queries", Queries), ("slots", Slots), ("learned tokens", Learner)):
            table[f"{count} {name}"] = Planted(partial(build, count), may=UNKNOWN, default=DRAWN)
            if count in (4, 16):
                table[f"{count} {name}, grid=4x4"] = Planted(
                    partial(build, count), may=UNKNOWN, default=DRAWN, options={"grid": (4, 4)})  # fmt: skip
    table["16 queries that look at what is bright"] = Planted(
        partial(Queries, 16, 40.0), layer="", default=HONEST, whole=ATTENTIONS)  # fmt: skip
    table["words that look at the image"] = Planted(
        Reader, may=UNKNOWN, default=DRAWN, options=beside(torch.arange(8)[None]))  # fmt: skip
    table["12 words that look at the image"] = Planted(
        Reader, may=UNKNOWN, default=DRAWN, options=beside(torch.arange(12)[None]))  # fmt: skip
    table["words that look at what is bright"] = Planted(
        partial(Reader, 40.0), layer="", default=HONEST, whole=ATTENTIONS, options=beside(torch.arange(8)[None]))  # fmt: skip
    for space in ((32, 48), (16, 16)):
        count = space[0] * space[1] // 16
        size = "x".join(str(side // 4) for side in space)
        for way in ("joined", "masked_scatter", "masked_scatter of a list", "index_put", "index"):
            table[f"chat {size}, {way}"] = Planted(partial(Chat, way), space=space, options=beside(ids(count, way, False)))
            if space == (32, 48) and way != "joined":
                table[f"chat {size}, {way}, words between rows"] = Planted(
                    partial(Chat, way), space=space, options=beside(ids(count, way, True)))  # fmt: skip
        options = {**beside(ids(count, "joined", False)), "grid": (4, 4)}
        table[f"chat {size}, grid=4x4"] = Planted(partial(Chat, "joined"), space=space, options=options)
    table["two images in a row"] = Planted(
        lambda: steps(stem=patches(C), rows=lambda x: torch.cat([rows(_half(x)), rows(x[:, :, x.shape[2] // 2 :])], 1),
                      more=Beside(C, 2, 1, (3, 48)), block=nn.Linear(C, C), pool=pooled(1), head=nn.Linear(C, 2)))  # fmt: skip
    return table
