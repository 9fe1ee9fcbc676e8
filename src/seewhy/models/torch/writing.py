"""Networks that write about an image: the text is written once, and then read with any image, token by token."""

from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from seewhy.errors import BadNetwork, BadParameter, NotApplicable, SeewhyError
from seewhy.memory import out_of_memory
from seewhy.models.torch.scores import part_of
from seewhy.printable import words_of
from seewhy.targets.aim import Aim
from seewhy.targets.token import OTHERS, logits_of
from seewhy.targets.written import Writing, WrittenText

from .inputs import Inputs
from .learned import Learned
from .runner import Runner
from .two_tower import of_transformers

PATIENCE = 0.6  # logits are alike to this power of the rounding of one number, in shares of the largest


class TextInputs(Inputs):
    """What a network is called with, and behind it the text that it wrote."""

    def __init__(self, base: Inputs, names: tuple[str, ...], texts: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.base, self.names, self.texts = base, names, dict(texts)
        self.template = base.template if base.template is not None else {}

    def __call__(self, x: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
        options = _named(self.names, *self.base(x))
        return (), {**options, **{name: rows.to(x.device).repeat(len(x), 1) for name, rows in self.texts.items()}}


def reads_text(runner: Runner, written: WrittenText) -> Runner:
    """The same network, reading this text with every image."""
    return runner.changed(call=runner.call.with_inputs(written.inputs), learned=Learned())


def write(runner: Runner, x: Tensor, how: Writing) -> WrittenText | None:
    """What the network writes about an image x (1, c, *space); None where it is none that writes.

    Raises NotApplicable where it does not give the logits again that it wrote by, when it reads its text.
    """
    network, base = runner.network, runner.call.inputs
    if not callable(getattr(network, "generate", None)) or not callable(getattr(network, "forward", None)):
        return None
    names = tuple(signature(network.forward).parameters)
    given = _named(names, *base(runner.call.arranged(x)))
    said = _generated(runner, given, how)
    logits = torch.stack([step[0] for step in said.logits]).float()  # (tokens, vocabulary)
    sequence, count = said.sequences, len(said.logits)
    key = "decoder_input_ids" if getattr(network.config, "is_encoder_decoder", False) else "input_ids"
    row = sequence.shape[1] - count - 1
    if len(sequence) != 1 or row < 0 or key not in names:
        raise NotApplicable(
            f"{runner.name} gives a text that its {type(network).__name__}.forward does not take back, as {key}, behind what "
            f"it was asked. {OTHERS}"
        )
    ids, off = sequence[:, :-1], 0.0
    for texts in _texts(given, key, ids):
        inputs = TextInputs(base, names, texts)
        if (off := _off(runner, x, inputs, logits, row)) is None:
            return _told(runner, sequence[0], row, logits, how, inputs)
    raise NotApplicable(
        f"{runner.name} gives other logits when it reads its own text than when it wrote it, by {off:.2g}: its tokens are not "
        "explained. Give all that its processor makes of the question in wrap(inputs=): input_ids, attention_mask, and "
        "token_type_ids where it makes them."
    )


def _named(names: tuple[str, ...], args: tuple[Any, ...], options: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args, strict=False)), **options}


def _generated(runner: Runner, given: Mapping[str, Any], how: Writing) -> Any:
    """What `generate` gives, its text and the logits of each step; nobody's random numbers move on."""
    network: Any = runner.network
    devices = [runner.call.device] if runner.call.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            if how.seed is not None:
                torch.manual_seed(how.seed)
            return network.generate(
                **given, max_new_tokens=how.longest, do_sample=how.seed is not None, num_beams=1, output_logits=True,
                return_dict_in_generate=True,
            )  # fmt: skip
    except Exception as error:
        if isinstance(error, SeewhyError) or out_of_memory(error):
            raise
        raise BadNetwork(
            f"{runner.name}.generate failed with {', '.join(given)}: {type(error).__name__}: {words_of(error)}"
        ) from error


def _texts(given: Mapping[str, Any], key: str, ids: Tensor) -> Iterator[dict[str, Tensor]]:
    """The inputs that are as long as the text, with the text at their end; of kinds of tokens several are tried."""
    before = given.get(key)
    beside = {}
    if isinstance(before, Tensor):
        alike = {name: value for name, value in given.items() if name != key and isinstance(value, Tensor)}
        beside = {name: value for name, value in alike.items() if value.shape == before.shape}
    masks = {name: _longer(value, ids, 1) for name, value in beside.items() if "mask" in name}
    kinds = {name: value for name, value in beside.items() if name not in masks and not value.is_floating_point()}
    for fill in (1, 0) if kinds else (0,):  # of PaliGemma a text that is read one way is 1, of Qwen words are 0
        yield {key: ids, **masks, **{name: _longer(value, ids, fill) for name, value in kinds.items()}}


def _longer(value: Tensor, ids: Tensor, fill: int) -> Tensor:
    """One row as long as the text, filled up at its end."""
    short = value[:1, : ids.shape[1]]
    return torch.cat([short, short.new_full((1, ids.shape[1] - short.shape[1]), fill)], 1)


def _off(runner: Runner, x: Tensor, inputs: TextInputs, logits: Tensor, row: int) -> float | None:
    """How far the logits of the text read are from those of the text written; None where they are the same to rounding."""
    again = runner.changed(call=runner.call.with_inputs(inputs), learned=Learned())
    read = logits_of(part_of(again.called(x), runner.settings.output))[0, row : row + len(logits)].to(logits)
    if read.shape != logits.shape:
        return float("inf")
    number = next((p.dtype for p in runner.network.parameters() if p.is_floating_point()), torch.float32)
    rounding = max(torch.finfo(number).eps, torch.finfo(torch.float32).eps)  # as float32, `generate` gives them
    off = (read - logits).abs().max().item()
    return off if not off <= rounding**PATIENCE * logits.abs().max().item() else None


def _told(runner: Runner, sequence: Tensor, row: int, logits: Tensor, how: Writing, inputs: TextInputs) -> WrittenText:
    ids = sequence[row + 1 :].tolist()
    chances = logits.double().softmax(-1)[torch.arange(len(ids)), sequence[row + 1 :]].cpu().numpy()
    tokenizer = runner.settings.tokenizer
    tokenizer = of_transformers(tokenizer) or getattr(tokenizer, "tokenizer", tokenizer)
    given = tuple(sequence[: row + 1].tolist())
    if tokenizer is None or not callable(getattr(tokenizer, "decode", None)):
        tokens, unmarked = tuple(f"#{i}" for i in ids), (False,) * len(ids)
        return WrittenText(" ".join(tokens), tokens, chances, tuple(ids), row, unmarked, given, how, False, inputs)
    special = {*getattr(tokenizer, "all_special_ids", ())}
    marks = tuple(i in special for i in ids)
    text = tokenizer.decode([i for i, mark in zip(ids, marks, strict=True) if not mark]).strip()
    return WrittenText(text, _pieces(tokenizer, ids), chances, tuple(ids), row, marks, given, how, True, inputs)


def _pieces(tokenizer: Any, ids: list[int]) -> tuple[str, ...]:
    """What each token adds to the text; of a character of several tokens, the last of them adds it."""
    pieces, before = list[str](), ""
    for end in range(1, len(ids) + 1):
        text = tokenizer.decode(ids[:end])
        whole = text.removesuffix("\N{REPLACEMENT CHARACTER}") if end < len(ids) else text
        pieces.append(whole[len(before) :] if whole.startswith(before) else whole)
        before = whole if whole.startswith(before) else before + pieces[-1]
    return tuple(pieces)


def with_text(runner: Runner, x: Tensor, aims: Sequence[Aim]) -> tuple[Runner, WrittenText | None]:
    """The runner that reads what the network wrote about an image x (1, c, *space), and that; as it is where no aim asks for
    it.  BadParameter where aims ask for several texts.
    """
    first, *others = [aim.writing for aim in aims]
    if any(other is not first and not (isinstance(other, Writing) and other == first) for other in others):
        raise BadParameter("Tokens of texts that are written in several ways are asked for: ask for one seed and longest=.")
    written = write(runner, x, first) if isinstance(first, Writing) else first
    return (runner, None) if written is None else (reads_text(runner, written), written)
