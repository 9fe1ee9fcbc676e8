"""Folders of models: small networks of transformers with their image processors, and settings laid out for timm."""

import json
from pathlib import Path

import pytest
import transformers

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
NAMES = {0: "cat", 1: "dog", 2: "owl"}
LABELS = {"id2label": NAMES, "label2id": {name: i for i, name in NAMES.items()}}


def vit(**more):
    """The configuration of a small ViT."""
    return transformers.ViTConfig(**SMALL, image_size=32, patch_size=8, **more)


def build(kind: str):
    """A small network of that kind, and its image processor."""
    t = transformers
    clip = {**SMALL, "image_size": 32, "patch_size": 8}
    return {
        "vit": lambda: (t.ViTForImageClassification(vit(**LABELS)), t.ViTImageProcessor(size={"height": 32, "width": 32})),
        "convnext": lambda: (
            t.ConvNextForImageClassification(t.ConvNextConfig(hidden_sizes=[4, 4, 8, 8], depths=[1, 1, 1, 1], num_labels=4)),
            t.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.8),
        ),
        "dinov2": lambda: (
            t.Dinov2Model(t.Dinov2Config(**{**SMALL, "intermediate_size": 32}, image_size=32, patch_size=8)),
            t.BitImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}),
        ),
        "clip vision": lambda: (
            t.CLIPVisionModelWithProjection(t.CLIPVisionConfig(**clip, projection_dim=8)),
            t.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        ),
        "mobilevit": lambda: (
            t.MobileViTForImageClassification(
                t.MobileViTConfig(image_size=32, hidden_sizes=[8, 8, 8], neck_hidden_sizes=[4, 4, 4, 4, 4, 4, 8], num_labels=3)
            ),
            t.MobileViTImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}),
        ),
    }[kind]()


def copied(folder: Path, to: Path, without: tuple[str, ...] = (), **config) -> Path:
    """The files of a folder in another, with other settings in config.json."""
    for file in folder.iterdir():
        if file.name not in without:
            (to / file.name).write_bytes(file.read_bytes())
    own = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**own, **config}))
    return to


def in_timms_layout(folder: Path, **more) -> Path:
    """A folder with a config.json as timm lays it out."""
    pytest.importorskip("timm")
    folder.mkdir(exist_ok=True)
    return changed(folder / "config.json", **{"architecture": "test_resnet", "num_classes": 1000, **more})


def changed(path: Path, **more) -> Path:
    """The folder of a file of settings, after these were put in."""
    settings = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**settings, **more}))
    return path.parent
