"""Small networks of Hugging Face's families, of configurations: nothing is downloaded."""

from functools import partial
from typing import Any

from torch import Tensor, nn

from support.families.known import CLASSES, FIRST, Family, Known


def hf(name: str, config: str = "", **options: Any) -> nn.Module:
    """The classifier `name`, of a configuration."""
    import transformers

    made = getattr(transformers, f"{config or name.partition('For')[0]}Config")(num_labels=CLASSES, **options)
    made.num_labels = CLASSES  # transformers 5.12 forgets those of a Pvt
    return getattr(transformers, name)(made)


def hf_tower(name: str, config: str) -> nn.Module:
    """CLIP and SigLIP, whose configuration holds one of the vision tower."""
    import transformers

    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64, "patch_size": 16}
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99}
    made = getattr(transformers, config)(text_config=text, vision_config={**vision, "image_size": 64}, num_labels=CLASSES)
    return getattr(transformers, name)(made)


class Embedded(nn.Module):
    """A tower without a classifier, and a linear one put behind its class token, as people fine-tune DINOv3."""

    def __init__(self) -> None:
        super().__init__()
        import transformers

        self.tower = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**SQUARE, num_register_tokens=4))
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.tower(x).pooler_output)


SQUARE: dict[str, Any] = {
    "image_size": 64, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 64,
}  # fmt: skip
HF_SWIN = {"image_size": 64, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
HF_CONVNEXT = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
HF = {
    "hf vit": Family(
        partial(hf, "ViTForImageClassification", **SQUARE), Known("vit.layers.0", (4, 4), prefix=1), (4, 4), (64, 64)
    ),
    "hf deit, distilled": Family(
        partial(hf, "DeiTForImageClassificationWithTeacher", **SQUARE),
        Known("deit.layers.0", (4, 4), prefix=2), (4, 4), (64, 64),
    ),
    "hf beit": Family(
        partial(hf, "BeitForImageClassification", **SQUARE, use_relative_position_bias=True),
        Known("beit.layers.0", (4, 4), prefix=1), (4, 4), (64, 64),
    ),
    "hf dinov2": Family(
        partial(hf, "Dinov2ForImageClassification", **SQUARE), Known("dinov2.encoder.layer.0", (4, 6), prefix=1), (4, 6)
    ),
    "hf dinov2, 4 registers": Family(
        partial(hf, "Dinov2WithRegistersForImageClassification", **SQUARE, num_register_tokens=4),
        Known("dinov2_with_registers.encoder.layer.0", (4, 6), prefix=5), (4, 6),
    ),
    "hf dinov3 and a linear head": Family(Embedded, Known("tower.model.layer.0", (4, 6), prefix=5), (4, 6)),
    "hf clip": Family(
        partial(hf_tower, "CLIPForImageClassification", "CLIPConfig"),
        Known("vision_model.encoder.layers.0", (4, 4), prefix=1), (4, 4), (64, 64),
    ),
    "hf siglip": Family(
        partial(hf_tower, "SiglipForImageClassification", "SiglipConfig"),
        Known("vision_model.encoder.layers.0", (4, 4)), (4, 4), (64, 64),
    ),
    "hf swin": Family(
        partial(hf, "SwinForImageClassification", **HF_SWIN), Known("swin.embeddings", (16, 16)), (8, 8), (64, 64)
    ),
    "hf swin, oblong": Family(
        partial(hf, "SwinForImageClassification", **HF_SWIN), Known("swin.embeddings", (16, 24)), (8, 12)
    ),
    "hf swinv2": Family(
        partial(hf, "Swinv2ForImageClassification", **HF_SWIN), Known("swinv2.embeddings", (16, 24)), (8, 12)
    ),
    "hf pvt": Family(
        partial(
            hf, "PvtForImageClassification", image_size=64, depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16],
            num_attention_heads=[1, 1, 2, 2], mlp_ratios=[2, 2, 2, 2],
        ),
        Known("pvt.encoder.patch_embeddings.0", (16, 16)), (2, 2), (64, 64),
    ),
    "hf pvt_v2": Family(
        partial(
            hf, "PvtV2ForImageClassification", depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16],
            num_attention_heads=[1, 1, 2, 2], mlp_ratios=[2, 2, 2, 2],
        ),
        Known("pvt_v2.encoder.layers.0.patch_embedding.proj", (16, 24), FIRST, near=1), (2, 3),
    ),
    "hf convnext": Family(
        partial(hf, "ConvNextForImageClassification", **HF_CONVNEXT), Known("convnext.embeddings", (16, 24), FIRST), (2, 3)
    ),
    "hf convnextv2": Family(
        partial(hf, "ConvNextV2ForImageClassification", **HF_CONVNEXT), Known("convnextv2.embeddings", (16, 24), FIRST), (2, 3)
    ),
    "hf levit": Family(
        partial(
            hf, "LevitForImageClassification", image_size=128, hidden_sizes=[16, 24, 32], num_attention_heads=[2, 3, 4],
            depths=[1, 1, 1], key_dim=[8, 8, 8], down_ops=[["Subsample", 8, 2, 4, 2, 2], ["Subsample", 8, 3, 4, 2, 2]],
        ),
        Known("levit.encoder.stages.0.layers.0", (8, 8), near=1), (2, 2), (128, 128),
    ),
    "hf mobilevit": Family(
        partial(
            hf, "MobileViTForImageClassification", image_size=64, hidden_sizes=[8, 16, 16],
            neck_hidden_sizes=[8, 8, 8, 8, 8, 16, 16], num_attention_heads=2,
        ),
        Known("mobilevit.conv_stem", (32, 48), FIRST, near=1), (2, 3),
    ),
    "hf resnet": Family(
        partial(
            hf, "ResNetForImageClassification", embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1],
            layer_type="basic",
        ),
        Known("resnet.embedder", (16, 24), FIRST, near=1), (2, 3),
    ),
}  # fmt: skip
