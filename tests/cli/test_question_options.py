"""Commands that explain photos take the same options, each with its own word of what is explained by default."""

import click
from click.testing import CliRunner

from seewhy.cli.question_options import RECURSIVE, asked_of_photos


def test_the_options_come_in_their_order_with_what_is_usual():
    given = {}

    @click.command()
    @asked_of_photos("whatever is there")
    @RECURSIVE
    def look(**options):
        given.update(options)

    names = ["targets", "layers", "settings", "budget", "batch_size", "tile", "overlap", "scores", "recursive"]
    assert [option.name for option in look.params] == names
    assert "whatever is there" in CliRunner().invoke(look, ["--help"]).output
    words = ["-t", "top:2", "--target", "cat", "--set", "signed=true", "--tile", "512", "-r"]
    assert CliRunner().invoke(look, words).exit_code == 0
    assert given["targets"] == ("top:2", "cat")
    assert given["settings"] == (("signed", True),)
    assert (given["tile"], given["recursive"], given["budget"], given["layers"]) == (512, True, None, ())
    assert CliRunner().invoke(look, ["--overlap", "-1"]).exit_code == 2
