"""`seewhy layers`, `seewhy methods`, `seewhy metrics` and `seewhy demo`."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

import seewhy
from seewhy import METHODS
from seewhy.cli.app import main
from seewhy.cli.commands.listing import remark, table
from seewhy.methods.making.method import lookup
from seewhy.metrics import METRICS
from support.adapters import onnx_file
from support.strict_json import strict


def test_methods_are_listed_with_what_there_is_to_know():
    listed = CliRunner().invoke(main, ["methods"]).stdout
    lines = [json.loads(line) for line in CliRunner().invoke(main, ["methods", "--json"]).stdout.splitlines()]
    assert [line["name"] for line in lines] == [*METHODS]
    for line, (name, method) in zip(lines, METHODS.items(), strict=True):
        assert (line["reads"], line["cost"], line["source"], line["caveat"]) == (
            method.reads,
            method.cost,
            method.source,
            method.caveat,
        )
        assert line["parameters"] == dict(method.defaults)
        assert f"\n{name}\n" in f"\n{listed}"
        for said in (method.formula, method.cost, method.source, method.caveat):
            assert said
            assert said in listed


@pytest.mark.parametrize("name", ["rise", "grad_cam", "recipro-cam", "smooth(grad-cam)", "product(lrp, layer-cam)"])
def test_a_method_by_name_is_told_in_full(name):
    done = CliRunner().invoke(main, ["methods", name])
    assert done.exit_code == 0, done.output
    method, words = lookup(name), " ".join(done.stdout.split())
    assert done.stdout.splitlines()[0] == method.name
    for said in (method.doc, f"costs {method.cost}."):
        assert " ".join(said.split()) in words
    heads = [line.strip() for line in done.stdout.splitlines()]
    assert method.parameters
    for key, parameter in method.parameters.items():
        assert parameter.meaning
        assert f"{key}={parameter.default!r}: {' '.join(parameter.meaning.split())}" in words
        assert any(head.startswith(f"{key}={parameter.default!r}: ") for head in heads)
    assert "seewhy.wrap" not in words, "what is told on the command line speaks of it"


def test_methods_by_name_come_as_asked_and_say_where_they_take_no_parameters(monkeypatch):
    bare = replace(METHODS["cam"], parameters={})
    monkeypatch.setitem(METHODS, "cam", bare)
    done = CliRunner().invoke(main, ["methods", "rise", "cam"])
    titles = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert titles == ["rise", "cam"]
    assert done.stdout.endswith("It takes no parameters.\n")


def test_a_method_by_name_is_one_object_of_json_with_what_its_parameters_mean():
    made = lookup("smooth(grad-cam)")
    (line,) = CliRunner().invoke(main, ["methods", "smooth(grad-cam)", "--json"]).stdout.splitlines()
    told = strict(line)
    assert (told["name"], told["parameters"]) == (made.name, dict(made.defaults))
    assert told["meanings"] == {name: " ".join(p.meaning.split()) for name, p in made.parameters.items()}


@pytest.mark.parametrize(("name", "near"), [("grad-cma", "grad-cam"), ("smoth(grad-cam)", "smooth(METHOD)")])
def test_a_method_that_does_not_exist_is_misuse_with_the_nearest(name, near):
    done = CliRunner().invoke(main, ["methods", "rise", name])
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert f"Closest: {near}" in done.stderr


def test_layers_are_listed_with_shapes_and_the_default(mini):
    arguments = ["layers", "timm/test_resnet", "--weights", str(mini)]
    found = seewhy.load("timm/test_resnet", mini).layers()
    lines = [json.loads(line) for line in CliRunner().invoke(main, [*arguments, "--json"]).stdout.splitlines()]
    assert {line["name"]: tuple(line["shape"]) for line in lines} == {name: layer.shape for name, layer in found.items()}
    assert len([line for line in lines if line["default"]]) == 1
    assert next(line["shape"] for line in lines if line["name"] == "layer4") == [found["layer4"].shape[0], 5, 5]
    (starred,) = [line for line in CliRunner().invoke(main, arguments).stdout.splitlines() if "* default" in line]
    assert starred.split()[0] == next(name for name, layer in found.items() if layer.default)


def test_layers_of_an_unknown_model_is_misuse():
    result = CliRunner().invoke(main, ["layers", "timm/nope_nope"])
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)


def test_what_is_remarked_of_a_layer():
    plain = next(iter(seewhy.load("demo/honest").layers().values()))
    assert remark(plain._replace(default=False, calls=1, tokens=0, connected=True)) == ""
    said = remark(plain._replace(default=True, calls=3, tokens=2, connected=False))
    assert said == "* default, runs 3 times, 2 more tokens of no place, its places do not reach the scores"
    assert "1 more token of" in remark(plain._replace(tokens=1))
    assert "does not see the image" in remark(plain._replace(sees=()))


def test_a_layer_is_one_object_of_json():
    lines = CliRunner().invoke(main, ["layers", "demo/honest", "--json"]).stdout.splitlines()
    layers = seewhy.load("demo/honest").layers()
    assert [strict(line)["name"] for line in lines] == [*layers]
    assert strict(lines[0])["cells"].keys() == next(iter(layers.values())).cells._asdict().keys()


def test_columns_are_as_wide_as_their_longest_cell(capsys):
    table(("name", "n"), [("a", "10"), ("longer", ""), ("\x1b[2J", "1")])
    assert capsys.readouterr().out.splitlines() == ["name     n", "a        10", "longer", r"\x1b[2J  1"]


def test_the_demo_prints_a_row_for_each_network_and_the_page_last(tmp_path, monkeypatch):
    from seewhy.report.demo import Measures

    measures = [Measures(name, 0.99, 0.5, 0.25, on, 0.6 - on, 0.1, 0.03) for name, on in (("honest", 0.5), ("shortcut", 0.125))]
    monkeypatch.setattr("seewhy.report.demo.show", lambda out: (measures, out / "index.html"))
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    head, *rows, area, first, second, last = done.stdout.splitlines()
    assert head.split()[:2] == ["network", "accuracy"]
    assert [row.replace(" %", "%").split() for row in rows] == [
        ["honest", "99%", "50%", "25%", "50%", "10%"], ["shortcut", "99%", "50%", "25%", "12%", "48%"],
    ]  # fmt: skip
    assert area.replace(" %", "%").split() == ["(area)", "10%", "3%"]
    assert first.startswith("honest looks at the bird")
    assert second.startswith("shortcut cheats")
    assert last == f"Look: {tmp_path / 'index.html'}"


def test_a_function_has_no_layers(tmp_path):
    (tmp_path / "function.py").write_text(
        "import seewhy\nmodel = seewhy.wrap(lambda x: x.mean((1, 2)), name='mean', takes='uint8')\n"
    )
    spec = f"{tmp_path / 'function.py'}:model"
    done = CliRunner().invoke(main, ["layers", spec])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "seewhy layers lists the inside of a network; mean gives scores only. Try occlusion, rise or lime." in done.stderr


def test_layers_of_a_network_without_gradients_are_listed():
    done = CliRunner().invoke(main, ["layers", onnx_file()])
    assert done.exit_code == 0, done.output
    (default,) = (line for line in done.stdout.splitlines() if "* default" in line)
    assert default.split()[:3] == ["act2", "Relu", "8x112x112"]


def test_metrics_are_listed_with_what_there_is_to_know():
    listed = CliRunner().invoke(main, ["metrics"]).stdout
    lines = [strict(line) for line in CliRunner().invoke(main, ["metrics", "--json"]).stdout.splitlines()]
    assert [line["name"] for line in lines] == [*METRICS]
    for line, (name, metric) in zip(lines, METRICS.items(), strict=True):
        said = [metric.formula, metric.cost, metric.source, metric.weakness]
        assert [line["formula"], line["forwards"], line["source"], line["weakness"]] == said
        assert line["better"] == metric.better
        assert {*line["parameters"]} == {*metric.parameters}
        assert all(line["meanings"].values())
        assert f"\n{name}\n" in f"\n{listed}"
        for words in said:
            assert words
            assert words in listed


def test_a_metric_by_name_is_told_in_full():
    done = CliRunner().invoke(main, ["metrics", "average_drop", "complexity"])
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert [line for line in done.stdout.splitlines() if line and not line.startswith(" ")] == ["average-drop", "complexity"]
    assert "keep=1.0: the share of the places that stay, the highest;" in words
    assert done.stdout.endswith("It takes no parameters.\n")
    wrong = CliRunner().invoke(main, ["metrics", "deltion"])
    assert wrong.exit_code == 2
    assert "Closest: deletion" in wrong.output
