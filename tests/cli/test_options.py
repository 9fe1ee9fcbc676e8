"""Options that several commands take: how each value is read, and what becomes of what is said of a network."""

from math import inf

import click
import pytest
from click.testing import CliRunner

from seewhy.cli.options import (
    DEEPEST,
    LONGEST,
    SPEC,
    FilePath,
    GridSize,
    KeyValue,
    Literal,
    ModelOptions,
    Opacity,
    Share,
    Window,
    complete_methods,
    complete_models,
    literal,
    model_option,
    model_options,
    typed,
)


def read(kind: click.ParamType, text: str):
    return kind.convert(text, None, None)


def test_a_file_without_a_folder_to_lie_in_is_refused(tmp_path, monkeypatch):
    assert read(FilePath(), str(tmp_path / "a.png")) == tmp_path / "a.png"
    with pytest.raises(click.BadParameter, match=r"there is no folder .*no'; make it first"):
        read(FilePath(), str(tmp_path / "no" / "a.png"))
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    with pytest.raises(click.BadParameter, match="nothing may be written into the folder"):
        read(FilePath(), str(tmp_path / "a.png"))


def test_names_and_values_are_read():
    assert read(KeyValue(), "a=1") == ("a", 1)
    assert read(KeyValue(), " a = x=y ") == ("a", "x=y")
    assert read(KeyValue(), "a=") == ("a", "")
    assert KeyValue().convert(("a", 1), None, None) == ("a", 1)
    for text in ("a", "=1", ""):
        with pytest.raises(click.BadParameter, match="name=value"):
            read(KeyValue(), text)


def test_windows_are_two_finite_numbers_in_order():
    assert read(Window(), "-100,400") == (-100, 400)
    for text in ("400,-100", "1,1", "1", "1,2,3", "a,b", "nan,1", f"{inf},1", "0,inf", ""):
        with pytest.raises(click.BadParameter, match="a comma"):
            read(Window(), text)


def test_shares_run_from_0_to_1():
    assert [read(Share(), text) for text in ("0", "0.25", "1")] == [0, 0.25, 1]
    for text in ("-0.1", "1.5", "nan", "much"):
        with pytest.raises(click.BadParameter):
            read(Share(), text)


def test_an_opacity_is_a_share_or_follows_the_value():
    assert [read(Opacity(), text) for text in ("0", "0.5", "1", "value")] == [0, 0.5, 1, "value"]
    for text in ("nan", "2", "-0.1", "values", ""):
        with pytest.raises(click.BadParameter):
            read(Opacity(), text)


def test_grids_are_up_to_three_sides():
    assert read(GridSize(), "14x14") == (14, 14)
    assert read(GridSize(), "4 X 5x6") == (4, 5, 6)
    assert read(GridSize(), "7") == (7,)
    assert read(GridSize(), "") == ()
    for text in ("0x3", "1x2x3x4", "ax2", "1x", "-1x2", "123456x1", "1.5x2"):
        with pytest.raises(click.BadParameter, match="rows x columns"):
            read(GridSize(), text)


def test_literals_are_pythons_and_the_rest_is_text():
    assert [read(Literal(), text) for text in ("1", "-1.5", "(1, 2)", "yes", "off", "None", "cat", "'1'")] == [
        1, -1.5, (1, 2), True, False, None, "cat", "1",
    ]  # fmt: skip
    assert literal("1" * (LONGEST + 1)) == "1" * (LONGEST + 1)
    assert literal("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)).startswith("[[")
    assert Literal().convert(3, None, None) == 3


@pytest.mark.parametrize("value", [1, 1.5, "cat", "5", "yes", "a b", (1, "2"), None, True, "None", "'"])
def test_a_value_that_is_typed_again_is_the_same(value):
    assert literal(typed(value)) == value


@click.command()
@SPEC
@model_options
@click.option("--count", type=int)
def by_argument(network: ModelOptions, count: int) -> None:
    """As `seewhy layers` is."""
    click.echo(repr((network, count)))


@click.command()
@model_option()
@model_options
def by_option(network: ModelOptions) -> None:
    """As `seewhy explain` is."""
    click.echo(repr(network))


EVERY = {
    "weights": ("w.pt", "w.pt"), "labels": ("names.txt", "names.txt"), "option": ("depth=3", (("depth", 3),)),
    "prepare": ("size=64", (("size", 64),)), "device": ("cuda:1", "cuda:1"), "output": ("1", 1),
    "task": ("regression", "regression"), "grid": ("2x3", (2, 3)), "geometry": ("plain", "plain"),
    "max-pixels": ("123", 123), "max-voxels": ("456", 456),
}  # fmt: skip


def every() -> tuple[list[str], ModelOptions]:
    """All options at once, and the record of them."""
    words = [word for name, (text, _) in EVERY.items() for word in (f"--{name}", text)]
    facts = {name.replace("-", "_"): value for name, (_, value) in EVERY.items()}
    return [*words, "--trust"], ModelOptions("net.py:net", options=facts.pop("option"), trust=True, **facts)


def test_all_that_is_said_of_a_network_reaches_the_command_as_one_record():
    words, network = every()
    done = CliRunner().invoke(by_argument, ["net.py:net", *words, "--count", "2"])
    assert done.output == f"{(network, 2)!r}\n"
    done = CliRunner().invoke(by_option, ["--model", "net.py:net", *words])
    assert done.output == f"{network!r}\n"
    assert CliRunner().invoke(by_option, ["-m", "x"]).output == f"{ModelOptions('x')!r}\n"
    assert "Missing option '--model'" in CliRunner().invoke(by_option, []).output


def test_a_record_is_written_as_the_words_that_it_is_read_from():
    _, network = every()
    assert CliRunner().invoke(by_option, [*network.words()]).output == f"{network!r}\n"
    assert [*ModelOptions("x").words()] == ["--model", "x"]
    assert [*ModelOptions("x", output="5").words()] == ["--model", "x", "--output", "'5'"]


def test_only_what_was_said_of_wrapping_is_handed_on():
    assert ModelOptions("x").wrapping == {}
    assert ModelOptions("x", grid=()).wrapping == {}
    assert every()[1].wrapping == {"output": 1, "task": "regression", "grid": (2, 3), "geometry": "plain"}


def test_no_weights_are_fetched_where_random_ones_do():
    assert ModelOptions("timm/resnet18").untrained().weights == "random"
    assert ModelOptions("timm/resnet18", weights="w.pt").untrained().weights == "w.pt"
    assert ModelOptions("demo/honest").untrained().weights is None


def test_bounds_are_raised_for_the_command_and_no_longer():
    from PIL import Image

    from seewhy.images import volume

    before = Image.MAX_IMAGE_PIXELS, volume.MAX_VOXELS
    with click.Context(click.Command("explain")):
        ModelOptions("x", max_pixels=1234, max_voxels=5678).raise_bounds()
        assert (Image.MAX_IMAGE_PIXELS, volume.MAX_VOXELS) == (1234, 5678)
    assert before == (Image.MAX_IMAGE_PIXELS, volume.MAX_VOXELS)
    with click.Context(click.Command("explain")):
        ModelOptions("x").raise_bounds()
        assert before == (Image.MAX_IMAGE_PIXELS, volume.MAX_VOXELS)


def test_beginnings_are_completed():
    assert complete_models(None, None, "to") == ["torchvision/"]
    assert "grad-cam" in complete_methods(None, None, "grad-")
