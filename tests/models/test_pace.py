"""How many images share a pass: never by the clock, fewer where memory runs out."""

from seewhy.models.pace import Pace


def test_a_pass_halves_down_to_one_image():
    pace, sizes = Pace(20), []
    for _ in range(6):
        sizes.append(pace.size)
        pace.halve()
    assert sizes == [20, 10, 5, 2, 1, 1]
    assert Pace(0).size == Pace(-3).size == 1


def test_the_rate_is_that_of_the_fastest_pass_and_changes_no_size():
    pace = Pace(8)
    assert pace.rate == 0
    pace.took(8, 4.0)
    assert pace.rate == 0.5
    pace.took(4, 1.0)
    pace.took(8, 8.0)
    assert (pace.rate, pace.size) == (0.25, 8)
