"""What a comparison says, from numbers that leave no doubt."""

import numpy as np
import pytest

from seewhy.metrics.verdict.ranking import ranked
from seewhy.metrics.verdict.words import sentences, verdicts

NOISE = 0.01 * np.random.default_rng(0).normal(size=(9, 12))
NOISE -= NOISE.mean(1, keepdims=True)
METHODS = ("good", "twin", "worse", "blind", "noisy", "shaky", "random-map", "centre")


def numbers(photos=12):
    """Deletion, head and stability of methods whose verdicts are known."""
    means = {
        "deletion": [0.5, 0.5, 0.3, 0.6, 0.0, 0.4, 0.0, 0.2],
        "head": [0.1, 0.1, 0.1, 0.95, 0.1, 0.1, 1.0, 1.0],
        "stability": [0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0.0, 1.0],
        "seconds": [0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    }
    values = {
        name: {method: mean + NOISE[i, :photos] for i, (method, mean) in enumerate(zip(METHODS, some, strict=True))}
        for name, some in means.items()
    }
    values["deletion"]["twin"] = values["deletion"]["good"] + np.tile([0.001, -0.0012], 6)[:photos]
    better = {"head": "lower", "seconds": "lower"}
    return values, {name: ranked(some, better.get(name, "higher")) for name, some in values.items()}


@pytest.fixture(scope="module")
def known():
    values, rankings = numbers()
    found = verdicts(values, rankings, METHODS)
    return values, rankings, found


def test_each_has_its_verdict(known):
    assert {each.method: each.status for each in known[2]} == {
        "good": "trust", "twin": "trust", "worse": "behind", "blind": "avoid", "noisy": "avoid", "shaky": "care",
        "random-map": "control", "centre": "control",
    }  # fmt: skip


def test_each_has_its_reason(known):
    why = {each.method: "; ".join(each.why) for each in known[2]}
    assert "rank correlation of 0.95" in why["blind"]
    assert "do not depend on what the classifier learned" in why["blind"]
    assert "no more than can be told from what hiding by a random map takes" in why["noisy"]
    assert "0.200 less" in why["worse"]
    assert "rank correlation of 0.20 only" in why["shaky"]
    assert why["good"] == why["twin"] == ""


def test_who_is_avoided_is_not_held_against_the_others(known):
    """The blind one takes the most by deletion, and yet the good ones are not behind it."""
    assert next(row for row in known[1]["deletion"] if row.first).method == "blind"
    assert known[2][0].status == "trust"


def test_the_sentences(known):
    values, rankings, found = known
    said = sentences("net", "layer4", 12, found, values, rankings)
    assert said[0] == "For net at layer4, by 12 photos: trust good and twin (not told apart; twin is the quickest)."
    assert said[1] == "How sure: one of these is the best by deletion in 100.0 % of resampled sets of photos."
    (tie,) = [line for line in said if line.startswith("Tied")]
    assert "good and twin" in tie
    assert "photos like these would settle it" in tie
    assert [line.split()[1].strip(":") for line in said if line.startswith("Avoid")] == ["blind", "noisy"]
    assert "insertion" not in " ".join(said)


def test_less_than_a_random_map_is_said(known):
    values, _ = numbers()
    values["deletion"]["noisy"] = values["deletion"]["noisy"] - 0.4
    rankings = {name: ranked(some, "lower" if name in ("head", "seconds") else "higher") for name, some in values.items()}
    found = {each.method: each for each in verdicts(values, rankings, METHODS)}
    assert found["noisy"].status == "avoid"
    assert "takes less than what hiding by a random map takes" in found["noisy"].why[0]


def test_of_few_photos_nothing_is_said_but_what_needs_none():
    """Five photos cannot tell six methods from a random map; that a map ignores the head shows on each of them."""
    values, rankings = numbers(5)
    found = {each.method: each for each in verdicts(values, rankings, METHODS)}
    assert {each.status for name, each in found.items() if name in ("good", "twin", "worse", "noisy", "shaky")} == {"unknown"}
    assert found["blind"].status == "avoid"
    few = "5 photos are too few to tell 6 methods from a random map; about 3 more photos like these would settle it"
    assert few in found["good"].why
    assert sentences("net", "", 5, [*found.values()], values, rankings)[0] == "For net, by 5 photos: nothing can be said yet."


def test_where_all_fail_none_is_trusted():
    values, rankings = numbers()
    few = ("blind", "noisy", "random-map")
    values = {name: {method: some[method] for method in few} for name, some in values.items()}
    rankings = {name: tuple(row for row in rows if row.method in few) for name, rows in rankings.items()}
    found = verdicts(values, rankings, few)
    assert sentences("net", "", 12, found, values, rankings)[0] == "For net, by 12 photos: trust none of these methods."


def test_numbers_that_are_the_same_on_every_photo_are_never_told_apart():
    values, _ = numbers()
    values["deletion"]["twin"] = values["deletion"]["good"]
    rankings = {name: ranked(some, "lower" if name in ("head", "seconds") else "higher") for name, some in values.items()}
    said = sentences("net", "", 12, verdicts(values, rankings, METHODS), values, rankings)
    assert any("the same on every photo, so no number of photos would" in line for line in said)


def near_the_middle(by=0.0, head=True):
    """The same numbers, but the good ones and the worse lie `by` from the middle of the photo, give or take, by deletion."""
    values, _ = numbers()
    apart = np.tile([0.02, -0.021], 6)
    values["deletion"]["centre"] = values["deletion"]["good"] - by - apart
    if not head:
        del values["head"]
    rankings = {name: ranked(some, "lower" if name in ("head", "seconds") else "higher") for name, some in values.items()}
    return values, rankings, {each.method: each for each in verdicts(values, rankings, METHODS)}


def test_trust_that_rests_on_the_head_alone_is_said_to():
    values, rankings, found = near_the_middle()
    gap = next(row for row in rankings["deletion"] if row.method == "good").to_centre
    assert found["good"].status == "trust"
    (why,) = found["good"].why
    assert why.startswith("hiding what it marks takes no more than can be told from what hiding the middle of the photo takes")
    assert f"a difference of {gap.mean:+.3f}, {gap.low:+.3f} to {gap.high:+.3f}, p {gap.p:.2g}" in why
    assert why.endswith("its maps keep a rank correlation of 0.10 when the head is drawn anew")
    said = sentences("net", "", 12, [*found.values()], values, rankings)
    (line,) = [line for line in said if line.startswith("Not by deletion")]
    assert said.index(line) == 1
    assert line.startswith("Not by deletion: good and twin cannot be told there from the middle of the photo")
    assert f"{gap.mean:+.3f} (p {gap.p:.2g})" in line


def test_without_the_head_what_is_not_told_from_the_middle_is_not_trusted():
    _, _, found = near_the_middle(head=False)
    assert found["good"].status == "care"
    assert "the middle of the photo" in found["good"].why[0]


def test_what_hides_less_than_the_middle_is_read_with_care():
    values, rankings, found = near_the_middle(by=-0.2)
    assert found["good"].status == found["twin"].status == "care"
    assert "takes less than what hiding the middle of the photo takes (a difference of -0.2" in found["good"].why[0]
    assert not any(line.startswith("Not by deletion") for line in sentences("net", "", 12, [*found.values()], values, rankings))


def test_where_the_middle_is_behind_nothing_is_said_of_it():
    _, _, found = near_the_middle(by=0.2)
    assert found["good"].status == "trust"
    assert found["good"].why == ()
