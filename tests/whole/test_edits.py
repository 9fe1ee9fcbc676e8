"""A network that is edited between two calls is explained as one that was wrapped after the edit: nothing stale survives."""

import pytest

import seewhy
from support.edited import ASKED, EDITS, ROLLED, VITS, Edit, alike, said


def compare(edit: Edit, asked) -> None:
    network = edit.start()
    model = seewhy.wrap(network)
    before = {name: said(model, ask) for name, ask in asked.items()}
    edit.of(network)
    after = {name: said(model, ask) for name, ask in asked.items()}
    fresh = seewhy.wrap(network)
    wrong = [name for name, ask in asked.items() if not alike(after[name], said(fresh, ask))]
    assert wrong == [], f"after the edit not as of a network that was wrapped then: {wrong}"
    assert edit.felt == any(not alike(after[name], before[name]) for name in asked)


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_said_after_an_edit_is_what_is_said_of_a_network_wrapped_after_it(edit):
    compare(EDITS[edit], ASKED)


@pytest.mark.parametrize("edit", VITS)
def test_tokens_and_attention_after_an_edit_are_those_of_a_network_wrapped_after_it(edit):
    compare(VITS[edit], ROLLED)
