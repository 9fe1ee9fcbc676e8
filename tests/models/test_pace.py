"""How many images share a pass: never by the clock, fewer where memory runs out."""

from seewhy.models.pace import Pace, cheapest, power_of_two


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


def test_the_largest_power_of_two_up_to_a_number():
    assert [power_of_two(n) for n in (0, 1, 2, 3, 4, 7, 8, 1000)] == [1, 1, 2, 2, 4, 4, 8, 512]


def test_fewer_large_images_share_a_pass_and_more_where_there_is_no_cache_to_stay_in():
    assert [cheapest((side, side), "cpu") for side in (32, 112, 224, 512, 4000)] == [256, 16, 4, 1, 1]
    assert [cheapest((side, side), "cuda") for side in (224, 512, 4000)] == [64, 16, 1]
    assert [cheapest(space, "cpu") for space in ((5000,), (64, 64, 64), (96, 96, 96), ())] == [32, 1, 1, 2**18]
