"""Which class a name means: exact names and nothing else."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NoSuchName
from seewhy.targets.class_names import class_index, classes_with, first_name, name_text, wnids
from seewhy.targets.labels import read_labels
from seewhy.targets.parse import as_targets
from support.real import DATA, needs_data

LABELS = [
    "tabby, tabby cat",
    "tiger cat",
    "Egyptian cat",
    "French bulldog",
    "tiger",
    "tiger shark, Galeocerdo cuvieri",
    "crane",
    "crane",
    "maillot",
    "maillot, tank suit",
    "Cardigan, Cardigan Welsh corgi",
    "cardigan",
    "catamaran",
]
IMAGENET = read_labels("imagenet")


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("tabby, tabby cat", 0),
        ("tabby", 0),
        ("TABBY CAT", 0),
        ("  tabby  cat ", 0),
        ("tabby_cat", 0),
        ("french_bulldog", 3),
        ("tiger", 4),
        ("Galeocerdo_Cuvieri", 5),
        ("maillot, tank suit", 9),
        ("Cardigan Welsh corgi", 10),
        ("3", 3),
        (3, 3),
        (np.int64(4), 4),
        (np.uint8(4), 4),
    ],
)
def test_a_class_by_index_whole_label_or_synonym(asked, index):
    assert class_index(asked, LABELS) == index


@pytest.mark.parametrize("asked", ["egypt", "tiger s", "Galeocerdo", "tabb", "bulldog", "cat", "french", "tank"])
def test_no_beginning_and_no_part_of_a_name_is_taken(asked):
    with pytest.raises(NoSuchName, match=f"No class '{asked}'"):
        class_index(asked, LABELS)


@pytest.mark.parametrize(
    ("asked", "candidates"),
    [("crane", "crane (6), crane (7)"), ("maillot", "maillot (8), maillot, tank suit (9)"),
     ("cardigan", "Cardigan, Cardigan Welsh corgi (10), cardigan (11)")],
)  # fmt: skip
def test_a_name_of_several_classes_is_told_which(asked, candidates):
    with pytest.raises(NoSuchName) as caught:
        class_index(asked, LABELS)
    assert f"It could be {candidates}. Give the index" in str(caught.value)


@pytest.mark.parametrize("asked", [-1, -1000, np.int64(-1), "-1", "-2", 10**10])
@pytest.mark.parametrize("labels", [LABELS, None])
def test_below_zero_there_is_no_class(asked, labels):
    with pytest.raises(NoSuchName, match="Classes count from 0"):
        class_index(asked, labels)


@pytest.mark.parametrize("asked", [True, np.bool_(True), 1.0, np.float32(1), None, b"tiger"])
def test_what_is_no_name_is_refused(asked):
    with pytest.raises(BadParameter, match="is no class"):
        class_index(asked, LABELS)


def test_labels_that_hold_the_word_are_named_before_those_spelt_alike():
    with pytest.raises(NoSuchName, match=r"Closest: tabby, tabby cat, tiger cat, Egyptian cat\. ") as caught:
        class_index("cat", LABELS)
    error = caught.value
    assert str(error).endswith("AnyOf('cat') explains all 3 classes whose names hold this word; all 13 labels: model.labels.")
    assert error.typed.endswith(
        "-t any:cat explains all 3 classes whose names hold this word; `seewhy labels MODEL cat` lists them."
    )
    with pytest.raises(NoSuchName) as caught:
        class_index("welsh corgi", LABELS)
    assert "AnyOf('welsh corgi') explains the class whose names hold these words" in str(caught.value)
    assert "-t 'any:welsh corgi'" in caught.value.typed
    with pytest.raises(NoSuchName) as caught:
        class_index("C++", ["C++ source", "C header"])
    assert "-t 'any:\"C++\"'" in caught.value.typed, "any:C++ is of several classes, one of them without a name"


@pytest.mark.parametrize(
    ("typo", "meant"), [("taby", "tabby, tabby cat"), ("egyptian kat", "Egyptian cat"), ("bulldog", "French bulldog")]
)
def test_a_near_match_is_suggested_not_taken(typo, meant):
    with pytest.raises(NoSuchName, match=f"'{typo}'.*Closest: .*{meant}"):
        class_index(typo, LABELS)


def test_a_label_is_suggested_once():
    with pytest.raises(NoSuchName) as caught:
        class_index("tabbi cat", LABELS)
    assert str(caught.value).count("tabby, tabby cat") == 1


@pytest.mark.parametrize("asked", ["xyzzy", "", " ", ",", "--5", "²", "1.5"])
def test_a_label_that_is_none_is_no_such_name(asked):
    with pytest.raises(NoSuchName, match="labels"):
        class_index(asked, [*LABELS, "", "a, "])


def test_digits_are_a_label_before_they_are_an_index():
    assert class_index("3", ["9", "3", "1", "7"]) == 1
    assert class_index(3, ["9", "3", "1", "7"]) == 3


def test_without_labels_a_label_is_told_to_be_an_index():
    with pytest.raises(BadParameter, match=r"'tabby'.*none.*wrap\(labels") as caught:
        class_index("tabby", None)
    assert "--labels FILE" in caught.value.typed
    assert class_index("7", None) == 7


@pytest.mark.parametrize(
    ("word", "classes"),
    [("cat", [0, 1, 2]), ("CAT", [0, 1, 2]), ("tiger cat", [1]), ("tiger_cat", [1]), ("bulldog", [3]), ("cats", []), ("ca", []),
     ("", []), (" ", []), (".*", []), ("cat tiger", []), ("welsh", [10]), ("crane", [6, 7])],
)  # fmt: skip
def test_a_word_is_in_a_name_as_a_whole(word, classes):
    assert classes_with(word, LABELS) == classes


def test_hyphens_and_underscores_stand_between_words():
    assert classes_with("bear", ["bear-cat", "polar_bear", "bearskin", "jack-o'-lantern"]) == [0, 1]
    assert classes_with("bear cat", ["bear-cat", "bear, cat"]) == [0]


def test_a_label_with_its_number_of_wordnet_has_all_these_names():
    labels = ["n02123045 tabby, tabby cat", "n02123159: tiger_cat", "n02123394"]
    for asked, index in (
        ("n02123045", 0),
        ("tabby", 0),
        ("tabby cat", 0),
        ("N02123159", 1),
        ("tiger cat", 1),
        ("n02123394", 2),
    ):
        assert class_index(asked, labels) == index
    assert wnids(labels) == ["n02123045", "n02123159", "n02123394"]


def test_the_classes_of_imagenet_have_their_synonyms_and_wnids():
    assert [class_index(asked, IMAGENET) for asked in ("n02123045", "tabby cat", "husky", "Felis concolor", "134")] == [
        281, 281, 248, 286, 134,
    ]  # fmt: skip
    assert class_index("crane bird", IMAGENET) == 134, "the label of the model itself"
    assert [IMAGENET[i] for i in classes_with("cat", IMAGENET)] == [
        "tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat", "Madagascar cat", "lesser panda",
    ]  # fmt: skip
    assert wnids(IMAGENET)[281] == "n02123045"


def test_every_label_of_imagenet_means_its_own_class_or_is_told_to_be_of_several():
    for index, label in enumerate(IMAGENET):
        if label.lower() != "cardigan":
            assert class_index(label, IMAGENET) == index
    with pytest.raises(NoSuchName, match=r"Cardigan \(264\), cardigan \(474\)"):
        class_index("cardigan", IMAGENET)


def test_other_thousands_are_not_taken_for_imagenet():
    assert wnids([f"kind {i}" for i in range(1000)]) == [None] * 1000
    assert wnids(IMAGENET[::-1]) == [None] * 1000
    with pytest.raises(NoSuchName):
        class_index("n02123045", [f"kind {i}" for i in range(1000)])


def test_the_synsets_are_those_of_timm():
    """A second source: timm's own list of what the 1000 classes are."""
    info = pytest.importorskip("timm.data").ImageNetInfo("imagenet-1k")
    assert wnids(IMAGENET) == info.label_names()
    assert all(class_index(name, IMAGENET) == i for i, name in enumerate(info.label_names()))


@needs_data
def test_full_labels_are_known_as_imagenets_too():
    labels = read_labels(DATA / "imagenet_labels.json")
    assert wnids(labels) == wnids(IMAGENET)
    with pytest.raises(NoSuchName, match=r"crane \(134\), crane \(517\)"):
        class_index("crane", labels)
    assert classes_with("cat", labels) == classes_with("cat", IMAGENET)


def test_a_class_as_a_text_is_its_label_where_that_is_its_own():
    assert [name_text(i, LABELS) for i in (1, 6, 8, 99)] == ["tiger cat", "6", "8", "99"]
    assert name_text(2, None) == "2"
    assert [first_name(i, LABELS) for i in (0, 9, 99)] == ["tabby", "maillot", "99"]


@pytest.mark.parametrize(
    "target",
    ["ti", "region:ti", "point:1,2:ti", "box:ti", "tiger-vs-eg", "ti-vs-tiger", seewhy.Class("ti"), seewhy.Box("ti"),
     seewhy.Region("ti"), seewhy.Point(1, 2, "ti"), seewhy.Contrast("tiger", ["ti"]), seewhy.PerImage(["ti"]),
     seewhy.AnyOf(["tiger", "ti"]), -1, seewhy.Class(-1), seewhy.Box(-1), seewhy.Region(-1), seewhy.Point(1, 2, -1),
     seewhy.Contrast(0, -1), seewhy.Contrast(-1), seewhy.PerImage([-1]), seewhy.AnyOf([0, -1]), "region:-1", "box:-1",
     "any:0+-1", "tiger-vs--1"],
    ids=str,
)  # fmt: skip
def test_wherever_a_class_is_named_no_beginning_and_no_negative_index_is_taken(target):
    with pytest.raises(NoSuchName):
        as_targets(target, LABELS)


def test_where_picks_maps_by_exact_names_alone(red_network, red_dot):
    fit = {"size": 64, "crop": 64, "mean": 0.0, "std": 1.0}
    model = seewhy.wrap(red_network, prepare=fit, labels=["tiger cat, felis", "catamaran", "neither"])
    maps = seewhy.grad_cam(model, red_dot((64, 64), 20, 20), target=[0, 1])
    for name, found in (("tiger_cat", 1), ("Felis", 1), ("tiger cat, felis", 1), ("tiger", 0), ("cat", 0), ("catamaran", 1)):
        assert len(maps.where(target=name)) == found, name
