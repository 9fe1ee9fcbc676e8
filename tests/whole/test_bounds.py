"""What a person or a file may write for a target, a method, a parameter, an option: a value or a clear error, at once."""

from time import process_time
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import seewhy
from seewhy import Contrast, Top, Unit
from seewhy.cli.app import main
from seewhy.cli.options import KeyValue, Share, Window, literal
from seewhy.cli.targets import parse_target
from seewhy.errors import Misuse
from seewhy.methods.making.budget import Budget
from seewhy.methods.making.method import lookup
from seewhy.targets.parse import as_targets
from support import networks

LABELS = ["cat", "dog, hound", "a-vs-b"]
NINES = "9" * 5000
DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]


def refused(ask: Any, said: str = ".+") -> str:
    """The words of the error, which comes at once, on one safe and short line."""
    start = process_time()
    with pytest.raises((Misuse, click.ClickException), match=said) as caught:
        ask()
    assert process_time() - start < 3
    words = caught.value.message if isinstance(caught.value, click.ClickException) else str(caught.value)
    assert words
    assert len(words) <= 2500
    return words


METHODS = [
    "smooth(" * 3000 + "grad-cam" + ")" * 3000, "smooth(" * 3000, "product(" + "grad-cam," * 9000 + ")", "(" * 99, "x" * 10**6,
    "augment(" * 17 + "cam" + ")" * 17, "product(,)", "smooth()", "smooth(grad-cam))", ")(", "\x1b[2J", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("name", METHODS, ids=lambda name: name[:12].encode("unicode_escape").decode())
def test_names_of_methods_are_bounded(name):
    refused(lambda: lookup(name))


def test_methods_made_of_each_other_without_end_are_refused():
    def made() -> None:
        method = seewhy.grad_cam
        for _ in range(40):
            method = seewhy.product(method, method)

    assert "made of too many" in refused(made)


TARGETS = {
    f"unit:body:{NINES}": "No channel",
    f"unit:body:-{NINES}": "No channel",
    f"unit:body:1:{NINES},1": "unit|Unit",
    f"unit:body:{'1,' * 9000}": "nothing can be made of",
    "unit:body:\u00b2": "write unit:LAYER",
    f"point:{NINES},1": "write point",
    "point:1.2.3,4": "write point",
    "point:.,.": "write point",
    "point:\u0663,1": "write point",
    f"box:cat:{NINES}": "No class",
    f"box:cat:{NINES},1,2,3": "No class",
    "box:cat:1.2.3": "No class|write box",
    "box:cat:-1": "write box",
    f"box:cat{':1,1' * 2000}": "box|Box|No class",
    "text:" + "a" * 20_000: "at most 10,000 characters",
    "text:" + "a|" * 4000: "write text",
    "similar:": "write similar",
    "x" * 10**6: "characters long",
    NINES: "No class|labels",
    f"-{NINES}": "No class|labels",
    "1e5": "No class",
    "\x1b]0;owned\x07": r"\\x1b",
}


@pytest.mark.parametrize("text", TARGETS, ids=lambda text: text[:14].encode("unicode_escape").decode())
def test_texts_of_targets_are_bounded(text):
    for ask in (as_targets, parse_target):
        refused(lambda ask=ask: ask(text, LABELS), TARGETS[text])


def test_top_says_how_many_there_are():
    assert "the model has 3 classes; top:3 is the most" in refused(lambda: parse_target("top:99999999", LABELS))
    assert "top:1000 is the most" in refused(lambda: parse_target(f"top:{NINES}", None))
    for text in ("top:\u00b2", "top:0", "top:-1", "top:\u0663", "top:1.5", "top:1 2"):
        assert "three top classes" in refused(lambda text=text: parse_target(text, LABELS))
    assert parse_target("top:1 ", LABELS) == [Top(1)], "spaces around a target mean nothing"
    assert parse_target("top:007", list("abcdefg")) == [Top(rank) for rank in range(1, 8)]
    model = seewhy.wrap(networks.pooled())
    asked = parse_target("top:99", None)
    assert "Top(6)" in refused(lambda: seewhy.grad_cam(model, networks.images(1), asked), "the model has 5 scores")


def test_contrasts_and_lists_are_bounded():
    assert "1,000 are the most" in refused(lambda: parse_target("cat-vs-" + "+".join(["dog"] * 10**5), LABELS))
    assert "against 1,001 classes" in refused(lambda: Contrast(1, range(1001)))  # type: ignore[arg-type]
    assert "1,000,000,000 targets" in refused(lambda: as_targets(range(10**9), LABELS))
    assert parse_target("cat-vs-hound+2", LABELS) == [Contrast(0, (1, 2))]
    assert parse_target("a-vs-b", LABELS)[0].index == 2


HUGE = 10**6000  # which Python does not write out
THINGS = {
    "class": lambda: as_targets(HUGE, LABELS),
    "class of none": lambda: as_targets(-HUGE, None),
    "unit": lambda: Unit("body", HUGE),
    "place": lambda: Unit("body", 1, (HUGE, 1)),
    "point": lambda: seewhy.Point(HUGE, 1),
    "nan": lambda: seewhy.Point(float("nan"), 1),
    "box": lambda: seewhy.Box("cat", HUGE),
    "edges": lambda: seewhy.Box("cat", (HUGE, 1, 2, 3)),  # type: ignore[arg-type]
    "text": lambda: seewhy.Text("a" * 10**6),
    "deep": lambda: as_targets(DEEP, LABELS),
    "deep class": lambda: as_targets([DEEP], LABELS),
    "batch": lambda: seewhy.wrap(networks.pooled(), batch_size=10**30),
    "tile": lambda: seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1), tile=HUGE),
    "layer": lambda: seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1), layer="act1#\u00b2"),
    "layer long": lambda: seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1), layer="x" * 10**6),
    "count": lambda: seewhy.top_units(seewhy.wrap(networks.pooled()), networks.images(1), count=-HUGE),
    "budget": lambda: Budget.of(HUGE, "rise"),
}


@pytest.mark.parametrize("name", THINGS)
def test_numbers_and_lists_beyond_all_bounds_are_told(name):
    refused(THINGS[name])


PARAMETERS = {
    "rise": [{"masks": HUGE}, {"masks": 10**12}, {"cells": 10**9}, {"seed": HUGE}, {"keep": float("nan")}, {"seed": -1}],
    "lime": [{"samples": 10**12}, {"samples": 10**8}, {"segments": "slic:999999999"}, {"segments": f"grid:{NINES}"},
             {"segments": "grid:99999999"}, {"segments": f"slic:{NINES}"}, {"features": HUGE}, {"segments": 10**9},
             {"segments": DEEP}],
    "kernel-shap": [{"samples": 10**12}, {"samples": 10**8}],
    "sobol": [{"samples": 10**12}, {"samples": 10**8}],
    "occlusion": [{"window": 0}, {"window": DEEP}, {"stride": 0}, {"window": float("nan")},
                  {"fill": "x" * 10**6}, {"seed": 1.5}],
    "integrated-gradients": [{"steps": 10**12}, {"steps": HUGE}, {"steps": 0}, {"baseline": "\x1b" * 10**5}],
    "smooth-grad": [{"samples": 10**12}, {"sigma": float("inf")}, {"sigma": float("nan")}, {"samples": "many"}],
    "augment(grad-cam)": [{"scales": (1e308,)}, {"scales": ()}, {"scales": DEEP}, {"flips": HUGE}],
    "sess(grad-cam)": [{"scales": (99,), "window_overlap": 0.95}, {"window_overlap": HUGE}, {"scales": DEEP}],
    "ss-cam": [{"samples": 10**12}, {"top_channels": HUGE}],
    "is-cam": [{"samples": 10**12}],
    "gradient": [{"reduce": "x" * 10**6}, {"reduce": DEEP}, {"no" * 10**5: 1}],
    "grad-cam": [{"signed": HUGE}, {"signed": "maybe"}],
}  # fmt: skip


@pytest.mark.parametrize(("name", "params"), [(name, params) for name, several in PARAMETERS.items() for params in several],
                         ids=lambda one: str([*one])[:20] if isinstance(one, dict) else one)  # fmt: skip
def test_parameters_beyond_all_bounds_are_told_before_room_is_made(name, params):
    model = seewhy.wrap(networks.pooled())
    large = networks.images(1, 48, 48)
    refused(lambda: lookup(name)(model, large, target=0, **params))


@pytest.mark.parametrize("text", ["(" * 3000, "[" * 10**5, "-" * 10**5 + "1", "{" * 60 + "}" * 60, "1+" * 9000, NINES,
                                  "{[]: 1}",
                                  "[1" + ",1" * 9000 + "]", "1if 1else 2", "\ud800", "\0", "~" * 60 + "1"],
                         ids=lambda text: ascii(text[:9]))  # fmt: skip
def test_what_is_no_plain_literal_stays_text_at_once(text):
    start = process_time()
    assert literal(text) == text
    assert process_time() - start < 0.5


def test_literals_are_read():
    assert [literal(t) for t in ("1", "-1.5", "(1, 2)", "[[1], 'a']", "yes", "None", "{'a': 1}", "words", "'quoted'")] == [
        1, -1.5, (1, 2), [[1], "a"], True, None, {"a": 1}, "words", "quoted",
    ]  # fmt: skip


OPTIONS = {
    "window nan": ["--window", "nan,inf"],
    "window inf": ["--window", "-inf,inf"],
    "window": ["--window", f"{NINES},1"],
    "grid": ["--grid", "99999999x99999999"],
    "grid power": ["--grid", "\u00b2x3"],
    "grid long": ["--grid", "x".join("1" * 50_000)],
    "batch": ["--batch-size", str(10**30)],
    "tile": ["--tile", "9" * 4000],
    "alpha": ["--alpha", "nan"],
    "set": ["--set", "\x1b[2J" * 1000],
    "count": ["--target", "top:\u00b2"],
    "budget": ["--budget", "1e400 s", "--method", "rise"],
    "method": ["--method", "smooth(" * 3000],
    "parameter": ["--method", "rise", "--set", f"masks={NINES}"],
    "option": ["--no-such-\x1b[31moption"],
    "units": ["--unheard\n\u202eof"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_beyond_all_bounds_are_misuse_in_a_line(tmp_path, name):
    photo = tmp_path / "a.png"
    networks_photo(photo)
    start = process_time()
    done = CliRunner().invoke(main, ["explain", str(photo), "-m", "demo/honest", "-o", str(tmp_path / "out"), *OPTIONS[name]])
    assert process_time() - start < 10
    assert done.exit_code == 2, done.output
    line = done.stderr.splitlines()[-1]
    assert line.startswith(("Error: ", "seewhy: "))
    assert len(line) < 2600
    assert line.isprintable()


def networks_photo(path: Any) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(path)


ANY = st.text(st.characters(categories=None), max_size=40)
BEGUN = st.sampled_from([
    "unit:", "unit:a:", "point:", "point:1,", "box:", "box:cat:", "region:", "similar:", "text:", "top:", "cat-vs-", "smooth(",
    "product(", "grid:", "1", "-", "(", "[", "'", "a=", "1e", "10 ", "0x", "1_",
])  # fmt: skip
WRITTEN = st.builds("".join, st.lists(BEGUN | ANY | st.sampled_from(list(":,()|+-.x0123456789\u00b2\u0663 ")), max_size=8))


@settings(max_examples=400, deadline=1000)
@given(WRITTEN)
def test_any_text_is_a_value_or_misuse(text):
    for parse in (
        lambda t: parse_target(t, LABELS), lambda t: parse_target(t, None), lambda t: as_targets(t, LABELS), lookup, literal,
        lambda t: Budget.of(t, "rise"), lambda t: KeyValue().convert(t, None, None), lambda t: Window().convert(t, None, None),
        lambda t: Share().convert(t, None, None),
    ):  # fmt: skip
        try:
            str(parse(text))
        except (Misuse, click.ClickException):
            continue
