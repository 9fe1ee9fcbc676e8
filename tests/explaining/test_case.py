"""A case: each pass of the network runs once, when it is first read, and what it left answers all later questions."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.case import Outcome, once
from seewhy.images.places import Cells
from seewhy.images.sight import Sight
from seewhy.models.model import INPUT, Answer
from seewhy.models.rule import Balanced, Relevance
from support.recorder import LATE, Recorder, case


def test_a_property_is_computed_once_for_each_object() -> None:
    class Counted:
        computed = 0

        @once
        def value(self) -> int:
            """Its doc."""
            self.computed += 1
            return self.computed

    first, second = Counted(), Counted()
    assert (first.value, first.value, second.value) == (1, 1, 1)
    assert isinstance(Counted.value, once)


def test_nothing_runs_before_it_is_asked_for_and_then_once() -> None:
    made = case(model := Recorder())
    assert made.answered is None
    assert made.notes("late") == ()
    assert made.why("late") == ""
    assert model.calls == []
    for _ in range(2):
        assert made.layers == ["late"]
        assert made.activations["late"] is LATE
        assert made.pinned[0].scores[0, 1] == 20  # the trace's own scores
    assert model.calls == [("trace", (None,), None), "default"]
    assert made.why("late") == "last"
    assert made.why("late#2") == "last"
    assert made.why("early") == ""
    assert made.notes("late") == ("traced late",)


def test_a_layer_that_was_named_needs_no_default_and_has_no_reason() -> None:
    made = case(model := Recorder(), ["early", "early"])
    assert made.named == ["early"]
    assert made.trace.evidence.keys() == {"early"}
    assert made.why("early") == ""
    assert model.calls == [("trace", ("early",), None)]


def test_without_a_default_a_name_is_asked_for() -> None:
    with pytest.raises(BadParameter, match="name one"):
        case(Recorder(default=False)).trace  # noqa: B018


def test_the_image_is_traced_only_where_it_is_shared_and_is_a_layer_only_where_it_was_named() -> None:
    both = case(model := Recorder(), shared=("gradients", "pixels"))
    assert both.layers == ["late"]
    assert both.trace.evidence.keys() == {"late", INPUT}
    assert case(layers=[INPUT, "late"]).layers == [INPUT, "late"]
    assert model.calls == [("trace", (None, INPUT), None), "default"]


def test_without_shared_gradients_a_pass_stops_at_the_last_layer() -> None:
    made = case(model := Recorder(), shared=())
    assert made.activations["late"] is LATE
    assert made.layers == ["late"]
    assert made.notes("late") == ("stopped",)
    assert made.answered is None  # it did not come to the network's end
    assert made.pinned[0].scores[0, 1] == 2
    assert model.calls == ["default", "activations", "answer"]


def test_what_is_pinned_stays_whatever_runs_later() -> None:
    made = case(shared=())
    made.record_answer(Answer(np.array([[0.0, 7.0], [0.0, 7.0]]), None))
    made.record_answer(Answer(np.array([[0.0, 9.0], [0.0, 9.0]]), None))
    made.head  # noqa: B018
    assert made.pinned is made.answered
    assert made.pinned[0].scores[0, 1] == 7
    np.testing.assert_array_equal(made.pinned[1], [[[0, 1], [0, 1]]])


def test_the_shared_trace_counts_before_the_head_and_both_before_ways_back_by_rules() -> None:
    made = case(shared=())
    rule = Relevance()
    assert made.traced(rule, ["late"]) is made.traced(rule, ["late"])
    assert made.answered[0].scores[0, 1] == 2000
    made.record_way_back(Answer(np.ones((2, 2)), None), np.ones((1, 2, 2)))
    assert made.answered[0].scores[0, 1] == 2000  # the first of them
    made.head  # noqa: B018
    assert made.answered[0].scores[0, 1] == 200
    assert made.notes("late") == ("by the head",)
    made.trace  # noqa: B018
    assert made.answered[0].scores[0, 1] == 20


def test_ways_back_differ_by_rule_and_by_layers() -> None:
    made = case(model := Recorder())
    rules = [Relevance(), Relevance(epsilon=0.5)]
    assert len({id(made.traced(rule, layers)) for rule in rules for layers in (["late"], ["early"])}) == 4
    assert len(model.calls) == 4


def test_under_a_rule_for_all_gradients_methods_with_rules_of_their_own_are_refused() -> None:
    made = case(model := Recorder(), rule=Balanced())
    made.trace  # noqa: B018
    assert model.calls[0] == ("trace", (None,), Balanced())
    with pytest.raises(NotApplicable, match="cannot be asked of the cat"):
        made.plain_only("the cat")
    with pytest.raises(NotApplicable, match="rule of its own"):
        made.traced(Relevance(), ["late"])
    case().plain_only("anything")


def test_cells_lie_where_the_model_says_if_the_grid_is_its_own() -> None:
    assert case().cells("late", (2, 2)) == Cells((1.5, 1.5), (4.0, 4.0), (8, 8))
    assert case().cells("late", (2, 2), np.zeros((1, 3, 16, 12))) == Cells((1.5, 1.5), (4.0, 4.0), (16, 12))
    assert case().cells("looking", (2, 2)) == Cells((1.0, 2.0), (4.0, 4.0), (8, 8), (Sight(2.0, 3.0), Sight(1.0, 3.0)))
    assert case().cells("late", (4, 4)) is None
    assert case().cells(INPUT, (2, 2)) is None


def test_what_is_measured_at_a_layer_goes_before_what_is_measured_of_all() -> None:
    outcome = Outcome({}, measured={"a": np.zeros(1), "b": np.ones(1)}, measured_at={"late": {"b": np.full(1, 5.0)}})
    assert outcome.measurements("late") == {"a": 0, "b": 5}
    assert outcome.measurements("early") == {"a": 0, "b": 1}
    assert outcome.notes(0, 0) == ()
    assert outcome.regions(0, 0) is None
