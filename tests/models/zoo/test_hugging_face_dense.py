"""Detectors, segmenters and depth estimators that transformers saved: labels, preprocessing, and what they can be asked."""

import numpy as np
import pytest
import torch
import transformers as T
from PIL import Image

import seewhy
from seewhy import Box, Point, Region
from seewhy.errors import BadNetwork
from seewhy.prepare.fit import Fit
from support.detectors import queries

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))


def saved(folder, network, processor=None):
    network.float().save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return seewhy.load(str(folder))


def test_a_detector_that_transformers_saved(tmp_path):
    model = saved(tmp_path, queries("yolos"), T.YolosImageProcessor(size={"height": 48, "width": 64}))
    assert isinstance(model.prepare, Fit)
    assert model.labels == ["red", "green", "blue"]
    first = seewhy.detections(model, PHOTO)[0][0]
    (found,) = seewhy.gradient(model, PHOTO, target=first.target)
    assert found.source.score == pytest.approx(first.score, rel=1e-5)
    network = model.network
    with torch.no_grad():
        given = network(torch.tensor(model.prepare(PHOTO))[None])
    chances = given.logits.softmax(-1)[0, :, :-1]
    best = int(chances.amax(1).argmax())
    assert first.score == pytest.approx(float(chances[best].max()), rel=1e-5)
    cx, cy, w, h = given.pred_boxes[0, best].numpy() * [90, 60, 90, 60]  # of the photo
    np.testing.assert_allclose(first.box, [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], rtol=1e-4, atol=1e-3)


def test_a_photo_whose_longer_side_is_bounded_is_prepared_so(tmp_path):
    """DETR: the shorter side to 48, the longer to 64 at most; 60 x 90 would be 48 x 72, so it is 43 x 64."""
    processor = T.DetrImageProcessor(size={"shortest_edge": 48, "longest_edge": 64})
    model = saved(tmp_path, queries("detr"), processor)
    ours = model.prepare(PHOTO)
    np.testing.assert_array_equal(ours, processor(images=PHOTO, return_tensors="np")["pixel_values"][0])
    assert max(ours.shape) == 64
    (found,) = seewhy.grad_cam(model, PHOTO, target=Box(), signed=True)
    assert found.values.any()


def test_a_segmenter_and_a_depth_estimator_that_transformers_saved(tmp_path):
    sizes = {"hidden_sizes": [8, 8, 12, 16], "depths": [1] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 16}
    names = {"id2label": {0: "sky", 1: "road", 2: "tree"}, "label2id": {"sky": 0, "road": 1, "tree": 2}}
    torch.manual_seed(0)
    segmenter = saved(
        tmp_path / "segmenter",
        T.SegformerForSemanticSegmentation(T.SegformerConfig(**sizes, **names)),
        T.SegformerImageProcessor(size={"height": 64, "width": 64}),
    )
    assert segmenter.labels == ["sky", "road", "tree"]
    (found,) = seewhy.gradient(segmenter, PHOTO, target=Point(30, 45))
    with torch.no_grad():
        logits = segmenter.network(torch.tensor(segmenter.prepare(PHOTO))[None]).logits[0]  # (3, 16, 16)
    assert found.source.score == pytest.approx(float(logits[:, 8, 8].max()), rel=1e-4)
    glpn = T.GLPNConfig(**sizes)
    depth = saved(tmp_path / "depth", T.GLPNForDepthEstimation(glpn), T.GLPNImageProcessor(size_divisor=32))
    assert depth.labels is None
    with pytest.raises(
        BadNetwork, match=r"gives a map \(32x64\). Explain a place in it: Point\(y, x\), or Region\(None, mask\)"
    ):
        seewhy.gradient(depth, PHOTO)
    mask = np.zeros((60, 90), bool)
    mask[:30] = True
    (found,) = seewhy.gradient(depth, PHOTO, target=Region(None, mask))
    assert found.values.any()
