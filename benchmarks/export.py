"""Files that explain themselves, by seewhy and by OpenVINO XAI, from the same networks: who is right, on how many.

    python benchmarks/export.py [NETWORK...]

Both put Recipro-CAM into a graph.  The weights are random, the norms measured on noise, the images noise.  A file is right
where its map, for the class that the image is taken for, is the one that seewhy computes layer by layer in torch: of OpenVINO
XAI, up to a constant and a factor, at whichever layer with such a grid fits best, so that neither its choice of a layer nor its
scaling counts.  OpenVINO XAI (openvino_xai 1.1) is left out where it is not installed.
"""

import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import seewhy

NETS = [
    "torchvision/mobilenet_v2", "torchvision/squeezenet1_1", "torchvision/resnet50", "torchvision/vgg11",
    "timm/vit_tiny_patch16_224", "torchvision/convnext_tiny", "torchvision/swin_t", "torchvision/densenet121",
    "torchvision/efficientnet_b0", "torchvision/shufflenet_v2_x1_0", "timm/mixer_s16_224", "torchvision/regnet_y_400mf",
    "torchvision/inception_v3",
]  # fmt: skip
TOKENS = ("vit", "deit", "mixer")  # by whose names OpenVINO XAI is asked for its method for transformers
SINGLE = {"INFERENCE_PRECISION_HINT": "f32"}  # else it computes in bfloat16 where the processor can
TRIED = 12  # layers with the grid of a map, from the last back


def model_of(spec: str, x: np.ndarray) -> Any:
    """A network of random weights, its norms measured on images like x."""
    torch.manual_seed(0)
    model = seewhy.load(spec, weights="random")
    norms = [module for module in model.network.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in norms:
        module.momentum = None  # a plain average of what is seen
    if norms:
        with torch.no_grad():
            model.network.train()(torch.randn(4, *x.shape[1:]))
    model.network.eval()
    return model


def by_seewhy(model: Any, x: np.ndarray, folder: Path) -> tuple[str, Any]:
    """What is to be said of its file, and what was exported."""
    start = time.perf_counter()
    try:
        done = seewhy.export(model, folder / "explained.onnx", images=x)
    except seewhy.SeewhyError as error:
        return f"no: {error}"[:150], None
    found = done.checked
    off = found.maps / max(found.largest_map, 1e-30)
    return (
        f"right: off by {off:.0e} of the largest ({done.size / 1e6:.0f} MB, {time.perf_counter() - start:.0f} s, batch "
        f"{'1' if done.single else 'n'})"
    ), done


def by_openvino(model: Any, x: np.ndarray, folder: Path, spec: str) -> tuple[str, str]:
    """What its map is, and whether two images go at once, of the first way to convert the network that it takes."""
    import openvino
    from openvino_xai import Method, Task, insert_xai

    tokens = any(word in spec for word in TOKENS)
    kind, more = (Method.VITRECIPROCAM, {"use_gaussian": False}) if tokens else (Method.RECIPROCAM, {})
    whys = []
    for way in ("torch", "onnx", "onnx of one image"):
        try:
            network = converted(way, model, x, folder / "plain.onnx")
            network = insert_xai(network, task=Task.CLASSIFICATION, explain_method=kind, embed_scaling=False, **more)
            compiled = openvino.Core().compile_model(network, "CPU", SINGLE)
            scores, maps = list(compiled(x[:1]).values())
        except Exception as error:  # noqa: BLE001 - of its own or of the runtime
            whys.append(f"{way}: {type(error).__name__}: {str(error).strip().splitlines()[-1]}"[:110])
            continue
        found = np.asarray(maps)[0, int(np.argmax(scores[0]))]
        likeness, layer = nearest(model, x[:1], found)
        verdict = "right" if likeness > 0.9999 else "WRONG"
        said = f"{verdict}: correlation {likeness:.4f} with {layer}, {found.shape[0]}x{found.shape[1]} (from {way})"
        try:
            return said, f"maps {np.asarray(list(compiled(x).values())[1]).shape}"
        except Exception as error:  # noqa: BLE001
            return said, f"no ({type(error).__name__})"
    return f"no: {' / '.join(whys)}", "-"


def converted(way: str, model: Any, x: np.ndarray, path: Path) -> Any:
    """The network in OpenVINO's form: from torch, or by way of ONNX."""
    import openvino

    sides = [-1, *x.shape[1:]]
    if way == "torch":
        given = torch.tensor(x[:1])
        return openvino.convert_model(model.network, example_input=given, input=[openvino.PartialShape(sides)])
    one = way != "onnx"
    batch = None if one else ({0: torch.export.Dim("n")},)
    images = torch.tensor(x[:1] if one else x)
    with torch.no_grad():
        program = torch.onnx.export(model.network, (images,), dynamo=True, verbose=False, dynamic_shapes=batch)
    program.save(str(path))
    network = openvino.convert_model(str(path))
    if not one:
        network.reshape(sides)
    return network


def nearest(model: Any, x: np.ndarray, found: np.ndarray) -> tuple[float, str]:
    """The layer whose map fits best, and the correlation with it."""
    layers = [name for name, layer in model.layers(x).items() if layer.shape[1:] == found.shape and layer.calls == 1]
    best = (-1.0, "no layer of that grid")
    for name in reversed(layers[-TRIED:]):
        try:
            (expected,) = seewhy.recipro_cam(model, x, layer=name)
        except seewhy.SeewhyError:
            continue
        best = max(best, (float(np.corrcoef(expected.values.ravel(), found.ravel())[0, 1]), name))
        if best[0] > 0.9999:
            break
    return best


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    try:
        import openvino_xai
    except ImportError:
        openvino_xai = None
        print("openvino_xai is not installed: seewhy alone")
    for spec in sys.argv[1:] or NETS:
        side = 299 if "inception" in spec else 224
        x = np.random.default_rng(0).normal(size=(2, 3, side, side)).astype(np.float32)
        model = model_of(spec, x)
        with tempfile.TemporaryDirectory() as folder:
            said, done = by_seewhy(model, x, Path(folder))
            print(f"{spec}\n    seewhy       {said}" + (f" at {done.layer}" if done else ""), flush=True)
            if openvino_xai is not None:
                said, several = by_openvino(model, x, Path(folder), spec)
                print(f"    OpenVINO XAI {said}; two images at once: {several}", flush=True)


if __name__ == "__main__":
    main()
