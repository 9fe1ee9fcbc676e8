"""What fails in a batch of photos: when it is the photo's fault, when the question's, and what is said at the end."""

import errno

import click
import pytest

from seewhy.cli.failures import PHOTO, TRIED, Failures, about, inputs_of, named
from seewhy.cli.inputs import PhotoFiles
from seewhy.errors import BadImage, BadParameter, NoService, NotHere, NotWritten


@pytest.fixture
def context():
    with click.Context(click.Command("explain")) as context:
        yield context


def meet(failures: Failures, *errors: BaseException) -> None:
    """One photo after the other, a.png and so on, meets an error."""
    for letter, error in zip("abcdef", errors, strict=False):
        with failures.of(f"{letter}.png"):
            raise error


def test_an_error_is_said_with_its_photo_and_the_next_is_explained(context, capsys):
    failures = Failures(3)
    meet(failures, BadImage("is broken."), BadImage("b.png is none."))
    failures.well()
    failures.tell()
    assert failures.files == ["a.png", "b.png"]
    assert capsys.readouterr().err.splitlines() == [
        "seewhy: a.png: is broken.", "seewhy: b.png is none.", "seewhy: 2 of 3 photos failed: a.png, b.png",
    ]  # fmt: skip


def test_misuse_that_all_the_first_photos_meet_is_the_questions_fault(context, capsys):
    failures = Failures(10)
    meet(failures, *[BadParameter("no such class")] * (TRIED - 1))
    assert (failures.files, capsys.readouterr().err) == ([], "")
    with pytest.raises(BadParameter, match="no such class"):
        meet(failures, BadParameter("no such class"))


def test_misuse_of_every_photo_there_is_is_the_questions_fault(context):
    with pytest.raises(BadParameter):
        meet(Failures(1), BadParameter("no such class"))


def test_misuse_before_a_photo_that_has_maps_was_the_photos_own(context, capsys):
    failures = Failures(5)
    meet(failures, BadParameter("too small"))
    failures.well()
    assert failures.files == ["a.png"]
    meet(failures, *[BadParameter("too small")] * 4)
    assert failures.files == ["a.png", "a.png", "b.png", "c.png", "d.png"]
    assert not failures.waiting
    assert capsys.readouterr().err.count("too small") == 5


def test_what_is_not_here_for_one_photo_is_that_photos_fault_at_once(context):
    failures = Failures(1)
    meet(failures, NotHere("no object of that class"))
    assert failures.files == ["a.png"]


def test_a_folder_that_takes_no_more_ends_the_batch(context, capsys):
    failures = Failures(9)
    with failures.of("0.png"):
        pass
    failures.well()
    full = NotWritten("out/a.png cannot be written")
    full.errno = errno.ENOSPC
    meet(failures, full)
    assert failures.ended
    failures.tell()
    assert "ended there: 7 more photos were not looked at" in capsys.readouterr().err
    other = NotWritten("b.png is there")
    other.errno = errno.EEXIST
    failures = Failures(2)
    meet(failures, other)
    assert not failures.ended


@pytest.mark.parametrize("error", [BrokenPipeError(), click.exceptions.Exit(3), KeyboardInterrupt()])
def test_what_ends_the_whole_command_is_no_photos_fault(context, error):
    failures = Failures(5)
    with pytest.raises(type(error)):
        meet(failures, error)
    assert not failures.files


def test_a_networks_exit_is_its_photos_failure(context, capsys):
    failures = Failures(2)
    meet(failures, SystemExit(4))
    assert failures.files == ["a.png"]


def test_with_debug_every_error_is_raised_as_it_is():
    with click.Context(click.Command("seewhy")) as root:
        root.params["debug"] = True
        with click.Context(click.Command("explain"), parent=root), pytest.raises(BadImage):
            meet(Failures(5), BadImage("is broken."))


def test_very_many_names_get_a_line_each(context, capsys):
    failures = Failures(100)
    failures.files = [f"photo {i:030}.png" for i in range(40)]
    failures.tell()
    head, *rest = capsys.readouterr().err.splitlines()
    assert head == "seewhy: 40 of 100 photos failed:"
    assert rest == [f"  {name}" for name in failures.files]


def test_an_error_names_its_photo_once():
    assert named("a.png", BadImage("a.png is broken.")) == "a.png is broken."
    assert named("a.png", BadImage("it is broken.")) == "a.png: it is broken."
    assert named(None, BadImage("it is broken.")) == "it is broken."


def test_the_photo_of_a_command_is_kept_for_its_errors(context):
    about("a.png")
    assert context.meta[PHOTO] == "a.png"


def test_a_service_that_is_gone_ends_the_run_and_a_photo_with_half_a_map_is_not_counted_twice(context, capsys):
    failures = Failures(9)
    with failures.of("a.png"):
        pass
    failures.well()
    with failures.of("a.png"):
        raise NoService("http://localhost/ cannot be reached.")
    assert failures.ended
    failures.tell()
    assert "8 more photos were not looked at" in capsys.readouterr().err


def test_what_stands_for_no_photo_has_failed_from_the_beginning(context, capsys):
    inputs = PhotoFiles(["a.png", "b.png"], {"c": BadImage("c is not there.")}, ["left out: 2 sheets"])
    failures = Failures.among(inputs)
    assert (failures.count, failures.kind, failures.files) == (3, "photos", ["c"])
    assert capsys.readouterr().err.splitlines() == ["seewhy: left out: 2 sheets", "seewhy: c is not there."]


def test_where_nothing_stands_for_a_photo_all_but_the_last_reason_is_said(context, capsys, tmp_path):
    photo = str(tmp_path / "a.png")
    with pytest.raises(BadImage) as last:
        inputs_of(("", "-"), False, tmp_path / "out")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("seewhy: ")
    assert str(last.value) not in line
    assert inputs_of((photo, ""), False, tmp_path / "out").files == [photo]
