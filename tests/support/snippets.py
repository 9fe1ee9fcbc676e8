"""What README and docs/ show, run as it is written: small networks and photos stand in for those that the pages name."""

import re
import shlex
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from support.embedders import COLOURS, FIT, Towers, ids
from support.files.scans import AFFINES, Sees, scan
from support.segmenters import Segmenter

PLACE = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(path.relative_to(PLACE).as_posix() for path in (PLACE / "docs").glob("*.md")))
SIDE = 32  # of what the stand-ins see, in pixels
# Work that is shown with numbers of a patient person, with those of a test
QUICKER = {
    '"10 s"': '"0.2 s"',
    "'10 s'": "'0.2 s'",
    "'30 s'": "'0.2 s'",
    "20_000": "200",
    "samples=1000": "samples=100",
    'rise(model, "dog.jpg")[0]': 'rise(model, "dog.jpg", masks=50)[0]',
    '["grad-cam", "rise"]': '["grad-cam", seewhy.rise.using(masks=50)]',
    "scenes(40, ": "scenes(6, ",
    "unit:layer4:7 -o": "unit:layer4:7 --steps 2 --size 64 -o",
}


class Snippet(NamedTuple):
    """A block of code on a page."""

    page: str
    line: int  # of its first line, from 1 on
    language: str
    code: str


def snippets(page: str) -> list[Snippet]:
    """The blocks of Python and of the shell on a page, in order."""
    text = (PLACE / page).read_text("utf-8")
    blocks = re.finditer(r"^```(python|sh)\n(.*?)^```", text, re.S | re.M)
    return [Snippet(page, text[: block.start(2)].count("\n") + 1, block[1], block[2]) for block in blocks]


def quicker(code: str) -> str:
    for shown, tested in QUICKER.items():
        code = code.replace(shown, tested)
    return code


def commands(code: str) -> list[list[str]]:
    """The words of each `seewhy` command in a block of the shell, without comments; lines that end in a backslash go on."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words[1:] for words in (shlex.split(line, comments=True) for line in lines) if words[:1] == ["seewhy"]]


class Classifier(nn.Module):
    """A small network with the layers of a VGG and of a ResNet, and 1000 classes."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        convolutions = {0: (3, 6), 10: (6, 44), 12: (44, 6), 28: (6, 44)}  # pages speak of channel 42
        self.features = nn.Sequential(
            *(nn.Conv2d(*convolutions[i], 3, 2 if i == 0 else 1, 1) if i in convolutions else nn.ReLU() for i in range(30))
        )
        self.layer1, self.layer2 = nn.Conv2d(44, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.layer3, self.layer4 = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 12, 3, 1, 1)
        self.fc = nn.Linear(12, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(self.features(x)).relu()).relu()
        return self.fc(self.layer4(self.layer3(x).relu()).relu().mean((2, 3)))


def drawn(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """The network that is made, its weights drawn under a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make().eval()


SMALL = {"size": SIDE, "crop": SIDE, "mean": 0.5, "std": 0.5}
AS_IT_IS = {"size": None, "crop": None, "mean": 0.0, "std": 1.0}


def classifier(**how: Any) -> Any:
    return seewhy.wrap(drawn(Classifier), **{"prepare": SMALL, "labels": "imagenet", "name": "torchvision/resnet50"} | how)


def transformer(**how: Any) -> Any:
    import timm

    make = lambda: timm.create_model(  # noqa: E731 - made under a seed
        "vit_tiny_patch16_224", img_size=SIDE, patch_size=8, depth=12, embed_dim=24, num_heads=4
    )
    return seewhy.wrap(drawn(make), **{"prepare": SMALL, "labels": "imagenet", "name": "timm/vit"} | how)


def segmenter(**how: Any) -> Any:
    return seewhy.wrap(Segmenter("out"), **{"prepare": AS_IT_IS, "labels": ["person", "car", "dog"], "name": "segmenter"} | how)


def depth(**how: Any) -> Any:
    return seewhy.wrap(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1)),
        **{"prepare": AS_IT_IS, "name": "depth"} | how,
    )


class Dogs(nn.Module):
    """Sees a fifth of the photo's size, and finds two dogs in two boxes; how sure it is grows with the green in the box."""

    boxes = ((6, 12, 42, 60), (48, 30, 60, 40))

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, 1, 1)
        with torch.no_grad():
            self.see.weight[0, :, 0, 0] = torch.tensor([-1.0, 2.0, -1.0])

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        green = self.see(x).relu()[:, 0]
        scores = torch.stack([green[:, top:bottom, left:right].mean((1, 2)) for left, top, right, bottom in self.boxes], 1)
        boxes, labels = torch.tensor(self.boxes).to(x), torch.ones(len(self.boxes), dtype=torch.long)
        return [{"boxes": boxes, "scores": row.sigmoid(), "labels": labels} for row in scores]


def detector(**how: Any) -> Any:
    return seewhy.wrap(
        drawn(Dogs), **{"prepare": AS_IT_IS | {"size": (62, 64)}, "labels": ["cat", "dog", "tram"], "name": "detector"} | how
    )


class Attentive(Towers):
    """An image tower with an attention: the colours of patches, mixed."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix = nn.Conv2d(3, 3, 4, 4), nn.MultiheadAttention(3, 1, batch_first=True)

    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(x).flatten(2).mT
        return (tokens + self.mix(tokens, tokens, tokens, need_weights=False)[0]).mean(1)


def embedder(**how: Any) -> Any:
    """Its text tower knows colours alone; what else is written is taken for one of them."""

    def tokens(texts: Sequence[str]) -> torch.Tensor:
        return ids([COLOURS[len(text) % len(COLOURS)] for text in texts])

    network = drawn(Attentive).double()
    return seewhy.wrap(network, **{"prepare": FIT | {"size": (SIDE, SIDE)}, "tokenizer": tokens, "name": "clip"} | how)


def of_volumes(**how: Any) -> Any:
    prepare = {"orientation": "LPS", "axes": "kji", "spacing": 2.0, "window": (0, 900)}
    return seewhy.wrap(Sees(), **{"prepare": prepare, "labels": ["lesion", "none"], "name": "net3d"} | how)


def of_street(**how: Any) -> Any:
    return seewhy.wrap(
        drawn(lambda: Classifier(3)), **{"prepare": SMALL, "labels": ["tumour", "tram", "dog"], "name": "street"} | how
    )


def of_keras() -> Any:
    keras = pytest.importorskip("keras")

    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(4, 3, name="conv5_block3_out"), keras.layers.ReLU()], name="resnet50"
    )
    ends = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5)]
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), inner, *ends])


NETWORKS: Mapping[str, Callable[..., Any]] = {  # by the name that a page loads them by
    "torchvision/resnet50": classifier, "torchvision/vgg16": classifier, "torchvision/resnet18": classifier,
    "timm/resnet18": classifier, "timm/vit_base_patch16_224": transformer,
    "torchvision/deeplabv3_resnet50": segmenter, "hf/Intel/dpt-large": depth,
    "keras/resnet50": lambda **how: seewhy.wrap(of_keras(), **{"prepare": SMALL} | how),
    "torchvision/fasterrcnn_resnet50_fpn": detector, "hf/openai/clip-vit-base-patch32": embedder,
}  # fmt: skip


def loader(real: Callable[..., Any]) -> Callable[..., Any]:
    """`seewhy.load` that makes the stand-in for a name, and loads files and embedded networks as it does."""

    def load(spec: str, weights: Any = None, labels: Any = None, options: Any = None, trust: bool = False, **how: Any) -> Any:
        if str(spec) not in NETWORKS:
            return real(spec, weights, labels, options, trust, **how)
        how = {key: value for key, value in how.items() if value is not None}
        if isinstance(how.get("prepare"), Mapping):
            how["prepare"] = {**SMALL, **how["prepare"]}
        return NETWORKS[str(spec)](**how, **({"labels": labels} if labels else {}))

    return load


def street() -> Image.Image:
    """A photo, 320 x 310, in which the segmenter sees a person, a car and a dog, and the detector two dogs."""
    pixels = np.zeros((310, 320, 3), np.uint8)
    pixels[..., 0] = 60
    for left, top, right, bottom in Dogs.boxes:
        pixels[5 * top : 5 * bottom, 5 * left : 5 * right] = (10, 230, 20)
    pixels[10:40, 40:120] = (20, 30, 240)
    return Image.fromarray(pixels)


def furnish(folder: Path) -> None:
    """The files that pages name, in a folder."""
    noise = np.random.default_rng(0)
    for name in ("dog", "cat", "a", "b", "other", "photo"):
        blocks = noise.integers(0, 256, (10, 9, 3), np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(blocks[:, :140]).save(folder / f"{name}.jpg", quality=95)
    np.savetxt(folder / "ecg.csv", noise.normal(size=(50, 1)), delimiter=",")
    (folder / "photos").mkdir()
    for name in ("one", "two"):
        Image.fromarray(noise.integers(0, 256, (160, 140, 3), np.uint8)).save(folder / "photos" / f"{name}.jpg")
    street().save(folder / "street.jpg", quality=95)
    frames = [Image.fromarray(noise.integers(0, 256, (40, 40, 3), np.uint8)) for _ in range(4)]
    frames[0].save(folder / "walk.gif", save_all=True, append_images=frames[1:], duration=80)
    Image.fromarray(noise.integers(0, 2**16, (40, 50), np.uint16)).save(folder / "scan.tif")
    _volume(folder / "scan.nii.gz")
    _scene(folder)


def _volume(path: Path) -> None:
    import nibabel

    affine = AFFINES["rotated"]
    nibabel.save(nibabel.Nifti1Image(scan(affine), affine), path)


def _scene(folder: Path) -> None:
    import rasterio

    pixels = np.random.default_rng(1).integers(0, 256, (3, 300, 400), np.uint8)
    shape = {"height": 300, "width": 400, "count": 3, "dtype": "uint8"}
    for name in ("slide.tif", "scene.tif"):
        where = {"crs": "EPSG:32632", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 20)}
        with rasterio.open(folder / name, "w", "GTiff", **shape, **where) as file:
            file.write(pixels)


class Besides(nn.Module):
    """A network that takes more than images, however it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, 2, 1)

    def forward(self, image: Any = None, more: Any = None, pixel_values: Any = None, meta: Any = None) -> torch.Tensor:
        image = pixel_values if image is None else image["image"] if isinstance(image, dict) else image
        return self.see(image).mean((2, 3))


def names(page: str) -> dict[str, Any]:
    """What a page speaks of without having made it."""
    mask = np.zeros((310, 320), bool)
    mask[60:130, 30:210] = True
    every = {"seewhy": seewhy, "np": np, "Path": Path, "model": classifier(), "photos": ["a.jpg", "b.jpg"], "mask": mask}
    return every | OWN.get(page, dict)()


def _of_readme() -> dict[str, Any]:
    return {
        "quantised": classifier(), "new_model": classifier(), "vit": transformer(), "segmenter": segmenter(),
        "detector": detector(), "clip": embedder(), "net3d": of_volumes(), "pathology": of_street(),
        "many_photos": ["a.jpg", "missing.jpg"],
    }  # fmt: skip


def _of_keras() -> dict[str, Any]:
    model = of_keras()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of numpy's, about torch
        model.save("model.keras")
    return {"keras_model": model}


def _of_localize() -> dict[str, Any]:
    Path("labels.csv").write_text("file,label\none.jpg,281\ntwo.jpg,5\n")
    return {}


def _of_run() -> dict[str, Any]:
    for reader in ("pyarrow", "pandas", "duckdb", "polars"):
        pytest.importorskip(reader)
    return _of_localize()


def _of_onnx() -> dict[str, Any]:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from support.onnx_graphs import classifier as graph

    onnx.save(graph(1000, image=["n", 3, SIDE, SIDE]), "model.onnx")
    return {}


def _of_tiles() -> dict[str, Any]:
    (heatmap,) = seewhy.grad_cam(of_street(), "scene.tif")
    net3d = seewhy.wrap(nn.Sequential(nn.Conv3d(1, 2, 4, 4), nn.AdaptiveAvgPool3d(1), nn.Flatten()))
    return {"model": of_street(), "heatmap": heatmap, "net3d": net3d, "x": np.zeros((1, 1, 64, 128, 130), np.float32)}


OWN: Mapping[str, Callable[[], dict[str, Any]]] = {
    "README.md": _of_readme,
    "docs/keras.md": _of_keras,
    "docs/localize.md": _of_localize,
    "docs/models.md": lambda: {
        "network": Besides(),
        "metadata": np.zeros((1, 2)),
        "age": 40,
        "site": "A",
        "rows": np.zeros((2, 1)),
    },
    "docs/onnx.md": _of_onnx,
    "docs/run.md": _of_run,
    "docs/perturbation.md": lambda: {
        "model": classifier(prepare=SMALL | {"size": 96, "crop": 96}),
        "f": lambda x: np.stack([x.mean((1, 2, 3))] * 2, 1),
        "my_transform": lambda photo: np.asarray(photo, np.float32).transpose(2, 0, 1)[:, :SIDE, :SIDE],
        "pipeline": SimpleNamespace(predict_proba=lambda photos: np.tile([0.4, 0.6], (len(photos), 1))),
    },
    "docs/tiles.md": _of_tiles,
    "docs/transformers.md": lambda: {"model": transformer()},
    "docs/volumes.md": lambda: {"net": Sees()},
}
