"""A model behind an address: every kind of service gives the maps of the function behind it, and fails with what was done."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy import load
from seewhy.cli.app import main
from seewhy.errors import BadNetwork, BadParameter, MissingExtra, NoService
from seewhy.models.zoo.service import client as talking
from seewhy.models.zoo.service import service as door
from support.services import LABELS, Told, colours, part_of, photo, pixels_in, pixels_of, service

WINDOW = {"window": 8, "stride": 8}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(talking, "FIRST", 0.001)


def scores(pixels) -> list[float]:
    return colours(pixels[None])[0].tolist()


def as_json(asked):
    return {"scores": scores(pixels_in(asked)), "took": 3}


def as_dict(asked):
    return dict(zip(LABELS, scores(pixels_in(asked)), strict=True))


def by_body(asked):
    named = zip(LABELS, scores(pixels_of(asked.body)), strict=True)
    return dict(sorted(named, key=lambda pair: -pair[1]))  # TorchServe's order


def by_form(asked):
    name, _file, content = part_of(asked)
    return {
        "result": [{"label": label, "score": s} for label, s in zip(LABELS, scores(pixels_of(content)), strict=True)],
        "f": name,
    }


def by_pixels(asked):
    return {"predictions": [scores(np.array(each["pixels"])) for each in asked.json["instances"]]}


def triton(datatype: str, shape: list[int]):
    def answer(asked):
        if asked.method == "GET":
            one = {"name": "x", "datatype": datatype, "shape": shape}
            facts = {"name": "net", "versions": ["1", "7"], "platform": "onnxruntime", "inputs": [one]}
            return {**facts, "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}]}
        length = asked.headers.get("Inference-Header-Content-Length")
        (one,) = json.loads(asked.body[: int(length)] if length else asked.body)["inputs"]
        numbers = (
            np.frombuffer(asked.body[int(length) :], "<f4" if datatype == "FP32" else "u1") if length else np.array(one["data"])
        )
        x = numbers.reshape(one["shape"])
        x = x if shape[-1] == 3 else np.moveaxis(x, 1, -1)
        y = colours(x * 255 if datatype == "FP32" else x)
        return {"outputs": [{"name": "y", "datatype": "FP32", "shape": [*y.shape], "data": y.ravel().tolist()}]}

    return answer


def serving(asked):
    if asked.method == "GET":
        sides = [{"size": str(side)} for side in (-1, 24, 32, 3)]
        inputs = {"x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": sides}}}
        signatures = {"signature_def": {"serving_default": {"inputs": inputs}}}
        return {"model_spec": {"name": "net", "version": "2"}, "metadata": {"signature_def": signatures}}
    return {"predictions": colours(np.array(asked.json["instances"]) * 255).tolist()}


SCALE = {"mean": 0.0, "std": 1.0}
KINDS = {
    "json": (as_json, "/score", {}, None),
    "labels": (as_dict, "/score", {}, None),
    "a way": (as_json, "/score", {}, None),
    "template": (by_pixels, "/score", {"template": {"instances": [{"pixels": "<pixels>"}, "..."]}, "batch": 5}, None),
    "torchserve": (by_body, "/predictions/net", {}, None),
    "image": (by_body, "/score", {"kind": "image"}, None),
    "form": (by_form, "/score", {"kind": "multipart", "field": "photo"}, None),
    "kserve bytes": (triton("UINT8", [1, 24, 32, 3]), "/v2/models/net", {}, None),
    "kserve": (triton("FP32", [-1, 3, 24, 32]), "/v2/models/net/infer", {}, SCALE),
    "kserve binary": (triton("FP32", [2, 24, 32, 3]), "/v2/models/net", {"binary": True}, SCALE),
    "tensorflow": (serving, "/v1/models/net:predict", {"batch": 3}, SCALE),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_maps_of_the_function_behind_it(kind):
    answer, path, options, prepare = KINDS[kind]
    with service(answer) as s:
        model = load(f"{s.url}{path}", options=options, prepare=prepare, output="scores" if kind == "a way" else None)
        (heatmap,) = seewhy.occlusion(model, photo(), target=1, fill="black", **WINDOW)
        order = [LABELS.index(label) for label in model.labels] if model.labels else [0, 1, 2]
        (expected,) = seewhy.occlusion(seewhy.wrap(colours), photo(), target=order[1], fill="black", **WINDOW)
        np.testing.assert_allclose(heatmap.values, expected.values, atol=1e-6)
        assert heatmap.source.model == f"{s.url}{path}"
        assert heatmap.source.probability == pytest.approx(scores(photo())[order[1]], abs=1e-6)
        assert heatmap.source.label == (model.labels[1] if model.labels else None)


def test_as_many_images_as_the_tensor_has_are_in_every_request():
    answer, path, options, prepare = KINDS["kserve binary"]
    with service(answer) as s:
        model = load(f"{s.url}{path}", options=options, prepare=prepare)
        assert model.answer(np.random.default_rng(0).random((5, 3, 24, 32))).scores.shape == (5, 3)
        assert len(s.posts) == 3
        assert model.weights == "net onnxruntime version 7"


def test_numbers_of_an_unknown_scale_are_not_guessed():
    for kind in ("kserve", "tensorflow"):
        answer, path, _options, _prepare = KINDS[kind]
        with service(answer) as s:
            with pytest.raises(BadParameter, match="scale it does not tell"):
                seewhy.occlusion(load(f"{s.url}{path}"), photo(), **WINDOW)
            assert s.posts == []


def test_the_size_is_that_of_the_tensor_unless_said():
    answer, path, _options, prepare = KINDS["kserve"]
    with service(answer) as s:
        (heatmap,) = seewhy.occlusion(load(f"{s.url}{path}", prepare=prepare), photo(h=48, w=64), **WINDOW)
        assert heatmap.values.shape == (24, 32)
    with service(as_json) as s:
        (heatmap,) = seewhy.occlusion(load(s.url, options={"size": (8, 16)}), photo(), window=4, stride=4)
        assert heatmap.values.shape == (8, 16)
        assert {pixels_in(asked).shape for asked in s.posts} == {(8, 16, 3)}


def test_a_class_is_named_by_the_labels_of_the_answers():
    with service(as_dict) as s:
        model = load(f"{s.url}/score")
        assert model.labels == ["blue", "green", "red"]
        (heatmap,) = seewhy.occlusion(model, photo(), target="red", **WINDOW)
        assert (heatmap.source.label, heatmap.source.index) == ("red", 2)
        named = load(f"{s.url}/score", labels=LABELS)
        assert named.labels == LABELS
        (again,) = seewhy.occlusion(named, photo(), target="red", **WINDOW)
        assert again.source.index == 0
        np.testing.assert_array_equal(again.values, heatmap.values)


def test_a_service_that_tells_the_top_few_alone_is_not_explained():
    def top(asked):
        return dict([*by_body(asked).items()][:2])

    with service(top) as s:
        model = load(f"{s.url}/predictions/net")
        reds = np.zeros((24, 32, 3), np.uint8) + np.array([200, 90, 10], np.uint8)
        with pytest.raises(BadNetwork, match="the top few alone cannot be explained"):
            [model.answer(np.roll(reds, k, -1).transpose(2, 0, 1)[None]) for k in range(3)]
        zeros = load(f"{s.url}/predictions/net", labels=LABELS, options={"missing": 0})
        (heatmap,) = seewhy.occlusion(zeros, photo(), **WINDOW)
        assert any("left out" in words or "leaves out" in words for words in heatmap.source.warnings)


class Dies:
    """Answers so many times, then hangs up on everybody."""

    def __init__(self, times: int, answer=as_json) -> None:
        self.left, self.answer = times, answer

    def __call__(self, asked):
        self.left -= 1
        return self.answer(asked) if self.left >= 0 else None


@pytest.mark.parametrize("method", [seewhy.occlusion.using(**WINDOW), seewhy.rise.using(masks=64),
                                    seewhy.lime.using(segments="grid:4", samples=64)])  # fmt: skip
def test_what_was_done_is_kept_when_the_service_dies(method):
    with service(Dies(1 + 1 + 1 + 10)) as s:  # one of the first images that share a call is asked for again, alone
        model = load(s.url, options={"retries": 1, "concurrency": 1}, batch_size=5)
        with pytest.raises(NoService, match=r"cannot be reached .* in 2 tries") as caught:
            method(model, photo())
        (heatmap,) = caught.value.partial
        assert heatmap.source.measured["forwards"] == 10
        assert any("failed after 10 of" in words for words in heatmap.source.warnings)
        assert np.isfinite(heatmap.values).all()
        assert heatmap.values.any()


def test_images_behind_the_one_where_it_died_are_not_tried():
    method = seewhy.occlusion.using(**WINDOW)
    with service(Dies(1 + 13 + 5)) as s:
        model = load(s.url, options={"retries": 0, "concurrency": 1}, batch_size=2)
        with pytest.raises(NoService) as caught:
            method(model, [photo(i) for i in range(9)], on_error="skip")
        assert [m.source.image for m in caught.value.partial] == ["image 0", "image 1"]
        asked = len(s.posts)
        assert asked == 1 + 13 + 6


def test_one_photo_that_it_refuses_is_left_out():
    def answer(asked):
        pixels = pixels_in(asked)
        return Told({"error": "too dark"}, 422) if pixels.max() == 0 else as_json(asked)

    with service(answer) as s:
        maps = seewhy.occlusion(load(s.url), [photo(), np.zeros((24, 32, 3), np.uint8), photo(1)], on_error="skip", **WINDOW)
        assert [m.source.image for m in maps] == ["image 0", "image 2"]
        (failed,) = maps.failed
        assert "answers 422: too dark" in str(failed.error)


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        Image.fromarray(photo(i)).save(folder / f"{i}.png")
    return folder


SMALL = ("--method", "occlusion", "--set", "window=8", "--set", "stride=8")


def test_the_command_line_keeps_what_was_written_when_the_service_dies(tmp_path):
    """One that dies at the third of nine photos: two maps, what was done of the third, one line of why, exit code 1."""
    with service(Dies(1 + 2 + 2 * 13 + 5, as_dict)) as s:  # the first two images that share a call are asked for again
        options = ("--option", "retries=0", "--option", "concurrency=1", "--batch-size", "2", "--target", "red", "--no-sheet")
        result = run("explain", photos(tmp_path / "in", 9), "--model", s.url, *SMALL, *options, "--out", tmp_path / "out")
    assert result.exit_code == 1
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name.partition(".")[0] for name in written] == ["0", "1", "2"]
    lines = [line for line in result.stderr.splitlines() if "seewhy:" in line]
    assert len([line for line in lines if "cannot be reached" in line]) == 1
    assert any("6 more photos were not looked at" in line for line in lines)
    source = seewhy.Heatmap.source_of(tmp_path / "out" / written[2])
    assert source.measured["forwards"] == 4
    assert source.label == "red"


def test_a_service_that_was_never_there_is_one_line(tmp_path):
    with service(as_json) as s:
        pass
    result = run(
        "explain", photos(tmp_path / "in", 3), "--model", s.url, *SMALL, "--option", "retries=0", "--out", tmp_path / "out"
    )
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_command_line_says_the_output_the_scale_and_the_kind(tmp_path):
    answer, path, _options, _prepare = KINDS["kserve"]
    source = photos(tmp_path / "in", 1) / "0.png"
    with service(answer) as s:
        base = ("explain", source, "--model", f"{s.url}{path}", *SMALL, "--out", tmp_path / "out")
        assert "scale it does not tell" in (result := run(*base)).stderr
        assert result.exit_code == 2
        result = run(*base, "--prepare", "mean=0", "--prepare", "std=1", "--output", "y", "--json")
        assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout.splitlines()[0])
    (expected,) = seewhy.occlusion(seewhy.wrap(colours), source, **WINDOW)
    assert expected.source.score == pytest.approx(next(v for k, v in _walk(facts) if k == "score"))
    with service(lambda asked: {"a": [scores(pixels_of(part_of(asked)[2]))], "b": [[1, 2]]}) as s:
        result = run(
            "explain", source, "--model", s.url, "--option", "kind=multipart", "--output", "a.0", *SMALL, "--out", tmp_path
        )
        assert result.exit_code == 0, result.stderr


def _walk(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


SECRET = "geheim1234"


def test_secrets_are_in_no_file_and_on_no_line(tmp_path):
    source = photos(tmp_path / "in", 1) / "0.png"
    with service(as_dict) as s:
        url = f"{s.url}/score?key={SECRET}"
        secret = ("--option", f"header=Authorization: Bearer {SECRET}")
        explained = run("explain", source, "--model", url, *secret, *SMALL, "--values", "--json", "--out", tmp_path / "out")
        examined = run("doctor", url, source, *secret)
        assert {asked.headers["Authorization"] for asked in s.posts} == {f"Bearer {SECRET}"}
        assert {asked.path for asked in s.posts} == {f"/score?key={SECRET}"}
    refused = [
        run("doctor", url, source, *secret, "--option", "retries=0"),
        run("doctor", url, *secret, "--option", "nothing=1"),
    ]
    assert [result.exit_code for result in (explained, examined, *refused)] == [0, 0, 1, 2], refused[0].output
    for result in (explained, examined, *refused):
        assert SECRET not in result.output
    for path in (tmp_path / "out").iterdir():
        assert SECRET.encode() not in path.read_bytes()
    assert "--option header=..." in examined.stdout.replace("'", "")
    assert f"{s.url}/score?..." in examined.stdout


@pytest.mark.parametrize(
    "answer",
    [lambda a: {"error": f"token {a.headers['X-Key']} is old"}, lambda a: Told(a.headers["X-Key"].encode()),
     lambda a: a.headers, lambda a: [a.path],
     lambda a: {"inputs": [{"name": a.headers["X-Key"], "datatype": "X", "shape": []}], "outputs": []}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/score", "/v2/models/net", "/v1/models/net:predict"])
def test_a_service_that_repeats_secrets_in_what_is_no_score_does_not_get_them_told(answer, path):
    with service(answer) as s, pytest.raises((BadNetwork, BadParameter)) as caught:
        load(f"{s.url}{path}?key={SECRET}", options={"header": {"X-Key": SECRET}})
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET[:6] not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_how_it_was_asked_is_said_where_it_refuses_the_first_photo():
    with service(lambda _: Told({"detail": [{"msg": "field required"}]}, 422)) as s:
        with pytest.raises(
            BadNetwork, match=r"answers 422: field required\. \(It was sent a grey photo of 224 x 224; the options kind="
        ):
            load(f"{s.url}/score")
        with pytest.raises(BadNetwork, match="grey photo of 8 x 9"):
            load(f"{s.url}/score", options={"size": (8, 9)})


def test_a_model_is_sent_to_another_process_with_all_that_it_knows():
    for kind in ("labels", "kserve binary"):
        answer, path, options, prepare = KINDS[kind]
        with service(answer) as s:
            model = load(f"{s.url}{path}", options=options, prepare=prepare)
            (first,), (again,) = (seewhy.occlusion(m, photo(), **WINDOW) for m in (model, pickle.loads(pickle.dumps(model))))
            np.testing.assert_array_equal(first.values, again.values)


def test_what_a_person_should_know_is_said(monkeypatch):
    with service(as_json) as s:
        model = load(s.url, options={"encoding": "jpeg", "template": {"image": "<base64 jpeg>"}, "quality": 80})
        (heatmap,) = seewhy.occlusion(model, photo(), **WINDOW)
        assert any("JPEG of quality 80" in words for words in heatmap.source.warnings)
        assert heatmap.source.versions["httpx"]
    monkeypatch.setattr(door.ServiceFunction, "labels_of", lambda *_: None)
    with pytest.warns(UserWarning, match=r"example\.org unencrypted.*https"):
        model = load("http://example.org/score")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load("https://example.org/score")
    assert [hazard.name for hazard in model.known.hazards] == ["unencrypted"]


@pytest.mark.parametrize(
    ("spec", "given", "words"),
    [("ftp://host/x", {}, "asked by http"), ("http://localhost/x", {"weights": "a.pth"}, "leave weights="),
     ("http://localhost/x", {"options": {"kind": "kserve"}}, "/v2/models/NAME"),
     ("http://localhost/v2/models/x", {"options": {"template": {"x": "<pixels>"}}}, "kind=json"),
     ("http://localhost/x", {"options": {"kind": "tensorflow"}}, "/v1/models/NAME:predict")],
)  # fmt: skip
def test_what_cannot_be_asked_so_is_refused_before_anything_is_sent(spec, given, words):
    with pytest.raises(BadParameter, match=words):
        load(spec, **given)


def test_prepared_numbers_do_not_go_where_photos_do():
    with service(as_json) as s, pytest.raises(BadParameter, match="options="):
        load(s.url, takes="float", prepare=SCALE).answer(np.zeros((1, 3, 4, 4)))


def test_metadata_that_are_not_there_are_told_with_another_way():
    with service(lambda asked: Told({"error": "none"}, 404)) as s, pytest.raises(NoService, match="kind=json with template="):
        load(f"{s.url}/v1/models/net:predict")


def test_without_httpx_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "seewhy.models.zoo.service.client")
    with pytest.raises(MissingExtra, match=r"pip install '.*\[http\]'"):
        load("http://localhost/x")


def test_ctrl_c_ends_at_once_with_what_was_done(tmp_path):
    """The service hangs in the middle: the person does not wait for its timeout."""
    source = photos(tmp_path / "in", 1) / "0.png"
    hold = threading.Event()
    with service(Dies(1 + 1 + 6)) as s:
        answer, s.answer = s.answer, lambda asked: answer(asked) if answer.left > 0 else hold.wait(60)
        words = [
            "explain",
            source,
            "--model",
            s.url,
            *SMALL,
            "--batch-size",
            2,
            "--option",
            "timeout=60",
            "--no-sheet",
            "--out",
            tmp_path / "out",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "seewhy", *map(str, words)], stderr=subprocess.PIPE, text=True, env={**os.environ}
        )
        while len(s.posts) < 9 and process.poll() is None:
            time.sleep(0.01)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - start < 30
        hold.set()
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert len([*(tmp_path / "out").iterdir()]) == 1
