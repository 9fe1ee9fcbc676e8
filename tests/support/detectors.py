"""Small detectors: by hand, where it is known which pixels matter, and of every family, with weights drawn under a seed.

Images are (1, 3, h, w), float64.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy import Class
from seewhy.images.places import Extent
from seewhy.models.model import INPUT
from seewhy.targets.aim import ImageView

CELL = 4  # pixels across a cell of Blobs
KINDS = ["red", "green", "blue"]


class Blobs(nn.Module):
    """Finds in each cell of 4 x 4 pixels its strongest colour, with the mean of that colour for a score.

    form: "list" (boxes, scores, labels of those above 0.1), "classes" (all cells, the scores of every class), "yolo8", "yolo5".
    """

    def __init__(self, form: str = "list") -> None:
        super().__init__()
        self.form, self.mean = form, nn.AvgPool2d(CELL)
        self.gain = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Any:
        h, w = (side // CELL for side in x.shape[2:])
        scores = self.mean(x * self.gain).flatten(2).mT  # (n, cells, 3)
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        corner = torch.stack([columns, rows], -1).reshape(-1, 2).to(x) * CELL
        boxes = torch.cat([corner, corner + CELL], 1)
        if self.form == "classes":
            return {"boxes": boxes.expand(len(x), -1, 4), "scores": scores}
        if self.form.startswith("yolo"):
            middle = torch.cat([corner + CELL / 2, torch.full_like(corner, CELL)], 1).expand(len(x), -1, 4)
            if self.form == "yolo8":
                return torch.cat([middle, scores], 2).mT
            best = scores.amax(2, keepdim=True).clamp_min(1e-9)
            return (torch.cat([middle, best, scores / best], 2), [scores])
        best, labels = scores.max(2)
        lists = [(own, of, own > 0.1) for own, of in zip(best, labels, strict=True)]
        return [{"boxes": boxes[bright], "scores": own[bright], "labels": of[bright]} for own, of, bright in lists]


def scene(h: int = 16, w: int = 24) -> np.ndarray:
    """(1, 3, h, w) black, with red cells, 0.9 at row 1, column 1 and 0.6 at row 2, column 4; green 0.8 at row 0, column 5."""
    x = np.zeros((1, 3, h, w))
    for colour, row, column, value in ((0, 1, 1, 0.9), (0, 2, 4, 0.6), (1, 0, 5, 0.8)):
        x[0, colour, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = value
    return x


class Small(nn.Sequential):
    """A backbone of three convolutions: one map of 8 channels, at an eighth."""

    def __init__(self) -> None:
        convs = [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in ((3, 6), (6, 12), (12, 8))]
        super().__init__(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])
        self.out_channels = 8


def torchvision_detector(family: str, seed: int = 0) -> nn.Module:
    """One of torchvision's detectors on a small backbone: 4 classes, every box kept; images are resized to 64, padded to 96."""
    from torchvision.models import detection as D
    from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
    from torchvision.models.detection.ssd import SSD

    kept: dict[str, Any] = {"min_size": 64, "max_size": 96, "num_classes": 4}
    anchors = AnchorGenerator(((24, 40),), ((0.7, 1.4),))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        if family in ("fasterrcnn", "maskrcnn"):
            kind = D.FasterRCNN if family == "fasterrcnn" else D.MaskRCNN
            net: nn.Module = kind(
                Small(), rpn_anchor_generator=anchors, rpn_post_nms_top_n_test=8, box_score_thresh=0.0,
                box_detections_per_img=12, box_roi_pool=roi_pool(4), box_head=D.faster_rcnn.TwoMLPHead(8 * 16, 16),
                box_predictor=D.faster_rcnn.FastRCNNPredictor(16, 4), **{**kept, "num_classes": None},
                **({"mask_roi_pool": roi_pool(8), "mask_head": D.mask_rcnn.MaskRCNNHeads(8, (8,), 1),
                    "mask_predictor": D.mask_rcnn.MaskRCNNPredictor(8, 8, 4)} if family == "maskrcnn" else {}),
            )  # fmt: skip
        elif family == "retinanet":
            net = D.RetinaNet(Small(), anchor_generator=anchors, score_thresh=0.0, detections_per_img=12, topk_candidates=40,
                              **kept, head=D.retinanet.RetinaNetHead(8, 4, 4, norm_layer=nn.Identity))  # fmt: skip
        elif family == "fcos":
            single = AnchorGenerator(((8,),), ((1.0,),))
            most = {"detections_per_img": 12, "topk_candidates": 40}
            net = D.FCOS(grouped(Small()), anchor_generator=single, score_thresh=0.0, **most, **kept)
        else:
            boxes = DefaultBoxGenerator([[2]], scales=[0.3, 0.6])
            head = D.ssd.SSDHead([8], boxes.num_anchors_per_location(), 4)
            net = SSD(Small(), boxes, (64, 64), 4, head=head, score_thresh=0.0, detections_per_img=12,
                      image_mean=[0.5] * 3, image_std=[0.25] * 3)  # fmt: skip
        for name, parameter in net.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 1.6 / np.sqrt(parameter[0].numel()))
            elif "bias" in name:
                parameter.normal_(0, 0.3)
        return net.double().eval()


def roi_pool(side: int) -> nn.Module:
    from torchvision.ops import MultiScaleRoIAlign

    return MultiScaleRoIAlign(["0"], side, 2)


def grouped(backbone: Any) -> Any:
    """FCOS has GroupNorms of 32 groups, so the map has 32 channels."""
    backbone.append(nn.Conv2d(8, 32, 1))
    backbone.out_channels = 32
    return backbone


def queries(family: str, seed: int = 0, labels: int = 3) -> nn.Module:
    """DETR, which has a last class "no object", RT-DETR's cousin Deformable DETR, which has not, or YOLOS; float64, tiny."""
    import transformers as T

    names = {"id2label": {i: KINDS[i] for i in range(labels)}, "label2id": {KINDS[i]: i for i in range(labels)}}
    resnet = {"embedding_size": 8, "hidden_sizes": [8, 8, 12, 40], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    sizes = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
             "encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 6}  # fmt: skip
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        if family == "yolos":
            config = T.YolosConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                                   image_size=[48, 64], patch_size=16, num_detection_tokens=6, **names)  # fmt: skip
            net: nn.Module = T.YolosForObjectDetection(config)
        else:
            own = {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}
            stages = ["stage2", "stage3", "stage4"] if family == "deformable" else ["stage4"]
            backbone = T.ResNetConfig(**resnet, out_features=stages)
            if family == "detr":
                net = T.DetrForObjectDetection(T.DetrConfig(backbone_config=backbone, **own, **sizes, **names))
            else:
                made = T.DeformableDetrConfig(backbone_config=backbone, num_feature_levels=3, **own, **sizes, **names)
                net = T.DeformableDetrForObjectDetection(made)
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 1.4 / np.sqrt(parameter[0].numel()))
        return net.double().eval()


def picture(h: int = 48, w: int = 64, seed: int = 0) -> np.ndarray:
    """(1, 3, h, w) of noise that is smooth enough to see."""
    rng = np.random.default_rng(seed)
    coarse = torch.tensor(rng.normal(0.5, 0.5, (1, 3, 6, 8)))
    return F.interpolate(coarse, (h, w), mode="bilinear").numpy()


def aimed(model, x, *boxes):
    """The model that reads the boxes, and what was pinned."""
    view = ImageView(x.shape[2:], None, Extent(0, 0, x.shape[3], x.shape[2]), model.labels)
    return model.aimed([box.known(model.labels) for box in boxes], x, view)


def gradients(model, x, *boxes):
    """Of each box's number, toward the pixels: (t, 3, h, w)."""
    reader, _ = aimed(model, x, *boxes)
    trace = reader.trace(x, [Class(k) for k in range(len(boxes))], [INPUT])
    return trace.answer.scores[0], trace.evidence[INPUT].g[:, 0].numpy()
