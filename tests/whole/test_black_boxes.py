"""Functions of other libraries as they are used, and the snippets of docs/black_boxes.md."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from support.services import colours, photo, pixels_in, service

PAGE = Path(__file__).parents[2] / "docs" / "black_boxes.md"


@pytest.fixture(scope="module")
def digits():
    """A pipeline of scikit-learn that reads digits of 8 x 8, from photos of theirs, and these photos (n, 8, 8, 3)."""
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    grey, y = load_digits(return_X_y=True)
    photos = np.repeat((grey * 15.9).astype(np.uint8).reshape(-1, 8, 8, 1), 3, -1)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return pipeline.fit(photos[:1200].reshape(1200, -1), y[:1200]), photos[1200:], y[1200:]


@pytest.fixture
def session():
    """A session of onnxruntime: the means of the channels of (n, 3, h, w), mixed into four logits."""
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    mix = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4) / 3, "mix")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "mix"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph(nodes, "g", [x], [y], [mix])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_a_pipeline_of_scikit_learn_is_explained_by_its_own_weights(digits):
    """Hiding one pixel with black changes the logit of a class by what the linear model says, to rounding."""
    pipeline, photos, _ = digits
    logits = pipeline.decision_function
    model = seewhy.wrap(lambda x: logits(x.reshape(len(x), -1)), scores="logits", name="digits")
    (heatmap,) = seewhy.occlusion(model, photos[0], target=3, window=1, stride=1, fill="black")
    scaler, linear = pipeline[0], pipeline[1]
    slopes = (linear.coef_[3] / scaler.scale_).reshape(8, 8, 3)
    np.testing.assert_allclose(heatmap.values, (slopes * photos[0]).sum(-1), atol=1e-5)
    assert heatmap.source.probability == pytest.approx(pipeline.predict_proba(photos[:1].reshape(1, -1))[0, 3], abs=1e-6)


def test_a_session_of_onnxruntime_is_explained(session):
    def run(x):
        return session.run(None, {"x": x.astype("float32")})[0]

    model = seewhy.wrap(run, takes="float", prepare={"size": None, "crop": None, "mean": 0.5, "std": 0.5}, scores="logits")
    mix = np.arange(12).reshape(3, 4) / 3
    plain = seewhy.wrap(lambda x: (x / 127.5 - 1).mean((1, 2)) @ mix, scores="logits")
    methods = (seewhy.occlusion.using(window=8, stride=8, fill="black"), seewhy.rise.using(masks=50, fill="black"))
    for method, rounding in zip(methods, (1e-5, 0.01), strict=True):  # of levels, where masks are soft
        (heatmap,), (expected,) = method(model, photo(), target=2), method(plain, photo(), target=2)
        np.testing.assert_allclose(heatmap.values, expected.values, atol=rounding)
    assert heatmap.source.probability == pytest.approx(expected.source.probability, abs=1e-6)


def test_the_command_line_explains_functions_of_a_file(digits, tmp_path):
    import pickle

    (tmp_path / "pipeline.pickle").write_bytes(pickle.dumps(digits[0]))
    (tmp_path / "boxes.py").write_text("""
import pickle, seewhy
from pathlib import Path

def digits():
    pipeline = pickle.loads((Path(__file__).parent / "pipeline.pickle").read_bytes())
    predict = lambda x: pipeline.predict_proba(x.reshape(len(x), -1))
    return predict, {"size": (8, 8)}, [f"a {i}" for i in range(10)]

def wrapped():
    return seewhy.wrap(lambda x: x.mean((2, 3)), takes="float", prepare={"size": 8, "crop": 8, "mean": 0.5, "std": 0.5})
""")
    Image.fromarray(digits[1][0]).resize((32, 32), 0).save(tmp_path / "digit.png")
    for name, label in (("digits", f"a {digits[2][0]}"), ("wrapped", None)):
        where = ("--model", f"{tmp_path / 'boxes.py'}:{name}", "--out", tmp_path / name, "--no-sheet")
        words = ("explain", tmp_path / "digit.png", *where, "--method", "occlusion", "--set", "window=2", "--set", "stride=2")
        result = CliRunner().invoke(main, [*map(str, words)])
        assert result.exit_code == 0, result.stderr
        (path,) = (tmp_path / name).iterdir()
        assert seewhy.Heatmap.source_of(path).label == label


def snippets() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if PAGE.is_file() else []


def test_the_page_has_snippets():
    if not PAGE.is_file():
        pytest.skip("the documentation is not part of what is tested here")
    assert len(snippets()) == 6


def cat_or_dog(asked):
    if "instances" in asked.json:
        return {"predictions": [[0.1, 0.9]] * len(asked.json["instances"])}
    red, _green, blue = colours(pixels_in(asked)[None])[0]
    return {"cat": red, "dog": blue}


@pytest.mark.parametrize("number", range(5))
def test_the_snippets_run_as_they_stand(number, digits, session):
    """But the last, which loads files of TensorFlow: tests/models/zoo does."""
    if not snippets():
        pytest.skip("the documentation is not part of what is tested here")
    with service(cat_or_dog) as s:
        code = snippets()[number].replace("http://localhost:8080", s.url).replace('"30 s"', "64")
        known = {
            "seewhy": seewhy,
            "np": np,
            "photo": photo(),
            "pipeline": digits[0],
            "names": list("0123456789"),
            "session": session,
        }
        exec(code, known)
        model = known["model"]
        (heatmap,) = seewhy.occlusion(model, photo(), window=8, stride=8)
        assert np.isfinite(heatmap.values).all()
        if "maps" in known:
            assert known["maps"][0].source.label in ("green", "cat")
