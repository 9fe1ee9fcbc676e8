"""Outlines over a photo: which pixels they colour, what is striped, where tags stand, what the key says."""

import numpy as np
import pytest
from PIL import Image

from seewhy.pictures.outlines import COLOURS, Outline, outlined

GREY = 128


def picture(width=60, height=40):
    return Image.new("RGB", (width, height), (GREY,) * 3)


def drawn(*outlines, size=(60, 40), key=None, **how):
    return np.asarray(outlined(picture(*size), outlines, key, size, **how))


def of_colour(pixels, number):
    return (pixels == COLOURS[number]).all(-1)


def ring(shape, left, top, right, bottom):
    marks = np.zeros(shape, bool)
    marks[top:bottom, left:right] = True
    marks[top + 1 : bottom - 1, left + 1 : right - 1] = False
    return marks


def test_a_box_is_a_line_within_its_edges_with_a_dark_seam():
    pixels = drawn(Outline("cat", "", (10, 5, 30, 25)))
    line = ring((40, 60), 10, 5, 30, 25)
    assert (of_colour(pixels, 0) == line).all()
    seam = (pixels < GREY).all(-1)
    assert (seam == (ring((40, 60), 9, 4, 31, 26) & ~corners(9, 4, 30, 25) | ring((40, 60), 11, 6, 29, 24))).all()
    assert (pixels[~line & ~seam] == GREY).all()


def corners(left, top, right, bottom):
    marks = np.zeros((40, 60), bool)
    marks[np.ix_([top, bottom], [left, right])] = True
    return marks


def test_a_contour_is_the_outermost_pixels_of_the_region():
    mask = np.zeros((20, 20), bool)
    mask[2:18, 2:10] = True
    mask[2:8, 2:18] = True
    pixels = drawn(Outline("cat", "", (10, 5, 30, 25), mask))
    inner = np.zeros((40, 60), bool)
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    inner[5:25, 10:30] = mask & ~inside
    assert (of_colour(pixels, 0)[7:23, 12:28] == inner[7:23, 12:28]).all()


def test_a_region_that_fills_its_box_is_outlined_at_the_edge():
    pixels = drawn(Outline("cat", "", (10, 5, 30, 25), np.ones((20, 20), bool)))
    assert (of_colour(pixels, 0) == ring((40, 60), 10, 5, 30, 25)).all()


def test_truth_is_striped_black_and_white():
    pixels = drawn(Outline("true", "", (10, 5, 30, 25), true=True))
    line = ring((40, 60), 10, 5, 30, 25)
    assert {*map(tuple, pixels[line])} == {(0, 0, 0), (255, 255, 255)}
    assert 0.4 < (pixels[line] == 255).mean() < 0.6
    assert (pixels[~line] == GREY).all()


def test_a_mask_of_the_whole_photo_lies_on_it():
    mask = np.zeros((40, 60), bool)
    mask[5:25, 10:30] = True
    pixels = drawn(Outline("true", "", None, mask, true=True))
    assert ((pixels != GREY).any(-1) == ring((40, 60), 10, 5, 30, 25)).all()


def test_what_was_found_lies_above_what_is_true_and_the_first_above_the_others():
    box = (10, 5, 30, 25)
    pixels = drawn(Outline("cat", "", box), Outline("dog", "", box, colour=1), Outline("true", "", box, true=True))
    assert (of_colour(pixels, 0) == ring((40, 60), 10, 5, 30, 25)).all()


def test_on_a_magnified_photo_all_grows_with_it():
    mask = np.zeros((10, 10), bool)
    mask[2:8, 2:8] = True
    large = np.asarray(outlined(picture(240, 160), [Outline("cat", "", (20, 10, 30, 20), mask)], None, (60, 40), magnify=4))
    line = of_colour(large, 0)
    rows, columns = np.flatnonzero(line.any(1)), np.flatnonzero(line.any(0))
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (40, 80, 80, 120)
    inside = line[46:74, 86:114]
    rows, columns = np.flatnonzero(inside.any(1)) + 46, np.flatnonzero(inside.any(0)) + 86
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (48, 72, 88, 112)


def test_lines_are_thicker_on_larger_photos():
    def thick(side):
        pixels = drawn(Outline("cat", "", (0, 0, side, side)), size=(side, side))
        return of_colour(pixels, 0)[:, side // 2][: side // 2].sum()

    assert [thick(side) for side in (72, 300, 500, 1200)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("box", "edge"),
    [((10, 60, 100, 120), "above"), ((10, 0, 100, 50), "below"), ((0, 0, 200, 150), "within")],
)
def test_the_tag_stands_where_there_is_room(written, box, edge):
    drawn(Outline("", "cat 0.5", box), size=(200, 150))
    ((text, x, y),) = written
    assert text == "cat 0.5"
    assert box[0] <= x < box[0] + 10
    assert {"above": y < box[1], "below": y > box[3], "within": box[1] < y < box[3]}[edge]


def test_tags_do_not_lie_on_each_other(written):
    same = [Outline("", f"class {k} 0.5", (10, 60, 100, 120), colour=k) for k in range(3)]
    drawn(*same, size=(200, 150))
    heights = sorted(y for _, _, y in written)
    assert len(heights) == 3
    assert min(np.diff(heights)) >= 12


def test_in_a_photo_too_narrow_for_letters_there_is_no_tag(written):
    drawn(Outline("", "miniature poodle 0.13", (2, 20, 20, 38)), size=(24, 40))
    assert written == []


def test_a_tag_at_the_right_edge_stays_in_the_photo(written):
    drawn(Outline("", "cat 0.5", (180, 60, 200, 120)), size=(200, 150))
    ((_, x, _),) = written
    assert x + 36 < 200 < 180 + 36  # "cat 0.5" in letters of 12 pixels is 36 wide or more


def test_the_key_has_a_line_for_each_kind(written):
    out = outlined(
        picture(300, 100),
        [
            Outline("cat, 75 %: score 1.00", "", (0, 0, 5, 5)),
            Outline("dog", "", (0, 0, 5, 5), colour=1),
            Outline("2 true boxes", "", (0, 0, 5, 5), true=True),
            Outline("", "", (3, 3, 9, 9), true=True),
        ],
        "above 15 % of the maximum",
        (300, 100),
    )
    said = [text.replace("\u00a0", " ") for text, *_ in written]
    assert said == ["above 15 % of the maximum", "cat, 75 %: score 1.00", "dog", "2 true boxes"]
    key = np.asarray(out)[100:]
    assert [bool(of_colour(key, number).any()) for number in range(3)] == [True, True, False]
    assert out.width == 300


def test_a_long_key_says_how_much_it_leaves_out(written):
    many = [Outline(f"class {k}", "", (0, 0, 5, 5), colour=k) for k in range(30)]
    drawn(*many, size=(300, 100), key="all")
    assert written[-1][0] == "and 10 more"
    assert len(written) == 22


def test_below_a_small_photo_the_key_is_as_wide_as_words_need():
    out = outlined(picture(30, 20), [Outline("cat", "", (0, 0, 5, 5))], "how", (30, 20))
    assert out.width == 220
    assert (np.asarray(out)[:20, :90] == 255).all()


def test_the_picture_itself_stays_as_it_was():
    photo = picture()
    outlined(photo, [Outline("cat", "cat", (10, 5, 30, 25))], None, (60, 40))
    assert (np.asarray(photo) == GREY).all()


@pytest.mark.parametrize("box", [(10.1, 5.1, 10.3, 5.3), (10, 5, 11, 6)])
def test_a_box_of_less_than_a_pixel_is_one(box):
    pixels = drawn(Outline("cat", "", box, np.ones((1, 1), bool)))
    marks = np.zeros((40, 60), bool)
    marks[5, 10] = True
    assert (of_colour(pixels, 0) == marks).all()


def test_a_picture_may_be_smaller_than_its_photo():
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    small = np.asarray(outlined(picture(15, 10), [Outline("cat", "", (4, 4, 44, 44), mask)], None, (60, 60), magnify=0.25))
    assert small.shape == (10, 15, 3)
    assert of_colour(small, 0).any()


def test_no_line_of_the_key_ends_before_a_number(written):
    drawn(Outline("a long name of a class: score 1.00, 97.5 % of the evidence, IoU 0.58", "", (0, 0, 5, 5)), key="how")
    lines = [text for text, *_ in written]
    assert len(lines) > 2
    assert not any(line.endswith(("IoU", "score")) or line.startswith("%") for line in lines)
