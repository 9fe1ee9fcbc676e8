"""Which maps were made for a target, by a text, an index, a name or an object."""

import pytest

from seewhy import AnyOf, Box, Contrast, Heatmaps, Region, Text, Top, Unit
from seewhy.maps.answering import answers, is_labelled


@pytest.mark.parametrize(
    ("facts", "fitting", "other"),
    [
        ({"target": "3", "index": 3, "label": "1"}, [3, "3", '"1"'], [1, "1", "top 1", '"3"']),
        ({"target": "top 2", "index": 5, "label": "cat, felis"}, [5, "5", "top 2", Top(2), "top:2", "felis", "CAT", '"cat"'],
        ["top:1", Top(), "dog"]),
        ({"target": "0-vs-1:0.6", "index": None, "label": "cat rather than dog (strength 0.6)"},
         ["0-vs-1:0.6", Contrast(0, 1, 0.6), Contrast("cat", "dog", 0.6), '"cat"-vs-"dog":0.6', "cat-vs-dog:0.6"], ["0-vs-1",
         "cat", Contrast(0, 1)]),
        ({"target": "text:a dog|a cat", "index": None, "label": "a dog vs a cat"},
         ["text:a dog|a cat", 'text:"a dog"|"a cat"', Text("a dog", "a cat")], ["text:a dog", Text("a dog")]),
        ({"target": 'text:"yes | no"', "index": None, "label": "yes | no"}, [Text("yes | no"), 'text:"yes | no"'],
        ["text:yes | no"]),
        ({"target": "unit:a:1", "index": None, "label": "unit 1 of a"}, ["unit:a:1", "unit:a:1:max", Unit("a", 1)],
        ["unit:a:1:sum"]),
        ({"target": "region:1", "index": 1, "label": "cat"}, ["region:1", Region(1), 1, "cat"], [Region(2)]),
        ({"target": "any:cat", "index": None, "label": "any cat: tabby"}, ["any:cat", AnyOf("cat")], [AnyOf(["cat"]), "cat"]),
        ({"target": "box:cat:1,2,3,4", "index": 1, "label": "cat"}, [Box("cat", (1, 2, 3, 4)), "cat", 1], [Box("cat", 0)]),
        ({"target": "<function f at 0x1>", "index": None, "label": None}, ["<function f at 0x1>"], ["box:cat:1,2", "unit:x",
        0]),
    ],
)  # fmt: skip
def test_a_map_answers_what_it_was_asked_however_that_is_written(made_source, facts, fitting, other):
    source = made_source(**facts)
    assert [target for target in fitting if not answers(source, target)] == []
    assert [target for target in other if answers(source, target)] == []


def test_a_label_is_a_name_of_the_class_explained(made_source):
    source = made_source(target="0", index=0, label="2020")
    assert is_labelled(source, "2020")
    assert not answers(source, "2020"), "which is an index"
    assert not is_labelled(source, 2020)
    assert not is_labelled(made_source(target="0", index=None, label="2020"), "2020")


def test_of_several_maps_a_number_picks_the_index_and_where_there_is_none_the_label(made_heatmap):
    labels = ["1", "0", "2020"]
    maps = Heatmaps(tuple(made_heatmap([[i]], target=str(i), index=i, label=label) for i, label in enumerate(labels)))
    for target, places in (
        ("1", [1]),
        (1, [1]),
        ('"1"', [0]),
        ("2020", [2]),
        ("0", [0]),
        ("7", []),
        ("x", []),
        ("box:x:1,2", []),
    ):
        assert [m.source.index for m in maps.where(target=target)] == places
