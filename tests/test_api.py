"""What the package shows to the world."""

import inspect
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import seewhy
from seewhy import METHODS, api

NAMES = [
    "Affinity",
    "Aim",
    "AnyOf",
    "Audit",
    "Autoencoder",
    "BadImage",
    "BadNetwork",
    "BadParameter",
    "BadRecord",
    "BadWeights",
    "Box",
    "COLOURS",
    "Check",
    "Class",
    "Clip",
    "ClipFit",
    "ConceptScore",
    "ConceptVector",
    "Concepts",
    "Contrast",
    "ContrastAnswer",
    "DatasetRun",
    "Detection",
    "Direction",
    "Disagreement",
    "Diversity",
    "Dream",
    "Drift",
    "Embedding",
    "Estimate",
    "EvidenceRecord",
    "EvidenceShare",
    "Exported",
    "Extent",
    "Fixed",
    "FoundBox",
    "FoundBoxes",
    "Heatmap",
    "Heatmaps",
    "IMAGE",
    "ImageBoxes",
    "Inverted",
    "LayerActivations",
    "LayerFilters",
    "METHODS",
    "Maximized",
    "Method",
    "MethodComparison",
    "MissingExtra",
    "Misuse",
    "NeedsGradients",
    "Neighbours",
    "NoSuchName",
    "NotApplicable",
    "NotWritten",
    "OutOfMemory",
    "PerImage",
    "Photo",
    "PhotoDrift",
    "PhotoFeatures",
    "Point",
    "Probe",
    "Projection",
    "Ranked",
    "Region",
    "Regions",
    "Remade",
    "RunDifference",
    "Seeds",
    "SeewhyError",
    "Similar",
    "Source",
    "SuppressedBox",
    "Tcav",
    "Text",
    "Token",
    "Top",
    "TopPhotos",
    "Transformations",
    "Trust",
    "Unit",
    "Volume",
    "VolumeFit",
    "WholeLayer",
    "WrittenText",
    "ablation_cam",
    "activations",
    "attention",
    "attention_rollout",
    "attn_lrp",
    "audit",
    "augment",
    "blur_ig",
    "boundary_affinity",
    "cam",
    "centre",
    "colour_affinity",
    "compare",
    "compare_runs",
    "concepts",
    "contrast",
    "counterfactual",
    "deconvnet",
    "deep_lift",
    "demo",
    "detections",
    "disagreement",
    "doctor",
    "dream",
    "drift",
    "eigen_cam",
    "eigen_grad_cam",
    "embed",
    "excitation_backprop",
    "explain",
    "explain_dataset",
    "export",
    "feature_affinity",
    "features",
    "filters",
    "from_activations",
    "from_gradients",
    "from_pixels",
    "from_scores",
    "full_grad",
    "fuse",
    "grad_cam",
    "grad_cam_elementwise",
    "grad_cam_pp",
    "gradient",
    "gradient_shap",
    "guided_backprop",
    "guided_grad_cam",
    "guided_ig",
    "hires_cam",
    "input_x_gradient",
    "integrated_gradients",
    "invert",
    "is_cam",
    "keras_callback",
    "kernel_shap",
    "kpca_cam",
    "layer_cam",
    "le_grad",
    "libra",
    "lightning_callback",
    "lime",
    "load",
    "load_autoencoder",
    "log_maps",
    "lrp",
    "maximize",
    "metrics",
    "occlusion",
    "open_run",
    "product",
    "random_map",
    "read",
    "read_clip",
    "read_volume",
    "recipro_cam",
    "refine",
    "rise",
    "save_labels",
    "score_cam",
    "seed_saliency",
    "seeds",
    "seg_eigen_cam",
    "sess",
    "shapley_cam",
    "smooth",
    "smooth_grad",
    "smooth_grad_squared",
    "sobol",
    "ss_cam",
    "tcav",
    "token_activation",
    "top_photos",
    "top_units",
    "transformer_relevance",
    "trust",
    "var_grad",
    "verify",
    "wrap",
    "written",
    "xgrad_cam",
]


def test_the_public_names_are_these():
    assert api.PUBLIC == NAMES == sorted(NAMES)
    assert dir(seewhy) == sorted(["__version__", *NAMES])
    for name in NAMES:
        assert getattr(seewhy, name) is getattr(api, name)


def test_a_name_that_is_not_public_is_told_those_that_are():
    with pytest.raises(AttributeError, match=r"'gradcam'.*grad_cam"):
        seewhy.gradcam  # noqa: B018
    assert not hasattr(seewhy, "__wrapped__")


@pytest.mark.parametrize("name", NAMES)
def test_every_public_thing_says_what_it_is(name):
    thing = getattr(seewhy, name)
    if isinstance(thing, seewhy.Method):
        assert thing.formula
        assert thing.source
        assert METHODS[name.replace("_", "-")] is thing
        return
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert inspect.getdoc(thing)
        assert thing.__doc__, f"{name} has a docstring of its own"
        assert not thing.__doc__.startswith(f"{name}("), f"the docstring of {name} is the one dataclass made"
    for member, value in vars(thing).items() if inspect.isclass(thing) else ():
        if inspect.isfunction(value) and not member.startswith("_"):
            assert inspect.getdoc(value), f"{name}.{member} has a docstring, if of its base"


def test_methods_are_known_by_the_names_of_their_functions():
    assert {name.replace("-", "_") for name in METHODS} <= set(NAMES)
    assert all(name == method.name for name, method in METHODS.items())


def test_the_types_are_shipped():
    assert files("seewhy").joinpath("py.typed").is_file()
    assert files("seewhy.targets").joinpath("imagenet.txt").is_file()


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_importing_seewhy_imports_nothing_and_its_names_no_framework():
    frameworks = "[m for m in ('torch', 'torchvision', 'timm', 'safetensors', 'matplotlib', 'scipy') if m in sys.modules]"
    assert python(f"import sys, seewhy; print('numpy' in sys.modules, {frameworks})") == "False []"
    every = "[getattr(seewhy, name) for name in dir(seewhy)]"
    assert python(f"import sys, seewhy; {every}; print({frameworks})") == "[]"


def test_importing_seewhy_is_quick():
    code = "import numpy, time; start = time.process_time(); import seewhy; seewhy.grad_cam; print(time.process_time() - start)"
    assert min(float(python(code)) for _ in range(5)) < 0.25  # 0.16 beside other work on two cores


def test_the_bench_extra_is_never_imported():
    code = "\n".join(path.read_text("utf-8") for path in Path(seewhy.__file__).parent.rglob("*.py"))
    for peer in ("pytorch_grad_cam", "torchcam", "captum", "lime"):
        assert f"import {peer}" not in code
        assert f"from {peer}" not in code
