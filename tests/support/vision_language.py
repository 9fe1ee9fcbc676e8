"""Small vision-language models of transformers with random weights in float64, and a tokenizer of words: nothing is fetched."""

from typing import Any

import numpy as np
import torch

import seewhy

SMALL: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SEES = {**SMALL, "image_size": 48, "patch_size": 16}  # 3 x 3 patches
MARKS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
WORDS = ["<pad>", "<s>", "</s>", *(f"word{i}" for i in range(3, 39)), "<image>"]
IMAGE = 39  # stands for a patch among the words
X = np.random.default_rng(1).normal(size=(1, 3, 48, 48))


def tokenizer() -> Any:
    """Words between spaces."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<pad>"
    )


def network(name: str, seed: int = 0) -> Any:
    """llava, one-layer llava (whose image tokens saw one patch each), paligemma, blip, captioner, or blip matching (which tells
    whether a text fits an image), in eval mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = _made(name).eval()
        for p in made.parameters():  # their own inits are so small that all words are alike
            if p.ndim > 1:
                p.data.normal_(std=0.3)
    return made.double()


def _made(name: str) -> Any:
    import transformers as T

    llama = {**SMALL, "hidden_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40, **MARKS}
    if name.endswith("llava"):
        sees = T.CLIPVisionConfig(**{**SEES, "num_hidden_layers": 1 if name == "one-layer llava" else 2})
        text = T.LlamaConfig(**llama, max_position_embeddings=64)
        config = T.LlavaConfig(vision_config=sees, text_config=text, image_token_id=IMAGE, image_seq_length=9)
        return T.LlavaForConditionalGeneration(config)
    if name == "paligemma":
        sees = {"model_type": "siglip_vision_model", **SEES, "vision_use_head": False, "projection_dim": 24}
        text = {**llama, "model_type": "gemma", "head_dim": 6}
        config = T.PaliGemmaConfig(
            vision_config=sees, text_config=text, image_token_id=IMAGE, projection_dim=24, hidden_size=24
        )
        return T.PaliGemmaForConditionalGeneration(config)
    if name.startswith("blip"):
        text = {**SMALL, "encoder_hidden_size": 16, "vocab_size": 40, "max_position_embeddings": 32, **MARKS, "sep_token_id": 2}
        config = T.BlipConfig(text_config=text, vision_config={**SEES, "projection_dim": 8}, projection_dim=8)
        return (T.BlipForImageTextRetrieval if name == "blip matching" else T.BlipForConditionalGeneration)(config)
    sides = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 40, "n_positions": 32}
    reads = T.GPT2Config(**sides, add_cross_attention=True, is_decoder=True)
    config = T.VisionEncoderDecoderConfig.from_encoder_decoder_configs(T.ViTConfig(**SEES), reads)
    made = T.VisionEncoderDecoderModel(config=config)
    for each in (made.config, made.generation_config):
        each.decoder_start_token_id, each.pad_token_id, each.eos_token_id = 1, 0, 2
    return made


def question(name: str) -> dict[str, Any]:
    """What each is asked with beside the image."""
    if name in ("blip", "captioner"):
        return {}
    row = [1, 5, *[IMAGE] * 9, 7, 8, 9] if name.endswith("llava") else [*[IMAGE] * 9, 1, 5, 6, 7]
    ids = torch.tensor([row])
    kinds = {"token_type_ids": torch.zeros_like(ids)} if name == "paligemma" else {}
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **kinds}


def model(name: str, made: Any = None, **options: Any) -> Any:
    """The network, wrapped as a person would."""
    inputs = {**question(name), "pixel_values": seewhy.IMAGE}
    return seewhy.wrap(made or network(name), inputs=inputs, tokenizer=tokenizer(), **options)


FAMILIES = ("llava", "paligemma", "blip", "captioner")


def logits(name: str, made: Any, x: Any, text: list[int]) -> torch.Tensor:
    """What the network says of the next word (vocabulary,), behind the image, the question and the words of a text so far."""
    asked = question(name)
    options: dict[str, Any] = {"pixel_values": torch.as_tensor(x)}
    if name in ("blip", "captioner"):
        options["input_ids" if name == "blip" else "decoder_input_ids"] = torch.tensor([[1, *text]])
    else:
        written = torch.tensor([text], dtype=torch.long)
        options["input_ids"] = torch.cat([asked["input_ids"], written], 1)
        if name == "paligemma":  # what was asked is read both ways, what was written one way
            options["token_type_ids"] = torch.cat([asked["token_type_ids"], torch.ones_like(written)], 1)
    return made(**options).logits[0, -1]
