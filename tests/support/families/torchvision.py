"""Small networks of torchvision's families."""

from functools import partial

from torch import nn

from support.families.known import CLASSES, FIRST, LAST, Family, Known


def resnet() -> nn.Module:
    from torchvision.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=CLASSES)


def r3d() -> nn.Module:
    from torchvision.models.video import resnet

    return resnet.VideoResNet(resnet.BasicBlock, [resnet.Conv3DSimple] * 4, [1, 1, 1, 1], resnet.BasicStem, CLASSES)


def vit() -> nn.Module:
    from torchvision.models import VisionTransformer

    return VisionTransformer(64, 16, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=CLASSES)


def swin(version: int) -> nn.Module:
    from torchvision.models import swin_transformer as parts

    blocks = {1: (parts.SwinTransformerBlock, parts.PatchMerging), 2: (parts.SwinTransformerBlockV2, parts.PatchMergingV2)}
    block, merge = blocks[version]
    return parts.SwinTransformer(
        [4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=CLASSES, block=block, downsample_layer=merge
    )  # fmt: skip


def maxvit() -> nn.Module:
    from torchvision.models import MaxVit

    return MaxVit((64, 64), 8, 2, [8, 16, 16], [1, 1, 1], head_dim=8, stochastic_depth_prob=0.0, num_classes=CLASSES)


def convnext() -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, 16, 1), CNBlockConfig(16, None, 1)], num_classes=CLASSES)


def mvit() -> nn.Module:
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    def block(heads: int, width: int, out: int, q: list[int], kv: list[int]) -> MSBlockConfig:
        return MSBlockConfig(heads, width, out, [3, 3, 3], [3, 3, 3], q, kv)

    same, halved = [1, 1, 1], [1, 2, 2]
    return MViT(
        (32, 64), 4, [block(1, 8, 8, same, halved), block(2, 8, 16, halved, same), block(2, 16, 16, same, same)],
        residual_pool=True, residual_with_cls_embed=False, rel_pos_embed=True, proj_after_attn=True, num_classes=CLASSES,
    )  # fmt: skip


VISION = {
    "torchvision vit": Family(vit, Known("encoder.layers.encoder_layer_0", (4, 4), prefix=1), (4, 4), (64, 64)),
    "torchvision swin": Family(partial(swin, 1), Known("features.0", (16, 24), LAST), (8, 12)),
    "torchvision swin_v2": Family(partial(swin, 2), Known("features.0", (16, 24), LAST), (8, 12)),
    "torchvision maxvit": Family(maxvit, Known("stem", (32, 32), FIRST, near=1), (4, 4), (64, 64)),
    "torchvision convnext": Family(convnext, Known("features.0", (16, 24), FIRST), (4, 6)),
    "torchvision resnet": Family(resnet, Known("layer1", (16, 24), FIRST, near=1), (2, 3)),
    "torchvision r3d, of videos": Family(r3d, Known("stem", (4, 16, 24), FIRST, near=1), (1, 2, 3), (4, 32, 48)),
    "torchvision mvit, of videos": Family(mvit, Known("blocks.0", (2, 8, 16), prefix=1, near=1), (2, 4, 8), (4, 32, 64)),
}
