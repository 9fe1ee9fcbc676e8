"""Small networks of timm's families, of their classes or by their options: nothing is downloaded."""

from functools import partial
from typing import Any

from torch import nn

from support.families.known import CLASSES, FIRST, LAST, Family, Known


def made(module: str, cls: str, **options: Any) -> nn.Module:
    from importlib import import_module

    return getattr(import_module(f"timm.models.{module}"), cls)(num_classes=CLASSES, **options)


def named(name: str, **options: Any) -> nn.Module:
    import timm

    return timm.create_model(name, num_classes=CLASSES, **options)


def mvit() -> nn.Module:
    from timm.models.mvitv2 import MultiScaleVit, MultiScaleVitCfg

    strides: Any = ((1, 1), (2, 2))
    cfg = MultiScaleVitCfg(depths=(1, 2), embed_dim=16, num_heads=2, stride_q=strides, use_cls_token=True, rel_pos_type="")
    return MultiScaleVit(cfg, img_size=(64, 96), num_classes=CLASSES)


def maxxvit(*blocks: str) -> nn.Module:
    from timm.models.maxxvit import MaxxVit, MaxxVitCfg, MaxxVitTransformerCfg

    heads = MaxxVitTransformerCfg(dim_head=8, window_size=(2, 3), grid_size=(2, 3))
    cfg = MaxxVitCfg(embed_dim=(16, 24), depths=(1, 2), block_type=blocks, stem_width=8, transformer_cfg=heads)
    return MaxxVit(cfg, img_size=(64, 96), num_classes=CLASSES)


def regnet() -> nn.Module:
    from timm.models.regnet import RegNet, RegNetCfg

    return RegNet(RegNetCfg(depth=6, w0=8, wa=8.0, wm=2.0, group_size=8, se_ratio=0.25), num_classes=CLASSES)


def naflex() -> nn.Module:
    from timm.models.naflexvit import NaFlexVit, NaFlexVitCfg

    cfg = NaFlexVitCfg(embed_dim=32, depth=3, num_heads=2, class_token=True, reg_tokens=2, global_pool="token")
    return NaFlexVit(cfg, num_classes=CLASSES)


SMALL = {"img_size": (64, 96), "embed_dim": 32, "depth": 3, "num_heads": 2}
VIT = partial(made, "vision_transformer", "VisionTransformer", **SMALL)
SWIN = {"img_size": (64, 96), "patch_size": 4, "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4}
PYRAMID = {"depths": (1, 1, 1, 1), "embed_dims": (16, 16, 32, 32), "num_heads": (1, 1, 2, 2)}
TIMM = {
    "timm vit": Family(VIT, Known("blocks.0", (4, 6), prefix=1), (4, 6)),
    "timm vit, patch 8": Family(partial(VIT, patch_size=8), Known("blocks.0", (8, 12), prefix=1), (8, 12)),
    "timm vit, 4 registers": Family(partial(VIT, reg_tokens=4), Known("blocks.0", (4, 6), prefix=5), (4, 6)),
    "timm vit, 4 registers, no class token": Family(
        partial(VIT, reg_tokens=4, class_token=False, global_pool="avg"), Known("blocks.0", (4, 6), prefix=4), (4, 6)
    ),
    "timm vit, no prefix, averaged": Family(
        partial(VIT, class_token=False, global_pool="avg"), Known("blocks.0", (4, 6)), (4, 6)
    ),
    "timm vit, attention pooling": Family(
        partial(VIT, class_token=False, global_pool="map"), Known("blocks.0", (4, 6)), (4, 6)
    ),
    "timm vit, square": Family(
        partial(VIT, img_size=64, reg_tokens=4), Known("blocks.0", (4, 4), prefix=5), (4, 4), (64, 64)
    ),
    "timm vit, any size": Family(
        partial(VIT, img_size=64, dynamic_img_size=True), Known("blocks.0", (4, 6), prefix=1), (4, 6)
    ),
    "timm vit, an odd size": Family(  # 11 pixels are cut off below, 6 at the right
        partial(VIT, img_size=(75, 54)), Known("blocks.0", (4, 3), prefix=1), (4, 3), (75, 54), (64, 48)
    ),
    "timm vit, oblong patches": Family(
        partial(VIT, patch_size=(16, 8)), Known("blocks.0", (4, 12), prefix=1), (4, 12)
    ),
    "timm deit, distilled": Family(
        partial(made, "deit", "VisionTransformerDistilled", **SMALL), Known("blocks.0", (4, 6), prefix=2), (4, 6)
    ),
    "timm beit": Family(
        partial(made, "beit", "Beit", **SMALL, use_rel_pos_bias=True, init_values=0.1),
        Known("blocks.0", (4, 6), prefix=1), (4, 6),
    ),
    "timm eva": Family(
        partial(made, "eva", "Eva", **SMALL, use_rot_pos_emb=True, num_reg_tokens=2, global_pool="token"),
        Known("blocks.0", (4, 6), prefix=3), (4, 6),
    ),
    "timm naflexvit": Family(naflex, Known("blocks.0", (4, 6), prefix=3), (4, 6)),
    "timm swin": Family(
        partial(made, "swin_transformer", "SwinTransformer", **SWIN), Known("patch_embed", (16, 24), LAST), (8, 12)
    ),
    "timm swinv2": Family(
        partial(made, "swin_transformer_v2", "SwinTransformerV2", **SWIN), Known("patch_embed", (16, 24), LAST), (8, 12)
    ),
    "timm pvt_v2": Family(
        partial(made, "pvt_v2", "PyramidVisionTransformerV2", **PYRAMID),
        Known("stages.0", (16, 24), FIRST, near=1), (2, 3),
    ),
    "timm mvitv2": Family(mvit, Known("stages.0", (16, 24), prefix=1, near=1), (8, 12)),
    "timm maxvit": Family(partial(maxxvit, "C", "M"), Known("stem", (32, 48), FIRST, near=2), (8, 12)),
    "timm coatnet": Family(partial(maxxvit, "C", "T"), Known("stem", (32, 48), FIRST, near=1), (8, 12)),
    "timm convnext": Family(
        partial(made, "convnext", "ConvNeXt", depths=(1, 1, 1, 1), dims=(8, 8, 16, 16)),
        Known("stem", (16, 24), FIRST), (2, 3),
    ),
    "timm levit": Family(
        partial(made, "levit", "Levit", img_size=(64, 64), embed_dim=(16, 24), key_dim=8, depth=(1, 1), num_heads=(2, 3)),
        Known("stages.0", (4, 4), near=1), (2, 2), (64, 64),
    ),
    "timm efficientformer": Family(
        partial(made, "efficientformer", "EfficientFormer", depths=(1, 1, 1, 3), embed_dims=(8, 8, 16, 16), num_vit=1),
        Known("stages.0", (56, 56), FIRST, near=1), (7, 7), (224, 224),
    ),
    "timm mobilevit": Family(
        partial(named, "mobilevit_xxs"), Known("stem", (32, 48), FIRST, near=1), (2, 3)
    ),
    "timm resnet": Family(partial(named, "test_resnet"), Known("layer1", (16, 24), FIRST, near=1), (2, 3)),
    "timm mobilenetv2, pad same": Family(
        partial(named, "mobilenetv2_035", pad_type="same"), Known("conv_stem", (32, 48), FIRST, near=1), (2, 3)
    ),
    "timm xcit": Family(
        partial(made, "xcit", "Xcit", **SMALL, eta=1.0), Known("blocks.0", (4, 6), near=1), (4, 6)
    ),
    "timm cait": Family(
        partial(made, "cait", "Cait", **SMALL), Known("blocks.0", (4, 6)), (4, 6)
    ),
    "timm regnet": Family(regnet, Known("stem", (32, 48), FIRST, near=1), (2, 3)),
    "timm mixer": Family(
        partial(made, "mlp_mixer", "MlpMixer", img_size=(64, 96), num_blocks=2, embed_dim=32),
        Known("stem", (4, 6)), (4, 6),
    ),
    "timm davit": Family(
        partial(made, "davit", "DaVit", depths=(1, 1, 1, 1), embed_dims=(8, 16, 16, 32), num_heads=(1, 2, 2, 4)),
        Known("stem", (16, 24), FIRST, near=1), (2, 3),
    ),
}  # fmt: skip
