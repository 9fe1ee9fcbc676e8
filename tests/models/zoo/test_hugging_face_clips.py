"""Video classifiers that transformers saved: they take frames before channels, and clips as their processor prepares them."""

import numpy as np
import pytest
import torch
import transformers as T
from PIL import Image

import seewhy
from seewhy import Clip, ClipFit
from seewhy.prepare.fit import Fit

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 16,
    "id2label": {0: "walk", 1: "jump", 2: "fall"}, "label2id": {"walk": 0, "jump": 1, "fall": 2},
}  # fmt: skip
FRAMES = [Image.fromarray(frame) for frame in np.random.default_rng(0).integers(0, 256, (8, 20, 26, 3), np.uint8)]
PROCESSOR = T.VideoMAEImageProcessor(size={"shortest_edge": 18}, crop_size={"height": 16, "width": 16})


def videomae() -> T.PreTrainedModel:
    return T.VideoMAEForVideoClassification(T.VideoMAEConfig(num_frames=4, tubelet_size=2, patch_size=4, **SMALL))


def timesformer() -> T.PreTrainedModel:
    return T.TimesformerForVideoClassification(T.TimesformerConfig(num_frames=3, patch_size=4, **SMALL))


def vivit() -> T.PreTrainedModel:
    return T.VivitForVideoClassification(T.VivitConfig(num_frames=4, tubelet_size=[2, 4, 4], **SMALL))


KINDS = {  # the network, how many frames it takes, and the grid of its tokens
    "VideoMAE": (videomae, 4, (2, 4, 4)),
    "TimeSformer": (timesformer, 3, (3, 4, 4)),
    "ViViT": (vivit, 4, (2, 4, 4)),
}


def made(kind: str) -> T.PreTrainedModel:
    torch.manual_seed(0)
    return KINDS[kind][0]().eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_network_explains_clips_as_its_processor_prepares_them(kind, tmp_path):
    network, (_, count, grid) = made(kind), KINDS[kind]
    network.save_pretrained(tmp_path)
    PROCESSOR.save_pretrained(tmp_path)
    model = seewhy.load(str(tmp_path))
    assert isinstance(model.prepare, ClipFit)
    assert isinstance(model.prepare.fit, Fit)
    assert (model.prepare.count, model.labels) == (count, ["walk", "jump", "fall"])
    clip = Clip(tuple(FRAMES))
    (found,) = seewhy.hires_cam(model, clip, target="jump")
    assert found.values.shape == grid
    assert found.full().shape == (8, 20, 26)
    seen = [FRAMES[int(i)] for i in model.prepare.places(8)]
    ready = PROCESSOR(seen, return_tensors="pt")["pixel_values"]  # (1, t, c, h, w)
    with torch.no_grad():
        assert found.source.score == pytest.approx(float(network(ready).logits[0, 1]), rel=0.05, abs=0.005)
    (again,) = seewhy.hires_cam(seewhy.wrap(network), np.ascontiguousarray(model.prepare(clip).swapaxes(0, 1)[None]), target=1)
    np.testing.assert_allclose(found.values, again.values, atol=1e-6 * abs(again.values).max())


@pytest.mark.parametrize("kind", KINDS)
def test_the_layers_of_a_network_of_clips_are_listed_without_a_clip(kind, tmp_path):
    grid = KINDS[kind][2]
    made(kind).save_pretrained(tmp_path)
    PROCESSOR.save_pretrained(tmp_path)
    layers = seewhy.load(str(tmp_path)).layers()
    default = next(layer for layer in layers.values() if layer.default)
    assert default.shape == (16, *grid)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bright_patch_of_one_frame_shows_where_it_is(kind):
    """The gradient of what a token emits reaches its own tube, wherever the class token and the frames stand in the row."""
    network, (_, count, grid) = made(kind), KINDS[kind]
    rng = np.random.default_rng(0)
    x = rng.random((1, count, 3, 16, 16)).astype(np.float32)
    model = seewhy.wrap(network)
    layer = next(name for name, module in network.named_modules() if name.endswith("patch_embeddings"))
    (base,) = (model.activations(x.swapaxes(1, 2), [layer])[0][layer],)
    t, row, column = count - 1, 2, 1
    x[0, t, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 1
    (moved,) = (model.activations(x.swapaxes(1, 2), [layer])[0][layer],)
    changed = np.argwhere(abs(np.asarray(moved[0]) - np.asarray(base[0])).sum(0) > 1e-4)
    assert changed.tolist() == [[t * grid[0] // count, row, column]]
